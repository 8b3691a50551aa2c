"""``BayesianNetwork``: what once went wrong in silence, or with a message that helped nobody."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import tacit
from tacit.models.network.case import Impossible
from tacit.models.network.layout import NotExact
from tacit.models.network.row_inference import CHUNK_BYTES, moments_a_row

FAMILIES = {"count": "poisson", "x": "normal", "price": "log-normal"}
EDGES = "group->count, count->x, group->price, x->kind"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    group = random.integers(0, 2, 300)
    count = random.poisson(3 + 3 * group)
    x = 2 + 1.5 * count + random.normal(size=300)
    return pd.DataFrame(
        {
            "group": np.where(group, "high", "low"),
            "count": count,
            "x": x,
            "price": np.exp(1 + 0.5 * group + 0.3 * random.normal(size=300)),
            "kind": np.where(random.random(300) < 1 / (1 + np.exp(8 - x)), "u", "v"),
        }
    )


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> tacit.BayesianNetwork:
    return tacit.BayesianNetwork(EDGES, families=FAMILIES).fit(table)


@pytest.fixture(scope="module")
def letters() -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame({name: random.choice(list("pqr"), 200) for name in "abc"})


@pytest.fixture(scope="module")
def sure() -> tacit.BayesianNetwork:
    rows = pd.DataFrame({"a": ["p", "q"] * 20, "b": ["s", "t"] * 20, "c": ["u", "w"] * 20})
    return tacit.BayesianNetwork("a->b, b->c", prior=0).fit(rows)


def test_a_count_that_is_missing_above_a_number_is_refused(model: tacit.BayesianNetwork, table: pd.DataFrame) -> None:
    gaps = table.head(3).astype({"count": float})
    gaps.loc[0:1, "count"] = np.nan
    with pytest.raises(NotExact, match="'x' depends on the number 'count', which is missing in row 0"):
        model.score_samples(gaps)


def test_the_mean_of_a_log_normal_column_is_in_its_own_units(table: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork("group->price", families={"price": "log-normal"}, prior=0)
    model.fit(table[["group", "price"]])
    mean, deviation = model.query("price", {"group": "high"})["price"]
    logs = np.log(table.price[table.group == "high"])
    assert mean == pytest.approx(np.exp(logs.mean() + 0.5 * logs.var(ddof=0)), rel=1e-6)
    assert deviation == pytest.approx(mean * np.sqrt(np.expm1(logs.var(ddof=0))), rel=1e-6)
    assert model.query("mean(price | group = high)").value == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("more", [{}, {"x": "exogenous"}])
def test_without_a_prior_the_bound_is_the_log_likelihood(table: pd.DataFrame, more: dict[str, str]) -> None:
    edges = EDGES if not more else "group->count, group->price, x->kind"
    model = tacit.BayesianNetwork(edges, families=FAMILIES | more, prior=0).fit(table)
    assert model.lower_bound_ == pytest.approx(model.score_samples(table).sum(), rel=1e-9)


def test_log_evidence_is_the_score_of_the_same_row(model: tacit.BayesianNetwork) -> None:
    row = pd.DataFrame({"group": [None], "count": [1.0], "x": [1.0], "price": [2.0], "kind": [None]})
    asked = model.query("group", {"count": 1, "x": 1.0, "price": 2.0}).log_evidence
    assert asked == pytest.approx(model.score_samples(row)[0], rel=1e-9)


def test_what_was_set_has_no_density(model: tacit.BayesianNetwork, table: pd.DataFrame) -> None:
    changed = model.do({"price": 2.0})
    alone = model.score_samples(table.head(4).assign(price=np.nan))
    assert changed.score_samples(table.head(4)) == pytest.approx(alone, rel=1e-9)
    assert ("group", "price") in model.edges_
    assert ("group", "price") not in changed.edges_
    assert set(model.do({"group": "high"}).query(None, {"count": 2, "x": 3.0}).levels) == {"kind"}
    with pytest.raises(ValueError, match=r"'group' is set by do\(\), and the evidence says something else"):
        model.do({"group": "high"}).query("P(kind = u | group = low)")


def test_an_intervention_is_written_to_a_file(letters: pd.DataFrame, tmp_path: object) -> None:
    model = tacit.BayesianNetwork("a->b, b->c").fit(letters)
    tacit.write_network(model.do({"b": "q"}), f"{tmp_path}/set.bif")
    again = tacit.read_network(f"{tmp_path}/set.bif")
    assert again.query("c")["c"] == pytest.approx(model.do({"b": "q"}).query("c")["c"])
    assert again.strengths_ == ()


def test_a_column_that_is_only_conditioned_on_is_neither_drawn_nor_depends(table: pd.DataFrame) -> None:
    families = FAMILIES | {"x": "exogenous"}
    model = tacit.BayesianNetwork("group->count, x->kind", families=families).fit(table)
    for ask in (lambda: model.sample(3), lambda: model.query("P(kind = u)")):
        with pytest.raises(NotExact, match="'x' is only conditioned on"):
            ask()
    assert np.isfinite(model.sample(3, {"x": 8.0})).all()
    with pytest.raises(ValueError, match="'x' is exogenous"):
        tacit.BayesianNetwork("group->x", families=families).fit(table)


def test_a_hidden_class_with_a_covariate(table: pd.DataFrame) -> None:
    families = {"x": "exogenous", "count": "poisson", "price": "normal"}
    edges = [("x", "class"), ("class", "kind"), ("class", "group")]
    model = tacit.BayesianNetwork(edges, hidden={"class": 2}, families=families, n_init=2, max_iter=30)
    with pytest.warns(UserWarning, match="converge"):
        model.fit(table)
    shares = model.predict_proba(table, "class").mean(0)
    assert shares[0] >= shares[1]
    assert np.diff(model.trace_.bound).min() > -1e-8


def test_values_that_no_class_has_together_leave_a_class(table: pd.DataFrame) -> None:
    random = np.random.default_rng(2)
    far = random.integers(0, 2, 100)
    rows = pd.DataFrame({name: 1000.0 * far + random.normal(size=100) for name in "ab"})
    rows["z"] = np.where(far, "far", "near")
    model = tacit.BayesianNetwork("z->a, z->b", families={"a": "normal", "b": "normal"}).fit(rows)
    between = pd.DataFrame({"z": [None, None], "a": [0.0, 0.0], "b": [1000.0, 0.0]})
    assert model.predict_proba(between, "z").sum(1) == pytest.approx([1.0, 1.0])
    assert np.isfinite(model.score_samples(between)).all()


def test_gaps_in_numbers_far_from_zero() -> None:
    random = np.random.default_rng(3)
    time = 1.6e9 + 10 * random.normal(size=200)
    rows = pd.DataFrame({"t": time, "u": 2 * time + random.normal(size=200)})
    model = tacit.BayesianNetwork("t->u", families={"t": "normal", "u": "normal"}).fit(rows)
    first, second = model.model_.nodes
    mean = second.coefficients @ [1.0, first.coefficients[0]]
    variance = second.variances + second.coefficients[1] ** 2 * first.variances
    found = model.score_samples(rows.head(5).assign(t=np.nan))
    assert found == pytest.approx(scipy.stats.norm.logpdf(rows.u[:5], mean, np.sqrt(variance)), abs=1e-4)


def test_moments_of_wide_blocks_are_bounded() -> None:
    random = np.random.default_rng(4)
    rows = pd.DataFrame(random.normal(size=(200, 20)), columns=[f"c{at}" for at in range(20)])
    rows = rows.mask(random.random(rows.shape) < 0.1)
    model = tacit.BayesianNetwork(",".join(f"c{at}->c{at + 1}" for at in range(19))).fit(rows)
    inside = model.model_
    layout = inside.layout_for(rows.to_numpy())
    assert moments_a_row(inside.nodes, layout) >= 20**2
    many = np.tile(rows.to_numpy(), (40, 1))
    parts = [len(chunk.rows) for _, chunk, _ in inside.tables_of(many, layout, {})]
    assert sum(parts) == len(many)
    assert max(parts) * 20**2 * 8 <= CHUNK_BYTES


def test_impossible_rows_are_nan_and_said(sure: tacit.BayesianNetwork) -> None:
    rows = pd.DataFrame({"a": ["p", "p"], "b": [None, None], "c": ["w", "u"]})
    with pytest.warns(UserWarning, match="1 row cannot be"):
        found = sure.predict(rows, "b")
    assert found[0] != found[0]
    assert found[1] == "s"
    with pytest.warns(UserWarning, match="1 row cannot be"):
        assert np.isnan(sure.impute(rows)[0, 1])
    with pytest.raises(Impossible, match="'a', 'c' contradict"):
        sure.sample(2, {"a": "p", "c": "w"})


def test_evidence_that_contradicts_is_named_beside_a_column_that_must_be_given() -> None:
    random = np.random.default_rng(5)
    rows = pd.DataFrame({"a": ["p", "q"] * 20, "b": ["s", "t"] * 20, "e": random.normal(size=40)})
    rows["z"] = random.choice(["k", "l"], 40)
    model = tacit.BayesianNetwork("a->b, e->z", prior=0, families={"e": "exogenous"}).fit(rows)
    with pytest.raises(Impossible, match="'a', 'b'"):
        model.query("z", {"a": "p", "b": "t", "e": 1.0})


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        ("c = u", "evidence is a mapping"),
        ({"c": {"u": "a"}}, "the likelihood of 'u' is 'a'"),
        ({"c": {"u": None}}, "the likelihood of 'u' is None"),
        ({"c": {}}, "the likelihood of every level is 0"),
        ({"c": {"u": 0}}, "the likelihood of every level is 0"),
    ],
)
def test_evidence_that_is_none(sure: tacit.BayesianNetwork, evidence: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sure.query("a", evidence)  # type: ignore[arg-type]


def test_evidence_in_a_table_is_of_many_cases(sure: tacit.BayesianNetwork) -> None:
    assert len(sure.query("a", pd.DataFrame({"c": ["u", "w"]}))) == 2
    assert len(sure.query("a", {"c": ["u"]})) == 1


def test_counts_are_whole(model: tacit.BayesianNetwork) -> None:
    with pytest.raises(ValueError, match=r"'count' holds counts, and 0\.5 is none"):
        model.query("group", {"count": 0.5, "x": 1.0})


def test_what_says_nothing_is_no_evidence(sure: tacit.BayesianNetwork) -> None:
    for nothing in (None, np.nan, np.float32("nan"), pd.NA):
        assert set(sure.query(None, {"a": "p", "b": nothing}).levels) == {"b", "c"}
    assert set(sure.query(None, {0: "p"}).levels) == {"b", "c"}
    assert set(sure.query(None, pd.Series({"a": "p"})).levels) == {"b", "c"}
    assert set(sure.query(0).levels) == {"a"}
    assert sure.query(["a", "a"], joint=True).columns == ("a",)


def test_names_that_are_numbers_are_names(letters: pd.DataFrame) -> None:
    rows = letters.rename(columns={"a": 2, "b": 1, "c": 0})
    model = tacit.BayesianNetwork([(2, 1)]).fit(rows)
    assert set(model.query(None, {2: "p"}).levels) == {"1", "0"}
    assert model.predict_proba(rows, 1) == pytest.approx(model.predict_proba(rows, "1"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": ["z"]}, "hidden must name nodes"),
        ({"hidden": {"z": 2.5}}, "whole number of states, got 2.5"),
        ({"hidden": {"z": None}}, "whole number of states, got None"),
        ({"tiers": 5}, "tiers must be lists of names"),
        ({"tiers": "abc"}, "tiers must be lists of names"),
        ({"tiers": [["a"], ["b", "c", "d"]]}, "neither a column nor a hidden node 'd'"),
        ({"edges": 5}, "no list of arrows"),
        ({"edges": "a->b", "required": "b->c"}, "required: the graph of edges='a->b' lacks b -> c"),
        ({"edges": "a->b", "forbidden": "a->b"}, "forbidden: the graph of edges='a->b' has a -> b"),
        ({"edges": "a->b", "tiers": [["b"], ["a", "c"]]}, "tiers: the graph of edges='a->b' has a -> b"),
    ],
)
def test_settings_that_cannot_be(letters: pd.DataFrame, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tacit.BayesianNetwork(**settings).fit(letters)  # type: ignore[arg-type]


def test_a_criterion_of_learning_is_no_matter_of_given_arrows(letters: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork("a->b", criterion="bge").fit(letters)
    assert [each.target for each in model.strengths_] == ["b"]


def test_configurations_that_no_row_has_are_counted_for_numbers_too() -> None:
    rows = pd.DataFrame({"a": ["p", "p", "q"] * 10, "b": ["s", "t", "s"] * 10, "x": np.arange(30.0) ** 1.5 - 40})
    model = tacit.BayesianNetwork("a->x, b->x", families={"x": "normal"}).fit(rows)
    assert model.never_seen_ == {"x": 1}
    assert np.isfinite(model.query("x", {"a": "q", "b": "t"})["x"]).all()


def test_no_rows_have_no_scores(sure: tacit.BayesianNetwork) -> None:
    nothing = pd.DataFrame({"a": ["p"], "b": ["s"], "c": ["u"]}).head(0)
    assert sure.score_samples(nothing).shape == (0,)
    assert sure.price("a").bytes == sure.price(["a"]).bytes


@pytest.mark.parametrize("column", ["x", "count"])
def test_arrows_that_gaps_leave_without_an_answer_are_not_learned(table: pd.DataFrame, column: str) -> None:
    gaps = table[column].astype(float).mask(np.random.default_rng(6).random(300) < 0.2)
    model = tacit.BayesianNetwork(families=FAMILIES).fit(table.assign(**{column: gaps}))
    targets = {target for source, target in model.edges_ if source == column}
    assert targets <= ({"price"} if column == "x" else set())
    assert any(column in edge for edge in model.edges_)
    assert np.isfinite(model.score_samples(table.assign(**{column: np.nan}))).all()


def test_an_intervention_on_a_hidden_node(letters: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork("naive", hidden={"z": 2}, n_init=1).fit(letters)
    changed = model.do({"z": 1})
    given = model.query(None, {"z": 1})
    assert changed.query("a")["a"] == pytest.approx(given["a"])
    assert np.isfinite(changed.score_samples(letters)).all()
    assert len(changed.sample(3)) == 3
    with pytest.raises(ValueError, match=r"'z' was set by do\(\), and is not predicted"):
        changed.predict(letters)


def test_written_questions_of_numbers_that_a_column_cannot_be(model: tacit.BayesianNetwork) -> None:
    with pytest.raises(ValueError, match="'price' holds numbers above 0, and -1 is none"):
        model.query("P(group = high | price = -1)")


def test_a_number_that_never_changes(letters: pd.DataFrame) -> None:
    rows = letters.assign(x=5.0)
    with pytest.raises(ValueError, match="column 'x' never changes"):
        tacit.BayesianNetwork(families={"x": "normal"}).fit(rows)
    model = tacit.BayesianNetwork("a->x", families={"x": "normal"}).fit(rows)
    assert model.query("x", {"a": "p"})["x"][0] == pytest.approx(5.0)
    assert np.isfinite(model.score_samples(rows)).all()
