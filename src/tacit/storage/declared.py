"""Whether the arrays of a file are what the classes that hold them say: their shapes, and where their values lie.

A value says it in ``spaces`` (a family also in ``parameters``), an estimator in ``held``; what says nothing is finite.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tacit.arrays import Pytree
from tacit.engine import EqxModule
from tacit.estimators.settings import Estimator
from tacit.families.base import Distribution
from tacit.models.components.base import Component, ComponentPosterior
from tacit.spaces import Held, Space, Spaces, outside
from tacit.storage import known


def stray(cls: type, values: Mapping[str, Any]) -> str | None:
    """Which array of a value lies where its class says that it cannot, in words; None where all is well."""
    if known.is_named_tuple(cls):  # traces and the like, which may hold anything
        return None
    spaces = _spaces(cls)
    for name, value in values.items():
        space: Space = spaces.get(name, "real")
        for part in value if isinstance(value, tuple | list) else (value,):
            numbers = isinstance(part, np.ndarray | np.generic) or (isinstance(part, float) and name in spaces)
            array = np.asarray(part) if numbers else None
            # of a stack of matrices the last two axes are a matrix; its own first axis counts components
            fault = None if array is None else outside(array, space, matrix=array.ndim > _flat(cls, name))
            if fault is not None:
                return f"{cls.__name__}.{name} {fault}"
    return None


@functools.cache
def _spaces(cls: type) -> Spaces:
    if not issubclass(cls, EqxModule | Pytree):
        return {}
    found: dict[str, Space] = {}
    if issubclass(cls, Distribution):
        found |= {parameter.name: parameter.space for parameter in cls.parameters}
    own: Spaces = getattr(cls, "spaces", {})
    return found | dict(own)


def _flat(cls: type, name: str) -> int:
    """How many axes a ``spread`` has that holds variances."""
    return 1 if "Prior" in cls.__name__ and name == "scale" else 2


def uneven(group: object, components: int) -> str | None:
    """Where components are not as many as the model says, or are of other columns; None where all is well."""
    ragged = _ragged(group)
    if ragged is not None:
        return ragged
    if isinstance(group, ComponentPosterior):
        group = group.predictive()
    if not isinstance(group, Component):
        return None
    with np.errstate(all="ignore"):
        shape = group.moments()[0].shape
    wanted = (components, len(group.columns))
    return None if shape == wanted else f"its {type(group).__name__} is of the shape {shape} and not {wanted}"


def _ragged(group: object) -> str | None:
    """Where the parameters of a product of densities are not all ``[components, columns]``, though they broadcast."""
    family = getattr(group, "family", None)
    if not isinstance(group, Component | ComponentPosterior) or not isinstance(family, Distribution):
        return None
    if family.event_dims:
        return None
    shapes = {each.name: np.shape(getattr(family, each.name)) for each in family.parameters}
    shapes |= {each.name: shapes[each.name][:-1] for each in family.parameters if each.space == "shares"}
    if len(set(shapes.values())) > 1 or any(len(shape) != 2 for shape in shapes.values()):
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        return f"the parameters of its {type(family).__name__} have the shapes {told}"
    return None


def fault(made: Estimator) -> str | None:
    """What does not fit the declaration of a fitted estimator, in words; None where all is well."""
    features = vars(made).get("n_features_in_")
    if features is None and "n_features_in_" not in vars(made):
        return None
    if type(features) is not int or features < 1:
        return f"n_features_in_ should be a whole number above 0, and is {features!r:.40}"
    made.check_settings()
    sizes = made.sizes()
    for name, held in _held(type(made)).items():
        said = held.misfit(_at(made, name.split(".")), sizes)
        if said is not None:
            return f"{name} {said}"
    schema = vars(made).get("schema_")
    if schema is not None and len(schema) != features:
        return f"schema_ names {len(schema)} columns, and there are {features}"
    for columns in _columns(vars(made)):
        if columns and not 0 <= min(columns) <= max(columns) < features:
            return f"components of the columns {columns!r:.60}, and there are {features}"
    return made.rehearsal()


def _held(cls: type) -> dict[str, Held]:
    found: dict[str, Held] = {}
    for base in reversed(cls.__mro__):
        found |= vars(base).get("held", {})
    return found


def _at(value: Any, names: list[str]) -> Any:
    """What stands at a place; None where there is no such part."""
    for name in names:
        value = getattr(value, name, None)
    return value


def _columns(value: Any) -> Iterator[tuple[int, ...]]:
    """The columns of all components that a value holds."""
    if isinstance(value, Component | ComponentPosterior):
        yield value.columns
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _columns(part)
    elif known.name_of(type(value)) is not None:
        yield from _columns(known.values_of(value))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _columns(part)
