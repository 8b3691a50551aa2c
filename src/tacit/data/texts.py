"""Texts on their way in: a column of a table, a folder of .txt files, or a file with a document a line."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.bag_of_words import form_of, lines_of
from tacit.data.cells import cells_of
from tacit.data.errors import DataError, counted, listed, nearest, quoted
from tacit.data.kinds import judge
from tacit.data.picture_files import is_picture
from tacit.data.places import files_of, locate
from tacit.data.read import read
from tacit.data.reading import FOUND_OUT, ReadingOptions
from tacit.data.table import row_ids

WORDS_OF_TEXT = 4.0
"""A column of texts has so many words a row, on average."""
CLEAR = 3.0
"""How many times as long as the next a column of texts must be to be the one that is meant."""
_VERSION = 1
PATTERN = r"(?u)\b[^\W\d_]\w+\b"
"""A word: a letter, and at least one more letter or figure."""


@dataclasses.dataclass(frozen=True, eq=False)
class Texts:
    """Documents as they were written.

    Attributes:
        documents: the texts.
        ids: ``[documents]``, what a person calls each, or None.
        source: where they were read.
        notes: what was guessed on the way, in plain words.
        column: the column of a table that they stood in, or None.
    """

    documents: tuple[str, ...]
    ids: np.ndarray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    column: str | None = None


@dataclasses.dataclass(frozen=True)
class Wording:
    """How texts are cut into words, and which words count.

    Attributes:
        stop_words: "english" (scikit-learn's list), words of one's own, or None.
        min_documents: words in fewer documents are left out.
        max_share: words in more than this share of the documents are left out.
        lowercase: whether capitals are made small.
        pattern: what a word is, a regular expression.
    """

    stop_words: str | tuple[str, ...] | None = "english"
    min_documents: int = 2
    max_share: float = 0.5
    lowercase: bool = True
    pattern: str = PATTERN

    def __post_init__(self) -> None:
        if isinstance(self.stop_words, str) and self.stop_words != "english":
            raise DataError(f"stop words: 'english', a list or a file of words, or none; got {self.stop_words!r}.")
        if self.min_documents < 1 or not 0.0 < self.max_share <= 1.0:
            raise DataError(
                f"words are kept from {self.min_documents} documents up to a share of {self.max_share:g} of them; say "
                "a whole number from 1 on, and a share above 0 and up to 1."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        found = dataclasses.asdict(self)
        words = found["stop_words"]
        return found | {"stop_words": list(words) if isinstance(words, tuple) else words}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; settings that are unknown raise `DataError`."""
        known = {field.name for field in dataclasses.fields(cls)}
        strange = set(document) - known
        if strange:
            raise DataError(f"how words are cut has no setting {listed(sorted(strange))}; there are {listed(known)}.")
        words = document.get("stop_words", "english")
        return cls(**{**document, "stop_words": tuple(words) if isinstance(words, list) else words})


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The words of a fitted topic model, and how texts are cut into them.

    Attributes:
        words: in the order of the model.
        named: whether they have names; else they are matched by their numbers.
        wording: how texts are cut; None where the corpus was a bag of words.
        column: the column of texts at the fit, or None.
    """

    words: tuple[str, ...]
    named: bool = True
    wording: Wording | None = None
    column: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        wording = None if self.wording is None else self.wording.to_json()
        return {
            "version": _VERSION,
            "named": self.named,
            "column": self.column,
            "wording": wording,
            "words": list(self.words),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; anything else raises `DataError`."""
        words, version, wording = document.get("words"), document.get("version"), document.get("wording")
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise DataError("not a vocabulary: expected an object with a list 'words' of texts.")
        if not isinstance(version, int) or version > _VERSION:
            raise DataError(f"the vocabulary has version {version!r}; this tacit reads up to {_VERSION}: update it.")
        return cls(
            tuple(words),
            bool(document.get("named", True)),
            None if wording is None else Wording.from_json(wording),
            document.get("column"),
        )


def holds_corpus(source: str) -> bool:
    """Whether a source is a bag of words or a folder of .txt files, and nothing else."""
    path, key = locate(source)
    if path is None or key is not None:
        return False
    if path.is_dir():
        return bool(_text_files(path)) and not any(is_picture(each, _head(each)) for each in _files(path))
    return form_of(path) is not None


def read_stop_words(name: str | None) -> str | tuple[str, ...] | None:
    """``english``, ``none``, or the words of a file, as `Wording` takes them."""
    if name is None or name.lower() == "english":
        return "english"
    if name.lower() == "none":
        return None
    path = Path(name).expanduser()
    if not path.is_file():
        raise DataError(f"stop words: there is no file {name!r}; say english, none, or a file with a word a line.")
    text, _ = _decoded(path.read_bytes())
    return tuple(dict.fromkeys(text.split()))


def read_texts(
    source: str, column: str | None = None, id_column: str | None = None, reading: ReadingOptions = FOUND_OUT
) -> Texts:
    """Read documents.

    Args:
        source: a folder of .txt files (sub-folders too), a .txt file with a document a line, or a table in any format
            of `read` with a column of texts.
        column: the column of texts; else the one that holds sentences.
        id_column: the column that names the documents; else one whose values never repeat.
        reading: how a table is written.

    Raises:
        DataError: there are no texts, or it is not clear which column is meant; names those that there are.
    """
    path, _ = locate(source)
    if path is not None and path.is_dir() and (_text_files(path) or files_of(source) is None):
        if column is not None or id_column is not None:
            raise DataError(f"{path} is a folder of texts, which has no columns.")
        return _from_folder(path)
    if path is not None and path.suffix.lower() == ".txt" and column is None:
        return _from_lines(path)
    return _from_table(source, column, id_column, reading)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _text_files(folder: Path) -> list[Path]:
    return [path for path in _files(folder) if path.suffix.lower() == ".txt"]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def _decoded(data: bytes) -> tuple[str, bool]:
    """Text, and whether it was in UTF-8; else it is read as Windows' western encoding."""
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), False


def _from_folder(folder: Path) -> Texts:
    paths = _text_files(folder)
    if not paths:
        raise DataError(f"{folder} holds no .txt files: a document a file, in it or in folders inside it.")
    read_in = [_decoded(path.read_bytes()) for path in paths]
    other = sum(not utf8 for _, utf8 in read_in)
    notes = (f"{counted(other, 'file')} not in UTF-8, read as Windows-1252",) if other else ()
    ids = np.array([path.relative_to(folder).with_suffix("").as_posix() for path in paths], object)
    return Texts(tuple(text for text, _ in read_in), ids, str(folder), notes)


def _from_lines(path: Path) -> Texts:
    text, utf8 = _decoded(path.read_bytes())
    if not text.strip():
        raise DataError(f"{path} is empty.")
    lines = lines_of(text)
    notes = ["a .txt file is read as a document a line; of a table name the column, --text COLUMN"]
    notes += [] if utf8 else ["it is not in UTF-8, and was read as Windows-1252"]
    return Texts(tuple(lines), None, str(path), tuple(notes))


def _from_table(source: str, column: str | None, id_column: str | None, options: ReadingOptions) -> Texts:
    reading = read(source, options)
    table, notes = reading.table, list(reading.notes)
    if column is None:
        column = _found(table, reading.source, notes)
    elif column not in table.column_names:
        known = table.column_names
        raise DataError(
            f"{reading.source} has no column {column!r}; there are {listed(known, 20)}.{nearest(column, known)}"
        )
    texts = _strings(table, column)
    if texts is None:
        others = listed([name for name in table.column_names if _strings(table, name) is not None]) or "none"
        raise DataError(f"{reading.source}: {quoted(column)} holds no texts; columns of texts: {others}.")
    absent = texts.null_count
    if absent:
        notes.append(f"{counted(absent, 'row')} without a text")
    rest = [name for name in table.column_names if name != column]
    if id_column is not None and id_column not in rest:
        raise DataError(
            f"{reading.source}: no column {id_column!r} to name the documents by; there are {listed(rest)}."
        )
    ids = row_ids(table, id_column, (name for name in rest if _names_rows(table, name)))
    documents = tuple(text or "" for text in texts.to_pylist())
    return Texts(documents, ids, reading.source, tuple(notes), column)


def _strings(table: pa.Table, name: str) -> pa.ChunkedArray | None:
    """A column as texts; None where it holds something else."""
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return column if any(is_kind(column.type) for is_kind in kinds) else None


def _names_rows(table: pa.Table, name: str) -> bool:
    """Whether a column looks like one that names the rows."""
    try:
        return judge(cells_of(name, table.column(name))).role == "identifier"
    except DataError:  # it is a column that a table would have to mend; here nobody asks for it
        return False


def _words_a_row(column: pa.ChunkedArray) -> float:
    """Words a row, roughly: blanks and one more."""
    return float(pc.mean(pc.count_substring_regex(column, r"\s+")).as_py() or 0.0) + 1.0


def _found(table: pa.Table, source: str, notes: list[str]) -> str:
    """The column that holds sentences; noted where others might be meant."""
    columns = {name: _strings(table, name) for name in dict.fromkeys(table.column_names)}
    words = {name: _words_a_row(column) for name, column in columns.items() if column is not None}
    long = sorted((name for name in words if words[name] >= WORDS_OF_TEXT), key=lambda name: -words[name])
    if len(long) == 1 or (len(long) > 1 and words[long[0]] >= CLEAR * words[long[1]]):
        notes.append(f"the texts are those of {quoted(long[0])}")
        return long[0]
    if not long:
        there = listed(words) if words else "none"
        raise DataError(
            f"{source} has no column of sentences (columns of text: {there}). Name the one with texts: --text COLUMN."
        )
    raise DataError(f"{source} has several columns of sentences: {listed(long)}. Name one: --text {re.escape(long[0])}")
