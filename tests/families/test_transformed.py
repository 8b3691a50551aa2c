"""Distributions of moved noise: draws with their own density, against scipy, quadrature and closed moments."""

import itertools

import equinox as eqx
import jax
import numpy as np
import pytest
import scipy.stats as st

from tacit.compute import double_precision
from tacit.families.bijections import Chain, DiagonalAffine, Inverse, TriangularAffine
from tacit.families.transformed import Gaussian, Reparameterised, Transformed, WhiteNoise
from tacit.families.triangular import AutoregressiveFlow

KEY = jax.random.key(0)
ROWS = 3
pytestmark = pytest.mark.reuses_keys


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def affine(*rows: int) -> TriangularAffine:
    return TriangularAffine(normal(0, *rows, 2), 0.4 * normal(1, *rows, 2), normal(2, *rows, 2, 2))


def flow(context: int = 0) -> AutoregressiveFlow:
    return AutoregressiveFlow(2, (8,), 2, key=KEY, context=context)


def table() -> dict[str, Reparameterised]:
    return {
        "white": WhiteNoise(2),
        "diagonal": Gaussian(DiagonalAffine(normal(0, 2), 0.4 * normal(1, 2))),
        "full, one a row": Gaussian(affine(ROWS)),
        "flow": Transformed(WhiteNoise(2), Chain((flow(), affine()))),
        "flow turned round": Transformed(WhiteNoise(2), Inverse(flow())),
        "flow of a context": Transformed(Gaussian(affine(ROWS)), flow(3), normal(3, ROWS, 3)),
        "moved twice": Transformed(Transformed(WhiteNoise(2), flow()), affine()),
    }


NAMES = ("white", "diagonal", "full, one a row", "flow", "flow turned round", "flow of a context", "moved twice")


GRID = np.linspace(-9, 9, 121)
POINTS = np.array(list(itertools.product(GRID, GRID)))
CELL = (GRID[1] - GRID[0]) ** 2


@eqx.filter_jit
def facts(found: Reparameterised) -> tuple[jax.Array, ...]:
    """Draws, their densities twice, mean, scale, draws of shared noise, and the density on a grid."""
    z, log_q = found.draw(KEY, 2000)
    shared, _ = found.moved(found.noise(KEY, 5, shared=True))
    grid = found.log_prob(POINTS if found.mean.ndim == 1 else POINTS[:, None])
    return z, log_q, found.log_prob(z), found.mean, found.scale, shared, grid


@double_precision
@pytest.mark.parametrize("name", NAMES)
def test_draws_come_with_their_density_which_integrates_to_one(name: str) -> None:
    found = table()[name]
    z, log_q, again, mean, scale, shared, grid = (np.asarray(each) for each in facts(found))
    rows = mean.shape[:-1]
    assert z.shape == (2000, *rows, 2)
    assert log_q.shape == (2000, *rows)
    assert shared.shape == (5, *rows, 2)
    np.testing.assert_allclose(again, log_q, atol=1e-9)
    np.testing.assert_allclose(np.exp(grid).sum(0) * CELL, 1.0, atol=2e-3)
    few = 1 / 8 if isinstance(found, Transformed) else 0.0  # its moments are those of 64 draws
    assert np.all(np.abs(z.mean(0) - mean) < 4.5 * z.std(0) * (1 / np.sqrt(2000) + few))
    np.testing.assert_allclose(z.std(0), scale, rtol=0.08 + 4 * few / np.sqrt(2))


@double_precision
def test_gaussians_are_scipys() -> None:
    found, z = Gaussian(affine(ROWS)), normal(4, 5, ROWS, 2)
    for row in range(ROWS):
        exact = st.multivariate_normal(found.mean[row], np.asarray(found.covariance()[row]))
        np.testing.assert_allclose(found.log_prob(z)[:, row], exact.logpdf(z[:, row]), atol=1e-12)
        np.testing.assert_allclose(found.entropy()[row], exact.entropy(), atol=1e-12)


@double_precision
def test_only_what_is_closed_is_told() -> None:
    diagonal, full, moved = (table()[name] for name in ("diagonal", "full, one a row", "flow"))
    each = st.norm.logpdf(normal(4, 5, 2), diagonal.mean, diagonal.scale)
    np.testing.assert_allclose(diagonal.log_prob_each(normal(4, 5, 2)), each, atol=1e-12)
    assert full.log_prob_each(normal(4, 5, ROWS, 2)) is None
    assert moved.entropy() is None
    assert moved.kl_standard(np.zeros(())) is None
    assert moved.log_prob_each(np.zeros(2)) is None


@double_precision
def test_a_flows_moments_are_those_of_its_draws() -> None:
    many = Transformed(WhiteNoise(2), Chain((flow(), affine())), moment_draws=40_000)

    @eqx.filter_jit
    def moments(found: Transformed) -> tuple[jax.Array, ...]:
        return found.mean, found.covariance(), found.scale, found.log_prob(POINTS)

    mean, covariance, scale, grid = (np.asarray(each) for each in moments(many))
    mass = np.exp(grid) * CELL
    exact = mass @ POINTS
    np.testing.assert_allclose(mean, exact, atol=0.03)
    np.testing.assert_allclose(covariance, (POINTS - exact).T @ ((POINTS - exact) * mass[:, None]), atol=0.05)
    np.testing.assert_allclose(scale, np.sqrt(np.diag(covariance)), rtol=1e-9)
