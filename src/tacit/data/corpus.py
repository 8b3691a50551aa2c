"""Documents as counts of words: what every topic model takes, and new documents under a known vocabulary."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from tacit import plots
from tacit.data.errors import DataError, counted, listed
from tacit.data.results import TableResult

COMMONEST = 30
"""Words that are drawn."""


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus(TableResult):
    """How often every word stands in every document.

    Attributes:
        counts: ``[documents, words]``, a `scipy.sparse.csr_array` in float64 of whole numbers.
        vocabulary: ``[words]``, the words.
        ids: ``[documents]``, what a person calls each document, or None.
        source: where it was read.
        notes: what was guessed or left out on the way, in plain words.
        texts: the documents themselves, where they were read as texts.
        numbers: ``[documents]``, the place of each in the source, from 1.
        named: whether the words have names; else they are numbered.
    """

    counts: "sp.csr_array"
    vocabulary: np.ndarray
    ids: np.ndarray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    texts: tuple[str, ...] | None = None
    numbers: np.ndarray | None = None
    named: bool = True

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def to_arrow(self) -> pa.Table:
        """A line a word that is in a document: document, word, how often."""
        where = self.counts.tocoo()
        names = self.places if self.ids is None else self.ids
        return pa.table(
            {
                "document": pa.array([str(names[row]) for row in where.coords[0]], pa.string()),
                "word": pa.array([str(self.vocabulary[column]) for column in where.coords[1]], pa.string()),
                "count": np.asarray(where.data, np.int64),
            }
        )

    def headline(self) -> str:
        """How large it is."""
        return f"{counted(len(self), 'document')}, {counted(len(self.vocabulary), 'word')}, {self.tokens:,} in all"

    def plot(self) -> Any:
        """A matplotlib ``Figure``: the commonest words."""
        totals = np.asarray(self.counts.sum(axis=0)).ravel()
        top = np.argsort(-totals, kind="stable")[:COMMONEST]
        return plots.word_bars([str(self.vocabulary[word]) for word in top], totals[top])

    @property
    def tokens(self) -> int:
        """How many words there are in all documents together."""
        return int(self.counts.sum())

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of every document, ``[documents]``."""
        return np.asarray(self.counts.sum(axis=1)).ravel()

    @property
    def places(self) -> np.ndarray:
        """The number of every document in the source, from 1."""
        return np.arange(1, len(self) + 1) if self.numbers is None else self.numbers

    def pick(self, chosen: np.ndarray) -> "Corpus":
        """Some of the documents, in the order given."""
        return dataclasses.replace(
            self,
            counts=self.counts[chosen],
            ids=None if self.ids is None else self.ids[chosen],
            texts=None if self.texts is None else tuple(self.texts[place] for place in chosen),
            numbers=self.places[chosen],
        )

    def filled(self) -> "Corpus":
        """The documents that hold a word at least; those left out are noted.

        Raises:
            DataError: none is left.
        """
        kept = np.flatnonzero(self.lengths > 0)
        if kept.size == 0:
            raise DataError(f"{self.source}: no document holds a word of the vocabulary.")
        if kept.size == len(self):
            return self
        empty = np.setdiff1d(np.arange(len(self)), kept)
        which = ", ".join(str(self.places[place]) for place in empty[:5]) + (" …" if empty.size > 5 else "")
        note = f"{counted(int(empty.size), 'document')} without any word left out (number {which})"
        return dataclasses.replace(self.pick(kept), notes=(*self.notes, note))

    def under(self, vocabulary: Sequence[str], *, named: bool = True) -> "Corpus":
        """The same documents counted in another vocabulary; words that it lacks are left out, counted and noted.

        Words without names are matched by their numbers.

        Raises:
            DataError: there are more words than the vocabulary has, and they have no names to match by.
        """
        known = [str(word) for word in vocabulary]
        if self.named and named:
            place = {word: number for number, word in enumerate(known)}
            target = np.array([place.get(str(word), -1) for word in self.vocabulary], np.int64)
        elif len(self.vocabulary) <= len(known):
            target = np.arange(len(self.vocabulary))
        else:
            raise DataError(
                f"{self.source} has {len(self.vocabulary):,} words without names and the model knows {len(known):,}; "
                "lay the vocabulary beside the file, or name it: --vocabulary FILE."
            )
        entries = self.counts.tocoo()
        there = target[entries.col] >= 0
        rows, columns = entries.row[there], target[entries.col[there]]
        counts = sp.coo_array((entries.data[there], (rows, columns)), shape=(len(self), len(known))).tocsr()
        note = unseen_note(self.tokens - int(counts.sum()), self.tokens)
        notes = (*self.notes, note) if note else self.notes
        return dataclasses.replace(
            self, counts=counts, vocabulary=np.array(known, object), notes=notes, named=self.named and named
        )


def unseen_note(unseen: int, tokens: int) -> str:
    """What is said of words that a vocabulary lacks; nothing where there are none."""
    if not unseen:
        return ""
    share = 100 * unseen / tokens
    return (
        f"{counted(unseen, 'word')} of {tokens:,} ({'under 1' if share < 1 else f'{share:.0f}'} %) "
        f"{'is' if unseen == 1 else 'are'} not in the vocabulary of the model and count nothing"
    )


def checked_counts(counts: Any, where: str) -> "sp.csr_array":
    """Counts ``[documents, words]`` as a sparse array in float64, without stored zeros.

    Raises:
        DataError: a count that is negative, fractional or no number: document, word and value are named.
    """
    entries = sp.coo_array(counts)
    values = np.asarray(entries.data)
    if values.dtype.kind not in "buif":
        raise DataError(f"{where} holds {values.dtype} values, and counts of words are whole numbers.")
    values = values.astype(np.float64)
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.round(values))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DataError(
            f"{where}: document {entries.row[first] + 1} has {values[first]:g} of word {entries.col[first] + 1}; a "
            "count is a whole number from 0 on (not a weight such as tf-idf)."
        )
    made = sp.coo_array((values, (entries.row, entries.col)), shape=entries.shape).tocsr()
    made.sum_duplicates()
    made.eliminate_zeros()
    return made


def checked_vocabulary(words: Sequence[str] | np.ndarray, number: int, where: str) -> np.ndarray:
    """A vocabulary of so many different words.

    Raises:
        DataError: another number of words, or a word twice; names it.
    """
    found = np.array([str(word) for word in words], object)
    if len(found) != number:
        raise DataError(
            f"{where} has {counted(len(found), 'word')}, and the counts have {counted(number, 'column')} of words."
        )
    distinct, times = np.unique(found.astype(str), return_counts=True)
    if (times > 1).any():
        twice = distinct[times > 1].tolist()
        raise DataError(f"{where} names {listed(twice, 5)} more than once; every word has one line.")
    return found


def numbered_words(number: int) -> np.ndarray:
    """What words without names are called: their numbers, from 1."""
    return np.array([f"word {place}" for place in range(1, number + 1)], object)
