"""Groups, predictions, codes and filled gaps of rows that stay in their files, and new rows by the million."""

import dataclasses
from collections.abc import Generator

import numpy as np
import pyarrow as pa

from tacit.compute import ahead, compilation_cache
from tacit.data import table_batches
from tacit.data.table_batches import TableBatch
from tacit.workflow import answering, documents, imputing, predicting
from tacit.workflow.answers import Ending, PartsAnswer, TableAnswer
from tacit.workflow.errors import RequestError
from tacit.workflow.events import Noted, Observer
from tacit.workflow.opened import Opened
from tacit.workflow.streams import Stream, row_by_row, rows_numbered


class _Once:
    """Tells a sentence that every part would say once."""

    def __init__(self, observer: Observer) -> None:
        self._observer, self._told = observer, set[str]()

    def observer(self) -> Observer:
        """Who is told by the parts."""
        return Observer(self._tell)

    def _tell(self, event: object) -> None:
        if isinstance(event, Noted) and event.text not in self._told:
            self._told.add(event.text)
            self._observer.tell(event)


def assign(stream: Stream) -> PartsAnswer:
    """The group of every row; see `tacit.workflow.answering.assign`."""
    return row_by_row(stream, lambda batch: answering.assign(stream.opened, stream.rows(batch)).table, _itself)


def predict(stream: Stream, level: float, observer: Observer) -> PartsAnswer:
    """The predicted target of every row; see `tacit.workflow.predicting.predict`."""
    told = _Once(observer).observer()
    return row_by_row(
        stream, lambda batch: predicting.predict(stream.opened, stream.rows(batch), level, told).table, _itself
    )


def transform(stream: Stream) -> PartsAnswer:
    """What the model makes of every row; see `tacit.workflow.documents.transform`."""
    return row_by_row(stream, lambda batch: documents.transform(stream.opened, stream.rows(batch)).table, _itself)


def _itself(table: pa.Table) -> pa.Table:
    return table


def impute(stream: Stream, draws: int | None, seed: int, *, unseen: bool = False, exact: bool = False) -> PartsAnswer:
    """A table with its gaps filled; see `tacit.workflow.imputing.impute`.

    A column that may have gaps anywhere has one type in all parts. Draws stand part by part, all of a part together.

    Args:
        stream: the rows, all columns of them.
        draws, seed, unseen, exact: as there; the draws of a part depend on its number too.
    """
    opened, schema = stream.opened, stream.opened.schema
    imputing.check_imputes(opened)
    if draws is not None and "draw" in stream.batches.schema.names:
        raise RequestError("the table has a column 'draw' already; rename it to number the draws.")
    there = stream.batches.schema.names
    filled = frozenset(
        name
        for name in (() if schema is None else schema.names)
        if name in there and stream.batches.may_have_gaps(name)
    )

    def one(batch: TableBatch) -> imputing.Imputed:
        own = seed if draws is None else _seed(seed, batch.number)
        with rows_numbered(batch):
            return imputing.imputed(
                opened, stream.reading(batch), draws, own, unseen=unseen, exact=exact, always=filled
            )

    def parts() -> Generator[pa.Table, None, Ending]:
        gaps = rows = 0
        for found in stream.each(one):
            gaps, rows = gaps + found.gaps, rows + found.rows
            yield found.table
        return Ending(None, imputing.filled_said(gaps, rows))

    return PartsAnswer(parts(), number=stream.batches.num_rows * (draws or 1))


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def sample(opened: Opened, wanted: answering.SampleRequest) -> PartsAnswer:
    """Very many new rows of a table, some at a time; see `tacit.workflow.answering.sample`.

    The draws of a part depend on its number too, so the first rows of many are not those of few.
    """
    answering.check_samples(opened)
    size = table_batches.BATCH_ROWS

    def one(number: int) -> pa.Table:
        rows = min(size, wanted.number - number * size)
        part = dataclasses.replace(wanted, number=rows, seed=_seed(wanted.seed, number))
        found = answering.sample(opened, part)
        if not isinstance(found, TableAnswer):
            raise TypeError("rows of a table are drawn")
        return found.table

    def parts() -> Generator[pa.Table, None, Ending]:
        with compilation_cache():
            yield from ahead(one, range(-(-wanted.number // size)))
        return Ending()

    return PartsAnswer(parts(), number=wanted.number)
