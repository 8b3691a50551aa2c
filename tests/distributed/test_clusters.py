"""On workers of Ray and of Spark, where they are installed: the answer of one process."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tacit
from lost_workers import always_dies, broken, died_once
from tacit import distributed as spread

pytestmark = pytest.mark.filterwarnings("ignore")
HARNESS = Path(__file__).resolve().parents[1] / "harness"


def ray_cluster() -> Iterator[None]:
    """Two processors of this machine; a connection that was there stays."""
    ray = pytest.importorskip("ray", reason="Ray is an extra of its own, tacit[ray], and no part of the usual set-up")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    assert ray.is_initialized()
    ray.shutdown()


def spark_cluster() -> Iterator[None]:
    """The same, a lost task tried three times."""
    sql = pytest.importorskip("pyspark.sql", reason="Spark is an extra of its own, tacit[spark], and wants Java")
    session = sql.SparkSession.builder.master("local[2, 3]").config("spark.ui.enabled", "false").getOrCreate()
    yield
    assert sql.SparkSession.getActiveSession() is not None
    session.stop()


@pytest.fixture(scope="module", params=[ray_cluster, spark_cluster], ids=["ray", "spark"])
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HARNESS), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        running = request.param()
        next(running)
        yield request.param.__name__.removesuffix("_cluster")
        next(running, None)


def model() -> tacit.GaussianMixture:
    return tacit.GaussianMixture(3, random_state=0, init_params="random", tol=0.0, max_iter=8)


def test_one_process_and_a_cluster_agree(rows: Any, cluster: str) -> None:
    alone = model().fit(np.asarray(rows))
    found = []
    for partitions in (1, 2, 7):
        with spread.engine(cluster, partitions=partitions) as engine:
            assert engine.partitions == partitions
            found.append(model().fit(rows))
    np.testing.assert_allclose(found[0].means_, alone.means_, rtol=1e-10)
    for other in found[1:]:
        np.testing.assert_array_equal(other.means_, found[0].means_)


def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path, cluster: str) -> None:
    once = tmp_path / "died"
    with spread.engine(cluster) as engine:
        assert engine.partitions == 6
        assert engine.map(died_once, [1, 2, 3, 4], (str(once),)) == [10, 20, 30, 40]
        assert once.exists()
        with pytest.raises(ZeroDivisionError):
            engine.map(broken, [1, 2])
        with pytest.raises(spread.EngineError, match="more than 2 partitions"):
            engine.map(always_dies, [1, 2])


def test_errors_of_a_file_come_back(gone: Any, cluster: str) -> None:
    with spread.engine(cluster), pytest.raises(ValueError, match=r"a\.parquet is gone"):
        tacit.KMeans(2).fit(gone)


def test_answers_to_rows_too(rows: Any, cluster: str) -> None:
    fitted = tacit.KMeans(3, random_state=0).fit(np.asarray(rows))
    with spread.engine(cluster, partitions=4):
        np.testing.assert_array_equal(fitted.predict(rows), fitted.labels_)
