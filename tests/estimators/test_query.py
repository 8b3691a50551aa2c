"""Queries against scipy, enumeration and draws: what is exact is exact, and what is drawn says how sure it is."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import tacit
from tacit.data.value_sets import Box
from tacit.estimators.capabilities import can
from tacit.estimators.query.answer import QueryAnswer
from tacit.estimators.query.asking import AnswersQueries
from tacit.estimators.query.figures import figures
from tacit.estimators.query.grammar import QueryError
from tacit.models.given import Conditioned


@pytest.fixture(scope="module")
def table() -> dict[str, list]:
    """Two groups, with columns of every kind and some gaps."""
    draw = np.random.default_rng(1)
    group = draw.random(400) < 0.4
    gaps = draw.random((400, 3)) < 0.1
    income = np.where(group, 60.0, 30.0) + draw.normal(size=400) * np.where(group, 12.0, 6.0)
    height = 170.0 + 0.3 * income + 5.0 * draw.normal(size=400)
    visits = draw.poisson(np.where(group, 6.0, 2.0))
    smoker = np.where(draw.random(400) < np.where(group, 0.7, 0.2), "yes", "no").astype(object)
    city = draw.choice(["Paris", "Rome", "Oslo"], 400).astype(object)
    spent = np.exp(draw.normal(np.where(group, 3.0, 1.0), 0.8))
    income[gaps[:, 0]], smoker[gaps[:, 1]], city[gaps[:, 2]] = np.nan, None, None
    columns = {"income": income, "height": height, "visits": visits, "smoker": smoker, "city": city, "spent": spent}
    return {name: list(values) for name, values in columns.items()}


@pytest.fixture(scope="module")
def mixed(table: dict[str, list]) -> tacit.Mixture:
    """A mixture whose columns are independent given the group."""
    return tacit.Mixture(2, n_init=1, random_state=0).fit(table)


@pytest.fixture(scope="module")
def vectors(table: dict[str, list]) -> tacit.Mixture:
    """The same with a full covariance of the continuous columns."""
    return tacit.Mixture(2, covariance_type="full", n_init=1, random_state=0).fit(table)


def parameters(model: tacit.Mixture) -> dict[str, tuple]:
    """Of every column of an independent mixture, scipy's distribution in both groups."""
    found = {}
    for name in ("income", "height"):
        density = model.marginal([name])
        column = density._mixed_cdf(density.columns[0])[1]
        centres, scales = column.location_scale()
        found[name] = scipy.stats.norm(np.ravel(centres), np.ravel(scales))
    return found


def test_events_of_independent_columns_equal_scipy(mixed: tacit.Mixture) -> None:
    laws, weights = parameters(mixed), mixed.weights_
    income, height = laws["income"], laws["height"]
    over = income.sf(50.0)
    band = height.cdf(195.0) - height.cdf(180.0)
    assert float(mixed.query("P(income > 50)")) == pytest.approx(weights @ over, rel=1e-12)
    expected = weights @ (over * band) / (weights @ band)
    found = mixed.query("P(income > 50 | 180 <= height < 195)")
    assert float(found) == pytest.approx(expected, rel=1e-12)
    assert found.exact
    assert found.error == 0.0
    at = weights * income.pdf(45.0)
    assert float(mixed.query("P(height > 180 | income = 45)")) == pytest.approx(
        at @ height.sf(180) / at.sum(), rel=1e-11
    )
    tail = weights * height.sf(400.0)
    assert float(mixed.query("P(income > 50 | height > 400)")) == pytest.approx(tail @ over / tail.sum(), rel=1e-9)


def test_moments_and_quantiles_of_a_truncated_column_equal_scipy(mixed: tacit.Mixture) -> None:
    weights, income = mixed.weights_, parameters(mixed)["income"]
    mass = income.cdf(70.0) - income.cdf(40.0)
    parts = [
        scipy.stats.truncnorm((40 - m) / s, (70 - m) / s, m, s)
        for m, s in zip(income.mean(), income.std(), strict=True)
    ]
    shares = weights * mass / (weights @ mass)
    mean = sum(w * p.mean() for w, p in zip(shares, parts, strict=True))
    square = sum(w * (p.var() + p.mean() ** 2) for w, p in zip(shares, parts, strict=True))
    assert float(mixed.query("mean(income | income between 40 and 70)")) == pytest.approx(mean, rel=1e-10)
    assert float(mixed.query("sd(income | income between 40 and 70)")) == pytest.approx(
        math.sqrt(square - mean**2), rel=1e-8
    )
    end = float(mixed.query("quantile(income, 0.8 | 40 <= income <= 70)"))
    assert sum(w * p.cdf(end) for w, p in zip(shares, parts, strict=True)) == pytest.approx(0.8, abs=1e-12)


@pytest.mark.parametrize("name", ["mixed", "vectors"])
def test_levels_equal_enumeration_of_densities(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    cities = [level for level in model.schema_["city"].levels]
    rows = [
        {"income": 40.0, "height": 182.0, "visits": v, "smoker": s, "city": c, "spent": np.nan}
        for v, s, c in itertools.product(range(60), ["no", "yes"], cities)
    ]
    frame = {key: [row[key] for row in rows] for key in rows[0]}
    chance = np.exp(model.score_samples(frame))
    visits, smoker, city = (np.array(frame[key]) for key in ("visits", "smoker", "city"))
    known = chance[(visits > 3) & (city != "Rome")].sum()
    expected = chance[(visits > 3) & (city != "Rome") & (smoker == "yes")].sum() / known
    found = model.query("P(smoker = yes | income = 40, height = 182, visits > 3, city != Rome)")
    assert found.exact
    assert float(found) == pytest.approx(expected, rel=1e-9)
    told = model.query("P(city | income = 40, height = 182, visits = 2 or visits = 5, smoker = no)").value
    wanted = [chance[np.isin(visits, [2, 5]) & (smoker == "no") & (city == c)].sum() for c in cities]
    assert list(told.values()) == pytest.approx(np.array(wanted) / np.sum(wanted), rel=1e-9)
    mean = float(model.query("mean(visits | income = 40, height = 182, visits >= 2, smoker = no)"))
    part = chance * (visits >= 2) * (smoker == "no")
    assert mean == pytest.approx(part @ visits / part.sum(), rel=1e-8)


def test_ranges_of_two_columns_of_a_vector_equal_scipy() -> None:
    draw = np.random.default_rng(3)
    X = draw.normal(size=(300, 3)) @ draw.normal(size=(3, 3)) + 1.0
    model = tacit.GaussianMixture(2, n_init=1, random_state=0).fit(X)

    def mass(low: list[float], high: list[float]) -> float:
        return sum(
            w * scipy.stats.multivariate_normal(m, c).cdf(high, lower_limit=low)
            for w, m, c in zip(model.weights_, model.means_[:, :2], model.covariances_[:, :2, :2], strict=True)
        )

    expected = mass([1.0, -1.0], [np.inf, 2.0]) / mass([-np.inf, -1.0], [np.inf, 2.0])
    found = model.query("P(x0 > 1 | -1 < x1 < 2)")
    assert found.exact
    assert float(found) == pytest.approx(expected, abs=2e-6)
    drawn = _by_draws(model, "P(x0 > 1 | -1 < x1 < 2, x2 > 0)")
    three = model.query("P(x0 > 1 | -1 < x1 < 2, x2 > 0)")
    assert three.how == "weighted draws"
    assert float(three) == pytest.approx(float(drawn), abs=5 * (three.error + drawn.error))
    for question in ("mean(x2 | x0 > 2)", "sd(x2 | x0 > 2, x1 = 0)", "quantile(x1, 0.3 | x0 < 0 or x0 > 2)"):
        exact, other = model.query(question), _by_draws(model, question)
        assert exact.exact
        assert float(exact) == pytest.approx(float(other), abs=5 * other.error)


def _by_draws(model: AnswersQueries, question: str, n_draws: int = 20_000, seed: int = 5) -> QueryAnswer:
    class Drawn(type(model)):  # type: ignore[misc]
        def given(self, evidence: Box) -> Conditioned | None:
            return None

    other = object.__new__(Drawn)
    vars(other).update(vars(model))
    return other.query(question, n_draws=n_draws, random_state=seed)


QUESTIONS = [
    "P(income > 50 | smoker = yes, visits <= 3)",
    "P(smoker = yes, city in {Paris, Rome} | income = 50)",
    "P(not (income < 40 or spent > 10) | height > 185)",
    "mean(spent | smoker = yes)",
    "sd(income | visits > 4)",
    "median(spent | spent > 2, city = Oslo)",
    "quantile(height, 0.9 | visits = 3)",
    "mean(spent | 1 < spent <= 30)",
    "mean(visits | visits > 2, income > 30)",
    "P(income > 40 | income = 30 or income = 60)",
    "mean(income | income in {30, 60})",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_exact_answers_lie_within_the_error_of_draws(mixed: tacit.Mixture, question: str) -> None:
    exact, drawn = mixed.query(question), _by_draws(mixed, question)
    assert exact.exact
    assert drawn.how == "weighted draws"
    assert drawn.effective_size is not None
    assert drawn.effective_size <= drawn.draws * 2
    assert drawn.error > 0
    assert float(exact) == pytest.approx(float(drawn), abs=5 * drawn.error)


def test_errors_of_draws_are_as_large_as_they_say(mixed: tacit.Mixture) -> None:
    question = "P(income > 50 | smoker = yes, visits <= 3)"
    exact = float(mixed.query(question))
    found = [_by_draws(mixed, question, 1000, seed) for seed in range(30)]
    away = [(float(each) - exact) / each.error for each in found]
    assert 0.6 < np.std(away) < 1.5


EVENTS = [
    "income > 40",
    "smoker = yes",
    "visits <= 2",
    "city in {Paris, Oslo}",
    "spent > 5",
    "height < 185",
    "income = 45",
]


@given(st.sampled_from(EVENTS), st.sampled_from(EVENTS), st.sampled_from(EVENTS[:6]))
@settings(max_examples=25, deadline=None)
def test_the_laws_of_probability(mixed: tacit.Mixture, a: str, b: str, c: str) -> None:
    def chance(text: str) -> float:
        return float(mixed.query(f"P({text})"))

    assert chance(f"{a} | {b}") + chance(f"not {a} | {b}") == pytest.approx(1.0, abs=1e-12)
    either = chance(f"{a} | {b}") + chance(f"{c} | {b}") - chance(f"{a}, {c} | {b}")
    assert chance(f"{a} or {c} | {b}") == pytest.approx(either, abs=1e-12)
    if b != EVENTS[-1]:
        assert chance(f"{a} | {b}, {c}") * chance(f"{b}, {c}") == pytest.approx(chance(f"{a}, {b}, {c}"), abs=1e-12)


def test_the_group_is_a_column(mixed: tacit.Mixture, table: dict[str, list]) -> None:
    row = {"income": [50.0], "height": [np.nan], "visits": [3], "smoker": ["yes"], "city": [None], "spent": [np.nan]}
    told = mixed.query("P(group | income = 50, visits = 3, smoker = yes)").value
    assert list(told.values()) == pytest.approx(mixed.predict_proba(row)[0], rel=1e-9)
    one = float(mixed.query("mean(income | group = 1)"))
    two = float(mixed.query("mean(income | group = 2)"))
    whole = mixed.weights_ @ [one, two]
    assert float(mixed.query("mean(income)")) == pytest.approx(whole, rel=1e-12)
    with pytest.raises(QueryError, match="hidden"):
        _by_draws(mixed, "P(group = 1)")


def test_a_bayesian_mixture_answers_by_its_predictive_density(table: dict[str, list]) -> None:
    model = tacit.BayesianMixture(3, n_init=1, random_state=0).fit(table)
    for question in ("P(income > 50 | smoker = yes, spent > 3)", "quantile(income, 0.2 | visits > 3)"):
        exact, drawn = model.query(question), _by_draws(model, question)
        assert exact.exact
        assert float(exact) == pytest.approx(float(drawn), abs=5 * drawn.error)


def test_factor_models_answer_exactly(table: dict[str, list]) -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(200, 2)) @ draw.normal(size=(2, 5)) + 0.5 * draw.normal(size=(200, 5))
    model = tacit.FactorAnalysis(2).fit(X)
    covariance, mean = model.get_covariance(), model.mean_
    gain = covariance[0, 1] / covariance[1, 1]
    at = scipy.stats.norm(mean[0] + gain * (1.0 - mean[1]), math.sqrt(covariance[0, 0] - gain * covariance[0, 1]))
    assert float(model.query("P(x0 > 1 | x1 = 1)")) == pytest.approx(at.sf(1.0), rel=1e-9)
    z = draw.normal(size=300)
    items = {
        key: [["no", "yes"][int(u < 1 / (1 + np.exp(-t)))] for u, t in zip(draw.random(300), z, strict=True)]
        for key in "abc"
    }
    ranked = tacit.ItemFactorAnalysis(1, families=dict.fromkeys(items, "categorical"), prior_scale=2).fit(items)
    cells = [dict(zip(items, each, strict=True)) for each in itertools.product(["no", "yes"], repeat=3)]
    chance = np.exp(ranked.score_samples({key: [cell[key] for cell in cells] for key in items}))
    yes = np.array([[cell[key] == "yes" for key in items] for cell in cells])
    expected = chance[yes[:, 0] & yes[:, 1]].sum() / chance[yes[:, 1]].sum()
    assert float(ranked.query("P(a = yes | b = yes)")) == pytest.approx(expected, rel=1e-7)
    drawn = _by_draws(ranked, "P(a = yes | b = yes)", 8000)
    assert float(drawn) == pytest.approx(expected, abs=5 * drawn.error)


def test_a_deep_model_answers_by_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tacit.estimators.vae.condition.DRAWS", 200)
    draw = np.random.default_rng(0)
    X = draw.normal(size=(300, 1)) * [1.0, 0.8] + 0.4 * draw.normal(size=(300, 2))
    model = tacit.VAE(1, network="mlp", max_epochs=3, random_state=0).fit(X)
    found = model.query("P(x0 > 0 | x1 = 0.5)", n_draws=200)
    assert found.how == "weighted draws"
    assert 0.0 < float(found) < 1.0
    assert not can(tacit.AutoEncoder(1), AnswersQueries)


def test_what_is_impossible_or_makes_no_sense_is_said(mixed: tacit.Mixture) -> None:
    for question, said in {
        "P(income > 3 | visits = 2.5)": "impossible",
        "P(income > 3 | visits < 0)": "impossible",
        "P(income > 3 | spent = -1)": "impossible",
        "mean(city)": "have no mean",
        "P(income)": "holds numbers",
        "mode(income)": "median",
        "P(group = 3)": "no level",
    }.items():
        with pytest.raises(ValueError, match=said):
            mixed.query(question)
    zero = mixed.query("P(income = 50)")
    assert float(zero) == 0.0
    assert "probability 0" in zero.remarks[0]
    assert float(mixed.query("P(visits > 2.5)")) == float(mixed.query("P(visits >= 3)"))
    assert mixed.query("mode(city)").value in ("Paris", "Rome", "Oslo")
    assert mixed.query("mode(visits | smoker = no)").value == float(
        int(mixed.query("mode(visits | smoker = no)").value)
    )
    with pytest.raises(ValueError, match="n_draws"):
        mixed.query("P(income > 50)", n_draws=0)
    counts = np.random.default_rng(0).multinomial(9, [0.2, 0.3, 0.5], 50)
    shares = tacit.MultinomialMixture(2, random_state=0).fit(counts)
    with pytest.raises(ValueError, match="total"):
        shares.query("P(x0 > 2)")


def test_an_answer_says_what_it_is(mixed: tacit.Mixture) -> None:
    exact = mixed.query("P(income > 50 | smoker = yes)")
    assert str(exact).startswith("P(income > 50 | smoker = yes) = 0.")
    assert "(exact)" in repr(exact)
    assert "exact" in exact._repr_html_()
    drawn = _by_draws(mixed, "P(income > 200)", 4000)
    assert float(drawn) == 0.0
    assert drawn.error == pytest.approx(3 / 4000)
    assert "none of the draws" in str(drawn)
    assert "weighted draws" in str(drawn)
    rare = _by_draws(mixed, "P(income > 50 | visits > 13)", 4000)
    assert "rough guess" in str(rare)
    with pytest.raises(QueryError, match="too rare"):
        _by_draws(mixed, "P(income > 50 | visits > 90)", 4000)
    with pytest.raises(TypeError, match="no number"):
        float(mixed.query("P(city)"))
    assert mixed.query("P(city)").to_arrow().num_rows == 3


def test_all_columns_before_and_after(mixed: tacit.Mixture) -> None:
    before = {each.column.name: each for each in figures(mixed, "", mixed.schema_)}
    after = {each.column.name: each for each in figures(mixed, "smoker = yes, income > 40", mixed.schema_)}
    assert list(before) == [*mixed.schema_.names, "group"]
    assert after["smoker"].levels == {"no": 0.0, "yes": 1.0}
    assert after["height"].mean == pytest.approx(float(mixed.query("mean(height | smoker = yes, income > 40)")))
    assert before["city"].levels == pytest.approx(mixed.query("P(city)").value)
