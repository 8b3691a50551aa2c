"""What a model of MLflow's answers: a frame of rows in, a frame out."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator

from tacit.data.errors import listed, nearest
from tacit.data.frames import from_frame
from tacit.estimators.capabilities import (
    Assigns,
    AssignsSoftly,
    Capability,
    Imputes,
    MatrixLike,
    Predicts,
    PredictsClasses,
    Scores,
    Transforms,
    can,
)
from tacit.estimators.table_reading import KindReading
from tacit.serve.asked import OPTIONS, ROWLESS, asked
from tacit.serve.errors import fault_of
from tacit.serve.held import HeldRun
from tacit.serve.held import load as load_run
from tacit.serve.work import ask
from tacit.storage.model_file import load
from tacit.storage.run import CONFIG
from tacit.workflow.events import SILENT

MOST = 2**31 - 1
"""Rows: MLflow sets limits of its own."""
_OPTIONS: dict[str, Any] = {
    "alarm": 0.0,
    "explain": 0,
    "unseen": False,
    "level": 0.9,
    "draws": 0,
    "number": 10,
    "given": [""],
    "questions": [""],
    "total": -1,
    "exact": False,
    "seed": 0,
}
"""What may be said beside the rows of a run, and what stands for nothing said: MLflow wants a value for each."""


class FrameAnswers(Protocol):
    """What is asked through MLflow."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the rows, by name; empty where they have none."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What may be said beside the rows, and what stands for nothing said."""

    def predict(self, model_input: MatrixLike, params: Mapping[str, Any] | None = None) -> Any:
        """A frame of pandas: what is asked of each row."""


class RunAnswers:
    """Those of a run, as `tacit serve` gives them.

    Args:
        held: the run.
    """

    def __init__(self, held: HeldRun) -> None:
        self._held, opened = held, held.opened
        schema = () if opened.schema is None else opened.schema.names
        self.columns = (*schema, *(() if opened.target is None else (opened.target.column.name,)))
        first = "predict" if opened.target is not None else "assign" if "assign" in held.can else held.can[0]
        known = {name for what in held.can for name in OPTIONS[what]}
        self.options: Mapping[str, Any] = {"ask": first} | {
            name: value for name, value in _OPTIONS.items() if name in known
        }

    def predict(self, model_input: MatrixLike, params: Mapping[str, Any] | None = None) -> Any:
        """See `FrameAnswers`; ``sample``, and ``query`` with questions, take no rows: an empty frame.

        Raises:
            ValueError: the run cannot be asked this, or not of these rows.
        """
        said = {name: value for name, value in (params or {}).items() if _said(name, value)}
        what = _able(said.pop("ask", self.options["ask"]), self._held.can)
        try:
            table = from_frame(model_input)
            given = None if what in ROWLESS or (what == "query" and not len(table)) else table
            return ask(self._held, what, given, asked(what, said, MOST), SILENT, MOST).table.to_pandas()
        except Exception as error:
            raise ValueError(fault_of(error, str(self._held.opened.run.path), "the run").reason) from error


class EstimatorAnswers:
    """Those of an estimator, to rows like those that it was fitted on.

    Args:
        estimator: it, fitted.
    """

    def __init__(self, estimator: BaseEstimator) -> None:
        self._estimator = estimator
        self._can = tuple(name for name, (what, _) in _ANSWERS.items() if can(estimator, what))
        if not self._can:
            raise TypeError(f"a {type(estimator).__name__} answers nothing about rows")
        self.columns: tuple[str, ...] = ()
        self.options: Mapping[str, Any] = MappingProxyType({"ask": self._can[0]})

    def predict(self, model_input: MatrixLike, params: Mapping[str, Any] | None = None) -> Any:
        """See `FrameAnswers`.

        Raises:
            ValueError: the estimator cannot be asked this, or not with these rows.
        """
        what = _able((params or {}).get("ask", self.options["ask"]), self._can)
        found = _ANSWERS[what][1](self._estimator, model_input)
        return pa.table({name: pa.array(values) for name, values in found.items()}).to_pandas()


def answers_at(kept: Path) -> RunAnswers | EstimatorAnswers:
    """What the files of a run or of an estimator answer; raises `ModelFileError` where they cannot be read."""
    if (kept / CONFIG).is_file():
        return RunAnswers(load_run(kept.name, kept))
    return EstimatorAnswers(load(kept))


def _load_pyfunc(data_path: str) -> RunAnswers | EstimatorAnswers:
    """The name by which MLflow asks for it."""
    return answers_at(Path(data_path))


def _said(name: str, value: str | float | list[str] | np.ndarray | np.generic) -> bool:
    """Whether an option is said: MLflow hands over its default where nobody says anything."""
    nothing = _OPTIONS.get(name)
    return list(np.ravel([value])) != list(np.ravel([nothing]))


def _able(what: str, known: tuple[str, ...]) -> str:
    if what not in known:
        raise ValueError(f"this model cannot be asked {what!r}: it answers {listed(known, 9)}.{nearest(what, known)}")
    return what


def _chances(found: np.ndarray, names: Iterable[object]) -> dict[str, np.ndarray]:
    return {f"p_{name}": found[:, place] for place, name in enumerate(names)}


def _predicted(model: Predicts, rows: MatrixLike) -> dict[str, np.ndarray]:
    found = {"prediction": model.predict(rows)}
    if not can(model, PredictsClasses):
        return found
    return found | _chances(model.predict_proba(rows), model.classes_)


def _assigned(model: Assigns, rows: MatrixLike) -> dict[str, np.ndarray]:
    found = {"cluster": model.predict(rows)}
    if not can(model, AssignsSoftly):
        return found
    chances = model.predict_proba(rows)
    return found | _chances(chances, range(chances.shape[1]))


def _coded(model: Transforms, rows: MatrixLike) -> dict[str, np.ndarray]:
    found = np.asarray(model.transform(rows))
    return {f"{place}": column for place, column in enumerate(found.T)}


def _scored(model: Scores, rows: MatrixLike) -> dict[str, np.ndarray]:
    return {"log_density": model.score_samples(rows)}


def _filled(model: Imputes, rows: MatrixLike) -> dict[str, Any]:
    filled = np.asarray(model.impute(rows))
    if isinstance(model, KindReading):  # whose levels are codes
        return dict(model.decode(filled).to_pydict())
    return dict(zip(from_frame(rows).column_names, filled.T, strict=True))


_ANSWERS: Mapping[str, tuple[type[Capability], Callable[[Any, Any], dict[str, Any]]]] = MappingProxyType(
    {
        "predict": (Predicts, _predicted),
        "assign": (Assigns, _assigned),
        "transform": (Transforms, _coded),
        "score": (Scores, _scored),
        "impute": (Imputes, _filled),
    }
)
"""What an estimator may be asked, the first that it can being what it is for."""
