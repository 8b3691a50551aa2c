"""Rows of totals below a table: found by what they are called and by what they hold, and left out."""

import dataclasses
import functools
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.errors import shown
from tacit.data.number_forms import Settled, numbers_of
from tacit.data.reading import NumberForm
from tacit.data.written import take_apart

_LABEL = re.compile(
    r"^\W*((grand|sub|over|all|running)?[\s-]?(total|totals|sum|sums|summe|summen|zwischensumme|gesamtsumme|gesamt|"
    r"insgesamt|somme|totale|totaux|suma|soma|subtotal|totaal|summa|итого|всего|合计|总计|合計|計|"
    r"average|averages|avg|mean|means|mittelwert|mittel|durchschnitt|moyenne|media|médias?|promedio|"
    r"median|std|stdev|min|max|minimum|maximum|count)|(total|sum|gesamt|average|mean)\s+\w.{0,20})\W*$",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    r"^\W*(\w+[\s-])?(sub)?(total|sum|gesamt|insgesamt|zwischen|somme|suma|soma|itogo|итого|всего|合|总|計)", re.I
)
"""What sums are called, beside means and other summaries."""
_CLOSE, _SURE = 1e-3, 1e-6
"""Relative differences: for a row with a label, and for one without."""


@dataclasses.dataclass(frozen=True)
class FoundTotals:
    """Whether rows at the end are left out, and what is said of it."""

    left_out: bool
    note: str = ""


def _label(row: Sequence[str]) -> str:
    """What a row is called, if it is called a total."""
    return next((cell.strip() for cell in row if _LABEL.match(cell.strip())), "")


def below(rows: Sequence[Sequence[str]]) -> int:
    """How many of the last rows of a table (as texts, the last ones) may be totals, with empty rows between.

    A row is taken for totals that is called so; or whose words are all missing where those of the rows above are not,
    with a number in it.
    """
    many, called = 0, False
    for place in range(len(rows) - 1, 0, -1):
        row = rows[place]
        empty = not any(cell.strip() for cell in row)
        if not (empty or _label(row) or (many == 0 and _without_words(row, rows[:place]))):
            break
        many += 1
        called = called or not empty
    return many if called else 0


def _without_words(row: Sequence[str], above: Sequence[Sequence[str]]) -> bool:
    words = [place for place in range(len(row)) if all(each[place].strip() for each in above)]
    words = [place for place in words if not any(re.search(r"\d", each[place]) for each in above)]
    filled = sum(bool(cell.strip()) for cell in row)
    return bool(words) and not any(row[place].strip() for place in words) and filled >= 2


def sums_up(
    rows: Sequence[Sequence[str]], columns: Sequence[pa.Array | pa.ChunkedArray], forms: Sequence[NumberForm]
) -> FoundTotals:
    """Whether the rows that may be totals are: their numbers are sums, means or the like of the rows above.

    Args:
        rows: as texts, those left out of ``columns``.
        columns: of the table.
        forms: how the numbers of each column are written.
    """
    named = [row for row in rows if any(cell.strip() for cell in row)]
    labels = [_label(row) for row in named]
    for row, label in zip(named, labels, strict=True):
        sums, others, cells = _alike(row, columns, forms, _CLOSE if label else _SURE)
        total = not label or _TOTAL.match(label)
        same = (sums + others if sums else 0) if total else sums + others
        enough = 2 * same >= cells > 0 if label else sums == cells and cells >= 2
        if not enough:
            said = f"the row {shown(', '.join(filter(None, row)))} at the end is called {label!r} but is no sum of the"
            return FoundTotals(False, f"{said} others: kept" if label else "")
    what = f"{labels[0]!r}" if labels[0] else shown(", ".join(filter(None, named[0])))
    rest = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return FoundTotals(True, f"the row of totals below the table ({what}{rest}) left out; --keep-totals keeps it")


def _alike(
    row: Sequence[str], columns: Sequence[pa.Array | pa.ChunkedArray], forms: Sequence[NumberForm], close: float
) -> tuple[int, int, int]:
    """How many numbers of a row are the sum of their column, how many another summary, and how many there are."""
    sums = others = cells = 0
    for text, column, form in zip(row, columns, forms, strict=True):
        if not text.strip() or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            continue
        written = take_apart(pa.array([text], pa.large_string()))
        ways = [form] if form.decimal else [dataclasses.replace(form, decimal=sign) for sign in ".,"]
        found = [numbers_of(written, Settled(each)).to_pylist()[0] for each in ways]
        values = [float(value) for value in found if value is not None]
        if not values:
            continue
        cells += 1
        numbers = pc.drop_null(column).cast(pa.float64())
        numbers = np.asarray(
            numbers.to_numpy(zero_copy_only=False) if isinstance(numbers, pa.Array) else numbers.to_numpy()
        )
        if numbers.size < 2:
            continue
        digits = len(text.strip().rpartition("." if "." in text else ",")[2]) if re.search("[.,]", text) else 0
        slack = 0.5000001 * 10.0 ** -min(digits, 12) if close == _CLOSE else 0.0
        near = [functools.partial(_near, value, close, slack) for value in values]
        if any(each(numbers.sum()) for each in near):
            sums += 1
            continue
        known = (numbers.mean(), np.median(numbers), numbers.std(), numbers.std(ddof=1), numbers.min(), numbers.max())
        others += any(each(float(summary)) for each in near for summary in (*known, numbers.size))
    return sums, others, cells


def _near(value: float, close: float, slack: float, other: float) -> bool:
    return bool(abs(value - other) <= max(close * abs(other), slack))
