"""The two networks of a variational auto-encoder as ONNX graphs."""

from typing import Any

import numpy as np

from tacit.estimators.vae.answers import DeepAnswers
from tacit.export.onnx_nodes import OnnxGraph, Outputs
from tacit.models.vae.likelihoods import BernoulliLikelihood, NormalLikelihood, PoissonLikelihood
from tacit.models.vae.model import DeepLatent
from tacit.models.vae.networks import MLP
from tacit.models.vae.posteriors import Diagonal, Full, Point


def network(graph: OnnxGraph, model: Any, part: str) -> Outputs:
    """The encoder or the decoder of a model of a table with fully connected layers.

    Raises:
        TypeError: its parts are others.
        ValueError: it has no such part.
    """
    if not isinstance(model, DeepAnswers) or not isinstance(model._model(), DeepLatent):
        raise TypeError(f"a {type(model).__name__} has no ONNX graph of its codes")
    if len(model.event_shape_) != 1 or model.conditions_.width or model.binarize is not None:
        raise TypeError("an ONNX graph is of a VAE of a table without conditions")
    if part == "encoder":
        return _encoder(graph, model)
    if part == "decoder":
        return _decoder(graph, model)
    raise ValueError(f"part is 'encoder' or 'decoder', not {part!r}")


def _encoder(graph: OnnxGraph, model: DeepAnswers) -> Outputs:
    """The mean of q(z|x)."""
    deep = model._model()
    if type(deep.posterior_kind) not in (Diagonal, Full, Point):
        raise TypeError(f"a posterior of kind {type(deep.posterior_kind).__name__} has no ONNX graph")
    value = "X"
    for view in (model.view_, deep.view):
        if view is not None:
            value = graph.add("Sub", value, graph.constant(view.shift))
            value = graph.add("Div", value, graph.constant(view.scale))
    value = graph.add("Where", graph.add("IsNaN", value), graph.constant(0.0), value)
    found = _layers(graph, value, deep.encoder)
    axes = [graph.constant([each], np.int64) for each in (0, model.n_components, 1)]
    graph.add("Slice", found, *axes, output="codes")
    return int(model.event_shape_[0]), [("codes", ("n", model.n_components))]


def _decoder(graph: OnnxGraph, model: DeepAnswers) -> Outputs:
    """``E[x|z]`` in the user's units."""
    deep = model._model()
    likelihood, dims = deep.likelihood, int(model.event_shape_[0])
    found = _layers(graph, "X", deep.decoder)
    whole = graph.add("Reshape", found, graph.constant([0, dims, -1], np.int64))
    mean = graph.at(whole, 0)
    if isinstance(likelihood, BernoulliLikelihood):
        mean = graph.add("Sigmoid", mean)
    elif isinstance(likelihood, PoissonLikelihood):
        mean = graph.add("Exp", mean)
    elif not isinstance(likelihood, NormalLikelihood):
        raise TypeError(f"a {type(likelihood).__name__} has no ONNX graph")
    wide = graph.add("Mul", mean, graph.constant(np.broadcast_to(model.view_.scale, (dims,))))
    graph.add("Add", wide, graph.constant(np.broadcast_to(model.view_.shift, (dims,))), output="rows")
    return int(model.n_components), [("rows", ("n", dims))]


def _layers(graph: OnnxGraph, value: str, layers: Any) -> str:
    if not isinstance(layers, MLP):
        raise TypeError(f"an ONNX graph is of fully connected layers, and there is a {type(layers).__name__}")
    for place, layer in enumerate(layers.layers):
        value = _active(graph, value, layers.activation) if place else value
        value = graph.add("MatMul", value, graph.constant(np.asarray(layer.weight).T))
        value = graph.add("Add", value, graph.constant(layer.bias))
    return value


def _active(graph: OnnxGraph, value: str, kind: str) -> str:
    """As `tacit.models.vae.networks.ACTIVATIONS` has it."""
    if kind in ("relu", "tanh"):
        return graph.add(kind.capitalize(), value)
    if kind == "silu":
        return graph.add("Mul", value, graph.add("Sigmoid", value))
    if kind == "softplus":
        falling = graph.add("Exp", graph.add("Neg", graph.add("Abs", value)))
        return graph.add(
            "Add", graph.add("Relu", value), graph.add("Log", graph.add("Add", falling, graph.constant(1.0)))
        )
    cube = graph.add("Mul", graph.add("Mul", value, value), graph.add("Mul", value, graph.constant(0.044715)))
    inner = graph.add("Mul", graph.add("Add", value, cube), graph.constant(np.sqrt(2.0 / np.pi)))
    share = graph.add("Add", graph.add("Tanh", inner), graph.constant(1.0))
    return graph.add("Mul", graph.add("Mul", value, share), graph.constant(0.5))
