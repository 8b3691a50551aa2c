"""ONNX graphs, run by onnxruntime, and scikit-learn's own mixture, against the models."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import onnxruntime
import pytest

import tacit


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """Three groups."""
    draw = np.random.default_rng(0)
    return draw.normal(np.repeat([[0.0, 0, 0, 5], [6, -3, 1, 5], [-5, 2, 9, 5]], 60, axis=0), 1.0)


def run(model: Any, rows: np.ndarray, **options: Any) -> list[np.ndarray]:
    """What the graph of a model gives."""
    session = onnxruntime.InferenceSession(tacit.to_onnx(model, **options).SerializeToString())
    return session.run(None, {"X": rows})


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical", "VEV", "EEI"])
def test_mixtures_give_the_same_densities(points: np.ndarray, kind: str) -> None:
    model = tacit.GaussianMixture(3, covariance_type=kind, random_state=0).fit(points)
    density, shares = run(model, points)
    np.testing.assert_allclose(density, model.score_samples(points), atol=1e-9)
    np.testing.assert_allclose(shares, model.predict_proba(points), atol=1e-9)
    far = points[:1] + 1e4
    np.testing.assert_allclose(run(model, far)[0], model.score_samples(far), rtol=1e-9)


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
def test_gaps_are_integrated_out(points: np.ndarray, kind: str) -> None:
    model = tacit.GaussianMixture(3, covariance_type=kind, random_state=0).fit(points)
    rows = points.copy()
    rows[::2, 1] = rows[::3, 2] = rows[::5, 0] = np.nan
    rows[7] = np.nan
    density, shares = run(model, rows)
    np.testing.assert_allclose(density, model.score_samples(rows), atol=1e-9)
    np.testing.assert_allclose(shares, model.predict_proba(rows), atol=1e-9)


def test_clusters_are_found_with_gaps(points: np.ndarray) -> None:
    rows = points.copy()
    rows[::2, 1] = rows[::3, 2] = np.nan
    clusters = tacit.KMeans(3, random_state=0).fit(points)
    np.testing.assert_array_equal(run(clusters, rows)[0], clusters.predict(rows))


@pytest.mark.parametrize("intercept", [True, False])
def test_probabilities_are_those_of_the_logistic_regression(points: np.ndarray, intercept: bool) -> None:
    y = np.where(points[:, 0] + np.random.default_rng(2).normal(0.0, 4.0, len(points)) > 1.0, "a", "b")
    model = tacit.BayesianLogisticRegression(fit_intercept=intercept, n_draws=0).fit(points, y)
    rows = np.concatenate([points, 1e3 * points[:5]])
    np.testing.assert_allclose(run(model, rows)[0], model.predict_proba(rows), atol=1e-10)


@pytest.mark.parametrize("activation", ["gelu", "silu", "softplus"])
def test_networks_encode_and_decode_the_same(points: np.ndarray, activation: str) -> None:
    made = tacit.VAE(2, network="mlp", hidden=(8,), activation=activation, max_epochs=1, random_state=0)
    model = made.fit(100.0 * points)
    rows = 100.0 * points
    rows[::3, 1] = np.nan
    codes = model.transform(rows)
    np.testing.assert_allclose(run(model, rows)[0], codes, atol=1e-5)
    decoded = run(model, codes.astype(np.float64), part="decoder")[0]
    np.testing.assert_allclose(decoded, model.inverse_transform(codes), rtol=1e-5, atol=1e-3)


def test_counts_bits_and_points_too(points: np.ndarray) -> None:
    few = {"network": "mlp", "hidden": (8,), "max_epochs": 1, "random_state": 0}
    for model, rows in (
        (tacit.VAE(2, likelihood="poisson", posterior="full", activation="relu", **few), np.round(np.abs(points))),
        (tacit.VAE(2, likelihood="bernoulli", activation="tanh", **few), (points > 1.0).astype(float)),
        (tacit.AutoEncoder(2, **few), points),
    ):
        codes = model.fit(rows).transform(rows)
        np.testing.assert_allclose(run(model, rows)[0], codes, atol=1e-5)
        decoded = run(model, codes.astype(np.float64), part="decoder")[0]
        np.testing.assert_allclose(decoded, model.inverse_transform(codes), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="encoder"):
        tacit.to_onnx(model, part="both")


def test_factors_clusters_and_regressions_too(points: np.ndarray) -> None:
    clusters = tacit.KMeans(3, random_state=0).fit(points)
    np.testing.assert_allclose(run(clusters, points)[1], clusters.transform(points), atol=1e-9)
    for model in (tacit.PCA(2), tacit.FactorAnalysis(2, rotation="varimax")):
        model.fit(points)
        np.testing.assert_allclose(run(model, points)[0], model.transform(points), atol=1e-9)
    y = points @ [1.0, 2.0, -1.0, 0.5]
    linear = tacit.BayesianLinearRegression().fit(points, y + np.random.default_rng(1).normal(size=y.size))
    np.testing.assert_allclose(run(linear, points)[0], linear.predict(points), atol=1e-9)


def test_what_has_no_graph_is_said(points: np.ndarray) -> None:
    with pytest.raises(TypeError, match="no ONNX"):
        tacit.to_onnx(tacit.HiddenMarkovModel(2))
    own = tacit.VAE(2, encoder=eqx.nn.Linear(4, 4, key=jax.random.key(0)), max_epochs=1, random_state=0).fit(points)
    with pytest.raises(TypeError, match="fully connected"):
        tacit.to_onnx(own)
    with pytest.raises(ValueError, match="noise"):
        tacit.to_onnx(tacit.GaussianMixture(2, noise=True, random_state=0).fit(points))


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical", "VEV", "VVI"])
def test_scikit_learns_mixture_gives_the_same(points: np.ndarray, kind: str) -> None:
    model = tacit.GaussianMixture(3, covariance_type=kind, random_state=0).fit(points)
    theirs = model.to_sklearn()
    np.testing.assert_allclose(theirs.score_samples(points), model.score_samples(points), atol=1e-9)
    np.testing.assert_array_equal(theirs.predict(points), model.predict(points))
    assert theirs.sample(4)[0].shape == (4, 4)
