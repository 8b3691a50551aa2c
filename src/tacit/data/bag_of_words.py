"""Bags of words from files: LDA-C, UCI, MatrixMarket, and sparse matrices of SciPy, with the vocabulary beside them."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import scipy  # whose `io` is loaded when it is asked for
import scipy.sparse as sp

from tacit.data.arrays import UNREADABLE, headers, refusal
from tacit.data.corpus import Corpus, checked_counts, checked_vocabulary, numbered_words
from tacit.data.errors import DataError, counted, shown

Form = Literal["lda-c", "uci", "matrix-market", "sparse"]

_SPARSE = {"indptr", "indices", "data", "format", "shape"}
_VOCABULARY_KEYS = ("vocab", "vocabulary", "words", "tokens", "terms")
_ID_KEYS = ("titles", "ids", "names", "documents")
_PAIRS = re.compile(rb"\s*\d+(\s+\d+:-?[\d.]+)+\s*")
_WHOLE = re.compile(rb"\s*\d+\s*")
_TRIPLE = re.compile(rb"\s*\d+\s+\d+\s+-?[\d.]+\s*")
_VOCABULARY_ENDINGS = (".vocab", ".tokens", ".vocab.txt", ".tokens.txt", ".vocabulary", ".words", ".terms", ".cols")
_ID_ENDINGS = (".titles", ".docs", ".ids", ".rows", ".titles.txt")
_COUNTS = "a count is a whole number from 0 on"


def form_of(path: Path) -> Form | None:
    """Which kind of bag of words a file holds, told by its content; None where it holds none."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith(b"PK\x03\x04"):
            return "sparse" if headers(path).keys() >= _SPARSE else None
        with _opened(path) as file:
            lines = [file.readline(1 << 20) for _ in range(5)]
    except (*UNREADABLE, zlib.error):
        return None  # the reader of tables says what is wrong with it
    if lines[0].startswith(b"%%MatrixMarket"):
        return "matrix-market"
    if all(_WHOLE.fullmatch(line) for line in lines[:3]) and _TRIPLE.fullmatch(lines[3]):
        return "uci"
    full = [line for line in lines if line.strip()]
    if full and all(_PAIRS.fullmatch(line) or line.strip() == b"0" for line in full[:1]) and b":" in b"".join(full):
        return "lda-c"
    return None


def read_bag(path: Path, vocabulary: str | None = None) -> Corpus:
    """Read a bag of words.

    Args:
        path: LDA-C (a document a line, ``n id:count …`` with ids from 0), UCI (three lines with the numbers of
            documents, words and entries, then ``document word count`` from 1), MatrixMarket (documents × words), or an
            .npz file that `scipy.sparse.save_npz` wrote (perhaps with the words as ``vocab``); gzip too but for .npz.
        vocabulary: a file with a word a line; else one beside ``path`` is looked for: ``x.vocab`` or ``x.tokens``
            beside ``x.ldac``, ``vocab.x.txt`` beside ``docword.x.txt``, ``vocab.txt``.

    Raises:
        DataError: no such file, or a broken one: file and line are named.
    """
    form = form_of(path)
    if form is None:
        raise DataError(
            f"{path} is no bag of words: LDA-C (n id:count …), UCI (docword), MatrixMarket or a sparse .npz of SciPy."
        )
    readers = {"lda-c": _read_lda_c, "uci": _read_uci, "matrix-market": _read_matrix_market, "sparse": _read_sparse}
    counts = readers[form](path)
    words, ids = (None, None) if form != "sparse" else _names_in(path, counts)
    beside = None if words is not None else _beside(path, _vocabulary_names(path))
    if vocabulary is not None:
        beside = Path(vocabulary).expanduser()
    notes: list[str] = []
    if beside is not None:
        words = _lines(beside)
        if form != "lda-c" and counts.shape[1] != len(words) == counts.shape[0]:
            counts = counts.T.tocsr()
            notes.append(f"the matrix was words × documents by {beside.name}, and was turned")
        if form == "lda-c" and counts.shape[1] < len(words):  # the last words of the vocabulary stand nowhere
            counts = sp.csr_array((counts.data, counts.indices, counts.indptr), shape=(counts.shape[0], len(words)))
    if words is None:
        looked = ", ".join(name.name for name in _vocabulary_names(path)[:3])
        notes.append(f"no vocabulary is beside it (such as {looked}): words have numbers in place of names")
        final = numbered_words(counts.shape[1])
    else:
        final = checked_vocabulary(words, counts.shape[1], str(beside or path))
    ids = _titles(path, counts.shape[0]) if ids is None else ids
    return Corpus(counts, final, ids, str(path), tuple(notes), named=words is not None)


def _titles(path: Path, documents: int) -> np.ndarray | None:
    """The titles in a file beside a bag of words, if there is one with a line a document."""
    beside = _beside(path, [path.with_name(_stem(path) + ending) for ending in _ID_ENDINGS])
    found = [] if beside is None else _lines(beside)
    return np.array(found, object) if len(found) == documents else None


def _opened(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _text(path: Path) -> bytes:
    try:
        with _opened(path) as file:
            return file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}).") from None


def lines_of(text: str) -> list[str]:
    """The lines of a text, cut at ends of lines alone: ``str.splitlines`` also cuts at form feeds and U+2028."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def _lines(path: Path) -> list[str]:
    """The lines of a file of words or titles, without blank ones at the end."""
    if not path.is_file():
        raise DataError(f"there is no vocabulary {str(path)!r}; give a file with a word a line.")
    text = _text(path)
    try:
        lines = lines_of(text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        lines = lines_of(text.decode("cp1252", "replace"))
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.strip() for line in lines]


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _vocabulary_names(path: Path) -> list[Path]:
    """Where the vocabulary of a file may be, likeliest first."""
    stem = _stem(path)
    names = [stem + ending for ending in _VOCABULARY_ENDINGS]
    if stem.startswith("docword."):
        names.insert(0, f"vocab.{stem.removeprefix('docword.')}.txt")
    names += [f"vocab.{stem}.txt", "vocab.txt", "vocabulary.txt"]
    return [path.with_name(name) for name in names]


def _beside(path: Path, names: list[Path]) -> Path | None:
    return next((name for name in names if name != path and name.is_file()), None)


def _read_lda_c(path: Path) -> "sp.csr_array":
    """A document a line: the number of its different words, then ``id:count`` for each, ids from 0."""
    indices, values, ends = [], [], [0]
    for number, line in _numbered(path):
        if not line:
            continue
        first, *pairs = line.split()
        cells = b" ".join(pairs).replace(b":", b" ").split()
        try:
            if any(pair.count(b":") != 1 for pair in pairs):
                raise ValueError
            said, found = int(first), np.array([float(cell) for cell in cells]).reshape(-1, 2)
        except ValueError:
            bad = next((p for p in pairs if not re.fullmatch(rb"\d+:-?\d+(\.\d*)?", p)), first)
            raise DataError(f"{path}, line {number}: {_said(bad)} is not id:count.") from None
        if said != len(found):
            raise DataError(f"{path}, line {number}: it begins with {said} and has {counted(len(found), 'pair')}.")
        _check(found[:, 0], found[:, 1], path, number)
        indices.append(found[:, 0].astype(np.int64))
        values.append(found[:, 1])
        ends.append(ends[-1] + said)
    if len(ends) == 1:
        raise DataError(f"{path} holds no document.")
    where = np.concatenate(indices)
    width = int(where.max(initial=-1)) + 1
    made = sp.csr_array((np.concatenate(values), where, np.array(ends)), shape=(len(ends) - 1, width))
    made.sum_duplicates()
    made.eliminate_zeros()
    return made


def _check(ids: np.ndarray, values: np.ndarray, path: Path, line: int) -> None:
    wrong = ~((ids >= 0) & (ids < 2**31) & (ids == np.round(ids)))
    if wrong.any():
        raise DataError(f"{path}, line {line}: {ids[wrong][0]:g} is not the number of a word (whole, from 0 on).")
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.round(values))
    if wrong.any():
        bad = int(np.argmax(wrong))
        raise DataError(f"{path}, line {line}: word {int(ids[bad])} has the count {values[bad]:g}; {_COUNTS}.")


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers from 1."""
    for number, line in enumerate(_text(path).split(b"\n"), 1):
        yield number, line.strip()


def _said(found: bytes) -> str:
    return shown(found.decode("utf-8", "replace"))


def _read_uci(path: Path) -> "sp.csr_array":
    """Three numbers (documents, words, entries), then ``document word count`` a line, both from 1."""
    text = _text(path)
    heads = text.split(b"\n", 3)
    documents, words, entries = (int(line) for line in heads[:3])
    options = pacsv.ReadOptions(column_names=["document", "word", "count"])
    types = pacsv.ConvertOptions(column_types={"document": pa.int64(), "word": pa.int64(), "count": pa.float64()})
    try:
        table = pacsv.read_csv(pa.BufferReader(heads[3]), options, pacsv.ParseOptions(delimiter=" "), types)
        row, column, value = (table.column(name).to_numpy() for name in table.column_names)
        whole = not any(table.column(name).null_count for name in table.column_names)
    except pa.ArrowInvalid:
        whole = False
    if not whole:
        for number, line in _numbered(path):
            if number > 3 and line and not re.fullmatch(rb"\d+\s+\d+\s+-?\d+(\.\d*)?", line):
                raise DataError(f"{path}, line {number}: {_said(line)} is not document, word and count.")
        row, column, value = np.array(text.split()[3:], np.float64).reshape(-1, 3).T
    wrong = (row < 1) | (row > documents) | (column < 1) | (column > words) | (value < 0) | (value != np.round(value))
    if wrong.any():
        bad = int(np.argmax(wrong))
        raise DataError(
            f"{path}, line {bad + 4}: document {int(row[bad])}, word {int(column[bad])}, count {value[bad]:g}; it "
            f"announces documents 1 to {documents} and words 1 to {words}, and {_COUNTS}."
        )
    if len(value) != entries:
        raise DataError(
            f"{path} announces {counted(entries, 'entry')} in line 3 and has {len(value):,}: it is cut short or joined."
        )
    places = (row.astype(np.int64) - 1, column.astype(np.int64) - 1)
    return checked_counts(sp.coo_array((value, places), shape=(documents, words)), str(path))


def _read_matrix_market(path: Path) -> "sp.csr_array":
    try:
        found = scipy.io.mmread(io.BytesIO(_text(path)), spmatrix=False)
    except (ValueError, OverflowError, TypeError) as error:
        raise DataError(f"{path} is not a readable MatrixMarket file ({' '.join(str(error).split())}).") from None
    if np.iscomplexobj(found if isinstance(found, np.ndarray) else found.data):
        raise DataError(f"{path} holds complex numbers, and counts of words are whole numbers.")
    return checked_counts(found, str(path))


def _read_sparse(path: Path) -> "sp.csr_array":
    try:
        found = sp.load_npz(path)
        if hasattr(found, "check_format"):
            found.check_format(full_check=True)
    except UNREADABLE as error:
        raise DataError(refusal(str(path), error)) from None
    return checked_counts(found, str(path))


def _names_in(path: Path, counts: "sp.csr_array") -> tuple[list[str] | None, np.ndarray | None]:
    """The words and the titles that an .npz file keeps beside its matrix."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            words = _texts_of(archive, _VOCABULARY_KEYS, counts.shape[1])
            return None if words is None else words.tolist(), _texts_of(archive, _ID_KEYS, counts.shape[0])
    except UNREADABLE as error:
        raise DataError(refusal(str(path), error)) from None


def _texts_of(archive: np.lib.npyio.NpzFile, keys: tuple[str, ...], number: int) -> np.ndarray | None:
    """The texts that an archive keeps under one of the names, if there are so many of them."""
    for key in keys:
        if key in archive.files and archive[key].dtype.kind == "U" and archive[key].shape == (number,):
            return np.array(archive[key].tolist(), object)
    return None
