"""Rows in files that clusters are given."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """300 000 rows of three groups in three Parquet files."""
    place, draw = tmp_path_factory.mktemp("rows"), np.random.default_rng(0)
    x = draw.normal(0.0, 3.0, (3, 2))[draw.integers(0, 3, 300_000)] + draw.normal(size=(300_000, 2))
    for number, part in enumerate(np.array_split(x, 3)):
        pq.write_table(pa.table({"a": part[:, 0], "b": part[:, 1]}), place / f"{number}.parquet")
    return tacit.dataset(place)


@pytest.fixture
def gone(tmp_path: Path) -> Any:
    """500 rows of a file that is no longer there."""
    pq.write_table(pa.table({"a": np.random.default_rng(0).normal(size=500)}), tmp_path / "a.parquet")
    rows = tacit.dataset(tmp_path)
    (tmp_path / "a.parquet").unlink()
    return rows
