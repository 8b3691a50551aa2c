"""Questions to a run: queries, all columns once some are known, and the same for every row of a table of cases."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tacit.compute import compilation_cache
from tacit.data.errors import counted, listed
from tacit.data.schema import Column
from tacit.data.value_sets import Box, ValueSet
from tacit.estimators.capabilities import can
from tacit.estimators.query.asking import AnswersCases, AnswersQueries, answer, columns_of
from tacit.estimators.query.columns import names_of
from tacit.estimators.query.figures import Figures, figures, figures_given
from tacit.estimators.query.grammar import Query, QueryError, bar_of
from tacit.plots.style import short_number
from tacit.storage.errors import ModelFileError
from tacit.workflow.answers import TableAnswer
from tacit.workflow.events import SILENT, Observer
from tacit.workflow.listing import next_commands
from tacit.workflow.opened import Opened, labels
from tacit.workflow.sources import Rows

WIDTH = 12
"""Signs of a bar of probability 1."""


def model_of(opened: Opened) -> AnswersQueries:
    """The model of a run; raises `ModelFileError` where it answers no queries."""
    model = opened.estimator
    if opened.schema is None or opened.target is not None or not can(model, AnswersQueries):
        able = ", ".join(f"`tacit {command}`" for command in next_commands(opened.model, model))
        raise ModelFileError(
            f"the model of {str(opened.run.path)!r} is no distribution of columns that could be asked. It can be "
            f"asked by {able or '`tacit predict`'}."
        )
    return model


@compilation_cache()
def ask(
    opened: Opened, questions: Sequence[str], given: Sequence[str], n_draws: int | None = None, seed: int = 0
) -> TableAnswer:
    """The answers to queries, each a line (of all levels of a column, a line a level).

    Args:
        opened: the run.
        questions: such as ``P(income > 50000 | age < 30)``.
        given: what is known beside, in every one of them.
        n_draws: how many rows are drawn where an answer is not exact.
        seed: what draws depend on.
    """
    model = model_of(opened)
    names = names_of(columns_of(model, opened.schema))
    answers = [
        answer(model, _with(text, given, names), opened.schema, n_draws=n_draws, random_state=seed)
        for text in questions
    ]
    levelled = any("level" in each.to_arrow().column_names for each in answers)
    tables = []
    for each in answers:
        table = each.to_arrow()
        if levelled and "level" not in table.column_names:
            table = table.add_column(1, "level", pa.array([None] * table.num_rows, pa.string()))
        values = table.column("value").to_pylist()
        place = table.column_names.index("value")
        if any(isinstance(value, str) for one in answers for value in [one.value]):
            table = table.set_column(place, "value", pa.array([_text(value) for value in values], pa.string()))
        tables.append(table)
    said = tuple(line for each in answers for line in (each.words() if len(answers) == 1 else each.remarks))
    return TableAnswer(pa.concat_tables(tables), "answer", remarks=said)


def _text(value: object) -> str:
    return short_number(value, 4) if isinstance(value, float) else str(value)


def _with(question: str, given: Sequence[str], names: Sequence[str] = ()) -> str:
    """A query with more that is known."""
    if not given:
        return question
    text = question.rstrip().removesuffix(")")
    bar = bar_of(text, names)
    head, known = (text, []) if bar is None else (text[:bar], [f"({text[bar + 1 :].strip()})"])
    return f"{head.rstrip()} | {', '.join([*known, *given])})"


@compilation_cache()
def columns(opened: Opened, given: Sequence[str], n_draws: int | None = None, seed: int = 0) -> TableAnswer:
    """What is known of every column, before and after something is said of some of them.

    Args:
        opened: the run.
        given: such as ``smoker=yes`` or ``30 <= age < 40``.
        n_draws, seed: as of `ask`.
    """
    model = model_of(opened)
    before = figures(model, "", opened.schema, n_draws=n_draws, random_state=seed)
    after = figures(model, ", ".join(given), opened.schema, n_draws=n_draws, random_state=seed)
    pairs = list(zip(before, after, strict=True))
    table = _table([line for old, new in pairs for line in _lines(old, new)])
    moved = sorted(pairs, key=lambda pair: -_moved(*pair)) if given else pairs
    shown = _table([line for old, new in moved for line in _lines(old, new)], bars=True)
    sizes = [each.effective_size for each in after if each.effective_size is not None]
    how = f"By weighted draws, effective size {short_number(min(sizes), 3)}." if sizes else "All of it is exact."
    first = "The columns that change most stand first." if given else ""
    return TableAnswer(table, "line", shown=shown, remarks=(f"{how} {first}".strip(),))


def _lines(old: Figures, new: Figures) -> list[tuple[str, str, float, float, bool]]:
    name = old.column.name
    if old.levels is None or new.levels is None:
        return [(name, "mean", old.mean, new.mean, False), (name, "sd", old.sd, new.sd, False)]
    return [(name, level, share, new.levels[level], True) for level, share in old.levels.items()]


def _table(lines: Sequence[tuple[str, str, float, float, bool]], *, bars: bool = False) -> pa.Table:
    names = ("column", "what", "before", "after")
    found = {name: [line[place] for line in lines] for place, name in enumerate(names)}
    if bars:
        found["before"] = [
            f"{_bar(line[2])} {short_number(line[2], 3)}" if line[4] else _text(line[2]) for line in lines
        ]
        found["after"] = [
            f"{_bar(line[3])} {short_number(line[3], 3)}" if line[4] else _text(line[3]) for line in lines
        ]
    return pa.table(found)


def _moved(old: Figures, new: Figures) -> float:
    """By how much a column changes: the largest change of a level, or of the mean in standard deviations."""
    if old.levels is None or new.levels is None:
        return abs(new.mean - old.mean) / old.sd if old.sd > 0 else 0.0
    return max(abs(share - new.levels[level]) for level, share in old.levels.items())


def _bar(share: float) -> str:
    return ("█" * round(WIDTH * share)).ljust(WIDTH, "·")


@compilation_cache()
def cases(
    opened: Opened, rows: Rows, n_draws: int | None = None, seed: int = 0, observer: Observer = SILENT
) -> TableAnswer:
    """For every row of a table what the model says of its gaps: probabilities of levels, means and deviations.

    Args:
        opened: the run.
        rows: the cases.
        n_draws, seed: as of `ask`.
        observer: is told of rows that are impossible.
    """
    model = model_of(opened)
    known = columns_of(model, opened.schema)
    values = rows.values
    dense = np.asarray(values if isinstance(values, np.ndarray) else values.toarray(), np.float64)
    wanted = [place for place in range(len(known)) if place >= dense.shape[1] or np.isnan(dense[:, place]).any()]
    if can(model, AnswersCases):
        try:
            return _at_once(model, rows, dense, known, observer)
        except ValueError:  # not exactly: row by row, by draws where it must be
            pass
    found: dict[str, list[float | None]] = {}
    impossible = []
    for number, row in enumerate(dense):
        box: Box = {int(place): ValueSet.of([row[place]]) for place in np.flatnonzero(~np.isnan(row))}
        query = Query("P", None, None, None, None, f"row {int(rows.numbers[number])}")
        try:
            told = figures_given(model, [box], known, query, n_draws=n_draws, random_state=seed)
        except QueryError:
            impossible.append(query.text)
            told = []
        for place in wanted:
            open_here = bool(told) and place not in box
            for name, value in _cells(known[place].name, told[place] if told else None, known[place].levels):
                found.setdefault(name, []).append(value if open_here else None)
    if impossible:
        rows_said = f"{counted(len(impossible), 'row')} cannot be under the model and stay empty"
        observer.note(f"Note: {rows_said}: {listed(impossible, 5)}.")
    columns = {name: pa.array(cells, pa.float64()) for name, cells in found.items()}
    return TableAnswer(pa.table(labels(rows) | columns), "case")


def _at_once(
    model: AnswersCases, rows: Rows, dense: np.ndarray, known: Sequence[Column], observer: Observer
) -> TableAnswer:
    """The gaps of all rows together."""
    columns: dict[str, pa.Array] = {}
    lost = np.zeros(len(dense), bool)
    for place, figures_found in sorted(model.gaps_of(dense).items()):
        lost |= np.isnan(figures_found[:, 0])
        seen = ~np.isnan(dense[:, place]) if place < dense.shape[1] else np.zeros(len(dense), bool)
        levels = known[place].levels
        names = ("mean", "sd") if levels is None else levels
        for at, name in enumerate(names):
            told = np.where(seen, np.nan, figures_found[:, at])
            title = f"{known[place].name} {name}" if levels is None else f"{known[place].name}={name}"
            columns[title] = pa.array(told, mask=np.isnan(told))
    if lost.any():
        named = listed([f"row {int(number)}" for number in np.asarray(rows.numbers)[lost]], 5)
        observer.note(f"Note: {counted(int(lost.sum()), 'row')} cannot be under the model and stay empty: {named}.")
    return TableAnswer(pa.table(labels(rows) | columns), "case")


def _cells(name: str, told: Figures | None, levels: Sequence[object] | None) -> list[tuple[str, float | None]]:
    if levels is None:
        return [
            (f"{name} mean", None if told is None else told.mean),
            (f"{name} sd", None if told is None else told.sd),
        ]
    shares = None if told is None or told.levels is None else list(told.levels.values())
    return [(f"{name}={level}", None if shares is None else shares[place]) for place, level in enumerate(levels)]
