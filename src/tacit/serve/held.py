"""The runs that are served: each held in memory, and exchanged whole when its folder has a new model."""

import dataclasses
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tacit.estimators.capabilities import AssignsSoftly, GivesConditionals, Imputes, Samples, Scores, can
from tacit.estimators.query.asking import AnswersQueries
from tacit.storage.config import RunConfig
from tacit.storage.description import MODEL
from tacit.storage.errors import ModelFileError
from tacit.storage.run import CALIBRATION, CONFIG, METRICS, SCHEMA, TARGET, RunFolder
from tacit.workflow.errors import RequestError
from tacit.workflow.opened import Opened

RESERVED = ("healthz", "metrics", "openapi.json")
LOOK_SECONDS = 1.0
"""How often a folder is looked at."""
_LOOKED_AT = (MODEL, CONFIG, SCHEMA, METRICS, CALIBRATION, TARGET)
Stamp = tuple[tuple[int, int, int] | None, ...]


class HeldFolder(RunFolder):
    """A run folder whose small files are as they were when it was opened, whatever is written into it later."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._config, self._metrics = super().config(), super().metrics()
        self._calibration = super().calibration() if (path / CALIBRATION).is_file() else None

    def config(self) -> RunConfig:
        """As it was."""
        return self._config

    def metrics(self) -> dict[str, Any]:
        """As they were."""
        return self._metrics

    def calibration(self) -> dict[str, np.ndarray]:
        """As it was; raises `FileNotFoundError` where there was none."""
        if self._calibration is None:
            raise FileNotFoundError(self.path / CALIBRATION)
        return self._calibration


@dataclasses.dataclass(frozen=True, eq=False)
class HeldRun:
    """A run in memory.

    Attributes:
        name: in addresses.
        opened: it, with its model.
        can: what it may be asked.
        stamp: of its files when they were read.
    """

    name: str
    opened: Opened
    can: tuple[str, ...]
    stamp: Stamp


def stamp(path: Path) -> Stamp:
    """What changes when a file of a run is written again."""
    found: list[tuple[int, int, int] | None] = []
    for name in _LOOKED_AT:
        try:
            state = (path / name).stat()
            found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


def load(name: str, path: Path) -> HeldRun:
    """Load a run; raises `ModelFileError` where it cannot be served."""
    seen = stamp(path)
    first = Opened.at(path)
    if first.schema is None:
        raise ModelFileError(f"{str(path)!r} was fitted to images or documents, and tables are served.")
    if not isinstance(first.run, RunFolder):
        raise ModelFileError(f"{str(path)!r} is no run folder.")
    opened = dataclasses.replace(first, run=HeldFolder(first.run.path))
    return HeldRun(name, opened, able(opened), seen)


def able(opened: Opened) -> tuple[str, ...]:
    """What a run may be asked."""
    model = opened.estimator
    if opened.target is not None:
        return ("predict", "score")
    found = {
        "score": can(model, Scores),
        "assign": can(model, AssignsSoftly),
        "impute": can(model, Imputes) and opened.long is None,
        "sample": can(model, Samples),
        "query": can(model, AnswersQueries) or can(model, GivesConditionals),
    }
    return tuple(name for name, is_able in found.items() if is_able)


class Shelf:
    """The runs by name. Who asks for one gets a model that stays as it is, whatever happens on disk meanwhile."""

    def __init__(self, runs: Mapping[str, Path]) -> None:
        """Load all of them; raises `ModelFileError` where one cannot be."""
        self._paths = dict(runs)
        self._held = {name: load(name, path) for name, path in runs.items()}
        self._looked = dict.fromkeys(runs, time.monotonic())
        self._failed: dict[str, Stamp] = {}
        self._loading = {name: threading.Lock() for name in runs}
        self.reloads = dict.fromkeys(runs, 0)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the runs."""
        return tuple(self._held)

    def __getitem__(self, name: str) -> HeldRun:
        """A run, as it is now; KeyError where there is none of the name."""
        return self._held[name]

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def refresh(self, name: str) -> None:
        """Load a run again if its files have changed; the old one serves on until then, and if that fails."""
        if time.monotonic() - self._looked[name] < LOOK_SECONDS or not self._loading[name].acquire(blocking=False):
            return
        try:
            self._looked[name] = time.monotonic()
            path, before = self._paths[name], self._held[name].stamp
            now = stamp(path)
            if now == before or now[0] is None or now == self._failed.get(name):
                return
            try:
                found = load(name, path)
                if stamp(path) != found.stamp:
                    return  # it was written to meanwhile, and may be of two models: look again
                self._held[name] = found
                self.reloads[name] += 1
                logging.getLogger("tacit.serve").warning("%s was loaded again: its folder has a new model", name)
            except Exception as error:
                self._failed[name] = now
                logging.getLogger("tacit.serve").warning(
                    "%s has changed and cannot be loaded, the old one serves on: %s", name, error
                )
        finally:
            self._loading[name].release()


def named(places: Sequence[str]) -> dict[str, Path]:
    """Runs by the names of their folders, or by those that were given as ``NAME=RUN``.

    Raises:
        RequestError: two have one name, or a name that an address has already.
    """
    found: dict[str, Path] = {}
    for place in places:
        name, sign, rest = place.partition("=")
        given = bool(sign) and "/" not in name and not Path(place).exists()
        path = Path(rest if given else place).expanduser()
        called = name if given else path.resolve().name
        if not called or called in RESERVED or "/" in called:
            raise RequestError(f"a run cannot be called {called!r} here; give another name: NAME={path}.")
        if called in found:
            raise RequestError(f"two runs are called {called!r}; give one another name: NAME={path}.")
        found[called] = path
    if not found:
        raise RequestError("name a run to be served.")
    return found
