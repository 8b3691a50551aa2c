"""Runs that are served, servers on a port of the system's choice, and a client over a socket."""

import faulthandler
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from served import Client, client_of, fit, started
from tacit.serve.http import RequestLimits
from tacit.serve.running import Server, Settings
from tacit.workflow import fitting

LIMITS = RequestLimits(body=200_000, rows=500, seconds=20.0, threads=4)


@pytest.fixture(scope="session", autouse=True)
def _bare_reports() -> Iterator[None]:
    """Reports are tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "write_report", lambda path, *_: path.write_text("<!DOCTYPE html>"))
        yield


@pytest.fixture(scope="session")
def people() -> dict[str, object]:
    """Two groups, columns of three kinds, a few gaps."""
    draw = np.random.default_rng(0)
    group = np.arange(200) % 2
    spend = np.round(draw.normal(20.0 + 30.0 * group, 4.0), 2)
    spend[5] = np.nan
    return {
        "spend": spend,
        "visits": draw.poisson(2.0 + 5.0 * group),
        "city": np.where(draw.random(200) < 0.9, np.where(group == 1, "Paris", "Rome"), "Oslo"),
    }


@pytest.fixture(scope="session")
def people_run(people: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of columns of several kinds."""
    return fit(people, tmp_path_factory.mktemp("runs") / "people", "--set", "components=2", "--model", "mixture")


@pytest.fixture(scope="session")
def points() -> dict[str, object]:
    """Two groups of points."""
    draw = np.random.default_rng(1)
    group = np.arange(300) % 2
    return {"left": draw.normal(6.0 * group, 1.0), "right": draw.normal(50.0 - 20.0 * group, 3.0)}


@pytest.fixture(scope="session")
def points_run(points: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gaussian mixture."""
    folder = tmp_path_factory.mktemp("runs") / "points"
    return fit(points, folder, "--model", "gaussian-mixture", "--set", "components=2", "--set", "covariance=full")


@pytest.fixture(scope="session")
def price_run(points: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression."""
    draw = np.random.default_rng(2)
    price = 3.0 * np.asarray(points["left"]) + draw.normal(0.0, 0.5, 300)
    return fit(points | {"price": price}, tmp_path_factory.mktemp("runs") / "price", "--target", "price")


@pytest.fixture(scope="module")
def server(people_run: Path, points_run: Path, price_run: Path) -> Iterator[Server]:
    """All three runs, small limits."""
    places = [str(people_run), str(points_run), f"cost={price_run}"]
    running, thread = started(places, Settings(port=0, limits=LIMITS))
    yield running
    running.stop()
    thread.join(60)
    if thread.is_alive():
        faulthandler.dump_traceback(sys.__stderr__)
        pytest.fail("the server does not end: what every thread does stands above")


@pytest.fixture(scope="module")
def call(server: Server) -> Client:
    """A client of the server."""
    return client_of(server.port)
