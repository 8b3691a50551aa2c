"""``explain``: a row as a chain of conditionals, against scipy's Gaussians and counting."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tacit
from tacit import registry
from tacit.estimators.capabilities import GivesConditionals, can
from tacit.estimators.explaining import Explains

MEAN = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[2.0, 1.2, 0.1], [1.2, 1.0, 0.0], [0.1, 0.0, 0.5]])


@pytest.fixture(scope="module")
def gaussian():
    rows = np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, 300)
    return tacit.GaussianMixture(1, random_state=0).fit(rows), rows


def conditional(model, row, place, before):
    """Mean and standard deviation of one column given others, by the formula of the multivariate normal."""
    mean, covariance = model.means_[0], model.covariances_[0]
    if not before:
        return mean[place], np.sqrt(covariance[place, place])
    gain = np.linalg.solve(covariance[np.ix_(before, before)], covariance[before, place])
    return (
        mean[place] + gain @ (row[before] - mean[before]),
        np.sqrt(covariance[place, place] - gain @ covariance[before, place]),
    )


@pytest.mark.parametrize("order", [None, [2, 0, 1]])
def test_the_chain_of_a_gaussian(gaussian, order):
    model, _ = gaussian
    row = np.array([3.0, -4.0, 0.7])
    found = model.explain(row, order=order)
    assert found.log_density == pytest.approx(model.score_samples(row[None])[0], rel=1e-12)
    places = order or [0, 1, 2]
    for number, (link, place) in enumerate(zip(found.chain, places, strict=True)):
        mean, sd = conditional(model, row, place, places[:number])
        assert link.column == f"x{place}"
        assert link.log_density == pytest.approx(stats.norm(mean, sd).logpdf(row[place]), rel=1e-9)
        assert link.expected == pytest.approx(mean, abs=1e-6)
        assert (link.low, link.high) == pytest.approx(stats.norm(mean, sd).interval(0.9), rel=1e-6)
        assert link.deviations == pytest.approx((row[place] - mean) / sd, rel=1e-6)
        assert link.tail == pytest.approx(2 * stats.norm.sf(abs(row[place] - mean) / sd), rel=1e-6)


def test_the_first_surprise_is_where_the_row_goes_wrong(gaussian):
    model, _ = gaussian
    found = model.explain([2.5, -3.8, 0.5])  # either is usual by itself, and both together are not
    assert found.first_surprise.column == "x1"
    assert not found.chain[0].surprising
    assert "x1 −3.8" in str(found)
    assert model.explain(MEAN).first_surprise is None


def test_very_far_values_keep_a_distance(gaussian):
    model, _ = gaussian
    for value in (1e6, -1e6):
        link = model.explain([value, np.nan, np.nan]).chain[0]
        mean, sd = conditional(model, None, 0, [])
        assert link.deviations == pytest.approx((value - mean) / sd, rel=1e-9)


def test_gaps_have_no_link(gaussian):
    model, _ = gaussian
    found = model.explain([1.0, np.nan, 0.4])
    assert [link.column for link in found.chain] == ["x0", "x2"]
    assert model.explain([np.nan] * 3).log_density == 0.0


def test_the_nearest_typical_row(gaussian):
    model, rows = gaussian
    row = np.array([1.0, 3.0, 0.5])
    found = model.explain(row, among=rows)
    scores = model.score_samples(rows)
    fair = np.flatnonzero(scores >= np.median(scores))
    distance = (np.abs(rows[fair] - row) / rows.std(axis=0)).mean(axis=1)
    assert found.nearest_row == fair[distance.argmin()]
    assert list(found.nearest.values()) == pytest.approx(rows[found.nearest_row])
    own = model.explain(rows[fair[0]], among=rows)
    assert own.nearest_row != fair[0]  # not the row itself
    drawn = model.explain(row)
    assert drawn.nearest_row is None
    assert set(drawn.nearest) == {"x0", "x1", "x2"}


def test_levels_by_name_and_by_their_chances():
    random = np.random.default_rng(0)
    city = random.choice(["Oslo", "Paris", "Rome"], 200, p=[0.05, 0.35, 0.6])
    frame = pd.DataFrame({"city": city, "age": np.round(random.normal(40, 9, 200), 1)})
    model = tacit.Mixture(1, random_state=0).fit(frame)
    found = model.explain({"city": "Oslo", "age": 40.0}, among=frame)
    link = found.chain[0]
    chances = model.marginal(["city"]).probabilities()
    assert (link.value, link.expected, link.deviations) == ("Oslo", "Rome", None)
    assert link.tail == pytest.approx(chances.min(), rel=1e-9)
    assert link.log_density == pytest.approx(np.log(chances.min()), rel=1e-9)
    assert found.nearest["city"] in ("Oslo", "Paris", "Rome")
    for row in (frame.iloc[3], frame.iloc[[3]], frame.iloc[3].to_dict()):
        assert model.explain(row).log_density == pytest.approx(model.score_samples(frame.iloc[[3]])[0], rel=1e-12)


def test_counts_have_two_tails():
    rows = np.random.default_rng(0).poisson(4.0, (200, 2))
    model = tacit.PoissonMixture(1, random_state=0).fit(rows)
    rate = model.summary().columns[0].means[0]
    for value in (0, 4, 12):
        link = model.explain([value, 4]).chain[0]
        both = 2 * min(stats.poisson(rate).cdf(value), stats.poisson(rate).sf(value - 1))
        assert link.tail == pytest.approx(min(1.0, both), rel=1e-9)


def test_a_row_of_counts_given_its_total_has_no_chain():
    rows = np.random.default_rng(0).poisson(4.0, (60, 3))
    model = tacit.MultinomialMixture(1, random_state=0).fit(rows)
    with pytest.raises(ValueError, match="total"):
        model.explain(rows[0])


def test_not_one_row(gaussian):
    model, rows = gaussian
    with pytest.raises(ValueError, match="one row"):
        model.explain(rows[:2])
    with pytest.raises(ValueError, match="every column once"):
        model.explain(rows[0], order=[0, 0, 1])


def test_a_result_goes_on_as_a_frame(gaussian):
    model, rows = gaussian
    found = model.explain(rows[0])
    assert found.to_pandas()["log_density"].sum() == pytest.approx(found.log_density)
    assert found.to_polars().shape == (3, 9)
    assert "<table>" in found._repr_html_()


def test_all_that_condition_explain():
    for name in registry.names():
        cls = registry.get(name)
        assert can(cls, GivesConditionals) == can(cls, Explains), name


def test_a_deep_model_explains_by_draws():
    random = np.random.default_rng(0)
    code = random.normal(size=(300, 1))
    rows = np.hstack([code, 2.0 * code]) + 0.1 * random.normal(size=(300, 2))
    model = tacit.VAE(1, hidden=(8,), max_epochs=40, n_samples=200, random_state=0).fit(rows)
    found = model.explain([1.0, 2.0])
    assert found.bound
    assert found.log_density == pytest.approx(model.score_samples([[1.0, 2.0]])[0], rel=1e-4)
    assert found.chain[1].low < 2.0 < found.chain[1].high
