"""Fitted models as ONNX graphs, of the plainest operators: what runs ONNX gives the same answers without tacit."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from tacit import export
from tacit.compute import LOG_2PI
from tacit.estimators.capabilities import Codes, can
from tacit.estimators.factors.factor_analysis import FactorAnalysis
from tacit.estimators.factors.pca import PCA
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.regression.bayesian_logistic import BayesianLogisticRegression
from tacit.export.onnx_nodes import OnnxGraph, Outputs, is_there
from tacit.export.parts import LINEAR, centres_of, gaussian_parts, linear_parts, logistic_parts

FLOAT, BOOL, DOUBLE = 1, 9, 11
"""Types, as ONNX numbers them."""


def to_onnx(model: BaseEstimator, *, part: str = "encoder") -> Any:
    """A fitted model as an ``onnx.ModelProto``, ``X`` float64 ``(n, d)`` in.

    A `GaussianMixture` gives ``log_density`` ``(n,)`` and ``probabilities`` ``(n, K)``, missing entries (NaN)
    integrated out. `KMeans` gives ``labels`` and ``distances``; a regression of a number or a count ``prediction``, of
    two classes ``probabilities`` ``(n, 2)``; `PCA` and `FactorAnalysis` ``scores`` of complete rows. A `VAE` of a table
    with fully connected layers gives ``codes`` ``(n, n_components)`` (`transform`), or, of codes ``X``, ``rows``
    ``(n, d)`` (`inverse_transform`).

    Needs ``pip install 'tacit[onnx]'``.

    Args:
        model: it.
        part: of a VAE: "encoder" or "decoder".

    Raises:
        ImportError: onnx is not there.
        TypeError: the model has no graph.
        ValueError: it has a component of noise, an exposure, more than two classes, or no such part.
    """
    if not is_there():
        raise ImportError("to_onnx needs onnx: pip install 'tacit[onnx]'")
    graph = OnnxGraph()
    if isinstance(model, GaussianMixture):
        dims, outputs = _mixture(graph, model)
    elif isinstance(model, KMeans):
        dims, outputs = _kmeans(graph, model)
    elif isinstance(model, LINEAR):
        dims, outputs = _linear(graph, model)
    elif isinstance(model, BayesianLogisticRegression):
        dims, outputs = _two_classes(graph, model)
    elif isinstance(model, PCA | FactorAnalysis):
        dims, outputs = _factors(graph, model)
    elif can(model, Codes):
        dims, outputs = export.onnx_networks.network(graph, model, part)
    else:
        raise TypeError(
            f"a {type(model).__name__} has no ONNX graph; GaussianMixture, KMeans, PCA, FactorAnalysis, VAE and "
            "regressions of a number, a count or two classes have"
        )
    return graph.model(dims, outputs)


def _mixture(graph: OnnxGraph, model: GaussianMixture) -> Outputs:
    """``log π_k + log N(x; μ_k, Σ_k)``, their logarithmic sum, and the shares of each."""
    parts = gaussian_parts(model)
    number, dims = parts.means.shape
    apart = graph.add("Sub", graph.wider("X", 1), graph.constant(parts.means[None]))  # [n, K, d]
    with np.errstate(divide="ignore"):
        log_weights = np.maximum(np.log(parts.weights), -1e300)
    if parts.diagonal:
        variances = np.diagonal(parts.covariances, axis1=1, axis2=2)
        square = graph.add("Mul", graph.add("Mul", apart, apart), graph.constant(-0.5 / variances[None]))
        each = graph.add("Add", square, graph.constant(-0.5 * (LOG_2PI + np.log(variances))[None]))
        there = graph.add("Where", graph.add("IsNaN", each), graph.constant(0.0), each)
        given = graph.total(there, 2)
    else:
        gaps = graph.add("Cast", graph.add("IsNaN", "X"), to=FLOAT)
        any_gap = graph.add("Cast", graph.add("ReduceMax", gaps, keepdims=0), to=BOOL)
        given = graph.chosen(
            any_gap,
            lambda branch: _with_gaps(branch, apart, gaps, parts.covariances),
            lambda branch: _complete(branch, apart, parts.covariances),
        )
    logs = graph.add("Add", given, graph.constant(log_weights[None]))
    axes = graph.constant([1], np.int64)
    top = graph.add("ReduceMax", logs, axes, keepdims=1)
    sums = graph.total(graph.add("Exp", graph.add("Sub", logs, top)), 1, keep=True)
    density = graph.add("Add", top, graph.add("Log", sums))
    graph.add("Squeeze", density, axes, output="log_density")
    graph.add("Exp", graph.add("Sub", logs, density), output="probabilities")
    return dims, [("log_density", ("n",)), ("probabilities", ("n", number))]


def _complete(graph: OnnxGraph, apart: str, covariances: np.ndarray) -> str:
    """``log N`` of complete rows ``x − μ`` ``[n, K, d]``: ``z = L⁻¹ (x − μ)``, and ``log|L⁻¹|``."""
    number, dims, _ = covariances.shape
    whitening = np.linalg.inv(np.linalg.cholesky(covariances))
    white = graph.add("MatMul", graph.constant(whitening[None]), graph.wider(apart, 3))  # [n, K, d, 1]
    square = graph.add("Mul", graph.add("Mul", white, white), graph.constant(-0.5))
    flat = graph.add("Reshape", square, graph.constant([0, number, dims], np.int64))
    half = np.log(np.diagonal(whitening, axis1=1, axis2=2)).sum(axis=1)
    return graph.add("Add", graph.total(flat, 2), graph.constant((half - dims * LOG_2PI / 2)[None]))


def _with_gaps(graph: OnnxGraph, apart: str, gaps: str, covariances: np.ndarray) -> str:
    """The same over the entries that a row has, by elimination, a column after the other.

    What is missing has mean 0, variance 1 and no covariance, which adds nothing but its constant.
    """
    dims = covariances.shape[1]
    seen = graph.add("Sub", graph.constant(1.0), graph.add("Cast", gaps, to=DOUBLE))  # [n, d]
    both = graph.add("Mul", graph.wider(seen, 1, 3), graph.wider(seen, 1, 2))  # [n, 1, d, d]
    alone = graph.add("Mul", graph.constant(np.eye(dims)), graph.wider(graph.add("Cast", gaps, to=DOUBLE), 1, 2))
    matrix = graph.add("Add", graph.add("Mul", graph.constant(covariances[None]), both), alone)  # [n, K, d, d]
    rest = graph.add("Where", graph.add("IsNaN", apart), graph.constant(0.0), apart)
    total = graph.add("Mul", graph.total(seen, 1, keep=True), graph.constant(-0.5 * LOG_2PI))  # [n, 1]
    for place in range(dims):
        column, value = graph.at(matrix, place), graph.at(rest, place)
        pivot = graph.at(column, place)
        square = graph.add("Div", graph.add("Mul", value, value), pivot)
        nats = graph.add("Mul", graph.add("Add", square, graph.add("Log", pivot)), graph.constant(-0.5))
        total = graph.add("Add", total, nats)
        if place + 1 < dims:
            share = graph.add("Div", column, graph.wider(pivot, 2))
            rest = graph.add("Sub", rest, graph.add("Mul", share, graph.wider(value, 2)))
            outer = graph.add("Mul", graph.wider(share, 3), graph.wider(column, 2))
            matrix = graph.add("Sub", matrix, outer)
    return total


def _kmeans(graph: OnnxGraph, model: KMeans) -> Outputs:
    """Distances over the entries that a row has, and the nearest centre."""
    centres = centres_of(model)
    apart = graph.add("Sub", graph.wider("X", 1), graph.constant(centres[None]))
    there = graph.add("Where", graph.add("IsNaN", apart), graph.constant(0.0), apart)
    distances = graph.add("Sqrt", graph.total(graph.add("Mul", there, there), 2), output="distances")
    nearest = graph.add("ArgMin", distances, axis=1, keepdims=0)
    graph.add("Identity", nearest, output="labels")
    return centres.shape[1], [("labels", ("n",)), ("distances", ("n", len(centres)))]


def _linear(graph: OnnxGraph, model: BaseEstimator) -> Outputs:
    parts = linear_parts(model)
    found = _sum(graph, parts.coefficients, parts.intercept)
    graph.add("Exp" if parts.exponential else "Identity", found, output="prediction")
    return parts.coefficients.size, [("prediction", ("n",))]


def _sum(graph: OnnxGraph, coefficients: np.ndarray, intercept: float) -> str:
    total = graph.add("MatMul", "X", graph.constant(coefficients))
    return graph.add("Add", total, graph.constant(intercept))


def _two_classes(graph: OnnxGraph, model: BayesianLogisticRegression) -> Outputs:
    """``E σ(u)`` of the Gaussian score u of a row."""
    parts = logistic_parts(model)
    dims = parts.coefficients.size
    mean = graph.add(
        "Add", graph.add("MatMul", "X", graph.constant(parts.coefficients)), graph.constant(parts.intercept)
    )
    rows = graph.add("Pad", "X", graph.constant([0, 0, 0, 1], np.int64), graph.constant(1.0)) if parts.ones else "X"
    moved = graph.add("MatMul", rows, graph.constant(parts.covariance))
    square = graph.total(graph.add("Mul", moved, rows), 1, keep=True)
    sd = graph.add("Sqrt", graph.add("Relu", square))
    scores = graph.add("Add", graph.wider(mean, 1), graph.add("Mul", sd, graph.constant(parts.points[None])))
    yes = graph.add("MatMul", graph.add("Sigmoid", scores), graph.constant(parts.shares[:, None]))
    no = graph.add("Sub", graph.constant(1.0), yes)
    graph.add("Concat", no, yes, axis=1, output="probabilities")
    return dims, [("probabilities", ("n", 2))]


def _factors(graph: OnnxGraph, model: PCA | FactorAnalysis) -> Outputs:
    """Scores of complete rows are affine in them: found at the origin and the unit rows, whatever the rotation."""
    dims = int(model.n_features_in_)
    origin = np.asarray(model.mean_, np.float64)
    probes = np.vstack([origin, origin + np.eye(dims) * _steps(origin)])
    names = vars(model).get("feature_names_in_")
    given = probes if names is None else {str(name): probes[:, place] for place, name in enumerate(names)}
    scores = np.asarray(model.transform(given), np.float64)
    slopes = (scores[1:] - scores[0]) / _steps(origin)[:, None]
    moved = graph.add("MatMul", graph.add("Sub", "X", graph.constant(origin[None])), graph.constant(slopes))
    graph.add("Add", moved, graph.constant(scores[:1]), output="scores")
    return dims, [("scores", ("n", scores.shape[1]))]


def _steps(origin: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(origin), 1.0)
