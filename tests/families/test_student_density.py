"""Student's t: densities, entropies, divergences and samples against scipy and quadrature."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats as st

from tacit.compute import double_precision
from tacit.families.multivariate_normal import MultivariateNormal
from tacit.families.student_t import MultivariateStudentT, StudentT

RNG = np.random.default_rng(2)
LOCATIONS = np.array([0.0, -3.0, 1e3, 0.5, 2.0])
SCALES = np.array([1.0, 0.2, 5.0, 2.0, 1e-3])
DOFS = np.array([1.0, 3.0, 30.0, 0.5, 1e5])
ROWS = np.array([-40.0, -2.9, 0.0, 0.6, 2.001, 980.0])
MEANS = RNG.normal(size=(3, 3))
HALVES = RNG.normal(size=(3, 3, 4))
MATRICES = HALVES @ np.swapaxes(HALVES, 1, 2)
ROW_DOFS = np.array([1.5, 4.0, 200.0])


divergence = jax.jit(lambda p, q: p.kl_divergence(q))


def scalars() -> StudentT:
    return StudentT(jnp.asarray(LOCATIONS), jnp.asarray(SCALES), jnp.asarray(DOFS))


def vectors() -> MultivariateStudentT:
    return MultivariateStudentT(jnp.asarray(MEANS), jnp.asarray(np.linalg.cholesky(MATRICES)), jnp.asarray(ROW_DOFS))


@double_precision
def test_the_density_of_values():
    found = np.asarray(scalars().log_prob(ROWS[:, None]))
    np.testing.assert_allclose(found, st.t(DOFS, LOCATIONS, SCALES).logpdf(ROWS[:, None]), rtol=1e-9)
    outside = np.asarray(scalars().log_prob(np.array([[np.inf], [np.nan]])))
    assert np.all(outside[0] == -np.inf)
    assert np.all(np.isnan(outside[1]))


@double_precision
def test_a_million_degrees_of_freedom_are_nearly_normal():
    x = np.linspace(-3.0, 3.0, 7)
    found = np.asarray(StudentT(jnp.zeros(()), jnp.ones(()), jnp.asarray(1e6)).log_prob(x))
    # the first term of the expansion in 1/ν: (x⁴ − 2x² − 1) / 4ν
    expected = st.norm.logpdf(x) + (x**4 - 2 * x**2 - 1) / 4e6
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-10)  # the next is (…)/ν²


@double_precision
def test_the_density_of_rows_complete_or_not():
    rows = RNG.normal(size=(5, 3)) * 4.0
    rows[1, 2] = rows[3, 0] = rows[3, 1] = np.nan
    found = np.asarray(vectors().log_prob(rows[:, None, :]))
    for row, k in np.ndindex(5, 3):
        seen = np.flatnonzero(~np.isnan(rows[row]))
        peer = st.multivariate_t(MEANS[k, seen], MATRICES[k][np.ix_(seen, seen)], ROW_DOFS[k])
        assert found[row, k] == pytest.approx(float(peer.logpdf(rows[row, seen])), rel=1e-11)
    assert np.all(np.asarray(vectors().log_prob(np.array([np.inf, 0.0, np.nan]))) == -np.inf)
    np.testing.assert_array_equal(vectors().log_prob(np.full(3, np.nan)), np.zeros(3))


@double_precision
def test_moments():
    ours = [np.asarray(scalars().mean()), np.asarray(scalars().variance())]
    np.testing.assert_array_equal(np.isnan(ours[0]), [True, False, False, True, False])
    np.testing.assert_array_equal(np.isnan(ours[1]), [True, False, False, True, False])
    solid = [1, 2, 4]
    peer = st.t(DOFS, LOCATIONS, SCALES)
    np.testing.assert_allclose(ours[0][solid], peer.mean()[solid], rtol=1e-13)
    np.testing.assert_allclose(ours[1][solid], peer.var()[solid], rtol=1e-13)
    spread = np.asarray(vectors().variance())
    assert np.all(spread[0] == np.inf)
    np.testing.assert_allclose(spread[1], 2.0 * np.diag(MATRICES[1]), rtol=1e-12)


@double_precision
def test_entropy():
    np.testing.assert_allclose(scalars().entropy(), st.t(DOFS, LOCATIONS, SCALES).entropy(), rtol=1e-9)
    expected = [float(st.multivariate_t(m, s, n).entropy()) for m, s, n in zip(MEANS, MATRICES, ROW_DOFS, strict=True)]
    np.testing.assert_allclose(vectors().entropy(), expected, rtol=1e-10)
    bits = np.asarray(scalars().entropy(base=2))
    np.testing.assert_allclose(bits * np.log(2), scalars().entropy(), rtol=1e-14)


PAIRS = [
    ((0.0, 1.0, 3.0), (0.5, 2.0, 5.0)),
    ((0.0, 1.0, 1.0), (0.0, 1.0, 2.0)),
    ((1.0, 1.0, 0.5), (0.0, 1.0, 3.0)),
    ((0.0, 1.0, 30.0), (3.0, 0.01, 2.0)),
    ((0.0, 10.0, 4.0), (-1.0, 0.01, 4.0)),
    ((0.0, 1e-4, 4.0), (1e-5, 1.0, 4.0)),
    ((0.0, 1.0, 1e5), (2.0, 1.0, 7.0)),
]


def peer_divergence(p, q):
    """∫ p log(p/q), from either centre outwards and to the midpoint between them, on logarithmic pieces."""
    first, second = st.t(p[2], p[0], p[1]), st.t(q[2], q[0], q[1])
    left, right = sorted([(p[0], p[1]), (q[0], q[1])])
    far, half = 120.0 / min(p[2], 2.0), 0.5 * (right[0] - left[0])
    stretches = [(left, -1, far), (right, 1, far)]
    if half > 0:
        stretches += [(left, 1, np.log(half / left[1])), (right, -1, np.log(half / right[1]))]
    total = 0.0
    for (centre, unit), side, end in stretches:

        def outward(y, centre=centre, unit=unit, side=side):
            x = centre + side * unit * np.exp(y)
            return unit * np.exp(y) * first.pdf(x) * (first.logpdf(x) - second.logpdf(x))

        pieces = np.linspace(-45.0, end, 80)
        for a, b in itertools.pairwise(pieces):
            total += scipy.integrate.fixed_quad(outward, a, b, n=24)[0]
    return total


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_divergence_of_values_by_quadrature(p, q):
    with jax.enable_x64(True):
        one, other = (StudentT(*(jnp.asarray(part) for part in member)) for member in (p, q))
        found = float(divergence(one, other))
        assert found == pytest.approx(peer_divergence(p, q), rel=1e-9, abs=1e-10)
        assert float(divergence(one, one)) < 1e-11


@double_precision
def test_divergence_of_rows_in_one_column_is_that_of_values():
    first = MultivariateStudentT(jnp.asarray([[0.2]]), jnp.asarray([[[2.0]]]), jnp.asarray([3.0]))
    second = MultivariateStudentT(jnp.asarray([[1.0]]), jnp.asarray([[[0.5]]]), jnp.asarray([4.0]))
    expected = peer_divergence((0.2, 2.0, 3.0), (1.0, 0.5, 4.0))
    assert float(divergence(first, second)[0]) == pytest.approx(expected, rel=1e-10)


@double_precision
def test_divergence_of_rows_by_quadrature_in_polar_coordinates():
    """Two columns, p standard: x = r (cos φ, sin φ), with the radius of p in closed form."""
    matrix, shift = np.array([[2.0, 0.5], [0.5, 0.7]]), np.array([0.3, -1.0])
    p = MultivariateStudentT(jnp.zeros(2), jnp.eye(2), jnp.asarray(4.0))
    q = MultivariateStudentT(jnp.asarray(shift), jnp.asarray(np.linalg.cholesky(matrix)), jnp.asarray(2.5))
    peer_p, peer_q = st.multivariate_t(np.zeros(2), np.eye(2), 4.0), st.multivariate_t(shift, matrix, 2.5)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    edges = np.linspace(-20.0, 10.0, 61)
    logs = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.25 * nodes).ravel()
    share = np.tile(0.25 * weights, 60)
    angles = np.linspace(0.0, 2 * np.pi, 200, endpoint=False)
    rows = np.exp(logs)[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    log_p, log_q = peer_p.logpdf(rows), peer_q.logpdf(rows)
    density = np.exp(log_p) * np.exp(2 * logs)[:, None] * share[:, None] * 2 * np.pi / 200
    assert density.sum() == pytest.approx(1.0, rel=1e-10)
    assert float(divergence(p, q)) == pytest.approx((density * (log_p - log_q)).sum(), rel=1e-9)


@double_precision
def test_divergence_of_rows_nears_that_of_normal_rows():
    """Three columns and ν = 10⁶: the difference is of the order of 1/ν."""
    factors = np.linalg.cholesky(MATRICES)
    p, q = (MultivariateStudentT(MEANS[k], jnp.asarray(factors[k]), jnp.asarray(1e6)) for k in (1, 2))
    expected = float(MultivariateNormal(MEANS[1], factors[1]).kl_divergence(MultivariateNormal(MEANS[2], factors[2])))
    assert float(divergence(p, q)) == pytest.approx(expected, rel=1e-4)
    matrix = RNG.normal(size=(3, 3))
    moved = [part.affine(matrix, np.ones(3)) for part in (p, q)]
    assert float(divergence(*moved)) == pytest.approx(float(divergence(p, q)), rel=1e-9)


@double_precision
def test_samples_follow_the_distribution():
    draws = np.asarray(scalars().sample(key=jax.random.key(4), shape=(5000,)))
    for k in range(5):
        assert st.kstest(draws[:, k], st.t(DOFS[k], LOCATIONS[k], SCALES[k]).cdf).pvalue > 1e-3
    rows = np.asarray(vectors().sample(key=jax.random.key(5), shape=(5000,)))
    for k in range(3):
        distance = np.einsum("ni,ij,nj->n", rows[:, k] - MEANS[k], np.linalg.inv(MATRICES[k]), rows[:, k] - MEANS[k])
        assert st.kstest(distance / 3, st.f(3, ROW_DOFS[k]).cdf).pvalue > 1e-3


@double_precision
def test_affine_maps_and_marginals():
    moved = scalars().affine(jnp.asarray(-2.0), jnp.asarray(1.0))
    there = moved.log_prob(-2.0 * ROWS[:, None] + 1.0)
    np.testing.assert_allclose(there, scalars().log_prob(ROWS[:, None]) - np.log(2.0), rtol=1e-9)
    matrix, shift = RNG.normal(size=(2, 3)), np.array([0.5, 1.0])
    image = vectors().affine(matrix, shift)
    np.testing.assert_allclose(image.cholesky @ image.cholesky.mT, matrix @ MATRICES @ matrix.T, rtol=1e-11)
    np.testing.assert_allclose(image.locations, MEANS @ matrix.T + shift, rtol=1e-12)
    with pytest.raises(ValueError, match="from 3 to 4 columns"):
        vectors().affine(np.ones((4, 3)), np.ones(4))
    rows = np.full((4, 1, 3), np.nan)
    rows[:, 0, [2, 0]] = RNG.normal(size=(4, 2))
    part = vectors().marginal([2, 0])
    np.testing.assert_allclose(part.log_prob(rows[..., [2, 0]]), vectors().log_prob(rows), rtol=1e-11)
