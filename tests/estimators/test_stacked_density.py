"""Stacked densities: shares that maximise the held-out score, and all that follows from a sum of densities."""

import numpy as np
import pytest
from scipy import optimize, special

import tacit
from tacit import GaussianMixture, StackedDensity
from tacit.estimators.flow import reference
from tacit.estimators.stacked.members import made
from tacit.estimators.stacked.stacked_density import stacked_weights

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(number: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(
        random.random((number, 1)) < 0.5, random.normal(-3, 1, (number, 2)), random.normal(3, 1, (number, 2))
    )


def test_shares_are_those_of_the_best_sum() -> None:
    random = np.random.default_rng(0)
    log_prob, weights = random.normal(size=(200, 3)) * 2, random.random(200)
    shares, bounds = stacked_weights(log_prob, weights)
    assert (np.diff(bounds) >= -1e-9).all()

    def loss(logits: np.ndarray) -> float:
        return -weights @ special.logsumexp(log_prob + special.log_softmax(logits), axis=1)

    best = optimize.minimize(loss, np.zeros(3), tol=1e-12)
    assert bounds[-1] == pytest.approx(-best.fun, abs=1e-4)
    np.testing.assert_allclose(shares, special.softmax(best.x), atol=1e-3)


@pytest.fixture(scope="module")
def stack() -> StackedDensity:
    members = (GaussianMixture(1), GaussianMixture(2, random_state=0), tacit.FactorAnalysis(1))
    return StackedDensity(members, random_state=0).fit(rows(400))


def test_the_better_member_has_the_share(stack: StackedDensity) -> None:
    assert stack.member_names_ == ("GaussianMixture 1", "GaussianMixture 2", "FactorAnalysis")
    assert stack.weights_[1] > 0.8
    assert stack.weights_.sum() == pytest.approx(1.0)
    assert stack.held_out_scores_[-1] >= stack.held_out_scores_[:-1].max() - 1e-9
    assert stack.gain_ >= -1e-9
    ((_, table),) = stack.told_tables(rows(10))
    assert table.column("member").to_pylist()[-1] == "together"


def test_it_is_the_sum_of_its_members(stack: StackedDensity) -> None:
    x = rows(50, seed=1)
    each = np.stack([member.score_samples(x) for member in stack.members_], 1)
    with np.errstate(divide="ignore"):
        expected = special.logsumexp(each + np.log(stack.weights_), axis=1)
    np.testing.assert_allclose(stack.score_samples(x), expected, atol=1e-12)
    np.testing.assert_allclose(stack.member_shares(x).sum(1), 1.0)
    drawn = stack.sample(4000, random_state=0)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(rows(4000, seed=3).T), atol=1.2)


def test_what_is_given_moves_the_shares_and_gaps_are_filled(stack: StackedDensity) -> None:
    found = stack.condition({0: 3.0})
    given = np.array([[3.0, np.nan]])
    np.testing.assert_allclose(found.weights, stack.member_shares(given)[0])
    assert found.mean()[0] == pytest.approx(3.0, abs=0.5)
    drawn = found.sample(1000, random_state=0)
    assert drawn.mean() == pytest.approx(found.mean()[0], abs=0.3)
    whole = np.array([[3.0, 2.5]])
    difference = stack.score_samples(whole) - stack.score_samples(given)
    assert found.score_samples([[2.5]])[0] == pytest.approx(difference[0])
    filled = stack.impute(given, 5, random_state=0)
    assert filled.shape == (5, 1, 2)
    assert (filled[:, 0, 0] == 3.0).all()


def test_weights_and_rows_with_gaps() -> None:
    x = rows(300)
    x[::7, 1] = np.nan
    model = StackedDensity((GaussianMixture(1), GaussianMixture(2, random_state=0)), random_state=0)
    model.fit(x, sample_weight=np.r_[np.zeros(100), np.ones(200)])
    assert np.isfinite(model.score_samples(x)).all()


def test_what_cannot_be_added_is_named() -> None:
    x = np.column_stack([rows(200)[:, 0], np.random.default_rng(0).poisson(3, 200)])
    with pytest.raises(ValueError, match="column 'x1': GaussianMixture gives a density, and Mixture a mass"):
        StackedDensity((GaussianMixture(1), tacit.Mixture(1, families=["normal", "poisson"]))).fit(x)
    with pytest.raises(ValueError, match="a member must be one of"):
        StackedDensity(("gausian-mixture", "triangular-flow")).fit(x)
    with pytest.raises(ValueError, match="KMeans has no density"):
        StackedDensity((GaussianMixture(1), tacit.KMeans(2))).fit(x)
    with pytest.raises(ValueError, match="two models or more"):
        StackedDensity(("gaussian-mixture",)).fit(x)


def test_it_is_saved_and_loaded(stack: StackedDensity, tmp_path: object) -> None:
    tacit.save(stack, f"{tmp_path}/stack.safetensors")
    again, x = tacit.load(f"{tmp_path}/stack.safetensors"), rows(20, seed=5)
    np.testing.assert_array_equal(again.score_samples(x), stack.score_samples(x))
    assert again.explain(x[0]).log_density == pytest.approx(stack.score_samples(x[:1])[0])


def test_components_are_counted_once_for_the_mixture_and_beside_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    plain = reference._fitted

    def counted(number: int, *rest: object) -> GaussianMixture:
        tried.append(number)
        return plain(number, *rest)

    monkeypatch.setattr(reference, "_fitted", counted)
    x = rows(300)
    mixture, flow = made(("gaussian-mixture", "triangular-flow"), x, np.ones(300), ["a", "b"], np.random.default_rng(0))
    assert mixture.get_params()["n_components"] == flow.get_params()["n_components"] == 2
    assert tried == [1, 2, 3, 5]
    assert flow.get_params()["base"] == "normal"
