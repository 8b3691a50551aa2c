"""How documents are read: to be fitted, and again in the words of a fitted model."""

from pathlib import Path

import numpy as np

from tacit.data.bag_of_words import form_of, read_bag
from tacit.data.corpus import Corpus
from tacit.data.errors import DataError
from tacit.data.long import CountTable
from tacit.data.places import locate
from tacit.data.reading import FOUND_OUT, ReadingOptions
from tacit.data.texts import Texts, Vocabulary, Wording, read_texts
from tacit.estimators.topics.vectorise import learned, recounted
from tacit.workflow.errors import RequestError
from tacit.workflow.texts import TextOptions


def read_corpus(
    path: str, options: TextOptions, id_column: str | None, reading: ReadingOptions = FOUND_OUT
) -> tuple[Corpus, Vocabulary]:
    """Documents to fit: a bag of words, or texts counted in the words that they hold; empty ones are left out."""
    if _is_bag(path):
        if options.text is not None or id_column is not None:
            raise RequestError(f"{path} is a bag of words, which has no columns: leave out --text and --id.")
        found = read_bag(locate(path)[0] or Path(path), options.vocabulary)
        return found.filled(), Vocabulary(tuple(found.vocabulary), found.named)
    if options.vocabulary is not None:
        raise RequestError("--vocabulary goes with a bag of words; the words of texts are found out.")
    texts, wording = read_texts(path, options.text, id_column, reading), options.wording()
    found = learned(texts, wording)
    return found.filled(), Vocabulary(tuple(found.vocabulary), True, wording, texts.column)


def reread_corpus(
    path: str,
    known: Vocabulary,
    options: TextOptions,
    id_column: str | None,
    reading: ReadingOptions = FOUND_OUT,
) -> Corpus:
    """Documents counted in the words of a fitted model, every one of them, also those without any."""
    if _is_bag(path):
        return read_bag(locate(path)[0] or Path(path), options.vocabulary).under(known.words, named=known.named)
    if not known.named:
        raise DataError(f"the run was fitted to words without names, and {path} holds texts: give a bag of words.")
    texts = _texts_again(path, options.text, known.column, id_column, reading)
    return recounted(texts, known.wording or Wording(), known.words)


def _texts_again(
    path: str, said: str | None, column: str | None, id_column: str | None, reading: ReadingOptions
) -> Texts:
    """Texts of the column that is said, or that of the fit, or the one that holds sentences."""
    if said is not None or column is None:
        return read_texts(path, said, id_column, reading)
    try:
        return read_texts(path, column, id_column, reading)
    except DataError:
        return read_texts(path, None, id_column, reading)


def _is_bag(path: str) -> bool:
    place, _ = locate(path)
    return place is not None and place.is_file() and form_of(place) is not None


def of_log(table: CountTable) -> tuple[Corpus, Vocabulary]:
    """A purchase log as documents: customers for documents, items for words."""
    items = np.array(table.names, object)
    corpus = Corpus(table.counts, items, table.row_ids, table.source, table.notes)
    return corpus.filled(), Vocabulary(table.names)
