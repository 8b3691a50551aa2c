"""`HiddenMarkovModel` against scipy, against a mixture of independent rows, and in its laws."""

import functools
import itertools

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, poisson
from sklearn.exceptions import ConvergenceWarning

import tacit
from tacit.data import DenseRows, SequencedRows
from tacit.data.sequenced import apart, fold_of
from tacit.models.sequence import fitting

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
MOVES = np.array([[0.9, 0.1, 0.0], [0.05, 0.9, 0.05], [0.1, 0.2, 0.7]])
CENTRES = np.array([[0.0, 0.0], [4.0, 1.0], [-2.0, 5.0]])


@functools.cache
def series(number: int = 6, length: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of sequences, and their states."""
    random = np.random.default_rng(seed)
    states = []
    for _ in range(number):
        now = random.integers(3)
        for _ in range(length):
            now = random.choice(3, p=MOVES[now])
            states.append(now)
    states = np.array(states)
    return CENTRES[states] + random.normal(size=(len(states), 2)), states


@functools.cache
def fitted(**how: object) -> tacit.HiddenMarkovModel:
    rows, _ = series()
    how = {"covariance_type": "full", "objective": "mle", "random_state": 0, "n_init": 2} | how
    return tacit.HiddenMarkovModel(3, **how).fit(rows, lengths=[40] * 6)


def test_scores_are_those_of_all_paths() -> None:
    model, rows = fitted(), series()[0][:5]
    logs = np.stack(
        [multivariate_normal(m, c).logpdf(rows) for m, c in zip(model.means_, model.covars_, strict=True)], 1
    )
    start, moves = model.startprob_, model.transmat_
    for length in range(1, 6):
        total = sum(
            start[p[0]]
            * np.prod([moves[a, b] for a, b in itertools.pairwise(p)])
            * np.exp(logs[range(length), p].sum())
            for p in itertools.product(range(3), repeat=length)
        )
        assert model.score(rows[:length]) == pytest.approx(np.log(total), rel=1e-12)
    np.testing.assert_allclose(model.score_samples(rows).sum(), model.score(rows), rtol=1e-13)


def test_it_finds_the_regimes_and_the_bound_never_falls() -> None:
    model, (rows, states) = fitted(), series()
    order = [int(np.argmin(((CENTRES - m) ** 2).sum(1))) for m in model.means_]
    assert (np.array(order)[model.predict(rows, lengths=[40] * 6)] == states).mean() > 0.97
    np.testing.assert_allclose(model.transmat_, MOVES[np.ix_(order, order)], atol=0.12)
    assert np.diff(model.trace_.bound).min() > -1e-9
    assert model.converged_
    assert model.lower_bound_ * len(rows) == pytest.approx(model.trace_.bound[-1], rel=1e-12)
    assert model.score(rows, lengths=[40] * 6) == pytest.approx(model.trace_.bound[-1], rel=1e-6)
    assert list(model.weights_) == sorted(model.weights_, reverse=True)


def test_rows_that_stand_alone_are_a_mixture() -> None:
    rows, _ = series()
    apart = tacit.HiddenMarkovModel(
        3, covariance_type="full", objective="mle", floor=1e-8, random_state=0, tol=1e-13, max_iter=3000
    ).fit(rows, groups=np.arange(len(rows)))
    mixture = tacit.Mixture(
        3, covariance_type="full", families="normal", objective="mle", random_state=0, tol=1e-13, max_iter=3000
    ).fit(rows)
    scores = apart.score_samples(rows, groups=np.arange(len(rows)))
    np.testing.assert_allclose(scores, mixture.score_samples(rows), atol=1e-5)


def test_an_iteration_is_that_of_hmmlearn() -> None:
    """One step of Baum–Welch written out with scipy, from the fit's own parameters at iteration 0."""
    rows, _ = series(2, 30)
    lengths = [30, 30]
    one = tacit.HiddenMarkovModel(
        2, covariance_type="full", objective="mle", random_state=3, n_init=1, max_iter=1, tol=0.0, floor=1e-12
    ).fit(rows, lengths=lengths)
    begin = tacit.HiddenMarkovModel(
        2, covariance_type="full", objective="mle", random_state=3, n_init=1, max_iter=0, floor=1e-12
    ).fit(rows, lengths=lengths)
    order = [int(np.argmin(((begin.means_ - m) ** 2).sum(1))) for m in one.means_]
    smoothed, pairs = np.zeros((60, 2)), np.zeros((2, 2))
    for at in (0, 30):
        part = rows[at : at + 30]
        b = np.stack([multivariate_normal(m, c).pdf(part) for m, c in zip(begin.means_, begin.covars_, strict=True)], 1)
        alpha, beta = np.zeros((30, 2)), np.ones((30, 2))
        alpha[0] = begin.startprob_ * b[0]
        for t in range(1, 30):
            alpha[t] = (alpha[t - 1] @ begin.transmat_) * b[t]
        for t in range(28, -1, -1):
            beta[t] = begin.transmat_ @ (b[t + 1] * beta[t + 1])
        total = alpha[-1].sum()
        smoothed[at : at + 30] = alpha * beta / total
        for t in range(29):
            pairs += np.outer(alpha[t], b[t + 1] * beta[t + 1]) * begin.transmat_ / total
    means = smoothed.T @ rows / smoothed.sum(0)[:, None]
    np.testing.assert_allclose(one.means_, means[order], atol=1e-9)
    np.testing.assert_allclose(one.transmat_, (pairs / pairs.sum(1, keepdims=True))[np.ix_(order, order)], atol=1e-9)


def test_gaps_drop_out_and_come_back() -> None:
    rows, _ = series()
    random = np.random.default_rng(1)
    gaps = np.where(random.random(rows.shape) < 0.2, np.nan, rows)
    gaps[10:13] = np.nan
    model = tacit.HiddenMarkovModel(3, covariance_type="full", random_state=0, n_init=2).fit(gaps, lengths=[40] * 6)
    assert np.diff(model.trace_.bound).min() > -1e-9
    np.testing.assert_allclose(model.score_samples(gaps, lengths=[40] * 6)[10:13], 0.0, atol=1e-12)
    filled = model.impute(gaps, lengths=[40] * 6)
    seen = ~np.isnan(gaps)
    np.testing.assert_array_equal(filled[seen], rows[seen])
    means = np.broadcast_to(np.nanmean(gaps, 0), rows.shape)
    assert np.abs(filled - rows)[~seen].mean() < 0.6 * np.abs(means - rows)[~seen].mean()
    draws = model.impute(gaps, 300, 0, lengths=[40] * 6)
    np.testing.assert_allclose(draws.mean(0)[~seen], filled[~seen], atol=0.6)
    one = fitted()
    less = rows[:40].copy()
    less[5, 1] = np.nan
    shares = one.predict_proba(less)[5]
    gain = one.covars_[:, 1, 0] / one.covars_[:, 0, 0]
    expected = shares @ (one.means_[:, 1] + gain * (less[5, 0] - one.means_[:, 0]))
    assert one.impute(less)[5, 1] == pytest.approx(expected, rel=1e-10)


def test_a_weight_of_two_is_the_sequence_twice_and_the_order_of_rows_is_that_of_time() -> None:
    rows, _ = series()
    groups, time = np.repeat(np.arange(6), 40), np.tile(np.arange(40), 6)
    how = {"covariance_type": "full", "random_state": 0, "n_init": 1, "objective": "mle", "max_iter": 8, "tol": 0.0}
    twice = tacit.HiddenMarkovModel(3, **how).fit(
        np.concatenate([rows, rows[:40]]), groups=np.concatenate([groups, np.full(40, 9)])
    )
    weighed = tacit.HiddenMarkovModel(3, **how).fit(rows, groups=groups, sample_weight=np.where(groups == 0, 2.0, 1.0))
    np.testing.assert_allclose(weighed.transmat_, twice.transmat_, atol=1e-6)
    mixed = np.random.default_rng(0).permutation(len(rows))
    model = fitted()
    there = model.predict_proba(rows[mixed], groups=groups[mixed], time=time[mixed])
    np.testing.assert_allclose(there, model.predict_proba(rows, groups=groups)[mixed], atol=1e-12)
    dates = np.datetime64("2024-01-01") + time
    np.testing.assert_array_equal(
        model.predict(rows[mixed], groups=groups[mixed], time=dates[mixed]), model.predict(rows, groups=groups)[mixed]
    )


def test_columns_of_any_kind() -> None:
    pandas = pytest.importorskip("pandas")
    rows, states = series()
    random = np.random.default_rng(2)
    frame = pandas.DataFrame(
        {"x": rows[:, 0], "visits": random.poisson([1, 4, 9], (len(rows), 3))[np.arange(len(rows)), states]}
    )
    frame["mood"] = np.array(["bad", "fair", "good"])[np.where(random.random(len(rows)) < 0.9, states, 0)]
    model = tacit.HiddenMarkovModel(3, random_state=0, n_init=2).fit(frame, lengths=[40] * 6)
    assert model.families_[0] == "normal"
    assert model.families_[2] == "categorical"
    table = model.forecast(3, frame, lengths=[40] * 6).to_arrow()
    assert table.num_rows == 6 * 3 * 3
    with pytest.raises(AttributeError, match="all normal"):
        _ = model.means_


def test_forecasts_are_the_mixture_of_what_comes() -> None:
    model, (rows, _) = fitted(), series()
    found = model.forecast(5, rows[:40], level=0.8)
    shares = model.filter(rows[:40])[-1]
    for step in range(5):
        shares = shares @ model.transmat_
        assert found.mean[0, step] == pytest.approx(shares @ model.means_, rel=1e-12)
        np.testing.assert_allclose(found.states[0, step], shares, atol=1e-13)
        cdf = [
            shares @ norm(model.means_[:, 0], np.sqrt(model.covars_[:, 0, 0])).cdf(end)
            for end in (found.lower[0, step, 0], found.upper[0, step, 0])
        ]
        np.testing.assert_allclose(cdf, [0.1, 0.9], atol=1e-8)
    np.testing.assert_allclose(model.forecast(5).mean[0], model.forecast(5, rows, lengths=[40] * 6).mean[0], rtol=1e-12)


def test_left_right_chains_and_masks_stay_what_they_are() -> None:
    rows, _ = series()
    model = tacit.HiddenMarkovModel(3, transitions="left-right", random_state=0, n_init=2).fit(rows, lengths=[40] * 6)
    assert np.all(model.transmat_[np.tril_indices(3, -1)] == 0.0)
    np.testing.assert_array_equal(model.startprob_, [1.0, 0.0, 0.0])
    assert np.diff(model.trace_.bound).min() > -1e-9
    assert np.all(np.diff(model.predict(rows[:40])) >= 0)
    assert model.n_parameters_ == 3 + 3 * 4  # 6 ways less 3; means and variances
    with pytest.raises(ValueError, match="state 1 leads nowhere"):
        tacit.HiddenMarkovModel(2, transitions=[[1, 1], [0, 0]]).fit(rows)


def test_sticky_priors_hold_states() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(80, 1))
    loose = tacit.HiddenMarkovModel(2, covariance_type="diag", random_state=0, n_init=1).fit(rows)
    sticky = tacit.HiddenMarkovModel(2, covariance_type="diag", random_state=0, n_init=1, stickiness=500.0).fit(rows)
    assert np.diag(sticky.transmat_).min() > max(0.85, np.diag(loose.transmat_).min())
    assert np.diff(sticky.trace_.bound).min() > -1e-9


def test_labels_of_some_steps_are_kept() -> None:
    rows, states = series()
    known = np.where(np.arange(len(rows)) % 10 == 0, states, -1)
    model = tacit.HiddenMarkovModel(3, covariance_type="diag", random_state=0).fit(rows, lengths=[40] * 6, labels=known)
    assert (model.predict(rows, lengths=[40] * 6) == states).mean() > 0.97  # under the numbers of the labels
    with pytest.raises(ValueError, match="row 3 says 7"):
        model.fit(rows, labels=np.where(np.arange(len(rows)) == 3, 7, -1))


def test_hard_em_raises_the_density_along_the_path() -> None:
    rows, _ = series()
    model = tacit.HiddenMarkovModel(
        3, covariance_type="diag", inference="hard-em", objective="mle", random_state=0, n_init=1
    ).fit(rows)
    assert np.diff(model.trace_.bound).min() > -1e-9
    assert model.decode(rows)[0] == pytest.approx(model.trace_.bound[-1], abs=0.1)


def test_squarem_ends_no_lower() -> None:
    plain, quick = fitted(tol=1e-9), fitted(tol=1e-9, accelerate=True)
    assert quick.lower_bound_ > plain.lower_bound_ - 1e-7


@pytest.mark.reuses_keys
def test_compiled_fits_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = series()
    gaps = np.where(np.random.default_rng(0).random(rows.shape) < 0.1, np.nan, rows)
    how = {"covariance_type": "full", "random_state": 0, "n_init": 2, "max_iter": 4, "tol": 0.0}
    plain = tacit.HiddenMarkovModel(3, **how).fit(gaps, lengths=[40] * 6)
    monkeypatch.setattr(fitting, "EAGER_WORK", 0)
    compiled = tacit.HiddenMarkovModel(3, **how).fit(gaps, lengths=[40] * 6)
    assert compiled.lower_bound_ == pytest.approx(plain.lower_bound_, rel=1e-10)
    np.testing.assert_allclose(compiled.transmat_, plain.transmat_, atol=1e-9)


def test_states_nobody_visits_are_no_nan() -> None:
    rows = np.concatenate([np.zeros((10, 1)), np.ones((10, 1))]) + 1e-3 * np.arange(20)[:, None]
    for objective in ("mle", "map"):
        model = tacit.HiddenMarkovModel(6, covariance_type="diag", objective=objective, random_state=0).fit(rows)
        assert np.isfinite(model.transmat_).all()
        np.testing.assert_allclose(model.transmat_.sum(1), 1.0, atol=1e-12)
        assert np.isfinite(model.score_samples(rows)).all()
        assert np.isfinite(model.predict_proba(rows)).all()


@pytest.mark.parametrize("lengths", [[1] * 12, [1, 11], [12]])
def test_sequences_of_length_one(lengths: list[int]) -> None:
    rows = series()[0][:12]
    model = tacit.HiddenMarkovModel(2, covariance_type="diag", random_state=0).fit(rows, lengths=lengths)
    assert np.isfinite(model.score_samples(rows, lengths=lengths)).all()
    assert np.isfinite(model.transmat_).all()
    assert model.forecast(2, rows, lengths=lengths).mean.shape == (len(lengths), 2, 2)


@pytest.mark.wrong_types
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"lengths": [5, 6]}, "lengths sum to 11, and there are 12 rows"),
        ({"lengths": [0, 12]}, "lengths must be 1 or more; number 0 is 0"),
        ({"lengths": [6, 6], "groups": np.zeros(12)}, "give one of them"),
        ({"groups": np.zeros(3)}, "12 of them; its shape is"),
        ({"groups": np.array([0.0] * 5 + [np.nan] + [1.0] * 6)}, "row 5 says nothing of which sequence"),
        ({"time": np.array([0, 1, 2, 3, 4, 5, 3, 7, 8, 9, 10, 11])}, "rows 3 and 6 have the same time, 3"),
        ({"groups": ["a"] * 6 + ["b"] * 6, "time": [0, 1, 2, 3, 4, 5, 0, 1, 2, 2, 4, 5]}, "of sequence 'b'"),
        ({"time": np.array([0.0] * 11 + [np.nan])}, "row 11 has none"),
        ({"time": ["yesterday"] * 12}, "neither a number nor a date, such as 'yesterday'"),
        ({"time": np.array([0.0] * 11 + [np.inf])}, "row 11 is infinite"),
        ({"sample_weight": np.arange(12.0)}, "rows 0 and 1, which are of one sequence"),
        ({"labels": np.zeros(3)}, "labels must hold one value a row"),
    ],
)
def test_faults_are_told(how: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tacit.HiddenMarkovModel(2, random_state=0).fit(series()[0][:12], **how)


def test_more_states_than_rows_and_settings_that_do_not_go_together() -> None:
    rows = series()[0]
    with pytest.raises(ValueError, match="n_components = 5 states need as many rows"):
        tacit.HiddenMarkovModel(5).fit(rows[:3])
    with pytest.raises(ValueError, match="stickiness is a prior"):
        tacit.HiddenMarkovModel(2, objective="mle", stickiness=3.0).fit(rows)
    with pytest.raises(ValueError, match="does not exist; say 'left-right'"):
        tacit.HiddenMarkovModel(2, transitions="right-left").fit(rows)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        tacit.HiddenMarkovModel(2, max_iter=1, tol=0.0, random_state=0).fit(rows)


def test_select_chooses_the_number_of_states() -> None:
    rows, _ = series()
    found = tacit.select(
        rows, [1, 2, 3, 4], estimator=tacit.HiddenMarkovModel(covariance_type="full", n_init=2, random_state=0)
    )
    assert found.best.n_components == 3
    assert found.criterion == "bic"


def test_drawn_sequences_have_the_chain_of_the_model() -> None:
    model = fitted()
    rows, states = model.sample(50, 200, random_state=1)
    laid = states.reshape(200, 50)
    counts = np.zeros((3, 3))
    np.add.at(counts, (laid[:, :-1].ravel(), laid[:, 1:].ravel()), 1.0)
    np.testing.assert_allclose(counts / counts.sum(1, keepdims=True), model.transmat_, atol=0.04)
    for state in range(3):
        np.testing.assert_allclose(rows[states == state].mean(0), model.means_[state], atol=0.15)


def test_counts_of_one_state_are_scipys() -> None:
    counts = np.random.default_rng(0).poisson(4.0, (30, 1)).astype(float)
    model = tacit.HiddenMarkovModel(1, families="poisson", objective="mle").fit(counts)
    np.testing.assert_allclose(model.score_samples(counts), poisson(counts.mean()).logpmf(counts[:, 0]), rtol=1e-12)


def test_whole_sequences_are_kept_aside() -> None:
    rows, _ = series()
    six = SequencedRows(DenseRows(rows), np.repeat(list("abcdef"), 40), np.tile(np.arange(40), 6))
    models = {"chain": tacit.HiddenMarkovModel(3, n_init=1, random_state=0), "apart": tacit.Mixture(3, random_state=0)}
    found = tacit.compare(six, models, folds=3, random_state=0)
    assert found.best == "chain"
    parts = fold_of(six, 3, np.random.default_rng(0)).reshape(6, 40)
    assert (parts == parts[:, :1]).all()
    fitted, kept = apart(six, 0.2, np.random.default_rng(0))
    assert kept.size == 40
    assert np.intersect1d(fitted, kept).size == 0
    model = fitted_chain = models["chain"].fit(six)
    np.testing.assert_allclose(model.score_samples(six), fitted_chain.score_samples(rows, lengths=[40] * 6), atol=1e-12)
    alone = SequencedRows(DenseRows(rows[:30]), np.zeros(30))
    np.testing.assert_array_equal(apart(alone, 0.2, np.random.default_rng(0))[1], np.arange(24, 30))


def test_pictures_and_graphs() -> None:
    assert fitted().plot().axes
    assert fitted().forecast(3, series()[0]).plot().axes
    assert "z₋₁" in str(fitted().graph())
