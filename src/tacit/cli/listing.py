"""``tacit models``: what there is to fit."""

import inspect
from typing import Any

import pyarrow as pa

from tacit import registry
from tacit.cli import results, talk
from tacit.cli import settings as words
from tacit.cli.targets import foretells

CAN = {
    "score_samples": "score",
    "predict": "assign",
    "sample": "sample",
    "impute": "impute",
    "condition": "sample --given",
    "transform": "transform",
    "completion_score": "foretell half a document",
    "reconstruct": "reconstruct",
    "interpolate": "interpolate",
    "manifold": "manifold",
}
"""What a model's methods let the commands do."""
ROW_COMMANDS = ("predict", "score", "assign", "encode", "transform", "impute", "sample", "reconstruct", "interpolate")
"""Those that a person may go on with after a fit; the first that a model has is shown with its arguments."""


def can(model: Any) -> list[str]:
    """What an estimator, or a class of them, can do, in words."""
    if foretells(model):
        return ["fit --target, predict, score"] if isinstance(model, type) else ["predict", "score"]
    found = [word for method, word in CAN.items() if hasattr(model, method)]
    return [*found, "encode"] if gives_codes(model) else found


def gives_codes(model: Any) -> bool:
    """Whether an estimator, or a class of them, has a code with a spread for every row."""
    return hasattr(model, "transform") and "return_std" in inspect.signature(model.transform).parameters


def models(out: str | None, form: str | None) -> None:
    """Give the models: name, what each is, what it can do, what can be set."""
    results.check(out, form)
    rows = []
    for name in registry.names():
        kind = registry.get(name)
        rows.append(
            {
                "model": name,
                "class": f"tacit.{kind.__name__}",
                "about": (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ").replace("``", ""),
                "can": ", ".join(can(kind)),
                "settings": ", ".join(words.known_settings(name)),
            }
        )
    if out is not None or not (form == "table" or (form is None and talk.on_terminal())):
        results.give(pa.Table.from_pylist(rows), out, form, what="model")
        return
    for row in rows:
        talk.heading(row["model"])
        talk.say(row["about"], indent=1)
        talk.say(f"Can: {row['can']}.", "dim", indent=1)
        talk.say(f"Settings: {row['settings']}.", "dim", indent=1)
    talk.say("")
    talk.say("Use one with --model NAME, and its settings with --set KEY=VALUE.")
