"""How a table is to be read, as the user says it, and how one was read, as a run keeps it."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from tacit.data.errors import DataError

EXCEL_ERRORS = ("#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!")
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "?", "null", "NULL", "None", "<NA>", "NaT", *EXCEL_ERRORS)
"""Cells that count as missing in every column unless the user names others."""

DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|", "blank": " "}
"""Names for characters that are hard to type."""
SIGNS = {"point": ".", "dot": ".", "comma": ",", "blank": " ", "space": " ", "apostrophe": "'", "none": ""}
RETURNS = ("drop", "net")
DATES = ("parts", "days", "drop")
_THOUSANDS = (",", ".", " ", "'", "_", "")


@dataclasses.dataclass(frozen=True)
class NumberForm:
    """How the numbers of a column are written, beside plain digits.

    Attributes:
        decimal: "." or ","; "" where no cell has a decimal sign.
        thousands: what stands between thousands; "" for nothing.
        unit: what stands beside every number, such as ``kg`` or ``$``; "" for nothing.
        shares: whether per cents were turned into shares, because both stand in the column.
        magnitudes: whether ``k``, ``M`` and the like multiply.
    """

    decimal: str = ""
    thousands: str = ""
    unit: str = ""
    shares: bool = False
    magnitudes: bool = False


@dataclasses.dataclass(frozen=True)
class ReadAs:
    """How a table of text was read: what a run keeps, so that new data are read the same way.

    Attributes:
        encoding, delimiter: of the file.
        decimal: the sign that all columns with decimals have; "" where none has any, or they differ.
        thousands: what stands between thousands wherever something does; "" where nothing does, or it differs.
        columns: the form of the columns whose numbers are not plain.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = ""
    thousands: str = ""
    columns: Mapping[str, NumberForm] = dataclasses.field(default_factory=dict)

    def to_config(self) -> dict[str, Any]:
        """Plain values; `from_config` gives the same again."""
        columns = {name: _given(form, NumberForm()) for name, form in self.columns.items()}
        plain = {key: getattr(self, key) for key in ("encoding", "delimiter", "decimal", "thousands")}
        return plain | ({"columns": columns} if columns else {})

    @classmethod
    def from_config(cls, data: Mapping[str, Any]) -> Self:
        """The same again; what is not understood is left out."""
        found = {key: data[key] for key in ("encoding", "delimiter", "decimal", "thousands") if _is_text(data.get(key))}
        known = {field.name for field in dataclasses.fields(NumberForm)}
        columns = {
            str(name): NumberForm(**{key: value for key, value in form.items() if key in known})
            for name, form in (data.get("columns") or {}).items()
            if isinstance(form, Mapping)
        }
        return cls(**found, columns=columns)


@dataclasses.dataclass(frozen=True)
class ReadingOptions:
    """What the user knows about a table; what is not said is found out.

    Attributes:
        delimiter: one character between cells, or its name ("tab", "semicolon").
        decimal: "." or ",".
        thousands: what stands between thousands: "," "." " " "'" or "" for nothing.
        encoding: of the text, a Python codec name.
        header: the line of the file that names the columns, from 1 (True is 1); 0 or False where none does.
        skip_rows: how many lines at the top of the file are passed over.
        missing: the cells that count as missing, besides empty ones.
        sheet: of a workbook, by its name or its number from 1.
        keep_totals: whether a row of totals below the table is a row like the others; None is no.
        dates: what becomes of columns of dates: "parts" (days gone by, month, weekday, part of the day), "days" or
            "drop"; None is parts.
        returns: of a purchase log, what becomes of quantities below 0: "drop" or "net" (taken off what was bought);
            None is drop.
        fitted: how the table of a fit was read, where these are new data for it.
    """

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    header: int | None = None
    skip_rows: int = 0
    missing: Sequence[str] = MISSING
    sheet: str | None = None
    keep_totals: bool | None = None
    dates: str | None = None
    returns: str | None = None
    fitted: ReadAs | None = None

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of(cls, missing: Sequence[str] | None = None, **said: Any) -> Self:
        """What is said in words: names of signs are signs, and ``missing`` stands beside the usual signs."""
        for name, words in (("delimiter", DELIMITERS), ("decimal", SIGNS), ("thousands", SIGNS)):
            value = said.get(name)
            if isinstance(value, str):
                said[name] = words.get(value.lower(), value)
        return cls(missing=(*MISSING, *(missing or ())), **said)

    @property
    def usual_missing(self) -> bool:
        """Whether the usual signs for missing count, and with them those of columns of numbers."""
        return set(MISSING) <= set(self.missing)

    @property
    def own_missing(self) -> tuple[str, ...]:
        """The signs for missing that the user named."""
        return tuple(sign for sign in self.missing if sign not in MISSING)

    def to_config(self) -> dict[str, Any]:
        """What a run keeps of it: what was said, and nothing else."""
        said = _given(self, ReadingOptions())
        said.pop("fitted", None)
        if "missing" in said:
            said["missing"] = list(said["missing"])
        return said

    @classmethod
    def from_config(cls, data: Mapping[str, Any]) -> Self:
        """The same again from a run's config."""
        known = {field.name for field in dataclasses.fields(cls)} - {"fitted"}
        said = {key: value for key, value in data.items() if key in known}
        if "missing" in said:
            said["missing"] = tuple(said["missing"])
        return cls(**said)

    def over(self, asked: "ReadingOptions") -> "ReadingOptions":
        """How the same table is read once more: as the user says now, else as before."""
        said = _given(asked, ReadingOptions())
        if "missing" in said and asked.usual_missing:
            said["missing"] = (*self.missing, *(sign for sign in asked.missing if sign not in self.missing))
        return dataclasses.replace(self, **said)

    def for_new_data(self, asked: "ReadingOptions", found: ReadAs | None) -> "ReadingOptions":
        """How new data are read: as the user says now, else as the table of the fit was.

        Args:
            asked: what is said of the new data.
            found: how the table of the fit was read.
        """
        said = _given(asked, ReadingOptions())
        kept = {
            key: getattr(self, key) for key in ("decimal", "thousands", "missing", "sheet", "keep_totals", "returns")
        }
        if "missing" in said and asked.usual_missing:
            said["missing"] = (*self.missing, *(sign for sign in asked.missing if sign not in self.missing))
        if "decimal" in said or "thousands" in said:  # what was said then may not go with it
            kept["decimal"] = kept["thousands"] = None
        if self.header is not None and not self.header:
            kept["header"] = self.header
        return ReadingOptions(**{**kept, **said, "fitted": found})


def _given(value: Any, usual: Any) -> dict[str, Any]:
    """The fields that differ from the usual ones."""
    names = [field.name for field in dataclasses.fields(value)]
    return {name: getattr(value, name) for name in names if getattr(value, name) != getattr(usual, name)}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _check(options: ReadingOptions) -> None:
    """Refuse what cannot be meant; raises `DataError`."""
    delimiter, decimal, thousands = options.delimiter, options.decimal, options.thousands
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise DataError(f"delimiter {delimiter!r}: say one character, or tab, comma, semicolon, bar or blank.")
    if decimal not in (None, ".", ","):
        raise DataError(f"decimal {decimal!r}: say '.' or ','.")
    if thousands is not None and thousands not in _THOUSANDS:
        raise DataError(f"thousands {thousands!r}: say ',', '.', a blank, an apostrophe, or none.")
    if thousands and thousands == decimal:
        raise DataError(f"{decimal!r} cannot stand both before decimals and between thousands.")
    if options.header is not None and options.header < 0:
        raise DataError(f"header {options.header}: say the line of the heading, from 1; 0 where there is none.")
    if options.skip_rows < 0:
        raise DataError(f"{options.skip_rows} lines cannot be passed over: say 0 or more.")
    if options.header and options.skip_rows and options.header <= options.skip_rows:
        raise DataError(
            f"the heading cannot be line {options.header:d}: the first {options.skip_rows} are passed over. Lines are "
            "counted from the top of the file."
        )
    if options.returns not in (None, *RETURNS):
        raise DataError(f"returns {options.returns!r}: say drop or net.")
    if options.dates not in (None, *DATES):
        raise DataError(f"dates {options.dates!r}: say parts, days or drop.")
    if isinstance(options.missing, str) or not all(isinstance(sign, str) for sign in options.missing):
        raise DataError("missing: give a list of texts, such as ['-', '999'].")


def plain_number(text: str) -> float | None:
    """A sign for missing as a number, if it is one: ``-999`` also stands for ``-999.0``."""
    return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", text.strip()) else None


FOUND_OUT = ReadingOptions()
"""Nothing is said."""
