"""What each group says of every column, against scipy."""

import numpy as np
import pytest

import small_mixtures as small
from tacit import families
from tacit.compute import double_precision
from tacit.models.mixture import conditional, summary
from tacit.models.mixture.rows import joint_log_prob

MODEL = small.mixed()
NAMES = ["normal", "log-normal", "poisson", "categorical", "normal", "bernoulli", "bernoulli", "normal"]
NAMES += ["negative-binomial", "gamma", "exponential", "normal", "student-t"]
CODED = {3: 3, 5: 2, 6: 2}


def test_columns_against_scipy() -> None:
    found = small.Fitted(MODEL).summary()
    mean, covariance = small.total_moments(MODEL, np.full(13, np.nan))
    np.testing.assert_allclose(found.weights, [0.5, 0.2, 0.3], rtol=1e-14)
    for j, column in enumerate(found.columns):
        laws = [small.column_law(MODEL, j, k) for k in range(3)]
        assert (column.column, column.family) == (j, NAMES[j])
        np.testing.assert_allclose(column.means, [law.mean() for law in laws], rtol=1e-12)
        np.testing.assert_allclose(column.sds, [law.std() for law in laws], rtol=1e-12)
        np.testing.assert_allclose([column.mean, column.sd**2], [mean[j], covariance[j, j]], rtol=1e-12)
        if j in CODED:
            expected = [law.pmf(np.arange(CODED[j])) for law in laws]
            np.testing.assert_allclose(column.probabilities, expected, rtol=1e-12)
        else:
            assert column.probabilities is None


@pytest.mark.parametrize("column", range(13))
@double_precision
def test_densities_on_a_grid_against_scipy(column: int) -> None:
    whole = NAMES[column] in ("poisson", "categorical", "bernoulli", "negative-binomial")
    grid = np.arange(2.0) if column in CODED else np.arange(9.0) if whole else np.linspace(-2.0, 6.0, 33)
    found = summary.column_densities(MODEL, column, grid)
    for k, weight in enumerate([0.5, 0.2, 0.3]):
        law = small.column_law(MODEL, column, k)
        density = law.pmf(grid) if whole else law.pdf(grid)
        np.testing.assert_allclose(found[:, k], weight * density, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("columns", [(7, 3, 0), (12, 4, 1, 5)])
@double_precision
def test_a_mixture_of_fewer_columns_in_another_order(columns: tuple[int, ...]) -> None:
    rows, _ = small.sampling.sample(MODEL, 5, random=np.random.default_rng(0))
    found = joint_log_prob(conditional.marginal(MODEL, columns), rows[:, columns])
    for row, joint in zip(rows, found, strict=True):
        kept = np.full(13, np.nan)
        kept[list(columns)] = row[list(columns)]
        np.testing.assert_allclose(joint, small.log_joint(MODEL, kept), rtol=0, atol=1e-11)


@double_precision
def test_moments_put_covariances_where_they_belong() -> None:
    columns = (7, 1, 0, 9)
    means, covariances = summary.moments(MODEL, columns)
    for k in range(3):
        mean, covariance = small.given(MODEL, np.full(13, np.nan), k)
        np.testing.assert_allclose(means[k], mean[list(columns)], rtol=1e-12)
        np.testing.assert_allclose(covariances[k], covariance[np.ix_(columns, columns)], rtol=1e-12)


def test_the_graph_names_every_group() -> None:
    graph = small.Fitted(MODEL).graph()
    assert [node.family for node in graph.nodes if node.role == "observed"] == [
        *("normal", "log-normal", "poisson", "categorical", "bernoulli", "negative-binomial"),
        *("gamma", "exponential", "normal", "student-t"),
    ]
    simple = small.Fitted(small.full_gaussian()).graph()
    assert simple.factorisation() == "p(x,z; π,μ,Σ) = ∏ₙ p(zₙ; π) p(xₙ|zₙ; μ,Σ)"


def test_a_prior_shows_in_the_graph() -> None:
    model = small.mixture([0.4, 0.6], small.gaussian([[0.0], [1.0]], np.ones((2, 1))), concentration=np.array(2.0))
    assert {node.name for node in small.Fitted(model).graph().nodes} >= {"alpha", "pi"}


@double_precision
def test_a_multinomial_column_has_no_density_of_its_own() -> None:
    shares = np.full((2, 1, 3), 1.0 / 3.0)
    model = small.mixture([0.4, 0.6], small.family(families.Multinomial(shares), (0, 1, 2), 2))
    with pytest.raises(ValueError, match="are one multinomial row"):
        summary.column_densities(model, 1, np.arange(3.0))
    np.testing.assert_allclose(small.Fitted(model).summary().columns[1].means, 1.0 / 3.0, rtol=1e-14)
