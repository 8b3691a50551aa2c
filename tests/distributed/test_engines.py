"""Sums over partitions are those of one process, wherever and in however many parts they are worked out."""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone
from sklearn.neighbors import KernelDensity
from typer.testing import CliRunner

import tacit
from lost_workers import always_dies, broken, died_once
from tacit import distributed
from tacit.cli import app
from tacit.data.dataset import DenseRows
from tacit.data.sources import StreamSource, source
from tacit.data.sums import ranges

ROWS = 120_000


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few rows have many partitions."""
    monkeypatch.setattr("tacit.data.sources.STREAM_CHUNKS", 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, draw = tmp_path_factory.mktemp("rows"), np.random.default_rng(0)
    centres = draw.normal(0.0, 3.0, (3, 3))
    x = centres[draw.integers(0, 3, ROWS)] + draw.normal(size=(ROWS, 3))
    gaps = x.copy()
    gaps[draw.random(ROWS) < 0.2, 1] = np.nan
    y = x @ [1.0, -2.0, 0.5] + draw.normal(size=ROWS)
    edges = [0, 35_001, 35_011, 90_000, ROWS]
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        part = {name: x[first:last, i] for i, name in enumerate("abc")}
        part |= {f"n{i}": np.floor(np.abs(x[first:last, i])) for i in (0, 1)}
        part |= {"gap": pa.array(gaps[first:last, 1], from_pandas=True), "y": y[first:last]}
        pq.write_table(pa.table(part), place / f"{number}.parquet", row_group_size=50_000)
    return place


def column(folder: Path, name: str) -> np.ndarray:
    return np.concatenate([pq.read_table(path).column(name).to_numpy() for path in sorted(folder.glob("*"))])


MODELS = {
    "mixture": (lambda: tacit.GaussianMixture(3, random_state=0), ["a", "b", "c"], lambda m: m.means_),
    "gaps": (lambda: tacit.GaussianMixture(2, random_state=0, max_iter=2), ["a", "gap"], lambda m: m.covariances_),
    "k-means": (
        lambda: tacit.KMeans(3, random_state=0),
        ["a", "b", "c"],
        lambda m: np.append(m.cluster_centers_, m.inertia_),
    ),
    "components": (lambda: tacit.PCA(2), ["a", "b", "c"], lambda m: np.abs(m.components_)),
    "counts": (lambda: tacit.PoissonMixture(2, random_state=0, max_iter=3), ["n0", "n1"], lambda m: m.rates_),
    "analysers": (
        lambda: tacit.MixtureOfFactorAnalysers(2, n_factors=1, random_state=0, max_iter=2),
        ["a", "b", "c"],
        lambda m: m.means_,
    ),
    "factors": (lambda: tacit.FactorAnalysis(1, max_iter=5), ["a", "gap", "c"], lambda m: np.abs(m.components_)),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_the_layout_changes_nothing(folder: Path, name: str) -> None:
    make, columns, found = MODELS[name]
    rows = tacit.dataset(folder, columns=columns)
    alone = found(make().fit(np.asarray(rows)))
    several = []
    for partitions in (1, 2, 7):
        with distributed.engine("in-place", partitions=partitions):
            several.append(found(make().fit(rows)))
    np.testing.assert_allclose(several[0], alone, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(several[1], several[0])
    np.testing.assert_array_equal(several[2], several[0])


def test_regressions_too(folder: Path) -> None:
    rows, y = tacit.dataset(folder, columns=["a", "b", "c"]), column(folder, "y")
    alone = tacit.BayesianLinearRegression().fit(np.asarray(rows), y)
    with distributed.engine("in-place", partitions=5):
        spread = tacit.BayesianLinearRegression().fit(rows, y)
    np.testing.assert_allclose(spread.coef_, alone.coef_, rtol=1e-10)


@pytest.mark.parametrize("kind", [tacit.PoissonRegression, tacit.NegativeBinomialRegression])
def test_regressions_of_counts_too(folder: Path, kind: type) -> None:
    rows, draw = tacit.dataset(folder, columns=["a", "b", "n0"]), np.random.default_rng(2)
    rate = np.exp(0.1 * column(folder, "a")) * (1.0 + column(folder, "n0"))
    y = draw.poisson(rate * draw.gamma(2.0, 0.5, ROWS)).astype(float)
    more = {"sample_weight": draw.integers(0, 3, ROWS).astype(float)}
    shifted = np.asarray(rows) + np.array([0.0, 0.0, 1.0])
    alone = kind().fit(shifted[:, :2], y, exposure=shifted[:, 2], **more)
    with distributed.engine("in-place", partitions=3):
        spread = kind().fit(tacit.dataset(folder, columns=["a", "b"]), y, exposure=shifted[:, 2], **more)
        column_says = kind("n0").fit(rows.take(column(folder, "n0") > 0), y[column(folder, "n0") > 0])
    for name in ("coef_", "intercept_", "covariance_", "dispersion_", "log_likelihood_", "deviance_", "pearson_ratio_"):
        np.testing.assert_allclose(getattr(spread, name), getattr(alone, name), rtol=1e-9, atol=1e-10)
    seen = np.asarray(rows)[:, 2] > 0
    again = kind(2).fit(np.asarray(rows)[seen], y[seen])
    np.testing.assert_allclose(column_says.coef_, again.coef_, rtol=1e-9)


def test_a_density_for_every_class_too(folder: Path) -> None:
    rows, label = tacit.dataset(folder, columns=["a", "c", "gap"]), column(folder, "y") > 0
    density = tacit.GaussianMixture(random_state=0)
    model = tacit.GenerativeClassifier(density, refuse=0.05, calibration=0.01, random_state=0)
    alone = clone(model).fit(np.asarray(rows), label)
    with distributed.engine("in-place", partitions=3):
        spread = clone(model).fit(rows, label)
        chances, ranks = spread.predict_proba(rows), spread.p_values(rows.take(slice(0, 50)))
    for one, other in zip(spread.estimators_, alone.estimators_, strict=True):
        np.testing.assert_allclose(one.means_, other.means_, rtol=1e-9)
    np.testing.assert_allclose(chances, alone.predict_proba(np.asarray(rows)), atol=1e-9)
    np.testing.assert_allclose(ranks, alone.p_values(np.asarray(rows)[:50]), atol=1e-9)
    assert np.isnan(np.asarray(rows)).any()


def test_a_density_that_takes_no_data_sets_gets_an_array(folder: Path) -> None:
    rows, label = tacit.dataset(folder, columns=["a", "b"]), column(folder, "y") > 0
    model = tacit.GenerativeClassifier(KernelDensity()).fit(rows.take(slice(0, 200)), label[:200])
    assert model.predict(rows.take(slice(0, 50))).shape == (50,)


def test_processes_give_the_same_and_one_that_dies_changes_nothing(folder: Path, tmp_path: Path) -> None:
    rows = tacit.dataset(folder, columns=["a", "b", "c"])
    with distributed.engine("in-place", partitions=4):
        alone = tacit.GaussianMixture(3, random_state=0).fit(rows)
        labels = alone.predict(rows)
    with distributed.engine(2, partitions=4) as engine:
        spread = tacit.GaussianMixture(3, random_state=0).fit(rows)
        np.testing.assert_array_equal(spread.means_, alone.means_)
        np.testing.assert_array_equal(spread.predict(rows), labels)
        once = tmp_path / "died"
        assert engine.map(died_once, [1, 2, 3, 4], (str(once),)) == [10, 20, 30, 40]
        with pytest.raises(ZeroDivisionError):
            engine.map(broken, [1, 2])
        with pytest.raises(distributed.EngineError, match="more than 4 partitions"):
            engine.map(always_dies, [1, 2])


def test_rows_in_memory_stay_here() -> None:
    rows = DenseRows(np.random.default_rng(0).normal(size=(500, 2)))

    class Nowhere:
        partitions = 3

        def map(self, *arguments: object) -> list[object]:
            raise AssertionError("nothing is to be sent away")

    with distributed.engine(Nowhere()):
        assert not isinstance(source(rows), StreamSource)
        rows.moments()
        tacit.GaussianMixture(2, random_state=0).fit(rows)


def test_what_an_engine_cannot_help_is_refused(folder: Path, tmp_path: Path) -> None:
    def said(*arguments: object) -> str:
        done = CliRunner().invoke(
            app, ["fit", *map(str, arguments), "--engine", "in-place", "--out", str(tmp_path / "r")]
        )
        assert done.exit_code != 0
        return " ".join(done.output.split())

    assert "vae does not learn from sums over rows" in said(folder, "--model", "vae")
    assert "these are read whole" in said(folder, "--model", "gaussian-mixture", "--id", "a")
    (tmp_path / "a.csv").write_text("a,b\n1.5,2\n2.5,4\n")
    assert "these are read whole" in said(tmp_path / "a.csv")
    assert not (tmp_path / "r").exists()


def test_ranges_hold_whole_grains() -> None:
    assert ranges(100, 3, 10) == [0, 30, 60, 100]
    assert ranges(95, 20, 10) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95]
    assert ranges(5, 4, 10) == [0, 5]


def test_what_is_no_engine_is_said() -> None:
    for where in ("dusk://here:1", "here", 0, True, 2.5):
        with pytest.raises(ValueError, match=r"engine|whole number"), distributed.engine(where):
            pass
    with pytest.raises(ValueError, match="partitions"), distributed.engine("in-place", partitions=0):
        pass
    with pytest.raises(distributed.EngineError, match="Spark"), distributed.engine("spark://here:1"):
        pass
    assert distributed.current() is None
