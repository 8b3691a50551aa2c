"""A small writer of TOML, for what the standard library only reads: scalars, arrays, and tables of them."""

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(table: Mapping[str, Any]) -> str:
    """The TOML text of nested tables; ``tomllib.loads`` gives the same values back, tuples and arrays as lists.

    Raises:
        TypeError: a key that is not text, or a value that TOML does not have (None, a class, a function).
    """
    return "".join(f"{line}\n" for line in _table(table, ())).lstrip("\n")


def _table(table: Mapping[Any, Any], place: tuple[str, ...]) -> list[str]:
    lines = [f"\n[{'.'.join(_key(key) for key in place)}]"] if place else []
    for key, value in table.items():
        if not isinstance(value, Mapping):
            lines.append(f"{_key(key)} = {_value(value, (*place, str(key)))}")
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*place, _text(key)))
    return lines


def _value(value: Any, place: tuple[str, ...]) -> str:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item, place) for item in value)}]"
    raise TypeError(f"{'.'.join(place)}: TOML has no {type(value).__name__}.")


def _text(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key of TOML is text, not {key!r:.40}.")
    return key


def _key(key: Any) -> str:
    return key if _BARE.fullmatch(_text(key)) else _quoted(key)


def _quoted(text: str) -> str:
    # a basic string has JSON's escapes; DEL must be escaped too
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
