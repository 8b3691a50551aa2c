"""What is expected in Python: frames and pictures of results, hints, scikit-learn's names, errors that name columns."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.mixture import GaussianMixture as Theirs

import tacit
from tacit.data.results import TableResult
from tacit.inference import watch as watching

ROWS = np.random.default_rng(0).normal(size=(80, 2)) + np.repeat([[0.0, 0.0], [5.0, 5.0]], 40, axis=0)


@pytest.fixture(scope="module")
def mixture():
    return tacit.GaussianMixture(2, random_state=0).fit(ROWS)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("GausianMixture", "GaussianMixture"), ("kmeans", "KMeans"), ("PoisonRegression", "PoissonRegression")],
)
def test_a_misspelt_name_is_met_with_the_nearest(wrong, right):
    with pytest.raises(AttributeError, match=f"Did you mean '{right}'"):
        getattr(tacit, wrong)
    with pytest.raises(AttributeError):
        _ = tacit.nothing_like_any_of_them
    assert not hasattr(tacit, "__nowhere__")


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_the_private_methods_of_scikit_learn(covariance):
    ours = tacit.GaussianMixture(2, covariance_type=covariance, random_state=0).fit(ROWS)
    theirs = Theirs(2, covariance_type=covariance)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(theirs, name, getattr(ours, name))
    assert ours._n_parameters() == theirs._n_parameters()
    np.testing.assert_allclose(ours._estimate_log_weights(), theirs._estimate_log_weights(), rtol=1e-12)
    for name in ("_estimate_log_prob", "_estimate_weighted_log_prob"):
        np.testing.assert_allclose(getattr(ours, name)(ROWS), getattr(theirs, name)(ROWS), rtol=1e-9)
    for one, other in zip(ours._estimate_log_prob_resp(ROWS), theirs._estimate_log_prob_resp(ROWS), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def results(mixture):
    posterior = tacit.Posterior({"a": ROWS, "b": ROWS[:, 0]}, {"a": ["column"]}, {"column": ["x", "y"]})
    yield tacit.select(ROWS, range(1, 3), ["EEE"], n_init=2, random_state=0)
    yield tacit.compare(ROWS, {"one": tacit.GaussianMixture(1), "two": mixture}, folds=2, random_state=0)
    yield tacit.coverage(mixture, ROWS)
    yield tacit.Calibration.from_scores(mixture.score_samples(ROWS))
    yield posterior
    yield tacit.BayesianLinearRegression(method="variational").fit(ROWS, ROWS[:, 0]).verdict_
    yield mixture.marginal([0, 1])
    yield mixture.condition({0: [1.0, 2.0]})
    yield mixture.explain(ROWS[0])


def test_results_are_frames_and_pictures(mixture):
    for found in results(mixture):
        assert isinstance(found, TableResult)
        frame = found.to_pandas()
        assert list(frame.columns) == found.to_polars().columns == found.to_arrow().column_names
        assert len(frame) == found.to_polars().height
        assert "<table>" in found._repr_html_()
        if not isinstance(found, tacit.Explanation):
            assert isinstance(found.plot(), Figure)


def test_the_numbers_of_a_posterior_by_name():
    posterior = tacit.Posterior({"a": ROWS, "b": ROWS[:, 0]}, {"a": ["column"]}, {"column": ["x", "y"]})
    frame = posterior.to_pandas().set_index("parameter")
    assert list(frame.index) == ["a[x]", "a[y]", "b"]
    np.testing.assert_allclose(frame["mean"], [*ROWS.mean(axis=0), ROWS[:, 0].mean()])
    np.testing.assert_allclose(frame["95 %"].iloc[2], np.quantile(ROWS[:, 0], 0.95))


def test_texts_in_a_result_stand_as_texts():
    posterior = tacit.Posterior({"<script>": ROWS[:, 0]})
    assert "<script>" not in posterior._repr_html_()


def test_graphs_and_estimators_draw_themselves(mixture):
    assert mixture.graph()._repr_svg_().startswith("<svg")
    rows = np.random.default_rng(0).poisson(3.0, (40, 3))
    for model in (
        mixture,
        tacit.KMeans(2, random_state=0).fit(ROWS),
        tacit.PoissonRegression().fit(ROWS, rows[:, 0].repeat(2)),
        tacit.LatentDirichletAllocation(2, max_iter=3, random_state=0).fit(rows),
    ):
        assert isinstance(model.plot(ROWS if isinstance(model, tacit.KMeans) else None), Figure)
    assert isinstance(mixture.plot(ROWS), Figure)


def test_codes_and_topics_have_names():
    model = tacit.VAE(2, hidden=(4,), max_epochs=1, random_state=0).fit(ROWS)
    assert model.get_feature_names_out().tolist() == ["vae0", "vae1"]
    frame = model.set_output(transform="pandas").transform(ROWS)
    assert list(frame.columns) == ["vae0", "vae1"]
    counts = np.random.default_rng(0).poisson(3.0, (40, 5))
    topics = tacit.ProdLDA(2, hidden=(4,), max_epochs=1, random_state=0).fit(counts)
    assert topics.get_feature_names_out().tolist() == ["prodlda0", "prodlda1"]
    assert list(topics.set_output(transform="pandas").transform(counts).columns) == ["prodlda0", "prodlda1"]


@pytest.mark.parametrize(
    "column", [["Oslo"] * 80, pd.date_range("2020-01-01", periods=80), pd.to_timedelta(np.arange(80), "D")]
)
@pytest.mark.parametrize(
    "model",
    [
        tacit.GaussianMixture(),
        tacit.KMeans(2),
        tacit.VAE(2),
        tacit.BayesianLinearRegression(),
        tacit.StudentTRegression(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_text_and_dates_are_named(model, column):
    frame = pd.DataFrame({"size": ROWS[:, 0], "place of birth": column})
    with pytest.raises(
        ValueError, match=r"'place of birth' holds (texts.*tacit\.Mixture|dates.*\.days|durations.*hours)"
    ):
        model.fit(frame, ROWS[:, 0])
    with pytest.raises(ValueError, match="column 1 holds text"):
        model.fit(np.array([[1.0, "a"], [2.0, "b"]], dtype=object), [1.0, 2.0])


def test_texts_that_are_numbers_are_numbers():
    tacit.GaussianMixture().fit(pd.DataFrame({"a": [str(value) for value in ROWS[:, 0]]}))


def test_progress_in_a_notebook(monkeypatch, capsys):
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    (line,) = watching.watchers()
    seen = watching.Progress("Fit", 3, 10, -1.5, 1, 1, 5.0, None)
    line.look(seen)
    line.done(seen)
    said = capsys.readouterr().err
    assert "Fit: iteration 3/10" in said
    assert "\033" not in said
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert watching.watchers() == ()


@pytest.mark.parametrize(
    "model",
    [
        tacit.StudentTRegression(dof=4.0, verbose=1),
        tacit.LeastAbsoluteDeviations(verbose=1),
        tacit.PoissonRegression(verbose=1),
        tacit.GaussianMixture(2, verbose=1),
        tacit.KMeans(2, verbose=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_verbose_says_how_it_goes(model, capsys):
    model.fit(ROWS, np.abs(ROWS[:, 0]))
    assert capsys.readouterr().out
