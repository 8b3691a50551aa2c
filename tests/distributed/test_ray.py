"""On workers of Ray, where it is installed (``pip install 'tacit[ray]'``): the answer of one process."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit
from tacit import distributed as spread

ray = pytest.importorskip("ray", reason="Ray is an extra of its own, tacit[ray], and no part of the usual set-up")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def model() -> tacit.GaussianMixture:
    return tacit.GaussianMixture(3, random_state=0, init_params="random", tol=0.0, max_iter=8)


def test_one_process_and_a_cluster_agree(rows: Any) -> None:
    alone = model().fit(np.asarray(rows))
    found = []
    for partitions in (1, 2, 7):
        with spread.engine("ray", partitions=partitions) as engine:
            assert engine.partitions == partitions
            found.append(model().fit(rows))
    np.testing.assert_allclose(found[0].means_, alone.means_, rtol=1e-10)
    for other in found[1:]:
        np.testing.assert_array_equal(other.means_, found[0].means_)
    assert ray.is_initialized()  # a connection that was there stays


def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    once = tmp_path / "died"
    with spread.engine("ray") as engine:
        assert engine.partitions == 6
        assert engine.map(died_once, [1, 2, 3, 4], (str(once),)) == [10, 20, 30, 40]
        assert once.exists()
        with pytest.raises(ZeroDivisionError):
            engine.map(broken, [1, 2])
        with pytest.raises(spread.EngineError, match="more than 2 partitions"):
            engine.map(always_dies, [1, 2])


def died_once(part: int, once: str) -> int:
    if part == 2 and not Path(once).exists():
        Path(once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * part


def always_dies(part: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return part


def broken(part: int) -> float:
    return part / 0


def test_errors_of_a_file_come_back(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": np.random.default_rng(0).normal(size=500)}), tmp_path / "a.parquet")
    gone = tacit.dataset(tmp_path)
    (tmp_path / "a.parquet").unlink()
    with spread.engine("ray"), pytest.raises(ValueError, match=r"a\.parquet is gone"):
        tacit.KMeans(2).fit(gone)


def test_answers_to_rows_too(rows: Any) -> None:
    fitted = tacit.KMeans(3, random_state=0).fit(np.asarray(rows))
    with spread.engine("ray", partitions=4):
        np.testing.assert_array_equal(fitted.predict(rows), fitted.labels_)
