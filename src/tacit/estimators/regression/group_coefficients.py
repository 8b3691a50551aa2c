"""``GroupCoefficients``: the regressions of the groups of a mixture, as a table."""

import numpy as np
import pyarrow as pa

from tacit.data.results import TableResult


class GroupCoefficients(TableResult):
    """The regressions of all groups."""

    def __init__(self, table: pa.Table, shares: np.ndarray) -> None:
        self._table, self._shares = table, shares

    def to_arrow(self) -> pa.Table:
        return self._table

    def headline(self) -> str:
        """The sizes of the groups."""
        told = ", ".join(f"group {place} {share:.0%}" for place, share in enumerate(self._shares, 1))
        return f"Regressions of {told}"
