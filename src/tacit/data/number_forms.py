"""What the numbers of a column mean: decimal point or decimal comma, thousands, units, per cents.

It is settled for each column from all of its cells. Where they leave it open (``1,234`` in every row), what is said
decides, then how the table of the fit was read, then the other columns of the file; else it is said to be open.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from tacit.data.errors import shown
from tacit.data.reading import FOUND_OUT, NumberForm, ReadAs, ReadingOptions
from tacit.data.written import CURRENCIES, SYMBOLS, Written, values_of

OTHER = {".": ",", ",": "."}
NAMES = {".": "points", ",": "commas", " ": "blanks", "'": "apostrophes", "_": "low lines"}
_MOST_UNITS = 6
"""Different units of a column that are listed."""


class Contradiction(Exception):
    """A cell that says the opposite of what is known; `text` is its place among the texts of the column."""

    def __init__(self, text: int, what: str) -> None:
        super().__init__(what)
        self.text, self.what = text, what


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of numbers before a column is looked at.

    Attributes:
        options: what the user says, and how the table of the fit was read.
        delimiter: between the cells of this file; "" where there are none.
        sign: the decimal sign of those columns of this file that leave no doubt; "" for none, or both.
        elsewhere: the decimal signs that columns have without doubt in other files of the same table.
        around: all decimal signs of those.
    """

    options: ReadingOptions = FOUND_OUT
    delimiter: str = ""
    sign: str = ""
    elsewhere: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    around: frozenset[str] = frozenset()

    @property
    def said(self) -> str:
        """The decimal sign that the user says, or that follows from what stands between thousands."""
        return self.options.decimal or OTHER.get(self.options.thousands or "", "")

    @property
    def fitted(self) -> ReadAs | None:
        """How the table of the fit was read."""
        return self.options.fitted

    @property
    def same(self) -> bool:
        """Whether this file has the separator of the fit's."""
        return self.fitted is not None and self.delimiter in ("", self.fitted.delimiter)

    def of_fit(self, name: str) -> NumberForm:
        """How this column was read at the fit."""
        if self.fitted is None:
            return NumberForm()
        form = self.fitted.columns.get(name, NumberForm())
        both = form.decimal or self.fitted.decimal, form.thousands or self.fitted.thousands
        return dataclasses.replace(form, decimal=both[0], thousands=both[1])


@dataclasses.dataclass(frozen=True)
class Settled:
    """A column of numbers, or the reason why it is none.

    Attributes:
        form: how they are written; None where the texts are no numbers of one kind.
        mixed: whether points and commas both stand before decimals.
        open: a number that could have been read otherwise; "" where none could.
        notes: what is to be said, each a text to follow the name of the column.
        trouble: why numbers stay texts, in words; "" for nothing to say.
    """

    form: NumberForm | None
    mixed: bool = False
    open: str = ""
    notes: tuple[str, ...] = ()
    trouble: str = ""


def settle(name: str, written: Written, chosen: Bool[np.ndarray, " texts"], known: Known) -> Settled:
    """How the numbers of a column are written.

    Args:
        name: the heading.
        written: its different texts.
        chosen: those that are to be numbers (the others mean missing, or are in the way).
        known: what is known beforehand.

    Raises:
        Contradiction: a text contradicts what the user says or how the fit's table was read.
    """
    number = written.number & chosen
    if not number.any():
        return Settled(None)
    units, notes, trouble = _unit(name, written, number, known)
    if units is None:
        return Settled(None, trouble=trouble)
    if written.coded[number].any() and written.digits_only[number].all():
        return Settled(None)  # codes, such as 007
    pointed, commaed = (bool((kind & number).any()) for kind in (written.surely_pointed, written.surely_commaed))
    doubtful = np.flatnonzero(written.open & number)
    decimal = _decided(name, written, number, known)
    form = dataclasses.replace(units, decimal=decimal, thousands=_thousands(written, number, decimal))
    if not decimal and pointed and commaed:
        if doubtful.size:
            example = shown(written.texts[int(doubtful[0])].as_py())
            return Settled(
                None, trouble=f"some numbers have decimal points, others decimal commas, and {example} is open"
            )
        return Settled(form, mixed=True, notes=("has decimal points and decimal commas", *notes))
    open_text = ""
    if not decimal and doubtful.size:
        open_text = str(written.texts[int(doubtful[0])].as_py())
        sign = "," if "," in open_text else "."
        decimal = "."  # commas between thousands, points before decimals
        form = dataclasses.replace(form, decimal=decimal, thousands=_thousands(written, number, decimal))
        if sign == "." and known.delimiter == ",":
            open_text = ""
    return Settled(form, False, open_text, notes)


def _decided(name: str, written: Written, number: Bool[np.ndarray, " texts"], known: Known) -> str:
    """The decimal sign of a column; "" where nothing tells, or both signs stand there."""
    sure = {".": written.surely_pointed & number, ",": written.surely_commaed & number}
    own = [sign for sign, found in sure.items() if found.any()]
    if known.said:
        _refuse(written, sure[OTHER[known.said]], f"is no number with decimal {NAMES[known.said]}, as is said")
        _check_thousands(written, number, known)
        return known.said
    fit = known.of_fit(name)
    if fit.decimal and known.same:
        cure = "and the table of the fit had"
        _refuse(
            written, sure[OTHER[fit.decimal]], f"has a decimal {_one(OTHER[fit.decimal])}, {cure} {_one(fit.decimal)}s"
        )
        sign = OTHER[fit.decimal]
        beside = _has(written, sign) & written.open & number
        if fit.thousands != sign and not (sign == "," and known.delimiter == ",") and not sure[fit.decimal].any():
            _refuse(
                written, beside, f"is open: {cure} decimal {NAMES[fit.decimal]} and no {NAMES[sign]} between thousands"
            )
        return fit.decimal
    if len(own) == 1:
        return own[0]
    if own:
        return ""
    open_ones = written.open & number
    if not open_ones.any():
        return known.sign or fit.decimal
    if known.around and not (known.delimiter == "," and not known.sign):
        return _by_other_files(name, written, open_ones, known)
    if known.sign:
        return known.sign
    if fit.decimal and known.delimiter == ",":
        return "."  # plain CSV, as other programs and tacit itself write it
    if fit.decimal:
        _refuse(written, open_ones, "is open, for this table is not separated as that of the fit was")
    return ""


def _by_other_files(name: str, written: Written, open_ones: Bool[np.ndarray, " texts"], known: Known) -> str:
    """The decimal sign of an open column beside files that are written otherwise; refuses what stays open."""
    others = known.elsewhere.get(name, frozenset())
    if known.sign and OTHER[known.sign] in others:
        here, there = _one(known.sign), _one(OTHER[known.sign])
        _refuse(
            written,
            open_ones,
            f"is open: other columns of its file have a decimal {here}, and this one has a decimal {there} in others",
        )
    if not known.sign and len(others) != 1:
        have = "decimal " + " and ".join(NAMES[sign] for sign in sorted(others or known.around, reverse=True))
        _refuse(
            written, open_ones, f"is open: nothing in its file tells, and other files, written otherwise, have {have}"
        )
    return known.sign or next(iter(others))


def _one(sign: str) -> str:
    return NAMES[sign][:-1]


def _has(written: Written, sign: str) -> Bool[np.ndarray, " texts"]:
    return np.array([sign in (text or "") for text in written.body.to_pylist()], bool)


def _refuse(written: Written, bad: Bool[np.ndarray, " texts"], what: str) -> None:
    if bad.any():
        place = int(np.argmax(bad))
        raise Contradiction(place, f"{shown(written.texts[place].as_py())} {what}")


def _check_thousands(written: Written, number: Bool[np.ndarray, " texts"], known: Known) -> None:
    """Refuse signs between thousands other than the one that is said."""
    if known.options.thousands is None:
        return
    for sign in NAMES:
        if sign not in (known.options.thousands, known.said):
            wanted = NAMES.get(known.options.thousands, "nothing")
            _refuse(written, number & _has(written, sign), f"has {NAMES[sign]}, and {wanted} between thousands is said")


def _thousands(written: Written, number: Bool[np.ndarray, " texts"], decimal: str) -> str:
    for sign in (OTHER.get(decimal, ""), " ", "'", "_"):
        if sign and (written.grouped(sign) & number).any():
            return sign
    return ""


def _unit(
    name: str, written: Written, number: Bool[np.ndarray, " texts"], known: Known
) -> tuple[NumberForm | None, tuple[str, ...], str]:
    """The unit of a column, what is to be said of it, and, where there is not one, what is to be said of that."""
    letters, units = written.letter[number], written.unit[number]
    multiplied = len(np.unique(letters.astype(str))) > 1
    if not multiplied and letters[0]:
        units = np.array([f"{unit}{letter}" for unit, letter in zip(units, letters, strict=True)], object)
    counts: dict[str, int] = {}
    for unit in units.tolist():
        counts[_key(unit)] = counts.get(_key(unit), 0) + 1
    bare = counts.pop("", 0)
    found = {_key(unit): unit for unit in reversed(units.tolist())}
    if len(counts) > 1:
        once = sum(counts.values()) == len(counts)  # "1 very well", "2 quite well": names
        return None, (), _several(counts, found, once=once)
    fit = known.of_fit(name)
    key = next(iter(counts), "")
    unit = found[key]
    if key and fit.unit and _key(fit.unit) != key:
        other = number & (written.unit != "")
        _refuse(written, other, f"is in {unit}, and the column of the fit was in {fit.unit}")
    shares = key == "%" and (fit.shares or (bool(bare) and _are_shares(written, number)))
    notes = []
    if multiplied:
        notes.append(f"has {', '.join(sorted(set(letters.tolist()) - {''}))} behind numbers, which multiply them")
    if shares:
        notes.append("has per cents beside shares: 45% is read as 0.45")
    elif key and bare:
        notes.append(f"has {unit!r} beside some numbers only: all are taken to be in it")
    elif key:
        notes.append(f"is in {unit!r}")
    return NumberForm(unit=unit, shares=shares, magnitudes=multiplied), tuple(notes), ""


def _key(unit: str) -> str:
    """A unit without what people vary: ``Years`` and ``year`` are one."""
    low = unit.casefold() if len(unit) > 1 else unit
    return low[:-1] if len(low) > 3 and low.endswith("s") else low


def _are_shares(written: Written, number: Bool[np.ndarray, " texts"]) -> bool:
    """Whether what stands without a sign for per cent is a share: from −1 to 1, where per cents are larger."""
    values = values_of(written, NumberForm(decimal="," if (written.surely_commaed & number).any() else "."))
    numbers = np.abs(np.asarray(values.to_numpy(zero_copy_only=False), float))
    with_sign = number & (written.unit == "%")
    rest = numbers[number & ~with_sign]
    broken = bool(np.any(rest != np.round(rest)))
    return broken and bool(np.nanmax(rest, initial=0) <= 1 < np.nanmax(numbers[with_sign], initial=0))


def _several(counts: dict[str, int], found: dict[str, str], *, once: bool) -> str:
    """Several units in words; "" where they are so many that they are none, or each stands with one number only."""
    listed = ", ".join(found[key] for key in sorted(counts, key=lambda key: -counts[key]))
    money = all(key[0] in SYMBOLS or key.upper() in CURRENCIES for key in counts)
    if len(counts) > _MOST_UNITS or (once and not money):
        return ""
    return f"numbers in several {'currencies' if money else 'units'} ({listed}): bring them to one"


def numbers_of(written: Written, settled: Settled) -> pa.Array:
    """The numbers of a column, null where a text is none."""
    form = settled.form or NumberForm()
    if not settled.mixed:
        return values_of(written, form)
    both = [values_of(written, dataclasses.replace(form, decimal=sign)).cast(pa.float64()) for sign in ".,"]
    return pc.if_else(pa.array(written.surely_commaed), both[1], both[0])
