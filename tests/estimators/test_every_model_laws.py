"""A law or two of every model that the registry lists, which holds for whatever rows it is asked about."""

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import battery
from tacit import registry

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
ROWS = 5
Draw = Callable[[st.SearchStrategy], Any]


def found(name: str) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """A fitted model, its rows and its target; nobody changes them."""
    return battery.found(name, registry.get(name).reads[0])


def reals(columns: int, size: float = 40.0) -> st.SearchStrategy:
    return hnp.arrays(np.float64, (ROWS, columns), elements=st.floats(-size, size, width=32))


def counts(columns: int, most: int = 30) -> st.SearchStrategy:
    return hnp.arrays(np.int64, (ROWS, columns), elements=st.integers(0, most))


def shares(values: np.ndarray, digits: float = 1e-12) -> None:
    """Numbers from 0 that sum to one in every line."""
    assert values.min() >= 0.0
    np.testing.assert_allclose(values.sum(axis=1), 1.0, rtol=digits)


def mixes(model: Any, asked: np.ndarray, draw: Draw) -> None:
    """Shares of groups sum to one, also with gaps; a row of which nothing is seen has the density one."""
    gaps = draw(hnp.arrays(bool, asked.shape))
    gaps[0] = True
    asked = np.where(gaps, np.nan, asked)
    shares(model.predict_proba(asked))
    scores = model.score_samples(asked)
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(model.predict_proba(asked)[0], model.weights_, rtol=1e-12)


def one_column(model: Any, columns: int, at: int, values: np.ndarray) -> np.ndarray:
    """The density of one column, the others not seen."""
    rows = np.full((values.size, columns), np.nan)
    rows[:, at] = values
    return np.exp(model.score_samples(rows))


def density(name: str, draw: Draw) -> None:
    model, rows, _ = found(name)
    mixes(model, draw(reals(3)), draw)
    at = draw(st.integers(0, 2))
    values, step = np.linspace(rows[:, at].min() - 60.0, rows[:, at].max() + 60.0, 4001, retstep=True)
    heights = one_column(model, 3, at, values)
    if "bayesian" not in name:  # the predictive density of a posterior has longer tails than the line is
        assert heights.sum() * step == pytest.approx(1.0, abs=1e-6)
    ends = model.marginal([at]).cdf(np.sort(draw(reals(1)), axis=0)[:, 0])
    assert (np.diff(ends) >= 0).all()
    assert 0.0 <= ends.min() <= ends.max() <= 1.0


def gaussian(name: str, draw: Draw) -> None:
    """Also: in other units it is the same fit."""
    density(name, draw)
    model, rows, _ = found(name)
    unit, shift = draw(st.floats(0.1, 10.0)), draw(reals(3))[0]
    other = clone(model).set_params(reg_covar=model.reg_covar * unit**2).fit(rows * unit + shift)
    np.testing.assert_allclose(
        other.score_samples(rows * unit + shift) + 3.0 * np.log(unit), model.score_samples(rows), atol=1e-5
    )


def poisson(name: str, draw: Draw) -> None:
    model, _, _ = found(name)
    mixes(model, draw(counts(4)).astype(float), draw)
    assert one_column(model, 4, draw(st.integers(0, 3)), np.arange(300.0)).sum() == pytest.approx(1.0, rel=1e-10)


def multinomial(name: str, draw: Draw) -> None:
    """The mass of all rows of one sum is one: the density is given the sum."""
    model, _, _ = found(name)
    asked = draw(counts(4)).astype(float)
    shares(model.predict_proba(asked))
    total = draw(st.integers(0, 5))
    all_rows = [row for row in itertools.product(range(total + 1), repeat=4) if sum(row) == total]
    assert np.exp(model.score_samples(np.array(all_rows, float))).sum() == pytest.approx(1.0, rel=1e-10)


def distances(name: str, draw: Draw) -> None:
    """No distance changes by more than a row moves, and the nearest centre is the one that is said."""
    model, _, _ = found(name)
    one, other = draw(reals(3)), draw(reals(3))
    moved = np.linalg.norm(one - other, axis=1)[:, None]
    assert (np.abs(model.transform(one) - model.transform(other)) <= moved + 1e-9).all()
    nearest = model.transform(one)
    assert (nearest[np.arange(ROWS), model.predict(one)] <= nearest.min(axis=1) + 1e-9).all()


def planes(name: str, draw: Draw) -> None:
    """The fewer entries of a row are seen, the less sure its scores are; a row that is not seen has those of nobody."""
    model, _, _ = found(name)
    asked = draw(reals(3))
    gaps = draw(hnp.arrays(bool, asked.shape))
    less = np.where(gaps, np.nan, asked)
    assert (model.transform(asked, return_std=True)[1] <= model.transform(less, return_std=True)[1] + 1e-9).all()
    nothing = np.full((1, 3), np.nan)
    np.testing.assert_allclose(model.transform(nothing), 0.0, atol=1e-12)
    np.testing.assert_allclose(model.score_samples(nothing), 0.0, atol=1e-12)
    filled = model.impute(less)
    np.testing.assert_array_equal(filled[~gaps], asked[~gaps])


def networks(name: str, draw: Draw) -> None:
    """A row of which nothing is seen has the density one, what is seen stays, and the density of a column is one."""
    model, rows, _ = found(name)
    asked = draw(reals(3))
    less = np.where(draw(hnp.arrays(bool, asked.shape)), np.nan, asked)
    less[0] = np.nan
    assert model.score_samples(less)[0] == pytest.approx(0.0, abs=1e-12)
    filled = model.impute(less)
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~np.isnan(less)], less[~np.isnan(less)])
    at = draw(st.integers(0, 2))
    values, step = np.linspace(rows[:, at].min() - 60.0, rows[:, at].max() + 60.0, 4001, retstep=True)
    assert one_column(model, 3, at, values).sum() * step == pytest.approx(1.0, abs=1e-6)


def items(name: str, draw: Draw) -> None:
    """A row that is not seen has the scores of nobody; what is seen stays; the density of a column is one."""
    model, rows, _ = found(name)
    asked = draw(reals(3))
    gaps = draw(hnp.arrays(bool, asked.shape))
    less = np.where(gaps, np.nan, asked)
    less[0] = np.nan
    scores, deviations = model.transform(less, return_std=True)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[0], 0.0, atol=1e-12)
    np.testing.assert_allclose(deviations[0], 1.0, atol=1e-9)
    assert model.score_samples(less)[0] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(model.impute(less)[~np.isnan(less)], less[~np.isnan(less)])
    at = draw(st.integers(0, 2))
    values, step = np.linspace(rows[:, at].min() - 60.0, rows[:, at].max() + 60.0, 4001, retstep=True)
    assert one_column(model, 3, at, values).sum() * step == pytest.approx(1.0, abs=1e-6)


def topics(name: str, draw: Draw) -> None:
    model, _, _ = found(name)
    asked = draw(counts(8, 5)).astype(float)
    asked[0] = 0.0
    asked[:, 0] += np.arange(ROWS) > 0  # one document alone is empty
    shares(model.transform(asked), 1e-6)
    scores = model.score_samples(asked)
    assert np.isfinite(scores).all()
    if name == "latent-dirichlet-allocation":  # a bound of a mass; the other is an estimate by draws
        assert (scores <= 1e-9).all()


def classes(name: str, draw: Draw) -> None:
    model, _, _ = found(name)
    asked = draw(reals(3))
    chances = model.predict_proba(asked)
    shares(chances, 1e-6)
    np.testing.assert_array_equal(model.predict(asked), model.classes_[chances.argmax(axis=1)])


def logistic(name: str, draw: Draw) -> None:
    """Also: along its coefficients there is one place where the likelier class changes."""
    classes(name, draw)
    model, rows, _ = found(name)
    near = rows[draw(st.integers(0, len(rows) - 1))]
    line = near + np.linspace(-0.5, 0.5, ROWS)[:, None] * np.ravel(model.coef_)
    logits = np.diff(np.log(model.predict_proba(line)), axis=1)[:, 0]
    assert np.all(np.sign(logits) == np.sort(np.sign(logits)))


def regression(name: str, draw: Draw) -> None:
    """In another unit, and from another origin, of the target it is the same prediction."""
    model, rows, target = found(name)
    unit, origin = draw(st.floats(0.1, 10.0)), draw(st.floats(-20.0, 20.0))
    other = clone(model).fit(rows, unit * target + origin)
    asked = draw(reals(3, 5.0))
    np.testing.assert_allclose(other.predict(asked), unit * model.predict(asked) + origin, rtol=1e-5, atol=1e-4 * unit)
    low, high = model.predict_interval(asked, 0.5)
    assert (low <= high).all()


def count_regression(name: str, draw: Draw) -> None:
    """Counted over c times as much, everything is the same but for the rate."""
    model, rows, target = found(name)
    much = draw(st.floats(0.1, 10.0))
    other = clone(model).fit(rows, target, exposure=np.full(len(rows), much))
    asked = draw(reals(3, 5.0))
    np.testing.assert_allclose(other.predict(asked, exposure=much), model.predict(asked), rtol=1e-6)
    low, high = model.predict_interval(asked, 0.5)
    assert (low <= high).all()


def deep(name: str, draw: Draw) -> None:
    """A row's code does not depend on its company."""
    model, _, _ = found(name)
    asked = draw(reals(3))
    whole = model.transform(asked)
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(model.transform(asked[::-1])[::-1], whole, rtol=1e-5, atol=1e-5)
    assert np.isfinite(model.reconstruct(asked)).all()


def hidden_markov(name: str, draw: Draw) -> None:
    """States have shares; what is not seen says nothing; the last row of a sequence is filtered as it is smoothed."""
    model, _, _ = found(name)
    asked = draw(reals(3))
    gaps = draw(hnp.arrays(bool, asked.shape))
    gaps[2] = True
    asked = np.where(gaps, np.nan, asked)
    smoothed, filtered = model.predict_proba(asked), model.filter(asked)
    shares(smoothed)
    shares(filtered)
    np.testing.assert_allclose(smoothed[-1], filtered[-1], atol=1e-12)
    scores = model.score_samples(asked)
    assert scores[2] == pytest.approx(0.0, abs=1e-12)
    parts = draw(st.integers(1, ROWS - 1))
    apart = model.score_samples(asked, lengths=[parts, ROWS - parts])
    np.testing.assert_allclose(apart[:parts], scores[:parts], atol=1e-12)
    assert model.decode(asked)[0] <= model.score(asked) + 1e-9


def state_space(name: str, draw: Draw) -> None:
    """What is expected of states is an affine function of rows; the last one is filtered as it is smoothed."""
    model, _, _ = found(name)
    one, other, share = draw(reals(3)), draw(reals(3)), draw(st.floats(-1.0, 2.0))
    gaps = draw(hnp.arrays(bool, one.shape))
    gaps[2] = True
    one, other = np.where(gaps, np.nan, one), np.where(gaps, np.nan, other)
    mixed = share * model.transform(one) + (1.0 - share) * model.transform(other)
    np.testing.assert_allclose(model.transform(share * one + (1.0 - share) * other), mixed, atol=1e-9)
    np.testing.assert_allclose(model.transform(one)[-1], model.filter(one)[-1], atol=1e-10)
    assert model.score_samples(one)[2] == pytest.approx(0.0, abs=1e-12)


def flows(name: str, draw: Draw) -> None:
    """Rows go to white noise and back; what is not seen says nothing; drawn rows have a density."""
    model, _, _ = found(name)
    asked = draw(reals(3))
    np.testing.assert_allclose(model.inverse_transform(model.transform(asked)), asked, atol=1e-6)
    assert np.isfinite(model.score_samples(asked)).all()
    assert (model.score_samples(np.full((2, 3), np.nan)) == 0.0).all()
    assert np.isfinite(model.score_samples(model.sample(4, random_state=1))).all()


def stacks(name: str, draw: Draw) -> None:
    """The density lies between the members', and shares are shares."""
    model, _, _ = found(name)
    asked = draw(reals(3))
    each = np.stack([member.score_samples(asked) for member in model.members_])
    scores = model.score_samples(asked)
    assert (each.min(0) - 1e-9 <= scores).all()
    assert (scores <= each.max(0) + 1e-9).all()
    shares(model.member_shares(asked))


LAWS: dict[str, Callable[[str, Draw], None]] = {
    "gaussian-mixture": gaussian,
    "mixture": density,
    "latent-class": density,
    "bayesian-gaussian-mixture": density,
    "bayesian-mixture": density,
    "poisson-mixture": poisson,
    "multinomial-mixture": multinomial,
    "hidden-markov-model": hidden_markov,
    "linear-gaussian-state-space": state_space,
    "k-means": distances,
    "pca": planes,
    "factor-analysis": planes,
    "item-factor-analysis": items,
    "mixture-of-factor-analysers": density,
    "bayesian-network": networks,
    "triangular-flow": flows,
    "stacked-density": stacks,
    "latent-dirichlet-allocation": topics,
    "generative-classifier": classes,
    "bayesian-logistic-regression": logistic,
    "bayesian-linear-regression": regression,
    "least-absolute-deviations": regression,
    "student-t-regression": regression,
    "regression-mixture": regression,
    "poisson-regression": count_regression,
    "negative-binomial-regression": count_regression,
    "vae": deep,
    "semi-supervised-vae": classes,
    "prod-lda": topics,
}


def test_every_model_has_its_law() -> None:
    assert set(LAWS) == set(registry.names())


@pytest.mark.parametrize("name", registry.names())
def test_law(name: str) -> None:
    @settings(max_examples=6)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        LAWS[name](name, data.draw)

    holds()
