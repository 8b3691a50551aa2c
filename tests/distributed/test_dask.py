"""On workers of Dask: the answer of one process, also where a worker is killed; what is wrong is said."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tacit
from tacit import distributed as spread
from tacit.distributed.engines import version

dask = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    cluster = dask.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1", memory_limit=0
    )
    with cluster, dask.Client(cluster, set_as_default=False) as client:
        yield client


def model() -> tacit.GaussianMixture:
    return tacit.GaussianMixture(3, random_state=0, init_params="random", tol=0.0, max_iter=8)


def test_one_process_and_a_cluster_agree(client: Any, rows: Any) -> None:
    alone = model().fit(np.asarray(rows))
    found = []
    for partitions in (1, 2, 7):
        with spread.engine(client, partitions=partitions):
            found.append(model().fit(rows))
            assert len(found) > 1 or spread.current().partitions == 1
    np.testing.assert_allclose(found[0].means_, alone.means_, rtol=1e-10)
    for other in found[1:]:
        np.testing.assert_array_equal(other.means_, found[0].means_)


def test_a_network_too(client: Any, rows: Any) -> None:
    alone = tacit.BayesianNetwork(edges="a->b").fit(rows)
    with spread.engine(client, partitions=3):
        found = tacit.BayesianNetwork(edges="a->b").fit(rows)
    for one, other in zip(alone.model_.nodes, found.model_.nodes, strict=True):
        np.testing.assert_allclose(other.coefficients, one.coefficients, rtol=1e-10, atol=1e-10)


def test_a_worker_that_is_killed_changes_nothing(client: Any, rows: Any) -> None:
    with spread.engine(client, partitions=6):
        before = model().fit(rows)
    victim = min(client.run(os.getpid).values())
    seen = []

    def kill() -> None:
        time.sleep(1.0)
        os.kill(victim, signal.SIGKILL)
        seen.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    with spread.engine(client, partitions=6):
        while not seen:
            after = model().fit(rows)
            np.testing.assert_array_equal(after.means_, before.means_)
    killer.join()
    until = time.monotonic() + 60.0
    while victim in client.run(os.getpid, on_error="ignore").values() or len(client.nthreads()) < 2:
        assert time.monotonic() < until, "the worker that was killed has not been replaced"
        time.sleep(0.1)  # the scheduler sees the death when it next hears nothing of it


def test_an_address_and_k_means(client: Any, rows: Any) -> None:
    alone = tacit.KMeans(3, random_state=0).fit(np.asarray(rows))
    address = client.scheduler.address
    with spread.engine(address.replace("tcp", "dask"), partitions=4):
        found = tacit.KMeans(3, random_state=0).fit(rows)
    np.testing.assert_allclose(found.cluster_centers_, alone.cluster_centers_, rtol=1e-10)
    np.testing.assert_array_equal(found.labels_, alone.labels_)


def test_errors_of_a_file_come_back(client: Any, gone: Any) -> None:
    with spread.engine(client), pytest.raises(ValueError, match=r"a\.parquet is gone"):
        tacit.KMeans(2).fit(gone)


def test_another_version_is_said(client: Any, rows: Any) -> None:
    def become(version: str) -> None:
        sys.modules["tacit"].__version__ = version

    client.wait_for_workers(2, timeout=60)
    client.run(version)  # so that tacit is there
    client.run(become, "0.0.9")
    try:
        with spread.engine(client), pytest.raises(spread.EngineError, match=r"has tacit 0\.0\.9, and here it is"):
            tacit.KMeans(3).fit(rows)
    finally:
        client.run(become, tacit.__version__)


def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tacit.distributed.clusters.CONNECT_SECONDS", 1)
    with (
        pytest.raises(spread.EngineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 "),
        spread.engine("dask://127.0.0.1:1"),
    ):
        pass
