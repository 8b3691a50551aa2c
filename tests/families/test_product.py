"""Columns of different kinds as one density over a row."""

import jax
import numpy as np
import pytest
import scipy.stats as st

from tacit.families import Bernoulli, Categorical, Multinomial, NegativeBinomial, Normal, Poisson, Product

pytestmark = pytest.mark.usefixtures("double")

K = 2


def mixed() -> Product:
    """Two members over a row of seven columns: real, count, yes or no, a code, and three counts together."""
    return Product(
        columns=((3, 0), (1,), (5,), (2, 4, 6)),
        families=(
            Normal(np.array([[0.0, 5.0], [1.0, -1.0]]), np.array([[1.0, 4.0], [0.5, 0.1]])),
            NegativeBinomial(np.array([[3.0], [8.0]]), np.array([[2.0], [1.0]])),
            Categorical(np.array([[[0.2, 0.3, 0.5]], [[0.6, 0.4, 0.0]]])),
            Multinomial(np.array([[0.2, 0.3, 0.5], [0.5, 0.25, 0.25]])),
        ),
    )


def rows(missing: bool) -> np.ndarray:
    generator = np.random.default_rng(0)
    x = np.stack(
        [
            generator.normal(size=20),
            generator.poisson(4.0, 20),
            generator.poisson(1.0, 20),
            generator.normal(size=20),
            generator.poisson(1.0, 20),
            generator.integers(0, 2, 20),
            generator.poisson(1.0, 20),
        ],
        axis=1,
    )
    if missing:
        x[generator.random(x.shape) < 0.3] = np.nan
        together = np.isnan(x[:, [2, 4, 6]]).any(1)
        x[np.ix_(together, [2, 4, 6])] = np.nan
        x[0] = np.nan
    return x


log_prob = jax.jit(lambda product, x: product.log_prob(x))
statistics = jax.jit(lambda product, x: product.expected_statistics(x))


@pytest.mark.parametrize("missing", [False, True])
def test_the_density_is_the_product_over_what_is_observed(missing):
    product, x = mixed(), rows(missing)
    ours = log_prob(product, x[:, None])
    assert ours.shape == (20, K)
    normal, negative, categorical, multinomial = product.families
    for n, row in enumerate(x):
        for k in range(K):
            expected = 0.0
            for j, column in enumerate((3, 0)):
                if not np.isnan(row[column]):
                    scale = np.sqrt(normal.variances[k, j])
                    expected += st.norm.logpdf(row[column], normal.means[k, j], scale)
            if not np.isnan(row[1]):
                r, m = negative.dispersions[k, 0], negative.means[k, 0]
                expected += st.nbinom.logpmf(row[1], r, r / (r + m))
            if not np.isnan(row[5]):
                expected += np.log(categorical.probabilities[k, 0, int(row[5])])
            if not np.isnan(row[2]):
                counts = row[[2, 4, 6]]
                expected += st.multinomial.logpmf(counts, counts.sum(), multinomial.probabilities[k])
            np.testing.assert_allclose(ours[n, k], expected, rtol=1e-10, atol=1e-12)


def test_the_m_step_is_each_columns_own_over_its_observed_entries():
    product, x = mixed(), rows(missing=True)
    responsibilities = np.random.default_rng(1).random((20, K))
    summed = np.einsum("nk,nkf->kf", responsibilities, statistics(product, x[:, None]))
    fitted = product.maximise(summed, responsibilities.sum(0))
    normal, negative, categorical, multinomial = fitted.families
    for k in range(K):
        r = responsibilities[:, k]
        for j, column in enumerate((3, 0)):
            seen = ~np.isnan(x[:, column])
            mean = np.average(x[seen, column], weights=r[seen])
            np.testing.assert_allclose(normal.means[k, j], mean, rtol=1e-12)
            variance = np.average((x[seen, column] - mean) ** 2, weights=r[seen])
            np.testing.assert_allclose(normal.variances[k, j], variance, rtol=1e-11)
        seen = ~np.isnan(x[:, 1])
        np.testing.assert_allclose(negative.means[k, 0], np.average(x[seen, 1], weights=r[seen]), rtol=1e-12)
        seen = ~np.isnan(x[:, 5])
        share = np.average(x[seen, 5] == 1.0, weights=r[seen])
        np.testing.assert_allclose(categorical.probabilities[k, 0, 1], share, rtol=1e-12)
        seen = ~np.isnan(x[:, 2])
        items = r[seen] @ x[seen][:, [2, 4, 6]]
        np.testing.assert_allclose(multinomial.probabilities[k], items / items.sum(), rtol=1e-12)
    kept = product.maximise(summed, np.zeros(K))
    for ours, before in zip(jax.tree.leaves(kept), jax.tree.leaves(product), strict=True):
        np.testing.assert_array_equal(ours, before)


def two() -> tuple[Product, Product]:
    """Two products of independent counts and coins, over interleaved columns."""
    return tuple(
        Product(((1,), (0, 2)), (Poisson(np.array([rate])), Bernoulli(np.array([p, 0.5]))))
        for rate, p in ((3.0, 0.2), (5.0, 0.6))
    )


def test_entropies_and_divergences_add():
    p, q = two()
    parts = list(zip(p.families, q.families, strict=True))
    for base in (None, 2.0):
        np.testing.assert_allclose(p.entropy(base), sum(f.entropy(base).sum() for f, _ in parts), rtol=1e-14)
        divergence = sum(f.kl_divergence(g, base).sum() for f, g in parts)
        np.testing.assert_allclose(p.kl_divergence(q, base), divergence, rtol=1e-14)
        np.testing.assert_allclose(p.cross_entropy(q, base), p.entropy(base) + divergence, rtol=1e-12)


def test_draws_and_moments_are_in_the_order_of_the_columns():
    p, _ = two()
    np.testing.assert_allclose(p.mean(), [0.2, 3.0, 0.5])
    np.testing.assert_allclose(p.variance(), [0.16, 3.0, 0.25])
    draws = np.asarray(p.sample(key=jax.random.key(0), shape=(2000,)))
    assert draws.shape == (2000, 3)
    assert np.all(p.supports(draws))
    assert np.all(np.abs(draws.mean(0) - p.mean()) < 4.5 * np.sqrt(p.variance() / 2000))
    assert np.all(np.abs(np.corrcoef(draws.T) - np.eye(3)) < 0.1)
    np.testing.assert_array_equal(p.supports(np.array([2.0, 2.0, np.nan])), [False, True, False])


def test_a_row_outside_the_support_of_one_part_has_no_mass():
    p, _ = two()
    assert log_prob(p, np.array([2.0, 3.0, 1.0])) == -np.inf
    assert log_prob(p, np.full(3, np.nan)) == 0.0


def test_columns_must_be_a_partition():
    coin = Bernoulli(np.array([0.5]))
    with pytest.raises(ValueError, match="each of 0 … D−1 once"):
        Product(((0,), (0,)), (coin, coin))
    with pytest.raises(ValueError, match="2 groups of columns, but 1 families"):
        Product(((0,), (1,)), (coin,))
