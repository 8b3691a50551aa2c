"""Whether new rows of a run come from where those of its fit came from."""

import numpy as np

from tacit.compute import compilation_cache
from tacit.data.dataset import Dataset, dataset_of
from tacit.data.schema import Schema
from tacit.data.sequenced import SequencedRows
from tacit.data.sources import PIECE_ROWS
from tacit.estimators.capabilities import Scores, can
from tacit.estimators.settings import Estimator
from tacit.evaluation.conformal import Calibration
from tacit.evaluation.drift import compared, group_counts, summarise
from tacit.storage.errors import ModelFileError
from tacit.workflow.answers import TableAnswer
from tacit.workflow.feeding import feed
from tacit.workflow.opened import Opened
from tacit.workflow.sources import Rows


def kept_columns(estimator: Estimator, rows: Rows, unseen: Rows) -> dict[str, np.ndarray] | None:
    """What a run keeps of the columns that it was fitted to; None of images, documents and counts of items.

    Args:
        estimator: the fitted model.
        rows: that it was fitted to.
        unseen: those kept aside, in which the groups are counted: the rows of a fit fall otherwise into its groups than
            others from the same place do, for the groups were made of them.
    """
    if rows.schema is None or not isinstance(rows.data, Dataset | np.ndarray):
        return None
    plain = rows.target is None and not isinstance(rows.data, SequencedRows) and len(unseen)
    return summarise(rows.data, rows.schema, _groups(estimator, unseen) if plain else None)


def _groups(estimator: Estimator, rows: Rows) -> np.ndarray | None:
    """How many rows are likeliest of each group, some rows at a time."""
    total: np.ndarray | None = None
    for start in range(0, len(rows), PIECE_ROWS):
        part = rows.pick(np.arange(start, min(start + PIECE_ROWS, len(rows))))
        found = group_counts(estimator, feed(estimator, part.data, rows.schema))
        if found is None:
            return None
        total = found if total is None else total + found
    return total


@compilation_cache()
def drift(opened: Opened, rows: Rows, against: Rows | None = None, level: float = 0.05) -> TableAnswer:
    """What has moved since the fit: columns, gaps, groups, and scores.

    Args:
        opened: the run.
        rows: the new rows; levels never met count as missing.
        against: what they are compared with; None for what the run keeps of the rows of its fit.
        level: the share of false alarms among all that is told.

    Raises:
        ModelFileError: the run is not of a table, or keeps nothing of its columns.
    """
    schema = opened.schema
    if schema is None or not isinstance(rows.values, np.ndarray):
        raise ModelFileError(f"drift is about the columns of a table, and {str(opened.run.path)!r} has none.")
    kept, scores = _before(opened, schema, against)
    plain = opened.target is None and not isinstance(rows.data, SequencedRows)
    X = opened.feed(rows) if plain else None
    groups = group_counts(opened.estimator, X) if plain else None
    both = None
    if scores is not None and plain and can(opened.estimator, Scores):
        both = scores, np.asarray(opened.estimator.score_samples(X), np.float64)
    names = [each.get("name") for each in opened.run.metrics().get("groups") or []]
    found = compared(kept, np.asarray(dataset_of(rows.values).rows()), schema, groups, both, level=level, names=names)
    return TableAnswer(found.to_arrow(), "thing", wrap="said", remarks=(found.headline(),))


def _before(opened: Opened, schema: Schema, against: Rows | None) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """What is known of the rows of before, and scores of some that the fit has not seen."""
    if against is not None:
        kept = kept_columns(opened.estimator, against, against) or {}
        if opened.target is None and can(opened.estimator, Scores):
            return kept, np.asarray(opened.estimator.score_samples(opened.feed(against)), np.float64)
        return kept, None
    try:
        found = opened.run.columns()
    except FileNotFoundError:
        raise ModelFileError(
            f"{str(opened.run.path)!r} keeps nothing of the columns of its fit: compare with a table, --against "
            "OLD.csv, or fit again."
        ) from None
    if f"columns.{len(schema) - 1}.missing" not in found:
        raise ModelFileError(f"{str(opened.run.path)!r}: columns.safetensors is of another table; repeat the run.")
    try:
        return found, Calibration.from_scores(opened.run.calibration()["scores"]).scores
    except (FileNotFoundError, KeyError):
        return found, None
