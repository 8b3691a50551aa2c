"""Rotations, polychoric correlations and numbers of factors against R's psych, GPArotation and stats (factors.R)."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

import tacit
from tacit.models.factors.polychoric import polychoric
from tacit.models.factors.retention import parallel
from tacit.models.factors.rotation import METHODS, rotate

HERE = Path(__file__).resolve().parent


def figures() -> dict[tuple[str, str], np.ndarray]:
    """What R found, by data set and by what it is."""
    with (HERE / "factors.csv").open(encoding="utf-8") as file:
        return {
            (line["data"], line["what"]): np.array(line["values"].split(), float).reshape(
                int(line["rows"]), int(line["columns"])
            )
            for line in csv.DictReader(file)
        }


R = figures()


def as_in(target: np.ndarray, loadings: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The order and signs of the factors that bring loadings closest to a target."""
    inner = target.T @ loadings
    orders = itertools.permutations(range(target.shape[1]))
    order = max(orders, key=lambda each: sum(abs(inner[place, factor]) for place, factor in enumerate(each)))
    return list(order), np.sign([inner[place, factor] for place, factor in enumerate(order)])


@pytest.mark.parametrize("normalise", [True, False], ids=["normalised", "raw"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("data", ["harman74", "bfi"])
def test_a_rotation_is_that_of_r_or_better(data: str, method: str, normalise: bool) -> None:
    label = f"{method} {'normalised' if normalise else 'raw'}"
    ours, theirs = rotate(R[data, "loadings"], method, normalise=normalise), R[data, f"{label} pattern"]
    order, signs = as_in(theirs, ours.loadings)
    if method != "promax":
        criterion = float(R[data, f"{label} criterion"][0, 0])
        assert ours.criterion < criterion + 1e-8
        assert ours.criterion > criterion - 1e-6  # none of them was caught elsewhere
    np.testing.assert_allclose(ours.loadings[:, order] * signs, theirs, atol=1e-5)
    if (data, f"{label} correlations") in R:
        turned = ours.correlations[np.ix_(order, order)] * np.outer(signs, signs)
        np.testing.assert_allclose(turned, R[data, f"{label} correlations"], atol=2e-5)


@pytest.mark.parametrize(("data", "within"), [("bfi", 3e-5), ("lsat6", 2e-5)])
def test_polychoric_correlations_are_those_of_psych(data: str, within: float, shared_data: Path) -> None:
    rows = np.genfromtxt(shared_data / "tables" / f"{data}.csv", delimiter=",", skip_header=1)[:, :25]
    found = polychoric(rows)
    np.testing.assert_allclose(np.stack(found.thresholds), R[data, "thresholds"], atol=1e-7)
    np.testing.assert_allclose(found.correlations, R[data, "polychoric"], atol=1e-7)  # psych's likelihood, to its end
    np.testing.assert_allclose(found.correlations, R[data, "polychoric psych"], atol=within)  # as it stops


@pytest.mark.parametrize("data", ["bfi", "harman74"])
def test_numbers_of_factors_are_those_of_psych(data: str, shared_data: Path) -> None:
    n, matrix = 2800 if data == "bfi" else 145, R[data, "correlation"]
    given = {"correlation": matrix, "n": n, "draws": 400}
    found, smc = (tacit.number_of_factors(**given, communalities=kind) for kind in ("one-factor", "smc"))
    np.testing.assert_allclose(found.eigenvalues, R[data, "eigenvalues"][:, 0], atol=1e-7)
    np.testing.assert_allclose(found.reduced_eigenvalues, R[data, "one-factor eigenvalues"][:, 0], atol=1e-6)
    np.testing.assert_allclose(smc.reduced_eigenvalues, R[data, "reduced eigenvalues"][:, 0], atol=1e-7)
    np.testing.assert_allclose(found.map[1:9], R[data, "map"][:, 0], atol=1e-8)
    np.testing.assert_allclose([found.kmo, *found.kmo_columns], R[data, "kmo"][:, 0], atol=1e-8)
    np.testing.assert_allclose(found.bartlett, R[data, "bartlett"][:, 0], rtol=1e-6, atol=1e-300)
    assert [smc.suggested[f"parallel_{kind}"] for kind in ("components", "factors")] == list(
        R[data, "parallel numbers"][:, 0]
    )
    for kind, what, draws in (("smc", "parallel factors", 400), ("one-factor", "one-factor parallel", 100)):
        whole, shared = parallel(n, len(matrix), None, 400, kind, np.random.default_rng(1))
        for ours, theirs, number in ((whole, "parallel components", 400), (shared, what, draws)):
            error = ours.std(0) * np.sqrt(1 / 400 + 1 / number)  # of the difference of two means of draws
            assert (np.abs(ours.mean(0) - R[data, theirs][:, 0]) < 4 * error).all()


def test_the_items_of_bfi_with_their_gaps(shared_data: Path) -> None:
    rows = np.genfromtxt(shared_data / "tables" / "bfi.csv", delimiter=",", skip_header=1)[:, :25]
    found = tacit.number_of_factors(rows)
    np.testing.assert_allclose(found.correlation, R["bfi", "correlation"], atol=1e-8)
    # psych's fa.parallel, with its defaults, says 6 and 6; its vss() has the least MAP at 5
    assert [found.suggested[name] for name in ("parallel_factors", "parallel_components", "map")] == [6, 6, 5]
