"""GaussianMixture against scipy, scikit-learn and the laws of EM."""

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as Peer

from tacit import GaussianMixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
STRUCTURES = ("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return load_iris().data[::3]


@pytest.fixture(scope="module")
def gappy(rows: np.ndarray) -> np.ndarray:
    holes = np.random.default_rng(0).random(rows.shape) < 0.3
    return np.where(holes, np.nan, rows)


def marginal_log_prob(model: GaussianMixture, rows: np.ndarray) -> np.ndarray:
    """log p of the observed entries by scipy, row by row."""
    covariances = np.asarray(model.covariances_)
    if model.covariance_type in ("diag", "spherical"):
        columns = np.broadcast_to(covariances.reshape(len(covariances), -1), model.means_.shape)
        covariances = np.stack([np.diag(v) for v in columns])
    covariances = np.broadcast_to(covariances, (len(model.weights_), *covariances.shape[-2:]))
    found = []
    for row in rows:
        seen = ~np.isnan(row)
        if not seen.any():
            found.append(0.0)
            continue
        logs = [
            np.log(w) + multivariate_normal(m[seen], c[np.ix_(seen, seen)]).logpdf(row[seen])
            for w, m, c in zip(model.weights_, model.means_, covariances, strict=True)
        ]
        found.append(logsumexp(logs))
    return np.array(found)


def test_reaches_the_maximum_of_the_peer(rows: np.ndarray) -> None:
    ours = GaussianMixture(3, tol=1e-10, max_iter=2000, random_state=0, n_init=3).fit(rows)
    start = {"weights_init": ours.weights_, "means_init": ours.means_, "precisions_init": ours.precisions_}
    theirs = Peer(3, tol=1e-12, max_iter=2000, **start).fit(rows)
    # the noise floor's share of the E-step moves the fixed point by the order of reg_covar
    assert ours.score(rows) == pytest.approx(theirs.score(rows), abs=1e-6)
    np.testing.assert_allclose(ours.means_, theirs.means_, atol=2e-3)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_gaps_are_integrated_out_exactly(gappy: np.ndarray, structure: str) -> None:
    model = GaussianMixture(2, covariance_type=structure, max_iter=30, tol=1e-9, random_state=0).fit(gappy)
    np.testing.assert_allclose(model.score_samples(gappy), marginal_log_prob(model, gappy), rtol=1e-11, atol=1e-11)
    assert np.diff(model.trace_.bound).min() > -1e-8
    # the bound is the log-likelihood but for the noise floor's share
    assert model.lower_bound_ == pytest.approx(model.score(gappy), abs=1e-3)
    assert model.lower_bound_ <= model.score(gappy)


def test_the_bound_equals_the_log_likelihood_without_blur(rows: np.ndarray) -> None:
    model = GaussianMixture(2, reg_covar=0.0, random_state=0).fit(rows)
    assert model.lower_bound_ == pytest.approx(model.score(rows), abs=1e-10)


def test_fewer_and_fewer_gaps_recover_the_complete_fit(rows: np.ndarray) -> None:
    settings = {"tol": 1e-10, "max_iter": 1000, "random_state": 0}
    complete = GaussianMixture(2, **settings).fit(rows)
    start = {"weights_init": complete.weights_, "means_init": complete.means_, "precisions_init": complete.precisions_}
    one_gap = rows.copy()
    one_gap[7, 2] = np.nan
    nearly = GaussianMixture(2, **start, **settings).fit(one_gap)
    np.testing.assert_allclose(nearly.means_, complete.means_, atol=0.01)
    whole = GaussianMixture(2, **start, **settings).fit(np.r_[rows, [[np.nan] * 4]])
    np.testing.assert_allclose(whole.means_, complete.means_, atol=1e-4)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_a_weight_is_copies_and_zero_is_absence(rows: np.ndarray, kind: str) -> None:
    weights = np.arange(rows.shape[0]) % 3
    start = {"means_init": rows[[0, 30]], "weights_init": [0.5, 0.5], "max_iter": 20, "tol": 0.0}
    precisions = np.tile(np.eye(4), (2, 1, 1)) if kind == "full" else np.ones((2, 4))
    one = GaussianMixture(2, covariance_type=kind, precisions_init=precisions, **start)
    one.fit(rows, sample_weight=weights)
    other = GaussianMixture(2, covariance_type=kind, precisions_init=precisions, **start)
    other.fit(np.repeat(rows, weights, axis=0))
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-9)
    np.testing.assert_allclose(one.covariances_, other.covariances_, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_criteria_take_weights_as_the_fit_does(criterion: str, rows: np.ndarray) -> None:
    ask = getattr(GaussianMixture(2, random_state=0).fit(rows), criterion)
    weights = np.arange(len(rows)) % 3
    np.testing.assert_allclose(ask(rows, weights), ask(np.repeat(rows, weights, axis=0)), rtol=1e-12)
    assert ask(rows, np.ones(len(rows))) == ask(rows)


@given(shift=st.sampled_from([0.0, -3.5, 1e4]), scale=st.sampled_from([1.0, 1e-3, 250.0]), flip=st.booleans())
@settings(max_examples=6)
def test_shift_scale_and_order_of_rows_change_nothing(shift: float, scale: float, flip: bool) -> None:
    rows = load_iris().data[::3]
    moved = (rows[::-1] if flip else rows) * scale + shift
    start = {"weights_init": [0.5, 0.5], "max_iter": 20, "tol": 0.0, "reg_covar": 0.0}
    one = GaussianMixture(2, means_init=rows[[0, 30]], precisions_init=np.tile(np.eye(4), (2, 1, 1)), **start)
    two = GaussianMixture(
        2,
        means_init=rows[[0, 30]] * scale + shift,
        precisions_init=np.tile(np.eye(4), (2, 1, 1)) / scale**2,
        **start,
    )
    one.fit(rows)
    two.fit(moved)
    size = max(1.0, abs(shift) / scale)
    np.testing.assert_allclose((two.means_ - shift) / scale, one.means_, rtol=1e-7 * size)
    assert two.score(moved) == pytest.approx(one.score(rows) - 4 * np.log(scale), abs=1e-7 * size)


def test_the_order_is_canonical_unless_a_start_is_given(rows: np.ndarray) -> None:
    free = GaussianMixture(3, random_state=1).fit(rows)
    assert np.all(np.diff(free.weights_) <= 1e-9)
    given_start = GaussianMixture(2, means_init=[rows[40], rows[0]], random_state=1).fit(rows)
    assert given_start.means_[0, 2] > given_start.means_[1, 2]


def test_a_seed_repeats_and_starts_differ(rows: np.ndarray) -> None:
    settings: dict[str, Any] = {"max_iter": 1, "init_params": "random", "tol": 0.0}
    one = GaussianMixture(3, random_state=3, **settings).fit(rows)
    again = GaussianMixture(3, random_state=3, **settings).fit(rows)
    other = GaussianMixture(3, random_state=4, **settings).fit(rows)
    np.testing.assert_array_equal(one.means_, again.means_)
    assert np.abs(one.means_ - other.means_).max() > 1e-6


def test_fixed_parameters_stay(rows: np.ndarray) -> None:
    means = np.array([rows[0], rows[40]])
    model = GaussianMixture(
        2, means_init=means, weights_init=[0.3, 0.7], fixed={"means": [True, False], "weights": True}, random_state=0
    ).fit(rows)
    np.testing.assert_allclose(model.means_[0], means[0], rtol=1e-12)
    assert np.abs(model.means_[1] - means[1]).max() > 0.01
    np.testing.assert_allclose(model.weights_, [0.3, 0.7], rtol=1e-12)
    # both components' weights are given, one mean and both covariances are free
    assert model.n_parameters_ == 4 + 2 * 10
    assert np.diff(model.trace_.bound).min() > -1e-8


@pytest.mark.parametrize("structure", ["full", "VEV", "diag", "EII"])
def test_the_posterior_mode_rises_and_pulls_to_the_prior(rows: np.ndarray, structure: str) -> None:
    settings = {"covariance_type": structure, "random_state": 0, "max_iter": 200, "tol": 1e-9}
    model = GaussianMixture(2, objective="map", **settings).fit(rows)
    assert np.diff(model.trace_.bound).min() > -1e-8
    strong = {"shrinkage": 1e7, "mean": rows.mean(axis=0)}
    pulled = GaussianMixture(2, objective="map", priors=strong, **settings).fit(rows)
    np.testing.assert_allclose(pulled.means_, np.tile(rows.mean(axis=0), (2, 1)), atol=1e-3)


@pytest.mark.parametrize("structure", ["EII", "VVI", "EEE", "VVV"])
def test_the_bound_with_a_prior_is_that_of_the_users_units(rows: np.ndarray, structure: str) -> None:
    rows = rows * [1.0, 10.0, 0.1, 3.0]
    settings: dict[str, Any] = {"objective": "map", "priors": "default", "random_state": 0, "reg_covar": 1e-14}
    model = GaussianMixture(3, covariance_type=structure, **settings).fit(rows)
    with jax.enable_x64(True):
        prior = float(model.model_.global_bound())
    assert model.lower_bound_ * len(rows) == pytest.approx(model.score_samples(rows).sum() + prior, abs=1e-7)


@pytest.mark.parametrize("inference", ["hard-em", "monte-carlo-em", "online-em", "gradient"])
def test_other_ways_to_the_same_optimum(rows: np.ndarray, inference: str) -> None:
    exact = GaussianMixture(2, random_state=0, tol=1e-9, max_iter=500).fit(rows)
    other = GaussianMixture(2, random_state=0, tol=1e-7, max_iter=60, inference=inference).fit(rows)
    slack = {"hard-em": 0.05, "monte-carlo-em": 0.01, "online-em": 0.05, "gradient": 1e-4}[inference]
    assert other.score(rows) == pytest.approx(exact.score(rows), abs=slack)
    if inference in ("hard-em", "gradient"):
        assert np.diff(other.trace_.bound).min() > -1e-8


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_extrapolation_never_lowers_the_bound_and_ends_as_high(rows: np.ndarray, kind: str) -> None:
    settings = {"covariance_type": kind, "random_state": 0, "tol": 1e-9, "max_iter": 500}
    plain = GaussianMixture(3, **settings).fit(rows)
    fast = GaussianMixture(3, accelerate=True, **settings).fit(rows)
    assert np.diff(fast.trace_.bound).min() > -1e-8
    assert fast.lower_bound_ > plain.lower_bound_ - 1e-3


def test_batches_come_near_the_whole(rows: np.ndarray) -> None:
    random = np.random.default_rng(0)
    many = np.concatenate([random.normal(-4, 1, (600, 2)), random.normal(4, 1, (400, 2))])
    random.shuffle(many)
    many[random.random(many.shape) < 0.05] = np.nan
    model = GaussianMixture(2, random_state=0)
    for start in [*range(0, 1000, 250)] * 3:
        model.partial_fit(many[start : start + 250])
    whole = GaussianMixture(2, random_state=0).fit(many)
    assert model.score(many) == pytest.approx(whole.score(many), abs=0.02)


def test_narrow_components_far_apart_keep_their_digits() -> None:
    random = np.random.default_rng(0)
    rows = np.concatenate([random.normal(0, 1e-4, (60, 2)), random.normal(1, 1e-4, (60, 2))])
    model = GaussianMixture(2, random_state=0, reg_covar=0.0).fit(rows)
    np.testing.assert_allclose(model.score_samples(rows), marginal_log_prob(model, rows), rtol=1e-9)
    assert model.lower_bound_ == pytest.approx(model.score(rows), abs=1e-9)


def test_attributes_set_by_hand_are_the_model(rows: np.ndarray) -> None:
    fitted = GaussianMixture(2, random_state=0).fit(rows)
    by_hand = GaussianMixture(2)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(by_hand, name, getattr(fitted, name))
    np.testing.assert_allclose(by_hand.predict_proba(rows), fitted.predict_proba(rows), atol=1e-10)
    fitted.means_ = fitted.means_ + 1.0
    assert fitted.score(rows) < by_hand.score(rows)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"covariance_type": "VVX"}, "VVX"),
        ({"n_components": 0}, "n_components"),
        ({"init_params": "magic"}, "init_params"),
        ({"inference": "mcmc"}, "inference"),
        ({"priors": "default"}, "objective='map'"),
        ({"fixed": {"means": True}}, "means_init"),
        ({"tol": -1.0}, "tol"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(rows: np.ndarray, settings: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GaussianMixture(**settings).fit(rows)


@pytest.mark.parametrize("structure", ["EEE", "VEE", "EVE", "VEV", "EVI"])
def test_a_given_start_outside_its_structure_is_brought_inside(rows: np.ndarray, structure: str) -> None:
    given = Peer(3, random_state=0).fit(rows)
    start = {"weights_init": given.weights_, "means_init": given.means_, "precisions_init": given.precisions_}
    model = GaussianMixture(3, covariance_type=structure, tol=1e-8, max_iter=1000, **start).fit(rows)
    assert model.converged_
    assert model.n_iter_ > 2
    assert np.diff(model.trace_.bound).min() > -1e-8


def test_a_start_on_the_floor_gives_way_to_one_that_is_sound() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 1))
    settings: dict[str, Any] = {"reg_covar": 1e-9, "init_params": "random_from_data", "max_iter": 500, "tol": 1e-6}
    single = [GaussianMixture(2, random_state=seed, **settings).fit(rows) for seed in range(12)]
    assert {model.at_floor_ for model in single} == {True, False}
    several = GaussianMixture(2, random_state=0, n_init=12, **settings).fit(rows)
    assert not several.at_floor_
    assert several.lower_bound_ < max(model.lower_bound_ for model in single)


def test_a_collapsing_component_is_named() -> None:
    rows = np.r_[np.random.default_rng(0).normal(size=(40, 2)), np.full((20, 2), 9.0)]
    with pytest.warns(ConvergenceWarning, match=r"component 1 rests on the floor .* column 0, 1"):
        model = GaussianMixture(2, random_state=0).fit(rows)
    assert model.at_floor_


def test_not_fitted_says_so(rows: np.ndarray) -> None:
    with pytest.raises(NotFittedError, match="not fitted"):
        GaussianMixture().predict(rows)
