"""From texts to counts of words: scikit-learn's vectoriser, with settings and a vocabulary that are plain values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from tacit.data.bag_of_words import form_of, read_bag
from tacit.data.corpus import Corpus, unseen_note
from tacit.data.errors import DataError, counted
from tacit.data.places import locate
from tacit.data.texts import Texts, Wording, read_texts


def read_corpus(
    source: Any,
    *,
    text: str | None = None,
    id_column: str | None = None,
    vocabulary: str | Sequence[str] | None = None,
    stop_words: str | Sequence[str] | None = "english",
    min_documents: int = 2,
    max_share: float = 0.5,
    lowercase: bool = True,
) -> Corpus:
    """Read documents as counts of words, ready for a topic model.

    Args:
        source: a table (CSV, Parquet, …) with a column of texts, a folder of .txt files, a .txt file with a document a
            line; or a bag of words: LDA-C, UCI, MatrixMarket, a sparse .npz of SciPy.
        text: the column of texts, where it is not the only one with sentences.
        id_column: the column that names the documents.
        vocabulary: of a bag of words, the file with its words, a word a line; or words (such as ``corpus.vocabulary``
            of the fit) to count the documents in.
        stop_words: "english" (scikit-learn's list), words, or None. This and what follows is of texts alone.
        min_documents: words in fewer documents are left out.
        max_share: words in more than this share of the documents are left out.
        lowercase: whether capitals are made small.

    Raises:
        DataError: nothing there, or a broken file: what, where and what to do.
    """
    path, _ = locate(source)
    known = None if vocabulary is None or isinstance(vocabulary, str) else [str(word) for word in vocabulary]
    if path is not None and path.is_file() and form_of(path) is not None:
        found = read_bag(path, vocabulary if isinstance(vocabulary, str) else None)
        return found if known is None else found.under(known)
    if isinstance(vocabulary, str):
        raise DataError(
            "vocabulary as a file goes with a bag of words; of texts give the words themselves, such as "
            "corpus.vocabulary."
        )
    words = stop_words if stop_words is None or isinstance(stop_words, str) else tuple(str(word) for word in stop_words)
    wording = Wording(words, min_documents, max_share, lowercase)
    texts = read_texts(str(source), text, id_column)
    return learned(texts, wording) if known is None else recounted(texts, wording, known)


def learned(texts: Texts, wording: Wording) -> Corpus:
    """Texts counted in the words that they hold; what was left out is noted.

    Raises:
        DataError: no word is left.
    """
    tool = _tool(wording, None)
    try:
        counts = tool.fit_transform(texts.documents)
    except ValueError as error:
        if "vocabulary" not in str(error) and "terms" not in str(error) and "max_df" not in str(error):
            raise
        raise DataError(
            f"{texts.source}: no word is left of {counted(len(texts.documents), 'document')}: every one is a stop "
            f"word, in fewer than {wording.min_documents} documents, or in more than {100 * wording.max_share:g} % of "
            "them. Lower --min-documents, or raise --max-share."
        ) from None
    words = tool.get_feature_names_out().astype(object)
    rule = [f"in {wording.min_documents} documents or more"] if wording.min_documents > 1 else []
    rule += [f"in at most {100 * wording.max_share:g} % of the documents"] if wording.max_share < 1 else []
    stops = {None: "", "english": " and no English stop word"}.get(wording.stop_words, " and no stop word")  # type: ignore[arg-type]
    note = f"{counted(len(words), 'word')} kept: {' and '.join(rule) or 'all'}{stops}" if rule or stops else ""
    return _made(texts, counts, words, (note,) if note else ())


def recounted(texts: Texts, wording: Wording, words: Sequence[str]) -> Corpus:
    """Texts counted in a vocabulary that is known; words that it lacks are counted and noted."""
    tool = _tool(wording, {str(word): place for place, word in enumerate(words)})
    analyse = tool.build_analyzer()
    counts = tool.transform(texts.documents)
    tokens = sum(len(analyse(document)) for document in texts.documents)
    note = unseen_note(tokens - int(counts.sum()), tokens)
    return _made(texts, counts, np.array([str(word) for word in words], object), (note,) if note else ())


def _tool(wording: Wording, known: dict[str, int] | None) -> CountVectorizer:
    stops = ENGLISH_STOP_WORDS if wording.stop_words == "english" else wording.stop_words or ()
    left_out = {word.lower() if wording.lowercase else word for word in stops} - set(known or ())
    return CountVectorizer(
        stop_words=sorted(left_out) or None,
        min_df=1 if known is not None else wording.min_documents,
        max_df=1.0 if known is not None else float(wording.max_share),
        lowercase=wording.lowercase,
        token_pattern=wording.pattern,
        vocabulary=known,
    )


def _made(texts: Texts, counts: Any, words: np.ndarray, notes: tuple[str, ...]) -> Corpus:
    sorted_counts = sp.csr_array(counts, dtype=np.float64)
    sorted_counts.sort_indices()
    return Corpus(sorted_counts, words, texts.ids, texts.source, (*texts.notes, *notes), texts.documents)
