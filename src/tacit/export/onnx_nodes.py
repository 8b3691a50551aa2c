"""ONNX graphs as they are built: nodes, constants, branches."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import lazy_loader as lazy
import numpy as np

onnx = lazy.load("onnx", error_on_import=False)

OPSET, IR = 18, 9
"""Versions that runtimes of the last years read."""
Outputs = tuple[int, list[tuple[str, tuple[Any, ...]]]]
"""The width of the rows that go in; the names and shapes of what comes out."""


def is_there() -> bool:
    """Whether onnx is installed."""
    return not isinstance(onnx, lazy.DelayedImportErrorModule)


class OnnxGraph:
    """Nodes and constants, named as they come."""

    def __init__(self, outer: "OnnxGraph | None" = None) -> None:
        """A graph, or a branch of another, which sees what that has."""
        self._nodes: list[Any] = []
        self._constants: list[Any] = [] if outer is None else outer._constants
        self._numbers: itertools.count[int] = itertools.count() if outer is None else outer._numbers

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """An array that is part of the graph."""
        name = f"c{len(self._constants)}"
        self._constants.append(onnx.numpy_helper.from_array(np.array(values, dtype, order="C"), name))
        return name

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node; the name of its output."""
        name = output or f"n{next(self._numbers)}"
        self._nodes.append(onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def total(self, value: str, axis: int, *, keep: bool = False, output: str | None = None) -> str:
        """The sum over an axis."""
        axes = self.constant([axis], np.int64)
        return self.add("ReduceSum", value, axes, keepdims=int(keep), output=output)

    def wider(self, value: str, *axes: int) -> str:
        """With axes of length 1."""
        return self.add("Unsqueeze", value, self.constant(axes, np.int64))

    def at(self, value: str, place: int) -> str:
        """One entry of the last axis, which goes."""
        return self.add("Gather", value, self.constant(place, np.int64), axis=-1)

    def chosen(
        self, condition: str, then: "Callable[[OnnxGraph], str]", otherwise: "Callable[[OnnxGraph], str]"
    ) -> str:
        """What one of two branches gives."""
        branches = {}
        for name, build in (("then_branch", then), ("else_branch", otherwise)):
            branch = OnnxGraph(self)
            found = onnx.helper.make_tensor_value_info(build(branch), onnx.TensorProto.DOUBLE, None)
            branches[name] = onnx.helper.make_graph(branch._nodes, name, [], [found])
        return self.add("If", condition, **branches)

    def model(self, dims: int, outputs: Sequence[tuple[str, tuple[Any, ...]]]) -> Any:
        """The whole, checked; ``X`` goes in."""
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
