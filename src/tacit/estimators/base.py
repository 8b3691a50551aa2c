"""What all density estimators share on the way in: reading rows and weights, and the scope of precision."""

import datetime
import numbers
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight, _num_samples, validate_data

from tacit.compute import double_precision
from tacit.data.dataset import Dataset, MadeRows, dataset_of
from tacit.data.file_rows import FileRows, as_values
from tacit.data.foreign import MaskedArray
from tacit.data.frames import check_names
from tacit.estimators.capabilities import Matrix, MatrixLike, ReadsKinds, can

__all__ = [
    "Seed",
    "check_choice",
    "check_level",
    "check_whole",
    "double_precision",
    "numeric_data",
    "read_data",
    "read_rows",
    "read_weights",
    "seed_of",
    "unmasked",
    "unmasked_objects",
    "weighted",
]


def unmasked(X: MatrixLike, name: str = "X", *, gaps: bool = False) -> Any:
    """The entries of a masked array; masked ones are gaps (NaN) where the model takes them.

    Raises:
        ValueError: some are masked, and the model takes no gaps.
    """
    if isinstance(X, np.ndarray) and X.dtype.names is not None:
        raise ValueError(f"{name} is an array of records, and this model takes rows of numbers: give a data frame")
    if not isinstance(X, MaskedArray):
        return X
    if not np.ma.is_masked(X):
        return X.data
    if not gaps:
        raise ValueError(
            f"{name} is a masked array with {np.ma.count_masked(X)} masked entries, and this model takes no gaps there:"
            " fill them, or leave their rows out"
        )
    kind = np.float32 if X.dtype == np.float32 else np.float64
    return np.ma.filled(X.astype(kind), np.nan)


def unmasked_objects(values: MaskedArray) -> np.ndarray:
    """Values of any kind with None where they are masked."""
    filled = np.array(values.data, dtype=object)
    filled[np.ma.getmaskarray(values)] = None
    return filled


def _check_array(estimator: BaseEstimator, X: Any) -> None:
    """Refuse columns of text or dates in an array, with their places and what reads them."""
    columns = X.T if isinstance(X, np.ndarray) and X.dtype.kind in "OUSMm" and X.ndim == 2 else ()
    for place, values in enumerate(columns):
        found = _stranger(values)
        if found is not None:
            row, value, what = found
            raise ValueError(
                f"column {place} holds {what} ({value!r} in row {row}), and {type(estimator).__name__} takes numbers "
                "only: leave it out, turn it into numbers, or take tacit.Mixture, which reads text and categories as "
                "they are"
            )


LOOKED_AT = 10_000
"""Cells of a column that are looked at for texts and dates."""


def _stranger(values: np.ndarray) -> tuple[int, str, str] | None:
    """The first text or date of a column, its row, and what it is; texts that are numbers are none."""
    if values.dtype.kind in "Mm":
        return 0, str(values[0]) if len(values) else "", "dates or times" if values.dtype.kind == "M" else "durations"
    for row, value in enumerate(values[:LOOKED_AT].tolist()):
        if isinstance(value, datetime.date | datetime.time):
            return row, str(value), "dates or times"
        if isinstance(value, str | bytes):
            try:
                float(value)
            except ValueError:
                return row, str(value)[:40], "text"
    return None


def read_rows(estimator: BaseEstimator, X: MatrixLike, *, reset: bool, minimum: int = 1, sparse: bool = False) -> Any:
    """Rows as a float array (float32 stays), NaN where missing or masked; feature names are kept or checked.

    Raises:
        ValueError: infinite values, text, too few rows, or other columns than at fit.
    """
    if not reset and _plainly_right(estimator, X, minimum):
        return X
    return numeric_data(
        estimator,
        unmasked(X, gaps=True),
        reset=reset,
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan",
        ensure_min_samples=minimum,
        accept_sparse="csr" if sparse else False,
    )


def _plainly_right(estimator: BaseEstimator, X: Any, minimum: int) -> bool:
    """Whether there is nothing to say of rows, and nothing to convert: what scikit-learn takes longer to find out."""
    known = vars(estimator)
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in (np.float64, np.float32)
        and X.shape[0] >= max(minimum, 1)
        and X.shape[1] == known.get("n_features_in_")
        and "feature_names_in_" not in known
        and not np.isinf(X).any()
    )


_NOT_NUMBERS = {
    "datetime": "dates or times",
    "date": "dates or times",
    "timedelta": "durations",
    "time": "dates, times or durations",
    "duration": "durations",
    "period": "periods",
    "interval": "intervals",
}
_CURES = {
    "dates or times": "give the days gone by, (X[c] - X[c].min()).dt.days, or leave it out",
    "durations": "give hours, X[c].dt.total_seconds() / 3600",
    "texts or categories": "take tacit.Mixture, which reads columns of any kind, or leave it out",
}


def numeric_data(estimator: BaseEstimator, X: Any, y: Any = "no_validation", **checks: Any) -> Any:
    """What scikit-learn's `validate_data` gives; of a frame that cannot be numbers the column and a remedy are told.

    Raises:
        ValueError: what is wrong with the rows.
    """
    if isinstance(X, Mapping) and not sparse.issparse(X):
        raise ValueError(f"X is a {type(X).__name__}, and {type(estimator).__name__} takes rows: pandas.DataFrame(X)")
    kinds = getattr(X, "dtypes", None)
    if getattr(X, "columns", None) is None or kinds is None:
        kind = getattr(getattr(X, "dtype", None), "kind", None)
        if kind in ("m", "M", "S"):
            what = "raw bytes" if kind == "S" else "dates or durations"
            raise ValueError(f"X holds {what}, and {type(estimator).__name__} takes numbers: {_cure('')}")
        _check_array(estimator, X)
        return validate_data(estimator, X, y, **checks)
    check_names(X)
    for name, kind in zip(X.columns, list(kinds), strict=True):
        text = str(kind).lower().removeprefix("<m8").strip()
        known = next((what for start, what in _NOT_NUMBERS.items() if text.startswith(start)), None)
        if known is not None:
            _refuse(estimator, name, known)
    thin = {name: kind.subtype for name, kind in zip(X.columns, list(kinds), strict=True) if _is_sparse(kind)}
    if thin and not checks.get("accept_sparse"):
        X = X.astype(thin)
    try:
        return validate_data(estimator, X, y, **checks)
    except (TypeError, ValueError):
        for name in X.columns:
            strange = _strange(X[name])
            if strange is not None:
                _refuse(estimator, name, strange)
        raise


def _is_sparse(kind: Any) -> bool:
    return str(kind).startswith("Sparse[")


def _refuse(estimator: BaseEstimator, name: Any, what: str) -> None:
    cure = _cure(what).replace("X[c]", f"X[{name!r}]")
    if what == "infinity":
        raise ValueError(f"Input X contains infinity, in column {name!r}: a missing entry is NaN") from None
    raise ValueError(f"column {name!r} holds {what}, and {type(estimator).__name__} takes numbers: {cure}.") from None


def _cure(what: str) -> str:
    return _CURES.get(what, "turn it into numbers, or leave it out")


def _strange(column: Any) -> str | None:
    """What a column holds that cannot be numbers; None for numbers."""
    try:
        numbers = np.asarray(column)
        if numbers.dtype.kind == "c":
            return "complex numbers"
        return "infinity" if np.isinf(numbers.astype(np.float64)).any() else None
    except (TypeError, ValueError, OverflowError):
        known = (int, float, np.number, type(None))
        kinds = sorted({type(cell).__name__ for cell in list(column)[:10_000] if not isinstance(cell, known)})
    kinds = [kind for kind in kinds if kind not in ("NAType", "NaTType")]
    if kinds == ["str"]:
        return "texts or categories"
    if set(kinds) <= {"date", "datetime", "Timestamp", "time"}:
        return "dates or times"
    return f"values of the type {', '.join(kinds)}"


def read_data(
    estimator: BaseEstimator, X: MatrixLike | Dataset, *, reset: bool, minimum: int = 1, sparse: bool = False
) -> Dataset:
    """The same as a data set; one that is a data set already stays where it is.

    Raises:
        ValueError: as `read_rows`.
    """
    if not isinstance(X, Dataset):
        return dataset_of(read_rows(estimator, X, reset=reset, minimum=minimum, sparse=sparse))
    X = _as_numbers(estimator, X)
    known = vars(estimator).get("feature_names_in_")
    if reset and X.names is not None:  # what scikit-learn would keep, without what reads frames for it
        vars(estimator).update(n_features_in_=X.shape[1], feature_names_in_=np.asarray(X.names, dtype=object))
    elif reset or known is None or X.names is None or tuple(known) != tuple(X.names):
        heading = np.empty((0, X.shape[1])) if X.names is None else pa.table(dict.fromkeys(X.names, np.empty(0)))
        validate_data(estimator, heading, reset=reset, skip_check_array=True)
    if len(X) < minimum:
        raise ValueError(f"Found a data set with {len(X)} row(s) while a minimum of {minimum} is required.")
    if not np.isfinite(X.moments().mean).all() if reset else any(_infinite(part) for _, part in X.slices()):
        raise ValueError("Input X contains infinity: a missing entry is NaN")
    return X


def _as_numbers(estimator: BaseEstimator, X: Dataset) -> Dataset:
    """Rows from files for a model of numbers: levels that are numbers are those, and texts are refused."""
    if not isinstance(X, FileRows) or can(estimator, ReadsKinds):
        return X
    levels = {column.name: column.levels for column in X.schema.columns if column.levels is not None}
    for name, each in levels.items():
        if any(isinstance(level, str) for level in each):
            _refuse(estimator, name, "texts or categories")
    return MadeRows(X, partial(as_values, X.schema), X.shape[1], X.schema.names) if levels else X


def _infinite(rows: Matrix) -> bool:
    return bool(np.isinf(rows.data if sparse.issparse(rows) else rows).any())


def weighted(data: Dataset, sample_weight: ArrayLike | None) -> Dataset:
    """Rows with these weights; where none are given, with those that they have."""
    return data if sample_weight is None else data.weighted(read_weights(data, sample_weight))


def weights_of(X: MatrixLike | Dataset, sample_weight: ArrayLike | None) -> np.ndarray:
    """Those given for the rows, else those that a data set has, else ones."""
    return weighted(X, sample_weight).weights if isinstance(X, Dataset) else read_weights(X, sample_weight)


def read_weights(X: MatrixLike | Dataset, sample_weight: ArrayLike | None) -> np.ndarray:
    """Weights of the rows: finite, not negative, not all zero. Where none are given, ones that take no memory."""
    if sample_weight is None:
        return np.broadcast_to(1.0, (_num_samples(X),))
    if np.ma.is_masked(sample_weight):
        raise ValueError(
            f"sample_weight is a masked array with {np.ma.count_masked(sample_weight)} masked entries, and the weight "
            "of a row must be known: give such rows the weight 0, or leave them out"
        )
    given = unmasked(sample_weight, "sample_weight")
    weights = _check_sample_weight(given, X, dtype=np.float64, ensure_non_negative=True)
    if not weights.sum() > 0:
        raise ValueError("sample_weight sums to zero: at least one row needs a positive weight")
    return weights


Seed: TypeAlias = int | np.integer | np.random.Generator | np.random.RandomState | None
"""What everything random depends on, as scikit-learn takes it; None is new every time."""


def seed_of(random_state: Seed) -> np.random.Generator:
    """A NumPy generator from scikit-learn's ``random_state`` (a RandomState is advanced by one draw)."""
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(int(random_state))


def check_whole(name: str, value: object, least: int) -> None:
    """Refuse what is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_level(level: object) -> None:
    """Refuse what is no probability of an interval."""
    if isinstance(level, bool) or not isinstance(level, numbers.Real) or not 0.0 < float(level) < 1.0:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
