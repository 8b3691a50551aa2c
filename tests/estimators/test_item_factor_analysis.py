"""Item factor analysis: figures in print, factor analysis met, gaps, kinds of columns, and what bad input is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

import tacit
from tacit import FactorAnalysis, GradedResponse, ItemFactorAnalysis, TwoParameterLogistic
from tacit.models.factors.rotation import matched


@pytest.fixture(scope="module")
def lsat(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "tables" / "lsat6.csv")


@pytest.fixture(scope="module")
def bfi(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "tables" / "bfi.csv")


def answers(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Six items of two factors: three from 1 to 5, two of yes and no, a count, a text, a measurement."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, 2))
    made = {f"q{n}": 1 + np.digitize(1.5 * z[:, 0] + random.normal(size=rows), [-2, -0.5, 0.5, 2]) for n in range(3)}
    made |= {f"b{n}": (1.5 * z[:, 1] + random.normal(size=rows) > 0).astype(int) for n in range(2)}
    made["visits"] = random.poisson(np.exp(1.5 + 0.6 * z[:, 1]))
    height = np.stack([0 * z[:, 0], z[:, 0], -z[:, 0]]) + random.gumbel(size=(3, rows))
    made["colour"] = np.array(["blue", "green", "red"])[height.argmax(0)]
    made["length"] = 100.0 + 10.0 * (z[:, 0] + random.normal(size=rows))
    return pd.DataFrame(made)


def test_lsat6_is_as_in_print(lsat: pd.DataFrame) -> None:
    """R's ``ltm(LSAT ~ z1)``: log-likelihood −2466.653 (Bock & Aitkin 1981; Rizopoulos 2006)."""
    found = TwoParameterLogistic().fit(lsat)
    assert found.log_likelihood_ == pytest.approx(-2466.653, abs=5e-4)
    np.testing.assert_allclose(found.discriminations_[:, 0], [0.825, 0.723, 0.890, 0.688, 0.657], atol=2e-3)
    np.testing.assert_allclose(found.difficulties_[:, 0], [-3.360, -1.370, -0.280, -1.866, -3.124], atol=5e-3)
    assert found.converged_
    assert found.n_parameters_ == 10
    errors = found.standard_errors(lsat)  # ltm's, by the Hessian: 0.258 0.187 0.233 0.185 0.210
    np.testing.assert_allclose(errors["discriminations"][:, 0], [0.258, 0.187, 0.233, 0.185, 0.210], rtol=0.05)
    np.testing.assert_allclose(errors["difficulties"][:, 0], [0.867, 0.307, 0.100, 0.434, 0.870], rtol=0.05)
    assert found.score(lsat) * len(lsat) == pytest.approx(found.log_likelihood_, rel=1e-12)


@pytest.mark.parametrize("scale", ["A", "N", "O"])
def test_a_scale_of_bfi_has_the_loadings_of_its_polychoric_correlations(bfi: pd.DataFrame, scale: str) -> None:
    """As R's ``psych::irt.fa`` has them; by full information they differ in the third digit."""
    items = bfi[[f"{scale}{number}" for number in range(1, 6)]].dropna()
    found = ItemFactorAnalysis().fit(items)
    assert set(found.families_) == {"ordinal"}
    polychoric = np.asarray(tacit.polychoric_correlations(items).correlations)
    theirs = FactorAnalysis(1).fit_covariance(polychoric, len(items))
    np.testing.assert_allclose(found.loadings_, theirs.loadings_, atol=0.015)
    if scale != "N":
        return
    two = ItemFactorAnalysis(2, n_nodes=25, tol=1e-3).fit(items)
    implied = two.loadings_ @ two.loadings_.T
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(implied[off], polychoric[off], atol=0.015)
    graded = GradedResponse().fit(items)
    assert graded.difficulties_.shape == (5, 5)
    assert (np.diff(graded.difficulties_, axis=1) > 0).all()
    np.testing.assert_allclose(graded.loadings_, found.loadings_, atol=0.04)


def test_of_measurements_it_is_factor_analysis() -> None:
    random = np.random.default_rng(0)
    loadings = np.array([[0.8, 0.0], [0.7, 0.0], [0.6, 0.2], [0.0, 0.7], [0.0, 0.8], [0.2, 0.6]])
    rows = random.normal(size=(500, 2)) @ loadings.T + random.normal(size=(500, 6)) * 0.7
    rows[random.random(rows.shape) < 0.1] = np.nan
    ours, theirs = ItemFactorAnalysis(2, rotation="oblimin").fit(rows), FactorAnalysis(2, rotation="oblimin").fit(rows)
    assert ours.log_likelihood_ == pytest.approx(theirs.score_samples(rows).sum(), abs=0.02)
    order, signs = matched(ours.loadings_, theirs.loadings_)
    np.testing.assert_allclose(ours.loadings_[:, order] * signs, theirs.loadings_, atol=5e-3)
    assert ours.n_parameters_ == theirs.n_parameters_
    one, other = ours.transform(rows, return_std=True), theirs.transform(rows, return_std=True)
    np.testing.assert_allclose(one[0][:, order] * signs, other[0], atol=0.02)
    np.testing.assert_allclose(one[1][:, order], other[1], atol=0.02)


def test_a_mixed_table_with_gaps_is_one_line() -> None:
    table = answers()
    gappy = table.mask(np.random.default_rng(1).random(table.shape) < 0.2)
    found = ItemFactorAnalysis(2, rotation="varimax").fit(gappy)
    assert found.families_ == ["ordinal"] * 3 + ["binary"] * 2 + ["count", "categorical", "normal"]
    assert found.column_names[-4:] == ["colour=blue", "colour=green", "colour=red", "length"]
    assert np.diff(found.trace_.bound).min() > -1e-6
    sizes = np.abs(found.loadings_)
    assert (sizes[:3].argmax(1) != sizes[3:6].argmax(1)).all()
    filled = found.decode(found.impute(gappy)).to_pandas()
    gaps = gappy.isna()
    for name in ("q0", "b0", "colour"):
        assert (filled[name][~gaps[name]] == table[name][~gaps[name]]).all()
        usual = (table[name].mode()[0] == table[name][gaps[name]]).mean()
        assert (filled[name][gaps[name]] == table[name][gaps[name]]).mean() > usual
    drawn = found.impute(gappy, n_draws=3)
    assert drawn.shape == (3, *table.shape)
    assert not np.isnan(drawn).any()
    new = found.decode(found.sample(400)).to_pandas()
    assert set(new["colour"]) == {"blue", "green", "red"}
    assert set(new["q0"]) <= {1, 2, 3, 4, 5}
    assert found.base_measure() == ("mass",) * 7 + ("density",)
    assert found.difficulties_ is None
    assert "x ordinal" in {node.name for node in found.graph().nodes}


def test_a_weight_of_two_is_two_copies_and_gaps_drop_out() -> None:
    table = answers(200)
    weights = np.random.default_rng(0).integers(0, 3, 200)
    one = ItemFactorAnalysis().fit(table, sample_weight=weights)
    other = ItemFactorAnalysis().fit(table.loc[table.index.repeat(weights)])
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(one.loadings_, other.loadings_, atol=1e-6)
    nothing = table.iloc[:2].mask(np.array([[True] * 8, [False] * 8]))
    scores, deviations = one.transform(nothing, return_std=True)
    assert scores[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert deviations[0, 0] == pytest.approx(1.0, abs=1e-10)
    assert deviations[1, 0] < 1.0


def test_levels_that_are_texts_have_the_order_that_is_given() -> None:
    table = answers(300)[["q0", "q1", "q2"]]
    words = dict(zip(range(1, 6), ["never", "seldom", "at times", "often", "always"], strict=True))
    asked = table.assign(q0=table["q0"].map(words))
    with pytest.raises(ValueError, match=r"levels of column 'q0' are texts.*order is not known"):
        ItemFactorAnalysis(families={"q0": "ordinal"}).fit(asked)
    with pytest.raises(ValueError, match="lacks 'always'"):
        ItemFactorAnalysis(families={"q0": list(words.values())[:4]}).fit(asked)
    found = ItemFactorAnalysis(families={"q0": list(words.values())}).fit(asked)
    numbers = ItemFactorAnalysis().fit(table)
    np.testing.assert_allclose(found.loadings_, numbers.loadings_, atol=1e-6)
    gappy = asked.assign(q0=asked["q0"].mask(asked.index < 20))
    told = found.decode(found.impute(gappy)).to_pandas()["q0"]
    assert (told[20:] == asked["q0"][20:]).all()
    numbered = numbers.decode(numbers.impute(table.assign(q0=table["q0"].mask(table.index < 20)))).to_pandas()["q0"]
    assert told.tolist() == numbered.map(words).tolist()


def test_columns_that_say_nothing_or_all_are_named(lsat: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"all values are the same in column 'Q2'"):
        TwoParameterLogistic().fit(lsat.assign(Q2=1))
    with pytest.raises(ValueError, match=r"all values are the same in column 'Q2'"):
        ItemFactorAnalysis().fit(lsat.assign(Q2=1.0))
    with pytest.raises(ValueError, match=r"every value is missing|no value is seen"):
        ItemFactorAnalysis().fit(lsat.assign(Q2=np.nan))
    with pytest.raises(ValueError, match=r"family 'probit' is unknown"):
        ItemFactorAnalysis(families="probit").fit(lsat)
    random = np.random.default_rng(0)
    copies = pd.DataFrame({"a": random.integers(0, 2, 200)}).assign(b=lambda t: t["a"], c=random.integers(0, 2, 200))
    with pytest.warns(ConvergenceWarning, match=r"the factors explain all of column '[ab]'"):
        perfect = ItemFactorAnalysis(max_iter=3000).fit(copies)
    assert not perfect.converged_
    held = ItemFactorAnalysis(prior_scale=2.0).fit(copies)
    assert held.converged_
    assert not held.at_floor_
    with pytest.raises(ValueError, match="promax is no minimum of a criterion"):
        ItemFactorAnalysis(2, prior_scale=1.0, rotation="promax").fit(lsat).standard_errors(lsat)


def test_more_than_three_factors_raise_a_bound_and_are_found_again() -> None:
    """Four factors of five items each, of two and of five levels, a tenth missing."""
    random = np.random.default_rng(0)
    pattern = np.zeros((20, 4))
    for factor in range(4):
        pattern[5 * factor : 5 * factor + 5, factor] = random.uniform(0.6, 0.85, 5)
    behind = random.normal(size=(800, 4)) @ pattern.T
    behind += random.normal(size=behind.shape) * np.sqrt(1.0 - (pattern**2).sum(1))
    items = np.where(np.arange(20) % 2, np.digitize(behind, [-1.0, -0.2, 0.6, 1.3]), behind > 0.2)
    items = np.where(random.random(items.shape) < 0.1, np.nan, items)
    found = ItemFactorAnalysis(4, rotation="varimax", tol=1e-2).fit(items)
    assert found.converged_
    assert found.integral_ == "variational bound"
    assert ItemFactorAnalysis(tol=1.0).fit(items[:, :5]).integral_ == "Gauss–Hermite quadrature"
    assert np.diff(found.trace_.bound).min() > -1e-6
    order, signs = matched(found.loadings_, pattern)
    assert np.abs(found.loadings_[:, order] * signs - pattern).max() < 0.15
    assert found.bound_ == pytest.approx(found.trace_.bound[-1], abs=1e-3)
    assert 0.0 < (found.log_likelihood_ - found.bound_) / len(items) < 0.05
    assert found.log_likelihood_ == pytest.approx(found.score_samples(items).sum(), rel=1e-9)
    scores, deviations = found.transform(items, return_std=True)
    assert scores.shape == (800, 4)
    assert 0.2 < np.median(deviations) < 0.7
    filled = found.impute(items)
    assert np.isin(filled[:, 0], [0.0, 1.0]).all()
    assert found.impute(items, n_draws=2).shape == (2, 800, 20)
    assert "variational bound of the log-likelihood" in found.remarks()[0]
    nothing = np.full((1, 20), np.nan)
    assert found.score_samples(nothing)[0] == pytest.approx(0.0, abs=1e-9)
    at_nothing = found.transform(nothing, return_std=True)
    np.testing.assert_allclose(at_nothing[0], 0.0, atol=1e-9)
    np.testing.assert_allclose(at_nothing[1], 1.0, rtol=1e-9)


def test_four_factors_of_measurements_are_factor_analysis() -> None:
    """A normal q is exact of measurements, and so is the bound."""
    random = np.random.default_rng(0)
    pattern = np.kron(np.eye(4), np.array([[0.8], [0.7], [0.6]]))
    rows = random.normal(size=(400, 4)) @ pattern.T + random.normal(size=(400, 12)) * 0.7
    rows[random.random(rows.shape) < 0.05] = np.nan
    ours, theirs = ItemFactorAnalysis(4, families="normal", tol=1e-4).fit(rows), FactorAnalysis(4).fit(rows)
    assert ours.bound_ == pytest.approx(theirs.score_samples(rows).sum(), abs=0.02)
    np.testing.assert_allclose(ours.score_samples(rows), theirs.score_samples(rows), atol=0.02)
    assert ours.bound_ == pytest.approx(ours.log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(ours.loadings_ @ ours.loadings_.T, theirs.loadings_ @ theirs.loadings_.T, atol=0.02)


def test_it_is_saved_and_read_and_chosen(lsat: pd.DataFrame, tmp_path: Path) -> None:
    for model in (TwoParameterLogistic(), ItemFactorAnalysis(families={"Q1": [1, 0]})):
        model.fit(lsat)
        tacit.save(model, tmp_path / "model.tacit")
        again = tacit.load(tmp_path / "model.tacit")
        np.testing.assert_array_equal(again.score_samples(lsat), model.score_samples(lsat))
        np.testing.assert_array_equal(again.transform(lsat), model.transform(lsat))
    table = tacit.select(lsat, [1, 2], estimator=ItemFactorAnalysis()).table
    assert len(table) == 2


@pytest.mark.parametrize("rotation", [None, "varimax", "oblimin"])
def test_standard_errors_of_several_factors_are_those_of_factor_analysis(rotation: str | None) -> None:
    random = np.random.default_rng(3)
    pattern = np.array([[0.9, 0.0], [0.8, 0.1], [0.7, 0.0], [0.0, 0.8], [0.1, 0.7], [0.0, 0.9], [0.4, 0.5]])
    codes = random.normal(size=(3000, 2)) @ np.linalg.cholesky([[1.0, 0.3], [0.3, 1.0]]).T
    rows = codes @ pattern.T + random.normal(size=(3000, 7)) * 1.0
    items = tacit.ItemFactorAnalysis(2, families="normal", rotation=rotation, n_nodes=21).fit(rows)
    plain = tacit.FactorAnalysis(2, rotation=rotation).fit(rows)
    found, asked = items.standard_errors(rows), plain.standard_errors()
    np.testing.assert_allclose(found["loadings"], asked["loadings"], rtol=0.15)
    np.testing.assert_allclose(found["factor_correlations"], asked["factor_correlations"], rtol=0.15)
    assert np.isfinite(found["discriminations"]).all()
    assert "difficulties" not in found


def test_a_row_of_items_is_explained() -> None:
    """A chain of conditionals, whose sum is the log-density; an answer that goes against the others surprises."""
    table = answers(500)
    found = ItemFactorAnalysis(2).fit(table)
    row = table.iloc[3]
    told = found.explain(row, among=table)
    assert told.log_density == pytest.approx(found.score_samples(table.iloc[[3]])[0], rel=1e-9)
    assert [link.column for link in told.chain] == list(table.columns)
    odd = found.explain({"q0": 5, "q1": 5, "q2": 1, "b0": 1, "length": 190.0})
    assert odd.chain[2].surprising
    assert odd.chain[2].expected in ("4", "5")
    assert odd.chain[-1].surprising
    assert odd.chain[-1].deviations > 3
    given = found.condition({"q0": 4, "q1": 4})
    assert given.probabilities("q2")[4] > 2 * found.marginal(["q2"]).probabilities()[4]
    assert given.probabilities("q2").sum() == pytest.approx(1.0)
    low = found.condition({"q0": 0, "q1": 0}).marginal(["length"])
    assert low.mean()[0] < given.marginal(["length"]).mean()[0] - 10.0
    texts = found.explain({"colour": "red", "q0": 1})
    assert texts.chain[0].column == "q0"
