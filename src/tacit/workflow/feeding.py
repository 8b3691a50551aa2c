"""From rows to what an estimator takes: numbers under names, columns with their kinds, or images as they are."""

import contextlib
import warnings
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from scipy import sparse
from sklearn.utils import get_tags

from tacit import distributed, registry
from tacit.data.dataset import Dataset, Values, dataset_of
from tacit.data.encode import decode
from tacit.data.errors import listed
from tacit.data.schema import LEVELLED, Schema
from tacit.data.sequenced import SequencedRows
from tacit.estimators.capabilities import ReadsKinds, TakesDatasets, can
from tacit.estimators.settings import Estimator
from tacit.estimators.spreading import SharesBatches, SpreadsSums
from tacit.workflow.errors import RequestError
from tacit.workflow.warned import collected

IMAGE_MODEL = "vae"
"""What images are fitted with where the user names no model."""


def takes_images(estimator: Estimator) -> bool:
    """Whether an estimator takes rows of more than one axis."""
    return bool(get_tags(estimator).input_tags.three_d_array)


def check_kinds(name: str, estimator: Estimator, values: Values, schema: Schema | None) -> None:
    """Refuse rows that the model cannot take; of a table says which columns are in the way."""
    _check_engine(name, estimator, values)
    _check_devices(name, estimator)
    if registry.entry(name).reads == "documents":
        if schema is not None or not sparse.issparse(values):
            raise RequestError(f"{name} takes documents: texts, or a bag of words.")
        return
    if schema is None and sparse.issparse(values):
        raise RequestError(f"{name} takes tables, and these are documents; use --model topics.")
    if schema is None:
        if not takes_images(estimator):
            raise RequestError(f"{name} takes tables, and this is a stack of images; use --model {IMAGE_MODEL}.")
        return
    levelled = [column.name for column in schema.columns if column.kind in LEVELLED]
    if levelled and not can(estimator, ReadsKinds):
        raise RequestError(
            f"{name} takes numbers only, and {listed(levelled)} {'has' if len(levelled) == 1 else 'have'} levels. "
            f"{_as_numbers(schema, levelled)}Use --model mixture, or leave them out: --kind {levelled[0]}=drop."
        )
    if sparse.issparse(values) and not _takes_sparse(estimator):
        raise RequestError(f"{name} does not take the counts of a purchase log; use --model poisson-mixture.")


def _check_engine(name: str, estimator: Estimator, values: Values) -> None:
    """Refuse to take rows that are to be read elsewhere for a model that holds them itself."""
    elsewhere = isinstance(values, Dataset) and values.portable and distributed.current() is not None
    if elsewhere and not can(estimator, SpreadsSums):
        raise RequestError(
            f"{name} does not learn from sums over rows, so --engine has nothing to give out: it would hold all rows "
            "here. Leave --engine out, or take a mixture, a network, k-means, PCA, factor "
            "analysis or a Bayesian regression."
        )


def _check_devices(name: str, estimator: Estimator) -> None:
    """Refuse devices that would have nothing to share."""
    if distributed.sharing_devices() > 1 and not can(estimator, SharesBatches):
        raise RequestError(
            f"{name} follows no gradient over mini-batches, so --devices has nothing to share out. Leave it out, or "
            "take a vae, prod-lda or a triangular-flow."
        )


def _as_numbers(schema: Schema, levelled: list[str]) -> str:
    """What to say of columns whose levels are numbers."""
    numeric = [
        column.name
        for column in schema.columns
        if column.name in levelled and column.levels and not any(isinstance(level, str) for level in column.levels)
    ]
    if not numeric:
        return ""
    options = " ".join(f"--kind {name}=continuous" for name in numeric[:3]) + (" …" if len(numeric) > 3 else "")
    return f"Few different numbers were read as levels; {options} reads them as numbers. "


def settle_families(estimator: Estimator, values: Values, schema: Schema | None) -> None:
    """Name the family of every column where the user left it open, so that the kinds shown are those fitted."""
    if schema is not None and can(estimator, ReadsKinds) and estimator.families == "auto":
        families = estimator.automatic(schema, dataset_of(values).moments())
        estimator.set_params(families=dict(zip(schema.names, families, strict=True)))


def feed(estimator: Estimator, values: Values, schema: Schema | None) -> Values | pa.Table:
    """Rows as an estimator takes them in every method.

    Args:
        estimator: any of tacit's.
        values: rows in float64, NaN where missing, codes of levels; or sparse counts; or images.
        schema: what the columns are; None for images.

    Returns:
        A data set or a table with named columns; sparse counts and images as they are.
    """
    if schema is None or sparse.issparse(values):
        if isinstance(values, Dataset) and not can(estimator, TakesDatasets):
            return values.rows()
        return values
    data = dataset_of(values)
    if can(estimator, TakesDatasets):
        return data.described(schema)
    rows = data.rows()
    if can(estimator, ReadsKinds):
        return _with_levels(rows, schema)
    return pa.table({name: np.ascontiguousarray(rows[:, place]) for place, name in enumerate(schema.names)})


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Rows go in as bare numbers, in the order of the columns at fit: nobody need be told that they have no names."""
    with collected() as said:
        yield
    for text in said:
        if "feature names" not in text:
            warnings.warn(text, stacklevel=3)


def feed_fit(
    estimator: Estimator, values: Values, schema: Schema | None
) -> tuple[Values | pa.Table, np.ndarray | None]:
    """Rows and weights for a fit.

    A level that only the rows kept aside have must be known to the fit all the same: each gets an empty row of
    weight 0 that holds nothing but this level.
    """
    if schema is None or sparse.issparse(values) or not can(estimator, ReadsKinds):
        return feed(estimator, values, schema), None
    if can(estimator, TakesDatasets) and isinstance(values, Dataset) and values.portable:
        return feed(estimator, values, schema), None  # the columns say which levels there are
    absent = [] if isinstance(values, SequencedRows) else _absent(dataset_of(values), schema)
    if not absent:
        return feed(estimator, values, schema), None
    rows = dataset_of(values).rows()
    extra = np.full((len(absent), len(schema)), np.nan)
    for row, (place, code) in enumerate(absent):
        extra[row, place] = code
    weights = np.concatenate([np.ones(len(rows)), np.zeros(len(absent))])
    return _with_levels(np.concatenate([rows, extra]), schema), weights


def _absent(data: Dataset, schema: Schema) -> list[tuple[int, int]]:
    """The levels that no row has: the place of the column, and the code."""
    seen = {place: np.zeros(len(column.levels), bool) for place, column in enumerate(schema.columns) if column.levels}
    for _, rows in data.slices() if seen else ():
        for place, found in seen.items():
            codes = rows[:, place]
            found[codes[~np.isnan(codes)].astype(int)] = True
    return [(place, int(code)) for place, found in seen.items() for code in np.flatnonzero(~found)]


def _with_levels(values: np.ndarray, schema: Schema) -> pa.Table:
    """Levels in place of codes; those that are texts as categories, so that ``007`` stays a text."""
    table = decode(values, schema)
    for place, column in enumerate(schema.columns):
        if column.levels is not None and isinstance(column.levels[0], str):
            table = table.set_column(place, column.name, table.column(place).dictionary_encode())
    return table


def _takes_sparse(estimator: Estimator) -> bool:
    return bool(estimator.__sklearn_tags__().input_tags.sparse)
