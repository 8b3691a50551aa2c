"""Document completion: how well a topic model foretells one half of a document's words from the other."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from tacit.compute import Array

CHUNK = 256
"""Documents whose words' shares are held together."""


def halves(counts: sp.csr_array, seed: int = 0) -> tuple[sp.csr_array, sp.csr_array]:
    """The tokens of every document cut at random into two halves; of an odd number the first has one more.

    Raises:
        ValueError: counts that are no whole numbers have no tokens.
    """
    if (counts.data != np.round(counts.data)).any():
        raise ValueError("completion needs counts: whole numbers of words, not weights such as tf-idf")
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    times = counts.data.astype(np.int64)
    row, word = np.repeat(rows, times), np.repeat(counts.indices, times)
    order = np.lexsort((np.random.default_rng(seed).random(row.size), row))
    row, word = row[order], word[order]
    lengths = np.bincount(row, minlength=counts.shape[0])
    rank = np.arange(row.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    first = 2 * rank < np.repeat(lengths, lengths)

    def counted(chosen: np.ndarray) -> sp.csr_array:
        ones = np.ones(int(chosen.sum()))
        return sp.coo_array((ones, (row[chosen], word[chosen])), shape=counts.shape).tocsr()

    return counted(first), counted(~first)


def completion(
    counts: sp.csr_array, expected: Callable[[sp.csr_array], Float[Array, "rows words"]], seed: int = 0
) -> tuple[Float[np.ndarray, " documents"], Float[np.ndarray, " documents"]]:
    """Nats of the second half of every document given its first, and how many tokens the second half has.

    Args:
        counts: ``[documents, words]``.
        expected: the share of every word, from the first halves of some documents.
        seed: of the halves.
    """
    given, asked = halves(counts, seed)
    nats, tokens = np.zeros(counts.shape[0]), np.asarray(asked.sum(axis=1)).ravel()
    for start in range(0, counts.shape[0], CHUNK):
        part = slice(start, start + CHUNK)
        shares, wanted = np.asarray(expected(given[part])), asked[part].tocoo()
        each = wanted.data * np.log(np.maximum(shares[wanted.row, wanted.col], 1e-300))
        nats[part] = np.bincount(wanted.row, each, minlength=shares.shape[0])
    return nats, tokens
