"""Choosing the number of components and the structure: against mclust, closed forms and the fits' own criteria."""

import csv
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import load_iris

from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture
from tacit.evaluation.select import select

JUDGE = Path(__file__).resolve().parents[1] / "judges" / "mclust_bic.csv"
AGREE = 0.02
"""Nats of the whole log-likelihood: mclust stops at 1e-5 of its own criterion, and so do we."""


def mclust(data: str) -> dict[tuple[str, int], dict[str, float]]:
    """mclust's figures by structure and number of components; those it gave up on are left out."""
    with JUDGE.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["data"] == data and line["prior"] == "none"]
    names = ("n_parameters", "bic", "log_likelihood")
    return {
        (line["structure"], int(line["n_components"])): {name: float(line[name]) for name in names}
        for line in lines
        if line["bic"].strip() != "NA"
    }


@pytest.fixture(scope="module")
def faithful(shared_data: Path) -> np.ndarray:
    return np.loadtxt(shared_data / "tables" / "faithful.csv", delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def iris() -> np.ndarray:
    return load_iris().data[::3, 2:]


def test_old_faithful_as_mclust_or_better(faithful: np.ndarray) -> None:
    """One structure of every way to an M-step; the whole table is compared in benchmarks."""
    judge = mclust("faithful")
    assert max(judge, key=lambda cell: judge[cell]["bic"]) == ("EEE", 3)
    structures = ["EII", "EEE", "VVI", "VEE", "VEV", "VVV"]
    found = select(faithful, range(1, 4), structures, effort="thorough", random_state=0)
    lines = found.table.to_pylist()
    assert len(lines) == len(structures) * 3
    for line in lines:
        theirs = judge.get((line["covariance"], line["n_components"]))
        assert theirs is not None
        assert line["n_parameters"] == theirs["n_parameters"]
        assert not line["at_floor"]
        assert line["log_likelihood"] > theirs["log_likelihood"] - AGREE, line
        assert line["bic"] > theirs["bic"] - 2 * AGREE, line
    assert (found.best.covariance_type, found.best.n_components) == ("EEE", 3)
    chosen = next(line for line in lines if line["covariance"] == "EEE" and line["n_components"] == 3)
    assert chosen["log_likelihood"] == pytest.approx(-1126.3, abs=0.05)
    assert chosen["bic"] == pytest.approx(-2314.3, abs=0.05)
    one = {line["covariance"]: line["log_likelihood"] for line in lines if line["n_components"] == 1}
    for names, covariance in (
        (("EEE", "VVV", "VEE"), np.cov(faithful.T, bias=True)),
        (("VVI",), np.diag(faithful.var(axis=0))),
        (("EII",), np.eye(2) * faithful.var(axis=0).mean()),
    ):
        wanted = -136 * (np.linalg.slogdet(2 * np.pi * covariance)[1] + 2)
        for name in names:
            assert one[name] == pytest.approx(wanted, abs=1e-4)


def test_a_structure_is_begun_again_from_what_another_found(faithful: np.ndarray) -> None:
    """Alone, six components of VVV end in a poorer maximum than mclust's, whatever the k-means starts."""
    theirs = mclust("faithful")["VVV", 6]["log_likelihood"]
    alone = select(faithful, [6], "VVV", effort="thorough", random_state=0).table.column("log_likelihood")[0].as_py()
    lines = select(faithful, [6], ["VVE", "VVV"], effort="thorough", random_state=0).table.to_pylist()
    crossed = next(line["log_likelihood"] for line in lines if line["covariance"] == "VVV")
    assert alone < theirs - 0.5
    assert crossed > theirs - AGREE


def test_criteria_are_those_of_the_fitted_estimators(iris: np.ndarray) -> None:
    found = select(iris, [3, 1], ["VVI", "spherical"], random_state=0, n_init=2)
    lines = found.table.to_pylist()
    assert [(line["covariance"], line["n_components"]) for line in lines] == [
        ("VVI", 1),
        ("VVI", 3),
        ("VII", 1),
        ("VII", 3),
    ]
    best = max(lines, key=lambda line: line["bic"])
    fit = found.best
    assert (fit.covariance_type, fit.n_components) == (best["covariance"], best["n_components"])
    assert best["log_likelihood"] == pytest.approx(fit.score_samples(iris).sum(), rel=1e-10)
    assert best["bic"] == pytest.approx(-fit.bic(iris), rel=1e-10)
    assert best["icl"] == pytest.approx(-fit.icl(iris), rel=1e-9)
    assert best["aic"] == pytest.approx(-fit.aic(iris), rel=1e-10)
    assert best["n_parameters"] == fit.n_parameters_
    assert best["converged"]
    assert set(fit.predict(iris)) == set(range(fit.n_components))
    by_aic = select(iris, [3, 1], ["VVI", "spherical"], "aic", random_state=0, n_init=2)
    assert by_aic.best.n_parameters_ == max(lines, key=lambda line: line["aic"])["n_parameters"]
    with mpl.rc_context({"backend": "Agg"}):
        figure = found.plot()
    assert isinstance(figure, Figure)
    plt.close(figure)


def test_one_column_and_weights_that_are_copies() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0.0, 1.0, 15), random.normal(9.0, 0.2, 15)])[:, None]
    weights = np.tile([1.0, 2.0], 15)
    weighted = select(values, [1, 2], random_state=0, sample_weight=weights, n_init=2)
    written = select(np.repeat(values, weights.astype(int), axis=0), [1, 2], random_state=0, n_init=2)
    lines, copies = weighted.table.to_pylist(), written.table.to_pylist()
    assert [line["covariance"] for line in lines] == ["E", "E", "V", "V"]
    for line, copy in zip(lines, copies, strict=True):
        assert line["log_likelihood"] == pytest.approx(copy["log_likelihood"], rel=1e-4)
        assert line["bic"] == pytest.approx(copy["bic"], rel=1e-4)
    assert (weighted.best.covariance_type, weighted.best.n_components) == ("V", 2)


def test_a_fit_on_its_floor_is_listed_and_never_chosen() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 1))
    rows[:8] = 3.0  # a spike: the likelihood of a component on it has no maximum
    found = select(rows, [1, 2], ["V"], random_state=0, n_init=2)
    one, two = found.table.to_pylist()
    assert two["at_floor"]
    assert two["bic"] > one["bic"]
    assert found.best.n_components == 1
    with pytest.raises(ValueError, match="no candidate is sound"):
        select(rows, [2], ["V"], random_state=0, n_init=2)


def test_held_out_prefers_what_unseen_rows_are_likely_under(iris: np.ndarray) -> None:
    found = select(iris, [1, 2], ["VVI"], "held-out", random_state=0, n_init=2)
    values = found.table.column("held_out").to_pylist()
    assert found.criterion == "held-out"
    assert found.best.n_components == 1 + int(np.argmax(values)) == 2
    # every row is scored by a fit that has not seen it, so the mean is a little below that of the fit to all
    fitted = found.table.column("log_likelihood").to_numpy() / len(iris)
    assert (np.array(values) < fitted).all()
    assert (np.array(values) > fitted - 0.5).all()


def test_any_mixture_can_be_the_candidate() -> None:
    random = np.random.default_rng(0)
    which = np.arange(60) < 30
    town = np.where(random.uniform(size=60) < 0.1, ~which, which).astype(str)
    table = pa.table({"town": town, "size": 6.0 * which + random.normal(size=60)})
    found = select(table, [1, 2], None, estimator=Mixture(), random_state=0, n_init=2)
    assert found.best.n_components == 2
    assert found.best.schema_.names == ("town", "size")
    assert found.best.predict(table)[:30].std() == 0.0


def test_what_is_wrong_is_said(iris: np.ndarray) -> None:
    with pytest.raises(ValueError, match="components must be whole numbers of at least 1"):
        select(iris, [0, 1])
    with pytest.raises(ValueError, match="criterion must be one of"):
        select(iris, [1], criterion="AIC")
    with pytest.raises(ValueError, match="VVX"):
        select(iris, [1], ["VVX"])
    assert select(iris, [1], "EII", estimator=GaussianMixture(tol=1e-4), random_state=0).best.tol == 1e-4
