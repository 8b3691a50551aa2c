"""Rows in files that clusters are given."""

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
