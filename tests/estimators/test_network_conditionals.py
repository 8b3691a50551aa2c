"""``condition``, ``explain`` and tables of cases of networks, against what they are made of."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import tacit

CASE = {"y": 1.0, "k": "v", "g": "a", "x": 0.5}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    g = random.choice(list("ab"), 400)
    x = np.where(g == "a", 0.0, 3.0) + random.normal(size=400)
    k = np.where(random.random(400) < np.where(g == "a", 0.9, 0.1), "u", "v")
    return pd.DataFrame({"y": 2 * x + random.normal(size=400), "k": k, "g": g, "x": x})


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> tacit.BayesianNetwork:
    return tacit.BayesianNetwork("g->x, x->y, g->k").fit(table)


def test_conditional_and_marginal_densities_multiply_to_the_joint_one(model: tacit.BayesianNetwork) -> None:
    joint = model.score_samples(pd.DataFrame([CASE]))
    for given in (["g"], ["k", "x"], ["y"]):
        known = {name: CASE[name] for name in given}
        rest = [name for name in CASE if name not in given]
        density = model.condition(known)
        assert list(density.feature_names) == rest
        coded = {**CASE, "k": 1, "g": 0}
        conditional = density.log_prob([[coded[name] for name in rest]])
        marginal = model.condition({}).marginal(given).log_prob([[coded[name] for name in given]])
        np.testing.assert_allclose(conditional + marginal, joint, rtol=1e-12)
        np.testing.assert_allclose(marginal, model.score_samples(pd.DataFrame([known | dict.fromkeys(rest)])))


def test_figures_of_a_density_are_those_of_queries_and_draws(model: tacit.BayesianNetwork) -> None:
    density = model.condition({"g": "a", "y": 3.0})
    asked = model.query(None, {"g": "a", "y": 3.0})
    np.testing.assert_allclose(density.probabilities("k"), list(asked["k"].values()))
    mean, deviation = asked["x"]
    np.testing.assert_allclose(density.marginal("x").mean(), [mean])
    np.testing.assert_allclose(np.sqrt(density.variance()[1]), deviation)
    q = np.array([[0.1, 0.5], [0.9, 0.99]])
    np.testing.assert_allclose(density.cdf(density.quantile(q, "x"), "x"), q, atol=1e-9)
    drawn = density.sample(4000, random_state=0)
    assert scipy.stats.kstest(drawn[:, 1], lambda x: density.cdf(x, "x")).pvalue > 1e-3
    assert abs(drawn[:, 0].mean() - density.probabilities("k")[1]) < 0.02
    by_code = model.condition({2: 0, 0: 3.0})
    np.testing.assert_allclose(by_code.mean(), density.mean())
    assert density.to_arrow().column("column").to_pylist() == ["k", "x"]


def test_what_cannot_be_conditioned_on_is_refused(model: tacit.BayesianNetwork) -> None:
    with pytest.raises(ValueError, match="every column is given"):
        model.condition(CASE)
    with pytest.raises(ValueError, match="no level 'z'"):
        model.condition({"g": "z"})
    with pytest.raises(ValueError, match="not likelihoods"):
        model.condition({"g": {"a": 1.0}})
    with pytest.raises(ValueError, match="say which column"):
        model.condition({"g": "a"}).cdf(1.0)
    with pytest.raises(ValueError, match="none of its columns"):
        model.condition({"g": "a"}).cdf(1.0, "g")
    sure = tacit.BayesianNetwork("a->b", prior=0.0).fit(
        pd.DataFrame({"a": ["p", "q"] * 9, "b": ["s", "t"] * 9, "c": ["m", "n"] * 9})
    )
    with pytest.raises(ValueError, match="probability 0"):
        sure.condition({"a": "p", "b": "t"})


def test_links_along_the_arrows_are_the_nodes_own_densities(model: tacit.BayesianNetwork, table: pd.DataFrame) -> None:
    found = model.explain(CASE)
    assert [link.column for link in found.chain] == [model.columns_.names[v] for v in model.model_.graph.order]
    assert found.log_density == pytest.approx(float(model.score_samples(pd.DataFrame([CASE]))[0]), rel=1e-12)
    links = {link.column: link for link in found.chain}
    (mean, deviation), shares = model.query("y", {"x": 0.5})["y"], model.query("k", {"g": "a"})["k"]
    law = scipy.stats.norm(mean, deviation)
    assert links["y"].log_density == pytest.approx(law.logpdf(1.0), rel=1e-9)
    assert links["y"].expected == pytest.approx(mean, rel=1e-9)
    assert links["y"].tail == pytest.approx(2 * min(law.cdf(1.0), law.sf(1.0)), rel=1e-9)
    assert links["k"].log_density == pytest.approx(np.log(shares["v"]), rel=1e-12)
    assert links["k"].expected == "u"


def test_the_node_that_makes_a_row_odd_is_the_first_surprise(model: tacit.BayesianNetwork, table: pd.DataFrame) -> None:
    odd = model.explain({"y": 20.0, "k": "u", "g": "a", "x": 0.5}, among=table)
    surprise = odd.first_surprise
    assert surprise is not None
    assert surprise.column == "y"
    assert model.explain(table.iloc[0]).first_surprise is None
    assert [link.column for link in model.explain({"y": 1.0, "x": 0.5}).chain] == ["x", "y"]
    ordered = model.explain(CASE, order=["x", "y", "k", "g"])
    assert [link.column for link in ordered.chain] == ["x", "y", "k", "g"]
    assert ordered.log_density == pytest.approx(model.explain(CASE).log_density, rel=1e-12)


def test_a_row_that_cannot_be_is_followed_up_to_where_it_cannot() -> None:
    rows = pd.DataFrame({"a": ["p", "q"] * 20, "b": ["s", "t"] * 20, "c": ["u", "w", "w", "u"] * 10})
    model = tacit.BayesianNetwork("a->b, b->c", prior=0.0).fit(rows)
    chain = model.explain({"a": "p", "b": "t", "c": "u"}, among=rows).chain
    assert [link.column for link in chain] == ["a", "b"]
    assert chain[-1].log_density == -np.inf


def test_columns_that_are_conditioned_on_have_no_link(table: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork("x->y, g->k", families={"x": "exogenous"}).fit(table)
    found = model.explain(CASE)
    assert sorted(link.column for link in found.chain) == ["g", "k", "y"]
    assert found.log_density == pytest.approx(float(model.score_samples(pd.DataFrame([CASE]))[0]), rel=1e-12)


@pytest.mark.parametrize("inference", ["auto", "weighted"])
def test_a_table_of_cases_is_answered_case_by_case(table: pd.DataFrame, inference: str) -> None:
    model = tacit.BayesianNetwork("g->x, x->y, g->k", inference=inference).fit(table)
    cases = pd.DataFrame({"k": ["u", "v", None], "x": [0.0, np.nan, 2.0]})
    found = model.query(None, cases)
    assert len(found) == 3
    assert set(found.levels) == {"k", "g"}
    for at, case in enumerate(cases.to_dict("records")):
        known = {name: value for name, value in case.items() if value == value and value is not None}
        alone = model.query(None, known)
        np.testing.assert_allclose(found["g"][at], list(alone["g"].values()), rtol=1e-12)
        np.testing.assert_allclose(found["y"][at], alone["y"], rtol=1e-12)
        if "k" not in known:
            np.testing.assert_allclose(found["k"][at], list(alone["k"].values()), rtol=1e-12)
    assert np.isnan(found["k"][:2]).all()
    names = found.to_arrow().column_names
    assert names[:4] == ["k=u", "k=v", "g=a", "g=b"]
    assert {"y mean", "y sd", "x mean", "x sd"} < set(names)


def test_cases_may_be_columns_and_hold_what_cannot_be(model: tacit.BayesianNetwork) -> None:
    np.testing.assert_allclose(
        model.query("g", {"k": ["u", "v"]})["g"][1], list(model.query("g", {"k": "v"})["g"].values())
    )
    with pytest.raises(ValueError, match="'q' is no column of the network"):
        model.query(None, pd.DataFrame({"q": [1]}))
    with pytest.raises(ValueError, match="of one case"):
        model.query(None, pd.DataFrame({"k": ["u"]}), joint=True)
    sure = tacit.BayesianNetwork("a->b", prior=0.0).fit(pd.DataFrame({"a": ["p", "q"] * 9, "b": ["s", "t"] * 9}))
    with pytest.warns(UserWarning, match=r"1 row \(1\) cannot be"):
        found = sure.query("a", pd.DataFrame({"a": [None, "p"], "b": ["s", "t"]}))
    np.testing.assert_array_equal(found["a"], [[1.0, 0.0], [np.nan, np.nan]])


def test_an_intervention_holds_in_densities_and_cases(model: tacit.BayesianNetwork) -> None:
    changed = model.do({"x": 3.0})
    assert "x" not in changed.condition({"k": "u"}).feature_names
    found = changed.query(None, pd.DataFrame({"k": ["u", "v"]}))
    for at, level in enumerate("uv"):
        np.testing.assert_allclose(found["g"][at], list(changed.query("g", {"k": level})["g"].values()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "x" not in [link.column for link in changed.explain({"y": 6.0, "k": "u", "g": "a", "x": 3.0}).chain]
