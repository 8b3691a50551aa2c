"""Factor-analytic components: densities against dense covariances, EM that never falls, and its closed forms."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tacit.compute import double_precision
from tacit.data.blocks import Standardise
from tacit.data.dataset import DenseRows
from tacit.data.sources import source
from tacit.families.factorising import factorise
from tacit.inference.fit import Fit, fit
from tacit.models.components.factor_analytic import FactorComponent, Shared, n_loadings
from tacit.models.factors.axes import spectrum
from tacit.models.factors.closed import canonical, principal_plane
from tacit.models.factors.moments import Moments, moments
from tacit.models.mixture.model import MixtureModel

DIMS, FACTORS, ROWS = 6, 2, 300
APART = Shared()


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a factor model, and the same with gaps, one row without any value."""
    random = np.random.default_rng(seed)
    loadings = random.normal(size=(DIMS, FACTORS))
    rows = random.normal(size=(ROWS, FACTORS)) @ loadings.T
    rows += np.sqrt(random.gamma(2.0, 0.3, DIMS)) * random.normal(size=rows.shape) + random.normal(size=DIMS)
    gappy = np.where(random.random(rows.shape) < 0.3, np.nan, rows)
    gappy[0] = np.nan
    return rows, gappy


def component(groups: int = 1, *, complete: bool = False, shared: Shared = APART, seed: int = 1) -> FactorComponent:
    random = np.random.default_rng(seed)
    return FactorComponent(
        random.normal(size=(groups, DIMS)),
        random.normal(size=(groups, DIMS, FACTORS)),
        random.gamma(3.0, 0.2, (groups, DIMS)),
        np.full(DIMS, 1e-8),
        tuple(range(DIMS)),
        shared,
        complete=complete,
    )


def dense(part: FactorComponent, row: np.ndarray, k: int) -> tuple[float, np.ndarray, np.ndarray]:
    """``log p`` of what is seen of a row, and mean and covariance of what is not, by the dense covariance."""
    mean, spread = np.asarray(part.means[k]), np.asarray(part.covariance_matrices()[k])
    seen = ~np.isnan(row)
    if not seen.any():
        return 0.0, mean, spread
    gain = spread[np.ix_(~seen, seen)] @ np.linalg.inv(spread[np.ix_(seen, seen)])
    left = spread[np.ix_(~seen, ~seen)] - gain @ spread[np.ix_(seen, ~seen)]
    score = multivariate_normal(mean[seen], spread[np.ix_(seen, seen)]).logpdf(row[seen])
    return float(score), mean[~seen] + gain @ (row - mean)[seen], left


@double_precision
def test_densities_and_conditionals_are_those_of_the_dense_covariance() -> None:
    part, rows = component(2), drawn()[1][:20]
    scores, given = part.log_prob(rows), part.given(rows)
    for n, row in enumerate(rows):
        for k in range(2):
            score, mean, left = dense(part, row, k)
            assert scores[n, k] == pytest.approx(score, abs=1e-10)
            gaps = np.isnan(row)
            np.testing.assert_allclose(given.means[n, k][gaps], mean, atol=1e-10)
            np.testing.assert_allclose(given.scales[n, k][gaps], np.diag(left), rtol=1e-9)
            np.testing.assert_array_equal(given.means[n, k][~gaps], row[~gaps])


@double_precision
def test_draws_given_what_is_seen_have_its_moments() -> None:
    part, row = component(), drawn()[1][3]
    _, mean, left = dense(part, row, 0)
    gaps, number = np.isnan(row), 20_000
    fresh = part.draw(np.zeros(number, int), np.random.default_rng(0))[None]
    found = (fresh + part.correction(row[None], fresh, np.zeros((1, number), int)))[0]
    np.testing.assert_allclose(found[:, ~gaps], np.broadcast_to(row[~gaps], (number, (~gaps).sum())), atol=1e-10)
    np.testing.assert_allclose(found[:, gaps].mean(0), mean, atol=5 * np.sqrt(np.diag(left).max() / number))
    np.testing.assert_allclose(np.cov(found[:, gaps].T), left, atol=0.05 * np.abs(left).max())


@double_precision
def fitted(
    rows: np.ndarray, part: FactorComponent, *, accelerate: bool, eager: bool = True, max_iter: int = 3000
) -> Fit:
    groups = part.means.shape[0]
    model = MixtureModel(np.full(groups, -np.log(groups)), (part,), np.ones(groups, bool))
    stacked = jax.tree.map(lambda leaf: np.asarray(leaf)[None], model)
    view = Standardise(np.zeros(DIMS), np.ones(DIMS))
    key = np.zeros((1, 2), np.uint32)
    (best,) = fit(
        stacked,
        source(DenseRows(rows)),
        view,
        key=key,
        max_iter=max_iter,
        tol=1e-12,
        accelerate=accelerate,
        eager=eager,
    )
    return best


@pytest.mark.parametrize("shared", [Shared(), Shared(isotropic=True), Shared(loadings=True), Shared(True, True, True)])
@pytest.mark.parametrize("complete", [True, False])
def test_the_bound_never_falls_and_extrapolation_finds_the_same_maximum(complete: bool, shared: Shared) -> None:
    rows = drawn()[0 if complete else 1]
    plain = fitted(rows, component(complete=complete, shared=shared), accelerate=False)
    quick = fitted(rows, component(complete=complete, shared=shared), accelerate=True)
    assert np.all(np.diff(plain.trace.bound) > -1e-9)
    assert np.all(np.diff(quick.trace.bound) > -1e-9)
    assert quick.bound == pytest.approx(plain.bound, abs=1e-5)
    assert quick.iteration < plain.iteration or plain.iteration < 30


def test_numpy_and_a_compiled_program_find_the_same() -> None:
    rows = drawn()[1]
    one = fitted(rows, component(2), accelerate=True, max_iter=8)
    other = fitted(rows, component(2), accelerate=True, eager=False, max_iter=8)
    np.testing.assert_allclose(one.trace.bound, other.trace.bound, rtol=1e-11)


def test_em_ends_at_the_closed_forms() -> None:
    rows = drawn()[0]
    found = moments(DenseRows(rows))
    assert found is not None
    np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), rtol=1e-12, atol=1e-13)
    width = found.deviations
    plane = factorise(found.covariance / np.outer(width, width), FACTORS, 1e-8, 1000)
    constant = np.log(width).sum() + 0.5 * DIMS * np.log(2 * np.pi)
    best = fitted(rows, component(complete=True), accelerate=True)
    assert best.bound == pytest.approx(-ROWS * (plane.objectives[-1] + constant), abs=1e-6)
    (group,) = best.model.groups
    own = canonical(np.asarray(group.loadings[0]) / width[:, None], np.asarray(group.noise_variances[0]) / width**2)
    np.testing.assert_allclose(own, canonical(plane.loadings, plane.noise), atol=1e-4)

    seen = spectrum(DenseRows(rows), None)
    assert seen is not None
    ppca = principal_plane(seen.values[:FACTORS], seen.axes[:, :FACTORS], seen.total, 1e-12)
    best = fitted(rows, component(complete=True, shared=Shared(isotropic=True)), accelerate=True)
    (group,) = best.model.groups
    assert float(group.noise_variances[0, 0]) == pytest.approx(ppca.noise[0], rel=1e-5)
    np.testing.assert_allclose(
        group.covariance_matrices()[0], ppca.loadings @ ppca.loadings.T + np.diag(ppca.noise), atol=1e-5
    )


@pytest.mark.parametrize("where", [0.0, 2.5, 4.0, 1e7])
@pytest.mark.parametrize("weighed", [False, True])
def test_moments_keep_their_figures_wherever_the_rows_lie(where: float, weighed: bool) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(5_000, 4)) @ random.normal(size=(4, 4)) + where
    weights = random.uniform(0.5, 2.0, 5_000) if weighed else np.ones(5_000)
    found = moments(DenseRows(rows, weights if weighed else None))
    assert found is not None
    np.testing.assert_allclose(found.mean, np.average(rows, axis=0, weights=weights), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(rows.T, aweights=weights, ddof=0), rtol=1e-8, atol=1e-12)


def test_moments_of_batches_are_those_of_all_rows_and_a_gap_is_seen() -> None:
    rows, gappy = drawn()
    first, second, whole = (moments(DenseRows(part)) for part in (rows[:100], rows[100:], rows))
    assert isinstance(first, Moments)
    assert second is not None
    assert whole is not None
    joined = first.joined(second)
    np.testing.assert_allclose(joined.covariance, whole.covariance, rtol=1e-11, atol=1e-12)
    assert moments(DenseRows(gappy)) is None
    twice = moments(DenseRows(rows, np.full(ROWS, 2.0)))
    assert twice is not None
    np.testing.assert_allclose(twice.covariance, whole.covariance, rtol=1e-11, atol=1e-12)
    far = moments(DenseRows(rows + 1e8))
    assert far is not None
    np.testing.assert_allclose(far.covariance, whole.covariance, atol=1e-6)


@pytest.mark.parametrize(("shared", "loadings", "noises"), [
    (Shared(), 3, 3 * DIMS), (Shared(loadings=True), 1, 3 * DIMS), (Shared(noise=True), 3, DIMS),
    (Shared(isotropic=True), 3, 3), (Shared(True, True, True), 1, 1),
])  # fmt: skip
def test_free_parameters_are_those_of_the_parsimonious_family(shared: Shared, loadings: int, noises: int) -> None:
    free = n_loadings(DIMS, FACTORS)
    assert free == DIMS * FACTORS - 1
    assert component(3, shared=shared).n_parameters() == 3 * DIMS + loadings * free + noises


def test_units_change_a_density_by_their_jacobian() -> None:
    part, rows = component(), drawn()[1][:10]
    shift, scale = np.arange(DIMS) * 1.0, np.arange(1, DIMS + 1) * 2.0
    moved = part.in_units(Standardise(shift, scale))
    change = (~np.isnan(rows)) @ np.log(scale)
    np.testing.assert_allclose(
        moved.log_prob(rows * scale + shift)[:, 0], part.log_prob(rows)[:, 0] - change, atol=1e-10
    )
    assert not dataclasses.replace(part).floored().any()
