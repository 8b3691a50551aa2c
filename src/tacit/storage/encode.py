"""A fitted estimator as a tree of JSON nodes and a table of arrays.

JSON values stand for themselves. Everything else is an object with the key ``$``: an array by its name in the
table, many numbers of one type, a tuple, a dictionary with any keys, one of our classes by its fields, an estimator
by its listed name.
"""

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from tacit import registry, trees
from tacit.data.foreign import MaskedArray
from tacit.engine import EqxModule, JaxArray, eqx, is_array, jax
from tacit.storage import known
from tacit.storage.container import DTYPES

DEPTH = 64
"""The deepest nesting that is written or read."""

_SHORT = 16
"""So many plain numbers are written out, where people can read them; more of them become an array."""

Node = Any
"""A JSON value."""

_UNSTORED = ("_metadata_request",)
"""What scikit-learn hangs on an estimator for routing: no part of the model."""


class Encoded(NamedTuple):
    """An estimator as it is written."""

    node: Node
    arrays: dict[str, np.ndarray]
    """The arrays that the node names."""
    networks: dict[str, EqxModule]
    """The user's own modules by place; only their arrays are written."""


def encode(estimator: BaseEstimator) -> Encoded:
    """The node of an estimator, and the arrays that it names.

    Raises:
        TypeError: the place and the class of a value that no file of ours can hold, and what to do.
    """
    encoder = _Encoder()
    return Encoded(encoder.node(estimator, ()), encoder.arrays, encoder.networks)


class _Encoder:
    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.networks: dict[str, EqxModule] = {}

    def node(self, value: Any, place: tuple[str, ...]) -> Node:
        if len(place) > DEPTH:
            raise TypeError(f"{'.'.join(place[:6])}… is nested deeper than {DEPTH} levels, or holds itself.")
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$": "float", "value": str(value)}
        if type(value) in (list, tuple) and (packed := _packed(value)) is not None:
            plain, name = type(value[0]) in (int, float), self._put(packed, place)
            return {"$": "numbers", "at": name, "in": type(value).__name__, "plain": plain}
        if type(value) is list:
            return self._items(value, place)
        if isinstance(value, np.ndarray | np.generic | JaxArray):
            return self._array(value, place)
        if type(value) is tuple:
            return {"$": "tuple", "items": self._items(value, place)}
        if type(value) is dict:
            return self._dictionary(value, place)
        return self._object(value, place)

    def _items(self, values: Iterable[Any], place: tuple[str, ...]) -> list[Node]:
        return [self.node(value, (*place, str(number))) for number, value in enumerate(values)]

    def _dictionary(self, value: dict[Any, Any], place: tuple[str, ...]) -> Node:
        items = []
        for key, item in value.items():
            if not isinstance(key, str | int | float | bool | np.generic | None):
                raise _unstorable(f"the key {key!r:.40} of {_shown(place)}", key)
            items.append([self.node(key, (*place, "key")), self.node(item, (*place, str(key)))])
        return {"$": "dict", "items": items}

    def _object(self, value: Any, place: tuple[str, ...]) -> Node:
        cls = type(value)
        if isinstance(value, BaseEstimator):
            return self._estimator(value, place)
        if isinstance(value, np.random.RandomState | np.random.Generator):
            # its state has moved on since the fit; None draws afresh
            return {"$": "random", "class": cls.__name__}
        if isinstance(value, np.dtype) and value.name in DTYPES.values():
            return {"$": "dtype", "name": value.name}
        name = known.name_of(cls)
        if name is not None:
            fields = {f: self.node(part, (*place, f)) for f, part in known.values_of(value).items()}
            return {"$": "object", "class": name, "fields": fields}
        if isinstance(value, EqxModule):
            leaves = self._items(trees.leaves(eqx.filter(value, is_array)), place)
            self.networks[".".join(place)] = value
            return {"$": "network", "class": cls.__qualname__, "leaves": leaves}
        raise _unstorable(_shown(place), value)

    def _estimator(self, value: BaseEstimator, place: tuple[str, ...]) -> Node:
        try:
            name = registry.name_of(value)
        except ValueError as error:
            raise TypeError(f"{_shown(place)} cannot be saved: {error}") from None
        parameters = value.get_params(deep=False)
        state = {k: v for k, v in vars(value).items() if k not in parameters and k not in _UNSTORED}
        return {
            "$": "estimator",
            "name": name,
            "parameters": {k: self.node(v, (*place, "parameters", k)) for k, v in parameters.items()},
            "state": {k: self.node(v, (*place, k)) for k, v in state.items()},
        }

    def _array(self, value: Any, place: tuple[str, ...]) -> Node:
        if isinstance(value, JaxArray) and jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
            raise TypeError(f"{_shown(place)} is a random key, which is no part of a fitted model.")
        if isinstance(value, MaskedArray):
            raise _unstorable(_shown(place), value)
        array = np.asarray(value)
        scalar = isinstance(value, np.generic)
        if array.dtype.kind == "U" or array.dtype == object:
            return self._texts(array, scalar, place)
        if array.dtype.name not in DTYPES.values():
            raise _unstorable(f"{_shown(place)}, an array of {array.dtype},", value)
        node = {"$": "scalar" if scalar else "array", "at": self._put(array, place)}
        if array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous:
            node["order"] = "F"  # the same memory, so that the same sums are made in the same order
        return node

    def _put(self, array: np.ndarray, place: tuple[str, ...]) -> str:
        name = ".".join(place) or "value"
        unique, number = name, 2
        while unique in self.arrays:
            unique, number = f"{name}~{number}", number + 1
        self.arrays[unique] = array
        return unique

    def _texts(self, array: np.ndarray, scalar: bool, place: tuple[str, ...]) -> Node:
        """Texts, and arrays of plain Python values, as a list in the document."""
        values = array.ravel().tolist()
        for item in values:
            if not (item is None or type(item) in (bool, int, float, str)):
                raise _unstorable(f"{_shown(place)}, an array that holds {item!r:.40},", item)
        return {
            "$": "text" if scalar else "texts",
            "width": None if array.dtype == object else array.dtype.itemsize // 4,
            "shape": list(array.shape),
            "values": self._items(values, place),
        }


def _packed(values: list[Any] | tuple[Any, ...]) -> np.ndarray | None:
    """Numbers that are all of one type as an array, unless they are few and Python's own; None for anything else."""
    kinds = {type(value) for value in values}
    if len(kinds) != 1 or len(values) < 2:
        return None
    (kind,) = kinds
    if issubclass(kind, np.generic):
        array = np.array(values)
        return array if array.dtype.name in DTYPES.values() else None
    if kind not in (int, float) or len(values) <= _SHORT:
        return None
    try:
        return np.array(values, dtype=np.int64 if kind is int else np.float64)
    except OverflowError:  # whole numbers of Python have no end
        return None


def check_extra(extra: object) -> None:
    """Refuse what is not JSON in what a caller wants to store beside a model."""
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"extra holds something that JSON cannot: {error}. Give text, numbers, lists and dicts."
        ) from None


def _shown(place: tuple[str, ...]) -> str:
    return ".".join(place) if place else "the estimator"


def _unstorable(what: str, value: object) -> TypeError:
    return TypeError(
        f"{what} cannot be saved: {type(value).__module__}.{type(value).__qualname__} is not a number, text, "
        "array, list, tuple, dict, model or estimator of tacit. Convert it before the fit (a data frame with "
        "to_numpy(), a function to its name), or set it to None."
    )
