"""The classes whose instances a file may hold: those that tacit's own modules define, by a fixed table.

A file names a class by its place in the house, such as ``models.components.GaussianComponent``. The name is looked
up here and nowhere else: nothing is imported or called because a file says so.
"""

import dataclasses
import inspect
import sys
from typing import Any

from sklearn.base import BaseEstimator

from tacit import registry
from tacit.arrays import Pytree
from tacit.engine import EqxModule

PACKAGES = ("data", "families", "inference", "models", "estimators")
"""The packages whose values a fitted estimator may hold."""
_PREFIXES = tuple(f"tacit.{package}." for package in PACKAGES)

MOVED: dict[str, str] = (
    {"inference.Verdict": "estimators.Verdict"}
    | {
        f"estimators.{name}": f"estimators.{folder}.{name}"
        for folder, moved in {
            "mixture": ("Density", "Given", "Layout", "Plan", "Search", "Weighing"),
            "regression": ("CoefficientTable", "LogisticFound", "LogisticPlan"),
            "vae": ("Architecture", "Conditions", "Facts", "Layer", "NetworkPlan", "Reading"),
        }.items()
        for name in moved
    }
    | {
        "models.mixture.GaussianGroup": "models.components.GaussianComponent",
        "models.mixture.FamilyGroup": "models.components.FamilyComponent",
        "models.mixture.NormalWishartGroup": "models.components.NormalWishartComponent",
        "models.mixture.NormalWishartPrior": "models.components.NormalWishartPrior",
        "models.mixture.ConjugateGroup": "models.components.ConjugateComponent",
        "models.kmeans.KMeans": "models.kmeans.KMeansModel",
        "models.mixture.BayesianMixture": "models.mixture.MixturePosterior",
        "models.mixture.Mixture": "models.mixture.MixtureModel",
        "models.mixture.Posterior": "models.mixture.PosteriorRule",
        "models.regression.Prior": "models.regression.CoefficientPrior",
        "models.topics.Schedule": "models.topics.DocumentSchedule",
        "models.topics.Topics": "models.topics.TopicModel",
        "models.mixture.Lomax": "families.Lomax",
        "models.mixture.LogStudentT": "families.LogStudentT",
        "models.mixture.DirichletMultinomial": "families.DirichletMultinomial",
    }
)
"""Names in older files that now stand elsewhere: old name → new name."""

_FOUND: dict[str, type] = {}
"""The classes that were found so far, by their names in a file."""

RENAMED = {"blur": "noise_floor", "door": "view", "door_": "view_"}
"""Fields and fitted attributes in older files: old name → new name."""


def name_of(cls: type) -> str | None:
    """The name of a class in a file; None where it is not one of ours."""
    parts = cls.__module__.split(".")
    ours = parts[0] == "tacit" and len(parts) > 2 and parts[1] in PACKAGES
    if not ours or "." in cls.__qualname__ or not _storable(cls):
        return None
    return f"{'.'.join(parts[1:-1])}.{cls.__qualname__}"


def class_of(name: str) -> type | None:
    """The class behind a name in a file; None where there is none.

    It is sought among the modules that are loaded, as those are that the model's own estimator needs; then among all
    that any listed estimator needs. What another thread is importing at that moment is waited for there, and only what
    was found is remembered: that a module half-way through its import lacks a class says nothing.
    """
    wanted = MOVED.get(name, name)
    if wanted not in _FOUND:
        _FOUND.update(_loaded())
    if wanted not in _FOUND:
        for each in registry.names():
            registry.get(each)
        _FOUND.update(_loaded())
    return _FOUND.get(wanted)


def renewed(name: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a class in an older file is now called, and its fields where they have changed."""
    values = {RENAMED.get(field, field): value for field, value in values.items()}
    if name == "models.mixture.GaussianGroup" and "dofs" in values:
        # Student's t with scale matrices was a Gaussian with degrees of freedom
        if values["dofs"] is None:
            return name, {field: value for field, value in values.items() if field != "dofs"}
        kept = ("means", "covariances", "dofs", "columns", "complete", "tile")
        return "models.components.StudentComponent", {field: values[field] for field in kept if field in values}
    return name, values


def is_named_tuple(cls: type) -> bool:
    """Whether a class is a NamedTuple."""
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def defaults_of(cls: type) -> dict[str, Any]:
    """What stands in for a field that an older file lacks."""
    if is_named_tuple(cls):
        return dict(cls._field_defaults)  # type: ignore[attr-defined]
    plain = {f.name: f.default for f in dataclasses.fields(cls) if f.default is not dataclasses.MISSING}
    made = {
        f.name: f.default_factory() for f in dataclasses.fields(cls) if f.default_factory is not dataclasses.MISSING
    }
    return plain | made


def fields_of(cls: type) -> tuple[str, ...]:
    """The names of the fields of a class, in order."""
    if is_named_tuple(cls):
        return tuple(cls._fields)  # type: ignore[attr-defined]
    return tuple(f.name for f in dataclasses.fields(cls))


def values_of(made: Any) -> dict[str, Any]:
    """The fields of an instance, in order."""
    values = made._asdict() if is_named_tuple(type(made)) else vars(made)
    return {name: values[name] for name in fields_of(type(made))}


def build(cls: type, values: dict[str, Any]) -> Any:
    """An instance with these fields, made without its constructor; its own checks are run.

    Raises whatever the checks of the class raise.
    """
    if is_named_tuple(cls):
        return cls._make(values[name] for name in fields_of(cls))  # type: ignore[attr-defined]
    made: Any = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    if not isinstance(made, EqxModule | Pytree):
        getattr(made, "__post_init__", lambda: None)()
    for base in cls.__mro__:
        check = vars(base).get("__check_init__")
        if check is not None:
            check(made)
    return made


def _loaded() -> dict[str, type]:
    """The classes of ours that a file may hold, of all modules that are loaded, by their names in a file."""
    found: dict[str, type] = {}
    for module, content in sorted(list(sys.modules.items())):  # a list at once: other threads may be importing
        if not module.startswith(_PREFIXES):
            continue
        for cls in list(vars(content).values()):
            # of a module that is loaded at its first use, isinstance would be that
            if issubclass(type(cls), type) and cls.__module__ == module:
                name = name_of(cls)
                if name is None:
                    continue
                if found.get(name, cls) is not cls:
                    raise TypeError(f"two classes are called {name}: {found[name]} and {cls}")
                found[name] = cls
    return found


def _storable(cls: type) -> bool:
    if cls.__qualname__.startswith("_") or inspect.isabstract(cls) or issubclass(cls, BaseEstimator):
        return False  # an estimator goes by its name in the registry
    return issubclass(cls, EqxModule | Pytree) or is_named_tuple(cls) or dataclasses.is_dataclass(cls)
