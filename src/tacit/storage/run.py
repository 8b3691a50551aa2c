"""A run folder: everything about one fit, in files that people and other programs can read.

``config.toml`` (the fit can be repeated from it) makes a folder a run folder; then come ``model.safetensors``,
``schema.json`` (of a topic model ``vocabulary.json``; ``target.json`` of one that predicts a column), ``trace.csv``,
``metrics.json``, ``calibration.safetensors``, ``columns.safetensors``, ``report.html``, and, while a fit is running,
``checkpoint/``. Every file is written whole or not at all.
"""

import csv
import io
import json
import math
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from tacit import storage
from tacit.data.errors import DataError
from tacit.data.features import Target
from tacit.data.schema import Schema
from tacit.data.texts import Vocabulary
from tacit.files import sync_folder, write_atomically
from tacit.storage import container
from tacit.storage.config import RunConfig
from tacit.storage.description import MODEL
from tacit.storage.errors import ModelFileError

CONFIG, TRACE, METRICS, REPORT = "config.toml", "trace.csv", "metrics.json", "report.html"
CALIBRATION, SCHEMA, CHECKPOINT = "calibration.safetensors", "schema.json", "checkpoint"
COLUMNS = "columns.safetensors"
VOCABULARY, TARGET = "vocabulary.json", "target.json"
FILES = (CONFIG, MODEL, SCHEMA, VOCABULARY, TARGET, TRACE, METRICS, CALIBRATION, COLUMNS, REPORT)

_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_T = TypeVar("_T")


class RunFolder:
    """A folder that holds one run."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a run folder; raises `ModelFileError` where the folder is none."""
        self.path = Path(path).expanduser()
        if not (self.path / CONFIG).is_file():
            found = "is not a run folder (it has no config.toml)" if self.path.is_dir() else "is not there"
            raise ModelFileError(f"{str(self.path)!r} {found}: give a folder made by `tacit fit --out`.")

    @classmethod
    def create(cls, path: str | os.PathLike[str], config: RunConfig, *, overwrite: bool = False) -> Self:
        """Make a run folder that appears with its config in it, or not at all.

        Args:
            path: a name that is free, or an empty folder.
            config: what the run is repeated from.
            overwrite: also take a folder that holds a run: its files are removed, others are left alone.

        Raises:
            ModelFileError: the folder holds a run (and ``overwrite`` is false) or something else.
        """
        folder = Path(path).expanduser()
        if folder.is_dir() and (folder / CONFIG).is_file():
            if not overwrite:
                raise _holds_a_run(folder)
            run = cls(folder)
            run.config()  # a config.toml of something else is no run
            run._empty()
            write_atomically(folder / CONFIG, config.to_toml())
            return run
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ModelFileError(
                f"{str(folder)!r} exists and is not a run folder: choose a name that is free, or an empty folder."
            )
        if folder.is_dir():
            write_atomically(folder / CONFIG, config.to_toml())
            return cls(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.part")
        beside.mkdir()
        try:
            write_atomically(beside / CONFIG, config.to_toml())
            os.replace(beside, folder)
        except BaseException as error:
            (beside / CONFIG).unlink(missing_ok=True)
            beside.rmdir()
            if isinstance(error, OSError) and (folder / CONFIG).is_file():
                raise _holds_a_run(folder) from None  # another fit was quicker
            raise
        sync_folder(folder.parent)
        return cls(folder)

    def files(self) -> tuple[str, ...]:
        """The names of the run's files that are there."""
        return tuple(name for name in FILES if (self.path / name).is_file())

    @property
    def finished(self) -> bool:
        """Whether the run has its model."""
        return (self.path / MODEL).is_file()

    @property
    def checkpoint_folder(self) -> Path:
        """Where a `Checkpoint` of this run writes."""
        return self.path / CHECKPOINT

    def config(self) -> RunConfig:
        """What the run is repeated from."""
        return self._read(CONFIG, RunConfig.from_toml)

    def write_model(self, estimator: object, *, schema: Schema | None = None, extra: object = None) -> None:
        """Write the fitted estimator, as `tacit.storage.save` does, and the schema as JSON beside it."""
        if schema is not None:
            self._write(SCHEMA, json.dumps(schema.to_json(), indent=1, ensure_ascii=False) + "\n")
        storage.save(estimator, self.path / MODEL, schema=schema, extra=extra)

    def model(self, network: Any = None) -> Any:
        """The fitted estimator, as `tacit.storage.load` reads it."""
        return storage.load(self.path / MODEL, network)

    def schema(self) -> Schema:
        """The columns that the model was fitted on."""
        return self._read(SCHEMA, lambda text: Schema.from_json(json.loads(text)))

    def write_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Write the words of a topic model, and how texts are cut into them."""
        self._write(VOCABULARY, json.dumps(vocabulary.to_json(), indent=1, ensure_ascii=False) + "\n")

    def vocabulary(self) -> Vocabulary:
        """The words of a topic model; raises `FileNotFoundError` where the run is of something else."""
        return self._read(VOCABULARY, lambda text: Vocabulary.from_json(json.loads(text)))

    def write_target(self, target: Target) -> None:
        """Write the column that the model predicts, and what it makes of gaps in the others."""
        self._write(TARGET, json.dumps(target.to_json(), indent=1, ensure_ascii=False) + "\n")

    def target(self) -> Target | None:
        """The column that the model predicts, or None where it predicts none."""
        if not (self.path / TARGET).is_file():
            return None
        return self._read(TARGET, lambda text: Target.from_json(json.loads(text)))

    def write_trace(self, columns: Mapping[str, ArrayLike]) -> None:
        """Write a trace: columns of equal length, iterations first."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))
        self._write(TRACE, text.getvalue())

    def trace(self) -> dict[str, np.ndarray]:
        """The columns of the trace: whole numbers as int64, the others as float64."""
        return self._read(TRACE, _parse_trace)

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write numbers about the run, nested as one likes; those that are not finite become words."""
        self._write(METRICS, json.dumps(_plain(metrics), indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def metrics(self) -> dict[str, Any]:
        """The numbers about the run; the words "nan", "inf" and "-inf" are numbers again."""
        return self._read(METRICS, _parse_metrics)

    def write_calibration(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays about the calibration split, such as its scores."""
        container.write(self.path / CALIBRATION, "arrays", {}, {name: np.asarray(a) for name, a in arrays.items()})

    def calibration(self) -> dict[str, np.ndarray]:
        """The arrays about the calibration split."""
        self._need(CALIBRATION)
        return container.read(self.path / CALIBRATION, "arrays")[1]

    def write_columns(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write what is kept of the columns of the fit, to compare new rows with."""
        container.write(self.path / COLUMNS, "arrays", {}, {name: np.asarray(a) for name, a in arrays.items()})

    def columns(self) -> dict[str, np.ndarray]:
        """What was kept of the columns of the fit; raises `FileNotFoundError` where nothing was."""
        return container.read(self._need(COLUMNS), "arrays")[1]

    def write_report(self, html: str) -> None:
        """Write the report."""
        self._write(REPORT, html)

    def report(self) -> str:
        """The text of the report."""
        return self._read(REPORT, str)

    def _write(self, name: str, text: str) -> None:
        write_atomically(self.path / name, text)

    def _need(self, name: str) -> Path:
        if not (self.path / name).is_file():
            raise FileNotFoundError(
                f"the run {str(self.path)!r} has no {name}: it was not finished, or made without it."
            )
        return self.path / name

    def _read(self, name: str, parse: Callable[[str], _T]) -> _T:
        path = self._need(name)
        try:
            return parse(path.read_bytes().decode("utf-8"))
        except ModelFileError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, DataError) as error:
            raise ModelFileError(
                f"{str(path)!r} cannot be read: {error}. Put it back as `tacit fit` wrote it, or repeat the run."
            ) from None

    def _empty(self) -> None:
        """Remove the files of the run, its model first, so that a half-emptied run is an unfinished one."""
        for name in (MODEL, *(name for name in FILES if name not in (MODEL, CONFIG))):
            (self.path / name).unlink(missing_ok=True)
        for path in self.checkpoint_folder.glob("*.checkpoint.safetensors"):
            path.unlink()


def _holds_a_run(folder: Path) -> ModelFileError:
    return ModelFileError(
        f"{str(folder)!r} holds a run already: choose another folder, or say that it may be overwritten."
    )


def runs(folder: str | os.PathLike[str]) -> list[RunFolder]:
    """The run folders directly inside a folder, by name."""
    inside = sorted(Path(folder).expanduser().iterdir())
    return [RunFolder(path) for path in inside if (path / CONFIG).is_file() and not path.name.startswith(".")]


def _parse_trace(text: str) -> dict[str, np.ndarray]:
    names, *rows = list(csv.reader(io.StringIO(text)))
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"every line should have {len(names)} values")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return {name: _column(column) for name, column in zip(names, columns, strict=True)}


def _column(words: tuple[str, ...]) -> np.ndarray:
    whole = all(word.lstrip("-").isdigit() for word in words)
    return np.array([int(w) for w in words] if whole else [float(w) for w in words], dtype=None if words else float)


def _plain(value: object) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _parse_metrics(text: str) -> dict[str, Any]:
    found = _numbers(json.loads(text))
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def _numbers(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return _WORDS.get(value, value) if isinstance(value, str) else value
