"""Which columns make a row odd."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from tacit.data.dataset import Dataset, DenseRows
from tacit.data.frames import feature_names, from_frame
from tacit.data.schema import Schema
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.measure import GIVEN_TOTAL
from tacit.evaluation.measure import check_scores, measure
from tacit.evaluation.rows import names_at_fit


def odd_columns(estimator: BaseEstimator, X: MatrixLike) -> Float[np.ndarray, "rows columns"]:
    """``log p(x_j | the row's other entries)`` of every entry, in nats: the lowest of a row says what makes it odd.

    It is ``log p(x) − log p(x without column j)``, where what is left out is integrated out. Densities are in the
    columns' own units, so entries of different columns differ by those too: among ordinary rows a column measured in
    metres stands ``log 1000`` above the same column in millimetres. Subtract what ordinary rows have in the column
    (their median) to be free of units.

    Args:
        estimator: fitted, with ``score_samples`` that takes missing entries.
        X: rows ``(n, d)``, an array or a frame, as the estimator takes them.

    Returns:
        ``(n, d)`` in the order of the columns at fit, NaN where the entry is missing.

    Raises:
        ValueError: the estimator has no log-density or takes no missing entries, or an entry has no density apart
            from others (a row of counts given its total).
    """
    check_scores(estimator)
    name = type(estimator).__name__
    if not get_tags(estimator).input_tags.allow_nan:
        raise ValueError(f"{name} takes no missing entries, so no column can be left out of a row")
    joined = next((word for word in measure(estimator) if word.startswith(GIVEN_TOTAL)), None)
    if joined is not None:
        columns = joined.removeprefix(GIVEN_TOTAL)
        raise ValueError(
            f"columns {columns} are one row of counts given its total: given the others, an entry is certain. "
            "A model of counts without a total (PoissonMixture) can say which columns are odd."
        )
    if isinstance(X, Dataset):
        return _of_array(estimator, X.rows(), X.schema)
    array = _as_numbers(X)
    return _of_frame(estimator, from_frame(X)) if array is None else _of_array(estimator, array)


def _as_numbers(X: MatrixLike) -> np.ndarray | None:
    """An array of numbers where X is no frame with names and holds no text, else None."""
    if isinstance(X, sparse.sparray | sparse.spmatrix):
        return X.toarray().astype(np.float64)
    if feature_names(X) is not None:
        return None
    try:
        array = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.ndim == 2 else None


def _of_array(estimator: BaseEstimator, rows: np.ndarray, schema: Schema | None = None) -> np.ndarray:
    def scores(values: np.ndarray) -> np.ndarray:
        X = values if schema is None else DenseRows(values).described(schema)
        return np.asarray(estimator.score_samples(X), dtype=np.float64)

    whole = scores(rows)
    found = np.empty(rows.shape)
    for column in range(rows.shape[1]):
        without = rows.copy()
        without[:, column] = np.nan
        found[:, column] = whole - scores(without)
    return np.where(np.isnan(rows), np.nan, found)


def _of_frame(estimator: BaseEstimator, table: pa.Table) -> np.ndarray:
    names = names_at_fit(estimator) or table.column_names
    whole = np.asarray(estimator.score_samples(table), dtype=np.float64)
    found = np.empty((table.num_rows, len(names)))
    for place, name in enumerate(names):
        column = table.column(name)
        nothing = pa.nulls(table.num_rows, column.type)
        without = table.set_column(table.column_names.index(name), name, nothing)
        missing = pc.is_null(column, nan_is_null=True).to_numpy()
        found[:, place] = np.where(missing, np.nan, whole - estimator.score_samples(without))
    return found
