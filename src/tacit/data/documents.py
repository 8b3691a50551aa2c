"""Documents on their way to the engine: sparse counts cut into tiles of equally many words.

A document of many different words takes several tiles, so that documents of all lengths have one shape and little is
padding. Some tiles, with whole documents in them, make a page: what a core keeps in its cache while it works on it.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from tacit.compute import Array
from tacit.data.blocks import Block
from tacit.data.dataset import Places, RowSet

LONGEST_TILE, SHORTEST_TILE = 64, 8
PAGE_BYTES = 400_000
"""What the gathered topics of the words of a page take, about half of a core's own cache."""
PARTS = 4
"""Blocks that are worked on side by side; as many on every machine, so that sums are taken in one order."""
PART_NUMBERS = 2_000_000
"""Words times topics from which on it is worth while to work on several blocks side by side."""


class Pages(NamedTuple):
    """Documents as the local step takes them; a chunk of a block is some pages."""

    words: Int[Array, "*chunks pages tiles length"]
    """Which word; 0 in the padding."""
    counts: Float[Array, "*chunks pages tiles length"]
    """How often it occurs; 0 in the padding."""
    slots: Int[Array, "*chunks pages tiles"]
    """Which document of the page a tile belongs to."""


class DocumentRows(RowSet):
    """Documents as sparse counts of words ``[documents, words]``, with a weight each."""

    def __init__(self, counts: "sparse.csr_array", weights: Float[np.ndarray, " documents"] | None = None) -> None:
        self.counts, self._weights = counts, weights

    def __len__(self) -> int:
        return self.counts.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Documents and words."""
        return self.counts.shape

    @property
    def different(self) -> Int[np.ndarray, " documents"]:
        """How many different words each has."""
        return np.diff(self.counts.indptr)

    def rows(self, places: Places = slice(None)) -> "sparse.csr_array":
        return self.counts[places]

    def take(self, places: Places) -> "DocumentRows":
        return DocumentRows(self.rows(places), None if self._weights is None else self._weights[places])


class PageLayout(NamedTuple):
    """The shapes of pages."""

    length: int
    tiles: int
    documents: int
    """Slots of a page."""


def layout(documents: DocumentRows, topics: int) -> PageLayout:
    """Tiles about half as long as a document, and as many of them as fill a page or as the longest document needs."""
    different = documents.different
    usual = max(1.0, float(np.mean(different))) if different.size else 1.0
    length = int(np.clip(2 ** int(np.log2(usual) - 0.5), SHORTEST_TILE, LONGEST_TILE)) if usual > 1 else SHORTEST_TILE
    needed = np.maximum(-(-np.sort(different) // length), 1)
    fitting = PAGE_BYTES // (8 * length * topics)
    tiles = max(min(fitting, _rounded(int(needed.sum()))), _rounded(int(needed.max(initial=1))))
    slots = int(np.searchsorted(np.cumsum(needed), tiles, side="right"))
    return PageLayout(length, tiles, _rounded(max(1, slots)))


def _rounded(number: int) -> int:
    """The next of few numbers, so that few shapes are ever compiled: powers of two, later sixteenths of them."""
    grain = max(1, 2 ** (number.bit_length() - 5)) if number > 16 else 0
    return -(-number // grain) * grain if grain else 1 << (number - 1).bit_length()


class DocumentBatch(NamedTuple):
    """Some documents laid on pages."""

    pages: Pages
    weights: np.ndarray
    """``[pages, documents]``: 0 where there is no document."""
    places: np.ndarray
    """Where each document lies among ``pages · documents`` slots."""


def lay(documents: DocumentRows, shape: PageLayout, pages: int | None = None) -> DocumentBatch:
    """Lay documents on pages, one after the other; ``pages`` asks for more of them, which stay empty."""
    counts, different = documents.counts, documents.different
    needed = np.maximum(-(-different // shape.length), 1)
    page, first, slot = _places(needed, shape)
    number = max(int(page[-1]) + 1 if page.size else 1, pages or 1)
    words = np.zeros((number * shape.tiles * shape.length,), np.int32)
    amounts = np.zeros(words.shape, np.float64)
    entries = np.repeat((page * shape.tiles + first) * shape.length - counts.indptr[:-1], different)
    entries = entries + np.arange(counts.nnz)
    words[entries], amounts[entries] = counts.indices, counts.data
    slots = np.full((number * shape.tiles,), shape.documents - 1, np.int32)
    tiles = np.repeat(page * shape.tiles + first - (np.cumsum(needed) - needed), needed) + np.arange(needed.sum())
    slots[tiles] = np.repeat(slot, needed)
    weights = np.zeros(number * shape.documents)
    places = page * shape.documents + slot
    weights[places] = documents.weights
    full = (number, shape.tiles, shape.length)
    laid = Pages(words.reshape(full), amounts.reshape(full), slots.reshape(full[:2]))
    return DocumentBatch(laid, weights.reshape(number, shape.documents), places)


def _places(needed: np.ndarray, shape: PageLayout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Page, first tile and slot of every document."""
    page = np.zeros(needed.size, np.int64)
    first = np.zeros(needed.size, np.int64)
    slot = np.zeros(needed.size, np.int64)
    at, used, taken = 0, 0, 0
    for number, tiles in enumerate(needed.tolist()):
        if used + tiles > shape.tiles or taken == shape.documents:
            at, used, taken = at + 1, 0, 0
        page[number], first[number], slot[number] = at, used, taken
        used, taken = used + tiles, taken + 1
    return page, first, slot


class DocumentSource:
    """All documents, held by the engine in one block or in a few that are worked on side by side.

    Args:
        documents: all of them.
        topics: K, which decides how much fits on a page.
    """

    resident = True
    tile = 1

    def __init__(self, documents: DocumentRows, topics: int) -> None:
        self.total_weight, self.size = documents.total_weight, documents.shape
        self.shape, counts = layout(documents, topics), documents.counts
        parts = PARTS if counts.nnz * topics > PART_NUMBERS else 1
        edges = np.searchsorted(counts.indptr, np.linspace(0, counts.nnz, parts + 1)[1:-1])
        edges = np.unique([0, *edges.tolist(), len(documents)])
        shares = [documents.take(slice(begin, end)) for begin, end in itertools.pairwise(edges)]
        number = _rounded(max(lay(share, self.shape).weights.shape[0] for share in shares))
        self._batches = [lay(share, self.shape, number) for share in shares]

    def blocks(self) -> Iterator[Block]:
        return blocks_of(self._batches)

    def to_rows(self, laid: Sequence[Array]) -> np.ndarray:
        """What the engine gave the slots of each block ``[pages, documents, ...]``, in the order of the documents."""
        parts = zip(laid, self._batches, strict=True)
        return np.concatenate([np.asarray(x).reshape(-1, *x.shape[2:])[batch.places] for x, batch in parts])


def blocks_of(batches: Sequence[DocumentBatch]) -> Iterator[Block]:
    """A block of one chunk for every batch."""
    for number, batch in enumerate(batches):
        rows = Pages(*(leaf[None] for leaf in batch.pages))
        yield Block(rows, batch.weights[None], np.array([number], np.int32))


class BatchSource:
    """Documents in mini-batches: every chunk of the one block is a batch, and all batches have as many pages.

    Args:
        documents: all of them.
        topics: K.
        size: documents of a batch.
        order: the documents in the order in which they are seen; None for that of the rows.
    """

    resident = True
    tile = 1

    def __init__(self, documents: DocumentRows, topics: int, size: int, order: np.ndarray | None = None) -> None:
        self.total_weight, self.size = documents.total_weight, documents.shape
        shape = layout(documents, topics)
        order = np.arange(len(documents)) if order is None else order
        parts = [documents.take(order[begin : begin + size]) for begin in range(0, order.size, size)]
        number = _rounded(max(lay(part, shape).weights.shape[0] for part in parts))
        batches = [lay(part, shape, number) for part in parts]
        rows = Pages(*(np.stack(leaves) for leaves in zip(*(batch.pages for batch in batches), strict=True)))
        weights = np.stack([batch.weights for batch in batches])
        self._block = Block(rows, weights, np.arange(len(batches), dtype=np.int32))

    def blocks(self) -> Iterator[Block]:
        return iter((self._block,))
