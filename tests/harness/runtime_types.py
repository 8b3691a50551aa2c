"""The run-time type checker that the tests put on every function of tacit."""

from collections.abc import Callable
from typing import IO, Any, BinaryIO, Self, TextIO, get_args, get_origin

from beartype import BeartypeConf, FrozenDict, beartype

# An int will do for a float, as in static typing. jaxtyping's import hook decorates methods one by one, where
# beartype cannot know what Self is.
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({Self: Any})))


def checked(target: Callable) -> Callable:
    """Check types at every call, except against what Python cannot check at run time."""
    if target.__name__ == "__init__":
        return target  # stacked starts give the fields of a model one more axis; its methods see one start
    hints = getattr(target, "__annotations__", {})
    for name in [name for name, hint in hints.items() if _is_static(hint)]:
        hints[name] = Any
    return _beartype(target)


def _is_static(hint: object) -> bool:
    """Whether a hint is, or holds, a protocol without ``runtime_checkable`` or a kind of open file."""
    if hint in (IO, BinaryIO, TextIO) or get_origin(hint) is IO:
        return True  # io.BytesIO is none of these at run time
    if getattr(hint, "_is_protocol", False) and not getattr(hint, "_is_runtime_protocol", False):
        return True
    return any(_is_static(part) for part in get_args(hint))
