"""Rows of another data set of which more is known than their columns say."""

import abc
from typing import Self

import numpy as np

from tacit.data.dataset import Dataset, Places


class AnnotatedRows(Dataset):
    """The rows of another data set, each with something beside its columns: its errors, or its place in a sequence."""

    def __init__(self, whole: Dataset) -> None:
        self._whole = whole
        self.schema, self._names, self._weights = whole.schema, whole._names, whole._weights

    @property
    def shape(self) -> tuple[int, int]:
        return self._whole.shape

    @property
    def dtype(self) -> np.dtype:
        return self._whole.dtype

    def rows(self, places: Places = slice(None)) -> np.ndarray:
        return self._whole.rows(places)

    @abc.abstractmethod
    def _annotated(self, taken: Dataset, places: Places) -> Self:
        """Some of the rows, with what is known of these."""

    def take(self, places: Places) -> Self:
        found = self._annotated(self._whole.take(places), places)
        found.schema = self.schema
        found._weights = None if self._weights is None else self._weights[places]
        return found
