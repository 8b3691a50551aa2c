"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods): one sheet as text, so that all rules for text tables hold for it."""

import csv
import dataclasses
import datetime
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import python_calamine

from tacit.data.errors import DataError, brief, listed, nearest
from tacit.data.reading import ReadingOptions
from tacit.data.text_files import TextSource

_LARGEST = 4 * 2**30
"""Bytes that a workbook may have once it is unpacked."""
_EXACT = 2.0**53

Cell = int | float | str | bool | datetime.time | datetime.date | datetime.datetime | datetime.timedelta | None


def sheet_of(data: Path | bytes, label: str, options: ReadingOptions) -> TextSource:
    """One sheet of a workbook as text: the one that is named, or the first with anything on it.

    Args:
        data: the file, or its bytes.
        label: what it is called in messages.
        options: what the user knows, among it the sheet by name or number (from 1).

    Raises:
        DataError: damaged, locked, empty, or no such sheet; the sheets are named.
    """
    _check_size(data, label)
    try:
        with _opened(data) as book:
            name, notes = _sheet(book, label, options.sheet)
            rows = _rows(book, name)
    except DataError:
        raise
    except python_calamine.PasswordError:
        raise DataError(f"{label} is locked with a password. Save it without one.") from None
    except (python_calamine.CalamineError, OSError, ValueError, OverflowError, IndexError, TypeError) as error:
        raise DataError(f"{label} is not a readable workbook: it is damaged or cut short ({brief(error)}).") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how a fault in the library's own language comes here
            raise
        raise DataError(f"{label} is not a readable workbook: it is damaged ({brief(error)}).") from None
    if not rows:
        raise DataError(f"{label}: the sheet {name!r} is empty: expected a heading and rows.")
    text = _as_text(rows, "," if options.decimal == "," else ".")
    asked = dataclasses.replace(options, delimiter=",", encoding="utf-8", sheet=None)
    return TextSource(lambda: pa.BufferReader(text), f"{label}, sheet {name!r}", asked, notes=tuple(notes))


def _opened(data: Path | bytes) -> python_calamine.CalamineWorkbook:
    if isinstance(data, Path):
        return python_calamine.CalamineWorkbook.from_path(data)
    return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))


def _check_size(data: Path | bytes, label: str) -> None:
    """Refuse a small file that unpacks to more than any table needs."""
    source = data if isinstance(data, Path) else io.BytesIO(data)
    if not zipfile.is_zipfile(source):
        return  # an .xls
    try:
        with zipfile.ZipFile(source) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise DataError(f"{label} is not a readable workbook: it is damaged ({brief(error)}).") from None
    if size > _LARGEST:
        raise DataError(f"{label} unpacks to {size:,} bytes, and workbooks of {_LARGEST:,} at most are read.")


def _sheet(book: python_calamine.CalamineWorkbook, label: str, asked: str | None) -> tuple[str, list[str]]:
    """The name of the sheet that is meant, and a note where there are others."""
    names = list(book.sheet_names)
    if asked is not None:
        if asked in names:
            return asked, []
        if asked.isdecimal() and 1 <= int(asked) <= len(names):
            return names[int(asked) - 1], []
        raise DataError(f"{label} has no sheet {asked!r}; there are {listed(names, 20)}.{nearest(asked, names)}")
    hidden = {sheet.name for sheet in book.sheets_metadata if sheet.visible != python_calamine.SheetVisibleEnum.Visible}
    filled = [name for name in names if name not in hidden and _size(book, name)]
    if not filled:
        raise DataError(f"{label} has nothing on its sheets ({listed(names, 20) or 'there is none'}).")
    others = [name for name in filled if name != filled[0]]
    if not others:
        return filled[0], []
    return filled[0], [
        f"of {len(filled)} sheets the first, {filled[0]!r}, is read; --sheet names another: {listed(others, 20)}"
    ]


def _size(book: python_calamine.CalamineWorkbook, name: str) -> int:
    """How many cells a sheet spans; 0 of what is no sheet of cells, such as a chart."""
    try:
        sheet = book.get_sheet_by_name(name)
    except python_calamine.CalamineError:
        return 0
    return sheet.height * sheet.width


def _rows(book: python_calamine.CalamineWorkbook, name: str) -> list[list[Cell]]:
    """The rows with anything in them."""
    found: Iterable[Sequence[Cell]] = book.get_sheet_by_name(name).to_python()
    return [list(row) for row in found if any(cell not in ("", None) for cell in row)]


def _as_text(rows: list[list[Cell]], decimal: str) -> bytes:
    """Rows as comma-separated text; columns without a name or a cell are left out."""
    width = max(len(row) for row in rows)
    used = [place for place in range(width) if any(len(row) > place and row[place] not in ("", None) for row in rows)]
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    for row in rows:
        writer.writerow([_written(row[place], decimal) if place < len(row) else "" for place in used])
    return held.getvalue().encode("utf-8", "surrogatepass")


def _written(cell: Cell, decimal: str) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        text = str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else repr(cell)
        return text.replace(".", decimal)
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ") if cell.time() != datetime.time() else cell.date().isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        hours, rest = divmod(int(cell.total_seconds()), 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return "" if cell is None else str(cell)
