"""Back from JSON nodes and arrays to a fitted estimator. Every step distrusts the file; nothing is run."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from tacit import registry
from tacit.engine import EqxModule, eqx, is_array, jax
from tacit.estimators.settings import Estimator
from tacit.models.components.concatenated import ConcatenatedComponent
from tacit.storage import declared, hints, known
from tacit.storage.container import DTYPES
from tacit.storage.encode import DEPTH, Node

_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_RANDOM = ("RandomState", "Generator")
_WIDEST = 65_536
_LARGEST_TEXTS = 2**28


class Wrong(ValueError):
    """A node that does not make sense; the message says where and why."""


class Unknown(Wrong):
    """A name that this tacit does not know; another version may."""


class NetworkFault(Wrong):
    """The user's own network is not given, or has other shapes."""


def decode(
    node: Node, arrays: Mapping[str, np.ndarray], network: EqxModule | Mapping[str, EqxModule] | None = None
) -> BaseEstimator:
    """The estimator of a node.

    Args:
        node: what `encode` gave.
        arrays: its arrays; each must be named exactly once.
        network: the user's own module, or modules by class name or place.

    Raises:
        Wrong: what is wrong with the node.
    """
    decoder = _Decoder(arrays, network)
    found = decoder.value(node, ())
    if not isinstance(found, BaseEstimator):
        raise Wrong("it does not hold an estimator")
    if decoder.left:
        raise Wrong(f"nothing refers to the array {min(decoder.left)!r:.80}")
    return found


class _Decoder:
    def __init__(self, arrays: Mapping[str, np.ndarray], network: EqxModule | Mapping[str, EqxModule] | None) -> None:
        self.arrays, self.network = arrays, network
        self.left = set(arrays)
        self.kinds: dict[str, Callable[[dict[str, Any], tuple[str, ...]], Any]] = {
            "float": self._float,
            "array": self._array,
            "scalar": self._array,
            "numbers": self._numbers,
            "texts": self._texts,
            "text": self._texts,
            "tuple": lambda node, place: tuple(self._list(node, "items", place)),
            "dict": self._dict,
            "object": self._object,
            "network": self._network,
            "estimator": self._estimator,
            "random": self._random,
            "dtype": self._dtype,
        }

    def value(self, node: Node, place: tuple[str, ...]) -> Any:
        if len(place) > DEPTH:
            raise Wrong(f"it is nested deeper than {DEPTH} levels")
        if isinstance(node, list):
            return [self.value(item, (*place, str(number))) for number, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        kind = node.get("$")
        if not isinstance(kind, str) or kind not in self.kinds:
            raise Wrong(f"{_at(place)} is of the unknown kind {kind!r:.40}")
        return self.kinds[kind](node, place)

    def _float(self, node: dict[str, Any], place: tuple[str, ...]) -> float:
        text = _need(node, "value", str, place)
        if text not in _FLOATS:
            raise Wrong(f"{_at(place)} is not a number: {text!r:.40}")
        return _FLOATS[text]

    def _array(self, node: dict[str, Any], place: tuple[str, ...]) -> np.ndarray | np.generic:
        name = _need(node, "at", str, place)
        if name not in self.left:
            what = "used twice" if name in self.arrays else "not in the file"
            raise Wrong(f"{_at(place)}: the array {name!r:.80} is {what}")
        self.left.remove(name)
        array = self.arrays[name]
        if node["$"] == "scalar":
            if array.ndim:
                raise Wrong(f"{_at(place)} should be one number, and has the shape {array.shape}")
            return array[()]
        return np.asfortranarray(array) if node.get("order") == "F" else array

    def _numbers(self, node: dict[str, Any], place: tuple[str, ...]) -> list[Any] | tuple[Any, ...]:
        array, outer = np.asarray(self._array(node, place)), {"list": list, "tuple": tuple}.get(str(node.get("in")))
        if array.ndim != 1 or outer is None:
            raise Wrong(f"{_at(place)} is not a list of numbers")
        return outer(array.tolist() if node.get("plain") is True else array)

    def _texts(self, node: dict[str, Any], place: tuple[str, ...]) -> np.ndarray | np.generic:
        values, shape, width = self._list(node, "values", place), node.get("shape"), node.get("width")
        if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
            raise Wrong(f"{_at(place)} has no shape")
        if math.prod(shape) != len(values):
            raise Wrong(f"{_at(place)} holds {len(values)} values, and its shape is {tuple(shape)!r:.60}")
        if width is None:
            if not all(v is None or isinstance(v, str | bool | int | float) for v in values):
                raise Wrong(f"{_at(place)} holds something that is neither text nor number")
            return np.array(values, dtype=object).reshape(shape)
        if type(width) is not int or not 0 <= width <= _WIDEST or width * len(values) > _LARGEST_TEXTS:
            raise Wrong(f"{_at(place)} claims texts of {width!r:.40} characters")
        if not all(isinstance(v, str) and len(v) <= width for v in values):
            raise Wrong(f"{_at(place)} holds something that is not a text of at most {width} characters")
        array = np.array(values, dtype=f"<U{width}").reshape(shape)
        return array if node["$"] == "texts" or shape else array[()]

    def _dict(self, node: dict[str, Any], place: tuple[str, ...]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for item in _need(node, "items", list, place):
            if not isinstance(item, list) or len(item) != 2:
                raise Wrong(f"{_at(place)} is not a list of pairs")
            key = self.value(item[0], (*place, "key"))
            if not isinstance(key, str | int | float | bool | np.generic | None):
                raise Wrong(f"{_at(place)} has a key that is neither text nor number")
            found[key] = self.value(item[1], (*place, str(key)))
        return found

    def _object(self, node: dict[str, Any], place: tuple[str, ...]) -> Any:
        name = _need(node, "class", str, place)
        if known.class_of(name) is None:
            raise Unknown(f"{_at(place)} names {name!r:.60}, which is not a class of this tacit")
        nodes = _need(node, "fields", dict, place)
        name, found = known.renewed(name, {f: self.value(part, (*place, f)) for f, part in nodes.items()})
        cls = known.class_of(name)
        assert cls is not None
        strange = set(found) - set(known.fields_of(cls))
        missing = [f for f in known.fields_of(cls) if f not in found and f not in known.defaults_of(cls)]
        if strange or missing:
            what = f"has no field {min(strange)!r:.40}" if strange else f"needs the field {missing[0]!r}"
            raise Unknown(f"{_at(place)}: {name} {what}")
        values = known.defaults_of(cls) | found
        fault = hints.misfit(cls, values) or _uneven(cls, values) or declared.stray(cls, values)
        if fault:
            raise Wrong(f"{_at(place)}: {fault}")
        try:
            return known.build(cls, {f: values[f] for f in known.fields_of(cls)})
        except (ValueError, TypeError, AttributeError) as error:
            raise Wrong(f"{_at(place)}: {error}") from None

    def _network(self, node: dict[str, Any], place: tuple[str, ...]) -> EqxModule:
        name = _need(node, "class", str, place)
        leaves = self._list(node, "leaves", place)
        here = ".".join(place)
        given = self.network
        if isinstance(given, Mapping):
            given = given.get(here, given.get(name))
        if not isinstance(given, EqxModule):
            raise NetworkFault(
                f"{_at(place)} is a network of your own ({name!r:.60}), which a file cannot name: give one "
                f"of the same shapes as load(path, network=…), or by name as network={{{name!r:.60}: …}}"
            )
        like, static = eqx.partition(given, _array_like)
        paths, structure = jax.tree_util.tree_flatten_with_path(like)
        if len(paths) != len(leaves):
            raise NetworkFault(f"{_at(place)}: the given network has {len(paths)} arrays, and the file {len(leaves)}")
        for (path, mine), stored in zip(paths, leaves, strict=True):
            if not isinstance(stored, np.ndarray):
                raise Wrong(f"{_at(place)} holds something that is not an array")
            if stored.shape != mine.shape or stored.dtype != mine.dtype:
                raise NetworkFault(
                    f"{_at(place)}: the given network's {jax.tree_util.keystr(path)} is {mine.dtype} of "
                    f"shape {tuple(mine.shape)}, and the file's is {hints.describe(stored)}"
                )
        return eqx.combine(jax.tree.unflatten(structure, leaves), static)

    def _estimator(self, node: dict[str, Any], place: tuple[str, ...]) -> BaseEstimator:
        name = _need(node, "name", str, place)
        parameters = _need(node, "parameters", dict, place)
        if name in registry.names():
            registry.get(name)  # whose modules hold the classes that its parameters may name
        values = {k: self.value(v, (*place, "parameters", k)) for k, v in parameters.items()}
        try:
            made = registry.create(name, **values)
        except ValueError as error:
            raise Unknown(f"{_at(place)}: {str(error).rstrip('.')}") from None
        nodes = {known.RENAMED.get(k, k): v for k, v in _need(node, "state", dict, place).items()}
        for attribute in nodes:
            _check_name(made, attribute)
        state = {k: self.value(v, (*place, k)) for k, v in nodes.items()}
        fault = hints.misfit(type(made), state)
        if fault:
            raise Wrong(f"{_at(place)}: {fault}")
        vars(made).update(state)
        fault = declared.fault(made) if isinstance(made, Estimator) else None
        if fault:
            raise Wrong(f"{_at(place)}: {name}: {fault}")
        return made

    def _random(self, node: dict[str, Any], place: tuple[str, ...]) -> None:
        if node.get("class") not in _RANDOM:
            raise Wrong(f"{_at(place)} is of the unknown kind {node.get('class')!r:.40}")

    def _dtype(self, node: dict[str, Any], place: tuple[str, ...]) -> np.dtype:
        name = node.get("name")
        if name not in DTYPES.values():
            raise Wrong(f"{_at(place)} names the unknown type {name!r:.40}")
        return np.dtype(name)

    def _list(self, node: dict[str, Any], key: str, place: tuple[str, ...]) -> list[Any]:
        return [self.value(v, (*place, str(i))) for i, v in enumerate(_need(node, key, list, place))]


def _uneven(cls: type, values: dict[str, Any]) -> str | None:
    """Where a part of a model counts other components than the whole: the word means one thing in a model."""
    whole = hints.components(cls, values)
    if whole is None:
        return None
    for name, value in values.items():
        for part in value if isinstance(value, tuple | list) else (value,):
            if known.name_of(type(part)) is None:
                continue
            own = sum(part.sizes) if isinstance(part, ConcatenatedComponent) else None
            own = hints.components(type(part), known.values_of(part)) if own is None else own
            if own not in (None, whole):
                return f"{cls.__name__} has {whole} components, and its {name} {own}"
            said = declared.uneven(part, whole)
            if said is not None:
                return f"{cls.__name__}: {said}"
    return None


def _check_name(made: BaseEstimator, name: str) -> None:
    """Refuse attributes that would stand in the place of a method or of Python's own."""
    if not name.isidentifier() or name.startswith("__"):
        raise Wrong(f"{name!r:.60} is not the name of a fitted attribute")
    own = getattr(type(made), name, None)
    if callable(own) or isinstance(own, property) or name in made.get_params(deep=False):
        raise Wrong(f"{name!r:.60} is a method or a setting, not a fitted attribute")


def _array_like(leaf: object) -> bool:
    return is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def _need(node: dict[str, Any], key: str, kind: type, place: tuple[str, ...]) -> Any:
    value = node.get(key)
    if not isinstance(value, kind):
        raise Wrong(f"{_at(place)} lacks {key!r}, or it is not what it should be")
    return value


def _at(place: tuple[str, ...]) -> str:
    return f"{'.'.join(place):.120}" if place else "the model"
