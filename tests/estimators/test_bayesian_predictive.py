"""What a Bayesian mixture says of new rows: densities that integrate to one, conditionals, draws; and its doors."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import tacit
from tacit import BayesianGaussianMixture, BayesianMixture, PoissonMixture
from tacit.compute import double_precision
from tacit.registry import names

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
KINDS = ("full", "tied", "diag", "spherical")


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    second = random.random(60) < 0.4
    return {
        "size": np.where(second, 5.0, 0.0) + random.normal(size=60),
        "price": np.exp(np.where(second, 2.0, 0.0) + 0.5 * random.normal(size=60)),
        "wait": random.exponential(np.where(second, 9.0, 1.0)) + 1e-3,
        "visits": random.poisson(np.where(second, 8.0, 1.0)).astype(float),
        "member": (random.random(60) < np.where(second, 0.9, 0.2)).astype(float),
        "town": random.integers(0, 3, 60).astype(float),
    }


FAMILIES = {
    "size": "normal",
    "price": "log-normal",
    "wait": "exponential",
    "visits": "poisson",
    "member": "bernoulli",
    "town": "categorical",
}


@pytest.fixture(scope="module")
def mixed(table: dict[str, np.ndarray]) -> BayesianMixture:
    return BayesianMixture(3, families=FAMILIES, n_init=1, random_state=0, max_iter=100).fit(table)


@pytest.fixture(scope="module")
def gaussian() -> BayesianGaussianMixture:
    random = np.random.default_rng(1)
    rows = np.concatenate([random.normal(0.0, 1.0, (30, 2)), random.normal(6.0, 1.5, (30, 2))])
    rows[:30, 1] += 0.8 * rows[:30, 0]
    return BayesianGaussianMixture(n_components=3, random_state=0).fit(rows)


@pytest.mark.parametrize("name", ["size", "price", "wait"])
def test_the_predictive_of_a_value_integrates_to_one(mixed: BayesianMixture, name: str) -> None:
    density = mixed.marginal(name)
    change = (lambda t: (t, 1.0)) if name == "size" else (lambda t: (np.exp(t), np.exp(t)))
    edges = [-600.0, -60.0, -5.0, -2.0, 0.0, 0.5, 2.0, 5.0, 10.0, 60.0, 600.0]

    def inner(t: float) -> float:
        x, slope = change(t)
        return float(np.exp(density.log_prob(np.array([[x]]))[0]) * slope)

    parts = [integrate.quad(inner, *piece, epsabs=1e-10, epsrel=1e-8)[0] for piece in itertools.pairwise(edges)]
    # the tails beyond are those of Student's t, of the value or of its logarithm
    reach = density.cdf(np.array([change(edge)[0] for edge in edges]))
    np.testing.assert_allclose(parts, np.diff(reach), atol=1e-7)
    assert reach[-1] - reach[0] > 0.9995
    assert density.cdf(np.inf) == pytest.approx(1.0, abs=1e-12)


def test_the_predictive_of_counts_and_levels_sums_to_one(mixed: BayesianMixture) -> None:
    for name, values in {"visits": np.arange(3000.0), "member": np.arange(2.0), "town": np.arange(3.0)}.items():
        mass = np.exp(mixed.marginal(name).log_prob(values[:, None]))
        assert abs(mass.sum() - 1.0) < 1e-9, name


def test_predictives_are_those_of_scipy(mixed: BayesianMixture) -> None:
    by_column = {g.columns[0]: g.posterior for g in mixed.posterior_.groups if hasattr(g, "posterior")}
    first = next(g for g in mixed.posterior_.groups if g.columns == (0,))
    groups = {g.columns[0]: g for g in mixed.model_.groups}
    x = np.array([0.0, 1.0, 4.0])

    @double_precision
    def ours(column: int) -> np.ndarray:
        rows = np.full((3, 6), 1.0)
        rows[:, column] = x
        return np.asarray(groups[column].log_prob(rows))

    waits, visits, members = by_column[2], by_column[3], by_column[4]
    for k in range(3):
        scale = np.sqrt(first.covariances[k, 0] * (1 + 1 / first.pulls[k, 0]))
        np.testing.assert_allclose(ours(0)[:, k], stats.t(first.dofs[k, 0], first.means[k, 0], scale).logpdf(x))
        a, b = waits.shapes[k, 0], waits.rates[k, 0]
        np.testing.assert_allclose(ours(2)[:, k], stats.lomax(a, scale=b).logpdf(x), rtol=1e-10)
        a, b = visits.shapes[k, 0], visits.rates[k, 0]
        np.testing.assert_allclose(ours(3)[:, k], stats.nbinom(a, b / (b + 1)).logpmf(x), rtol=1e-9)
        a, b = members.ones[k, 0], members.zeros[k, 0]
        np.testing.assert_allclose(ours(4)[:2, k], stats.betabinom(1, a, b).logpmf(x[:2]), rtol=1e-10)


def test_a_multinomial_row_is_averaged_over_its_shares() -> None:
    random = np.random.default_rng(0)
    rows = random.multinomial(6, [0.2, 0.3, 0.5], 20).astype(float)
    model = BayesianMixture(2, families={(0, 1, 2): "multinomial"}, n_init=1, random_state=0).fit(rows)
    alpha = np.asarray(model.posterior_.groups[0].posterior.distribution.concentrations)[:, 0]
    each = [stats.dirichlet_multinomial(a, 6).logpmf(rows[:5].astype(int)) for a in alpha]
    expected = np.log(np.sum(model.weights_[:, None] * np.exp(each), axis=0))
    np.testing.assert_allclose(model.score_samples(rows[:5]), expected, rtol=1e-9)
    drawn, _ = model.sample(4, totals=6)
    assert np.all(drawn.sum(axis=1) == 6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_of_rows_is_a_mixture_of_students(gaussian: BayesianGaussianMixture, kind: str) -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(40, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    model = BayesianGaussianMixture(n_components=2, covariance_type=kind, random_state=0).fit(rows)
    covariances = np.asarray(model.covariances_)
    dofs, pull = np.asarray(model.degrees_of_freedom_), model.mean_precision_
    each = []
    for k in range(2):
        wide = 1.0 + 1.0 / pull[k]
        if kind == "diag":
            parts = [stats.t(dofs[k], model.means_[k, j], np.sqrt(covariances[k, j] * wide)) for j in range(2)]
            each.append(sum(part.logpdf(rows[:, j]) for j, part in enumerate(parts)))
            continue
        dof = 2 * dofs[k] if kind == "spherical" else (2 * float(dofs) if kind == "tied" else dofs[k]) - 1.0
        spread = {"full": lambda k: covariances[k], "tied": lambda k: covariances}.get(
            kind, lambda k: covariances[k] * np.eye(2)
        )(k)
        factor = wide if kind == "spherical" else wide * (dof + 1.0) / dof
        each.append(stats.multivariate_t(model.means_[k], spread * factor, dof).logpdf(rows))
    expected = np.log(np.sum(model.weights_[:, None] * np.exp(each), axis=0))
    np.testing.assert_allclose(model.score_samples(rows), expected, rtol=1e-9)


def test_marginals_and_conditionals_of_students(gaussian: BayesianGaussianMixture) -> None:
    # the joint density at x_1 integrates over x_2 to the marginal; a part of the integral is the conditional's cdf
    at = 1.3
    joint = lambda y: float(np.exp(gaussian.score_samples(np.array([[at, y]])))[0])  # noqa: E731
    pieces = [(-np.inf, 0.0), (0.0, 4.0), (4.0, 9.0), (9.0, np.inf)]
    parts = [integrate.quad(joint, *piece, epsabs=1e-12)[0] for piece in pieces]
    total = np.exp(gaussian.score_samples(np.array([[at, np.nan]])))[0]
    assert abs(sum(parts) - total) < 1e-8
    given = gaussian.condition({0: at})
    assert abs(given.cdf(4.0) - (parts[0] + parts[1]) / total) < 1e-7
    moment = sum(integrate.quad(lambda y: y * joint(y), *piece, epsabs=1e-12)[0] for piece in pieces) / total
    np.testing.assert_allclose(gaussian.impute(np.array([[at, np.nan]]))[0, 1], moment, rtol=1e-5)
    np.testing.assert_allclose(given.mean()[0], moment, rtol=1e-5)
    drawn = gaussian.impute(np.array([[at, np.nan]]), n_draws=3000, random_state=0)[:, 0, 1]
    assert stats.kstest(drawn, lambda y: given.cdf(y)).pvalue > 1e-3
    # far out the observed entry widens the conditional: the drawn precision must follow it
    far = gaussian.condition({0: -30.0})
    spread = [
        integrate.quad(lambda y: float(np.exp(far.log_prob([[y]])[0])), a, b)[0] for a, b in [(-99, -9), (-9, 90)]
    ]
    assert abs(sum(spread) - (far.cdf(90.0) - far.cdf(-99.0))) < 1e-6
    assert abs(spread[0] - (far.cdf(-9.0) - far.cdf(-99.0))) < 1e-6
    drawn = gaussian.impute(np.array([[-30.0, np.nan]]), n_draws=3000, random_state=0)[:, 0, 1]
    assert stats.kstest(drawn, lambda y: far.cdf(y)).pvalue > 1e-3
    rows, _ = gaussian.sample(3000)
    assert stats.kstest(rows[:, 1], lambda y: gaussian.marginal(1).cdf(y)).pvalue > 1e-3


def test_surplus_components_empty_themselves(gaussian: BayesianGaussianMixture) -> None:
    random = np.random.default_rng(3)
    rows = np.concatenate([random.normal(0.0, 1.0, (30, 2)), random.normal(9.0, 1.0, (30, 2))])
    model = BayesianGaussianMixture(n_components=6, max_iter=500, random_state=0).fit(rows)
    assert model.n_components_used_ == 2
    assert np.all(np.diff(model.expected_counts_) <= 1e-6)
    np.testing.assert_allclose(model.expected_counts_.sum(), 60.0)
    assert model.weights_[2:].sum() < 0.05


def test_the_summary_is_of_the_posterior_means(mixed: BayesianMixture) -> None:
    found = mixed.summary()
    normal = next(g for g in mixed.posterior_.groups if g.columns == (0,))
    rates = next(g for g in mixed.posterior_.groups if g.columns == (3,)).posterior
    np.testing.assert_allclose(found.columns[0].means, normal.means[:, 0])
    np.testing.assert_allclose(found.columns[0].sds, np.sqrt(normal.covariances[:, 0]))
    np.testing.assert_allclose(found.columns[3].means, rates.shapes[:, 0] / rates.rates[:, 0])
    assert all(np.isfinite(column.sd) for column in found.columns)


def test_batches_come_near_the_whole(gaussian: BayesianGaussianMixture) -> None:
    random = np.random.default_rng(4)
    rows = np.concatenate([random.normal(0.0, 1.0, (600, 2)), random.normal(7.0, 1.0, (600, 2))])
    whole = BayesianGaussianMixture(n_components=2, random_state=0).fit(rows)
    online = BayesianGaussianMixture(n_components=2, random_state=0, inference="online-vb", max_iter=5).fit(rows)
    assert -2.0 < online.lower_bound_ - whole.lower_bound_ < 1e-6
    part = BayesianGaussianMixture(n_components=2, random_state=0)
    shuffled = random.permutation(rows)
    for begin in range(0, 1200, 300):
        part.partial_fit(shuffled[begin : begin + 300])
    np.testing.assert_allclose(part.means_, whole.means_, atol=0.15)
    np.testing.assert_allclose(part.expected_counts_.sum(), 1200.0)


def test_many_parameters_have_no_k_hat_and_restarts_are_told() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 8))
    verdict = BayesianGaussianMixture(n_components=6, max_iter=3, random_state=0).fit(rows).verdict_
    assert verdict.khat is None
    assert "parameters" in verdict.why_not
    assert len(verdict.bounds) == 2
    assert verdict.agreement is not None
    assert "max_iter" in verdict.stop


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"families": "gamma"}, "no conjugate prior.*log-normal"),
        ({"families": "negative-binomial"}, "no conjugate prior.*poisson"),
        ({"families": "student-t"}, "no conjugate prior.*normal"),
        ({"families": "poisson", "priors": {"b": {"shape": 1.0, "rate": 1.0}}}, "priors names column 'b'"),
        ({"families": "poisson", "priors": {"a": {"shape": 1.0}}}, "takes 'shape', 'rate'"),
        ({"families": "poisson", "priors": {"a": {"shape": -1.0, "rate": 1.0}}}, "shape must be above 0"),
        ({"prior_rows": 0.0}, "prior_rows must be above 0"),
        ({"weight_concentration_prior": -1.0}, "weight_concentration_prior must be above 0"),
        ({"weight_concentration_prior_type": "pitman"}, "weight_concentration_prior_type must be one of"),
        ({"inference": "em"}, "inference must be one of"),
        ({"covariance_type": "VVV"}, "covariance_type must be one of"),
    ],
)
def test_what_cannot_be_is_refused_in_words(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BayesianMixture(2, **settings).fit({"a": np.array([1.0, 2.0, 5.0, 3.0])})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"covariance_prior": -np.eye(2)}, "symmetric, positive-definite"),
        ({"covariance_prior": np.eye(3)}, "should have the shape"),
        ({"mean_prior": [0.0]}, "should have the shape"),
        ({"mean_precision_prior": 0.0}, "mean_precision_prior must be above 0"),
        ({"reg_covar": -1.0}, "reg_covar must be at least 0"),
        ({"n_components": 99}, "n_samples >= n_components"),
    ],
)
def test_bad_priors_are_refused_in_words(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BayesianGaussianMixture(**settings).fit(np.arange(10.0).reshape(5, 2))


def test_it_is_kept_compared_and_drawn(mixed: BayesianMixture, table: dict[str, np.ndarray], tmp_path: Path) -> None:
    tacit.save(mixed, tmp_path / "model.safetensors")
    again = tacit.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.score_samples(table), mixed.score_samples(table))
    assert again.verdict_.words() == mixed.verdict_.words()
    assert {"bayesian-mixture", "bayesian-gaussian-mixture"} <= set(names())
    assert mixed.graph().distributions()[0] == "π ~ stick-breaking(α)"
    counts = {"a": np.random.default_rng(0).poisson(3.0, 40).astype(float)}
    fits = [BayesianMixture(2, families="poisson", n_init=1, random_state=0), PoissonMixture(2, random_state=0)]
    compared = tacit.compare(np.column_stack([counts["a"], counts["a"]]), {"bayes": fits[0], "em": fits[1]}, folds=2)
    assert compared.table.num_rows >= 2
    with pytest.raises(ValueError, match="give X"):
        tacit.match(mixed, mixed)
    with pytest.raises(ValueError, match="has a posterior"):
        tacit.bootstrap(mixed, table, 2)


def test_the_number_of_components_is_chosen_by_the_bound() -> None:
    random = np.random.default_rng(5)
    rows = np.concatenate([random.normal(0.0, 1.0, (30, 2)), random.normal(9.0, 1.0, (30, 2))])
    unfitted = BayesianGaussianMixture(weight_concentration_prior_type="dirichlet_distribution", max_iter=200)
    found = tacit.select(rows, [1, 2, 3], None, "bound", estimator=unfitted, n_init=2, random_state=0)
    assert found.best.n_components == 2
    bounds = found.table.column("bound").to_pylist()
    assert bounds[1] == max(bounds) == found.best.lower_bound_
    with pytest.raises(ValueError, match="criterion must be one of 'bound', 'held-out'"):
        tacit.select(rows, [1, 2], None, "bic", estimator=unfitted)


def test_coverage_counts_what_intervals_hold() -> None:
    random = np.random.default_rng(6)
    rows = random.normal(size=(60, 2))
    model = BayesianGaussianMixture(covariance_type="diag").fit(random.normal(size=(300, 2)))
    held = tacit.coverage(model, rows, levels=[0.5, 0.9])
    students = [
        stats.t(
            model.degrees_of_freedom_[0],
            model.means_[0, j],
            np.sqrt(model.covariances_[0, j] * (1 + 1 / model.mean_precision_[0])),
        )
        for j in range(2)
    ]
    expected = np.column_stack([student.cdf(rows[:, j]) for j, student in enumerate(students)])
    np.testing.assert_allclose(held.pit, expected, rtol=1e-8)
    inside = np.abs(expected - 0.5)[..., None] <= 0.5 * np.array([0.5, 0.9])
    np.testing.assert_allclose(held.observed, inside.mean(axis=(0, 1)))
    np.testing.assert_allclose(held.errors, inside.mean(axis=1).std(axis=0, ddof=1) / np.sqrt(60))
    assert held.plot() is not None
    with pytest.raises(ValueError, match="levels must lie"):
        tacit.coverage(model, rows, levels=[1.5])


@pytest.mark.wrong_types
def test_coverage_needs_conditional_densities() -> None:
    with pytest.raises(ValueError, match="no conditional densities"):
        tacit.coverage(object(), np.zeros((3, 2)))
