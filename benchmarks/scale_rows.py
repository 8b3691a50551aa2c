"""The rows of the scale benchmark, written to Parquet a piece at a time."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS, GROUPS = 10, 4
FILE_ROWS = 1_000_000
PIECE_ROWS = 250_000
"""Rows that are made together, and are a row group."""


def write_rows(folder: Path, rows: int, gaps: float = 0.0) -> None:
    """Seeded rows of four overlapping groups with correlated columns, in files of a million rows each."""
    folder.mkdir(parents=True, exist_ok=True)
    once = np.random.default_rng(1)
    centres = once.normal(0.0, 2.0, (GROUPS, COLUMNS))
    root = np.linalg.cholesky(0.5 * np.eye(COLUMNS) + 0.5)
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        writer = None
        for piece in range(first, min(first + FILE_ROWS, rows), PIECE_ROWS):
            draw, size = np.random.default_rng([2, piece]), min(PIECE_ROWS, rows - piece)
            x = centres[draw.integers(0, GROUPS, size)] + draw.normal(size=(size, COLUMNS)) @ root
            if gaps:
                x[draw.random(x.shape) < gaps] = np.nan
            table = pa.table({f"x{place}": pa.array(column, from_pandas=True) for place, column in enumerate(x.T)})
            if writer is None:
                writer = pq.ParquetWriter(folder / f"{number:03d}.parquet", table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
