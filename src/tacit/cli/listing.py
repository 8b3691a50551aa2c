"""``tacit models``: what there is to fit."""

import inspect

import pyarrow as pa

from tacit import registry
from tacit.cli import results, talk
from tacit.cli import settings as words

CAN = {
    "score_samples": "score",
    "predict": "assign",
    "sample": "sample",
    "impute": "impute",
    "condition": "sample --given",
    "transform": "transform",
}
"""What a model's methods let the commands do."""


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
                "can": ", ".join(word for method, word in CAN.items() if hasattr(kind, method)),
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
