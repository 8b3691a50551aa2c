"""What sequences, classes of answers, mixtures of regressions and queries must not get wrong in silence."""

import numpy as np
import pytest

import tacit
from tacit.estimators.query.figures import figures
from tacit.estimators.sequence.forecasts import Forecast
from tacit.models.gated.statistics import class_fit
from tacit.workflow.forecasting import _lines
from tacit.workflow.querying import _with

RANDOM = np.random.default_rng(0)
STATES = np.repeat([0, 1, 0, 1, 0, 1], 20)
ROWS = RANDOM.normal(size=(120, 2)) + 4.0 * STATES[:, None]
GROUPS = np.repeat(["c", "a", "b"], 40)


def hidden_markov(**settings):
    return tacit.HiddenMarkovModel(2, n_init=1, random_state=0, **settings)


class TestSequences:
    def test_criteria_take_sequences_and_inputs(self):
        model = hidden_markov().fit(ROWS, groups=GROUPS)
        apart = model.score(ROWS, groups=GROUPS)
        assert model.bic(ROWS, groups=GROUPS) == pytest.approx(-2 * apart + model.n_parameters_ * np.log(120))
        assert model.aic(ROWS, lengths=[40, 40, 40]) == pytest.approx(-2 * apart + 2 * model.n_parameters_)
        walk, inputs = np.cumsum(RANDOM.normal(size=(40, 1)), 0), RANDOM.normal(size=(40, 1))
        space = tacit.LinearGaussianStateSpace(preset="local level", n_init=1, tol=1e-3).fit(walk, U=inputs)
        score = space.score(walk, U=inputs)
        assert space.aic(walk, U=inputs) == pytest.approx(-2 * score + 2 * space.n_parameters_)
        with pytest.raises(ValueError, match="give future_U="):
            space.forecast(2)

    def test_forecasts_of_the_fit_are_named_as_its_sequences(self):
        model = hidden_markov().fit(ROWS, groups=GROUPS)
        assert model.forecast(1).sequences == ("c", "a", "b")
        assert model.forecast(1, ROWS, groups=GROUPS).sequences == ("c", "a", "b")
        level = tacit.LinearGaussianStateSpace(preset="local level", n_init=1, tol=1e-3).fit(ROWS, groups=GROUPS)
        assert level.forecast(1).sequences == ("c", "a", "b")

    def test_labels_that_transitions_rule_out_are_refused(self):
        labels = np.full(120, -1.0)
        labels[[30, 50]] = 1, 0
        with pytest.raises(ValueError, match="row 50 is in state 0, which transitions rule out"):
            hidden_markov(transitions="left-right").fit(ROWS, labels=labels)
        hidden_markov(transitions="left-right", tol=1.0).fit(ROWS, lengths=[40, 80], labels=np.minimum(labels, 0))
        labels = np.where(np.arange(120) == 40, 1.0, np.nan)
        with pytest.raises(ValueError, match="row 40 is in state 1"):  # the first of a sequence
            hidden_markov(transitions="left-right").fit(ROWS, lengths=[40, 80], labels=labels)

    @pytest.mark.parametrize(
        "mask", [[[np.nan, 1], [1, 1]], [["a", "b"], ["a", "b"]], [[1], [1, 1]], [[-1, 1], [1, 1]]]
    )
    def test_masks_that_are_none_are_refused(self, mask):
        with pytest.raises(ValueError, match="transitions must be a table of True and False"):
            hidden_markov(transitions=mask).fit(ROWS)

    def test_labels_that_are_no_numbers_are_refused(self):
        with pytest.raises(ValueError, match="labels must be numbers of states, 0 to 1"):
            hidden_markov().fit(ROWS, labels=["rest"] * 120)

    def test_nothing_follows_from_an_impossible_sequence_and_this_is_said(self):
        model = hidden_markov(objective="mle", transitions=[[0, 1], [1, 0]]).fit({"a": ["x", "y"] * 20})
        with pytest.warns(UserWarning, match="sequence 'odd' is impossible"):
            found = model.forecast(2, {"a": ["x", "y", "x", "x"]}, groups=["even", "even", "odd", "odd"])
        assert np.isfinite(found.states[0]).all()
        assert np.isnan(found.states[1]).all()

    def test_times_of_a_zone_are_read_without_a_word(self):
        times = [f"2024-03-0{1 + day}T12:00:00+01:00" for day in range(4)]
        pandas = pytest.importorskip("pandas")
        order = [2, 0, 3, 1]
        zoned = pandas.to_datetime(pandas.Series(times)).iloc[order]
        model = hidden_markov(tol=1.0).fit(ROWS)
        scores = model.score_samples(ROWS[:4][order], time=zoned)
        assert np.allclose(scores, model.score_samples(ROWS[:4])[order])

    def test_columns_that_are_named_as_those_of_a_forecast_are_kept(self):
        names = ("sequence", "state", "x", "x low")
        ends = np.arange(8.0).reshape(1, 2, 4)
        found = Forecast(names, ("one",), ends, ends, ends - 1, ends + 1, 0.9, states=np.full((1, 2, 2), np.nan))
        table = _lines(found, None)
        assert table.column("sequence").to_pylist() == [0.0, 4.0]
        assert table.column("sequence (forecast)").to_pylist() == ["one", "one"]
        assert table.column("state (forecast)").to_pylist() == [None, None]
        assert table.column("x low").to_pylist() == [3.0, 7.0]
        assert table.column("x low (forecast)").to_pylist() == [1.0, 5.0]
        assert table.num_columns == 3 + 3 * 4

    @pytest.mark.parametrize("number", [0, 2.5, "two"])
    def test_numbers_of_draws_are_whole(self, number):
        model = hidden_markov(tol=1.0).fit(ROWS)
        for ask in (lambda: model.sample(number), lambda: model.impute(ROWS, number)):
            with pytest.raises(ValueError, match="must be a whole number of at least 1"):
                ask()


def answers(rows=400):
    age = RANDOM.normal(size=rows)
    inside = RANDOM.random(rows) < 1 / (1 + np.exp(-age))
    held = {f"q{j}": np.where(RANDOM.random(rows) < np.where(inside, 0.85, 0.2), "y", "n") for j in range(4)}
    return held, age


class TestClasses:
    def test_standard_errors_do_not_depend_on_the_units_of_a_covariate(self):
        held, age = answers()
        found = []
        for scale, shift in ((1.0, 0.0), (1e6, 0.0), (1.0, 1e5)):
            table = held | {"age": scale * age + shift}
            model = tacit.LatentClass(2, covariates=["age"], n_init=2, random_state=0).fit(table)
            errors = model.class_errors(table)
            found.append(
                np.array([errors.coefficients[0, 1] * scale, *errors.shares, *errors.probabilities[0].ravel()])
            )
        assert np.allclose(found[1], found[0], rtol=1e-4)
        assert np.allclose(found[2], found[0], rtol=1e-3)

    def test_a_covariate_far_from_zero_has_its_effect(self):
        held, age = answers()
        near = tacit.LatentClass(2, covariates=["age"], n_init=2, random_state=0).fit(held | {"age": age})
        far = tacit.LatentClass(2, covariates=["age"], n_init=2, random_state=0).fit(held | {"age": age + 1.7e9})
        assert far.log_likelihood_ == pytest.approx(near.log_likelihood_, abs=1e-4)
        assert far.coefficients_[0, 1] == pytest.approx(near.coefficients_[0, 1], rel=1e-4)

    def test_a_covariate_that_cannot_be_told_counts_for_nothing_and_is_said(self):
        held, age = answers()
        plain = tacit.LatentClass(2, covariates=["age"], n_init=2, random_state=0).fit(held | {"age": age})
        for more in (np.full(age.size, 3.5), 2.0 * age + 1.0):
            table = held | {"age": age, "more": more}
            with pytest.warns(UserWarning, match="'more' cannot be told from the others"):
                model = tacit.LatentClass(2, covariates=["age", "more"], n_init=2, random_state=0).fit(table)
            assert model.n_parameters_ == plain.n_parameters_
            assert model.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-5)
            assert np.isnan(model.class_errors(table).coefficients[0, 2])

    def test_classes_that_the_answers_cannot_tell_have_no_standard_errors(self):
        held, _ = answers()
        three = {name: held[name] for name in ("q0", "q1", "q2")}
        model = tacit.LatentClass(4, n_init=1, random_state=0).fit(three)
        assert model.fit_statistics(three).degrees_of_freedom < 0
        assert np.isnan(model.class_errors(three).shares).all()

    def test_a_prior_is_refused_where_covariates_leave_none(self):
        held, age = answers(50)
        with pytest.raises(ValueError, match="objective='map'"):
            tacit.LatentClass(2, covariates=["age"], objective="map").fit(held | {"age": age})

    def test_what_needs_a_distribution_of_covariates_is_refused(self):
        held, age = answers(50)
        table = held | {"age": age}
        model = tacit.LatentClass(2, covariates=["age"], n_init=1, random_state=0).fit(table)
        asks = {
            "sample": lambda: model.sample(3),
            "impute": lambda: model.impute(table),
            "marginal": lambda: model.marginal(["q0"]),
            "condition": lambda: model.condition({0: 1}),
            "query": lambda: model.query("P(q0 = y)"),
            "standard_errors": lambda: model.standard_errors(table),
            "partial_fit": lambda: model.partial_fit(table),
        }
        for name, ask in asks.items():
            with pytest.raises(ValueError, match=f"{name} needs a distribution of all columns"):
                ask()
        plain = tacit.LatentClass(2, n_init=1, random_state=0).fit(held)
        assert plain.sample(3)[0].shape == (3, 4)

    @pytest.mark.parametrize(("named", "said"), [(0.5, "neither"), ([1, "q1"], "twice"), ("agee", "'age'"), (9, "9")])
    def test_covariates_that_are_none_are_refused(self, named, said):
        held, age = answers(50)
        with pytest.raises(ValueError, match=said):
            tacit.LatentClass(2, covariates=named).fit(held | {"age": age})
        model = tacit.LatentClass(1, covariates=np.int64(4), n_init=1).fit(held | {"age": age})
        assert model.covariate_names_ == ("intercept", "age")

    def test_deviances_hold_where_a_row_is_one_of_very_many(self):
        items = RANDOM.integers(2, size=(30, 1500)).astype(float)
        log_prob = np.full((30, 2), -1500 * np.log(2.0))
        found = class_fit(-1.0, 3, items, np.ones(30), np.full(1500, 2), log_prob, np.full((30, 2), 0.5))
        assert found.g2 == pytest.approx(2 * 30 * (1500 * np.log(2.0) - np.log(30)))
        few, shares = items[:, :1], np.full((30, 2), 0.5)
        impossible = class_fit(-1.0, 3, few, np.ones(30), np.array([2]), np.full((30, 2), -np.inf), shares)
        assert impossible.g2 == np.inf


class TestRegressions:
    def rows(self):
        x = RANDOM.normal(size=200)
        return x, np.where(RANDOM.random(200) < 0.5, 1 + 2 * x, -3 - x) + 0.3 * RANDOM.normal(size=200)

    def test_standard_errors_do_not_depend_on_units(self):
        x, y = self.rows()
        found = []
        for scale, shift, height in ((1.0, 0.0, 1.0), (1e6, 0.0, 1.0), (1.0, 1e5, 1.0), (1.0, 0.0, 1e6)):
            X = (scale * x + shift)[:, None]
            model = tacit.RegressionMixture(2, n_init=3, random_state=0).fit(X, height * y)
            sd = model.coefficient_table(X, height * y).to_arrow().column("sd").to_numpy()
            found.append(sd[1::2] * scale / height)
        assert np.allclose(found, found[0], rtol=1e-4)

    def test_a_column_that_cannot_be_told_counts_for_nothing(self):
        x, y = self.rows()
        plain = tacit.RegressionMixture(2, n_init=3, random_state=0).fit(x[:, None], y)
        for more in (np.full(200, 7.0), 2.0 * x):
            X = np.column_stack([x, more])
            model = tacit.RegressionMixture(2, n_init=3, random_state=0).fit(X, y)
            assert model.n_parameters_ == plain.n_parameters_
            assert np.isnan(model.coefficient_table(X, y).to_arrow().column("sd").to_numpy()[2])

    def test_targets_are_checked_where_they_are_scored(self):
        x, _ = self.rows()
        counts = RANDOM.poisson(np.exp(1 + 0.3 * x)).astype(float)
        model = tacit.RegressionMixture(1, family="poisson", n_init=1).fit(x[:, None], counts)
        for wrong in (1.5, -1.0):
            with pytest.raises(ValueError, match="is of counts"):
                model.log_predictive([[0.0]], [wrong])

    def test_criteria_take_weights(self):
        x, y = self.rows()
        weights = np.where(np.arange(200) < 50, 2.0, 1.0)
        model = tacit.RegressionMixture(2, n_init=2, random_state=0).fit(x[:, None], y, sample_weight=weights)
        twice = np.concatenate([x, x[:50]])[:, None], np.concatenate([y, y[:50]])
        assert model.bic(x[:, None], y, weights) == pytest.approx(model.bic(*twice))
        assert model.aic(x[:, None], y, weights) == pytest.approx(model.aic(*twice))


class TestQueries:
    def test_the_group_may_be_asked_where_rows_are_drawn(self):
        rows = np.concatenate([RANDOM.normal(size=(80, 4)), RANDOM.normal(size=(80, 4)) + 2.0])
        model = tacit.GaussianMixture(2, n_init=1, random_state=0).fit(rows)
        rows = model.sample(200_000)[0]
        wanted = model.predict_proba(rows[(rows[:, 1:] > 1).all(1)]).mean(0)
        found = model.query("P(group | x1 > 1, x2 > 1, x3 > 1)")
        assert not found.exact
        assert np.allclose(list(found.value.values()), wanted, atol=0.02)
        assert model.query("mode(group | x1 > 1, x2 > 1, x3 > 1)").value == str(1 + int(wanted.argmax()))
        last = figures(model, "x1 > 1, x2 > 1, x3 > 1", None)[-1]
        assert np.allclose(list(last.levels.values()), wanted, atol=0.02)

    def test_what_is_known_beside_goes_behind_the_bar_and_no_other(self):
        assert _with("P(x > 1)", ["c=2"]) == "P(x > 1 | c=2)"
        assert _with("P(x > 1 | y < 2 or y > 3)", ["c=2"]) == "P(x > 1 | (y < 2 or y > 3), c=2)"
        assert _with("P(`a|b` > 1)", ["c=2"]) == "P(`a|b` > 1 | c=2)"
        assert _with("P(a|b > 1 | d = 1)", ["c=2"], ["a|b"]) == "P(a|b > 1 | (d = 1), c=2)"


def test_a_chain_from_left_to_right_begins_with_pieces_of_the_sequences() -> None:
    """States 1 and 3 look alike, so that no grouping of rows tells them apart."""
    random = np.random.default_rng(0)
    lengths, rows = [], []
    for _ in range(8):
        own = [m + 0.5 * random.normal(size=(int(random.integers(8, 14)), 1)) for m in (0.0, 3.0, 0.0, 3.0)]
        rows += own
        lengths.append(sum(map(len, own)))
    X = np.concatenate(rows)
    bounds = {}
    for method in ("varied", "segments", "random_from_data"):
        model = tacit.HiddenMarkovModel(4, transitions="left-right", init_params=method, n_init=2, random_state=0)
        bounds[method] = model.fit(X, lengths=lengths).lower_bound_
    assert bounds["segments"] == pytest.approx(bounds["varied"], abs=1e-4)
    assert bounds["varied"] >= bounds["random_from_data"] - 1e-6
    path = tacit.HiddenMarkovModel(4, transitions="left-right", n_init=1, random_state=0).fit(X, lengths=lengths)
    truth = np.concatenate([np.full(len(part), at % 4) for at, part in enumerate(rows)])
    assert (path.predict(X, lengths=lengths) == truth).mean() > 0.95
