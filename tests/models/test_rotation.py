"""Rotations: the same model however it is turned, and no turn nearby that is simpler."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from tacit.models.factors.rotation import METHODS, ORTHOGONAL, align, ordered, rotate

SIMPLE = np.kron(np.eye(3), np.array([[0.9], [0.8], [0.7], [0.6]]))
OBLIQUE = [method for method in METHODS if method not in ORTHOGONAL]


def drawn(seed: int, dims: int = 9, factors: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(dims, factors)) * 0.5


def values(loadings: np.ndarray, method: str) -> float:
    """The criteria as their papers write them, by loops."""
    dims, factors = loadings.shape
    if method == "varimax":
        return float(-sum(np.var(loadings[:, k] ** 2) * dims for k in range(factors)) / 4)
    if method == "quartimax":
        return float(-sum(loading**4 for loading in loadings.ravel()) / 4)
    if method == "oblimin":
        pairs = [(k, l) for k in range(factors) for l in range(factors) if k != l]
        return float(sum((loadings[:, k] ** 2) @ (loadings[:, l] ** 2) for k, l in pairs) / 4)
    return float(sum(np.prod(row**2 + 0.01) ** (1 / factors) for row in loadings))


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_a_rotation_is_the_same_model(method: str, normalise: bool) -> None:
    given = drawn(0)
    found = ordered(rotate(given, method, normalise=normalise))
    np.testing.assert_allclose(found.loadings, given @ np.linalg.inv(found.transformation).T, atol=1e-12)
    np.testing.assert_allclose(found.correlations, found.transformation.T @ found.transformation, atol=1e-12)
    np.testing.assert_allclose(np.diag(found.correlations), 1.0, atol=1e-14)
    np.testing.assert_allclose(found.structure @ found.loadings.T, given @ given.T, atol=1e-12)
    explained = (found.loadings * found.structure).sum(0)
    assert (np.diff(explained) <= 0).all()
    assert (found.loadings.sum(0) >= 0).all()


@pytest.mark.parametrize("method", [method for method in METHODS if method != "promax"])
def test_the_criterion_is_that_of_the_paper_and_no_turn_nearby_lowers_it(method: str) -> None:
    found = rotate(drawn(1), method, normalise=False)
    assert np.isclose(found.criterion, values(found.loadings, method), rtol=1e-12)
    random = np.random.default_rng(0)
    for _ in range(30):
        nearby = found.transformation + 1e-3 * random.normal(size=(3, 3))
        nearby = np.linalg.qr(nearby)[0] if method in ORTHOGONAL else nearby / np.sqrt((nearby**2).sum(0))
        assert values(drawn(1) @ np.linalg.inv(nearby).T, method) >= found.criterion


@pytest.mark.parametrize("method", METHODS)
def test_simple_structure_is_found_again(method: str) -> None:
    turned = SIMPLE @ ortho_group.rvs(3, random_state=0)
    found = ordered(rotate(turned, method))
    order = np.argmax(np.abs(SIMPLE.T @ found.loadings), axis=1)
    np.testing.assert_allclose(found.loadings[:, order], SIMPLE, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_it_does_not_matter_how_loadings_were_turned_before(method: str) -> None:
    given = drawn(2)
    one = ordered(rotate(given, method)).loadings
    other = ordered(rotate(given @ ortho_group.rvs(3, random_state=1), method)).loadings
    np.testing.assert_allclose(other, one, atol=1e-6)


@pytest.mark.parametrize("method", ["varimax", "quartimax", "promax", "oblimin"])
@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_the_unit_of_the_loadings_does_not_matter(method: str, scale: float) -> None:
    one, other = (ordered(rotate(unit * drawn(3), method, normalise=False)) for unit in (1.0, scale))
    np.testing.assert_allclose(other.loadings / scale, one.loadings, atol=1e-7)
    assert np.isclose(other.criterion / scale**4, one.criterion)


@pytest.mark.parametrize("method", METHODS)
def test_a_column_without_loadings_stays_finite_and_copies_of_rows_are_no_trouble(method: str) -> None:
    given = np.vstack([drawn(4), np.zeros((2, 3)), drawn(4)[:2]])
    found = rotate(given, method)
    assert np.isfinite(found.loadings).all()
    assert (found.loadings[9:11] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_factor_none_and_vanished_ones_stay(method: str) -> None:
    np.testing.assert_array_equal(rotate(SIMPLE[:, :1], method).loadings, SIMPLE[:, :1])
    np.testing.assert_array_equal(rotate(np.zeros((5, 2)), method).loadings, np.zeros((5, 2)))
    given = np.insert(drawn(5), 1, 0.0, axis=1)
    found = rotate(given, method)
    np.testing.assert_allclose(np.delete(found.loadings, 1, axis=1), rotate(drawn(5), method).loadings, atol=1e-12)
    assert (found.loadings[:, 1] == 0).all()
    np.testing.assert_array_equal(np.delete(found.correlations[1], 1), 0.0)
    assert rotate(drawn(0, 4, 0), method).loadings.shape == (4, 0)


@pytest.mark.parametrize("method", OBLIQUE)
def test_dependent_loadings_cannot_be_oblique(method: str) -> None:
    with pytest.raises(ValueError, match="have rank 2"):
        rotate(drawn(6)[:, [0, 1, 1]], method)
    assert np.isfinite(rotate(drawn(6)[:, [0, 1, 1]], "varimax").loadings).all()


def test_more_starts_are_never_worse_and_a_seed_repeats() -> None:
    given = drawn(7, 12, 5)
    values = [rotate(given, "geomin", starts=starts).criterion for starts in (1, 5, 60)]
    assert values[2] <= values[1] + 1e-12
    assert values[2] <= values[0] + 1e-12
    np.testing.assert_array_equal(rotate(given, "geomin").loadings, rotate(given, "geomin").loadings)


def test_what_cannot_be_rotated_is_refused() -> None:
    with pytest.raises(ValueError, match="'varimax', 'quartimax', 'promax', 'oblimin', 'geomin'; got 'equamax'"):
        rotate(SIMPLE, "equamax")
    with pytest.raises(ValueError, match="column 1 on factor 2 is nan"):
        rotate(np.where(np.arange(36).reshape(12, 3) == 5, np.nan, SIMPLE), "varimax")
    with pytest.raises(ValueError, match="starts must be at least 1"):
        rotate(SIMPLE, "varimax", starts=0)


def test_replicates_are_turned_to_their_target() -> None:
    target = drawn(8)
    turns = ortho_group.rvs(3, size=6, random_state=2)
    np.testing.assert_allclose(align(target @ turns, target), np.broadcast_to(target, (6, 9, 3)), atol=1e-12)
    found = align(drawn(9), target)
    for turn in turns:
        assert ((found - target) ** 2).sum() <= ((drawn(9) @ turn - target) ** 2).sum()
