"""The rules for columns of text: categories, two values, identifiers, dates, numbers in disguise."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from tacit.data.cells import Words
from tacit.data.errors import DataError, counted, listed, place, shown
from tacit.data.verdicts import MOST_LEVELS, KindVerdict, constant, out, sounds_like_identifier

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
        cure = "group the rare ones, or make it categorical all the same"
        return out("text", f"too many levels ({different}); {cure}")
    return KindVerdict("categorical", f"{levels} {'codes' if words.has_leading_zeros else 'different texts'}")


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
        "the text as a sign for missing, or say what the column is: categorical or drop."
    )


def _is_date(texts: pa.Array) -> Bool[np.ndarray, " texts"]:
    found = np.zeros(len(texts), bool)
    for pattern in _DATES:
        found |= pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found
