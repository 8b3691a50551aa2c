"""Floor 7: a fitted model on disk (safetensors and JSON, never pickle), run folders, checkpoints.

The names load at their first use: what a run says in words is read without loading what its model needs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
