"""What a run is repeated from: the model, its settings, the data and the command, as TOML."""

import dataclasses
import tomllib
from collections.abc import Mapping
from typing import Any, Self

from tacit import __version__, registry, storage
from tacit.storage import toml

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
        return f"# A run of tacit: the fit can be repeated from this file.\n{toml.dumps(_without_none(top))}"

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
