"""What there is to fit, and what each model can do."""

import dataclasses
import inspect

from tacit import registry
from tacit.estimators.capabilities import (
    Assigns,
    Capability,
    Codes,
    GivesConditionals,
    HasTopics,
    Imputes,
    Samples,
    Scores,
    Transforms,
    Walks,
)
from tacit.estimators.capabilities import can as has
from tacit.estimators.explaining import Explains
from tacit.estimators.query.asking import AnswersQueries
from tacit.workflow.settings import known_settings

CAN: dict[type[Capability], tuple[str, ...]] = {
    Scores: ("score",),
    Explains: ("explain",),
    Assigns: ("assign",),
    Samples: ("sample",),
    Imputes: ("impute",),
    GivesConditionals: ("sample --given",),
    AnswersQueries: ("query",),
    Transforms: ("transform",),
    HasTopics: ("predict half a document",),
    Codes: ("reconstruct",),
    Walks: ("interpolate", "manifold"),
}
"""What a model's capabilities let the commands do."""
ROW_COMMANDS = ("predict", "score", "assign", "encode", "transform", "impute", "sample", "reconstruct", "interpolate")
"""Those that a person may go on with after a fit; the first that a model has is shown with its arguments."""


@dataclasses.dataclass(frozen=True)
class ModelLine:
    """A model that can be fitted; the fields are the columns of ``tacit models``.

    Attributes:
        name: in the registry.
        about: what it is, in a sentence.
        can: what it can do, in words.
        settings: what can be set.
    """

    name: str
    class_name: str
    about: str
    can: tuple[str, ...]
    settings: tuple[str, ...]


def models() -> list[ModelLine]:
    """Every model, in the order of the registry."""
    lines = []
    for name in registry.names():
        cls = registry.get(name)
        about = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ").replace("``", "")
        able = ["fit --target, predict, score"] if registry.entry(name).supervised else can(name, cls)
        lines.append(ModelLine(name, f"tacit.{cls.__name__}", about, tuple(able), known_settings(name)))
    return lines


def can(name: str, model: object) -> list[str]:
    """What an estimator, or a class of them, can do, in words.

    Args:
        name: in the registry.
        model: the estimator or the class.
    """
    if registry.entry(name).supervised:
        return ["predict", "score"]
    found = [word for what, words in CAN.items() if has(model, what) for word in words]
    return [*found, "encode"] if has(model, Codes) else found


def next_commands(name: str, model: object) -> list[str]:
    """The commands that a person may go on with after a fit, the foremost first."""
    able = can(name, model)
    return [word for word in ROW_COMMANDS if word in able]
