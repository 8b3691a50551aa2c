"""Rotations, polychoric correlations and numbers of factors against R's psych, GPArotation and stats (factors.R)."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from tacit.models.factors.polychoric import polychoric
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
