"""The rows of a data set in single precision, as gradients take them: in a random order, some at a time."""

import collections
import threading

import numpy as np
from jaxtyping import Float, Int

from tacit.data.dataset import Dataset, Places

TOGETHER_BYTES = 128_000_000
"""Of the pieces of a file whose rows are mixed; as many again are kept while those of the next are read."""


class SingleRows:
    """The rows of a data set as an array in single precision, of which only what is asked for is made.

    Of rows in files the pieces that were read last are kept, as many as are mixed (`shuffled`) and those before them.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, rows: Dataset) -> None:
        self._rows, self._edges = rows, rows.edges
        self.shape, self.nbytes = rows.shape, 4 * rows.shape[0] * rows.shape[1]
        self._kept: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, places: Places) -> Float[np.ndarray, "rows columns"]:
        if self._edges is None or isinstance(places, slice):
            return self._rows.rows(places).astype(np.float32)
        places = np.flatnonzero(places) if places.dtype == bool else places
        found = np.empty((places.size, self.shape[1]), np.float32)
        which = np.searchsorted(self._edges, places, side="right") - 1
        for number in np.unique(which):
            here = which == number
            first, last = self._edges[number : number + 2].tolist()
            found[here] = self._piece(int(number), first, last)[places[here] - first]
        return found

    def _piece(self, number: int, first: int, last: int) -> np.ndarray:
        """The rows of a piece, ``first`` … ``last − 1``, which may be at hand."""
        with self._lock:
            rows = self._kept.pop(number, None)
            if rows is None:
                rows = self._rows.rows(slice(first, last)).astype(np.float32)
            self._kept[number] = rows
            while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > 2 * TOGETHER_BYTES:
                self._kept.popitem(last=False)
        return rows

    def shuffled(self, places: Int[np.ndarray, " rows"], random: np.random.Generator) -> Int[np.ndarray, " rows"]:
        """Some rows, by their rising numbers, in a random order, in which those of files are read a few times at most.

        The pieces of files come in a random order, and the rows of neighbours in it are mixed, as many as are kept.
        """
        if self._edges is None:
            return random.permutation(places)
        pieces = np.split(places, np.searchsorted(places, self._edges[1:-1]))
        number = -(-4 * self.shape[1] * self.shape[0] // TOGETHER_BYTES)
        order = random.permutation(len(pieces))
        read = np.cumsum(np.diff(self._edges)[order])
        groups = np.split(order, np.searchsorted(read, read[-1] * np.arange(1, number) / number))
        return np.concatenate(
            [random.permutation(np.concatenate([pieces[place] for place in group])) for group in groups if group.size]
        )

    def held(self, most: int) -> "np.ndarray | SingleRows":
        """An array where it has so many bytes at most."""
        if self.nbytes > most:
            return self
        found = np.empty(self.shape, np.float32)
        for part, rows in self._rows.slices():
            found[part] = rows
        return found
