"""Whether a value from a file fits what a field's annotation says: its type, and the shape of an array."""

import collections.abc
import dataclasses
import functools
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from jaxtyping import AbstractArray

from tacit.engine import JaxArray, PyTree

_NUMBERS: dict[Any, tuple[type, ...]] = {
    bool: (bool, np.bool_),
    int: (int, np.integer),
    float: (float, int, np.floating, np.integer),
    str: (str,),
}


def misfit(cls: type, values: dict[str, Any]) -> str | None:
    """What does not fit the annotations of a class, in words; None where all is well.

    Words for sizes ("components") mean the same in all fields of the class.
    """
    hints = _hints(cls)
    sizes: dict[str, int] = {}
    for name, value in values.items():
        hint = hints.get(name, Any)
        if not fits(value, hint, sizes):
            return f"{cls.__name__}.{name} should be {_shown(hint)}, and is {describe(value)}"
    return None


def components(cls: type, values: dict[str, Any]) -> int | None:
    """The number of components, where the annotation of a field says that its first axis counts them."""
    for name, hint in _hints(cls).items():
        value = values.get(name)
        for part in (hint, *get_args(hint)):
            shaped = isinstance(part, type) and issubclass(part, AbstractArray)
            words = [word for word in part.dim_str.split() if word != "*starts"] if shaped else []  # none in a file
            if words[:1] == ["components"] and isinstance(value, np.ndarray) and value.ndim:
                return int(value.shape[0])
    return None


def fits(value: object, hint: Any, sizes: dict[str, int]) -> bool:
    """Whether a value is of an annotated type; annotations that cannot be checked let everything pass.

    ``sizes`` says what the words for sizes stand for; words met for the first time are added to it.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, typing.TypeVar | str | typing.ForwardRef):
        return True
    if hint is None or hint is types.NoneType:
        return value is None
    if origin in (Union, types.UnionType):
        return any(fits(value, part, sizes) for part in arguments)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in arguments)
    if origin is tuple:
        return _fits_tuple(value, arguments, sizes)
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        keys, items = arguments
        return isinstance(value, origin) and all(
            fits(k, keys, sizes) and fits(v, items, sizes) for k, v in value.items()
        )
    if isinstance(origin, type) and issubclass(origin, collections.abc.Collection):
        return isinstance(value, origin) and all(fits(item, arguments[0], sizes) for item in value)
    return _fits_class(value, hint, sizes)


def _fits_tuple(value: object, arguments: tuple[Any, ...], sizes: dict[str, int]) -> bool:
    if not isinstance(value, tuple):
        return False
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return all(fits(item, arguments[0], sizes) for item in value)
    return len(value) == len(arguments) and all(
        fits(item, part, sizes) for item, part in zip(value, arguments, strict=True)
    )


def _fits_class(value: object, hint: Any, sizes: dict[str, int]) -> bool:
    if not isinstance(hint, type):
        return True
    if hint in _NUMBERS:
        return isinstance(value, _NUMBERS[hint]) and (hint is bool or not isinstance(value, bool))
    if issubclass(hint, AbstractArray):
        # what is stored is NumPy's, whatever is annotated; a 0-d array and a plain number are one thing
        array = np.asarray(value) if isinstance(value, np.generic | bool | int | float) else value
        return isinstance(array, hint.dtype[np.ndarray, "..."]) and _fits_shape(array.shape, hint.dim_str, sizes)
    if issubclass(hint, JaxArray):
        return isinstance(value, np.ndarray)
    if hint is PyTree or issubclass(hint, PyTree) or getattr(hint, "_is_protocol", False):
        return True
    return isinstance(value, hint)


def _fits_shape(shape: tuple[int, ...], words: str, sizes: dict[str, int]) -> bool:
    """Whether a shape is what the words say; a word such as ``...`` or ``*batch`` stands for any number of axes."""
    each = words.split()
    many = [number for number, word in enumerate(each) if word == "..." or word.startswith("*")]
    if many:
        before, after = each[: many[0]], each[many[0] + 1 :]
        if len(shape) < len(before) + len(after):
            return False
        each = before + after
        shape = shape[: len(before)] + shape[len(shape) - len(after) :]
    if len(shape) != len(each):
        return False
    named = [(word, size) for word, size in zip(each, shape, strict=True) if word.isidentifier() and word != "_"]
    counted = [(word, size) for word, size in zip(each, shape, strict=True) if word.isdecimal()]
    return all(sizes.setdefault(word, size) == size for word, size in named) and all(
        int(word) == size for word, size in counted
    )


def describe(value: object) -> str:
    """A value as it is named in a message: arrays by type and shape, the rest by their class."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"{value!r:.40}" if isinstance(value, str | bool | int | float | None) else type(value).__name__


def _shown(hint: object) -> str:
    text = hint.__name__ if isinstance(hint, type) else str(hint)
    return text.replace("typing.", "").replace("tacit.", "")


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    try:
        found = typing.get_type_hints(cls)
    except (NameError, TypeError):  # an annotation that exists only for a type checker
        return {}
    if dataclasses.is_dataclass(cls):
        names = {f.name for f in dataclasses.fields(cls)}
        return {name: hint for name, hint in found.items() if name in names}
    return found
