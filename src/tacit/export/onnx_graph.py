"""Fitted models as ONNX graphs, of the plainest operators: what runs ONNX gives the same answers without tacit."""

from collections.abc import Sequence
from typing import Any

import lazy_loader as lazy
import numpy as np
from sklearn.base import BaseEstimator

from tacit.compute import LOG_2PI
from tacit.estimators.factors.factor_analysis import FactorAnalysis
from tacit.estimators.factors.pca import PCA
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.export.parts import LINEAR, centres_of, gaussian_parts, linear_parts

onnx = lazy.load("onnx", error_on_import=False)

OPSET, IR = 18, 9
"""Versions that runtimes of the last years read."""


def to_onnx(model: BaseEstimator) -> Any:
    """A fitted model as an ``onnx.ModelProto``, ``X`` float64 ``(n, d)`` in.

    A `GaussianMixture` gives ``log_density`` ``(n,)`` and ``probabilities`` ``(n, K)``; missing entries (NaN) are
    integrated out where the covariances are diagonal, and with full ones rows are complete. `KMeans` gives
    ``labels`` and ``distances``; a regression of a number or a count ``prediction``; `PCA` and `FactorAnalysis`
    ``scores``.

    Needs ``pip install 'tacit[onnx]'``.

    Raises:
        ImportError: onnx is not there.
        TypeError: the model has no graph.
        ValueError: it has a component of noise, or an exposure.
    """
    if isinstance(onnx, lazy.DelayedImportErrorModule):
        raise ImportError("to_onnx needs onnx: pip install 'tacit[onnx]'")
    graph = _Graph()
    if isinstance(model, GaussianMixture):
        dims, outputs = _mixture(graph, model)
    elif isinstance(model, KMeans):
        dims, outputs = _kmeans(graph, model)
    elif isinstance(model, LINEAR):
        dims, outputs = _linear(graph, model)
    elif isinstance(model, PCA | FactorAnalysis):
        dims, outputs = _factors(graph, model)
    else:
        raise TypeError(
            f"a {type(model).__name__} has no ONNX graph; GaussianMixture, KMeans, PCA, FactorAnalysis and regressions "
            "of a number or a count have"
        )
    return graph.model(dims, outputs)


class _Graph:
    """Nodes and constants, named as they come."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """An array that is part of the graph."""
        name = f"c{len(self._constants)}"
        self._constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(np.asarray(values, dtype)), name))
        return name

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node; the name of its output."""
        name = output or f"n{len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def total(self, value: str, axis: int, *, keep: bool = False, output: str | None = None) -> str:
        """The sum over an axis."""
        axes = self.constant([axis], np.int64)
        return self.add("ReduceSum", value, axes, keepdims=int(keep), output=output)

    def model(self, dims: int, outputs: Sequence[tuple[str, tuple[Any, ...]]]) -> Any:
        """The whole, checked."""
        kinds = {"labels": onnx.TensorProto.INT64}
        made = [
            onnx.helper.make_tensor_value_info(name, kinds.get(name, onnx.TensorProto.DOUBLE), shape)
            for name, shape in outputs
        ]
        given = onnx.helper.make_tensor_value_info("X", onnx.TensorProto.DOUBLE, ("n", dims))
        graph = onnx.helper.make_graph(self._nodes, "tacit", [given], made, self._constants)
        found = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="tacit"
        )
        onnx.checker.check_model(found)
        return found


Outputs = tuple[int, list[tuple[str, tuple[Any, ...]]]]


def _mixture(graph: _Graph, model: GaussianMixture) -> Outputs:
    """``log π_k + log N(x; μ_k, Σ_k)``, their logarithmic sum, and the shares of each."""
    parts = gaussian_parts(model)
    number, dims = parts.means.shape
    rows = graph.add("Unsqueeze", "X", graph.constant([1], np.int64))  # [n, 1, d]
    apart = graph.add("Sub", rows, graph.constant(parts.means[None]))
    with np.errstate(divide="ignore"):
        log_weights = np.maximum(np.log(parts.weights), -1e300)
    if parts.diagonal:
        variances = np.diagonal(parts.covariances, axis1=1, axis2=2)
        square = graph.add("Mul", graph.add("Mul", apart, apart), graph.constant(-0.5 / variances[None]))
        each = graph.add("Add", square, graph.constant(-0.5 * (LOG_2PI + np.log(variances))[None]))
        there = graph.add("Where", graph.add("IsNaN", each), graph.constant(0.0), each)
        logs = graph.add("Add", graph.total(there, 2), graph.constant(log_weights[None]))
    else:
        whitening = np.linalg.inv(np.linalg.cholesky(parts.covariances))  # z = L⁻¹ (x − μ), and log|L⁻¹|
        column = graph.add("Unsqueeze", apart, graph.constant([3], np.int64))  # [n, K, d, 1]
        white = graph.add("MatMul", graph.constant(whitening[None]), column)
        square = graph.add("Mul", graph.add("Mul", white, white), graph.constant(-0.5))
        flat = graph.add("Reshape", square, graph.constant([0, number, dims], np.int64))
        half = np.log(np.diagonal(whitening, axis1=1, axis2=2)).sum(axis=1)
        logs = graph.add("Add", graph.total(flat, 2), graph.constant((log_weights + half - dims * LOG_2PI / 2)[None]))
    axes = graph.constant([1], np.int64)
    top = graph.add("ReduceMax", logs, axes, keepdims=1)
    sums = graph.total(graph.add("Exp", graph.add("Sub", logs, top)), 1, keep=True)
    density = graph.add("Add", top, graph.add("Log", sums))
    graph.add("Squeeze", density, axes, output="log_density")
    graph.add("Exp", graph.add("Sub", logs, density), output="probabilities")
    return dims, [("log_density", ("n",)), ("probabilities", ("n", number))]


def _kmeans(graph: _Graph, model: KMeans) -> Outputs:
    """Distances over the entries that a row has, and the nearest centre."""
    centres = centres_of(model)
    rows = graph.add("Unsqueeze", "X", graph.constant([1], np.int64))
    apart = graph.add("Sub", rows, graph.constant(centres[None]))
    there = graph.add("Where", graph.add("IsNaN", apart), graph.constant(0.0), apart)
    distances = graph.add("Sqrt", graph.total(graph.add("Mul", there, there), 2), output="distances")
    nearest = graph.add("ArgMin", distances, axis=1, keepdims=0)
    graph.add("Identity", nearest, output="labels")
    return centres.shape[1], [("labels", ("n",)), ("distances", ("n", len(centres)))]


def _linear(graph: _Graph, model: BaseEstimator) -> Outputs:
    parts = linear_parts(model)
    total = graph.add("MatMul", "X", graph.constant(parts.coefficients))
    found = graph.add("Add", total, graph.constant(parts.intercept))
    graph.add("Exp" if parts.exponential else "Identity", found, output="prediction")
    return parts.coefficients.size, [("prediction", ("n",))]


def _factors(graph: _Graph, model: PCA | FactorAnalysis) -> Outputs:
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
