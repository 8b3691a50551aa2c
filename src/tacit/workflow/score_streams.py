"""Scores of rows that stay in their files: in bounded memory, with reasons for the oddest of all of them."""

import dataclasses
import tempfile
import time
from collections.abc import Generator, Iterator
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
from jaxtyping import Bool, Float, Int

from tacit.data.dataset import DenseRows
from tacit.data.table_batches import TableBatch
from tacit.workflow.answers import FIRST_ROWS, Ending, PartsAnswer
from tacit.workflow.predicting import TargetTally, scored_targets
from tacit.workflow.scoring import (
    GAPS_SAID,
    Measure,
    check_alarm_of_target,
    first_of,
    gaps_last,
    usual_of_gaps,
)
from tacit.workflow.sources import Rows, WholeSource
from tacit.workflow.streams import Stream, pace

MOST_PATTERNS = 4096
"""Sets of missing columns that are told apart; rows with a set that came later count as such whose usual score is not
known."""
COMPACTED = 8
"""Batches after which what is kept of them is cut down to what can still be among the oddest."""


class OddCandidates(NamedTuple):
    """Rows that may be among the oddest of all."""

    answers: pa.Table
    values: Float[np.ndarray, "rows columns"]
    scores: Float[np.ndarray, " rows"]
    pattern: Int[np.ndarray, " rows"]
    """Which set of columns is missing; 0 for none."""

    def take(self, places: Int[np.ndarray, " chosen"]) -> "OddCandidates":
        """Some of them."""
        return OddCandidates(
            self.answers.take(pa.array(places)), self.values[places], self.scores[places], self.pattern[places]
        )


class Oddest:
    """The least likely rows of all that came by: of complete ones, and of those with each set of gaps, so many.

    Args:
        most: how many of each.
    """

    def __init__(self, most: int) -> None:
        self._most = max(most, 1)
        self._kept: list[OddCandidates] = []
        self._known: dict[bytes, int] = {}
        self._counts: list[int] = [0]
        self._patterns: list[np.ndarray] = []
        self.rows = 0

    def add(self, answers: pa.Table, values: np.ndarray, scores: np.ndarray) -> None:
        """Some more rows, in their order."""
        missing = np.isnan(values)
        gaps = missing.any(axis=1)
        pattern = np.zeros(len(scores), np.int64)
        if gaps.any():
            pattern[gaps] = self._numbered(missing[gaps])
        self._counts[0] += int(len(scores) - gaps.sum())
        self.rows += len(scores)
        places = _lowest(scores, pattern, self._most)
        self._kept.append(
            OddCandidates(answers.take(pa.array(places)), np.array(values[places]), scores[places], pattern[places])
        )
        if len(self._kept) > COMPACTED:
            self._kept = [self.found()]

    def _numbered(self, missing: Bool[np.ndarray, "rows columns"]) -> Int[np.ndarray, " rows"]:
        packed = np.packbits(missing, axis=1)
        keys, place, counts = np.unique(
            packed.view(f"V{packed.shape[1]}").ravel(), return_inverse=True, return_counts=True
        )
        numbers = np.empty(len(keys), np.int64)
        for at, key in enumerate(keys.tolist()):
            if key not in self._known and len(self._known) < MOST_PATTERNS:
                self._known[key] = len(self._counts)
                self._counts.append(0)
                bits = np.frombuffer(key, np.uint8)
                self._patterns.append(np.unpackbits(bits, count=missing.shape[1]).astype(bool))
            numbers[at] = self._known.get(key, -1)
            if numbers[at] > 0:
                self._counts[numbers[at]] += int(counts[at])
        return numbers[place.ravel()]

    def found(self) -> OddCandidates:
        """What is kept, in the order of the rows."""
        kept = self._kept
        whole = OddCandidates(
            pa.concat_tables([each.answers for each in kept]),
            *(np.concatenate(leaves) for leaves in zip(*(each[1:] for each in kept), strict=True)),
        )
        return whole.take(_lowest(whole.scores, whole.pattern, self._most))

    def in_order(self, measure: Measure) -> tuple[OddCandidates, np.ndarray, np.ndarray]:
        """What is kept, which of it counts as rows with gaps, and its order, as `scoring.score` has them."""
        found = self.found()
        complete = self._counts[0]
        gaps = (found.pattern != 0) & (0 < complete < self.rows)
        usual = np.zeros(int(gaps.sum()))
        if gaps.any():
            patterns = np.array(self._patterns)
            counts, order = np.array(self._counts[1:]), np.lexsort(patterns.T[::-1])
            each = np.empty(len(patterns))
            each[order] = usual_of_gaps(measure.opened, patterns[order], counts[order], measure.by_ratio)
            usual = np.append(each, 0.0)[np.where(found.pattern[gaps] < 0, -1, found.pattern[gaps] - 1)]
        return found, gaps, gaps_last(found.scores, gaps, usual)


def _lowest(scores: np.ndarray, pattern: np.ndarray, most: int) -> np.ndarray:
    """The places of the so many lowest scores of each pattern, in their order; of equal scores the first."""
    if not pattern.any():
        at_most = np.partition(scores, most - 1)[most - 1] if most < scores.size else np.inf
        near = np.flatnonzero(scores <= at_most)
        return np.sort(near[np.argsort(scores[near], kind="stable")][:most])
    order = np.lexsort((scores, pattern))
    first = np.flatnonzero(np.diff(pattern[order], prepend=pattern[order[0]] - 1))
    rank = np.arange(order.size) - np.repeat(first, np.diff(np.append(first, order.size)))
    return np.sort(order[rank < most])


class _Part(NamedTuple):
    """What is said of a batch."""

    table: pa.Table
    rows: Rows
    scores: np.ndarray


def score(stream: Stream, alarm: float | None = None, explain: int = 10) -> PartsAnswer:
    """Score rows that stay in their files; see `tacit.workflow.scoring.score`, whose numbers these are.

    Where the oddest of all rows get a reason, what is said of the rows lies in a temporary file (some 24 bytes a row)
    until all have been seen; else it is given as it comes.

    Args:
        stream: the rows.
        alarm: the share of ordinary rows that may be flagged; None flags none.
        explain: how many of the least likely rows get a reason where there is no alarm.

    Raises:
        ModelFileError: see `tacit.workflow.scoring.score`.
    """
    check_alarm_of_target(stream.opened, alarm)
    if stream.opened.target is not None:
        return PartsAnswer(_of_targets(stream))
    measure = Measure.of(stream.opened, alarm)
    if alarm is not None:
        return PartsAnswer(_flagged(stream, measure), wrap="why", number=stream.batches.num_rows)
    return PartsAnswer(_explained(stream, measure, explain), wrap="why", number=stream.batches.num_rows)


def _scored(stream: Stream, measure: Measure) -> Iterator[_Part]:
    def one(batch: TableBatch) -> _Part:
        rows = stream.rows(batch)
        columns, scores = measure.columns(rows)
        if measure.alarm is not None:
            columns["why"] = measure.why(rows, np.flatnonzero(np.asarray(columns["odd"])))
        return _Part(pa.table(columns), rows, scores)

    return stream.each(one)


def _flagged(stream: Stream, measure: Measure) -> Generator[pa.Table, None, Ending]:
    """Every odd row has its reason."""
    oddest, began, flagged = Oddest(FIRST_ROWS), time.perf_counter(), 0
    for part in _scored(stream, measure):
        oddest.add(part.table, np.asarray(part.rows.values), part.scores)
        flagged += pc.sum(part.table.column("odd")).as_py() or 0
        yield part.table
    found, gaps, order = oddest.in_order(measure)
    told = order[found.answers.column("odd").to_numpy()[order]]
    return _ending(stream, measure, found.answers.take(pa.array(told[:FIRST_ROWS])), flagged, gaps, began)


def _explained(stream: Stream, measure: Measure, explain: int) -> Generator[pa.Table, None, Ending]:
    """The oddest of all rows have a reason, which nobody knows before all have been seen."""
    oddest, began, part = Oddest(max(FIRST_ROWS, explain)), time.perf_counter(), None
    nothing = pa.nulls(0, pa.string())
    with tempfile.TemporaryFile() as file:
        writer = None
        for part in _scored(stream, measure):
            oddest.add(part.table, np.asarray(part.rows.values), part.scores)
            if explain:
                writer = ipc.new_stream(file, part.table.schema) if writer is None else writer
                writer.write_table(part.table)
            else:
                yield _with(part.table, pa.nulls(len(part.table), pa.string()))
        found, gaps, order = oddest.in_order(measure)
        told = first_of(order, gaps, explain)
        said = nothing if part is None else _reasons(measure, part.rows, found, told)
        shown = first_of(order, gaps, FIRST_ROWS, together=True)
        why = np.full(len(found.scores), None, object)
        why[told] = said.to_pylist()
        if writer is not None:
            writer.close()
            file.seek(0)
            numbers = found.answers.column("row").to_numpy()[told]
            yield from _again(file, dict(zip(numbers.tolist(), said.to_pylist(), strict=True)))
    table = _with(found.answers, pa.array(why.tolist(), pa.string())).take(pa.array(shown))
    return _ending(stream, measure, table, 0, gaps, began)


def _reasons(measure: Measure, rows: Rows, found: OddCandidates, told: np.ndarray) -> pa.Array:
    """The reasons of some of the rows that were kept."""
    kept = dataclasses.replace(rows, whole=WholeSource(DenseRows(found.values)), places=None)
    return measure.why(kept, told).take(pa.array(told))


def _again(file: IO[bytes], why: dict[int, str | None]) -> Iterator[pa.Table]:
    """What was written first, with the reasons of some rows by their numbers."""
    first = 0
    for batch in ipc.open_stream(file):
        texts: list[str | None] = [None] * len(batch)
        for number in [each for each in why if first < each <= first + len(batch)]:
            texts[number - 1 - first] = why[number]
        first += len(batch)
        yield _with(pa.Table.from_batches([batch]), pa.array(texts, pa.string()))


def _with(table: pa.Table, why: pa.Array) -> pa.Table:
    return table.append_column("why", why)


def _ending(stream: Stream, measure: Measure, shown: pa.Table, flagged: int, gaps: np.ndarray, began: float) -> Ending:
    number = stream.batches.num_rows
    remarks = (*measure.summary(number, flagged), pace(number, time.perf_counter() - began))
    return Ending(shown, (*remarks, GAPS_SAID) if gaps.any() else remarks)


def _of_targets(stream: Stream) -> Generator[pa.Table, None, Ending]:
    """``log p(target | columns)`` of the rows whose target is known."""
    began, tally = time.perf_counter(), TargetTally(stream.opened)
    least: pa.Table | None = None

    def one(batch: TableBatch) -> tuple[pa.Table, TargetTally] | None:
        rows = stream.rows(batch, with_target=True)
        return scored_targets(stream.opened, rows) if len(rows) else None

    for part in stream.each(one):
        if part is not None:
            table, own = part
            tally = tally.plus(own)
            both = table if least is None else pa.concat_tables([least, table])
            least = both.take(pa.array(_lowest_first(both)))
            yield table
    tally = dataclasses.replace(tally, without=stream.batches.num_rows - tally.rows)
    return Ending(least, (tally.said(), pace(stream.batches.num_rows, time.perf_counter() - began)))


def _lowest_first(table: pa.Table) -> np.ndarray:
    return np.argsort(table.column("log_density").to_numpy(), kind="stable")[:FIRST_ROWS]
