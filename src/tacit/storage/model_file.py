"""``save`` and ``load``: one file format for every model, without pickle."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator

from tacit import __version__
from tacit.data.schema import Schema
from tacit.engine import EqxModule
from tacit.storage import container
from tacit.storage.decode import NetworkFault, Unknown, Wrong, decode
from tacit.storage.description import MODEL, file_of
from tacit.storage.encode import check_extra, encode
from tacit.storage.errors import ModelFileError

_FAULTS = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, MemoryError)


def versions() -> dict[str, str]:
    """The versions of tacit, Python and the libraries that decide a fit's last bits."""
    return {
        "tacit": __version__,
        "python": platform.python_version(),
        "jax": importlib.metadata.version("jax"),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def save(
    estimator: BaseEstimator, path: str | os.PathLike[str], *, schema: Schema | None = None, extra: object = None
) -> Path:
    """Write an estimator, fitted or not, to one file; `load` gives the same answers bit for bit.

    The file holds the hyper-parameters, every fitted attribute, and the versions of tacit and its libraries,
    as arrays and JSON in the safetensors format. It appears whole or not at all, and the same estimator gives
    the same bytes. A ``RandomState`` or ``Generator`` given as ``random_state`` is stored as None: its stream
    has moved on. Of a network that the user wrote only the arrays are stored.

    Args:
        estimator: one of the estimators that tacit lists, which may hold others.
        path: the file; or a folder (one that exists, or a name that ends in a slash), for its
            ``model.safetensors``.
        schema: the columns of the table that it was fitted on.
        extra: JSON values to keep beside it; `describe` gives them back.

    Returns:
        the path of the file.

    Raises:
        TypeError: it holds something that cannot be stored; names the attribute and says what to do.
        FileNotFoundError: the folder is not there.
    """
    target = _target(path)
    check_extra(extra)
    encoded = encode(estimator)
    try:
        decode(encoded.node, encoded.arrays, encoded.networks)
    except Wrong as error:
        raise TypeError(f"{type(estimator).__name__} cannot be saved as it is: {error}.") from None
    body = {
        "versions": versions(),
        "estimator": encoded.node,
        "schema": None if schema is None else schema.to_json(),
        "extra": extra,
    }
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {str(target)!r}: there is no folder {str(target.parent)!r}.")
    container.write(target, "model", body, encoded.arrays)
    return target


def load(path: str | os.PathLike[str], network: EqxModule | Mapping[str, EqxModule] | None = None) -> BaseEstimator:
    """Read an estimator that `save` wrote. Nothing in the file is run, whoever made it.

    Args:
        path: the file, or the folder with its ``model.safetensors``.
        network: for a model with a network of your own, one of the same shapes (its arrays are replaced);
            where there are several, by class name.

    Raises:
        ModelFileError: the file is no model of tacit, damaged, from a newer version, or does not fit the
            network.
        FileNotFoundError: there is no such file; names those that are there.
    """
    source = file_of(path)
    body, arrays = container.read(source, "model")
    try:
        return decode(body.get("estimator"), arrays, network)
    except NetworkFault as error:
        raise ModelFileError(f"{str(source)!r} needs a network: {error}.") from None
    except Unknown as error:
        raise ModelFileError(
            f"{str(source)!r} was written by {_writer(body)} and cannot be read by tacit {__version__}: "
            f"{error}. Update tacit, or fit and save the model again."
        ) from None
    except Wrong as error:
        raise container.damaged(source, str(error)) from None
    except _FAULTS as error:
        raise container.damaged(source, f"{type(error).__name__}: {error}") from None


def _writer(body: Mapping[str, Any]) -> str:
    written = body.get("versions")
    version = written.get("tacit") if isinstance(written, dict) else None
    return f"tacit {version:.20}" if isinstance(version, str) else "an unknown version"


def _target(path: str | os.PathLike[str]) -> Path:
    """The file to write; a name that ends in a slash makes its folder."""
    text = os.fspath(path)
    if text.endswith(("/", os.sep)):
        Path(text).mkdir(parents=True, exist_ok=True)
    target = Path(text).expanduser()
    return target / MODEL if target.is_dir() else target
