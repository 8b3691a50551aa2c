"""Documents on the command line: whether DATA holds them, how they are read, and what is said about them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from tacit.cli import talk
from tacit.cli.failures import UsageFault
from tacit.data.bag_of_words import form_of, read_bag
from tacit.data.corpus import Corpus
from tacit.data.errors import DataError, counted
from tacit.data.long import CountTable
from tacit.data.read import locate
from tacit.data.texts import Texts, Vocabulary, Wording, holds_corpus, read_stop_words, read_texts
from tacit.estimators.topics.vectorise import learned, recounted
from tacit.report.words import percent


@dataclasses.dataclass(frozen=True)
class Words:
    """What the command line says of texts and their words.

    Attributes:
        text: the column of texts, or None.
        vocabulary: the file with the words of a bag of words, or None.
        stop_words: english, none, or a file; None for english.
        min_documents: words in fewer documents are left out; None for 2.
        max_share: words in more than this share of the documents are left out; None for a half.
    """

    text: str | None = None
    vocabulary: str | None = None
    stop_words: str | None = None
    min_documents: int | None = None
    max_share: float | None = None

    @property
    def said(self) -> bool:
        """Whether anything was."""
        return any(value is not None for value in dataclasses.astuple(self))

    def wording(self) -> Wording:
        """How texts are cut into words."""
        usual = Wording()
        return Wording(
            read_stop_words(self.stop_words),
            usual.min_documents if self.min_documents is None else self.min_documents,
            usual.max_share if self.max_share is None else self.max_share,
        )

    def to_config(self) -> dict[str, Any]:
        """What a run keeps of it; files by their whole paths."""
        found = dataclasses.asdict(self)
        for key in ("vocabulary", "stop_words"):
            path = None if found[key] is None else Path(found[key]).expanduser()
            found[key] = str(path.absolute()) if path is not None and path.is_file() else found[key]
        return found

    @classmethod
    def from_config(cls, data: Mapping[str, Any]) -> Self:
        """The same again."""
        return cls(**{field.name: data.get(field.name) for field in dataclasses.fields(cls)})


UNSAID = Words()


def reads_corpora(model: Any) -> bool:
    """Whether an estimator, or a class of them, is a topic model: it foretells the other half of a document."""
    return hasattr(model, "completion_score")


def wanted(path: str, words: Words, model: Any) -> bool:
    """Whether DATA is to be read as documents: it can be nothing else, or the user or the model asks for it."""
    if model is not None and not reads_corpora(model):
        if words.said:
            raise UsageFault("the options about texts and their words go with --model topics.")
        if holds_corpus(path):
            raise UsageFault(f"{path} holds documents, which take --model topics.")
        return False
    return model is not None or words.said or holds_corpus(path)


def read_corpus(path: str, words: Words, id_column: str | None) -> tuple[Corpus, Vocabulary]:
    """Documents to fit: a bag of words, or texts counted in the words that they hold; empty ones are left out."""
    if _is_bag(path):
        if words.text is not None or id_column is not None:
            raise UsageFault(f"{path} is a bag of words, which has no columns: leave out --text and --id.")
        found = read_bag(locate(path)[0] or Path(path), words.vocabulary)
        return found.filled(), Vocabulary(tuple(found.vocabulary), found.named)
    if words.vocabulary is not None:
        raise UsageFault("--vocabulary goes with a bag of words; the words of texts are found out.")
    texts, wording = read_texts(path, words.text, id_column), words.wording()
    found = learned(texts, wording)
    return found.filled(), Vocabulary(tuple(found.vocabulary), True, wording, texts.column)


def reread_corpus(path: str, known: Vocabulary, words: Words, id_column: str | None) -> Corpus:
    """Documents counted in the words of a fitted model, every one of them, also those without any."""
    if _is_bag(path):
        return read_bag(locate(path)[0] or Path(path), words.vocabulary).under(known.words, named=known.named)
    if not known.named:
        raise DataError(f"the run was fitted to words without names, and {path} holds texts: give a bag of words.")
    texts = _texts_again(path, words.text, known.column, id_column)
    return recounted(texts, known.wording or Wording(), known.words)


def _texts_again(path: str, said: str | None, column: str | None, id_column: str | None) -> Texts:
    """Texts of the column that is said, or that of the fit, or the one that holds sentences."""
    if said is not None or column is None:
        return read_texts(path, said, id_column)
    try:
        return read_texts(path, column, id_column)
    except DataError:
        return read_texts(path, None, id_column)


def _is_bag(path: str) -> bool:
    place, _ = locate(path)
    return place is not None and place.is_file() and form_of(place) is not None


def of_log(table: CountTable) -> tuple[Corpus, Vocabulary]:
    """A purchase log as documents: customers for documents, items for words."""
    items = np.array(table.names, object)
    corpus = Corpus(table.counts, items, table.row_ids, table.source, table.notes)
    return corpus.filled(), Vocabulary(table.names)


def tell_corpus(corpus: Corpus) -> None:
    """Print what was read."""
    words = corpus.counts.shape[1]
    talk.heading(f"Read {corpus.source}: {counted(len(corpus), 'document')}")
    mean = corpus.tokens / max(len(corpus), 1)
    filled = corpus.counts.nnz / max(len(corpus) * words, 1)
    talk.say(
        f"{counted(words, 'different word')}, {corpus.tokens:,} in all: {mean:,.0f} a document on average; "
        f"{percent(filled)} of the counts are above 0.",
        indent=1,
    )
