"""What a model says where evidence is impossible, rare or says nothing, and what criteria are of."""

import warnings

import numpy as np
import pandas as pd
import pytest

import tacit
from tacit.models.network.approximate.weighted import NetworkDraws
from tacit.models.network.case import Impossible

INFERENCES = ("exact", "auto", "loopy", "mean-field", "weighted")


@pytest.fixture(scope="module")
def letters() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({"p": ["y", "y", "n"] * 40, "q": ["y", "y", "n"] * 40, "r": random.choice(["u", "v"], 120)})


@pytest.mark.parametrize("inference", INFERENCES)
def test_impossible_evidence_is_named_by_every_inference(letters: pd.DataFrame, inference: str) -> None:
    model = tacit.BayesianNetwork("p->q, q->r", prior=0.0, inference=inference).fit(letters)
    with pytest.raises(Impossible, match="'p', 'q' contradict each other"):
        model.query(None, {"p": "y", "q": "n"})


def test_what_draws_cannot_meet_is_said_to_be_possible_where_that_is_known() -> None:
    names = [f"x{at}" for at in range(12)]
    rows = pd.DataFrame({name: ["a"] * 4999 + ["b"] for name in names})
    rows["z"] = np.where(np.arange(5000) % 2, "s", "t")
    edges = [("z", name) for name in names]
    model = tacit.BayesianNetwork(edges, prior=0.0, inference="weighted").fit(rows)
    found = model.query("z", dict.fromkeys(names, "b"))["z"]  # only z = s has it
    assert found["s"] == pytest.approx(1.0)


def test_a_level_that_no_draw_has_can_be_wrong_by_three_over_their_number() -> None:
    rows = np.zeros((300, 1))
    drawn = NetworkDraws(rows, np.zeros(300))
    found = drawn.chances(0, 2)
    np.testing.assert_allclose(found.values, [1.0, 0.0], rtol=1e-12)
    np.testing.assert_allclose(2.0 * found.errors, 3.0 / 300)
    rows[:30] = 1.0
    found = NetworkDraws(rows, np.zeros(300)).chances(0, 2)
    np.testing.assert_allclose(found.errors, np.sqrt(0.1 * 0.9 / 300), rtol=1e-12)


def test_a_rare_event_that_no_draw_met_lies_within_its_error() -> None:
    rows = pd.DataFrame({"a": ["x"] * 9990 + ["y"] * 10, "b": (["u", "v"] * 5000)})
    model = tacit.BayesianNetwork("a->b", prior=0.0, inference="weighted").fit(rows)
    found = model.query("a", {"b": "u"})
    assert abs(found["a"]["y"] - 0.001) <= found.errors["a"]


@pytest.fixture(scope="module")
def left_right() -> tacit.HiddenMarkovModel:
    rows = pd.DataFrame({"s": list("aaabbb") * 8})
    model = tacit.HiddenMarkovModel(2, objective="mle", transitions="left-right", random_state=0)
    return model.fit(rows, lengths=[6] * 8, labels=[0, 0, 0, 1, 1, 1] * 8)


def test_a_sequence_that_cannot_be_has_nan_and_is_named(left_right: tacit.HiddenMarkovModel) -> None:
    rows, lengths = pd.DataFrame({"s": list("aabb") + list("abab")}), [4, 4]
    with pytest.warns(UserWarning, match="sequence 1 is impossible: it has NaN there"):
        smoothed = left_right.predict_proba(rows, lengths=lengths)
    np.testing.assert_array_equal(np.isnan(smoothed).all(1), [False] * 4 + [True] * 4)
    np.testing.assert_allclose(smoothed[:4], [[1, 0], [1, 0], [0, 1], [0, 1]])
    with pytest.warns(UserWarning, match="sequence 1"):
        filtered = left_right.filter(rows, lengths=lengths)
    np.testing.assert_array_equal(np.isnan(filtered).all(1), [False] * 6 + [True] * 2)
    with pytest.warns(UserWarning, match="its states mean nothing"):
        np.testing.assert_array_equal(left_right.predict(rows, lengths=lengths)[:4], [0, 0, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        left_right.predict_proba(rows[:4], lengths=[4])


def test_a_hidden_node_that_nothing_comes_after_is_named(letters: pd.DataFrame) -> None:
    with pytest.warns(UserWarning, match="no arrow leads from hidden node 'Z' to a column"):
        tacit.BayesianNetwork("p->q, q->Z", hidden={"Z": 2}, n_init=1).fit(letters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tacit.BayesianNetwork("Z->W, W->p, W->q", hidden={"Z": 2, "W": 2}, n_init=1, max_iter=2000).fit(letters)


def test_levels_that_a_table_orders_keep_their_order() -> None:
    random = np.random.default_rng(0)
    orders = {"size": ["low", "mid", "high"], "sure": ["yes", "no"]}
    rows = pd.DataFrame(
        {name: pd.Categorical(random.choice(levels, 60), levels, ordered=True) for name, levels in orders.items()}
    )
    model = tacit.BayesianNetwork("size->sure").fit(rows)
    assert {column.name: list(column.levels) for column in model.schema_.columns} == orders
    assert list(model.query("size")["size"]) == orders["size"]
    assert list(model.query(None, {"sure": "yes"})["size"]) == orders["size"]


def test_the_price_holds_the_matrices_of_numbers_that_are_not_seen() -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(40, 6)), columns=list("abcdef"))
    rows["g"] = random.choice(["u", "v"], 40)
    model = tacit.BayesianNetwork("a->b, b->c, c->d, d->e, e->f, g->a").fit(rows)
    assert model.price().bytes - model.price(list("abcdef")).bytes >= 8 * 2 * 6 * 6 * 2
    model.model_ = type(model.model_)(model.model_.nodes, model.model_.graph, None, 1000.0)
    model.inference = "exact"
    with pytest.raises(ValueError, match="The matrices of the numbers that are not seen take"):
        model.query("g")


def test_criteria_of_classes_are_of_the_rows_that_have_all_covariates() -> None:
    random = np.random.default_rng(0)
    high = random.random(200) < 0.5
    rows = pd.DataFrame(
        {f"q{at}": np.where(random.random(200) < np.where(high, 0.8, 0.2), "y", "n") for at in range(4)}
    )
    rows["age"] = high + random.normal(size=200)
    rows.loc[:30, "age"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = tacit.LatentClass(2, covariates=["age"], random_state=0).fit(rows)
    found = model.fit_statistics(rows)
    assert model.bic(rows) == pytest.approx(found.bic, rel=1e-10)
    assert model.aic(rows) == pytest.approx(found.aic, rel=1e-10)
    weights = np.full(200, 2.0)
    assert model.bic(rows, weights) == pytest.approx(model.fit_statistics(rows, weights).bic, rel=1e-10)


def test_rows_with_gaps_are_possible_though_no_complete_row_is_like_them() -> None:
    """Without a prior: b is never t where both are seen, but the row of t says so."""
    rows = pd.DataFrame({"a": ["p", "q"] * 20 + [None], "b": ["s", "s"] * 20 + ["t"], "c": ["u", "v"] * 20 + ["v"]})
    model = tacit.BayesianNetwork("a->b, a->c", prior=0.0).fit(rows)
    assert np.isfinite(model.lower_bound_)
    assert model.query("a", {"b": "t"})["a"]["q"] > 0.99
    assert np.all(np.diff(model.trace_.bound) > -1e-9)
