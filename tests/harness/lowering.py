"""One context of MLIR for many programs.

JAX makes a new one for every program that it lowers, and loads all dialects into it: for the small programs of a test
that is a fifth of all they cost.
"""

import threading

from jax._src.interpreters import mlir

_MOST_PROGRAMS = 64
"""Programs to a context, which keeps the constants of all of them."""
_make = mlir.make_ir_context


class _Kept(threading.local):
    """The context of a thread, and how many programs were lowered in it."""

    context: mlir.ir.Context | None = None
    programs = 0


_kept = _Kept()


def _context() -> mlir.ir.Context:
    if _kept.context is None or _kept.programs == _MOST_PROGRAMS:
        _kept.context, _kept.programs = _make(), 0
    _kept.programs += 1
    return _kept.context


def keep_contexts() -> None:
    """From now on this process lowers its programs in few contexts."""
    mlir.make_ir_context = _context
