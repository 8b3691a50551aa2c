"""The run-time checker that the tests put on every function of tacit that takes or returns arrays.

It looks at what static typing cannot know: which kind of array there is, its dtype and its shape. Hints that name no
array are held by mypy. What a check says depends on the types of the arguments, and on the dtypes and shapes of arrays
among them. `remembering` asks once for each of these, and again as soon as one is another: every call is checked, in a
tenth of the time where small arrays go through the same functions a thousand times.
"""

import functools
import inspect
import random
import threading
import types
from collections.abc import Callable
from itertools import compress
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, Self, TextIO, TypeVar, get_args, get_origin

import beartype._check.code.codemain as wrappers
import jax
import jaxtyping
import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import config as jaxtyping_config

# Which item of a list is looked at is beartype's own chance: a check in another thread must not move the state of
# `random`, which Hypothesis watches while it draws.
wrappers.getrandbits = random.Random(0).getrandbits

# An int will do for a float, as in static typing. jaxtyping's import hook decorates methods one by one, where
# beartype cannot know what Self is.
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({Self: Any})))


def checked(target: Callable) -> Callable:
    """Check arrays at every call, except beside what Python cannot check at run time."""
    if target.__name__ == "__init__":
        return target  # stacked starts give the fields of a model one more axis; its methods see one start
    hints = getattr(target, "__annotations__", {})
    for name in [name for name, hint in hints.items() if not _is_looked_at(hint)]:
        hints[name] = Any
    return _beartype(target)


def _is_looked_at(hint: object) -> bool:
    """Whether a hint is, or holds, one of an array, and nothing that Python cannot check; one still a text may be."""
    return isinstance(hint, str) or (_names_array(hint) and not _is_static(hint))


def _names_array(hint: object) -> bool:
    """Whether a hint is, or holds, a kind of array; what a callable takes and gives is not seen in it."""
    if isinstance(hint, type):
        return issubclass(hint, _ARRAYS) or (hint.__name__ == "Array" and hint.__module__.startswith("tacit."))
    if isinstance(hint, TypeVar):
        return any(map(_names_array, (hint.__bound__, *hint.__constraints__)))
    return get_origin(hint) is not Callable and any(map(_names_array, get_args(hint)))


def _is_static(hint: object) -> bool:
    """Whether a hint is, or holds, a protocol without ``runtime_checkable`` or a kind of open file."""
    if hint in (IO, BinaryIO, TextIO) or get_origin(hint) is IO:
        return True  # io.BytesIO is none of these at run time
    if getattr(hint, "_is_protocol", False) and not getattr(hint, "_is_runtime_protocol", False):
        return True
    return any(_is_static(part) for part in get_args(hint))


_full = jaxtyping.jaxtyped
_ARRAYS = (np.ndarray, np.generic, jax.Array, jaxtyping.AbstractArray)
_seen: dict[types.CodeType, dict[tuple, set]] = {}
"""By function and what it was given that was right, what it then gave that was."""
MOST_SEEN = 2000
"""Kinds of calls that are remembered of a function."""
MOST_PARTS = 24
"""Values in a container that are looked at for what they are; larger ones are checked every time."""
DEEPEST = 5
"""How deep containers are looked into; a list may hold itself."""
_PLAIN = (
    bool,
    int,
    float,
    complex,
    bytes,
    types.NoneType,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.GeneratorType,
    types.GenericAlias,
    types.UnionType,
    types.EllipsisType,
    types.ModuleType,
    slice,
    functools.partial,
    np.ufunc,
    type(np.sum),
    threading.Event,
    np.random.Generator,
    np.dtype,
    Path,
)
_PLAIN_MODULES = ("tacit.", "typing", "pyarrow.lib")
"""Where nothing more can be asked of a value than its class: fields and items are not looked into."""


class Unknown(Exception):
    """A value of which more than its type may matter."""


def remembering(fn: Any = None, *, typechecker: Any) -> Any:
    """In place of `jaxtyping.jaxtyped`: the same check, made once for every kind of call."""
    if fn is None:
        return functools.partial(remembering, typechecker=typechecker)
    if isinstance(fn, classmethod | staticmethod):
        return type(fn)(remembering(fn.__func__, typechecker=typechecker))
    if isinstance(fn, property):
        parts = (each and remembering(each, typechecker=typechecker) for each in (fn.fget, fn.fset, fn.fdel))
        return property(*parts)
    if inspect.isclass(fn) or fn.__name__ == "__init__" or not fn.__annotations__:
        return fn  # as `checked` has it: nothing is asked of them
    looks = _Looks.of(fn)
    return fn if looks.nothing else _wrapped(fn, looks, typechecker)


class _Looks(NamedTuple):
    """Which arguments a function's check looks at: the others can be anything, and change nothing for those."""

    places: tuple[bool, ...]
    """Of the positional ones, in their order."""
    more: bool
    """Of those behind the last of them, which ``*args`` takes."""
    names: dict[str, bool]
    """Of those that have a name, where they are given by it."""
    others: bool
    """Of those that ``**kwargs`` takes."""
    result: bool

    @classmethod
    def of(cls, fn: types.FunctionType) -> Self:
        hints, code = fn.__annotations__, fn.__code__
        count, named = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
        names, rest = code.co_varnames[:named], list(code.co_varnames[named:])
        looks = {name: _is_looked_at(hint) for name, hint in hints.items()}
        more = bool(code.co_flags & inspect.CO_VARARGS) and looks.get(rest.pop(0), False)
        others = bool(code.co_flags & inspect.CO_VARKEYWORDS) and looks.get(rest[0], False)
        seen = {name: looks.get(name, False) for name in names}
        return cls(tuple(seen.values())[:count], more, seen, others, looks.get("return", False))

    @property
    def nothing(self) -> bool:
        return not (self.more or any(self.names.values()) or self.others or self.result)

    def among(self, many: int) -> tuple[bool, ...]:
        """As `places`, of so many arguments."""
        return self.places + (self.more,) * (many - len(self.places))

    def named(self, kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
        """What those that are given by name are."""
        kinds, seen = [], self.names
        for name, value in kwargs.items():
            if seen.get(name, self.others):
                kinds.append((name, kind(value)))
        return kinds


def _wrapped(fn: types.FunctionType, looks: _Looks, typechecker: Any) -> Callable:
    seen = _seen.setdefault(fn.__code__, {})
    full: list[Callable] = []  # made when it is first needed: most functions are not called by most tests
    result = threading.local()  # what the function has given, where only that is still to be checked
    places, most, returns = looks.places, len(looks.places), looks.result

    def once(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return vars(result).pop("given") if "given" in vars(result) else fn(*args, **kwargs)

    def checked_call(args: tuple, kwargs: dict) -> Any:
        __tracebackhide__ = True
        if not full:
            full.append(_full(functools.wraps(fn)(once), typechecker=typechecker))
        return full[0](*args, **kwargs)

    def first_call(given: tuple, args: tuple, kwargs: dict) -> Any:
        __tracebackhide__ = True
        out = checked_call(args, kwargs)
        if len(seen) < MOST_SEEN:
            seen.setdefault(given, set()).add(_kind_or_none(out) if returns else None)
        return out

    def new_result(known: set, told: Any, out: Any, args: tuple, kwargs: dict) -> None:
        __tracebackhide__ = True
        result.given = out
        try:
            checked_call(args, kwargs)
        finally:
            vars(result).pop("given", None)
        if told is not None and len(known) < MOST_SEEN:
            known.add(told)

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if jaxtyping_config.jaxtyping_disable:
            return fn(*args, **kwargs)
        try:
            given = tuple(map(kind, compress(args, places if len(args) <= most else looks.among(len(args)))))
            if kwargs:
                given = (None, given, *looks.named(kwargs))
        except Unknown:
            return checked_call(args, kwargs)
        known = seen.get(given)
        if known is None:
            return first_call(given, args, kwargs)
        out = fn(*args, **kwargs)
        if returns:
            told = _kind_or_none(out)
            if told is None or told not in known:
                new_result(known, told, out, args, kwargs)
        return out

    return wrapper


def _kind_or_none(value: Any) -> Any:
    """What a value is, or None where that is not known to be all that matters."""
    try:
        return kind(value)
    except Unknown:
        return None


def kind(value: Any) -> Any:
    """All of a value that a type or a shape can be asked of; raises `Unknown` where that is not known to be all."""
    cls = type(value)
    how = _how.get(cls)
    if how is ARRAY:
        return cls, value.dtype, value.shape
    if how is TYPE:
        return cls
    return _other_kind(value, cls, 0)


def _other_kind(value: Any, cls: type, depth: int) -> Any:
    """The same of values that are rarer, or lie in a container."""
    how = _how.get(cls) or _look(cls)
    if how is ARRAY:
        return cls, value.dtype, value.shape
    if how is TYPE:
        return cls
    if how is VALUE:
        return value
    if how is PARTS and len(value) <= MOST_PARTS and depth < DEEPEST:
        parts = [*value, *value.values()] if cls is dict else value
        return (cls, *[_other_kind(part, type(part), depth + 1) for part in parts])
    raise Unknown


ARRAY, TYPE, VALUE, PARTS, UNKNOWN = "array", "type", "value", "parts", "unknown"
_how: dict[type, str] = {}


def _look(cls: type) -> str:
    """What is to be asked of the values of a class."""
    how = UNKNOWN
    if issubclass(cls, np.ndarray | np.generic | jax.Array | jax.core.Tracer):
        how = ARRAY
    elif issubclass(cls, str | type):
        how = VALUE
    elif issubclass(cls, tuple) or cls in (list, dict):
        how = PARTS
    elif issubclass(cls, _PLAIN) or cls.__module__.startswith(_PLAIN_MODULES):
        how = TYPE
    _how[cls] = how
    return how
