"""What a model that learns one column from the others takes, and which models and columns go together."""

import dataclasses

import numpy as np
import pyarrow as pa
from sklearn.base import is_classifier
from sklearn.utils import get_tags

from tacit import registry
from tacit.data.dataset import Values, dataset_of
from tacit.data.errors import DataError, listed
from tacit.data.features import learned
from tacit.data.schema import Column, Schema
from tacit.estimators.capabilities import PredictsCounts, PredictsNumbers, TakesDatasets, can
from tacit.estimators.settings import Estimator
from tacit.workflow.errors import RequestError
from tacit.workflow.feeding import feed
from tacit.workflow.sources import Rows

CLASSES = ("bayesian-logistic-regression", "generative-classifier")
NUMBERS = ("bayesian-linear-regression", "student-t-regression")
COUNTS = ("negative-binomial-regression", "poisson-regression")
"""What a target is predicted with where the user names no model: the first that there is."""
SHOWN_LEVELS = 6


def usual_model(column: Column) -> tuple[str, str]:
    """What a column is predicted with, and why."""
    wanted = CLASSES if column.levels is not None else COUNTS if column.kind == "count" else NUMBERS
    what = "is a count" if column.kind == "count" else "is a number"
    what = what if column.levels is None else f"has {len(column.levels)} classes"
    return next(name for name in wanted if name in registry.names()), f"{column.name} {what}"


def check_target(name: str, estimator: Estimator, column: Column | None) -> None:
    """Refuse a model and a target that do not go together, in words that say what would."""
    if column is None:
        if registry.entry(name).supervised:
            raise RequestError(f"{name} learns a column from the others: say which, --target COLUMN.")
        return
    if not registry.entry(name).supervised:
        known = [each for each in registry.names() if registry.entry(each).supervised]
        raise RequestError(f"{name} learns without a target: leave out --target, or use one of {listed(known, 20)}.")
    if not can(estimator, PredictsNumbers) and not is_classifier(estimator):
        raise RequestError(f"{name} learns labels in Python only; here use one of {listed((*CLASSES, *NUMBERS))}.")
    if is_classifier(estimator) and column.levels is None:
        raise RequestError(
            f"{name} tells classes apart, and {column.name} is a number ({column.note}). Use --model {NUMBERS[0]}, or "
            f"say that its values are classes: --kind {column.name}=categorical."
        )
    if can(estimator, PredictsCounts) and column.levels is None and column.kind != "count":
        raise RequestError(
            f"{name} predicts counts (0, 1, 2, …), and {column.name} is {column.kind} ({column.note}). Use --model "
            f"{NUMBERS[0]}, or say that it is one: --kind {column.name}=count."
        )
    if not is_classifier(estimator) and column.levels is not None and isinstance(column.levels[0], str):
        shown = ", ".join(str(level) for level in column.levels[:SHOWN_LEVELS])
        more = ", …" if len(column.levels) > SHOWN_LEVELS else ""
        raise RequestError(
            f"{name} predicts a number, and {column.name} holds words ({shown}{more}). Use --model {CLASSES[0]}."
        )


def check_columns(name: str, estimator: Estimator, schema: Schema | None) -> None:
    """Refuse levels where a model takes the columns as they are, with their gaps, and knows numbers only."""
    levelled = [] if schema is None else [column.name for column in schema.columns if column.levels is not None]
    if levelled and takes_gaps(estimator):
        raise RequestError(
            f"{name} takes numbers only, and {listed(levelled)} {'has' if len(levelled) == 1 else 'have'} levels. Use "
            f"--model {CLASSES[0]}, or leave them out: --kind {levelled[0]}=drop."
        )


def takes_gaps(estimator: Estimator) -> bool:
    """Whether an estimator has a place for gaps; then it gets the columns as they are."""
    return bool(get_tags(estimator).input_tags.allow_nan)


def settled(fitted: Rows, kept: Rows, estimator: Estimator) -> tuple[Rows, Rows]:
    """Both parts of the rows with what the fitted part says of levels, scales and gaps.

    A classifier whose prior knows the scale of its columns gets numbers in standard deviations and levels as they are:
    a rare level must not get a wide prior because its column of ones and zeros hardly varies (Gelman et al. 2008). A
    regression puts all columns and its target into standard deviations itself.
    """
    if fitted.target is None or takes_gaps(estimator) or fitted.schema is None:
        return fitted, kept
    own_scale = "standardize" in estimator.get_params(deep=False)
    target = learned(fitted.target.column, dataset_of(fitted.data), fitted.schema, scaled=own_scale)
    if not target.terms:
        raise DataError("no other column varies in the rows that are fitted: there is nothing to predict it from.")
    return dataclasses.replace(fitted, target=target), dataclasses.replace(kept, target=target)


def features(estimator: Estimator, rows: Rows) -> Values | pa.Table:
    """The columns of rows as a supervised model takes them."""
    if rows.schema is None or rows.target is None:
        raise TypeError("these rows have no target")
    if rows.target.fills is None:
        return feed(estimator, rows.data, rows.schema)
    found = rows.target.designed(dataset_of(rows.data))
    if can(estimator, TakesDatasets):
        return found
    return pa.table({term.name: found.column(place) for place, term in enumerate(rows.target.terms)})


def targets(estimator: Estimator, rows: Rows) -> np.ndarray:
    """The targets of rows as the model takes them: texts of classes, or numbers."""
    if rows.target is None or rows.target_values is None:
        raise TypeError("these rows have no target")
    return rows.target.values(rows.target_values, classes=is_classifier(estimator))


def check_learnable(estimator: Estimator, rows: Rows) -> None:
    """Refuse targets that nothing can be learned from."""
    if rows.target is None:
        return
    found, counts = np.unique(targets(estimator, rows), return_counts=True)
    name = rows.target.column.name
    if found.size == 1:
        raise DataError(f"every row that is fitted has the same {name} ({found[0]}): there is nothing to learn.")
    if is_classifier(estimator) and counts.max() == 1:
        raise DataError(
            f"every row has a {name} of its own ({found.size} classes): nothing can be learned from one row a class."
        )
