"""What a run is repeated from: the model, its settings, the data and the command, as TOML."""

import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from tacit import __version__, registry, storage

_FORMAT = 1
_UNSET = "unset"


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What a fit is repeated from.

    Attributes:
        model: the estimator, as `tacit.registry` lists it.
        parameters: its hyper-parameters; a nested estimator is a mapping of ``model`` and ``parameters``.
        data: where the rows come from and how they were read.
        seed: of everything random outside the estimator (splits).
        command: the words of the command line, if there was one.
        tacit: the version that made the run.
    """

    model: str
    parameters: Mapping[str, Any]
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seed: int | None = None
    command: tuple[str, ...] = ()
    tacit: str = __version__

    @classmethod
    def of(
        cls,
        estimator: object,
        *,
        data: Mapping[str, Any] | None = None,
        seed: int | None = None,
        command: tuple[str, ...] = (),
    ) -> Self:
        """The config of an estimator's settings; raises `ValueError` for one that text cannot repeat."""
        return cls(
            **storage.estimator_settings.settings_of(estimator),
            data=dict(data or {}),
            seed=seed,
            command=tuple(command),
        )

    def estimator(self) -> Any:
        """A new, unfitted estimator with these settings; raises `ValueError` where tacit does not know one."""
        return _estimator({"model": self.model, "parameters": self.parameters})

    def to_toml(self) -> str:
        """The text of ``config.toml``; raises `TypeError` for a value that TOML does not have."""
        top = {
            "format": _FORMAT,
            "tacit": self.tacit,
            "model": self.model,
            "seed": self.seed,
            "command": list(self.command),
            "data": dict(self.data),
            "parameters": dict(self.parameters),
        }
        return f"# A run of tacit: the fit can be repeated from this file.\n{dumps(_without_none(top))}"

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read what `to_toml` gave, or a person wrote; raises `ValueError` saying what is wrong."""
        found = _with_none(tomllib.loads(text))
        version, model = found.get("format"), found.get("model")
        if type(version) is not int or not isinstance(model, str):
            raise ValueError("it is not the config of a run (it lacks 'format' or 'model')")
        if version > _FORMAT:
            raise ValueError(f"it has format {version}, and this tacit reads up to {_FORMAT}: update tacit")
        parameters, data = found.get("parameters", {}), found.get("data", {})
        seed, command = found.get("seed"), found.get("command", [])
        if not isinstance(parameters, dict) or not isinstance(data, dict) or not isinstance(command, list):
            raise ValueError("'parameters' and 'data' are tables, and 'command' is a list of words")
        if not (seed is None or type(seed) is int):
            raise ValueError(f"'seed' is a whole number, not {seed!r:.40}")
        return cls(model, parameters, data, seed, tuple(command), str(found.get("tacit", __version__)))


def _estimator(settings: Mapping[str, Any]) -> Any:
    values = {
        name: _estimator(value) if isinstance(value, Mapping) and set(value) == {"model", "parameters"} else value
        for name, value in settings["parameters"].items()
    }
    return registry.create(settings["model"], **values)


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no None: a table lists the names that have none under ``unset``."""
    if _UNSET in table:
        raise ValueError(f"{_UNSET!r} cannot be the name of a setting.")
    kept = {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in table.items()
        if value is not None
    }
    unset = [name for name, value in table.items() if value is None]
    return {_UNSET: unset, **kept} if unset else kept


def _with_none(table: Mapping[str, Any]) -> dict[str, Any]:
    unset = table.get(_UNSET, [])
    if not isinstance(unset, list) or not all(isinstance(name, str) for name in unset):
        raise ValueError(f"{_UNSET!r} is a list of names")
    kept = {name: _with_none(v) if isinstance(v, Mapping) else v for name, v in table.items() if name != _UNSET}
    return kept | dict.fromkeys(unset)


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


def _value(value: object, place: tuple[str, ...]) -> str:
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


def _text(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key of TOML is text, not {key!r:.40}.")
    return key


def _key(key: object) -> str:
    text = _text(key)
    return text if _BARE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    # a basic string has JSON's escapes; DEL must be escaped too
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
