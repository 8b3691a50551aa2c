"""Floor 7: fitted models in other tools: SQL text, ONNX."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["onnx_graph", "onnx_networks", "onnx_nodes", "parts", "sql"]
)
