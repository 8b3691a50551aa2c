"""``BayesianNetwork``: what is read, learned, asked and refused."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

import tacit
from tacit.data.errors import DataError
from tacit.models.network.layout import NotExact

ASIA = "asia->tub, smoke->lung, smoke->bronc, tub->either, lung->either, either->xray, either->dysp, bronc->dysp"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tacit.BayesianNetwork:
    path = tmp_path_factory.mktemp("networks") / "asia.bif"
    path.write_text(
        "network asia { }\n"
        + "".join(f"variable {name} {{ type discrete [ 2 ] {{ yes, no }}; }}\n" for name in NAMES)
        + "probability ( asia ) { table 0.01, 0.99; }\n"
        "probability ( tub | asia ) { (yes) 0.05, 0.95; (no) 0.01, 0.99; }\n"
        "probability ( smoke ) { table 0.5, 0.5; }\n"
        "probability ( lung | smoke ) { (yes) 0.1, 0.9; (no) 0.01, 0.99; }\n"
        "probability ( bronc | smoke ) { (yes) 0.6, 0.4; (no) 0.3, 0.7; }\n"
        "probability ( either | lung, tub ) { (yes, yes) 1, 0; (yes, no) 1, 0; (no, yes) 1, 0; (no, no) 0, 1; }\n"
        "probability ( xray | either ) { (yes) 0.98, 0.02; (no) 0.05, 0.95; }\n"
        "probability ( dysp | bronc, either ) { (yes, yes) 0.9, 0.1; (yes, no) 0.8, 0.2; (no, yes) 0.7, 0.3;"
        " (no, no) 0.1, 0.9; }\n"
    )
    return tacit.read_network(path)


NAMES = ("asia", "tub", "smoke", "lung", "either", "bronc", "xray", "dysp")


@pytest.fixture(scope="module")
def people(network: tacit.BayesianNetwork) -> pd.DataFrame:
    drawn = network.sample(4000)
    return network.decode(drawn).to_pandas()


def test_published_posteriors(network: tacit.BayesianNetwork) -> None:
    found = network.query(None, {"asia": "yes", "dysp": "yes"})
    assert np.exp(found.log_evidence) == pytest.approx(0.0045013750, abs=1e-12)
    assert found["tub"]["yes"] == pytest.approx(0.08775096, abs=5e-9)
    assert found["smoke"]["yes"] == pytest.approx(0.62591986, abs=5e-9)
    assert found.before["tub"]["yes"] == pytest.approx(0.0104)
    assert found.how == "exact"
    asked = network.query("P(tub = yes | asia = yes, dysp = yes)")
    assert asked.value == pytest.approx(found["tub"]["yes"], abs=1e-12)


def test_joint_soft_and_most_probable_answers_are_those_of_all_rows_together(network: tacit.BayesianNetwork) -> None:
    rows = np.array(list(itertools.product(range(2), repeat=8)), float)
    chances = np.exp(network.score_samples(network.decode(rows)))
    assert chances.sum() == pytest.approx(1.0)
    weights = chances * (rows[:, 7] == 0) * np.where(rows[:, 6] == 0, 0.7, 0.2)
    joint = network.query(["bronc", "lung"], {"dysp": "yes", "xray": {"yes": 0.7, "no": 0.2}}, joint=True)
    for b, lung in itertools.product(range(2), repeat=2):
        expected = weights[(rows[:, 5] == b) & (rows[:, 3] == lung)].sum() / weights.sum()
        assert joint.probabilities[b, lung] == pytest.approx(expected, abs=1e-12)
    given = chances * (rows[:, 7] == 0)
    best = network.most_probable({"dysp": "yes"})
    levels = dict(zip(NAMES, network.decode(rows[[given.argmax()]]).to_pylist()[0].values(), strict=True))
    assert best.values == {name: level for name, level in levels.items() if name != "dysp"}
    assert best.log_prob == pytest.approx(np.log(given.max()))
    assert best.share == pytest.approx(given.max() / given.sum())


def test_an_intervention_is_no_observation(network: tacit.BayesianNetwork) -> None:
    seen, done = network.query("smoke", {"bronc": "yes"}), network.do({"bronc": "yes"}).query("smoke")
    assert seen["smoke"]["yes"] == pytest.approx(0.3 / 0.45)
    assert done["smoke"]["yes"] == pytest.approx(0.5)
    below = network.do({"bronc": "yes"}).query("dysp")["dysp"]["yes"]
    assert below == pytest.approx(network.query("dysp", {"bronc": "yes"})["dysp"]["yes"], abs=0.02)
    with pytest.raises(ValueError, match="set by do"):
        network.do({"bronc": "yes"}).query("dysp", {"bronc": "no"})


def test_draws_given_evidence_come_from_the_joint_posterior(network: tacit.BayesianNetwork) -> None:
    drawn = network.decode(network.sample(20_000, {"dysp": "yes", "xray": "yes"})).to_pandas()
    assert (drawn.dysp == "yes").all()
    assert (drawn.xray == "yes").all()
    expected = network.query(["lung", "bronc"], {"dysp": "yes", "xray": "yes"}, joint=True).probabilities
    counts = pd.crosstab(drawn.lung, drawn.bronc, normalize="all").loc[["yes", "no"], ["yes", "no"]].to_numpy()
    np.testing.assert_allclose(counts, expected, atol=0.015)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"xray": "maybe"}, "xray.*maybe.*yes"),
        ({"xrai": "yes"}, "xrai.*xray"),
        ({"tub": "yes", "either": "no"}, "impossible.*tub.*either"),
        ({"tub": {"yes": -1.0}}, "likelihood"),
    ],
)
def test_evidence_that_is_wrong_is_named(network: tacit.BayesianNetwork, evidence: dict, words: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){words}"):
        network.query(None, evidence)


def test_impossible_rows_of_a_batch_are_nan_and_said(network: tacit.BayesianNetwork) -> None:
    rows = network.decode(np.array([[0.0] * 8, [np.nan] * 8])).to_pandas()
    rows.loc[0, ["tub", "either"]] = ["yes", "no"]
    with pytest.warns(UserWarning, match="1 row cannot be"):
        found = network.predict_proba(rows, "lung")
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], [0.055, 0.945])
    assert np.isneginf(network.score_samples(rows)[0])


def test_files_go_round(network: tacit.BayesianNetwork, tmp_path) -> None:
    for ending in ("bif", "net", "xml", "bif.gz"):
        tacit.write_network(network, tmp_path / f"again.{ending}")
        again = tacit.read_network(tmp_path / f"again.{ending}")
        row = {"asia": "yes", "dysp": "yes"}
        assert again.query("tub", row)["tub"] == network.query("tub", row)["tub"]
    tacit.save(network, tmp_path / "network.tacit")
    assert tacit.load(tmp_path / "network.tacit").query("tub", row)["tub"] == network.query("tub", row)["tub"]


def test_complete_rows_give_counts(people: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork(ASIA, prior=0.0).fit(people)
    place = model.columns_.node("lung")
    expected = pd.crosstab(people.smoke, people.lung, normalize="index")
    levels = [model.columns_.levels_of(model.columns_.node(name)) for name in ("smoke", "lung")]
    np.testing.assert_allclose(model.model_.nodes[place].table, expected.loc[list(levels[0]), list(levels[1])])
    assert model.converged_
    assert model.n_iter_ == 1
    assert model.score(people) * len(people) == pytest.approx(model.lower_bound_)
    loose = tacit.BayesianNetwork(ASIA, prior=12.0).fit(people)
    counts = pd.crosstab(people.smoke, people.lung).loc[list(levels[0]), list(levels[1])].to_numpy() + 12.0 / 4
    np.testing.assert_allclose(loose.model_.nodes[place].table, counts / counts.sum(1, keepdims=True))


def test_gaps_are_summed_out(people: pd.DataFrame) -> None:
    random = np.random.default_rng(0)
    gaps = people.mask(random.random(people.shape) < 0.2)
    model = tacit.BayesianNetwork(ASIA).fit(gaps)
    assert (np.diff(model.trace_.bound) > -1e-9).all()
    whole = tacit.BayesianNetwork(ASIA).fit(people)
    for name in ("lung", "dysp"):
        own, other = (each.model_.nodes[each.columns_.node(name)].table for each in (model, whole))
        np.testing.assert_allclose(own, other, atol=0.12)
    filled = model.decode(model.impute(gaps)).to_pandas()
    kept = gaps.notna()
    assert (filled[kept] == gaps[kept]).where(kept, True).all(axis=None)
    hidden = people.dysp.where(gaps.dysp.isna())
    assert (filled.dysp == hidden)[hidden.notna()].mean() > 0.75
    assert model.impute(gaps, n_draws=2, random_state=0).shape == (2, *gaps.shape)


def test_a_hidden_node_is_a_latent_class_model() -> None:
    random = np.random.default_rng(0)
    group = (random.random(800) < 0.3).astype(int)
    chances = np.array([[0.9, 0.8, 0.1, 0.7], [0.2, 0.1, 0.8, 0.3]])
    table = pd.DataFrame(random.random((800, 4)) < chances[group], columns=list("abcd"))
    model = tacit.BayesianNetwork("naive", hidden={"Z": 2}, prior=0.0, tol=1e-10, max_iter=3000).fit(table)
    same = tacit.Mixture(2, families="bernoulli", objective="mle", tol=1e-10, max_iter=3000, random_state=0).fit(table)
    assert model.lower_bound_ == pytest.approx(same.lower_bound_ * 800, abs=1e-3)
    found = model.query("Z")["Z"]
    assert found[0] > found[1]  # the larger class first
    assert (model.predict(table) == group).mean() > 0.9
    assert model.query("P(Z = 0 | a = true, b = true)").value == pytest.approx(
        model.predict_proba(pd.DataFrame({"a": [True], "b": [True], "c": [None], "d": [None]}), "Z")[0, 0]
    )


def test_structures_are_learned_with_gaps_too(people: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork().fit(people)
    joined = {frozenset(edge) for edge in model.edges_}
    for edge in ASIA.split(", ")[1:]:  # a journey to Asia is too rare to be found
        assert frozenset(edge.split("->")) in joined
    gaps = people.mask(np.random.default_rng(0).random(people.shape) < 0.1)
    again = tacit.BayesianNetwork().fit(gaps)
    assert len(joined ^ {frozenset(edge) for edge in again.edges_}) <= 2
    first = model.strengths_[0]
    assert first.gain == max(each.gain for each in model.strengths_)
    assert {frozenset(("smoke", "lung")), frozenset(("smoke", "bronc"))} <= {
        frozenset((each.source, each.target)) for each in model.strengths_ if each.reversible
    }
    tree = tacit.BayesianNetwork("tree", root="smoke").fit(people)
    assert all(len(above) <= 1 for above in tree.model_.graph.parents)


def test_wishes_about_arrows_are_kept(people: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork(
        required="asia->dysp", forbidden="smoke->bronc, bronc->smoke", tiers=[["smoke", "asia"], NAMES[1:2] + NAMES[3:]]
    ).fit(people)
    assert ("asia", "dysp") in model.edges_
    assert not {("smoke", "bronc"), ("bronc", "smoke")} & set(model.edges_)
    assert not any(target in ("smoke", "asia") and source not in ("smoke", "asia") for source, target in model.edges_)


def test_numbers_counts_and_levels_together() -> None:
    random = np.random.default_rng(1)
    n = 1500
    kind = np.array(["a", "b", "c"])[random.integers(0, 3, n)]
    dose = random.normal(size=n)
    cured = random.random(n) < 1 / (1 + np.exp(-2 * dose))
    weight = np.where(kind == "a", 1.0, 4.0) + 2.0 * dose + 0.5 * random.normal(size=n)
    visits = random.poisson(np.exp(0.2 + 0.7 * dose))
    price = np.exp(0.3 * weight + 0.1 * random.normal(size=n))
    table = pd.DataFrame(
        {"kind": kind, "dose": dose, "cured": cured, "weight": weight, "visits": visits, "price": price}
    )
    model = tacit.BayesianNetwork(
        "kind->weight, dose->weight, dose->cured, dose->visits, weight->price",
        families={"price": "log-normal", "visits": "poisson"},
    ).fit(table)
    nodes = {name: model.model_.nodes[model.columns_.node(name)] for name in table.columns}
    np.testing.assert_allclose(nodes["weight"].coefficients[0], [1.0, 2.0], atol=0.1)
    np.testing.assert_allclose(nodes["cured"].coefficients[0], [0.0, 2.0], atol=0.35)
    np.testing.assert_allclose(nodes["visits"].coefficients, [0.2, 0.7], atol=0.08)
    np.testing.assert_allclose(nodes["price"].coefficients, [0.0, 0.3], atol=0.02)
    scores = model.score_samples(table.iloc[:5])
    assert np.isfinite(scores).all()
    cheap = table.assign(price=table.price * 100)
    other = tacit.BayesianNetwork(
        "kind->weight, dose->weight, dose->cured, dose->visits, weight->price",
        families={"price": "log-normal", "visits": "poisson"},
    ).fit(cheap)
    np.testing.assert_allclose(other.score_samples(cheap), model.score_samples(table) - np.log(100), atol=1e-4)
    gaps = table.mask(random.random(table.shape) < 0.1).assign(dose=table.dose)
    filled = model.impute(gaps)
    seen = gaps.weight.isna()
    assert np.abs(filled[seen, 3] - table.weight[seen]).mean() < 0.5
    drawn = model.decode(model.sample(2000)).to_pandas()
    assert drawn.price.min() > 0
    assert abs(drawn.weight.mean() - table.weight.mean()) < 0.3
    with pytest.raises(NotExact, match=r"(?s)cured.*dose"):
        model.score_samples(table.assign(dose=np.nan))
    with pytest.warns(UserWarning, match="approximate"):
        answer = model.query("dose", {"cured": True})
    assert answer.how == "weighted"
    assert 0.3 < answer["dose"][0] < 1.2
    above = model.query("P(weight > 6 | kind = b, dose = 1)")
    assert above.how == "exact"
    assert above.value == pytest.approx(0.5, abs=0.2)


def test_rows_and_weights_are_copies(people: pd.DataFrame) -> None:
    some = people.iloc[:300].mask(np.random.default_rng(2).random((300, 8)) < 0.2)
    weights = np.random.default_rng(3).integers(0, 3, 300)
    heavy = tacit.BayesianNetwork(ASIA, tol=1e-9).fit(some, sample_weight=weights)
    copied = tacit.BayesianNetwork(ASIA, tol=1e-9).fit(some.loc[some.index.repeat(weights)])
    np.testing.assert_allclose(heavy.score_samples(some), copied.score_samples(some), atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"edges": "a->b, b->c, c->a"}, "circle"),
        ({"edges": "a->q"}, "q.*hidden"),
        ({"edges": "a"}, "no arrow"),
        ({"edges": "a->a"}, "itself"),
        ({"hidden": {"a": 2}}, "name of a column"),
        ({"hidden": {"Z": 1}}, "2 states"),
        ({"families": {"a": "gaussian"}}, "unknown"),
        ({"inference": "magic"}, "inference"),
        ({"criterion": "bdeu2"}, "criterion"),
        ({"prior": -1.0}, "prior"),
        ({"tiers": [["a"], ["b"]]}, "tiers.*c"),
        ({"edges": "naive", "root": "q"}, "'q'"),
    ],
)
def test_settings_that_are_wrong_are_named(settings: dict, words: str) -> None:
    table = pd.DataFrame({"a": ["x", "y"] * 10, "b": ["u", "v", "v", "u"] * 5, "c": ["s"] * 5 + ["t"] * 15})
    with pytest.raises((ValueError, DataError), match=f"(?s){words}"):
        tacit.BayesianNetwork(**settings).fit(table)


def test_a_column_of_names_is_no_node() -> None:
    table = pd.DataFrame({"a": ["x", "y"] * 1000, "b": [f"customer {number % 700}" for number in range(2000)]})
    with pytest.raises(ValueError, match="b"):
        tacit.BayesianNetwork().fit(table)


def test_the_price_is_known_and_a_fit_that_is_too_dear_is_refused(people: pd.DataFrame) -> None:
    model = tacit.BayesianNetwork(ASIA).fit(people)
    assert model.price(["dysp"]).bytes < model.price().bytes < 10_000
    with pytest.raises(ValueError, match=r"(?s)max_bytes.*loopy"):
        tacit.BayesianNetwork(ASIA, max_bytes=100).fit(people.mask(np.random.default_rng(0).random(people.shape) < 0.2))


def test_a_fit_that_is_cut_short_says_so(people: pd.DataFrame) -> None:
    gaps = people.iloc[:200].mask(np.random.default_rng(0).random((200, 8)) < 0.4)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        tacit.BayesianNetwork(ASIA, max_iter=2, tol=1e-12).fit(gaps)


def test_configurations_that_no_row_has_are_counted_and_follow_the_prior() -> None:
    table = pd.DataFrame({"a": ["x", "y"] * 20, "b": ["u", "v"] * 20, "c": ["s", "t", "t", "t"] * 10})
    model = tacit.BayesianNetwork("a->c, b->c").fit(table)
    assert model.never_seen_ == {"c": 2}
    found = model.query("c", {"a": "x", "b": "v"})["c"]
    assert list(found.values()) == pytest.approx([0.5, 0.5])


def test_a_default_fit_of_counts_with_gaps_learns_no_arrow_without_an_exact_integral() -> None:
    random = np.random.default_rng(0)
    base = random.poisson(4.0, 300)
    table = pd.DataFrame({"a": base + random.poisson(1.0, 300), "b": base + random.poisson(1.0, 300), "c": base * 1.5})
    gaps = table.mask(random.random(table.shape) < 0.1)
    model = tacit.BayesianNetwork().fit(gaps)
    assert np.isfinite(model.score_samples(gaps)).all()
    assert tacit.BayesianNetwork().fit(table).edges_
