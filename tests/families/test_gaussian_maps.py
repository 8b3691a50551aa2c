"""Affine maps, marginals and conditionals of Gaussian rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tacit.compute import double_precision
from tacit.families.multivariate_normal import MultivariateNormal

RNG = np.random.default_rng(8)
MEANS = RNG.normal(size=(3, 4))
HALVES = RNG.normal(size=(3, 4, 6))
COVARIANCES = HALVES @ np.swapaxes(HALVES, 1, 2)


def components() -> MultivariateNormal:
    return MultivariateNormal.from_covariance(jnp.asarray(MEANS), jnp.asarray(COVARIANCES))


@double_precision
def test_an_affine_map():
    matrix, shift = RNG.normal(size=(2, 4)), np.array([1.0, -2.0])
    image = components().affine(matrix, shift)
    np.testing.assert_allclose(image.means, MEANS @ matrix.T + shift, rtol=1e-12)
    np.testing.assert_allclose(image.covariances, matrix @ COVARIANCES @ matrix.T, rtol=1e-11)
    assert np.all(np.diagonal(image.cholesky, axis1=1, axis2=2) > 0)
    assert np.all(np.triu(image.cholesky, 1) == 0)
    with pytest.raises(ValueError, match="from 4 to 5 columns"):
        components().affine(np.ones((5, 4)), np.ones(5))


@double_precision
def test_a_change_of_variables_keeps_densities():
    matrix, shift, rows = RNG.normal(size=(4, 4)), RNG.normal(size=4), RNG.normal(size=(6, 1, 4))
    one = components()
    there = one.affine(matrix, shift).log_prob(rows @ matrix.T + shift)
    np.testing.assert_allclose(there, one.log_prob(rows) - np.linalg.slogdet(matrix)[1], rtol=1e-10)


@double_precision
def test_a_marginal():
    chosen = [3, 0, 1]
    part = components().marginal(chosen)
    np.testing.assert_array_equal(part.means, MEANS[:, chosen])
    np.testing.assert_allclose(part.covariances, COVARIANCES[:, chosen][:, :, chosen], rtol=1e-12)
    rows = np.full((5, 1, 4), np.nan)
    rows[:, 0, chosen] = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(components().log_prob(rows), part.log_prob(rows[..., chosen]), rtol=1e-11)


@double_precision
def test_a_conditional_by_dense_algebra():
    given, rest = [2, 0], [1, 3]
    values = RNG.normal(size=(5, 2))
    part = components().condition(given, values[:, None, :])
    assert part.means.shape == (5, 3, 2)
    for k, covariance in enumerate(COVARIANCES):
        weight = covariance[np.ix_(rest, given)] @ np.linalg.inv(covariance[np.ix_(given, given)])
        expected = MEANS[k, rest] + (values - MEANS[k, given]) @ weight.T
        np.testing.assert_allclose(part.means[:, k], expected, rtol=1e-10)
        spread = covariance[np.ix_(rest, rest)] - weight @ covariance[np.ix_(given, rest)]
        np.testing.assert_allclose(part.covariances[k], spread, rtol=1e-10)


@double_precision
@pytest.mark.parametrize("given", [[1], [3, 1], [0, 1, 2], []])
def test_a_joint_density_is_a_marginal_times_a_conditional(given):
    rows = RNG.normal(size=(6, 1, 4))
    rest = [column for column in range(4) if column not in given]
    one = components()
    conditional = one.condition(given, rows[..., given]).log_prob(rows[..., rest])
    whole = conditional + (one.marginal(given).log_prob(rows[..., given]) if given else 0.0)
    np.testing.assert_allclose(one.log_prob(rows), whole, rtol=1e-11)


@double_precision
def test_conditioning_keeps_its_digits_where_columns_nearly_agree():
    """x₂ = x₁ + 1e-7 e: the conditional variance is 1e-14, far below the rounding of Σ₂₂ − Σ₂₁Σ₁₁⁻¹Σ₁₂."""
    factor = jnp.asarray([[1.0, 0.0], [1.0, 1e-7]])
    part = MultivariateNormal(jnp.zeros(2), factor).condition([0], jnp.asarray([3.0]))
    assert float(part.cholesky[0, 0]) == pytest.approx(1e-7, rel=1e-8)
    assert float(part.means[0]) == pytest.approx(3.0, rel=1e-15)


@double_precision
@pytest.mark.parametrize("columns", [[0, 0], [4], [-1]])
def test_columns_are_checked(columns):
    with pytest.raises(ValueError, match="distinct numbers from 0 to 3"):
        components().marginal(columns)


@double_precision
def test_values_are_checked():
    with pytest.raises(ValueError, match="2 columns are given, but each row has 3"):
        components().condition([0, 1], np.ones((5, 3)))


@double_precision
def test_all_of_it_compiles_and_vectorises():
    one = components()
    rows = RNG.normal(size=(6, 4))
    rows[2, 1] = np.nan
    plain = one.log_prob(rows[:, None, :])
    compiled = jax.jit(jax.vmap(lambda row: one.log_prob(row)))(rows)
    np.testing.assert_allclose(compiled, plain, rtol=1e-12)
    slopes = jax.grad(lambda row: one.log_prob(row)[0])(jnp.asarray(rows[2]))
    seen = [0, 2, 3]
    expected = -np.linalg.solve(COVARIANCES[0][np.ix_(seen, seen)], rows[2, seen] - MEANS[0, seen])
    np.testing.assert_allclose(np.asarray(slopes)[seen], expected, rtol=1e-9)
    assert float(slopes[1]) == 0.0
