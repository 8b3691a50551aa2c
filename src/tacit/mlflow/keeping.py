"""A run or an estimator as the files of an MLflow model, and back."""

import os
import pkgutil
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from sklearn.base import BaseEstimator

from tacit import __version__
from tacit.mlflow.answering import FrameAnswers, answers_at
from tacit.storage.description import MODEL
from tacit.storage.model_file import load, save

KEPT = "tacit"
"""The folder of our files inside a model of MLflow's."""
Model: TypeAlias = BaseEstimator | str | os.PathLike[str]


def save_model(model: Model, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a model of MLflow's to a new folder.

    It answers as ``mlflow.pyfunc.load_model(path).predict(frame, params={"ask": "score"})``: with ``score``,
    ``assign``, ``predict`` or ``impute``, where the model can, a run also with ``sample`` and ``query``, an estimator
    with ``transform``; without ``ask`` with what it is for: predictions of a target, else groups, else densities. A run
    answers as `tacit serve` does, with the names, kinds and levels of its columns; an estimator takes the columns that
    it was fitted on, in their order. Nothing that is loaded runs code of the model's.

    Args:
        model: the folder of a run that was fitted to a table, or a fitted estimator.
        path: of the new folder.
        options: of ``mlflow.pyfunc.save_model``, such as ``metadata`` or ``pip_requirements`` (this version of tacit,
            if nobody says).

    Raises:
        ImportError: MLflow is not there.
        FileNotFoundError, ModelFileError: there is no run, it cannot be read, or is of images or documents.
        TypeError: the estimator cannot be saved.
    """
    with _files(model) as kept:
        _mlflow("mlflow.pyfunc").save_model(path=str(path), **_said(kept, options))


def log_model(model: Model, name: str = "model", **options: Any) -> Any:
    """The same into the active run of MLflow's, or a new one; gives its ``ModelInfo``.

    Args:
        model: see `save_model`.
        name: of the model in the run.
        options: of ``mlflow.pyfunc.log_model``, such as ``registered_model_name``.

    Raises:
        ImportError, ModelFileError, TypeError: see `save_model`.
    """
    with _files(model) as kept:
        return _mlflow("mlflow.pyfunc").log_model(name=name, **_said(kept, options))


def load_model(place: str | os.PathLike[str]) -> Any:
    """The fitted estimator of a model that was written by `save_model` or `log_model`.

    Args:
        place: a folder, or an address of MLflow's (``models:/customers/3``, ``runs:/…/model``).

    Raises:
        ImportError: MLflow is not there.
        ModelFileError: there is no model of tacit's.
    """
    if Path(place).is_dir():
        return load(Path(place) / "data" / KEPT)
    with tempfile.TemporaryDirectory() as folder:
        found = _mlflow("mlflow.artifacts").download_artifacts(artifact_uri=str(place), dst_path=folder)
        return load(Path(found) / "data" / KEPT)


@contextmanager
def _files(model: Model) -> Iterator[Path]:
    """The folder that MLflow copies, for as long as it does."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / KEPT
        if isinstance(model, BaseEstimator):
            kept.mkdir()
            save(model, kept / MODEL)
        else:
            answers_at(Path(model))  # whose errors name the folder that the user named
            shutil.copytree(model, kept, ignore=shutil.ignore_patterns(".*", "checkpoint*"))
        yield kept


def _said(kept: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What MLflow is told of the files."""
    own = {
        "loader_module": answers_at.__module__,
        "data_path": str(kept),
        "signature": _signature(answers_at(kept)),
        "pip_requirements": [f"tacit=={__version__}"],
    }
    return own | options


def _signature(answers: FrameAnswers) -> Any:
    """The columns by name, and what may be said beside them.

    MLflow refuses whole numbers where it was told of numbers, and gaps in columns of whole numbers, so what a column
    may hold is left to tacit, which says what is wrong with a value.
    """
    models, types, schema = (_mlflow(name) for name in ("mlflow.models", "mlflow.types", "mlflow.types.schema"))
    columns = [types.ColSpec(schema.AnyType(), name, required=False) for name in answers.columns]
    spoken = {str: "string", bool: "boolean", int: "long", float: "double", list: "string"}
    said = [
        types.ParamSpec(name, spoken[type(value)], value, (-1,) if isinstance(value, list) else None)
        for name, value in answers.options.items()
    ]
    inputs = types.Schema(columns) if columns else None
    return models.ModelSignature(inputs=inputs, params=types.ParamSchema(said))


def _mlflow(name: str) -> Any:
    """A part of MLflow's own package, loaded when it is first asked for."""
    try:
        return pkgutil.resolve_name(name)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "mlflow":
            raise
        raise ImportError("models in MLflow need MLflow: pip install 'tacit[mlflow]'") from error
