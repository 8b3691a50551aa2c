"""Which kind each column of a table is, why, and which columns are left out.

The rules for columns of text: categories, two values, identifiers, dates, numbers in disguise.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from tacit.data.cells import Cells, ColumnsOneByOne, Words, cells_of
from tacit.data.encode import check_single_values, encode_column, only
from tacit.data.errors import DataError, counted, listed, nearest, place, quoted, shown
from tacit.data.levels import levels_of
from tacit.data.number_kinds import MOST_LEVELS, KindVerdict, Role, constant, judge_numbers, out, sounds_like_identifier
from tacit.data.ordinal import asks_order, declared, ordinal
from tacit.data.schema import KINDS, LEVELLED, ORDINAL, Column, Kind, Schema

_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = (
    r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T\s].*)?$",
    r"^\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})(\s.*)?$",
    rf"^\d{{1,2}}[-\s/.]+{_MONTH}[-\s/.,]+\d{{2,4}}(\s.*)?$",
    rf"^(?i:mon|tue|wed|thu|fri|sat|sun)?[a-z,\s]*{_MONTH}\s+\d{{1,2}},?\s+\d{{2,4}}(\s.*)?$",
    r"^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s?[aApP]\.?[mM]\.?)?$",
)
_MOSTLY = 0.9
_LONG = 60
_OFTEN, _MOST_KEPT, _KEPT = 10, 30, 0.5
"""Of too many levels those are kept that have 10 rows and 1 % of them, the 30 commonest at most, if they are together
half of the column; the others are one level."""


def judge_text(name: str, rows: int, words: Words, category: bool = False) -> KindVerdict | None:
    """The verdict on a column of text; None when all of it is numbers and the rules for those apply.

    Args:
        name: the heading.
        rows: how many there are, missing ones too.
        words: the cells.
        category: whether the table itself declares the column to be categories.

    Raises:
        DataError: nearly all cells are numbers and a few are not: the first is named.
    """
    if words.trouble and not category and len(words.texts) > 2:
        return out("text", words.trouble)
    if not category and not words.has_leading_zeros:
        numeric = ~np.isnan(words.parsed)
        if numeric.all():
            return None
        _refuse_stray_text(name, words, numeric)
    example = shown(words.texts[0].as_py())
    if len(words.texts) == 1:
        return constant(example, rows, int(words.counts.sum()))
    if not category and words.share(_is_date(words.texts)) >= _MOSTLY:
        return out("date", f"dates or times, such as {example}")
    return _judge_levels(name, words, category)


def _judge_levels(name: str, words: Words, category: bool) -> KindVerdict:
    levels, present = len(words.texts), int(words.counts.sum())
    if levels == 2 and present > 2:
        return KindVerdict("binary", "two different texts")
    different = f"{counted(levels, 'different text')} in {counted(present, 'row')}"
    long = pc.mean(pc.utf8_length(words.texts)).as_py() > _LONG
    if long and not category and levels >= _MOSTLY * present:
        return out("text", f"free text, such as {shown(words.texts[0].as_py())}; --model topics says what it is about")
    if levels >= _MOSTLY * present or (sounds_like_identifier(name) == "sure" and levels > 20):
        return out("identifier", f"an identifier: {different}")
    if category and levels <= MOST_LEVELS:
        return KindVerdict("categorical", f"{levels} categories, as the table says")
    if long:
        return out("text", f"free text, such as {shown(words.texts[0].as_py())}")
    if levels > MOST_LEVELS or present < 2.5 * levels:
        often = _frequent(words)
        if often.any() and words.share(often) >= _KEPT:
            return KindVerdict("categorical", different, rest=True)
        cure = "the rare ones together are most of it; make it categorical all the same, or leave it out"
        return out("text", f"too many levels ({different}); {cure}")
    return KindVerdict("categorical", f"{levels} {'codes' if words.has_leading_zeros else 'different texts'}")


def _frequent(words: Words) -> Bool[np.ndarray, " texts"]:
    """Which texts are levels of their own where there are too many: the commonest that have enough rows."""
    least = max(_OFTEN, round(0.01 * int(words.counts.sum())))
    often = words.counts >= least
    if often.sum() > _MOST_KEPT:
        often &= words.counts > np.sort(words.counts)[-_MOST_KEPT - 1]
    return np.asarray(often)


def _grouped(name: str, words: Words, verdict: KindVerdict) -> Column:
    """A column of texts whose rare levels are one."""
    often = _frequent(words)
    texts = words.texts.take(pa.array(np.flatnonzero(often))).to_pylist()
    rest = "other" if "other" not in texts else "other (rare)"
    levels = (*levels_of(Cells(name, len(texts), "text", words=Words(np.arange(len(texts)), pa.array(texts)))), rest)
    said = (
        f"{verdict.reason}: the {len(texts)} with {int(words.counts[often].min())} rows or more, and "
        f"{counted(int((~often).sum()), 'rare one')} as {rest!r}"
    )
    return Column(name, "categorical" if len(levels) > 2 else "binary", levels, said, rest)


def _refuse_stray_text(name: str, words: Words, numeric: Bool[np.ndarray, " texts"]) -> None:
    """Numbers with a few words among them are a mistake to be mended, unless they are few levels anyway."""
    share, strays = words.share(numeric), int((~numeric).sum())
    if len(words.texts) <= 20 or share < 0.5 or (strays > 5 and share < 0.95):
        return
    row = int(np.argmax(np.append(~numeric, False)[words.codes]))
    found = shown(words.texts[int(words.codes[row])].as_py())
    some = listed(words.texts.filter(pa.array(~numeric)).to_pylist(), 5)
    raise DataError(
        f"{place(name, row)}: {found} is not a number, and {share:.1%} of the column is numbers "
        f"({counted(int(words.counts[~numeric].sum()), 'cell')} of text in all: {some}). Correct them, name "
        f"the text as a sign for missing (--missing {_as_option(words, row)}), or say what the column is "
        f"(--kind {name}=categorical, or drop)."
    )


def _as_option(words: Words, row: int) -> str:
    """A text as it is typed on a command line."""
    text = str(words.texts[int(words.codes[row])].as_py())
    return text if re.fullmatch(r"[\w.,:/-]+", text) else shown(text)


def _is_date(texts: pa.Array) -> Bool[np.ndarray, " texts"]:
    found = np.zeros(len(texts), bool)
    for pattern in _DATES:
        found |= pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found


LEAVE_OUT = ("drop", "identifier", "date")
"""What an override may say to leave a column out."""


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A column that no model sees: its heading, the reason in plain words, and the role it plays instead."""

    name: str
    reason: str
    role: Role


def infer(table: ColumnsOneByOne, overrides: Mapping[str, str] | None = None) -> tuple[Schema, tuple[LeftOut, ...]]:
    """The schema of a table: a kind for every column worth modelling, each with its reason.

    The rules, in the order they are asked:

    1. What the user says (``overrides``: a kind, or "ordinal", with the order of texts as in
       ``ordinal:small<medium<large``, or "drop", "identifier", "date") is done, or refused with the first row that
       makes it impossible.
    2. Columns with nothing in them, with one value only, dates and times, and nested values are left out.
    3. Truth values and columns of two values are binary.
    4. Text with few levels is categorical; text that nearly always differs is an identifier and left out;
       text with too many levels to learn about is left out; text that is numbers (``$1,234``) is read so.
    5. Whole numbers that number the rows, or nearly all differ under a name such as ``CustomerID``, are
       identifiers and left out. Those that start at 0 without a gap, small ones the most common, are counts.
       A handful of different ones are codes: categorical. The others are measurements.
    6. Measurements are positive where they are above 0 and a log-normal fits clearly better than a normal
       (skewness ≥ 1 and 0.2 nats a row, on the middle 99 % of the rows), else continuous.

    Args:
        table: what was read.
        overrides: a kind for some columns by name.

    Returns:
        The schema, and the columns left out with their reasons, both in the order of the table.

    Raises:
        DataError: no rows; an override that names no column, or cannot be; text among numbers; infinite
            values; nothing left to model.
    """
    chosen = dict(overrides or {})
    _check_overrides(table, chosen)
    if table.num_rows == 0:
        raise DataError("the table has a heading but no rows.")
    columns: list[Column] = []
    left: list[LeftOut] = []
    for name in table.column_names:
        cells = cells_of(name, only(table, name))
        found = forced(cells, chosen[name]) if name in chosen else _judged(cells)
        (columns if isinstance(found, Column) else left).append(found)  # type: ignore[arg-type]
    if not columns:
        reasons = "; ".join(f"{entry.name}: {entry.reason}" for entry in left[:12])
        raise DataError(
            f"no column is left to model ({reasons}). Say what a column is, for instance "
            f"{left[0].name}=continuous, to keep it."
        )
    return Schema(tuple(columns)), tuple(left)


def _check_overrides(table: ColumnsOneByOne, overrides: Mapping[str, str]) -> None:
    for name, kind in overrides.items():
        if name not in table.column_names:
            close = nearest(name, table.column_names)
            raise DataError(f"no column {name!r} to make {kind}; there are {listed(table.column_names, 20)}.{close}")
        every = (*KINDS, ORDINAL, *LEAVE_OUT)
        if kind not in every and not asks_order(kind):
            raise DataError(f"{quoted(name)} cannot be {kind!r}; say one of {listed(every)}.{nearest(kind, every)}")


def _judged(cells: Cells) -> Column | LeftOut:
    verdict = judge(cells)
    cells = cells.as_one()
    if verdict.kind is None:
        return LeftOut(cells.name, verdict.reason, verdict.role or "asked")
    if verdict.rest and cells.words is not None:
        return _grouped(cells.name, cells.words, verdict)
    levels = levels_of(_numbers_in_disguise(cells)) if verdict.kind in LEVELLED else None
    order = declared(cells) if verdict.kind in LEVELLED else None
    if order is not None and set(order) == set(levels or ()):
        ordered = verdict.kind == "categorical"  # of two levels either order is one
        return Column(cells.name, verdict.kind, order, f"{verdict.reason}, in order", ordered=ordered)
    merged = () if cells.words is None or levels is None else cells.words.merged
    reason = verdict.reason
    if merged:
        said = ", ".join(dict.fromkeys(_as_one(one, other) for one, other in merged[:6]))
        reason = f"{reason}{AS_ONE}{said}"
    return Column(cells.name, verdict.kind, levels, reason)


AS_ONE = "; taken as one: "
"""What stands before the spellings of a level in the reason of a column."""


def _as_one(one: str, other: str) -> str:
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return f"{shown(other)} with composed and decomposed accents"
    return f"{shown(one)} for {shown(other)}"


def judge(cells: Cells) -> KindVerdict:
    """The verdict of the rules on one column."""
    if cells.origin == "empty":
        return out("empty", "every value is missing")
    if cells.origin == "time":
        return out("date", "dates or times")
    if cells.origin == "other":
        return out("nested", "lists, records or raw bytes, not single values")
    if cells.words is not None and cells.words.beyond and not cells.category:
        return _judge_long_numbers(cells.name, cells.rows, cells.words)
    if cells.words is not None:
        words = cells.words if cells.category else cells.words.as_one()
        verdict = judge_text(cells.name, cells.rows, words, cells.category)
        if verdict is not None:
            return verdict
    numbers, _ = cells.as_numbers()
    verdict = judge_numbers(cells.name, numbers, cells.origin == "truth")
    if cells.words is not None and cells.origin == "text":
        return dataclasses.replace(verdict, reason=verdict.reason + ", stored as text")
    if cells.category and verdict.role is None and verdict.kind != "binary":
        levels = len(np.unique(numbers[~np.isnan(numbers)]))
        return KindVerdict("categorical", f"{levels} categories, as the table says")
    return verdict


def _judge_long_numbers(name: str, rows: int, words: Words) -> KindVerdict:
    """The verdict on whole numbers of so many digits that they name something, and measure nothing."""
    levels, present = len(words.texts), int(words.counts.sum())
    if levels == 1:
        return constant(str(words.texts[0].as_py()), rows, present)
    digits = pc.max(pc.utf8_length(words.texts)).as_py()
    if levels == 2 and present > 2:
        return KindVerdict("binary", f"two different numbers of {digits} digits")
    different = f"{counted(levels, 'different whole number')} of {digits} digits in {counted(present, 'row')}"
    if levels > MOST_LEVELS or present < 2.5 * levels or (sounds_like_identifier(name) == "sure" and levels > 20):
        return out("identifier", f"an identifier: {different}")
    return KindVerdict("categorical", f"{levels} codes of {digits} digits")


def _numbers_in_disguise(cells: Cells) -> Cells:
    """Text that is all numbers, as numbers; everything else as it is."""
    words = cells.words
    if words is None or cells.category or words.has_leading_zeros or words.beyond or np.isnan(words.parsed).any():
        return cells
    return dataclasses.replace(cells, origin="number", numbers=cells.as_numbers()[0], words=None)


def forced(cells: Cells, kind: str) -> Column | LeftOut:
    """A column as the user wants it, or `DataError` with the first row that makes it impossible."""
    if kind == "drop":
        return LeftOut(cells.name, "left out as asked", "asked")
    if kind in ("identifier", "date"):
        role: Role = "identifier" if kind == "identifier" else "date"
        return LeftOut(cells.name, f"{'an identifier' if kind == 'identifier' else 'a date'}, as asked", role)
    if cells.origin == "empty":
        raise DataError(f"{quoted(cells.name)} cannot be {kind}: every value is missing. Leave it out.")
    check_single_values(cells, kind)
    if asks_order(kind):
        return ordinal(_numbers_in_disguise(cells.as_one()), kind)
    wanted: Kind = next(known for known in KINDS if known == kind)
    levels = None
    if wanted in LEVELLED:
        cells = cells.as_one()
        cells = _numbers_in_disguise(cells)
        levels = levels_of(cells)
        if wanted == "binary" and levels in ((0,), (1,)):
            levels = (0, 1)  # the other one has not been seen, as in a pixel that is always white
        if wanted == "binary" and len(levels) != 2:
            raise DataError(_not_binary(cells, len(levels)))
    column = Column(cells.name, wanted, levels, f"{kind}, as asked")
    encode_column(cells, column)
    return column


def _not_binary(cells: Cells, levels: int) -> str:
    """Why a column cannot be binary, with the row where a third value first stands."""
    if levels < 2:
        return f"{quoted(cells.name)} cannot be binary: it has one value only. Leave it out."
    codes = cells.words.codes if cells.words is not None else cells.as_numbers()[0]
    present = np.flatnonzero(~cells.missing())
    _, first = np.unique(codes[present], return_index=True)
    row = int(present[np.sort(first)[2]])
    return (
        f"{quoted(cells.name)} cannot be binary: it has {counted(levels, 'different value')}, and a third "
        f"one, {shown(cells.at(row))}, stands in row {row + 1}. Make it categorical, or correct it."
    )
