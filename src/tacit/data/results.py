"""Results as tables: what is found can be looked at in a notebook, and goes on as a data frame."""

import abc
import html
import math
from typing import Any

import lazy_loader as lazy
import pyarrow as pa

SHOWN = 20
"""Lines that a notebook shows."""


class TableResult(abc.ABC):
    """A result that is a table; `to_arrow` says what stands in it."""

    @abc.abstractmethod
    def to_arrow(self) -> pa.Table:
        """The result as an Arrow table."""

    def to_pandas(self) -> Any:
        """The same as a pandas data frame.

        Raises:
            ImportError: pandas is not there.
        """
        _library("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """The same as a polars data frame.

        Raises:
            ImportError: polars is not there.
        """
        return _library("polars").from_arrow(self.to_arrow())

    def headline(self) -> str:
        """What stands above the table in a notebook."""
        return type(self).__name__

    def _repr_html_(self) -> str:
        return html_table(self.to_arrow(), self.headline())


def _library(name: str) -> Any:
    """A library that makes frames; not before it is needed, for scikit-learn takes one that is known for one in use."""
    library = lazy.load(name, error_on_import=False)
    if isinstance(library, lazy.DelayedImportErrorModule):
        raise ImportError(f"this needs {name}: pip install {name}; to_arrow() needs nothing else")
    return library


def html_table(table: pa.Table, headline: str) -> str:
    """A table as HTML for a notebook: its first lines, every text escaped."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.column_names)
    lines = [
        "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
        for row in table.slice(0, SHOWN).to_pylist()
    ]
    more = table.num_rows - SHOWN
    rest = f"<p>and {more:,} more</p>" if more > 0 else ""
    words = "<br>".join(html.escape(line) for line in headline.splitlines())
    return f"<p><b>{words}</b></p><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>{rest}"


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
