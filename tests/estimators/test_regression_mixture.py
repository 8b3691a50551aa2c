"""``RegressionMixture``: laws whose parameters are known, finite differences, and the data that flexmix generates."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

import tacit


def npreg(number: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """As flexmix's manual generates NPreg: ``5x`` and ``15 + 10x − x²``, each with normal noise of variance 9."""
    draw = np.random.default_rng(2)
    x = draw.uniform(0.0, 10.0, number)
    first = np.arange(number) < number // 2
    y = np.where(first, 5.0 * x, 15.0 + 10.0 * x - x**2) + 3.0 * draw.normal(size=number)
    return np.column_stack([x, x**2]), y


@pytest.fixture(scope="module")
def curves() -> tuple[np.ndarray, np.ndarray, tacit.RegressionMixture]:
    """Two normal regressions, fitted."""
    X, y = npreg()
    return X, y, tacit.RegressionMixture(2, random_state=0).fit(X, y)


def test_two_normal_regressions_are_found(curves: tuple) -> None:
    X, y, model = curves
    line = int(np.argmin(np.abs(model.coef_[:, 1])))
    table = model.coefficient_table(X, y).to_arrow()
    sd = np.reshape(table.column("sd"), (2, 3))
    truth = np.array([[0.0, 5.0, 0.0], [15.0, 10.0, -1.0]])
    whole = np.concatenate([model.intercept_[:, None], model.coef_], axis=1)[[line, 1 - line]]
    assert (np.abs(whole - truth) < 4 * sd[[line, 1 - line]]).all()
    assert model.scale_ == pytest.approx([3.0, 3.0], abs=0.4)
    assert model.n_parameters_ == 9
    assert (np.diff(model.trace_.bound) > -1e-9).all()
    # the likelihood, written out
    means = whole[:, 0] + X @ whole[:, 1:].T
    order = [line, 1 - line]
    each = scipy.stats.norm.pdf(y[:, None], means, model.scale_[order]) * model.weights_[order]
    assert model.log_likelihood_ == pytest.approx(np.log(each.sum(1)).sum(), rel=1e-10)
    assert model.log_predictive(X, y) == pytest.approx(np.log(each.sum(1)), rel=1e-9)
    assert model.posterior(X, y)[:, order] == pytest.approx(each / each.sum(1, keepdims=True), abs=1e-9)
    assert model.predict(X) == pytest.approx(means @ model.weights_[order], rel=1e-9)
    assert model.predict_groups(X)[:, order] == pytest.approx(means, rel=1e-9)


def test_it_is_a_maximum(curves: tuple) -> None:
    X, y, model = curves
    kept = model.coef_.copy()
    for place in np.ndindex(kept.shape):
        ends = []
        for sign in (1.0, -1.0):
            model.coef_ = kept.copy()
            model.coef_[place] += sign * 1e-5
            ends.append(model.log_predictive(X, y).sum())
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(0.0, abs=1.0)
    model.coef_ = kept


def test_intervals_hold_their_share(curves: tuple) -> None:
    X, y, model = curves
    low, high = model.predict_interval(X, 0.8)
    assert np.mean((low <= y) & (y <= high)) == pytest.approx(0.8, abs=0.06)
    assert model.bic(X, y) == pytest.approx(-2 * model.log_likelihood_ + 9 * np.log(len(y)))
    assert model.aic(X, y) == pytest.approx(-2 * model.log_likelihood_ + 18)


def test_one_group_is_least_squares() -> None:
    X, y = npreg()
    model = tacit.RegressionMixture(1, n_init=1).fit(X, y)
    design = np.column_stack([np.ones(len(X)), X])
    expected = np.linalg.lstsq(design, y, rcond=None)[0]
    assert np.append(model.intercept_, model.coef_) == pytest.approx(expected, rel=1e-8)
    assert model.scale_[0] ** 2 == pytest.approx(np.mean((y - design @ expected) ** 2))


@pytest.mark.parametrize(("family", "number"), [("poisson", 1500), ("logistic", 300)])
def test_counts_and_yes_or_no(family: str, number: int) -> None:
    """Yes or no says so little of groups that thousands of iterations go by before the bound stands still."""
    draw = np.random.default_rng(5)
    x = draw.normal(size=number)
    group = draw.random(number) < 0.4
    eta = np.where(group, 2.0 - 0.5 * x, 0.3 + 0.8 * x)
    y = draw.poisson(np.exp(eta)) if family == "poisson" else (draw.random(number) < 1 / (1 + np.exp(-eta))).astype(int)
    one = tacit.RegressionMixture(1, family=family, n_init=1).fit(x[:, None], y)
    design = np.column_stack([np.ones(number), x])
    mean = one.predict(x[:, None])
    assert design.T @ (y - mean) == pytest.approx([0.0, 0.0], abs=1e-2)  # the score equations
    two = tacit.RegressionMixture(2, family=family, n_init=5, random_state=0).fit(x[:, None], y)
    assert two.log_likelihood_ > one.log_likelihood_
    assert (np.diff(two.trace_.bound) > -1e-9).all()
    if family == "poisson":
        order = np.argsort(two.intercept_)
        assert two.intercept_[order] == pytest.approx([0.3, 2.0], abs=0.15)
        assert two.coef_[order, 0] == pytest.approx([0.8, -0.5], abs=0.1)
    low, high = two.predict_interval(x[:5, None])
    assert (low <= high).all()


def test_shares_that_depend_on_columns() -> None:
    draw = np.random.default_rng(6)
    x, w = draw.normal(size=(2, 1500))
    group = draw.random(1500) < 1 / (1 + np.exp(-2 * w))
    y = np.where(group, 3 + 2 * x, -1 - x) + 0.5 * draw.normal(size=1500)
    matrix = np.column_stack([x, w])
    model = tacit.RegressionMixture(2, concomitant=[1], n_init=4, random_state=0).fit(matrix, y)
    sign = 1.0 if model.intercept_[1] > model.intercept_[0] else -1.0
    assert sign * model.gate_coefficients_[0] == pytest.approx([0.0, 2.0], abs=0.35)
    assert (np.diff(model.trace_.bound) > -1e-9).all()
    rest = y - model.predict(matrix)
    alone = y - tacit.RegressionMixture(2, n_init=4, random_state=0).fit(matrix, y).predict(matrix)
    assert np.var(rest) < 0.8 * np.var(alone)
    everything = tacit.RegressionMixture(2, concomitant="all", n_init=4, random_state=0).fit(matrix, y)
    assert everything.log_likelihood_ >= model.log_likelihood_ - 1e-6


def test_what_is_refused() -> None:
    X, y = npreg(40)
    for settings, said in (
        ({"family": "poisson"}, "counts"),
        ({"family": "logistic"}, "0 and 1"),
        ({"family": "gamma"}, "one of"),
        ({"concomitant": ["z"]}, "concomitant"),
        ({"n_components": 0}, "n_components"),
    ):
        with pytest.raises(ValueError, match=said):
            tacit.RegressionMixture(**settings).fit(X, y)


def test_a_file_keeps_all_of_it(curves: tuple, tmp_path: Path) -> None:
    X, y, model = curves
    tacit.save(model, tmp_path / "regressions.safetensors")
    again = tacit.load(tmp_path / "regressions.safetensors")
    assert np.array_equal(again.log_predictive(X, y), model.log_predictive(X, y))
    assert len(model.graph().nodes) == 5


def test_of_several_numbers_of_groups_the_one_of_the_best_bic_is_kept() -> None:
    random = np.random.default_rng(0)
    x, group = random.uniform(0, 10, 200), np.arange(200) % 2
    y = np.where(group, 5.0 * x, 40.0 - 4.0 * x) + random.normal(size=200)
    model = tacit.RegressionMixture([1, 2, 3], n_init=5, random_state=0).fit(x[:, None], y)
    assert min(model.bics_, key=model.bics_.get) == model.number == 2
    assert model.bic(x[:, None], y) == pytest.approx(model.bics_[2])
    alone = tacit.RegressionMixture(2, n_init=5, random_state=0).fit(x[:, None], y)
    np.testing.assert_allclose(np.sort(model.coef_[:, 0]), np.sort(alone.coef_[:, 0]), atol=1e-6)
    (_, table), (_, tried) = model.told_tables(x[:, None])
    assert table.num_rows == 2
    assert tried.column("groups").to_pylist() == [1, 2, 3]
    with pytest.raises(ValueError, match="n_components must be a whole number of at least 1"):
        tacit.RegressionMixture([0, 2]).fit(x[:, None], y)
