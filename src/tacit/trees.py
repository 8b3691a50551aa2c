"""Floor 0: trees of arrays without JAX, and the records that JAX takes apart when it is there.

A tree is what it is for JAX (`jax.tree`): tuples, lists, mappings, records, and whatever else JAX has been told of;
all else is a leaf, and None is no leaf.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

import numpy as np

from tacit.engine import is_loaded, jax, when_loaded

_Tree = TypeVar("_Tree")


def static(**options: Any) -> Any:
    """A field of a `Pytree` that is no array: JAX compiles anew where it is another."""
    return dataclasses.field(metadata={"static": True}, **options)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, static))
class Pytree(abc.ABC):  # noqa: B024 - those of it have abstract methods
    """An immutable record of arrays and of what is `static`, which JAX takes apart and puts together.

    It is what a module of Equinox is, without the modules that those make of their methods at every access: on a small
    table that takes longer than what the methods do.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        when_loaded(functools.partial(_register, cls))


def _register(cls: type) -> None:
    jax.tree_util.register_dataclass(cls)


_LEAF, _NONE, _SEQUENCE, _NAMED, _MAPPING, _RECORD, _FOREIGN = range(7)
"""What a value may be in a tree."""
_KINDS: dict[type, int] = {type(None): _NONE, tuple: _SEQUENCE, list: _SEQUENCE, dict: _MAPPING}
"""Of every class that was met; JAX is asked for each value of a class that is none of ours."""
_PLAIN = (np.ndarray, np.generic, int, float, complex, str, bytes)


def _kind(value: Any) -> int:
    cls = type(value)
    known = _KINDS.get(cls)
    if known is None:
        known = _FOREIGN
        if issubclass(cls, Pytree):
            known = _RECORD
        elif issubclass(cls, tuple) and any("_fields" in vars(base) for base in cls.__mro__):
            known = _NAMED
        elif issubclass(cls, _PLAIN):
            known = _LEAF
        _KINDS[cls] = known
    return known


_MOVING: dict[type, tuple[str, ...]] = {}


def _moving(cls: type) -> tuple[str, ...]:
    """The fields of a record that are not static."""
    found = _MOVING.get(cls)
    if found is None:
        fields: Any = dataclasses.fields(cls)
        found = _MOVING[cls] = tuple(f.name for f in fields if not f.metadata.get("static"))
    return found


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves, in JAX's order (`jax.tree.leaves`)."""
    found: list[Any] = []
    _gather(tree, is_leaf, found)
    return found


def _gather(tree: Any, is_leaf: Callable[[Any], bool] | None, found: list[Any]) -> None:
    if is_leaf is not None and is_leaf(tree):
        found.append(tree)
        return
    kind = _kind(tree)
    if kind == _LEAF:
        found.append(tree)
    elif kind in (_SEQUENCE, _NAMED):
        for part in tree:
            _gather(part, is_leaf, found)
    elif kind == _RECORD:
        for name in _moving(type(tree)):
            _gather(vars(tree)[name], is_leaf, found)
    elif kind == _MAPPING:
        for name in sorted(tree):
            _gather(tree[name], is_leaf, found)
    elif kind == _FOREIGN:
        found += jax.tree.leaves(tree, is_leaf=is_leaf) if is_loaded() else [tree]


def map(function: Callable[..., Any], tree: Any, *others: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The tree with ``function(leaf, *leaves of the others)`` in place of its leaves (`jax.tree.map`)."""
    return _of_several(function, tree, others, is_leaf) if others or is_leaf else _of_one(function, tree)


def _of_one(function: Callable[[Any], Any], tree: Any) -> Any:
    """`map` of a single tree, of which a search of small tables makes some ten thousand."""
    kind = _KINDS.get(type(tree))
    if kind is None:
        kind = _kind(tree)
    if kind == _LEAF:
        return function(tree)
    if kind == _NONE:
        return None
    if kind == _RECORD:
        values = vars(tree)
        return replace(tree, {name: _of_one(function, values[name]) for name in _moving(type(tree))})
    if kind == _MAPPING:
        return {name: _of_one(function, tree[name]) for name in sorted(tree)}
    if kind == _FOREIGN:
        return jax.tree.map(function, tree) if is_loaded() else function(tree)
    parts = [_of_one(function, part) for part in tree]
    return type(tree)(*parts) if kind == _NAMED else type(tree)(parts)


def _of_several(
    function: Callable[..., Any], tree: Any, others: tuple[Any, ...], is_leaf: Callable[[Any], bool] | None
) -> Any:
    if is_leaf is not None and is_leaf(tree):
        return function(tree, *others)
    kind = _KINDS.get(type(tree))
    if kind is None:
        kind = _kind(tree)
    if kind == _LEAF:
        return function(tree, *others)
    if kind == _FOREIGN:
        return jax.tree.map(function, tree, *others, is_leaf=is_leaf) if is_loaded() else function(tree, *others)
    for other in others:
        if type(other) is not type(tree):
            raise ValueError(f"trees of different kinds: {type(tree).__name__} and {type(other).__name__}")
    if kind == _NONE:
        return None
    if kind in (_RECORD, _MAPPING):
        names = _moving(type(tree)) if kind == _RECORD else sorted(tree)
        first, *more = (vars(each) for each in (tree, *others)) if kind == _RECORD else (tree, *others)
        if kind == _MAPPING and any(each.keys() != tree.keys() for each in more):
            raise ValueError(f"trees of different names: {[sorted(each) for each in (tree, *more)]}")
        values = {n: _of_several(function, first[n], tuple([part[n] for part in more]), is_leaf) for n in names}
        return replace(tree, values) if kind == _RECORD else values
    parts = [_of_several(function, each[0], each[1:], is_leaf) for each in zip(tree, *others, strict=True)]
    return type(tree)(*parts) if kind == _NAMED else type(tree)(parts)


def replace(record: Any, values: dict[str, Any]) -> Any:
    """A record with other values of some fields, made without its constructor: what that checks holds of this one."""
    made = object.__new__(type(record))
    vars(made).update(vars(record))
    vars(made).update(values)
    return made


def named(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """The leaves with their paths, such as ``.model.log_weights`` or ``.groups[0]`` (`jax.tree_util.keystr`)."""
    kind = _kind(tree)
    if kind == _LEAF:
        return [(path, tree)]
    if kind == _NONE:
        return []
    if kind == _FOREIGN:
        pairs = jax.tree_util.tree_flatten_with_path(tree)[0] if is_loaded() else [((), tree)]
        return [(path + (jax.tree_util.keystr(keys) if keys else ""), leaf) for keys, leaf in pairs]
    if kind == _SEQUENCE:
        parts = [(f"[{number}]", part) for number, part in enumerate(tree)]
    elif kind == _MAPPING:
        parts = [(f"[{name!r}]", tree[name]) for name in sorted(tree)]
    else:
        names = tree._fields if kind == _NAMED else _moving(type(tree))
        parts = [(f".{name}", getattr(tree, name)) for name in names]
    return [pair for step, part in parts for pair in named(part, path + step)]


class _Mark:
    """A leaf that can be told from all others."""

    def __init__(self, leaf: Any) -> None:
        self.leaf = leaf


_KINDS[_Mark] = _LEAF


def put(where: Callable[[_Tree], Any], tree: _Tree, new: Any) -> _Tree:
    """The tree with the leaves of ``new`` in place of those of ``where(tree)`` (`equinox.tree_at`)."""
    marked = map(_Mark, tree)
    instead = {id(mark): value for mark, value in zip(leaves(where(marked)), leaves(new), strict=True)}
    found: _Tree = map(lambda mark: instead.get(id(mark), mark.leaf), marked)
    return found
