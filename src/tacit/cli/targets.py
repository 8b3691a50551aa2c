"""``--target``: the column to be foretold is taken out of a table, and a model learns it from the others."""

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import is_classifier
from sklearn.utils import get_tags

from tacit import registry
from tacit.cli import talk
from tacit.cli.failures import UsageFault
from tacit.cli.feeding import feed
from tacit.cli.sources import Rows
from tacit.data.errors import DataError, counted, listed, nearest
from tacit.data.features import Target, learned
from tacit.data.schema import Column, Schema
from tacit.data.table import Table, describe

CLASSES = ("bayesian-logistic-regression", "generative-classifier")
NUMBERS = ("bayesian-linear-regression", "student-t-regression")
"""What a target is foretold with where the user names no model: the first that there is."""
SHOWN_LEVELS = GAPS_NAMED = 6


def foretells(model: Any) -> bool:
    """Whether an estimator, or a class of them, learns one column from the others."""
    return bool(get_tags(model() if isinstance(model, type) else model).target_tags.required)


def aim(rows: Rows, name: str) -> Rows:
    """The rows without the column to be foretold, whose values stand beside; rows that lack it are left out.

    Raises:
        UsageFault: the rows are no table.
        DataError: there is no such column, it is of no use as a target, or it is the only one.
    """
    table, schema = rows.table, rows.schema
    if schema is None or not isinstance(table, Table):
        raise UsageFault("--target names a column of a table; images, documents and purchase logs have none.")
    if name not in schema.names:
        raise DataError(_no_target(name, table))
    if len(schema) == 1:
        raise DataError(f"{name!r} is the only column: there is nothing to foretell it from.")
    place = schema.index(name)
    seen = np.flatnonzero(~np.isnan(table.values[:, place]))
    if len(seen) < 2:
        raise DataError(f"the target {name!r} is known in {counted(len(seen), 'row')}: there is nothing to learn from.")
    target = table.values[seen, place]
    values = np.delete(table.values, place, axis=1)[seen]
    columns = Schema(tuple(column for column in schema.columns if column.name != name))
    lost = len(table) - len(seen)
    notes = (f"{counted(lost, 'row')} without {name} left out: there is nothing to learn from them",) if lost else ()
    ids = None if rows.ids is None else rows.ids[seen]
    reduced = Table(values, columns, table.left_out, table.source, ids, (*table.notes, *notes))
    return dataclasses.replace(
        rows,
        values=values,
        schema=columns,
        numbers=rows.numbers[seen],
        ids=ids,
        table=reduced,
        target=target,
        aim=Target(schema.columns[place]),
    )


def tell_target(rows: Rows) -> None:
    """Say what is to be foretold, and which rows are no use for it."""
    if rows.aim is None or rows.target is None:
        return
    column = rows.aim.column
    line = describe(Table(rows.target[:, None], Schema((column,)), (), ""))[0]
    talk.say(f"To be foretold: {column.name}, {column.kind} ({line.values}).", indent=1)
    for note in rows.table.notes[-1:]:
        if f"without {column.name}" in note:
            talk.bullet(note)


def classes_of(rows: Rows) -> np.ndarray | None:
    """The class of every row, where classes are to be foretold."""
    return None if rows.aim is None or rows.aim.column.levels is None else rows.target


def _no_target(name: str, table: Table) -> str:
    for entry in table.left_out:
        if entry.name == name:
            cure = "" if entry.role in ("empty", "constant") else f" Say what it is: --kind {name}=categorical, say."
            return f"{name!r} cannot be foretold: {entry.reason}.{cure}"
    known = (*table.names, *(entry.name for entry in table.left_out))
    return f"--target: there is no column {name!r}; there are {listed(known, 20)}.{nearest(name, known)}"


def usual_model(column: Column) -> tuple[str, str]:
    """What a column is foretold with, and why."""
    wanted = NUMBERS if column.levels is None else CLASSES
    what = "is a number" if column.levels is None else f"has {len(column.levels)} classes"
    return next(name for name in wanted if name in registry.names()), f"{column.name} {what}"


def check_target(name: str, estimator: Any, column: Column | None) -> None:
    """Refuse a model and a target that do not go together, in words that say what would."""
    if column is None:
        if foretells(estimator):
            raise UsageFault(f"{name} learns a column from the others: say which, --target COLUMN.")
        return
    if not foretells(estimator):
        known = [each for each in registry.names() if foretells(registry.get(each))]
        raise UsageFault(f"{name} learns without a target: leave out --target, or use one of {listed(known, 20)}.")
    if not hasattr(estimator, "log_predictive") and not is_classifier(estimator):
        raise UsageFault(f"{name} learns labels in Python only; here use one of {listed((*CLASSES, *NUMBERS))}.")
    if is_classifier(estimator) and column.levels is None:
        raise UsageFault(
            f"{name} tells classes apart, and {column.name} is a number ({column.note}). Use --model {NUMBERS[0]}, or "
            f"say that its values are classes: --kind {column.name}=categorical."
        )
    if not is_classifier(estimator) and column.levels is not None and isinstance(column.levels[0], str):
        shown = ", ".join(str(level) for level in column.levels[:SHOWN_LEVELS])
        more = ", …" if len(column.levels) > SHOWN_LEVELS else ""
        raise UsageFault(
            f"{name} foretells a number, and {column.name} holds words ({shown}{more}). Use --model {CLASSES[0]}."
        )


def check_columns(name: str, estimator: Any, schema: Schema | None) -> None:
    """Refuse levels where a model takes the columns as they are, with their gaps, and knows numbers only."""
    levelled = [] if schema is None else [column.name for column in schema.columns if column.levels is not None]
    if levelled and takes_gaps(estimator):
        raise UsageFault(
            f"{name} takes numbers only, and {listed(levelled)} {'has' if len(levelled) == 1 else 'have'} levels. Use "
            f"--model {CLASSES[0]}, or leave them out: --kind {levelled[0]}=drop."
        )


def takes_gaps(estimator: Any) -> bool:
    """Whether an estimator has a place for gaps; then it gets the columns as they are."""
    return bool(get_tags(estimator).input_tags.allow_nan)


def settled(fitted: Rows, kept: Rows, estimator: Any) -> tuple[Rows, Rows]:
    """Both parts of the rows with what the fitted part says of levels, scales and gaps.

    A classifier whose prior knows the scale of its columns gets numbers in standard deviations and levels as they are:
    a rare level must not get a wide prior because its column of ones and zeros hardly varies (Gelman et al. 2008). A
    regression puts all columns and its target into standard deviations itself.
    """
    if fitted.aim is None or takes_gaps(estimator) or fitted.schema is None:
        return fitted, kept
    own_scale = "standardize" in estimator.get_params(deep=False)
    target = learned(fitted.aim.column, fitted.values, fitted.schema, scaled=own_scale)
    if not target.terms:
        raise DataError("no other column varies in the rows that are fitted: there is nothing to foretell it from.")
    return dataclasses.replace(fitted, aim=target), dataclasses.replace(kept, aim=target)


def gaps_said(rows: Rows) -> str | None:
    """What is done with the gaps of the rows, in a sentence; None where there are none, or they are left alone."""
    if rows.aim is None or rows.aim.fills is None or rows.schema is None:
        return None
    missing = np.isnan(rows.values)
    where = np.flatnonzero(missing.any(axis=0))
    if not where.size:
        return None
    named = [f"{rows.schema.names[place]} ({int(missing[:, place].sum()):,})" for place in where[:GAPS_NAMED]]
    more = f" and {len(where) - GAPS_NAMED} more columns" if len(where) > GAPS_NAMED else ""
    return (
        f"Gaps were filled with the column's mean, or its commonest level: {', '.join(named)}{more}. So the intervals "
        "are somewhat too sure of themselves where many are missing. `tacit impute` of a run fills gaps from the rest "
        "of the row; generative-classifier sums them out."
    )


def features(estimator: Any, rows: Rows) -> pa.Table:
    """The columns of rows as a model that foretells takes them."""
    if rows.schema is None or rows.aim is None:
        raise TypeError("these rows have no target")
    if rows.aim.fills is None:
        return feed(estimator, rows.values, rows.schema)
    found = rows.aim.design(rows.values)
    return pa.table({term.name: found[:, place] for place, term in enumerate(rows.aim.terms)})


def targets(estimator: Any, rows: Rows) -> np.ndarray:
    """The targets of rows as the model takes them: texts of classes, or numbers."""
    if rows.target is None or rows.aim is None:
        raise TypeError("these rows have no target")
    return rows.aim.values(rows.target, classes=is_classifier(estimator))


def check_learnable(estimator: Any, rows: Rows) -> None:
    """Refuse targets that nothing can be learned from."""
    if rows.aim is None:
        return
    found, counts = np.unique(targets(estimator, rows), return_counts=True)
    name = rows.aim.column.name
    if found.size == 1:
        raise DataError(f"every row that is fitted has the same {name} ({found[0]}): there is nothing to learn.")
    if is_classifier(estimator) and counts.max() == 1:
        raise DataError(
            f"every row has a {name} of its own ({found.size} classes): nothing can be learned from one row a class."
        )
