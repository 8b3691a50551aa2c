"""A fit holds its rows once: what stands beside them, up to its first step, is a part of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest

ROWS, COLUMNS = 1_000_000, 10
MEASURED = """
import sys
from pathlib import Path
from tacit.workflow.events import Observer, StageStarted
from tacit.workflow.fitting import fit
from tacit.workflow.requests import FitRequest
from tacit.workflow.sources import DataSource


class Reached(BaseException):
    pass


def told(event):
    if isinstance(event, StageStarted):
        raise Reached


def resident(what):
    (line,) = (line for line in open("/proc/self/status") if line.startswith(what))
    return 1024 * int(line.split()[1])


def read(table):
    try:
        out = Path(table + ".run")
        fit(FitRequest(DataSource(table), settings=("components=2",), out=out, overwrite=True), Observer(told))
    except Reached:
        pass


small, large = sys.argv[1:]
read(small)  # everything is imported, and what is kept for good is kept
open("/proc/self/clear_refs", "w").write("5")
before = resident("VmRSS")
read(large)
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux counts it")
@pytest.mark.parametrize(("ending", "most"), [("parquet", 1.3), ("csv", 1.55)])
def test_reading_a_file_holds_it_once(tmp_path: Path, ending: str, most: float) -> None:
    random = np.random.default_rng(0)
    for name, rows in (("small", 1000), ("large", ROWS)):
        table = pa.table({f"c{place}": random.normal(size=rows).round(7) for place in range(COLUMNS)})
        write = parquet.write_table if ending == "parquet" else csv.write_csv
        write(table, tmp_path / f"{name}.{ending}")  # Parquet all in one row group
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *(str(tmp_path / f"{name}.{ending}") for name in ("small", "large"))],
        # memory that was freed goes back at once, so that what is held is what is measured
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "ARROW_DEFAULT_MEMORY_POOL": "system"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(done.stdout) / (8 * ROWS * COLUMNS) < most
