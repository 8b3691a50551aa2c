"""Floor 0: JAX and Equinox, loaded when something of them is asked for.

They take longer to load than a small table to fit, which is done with NumPy alone. What is written over both NumPy and
JAX, and is needed for such a fit, takes them from here: ``from tacit.engine import eqx, jax, jnp``. No other package
sees a module that is half there: whoever imports JAX imports it as ever, and this file is told (`when_loaded`).

Precision is set here too, because a scope may be opened before JAX is there to be told.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import lazy_loader
import numpy as np
from jaxtyping import Key, UInt32

from tacit import late

__all__ = [
    "Array",
    "EqxModule",
    "JaxArray",
    "PRNGKeyArray",
    "PyTree",
    "eqx",
    "is_array",
    "is_double",
    "is_loaded",
    "jax",
    "jax_special",
    "jnp",
    "precision",
    "tell_precision",
    "when_loaded",
]

_load, _, _ = lazy_loader.attach(
    __name__, submod_attrs={"of_jax": ["jax", "jnp", "jax_special"], "of_equinox": ["eqx"]}
)
_FOUND: dict[str, ModuleType] = {}
"""The modules that were asked for, and JAX as soon as it is there."""


def _asked(name: str) -> ModuleType:
    """A module of which something is asked."""
    if name not in _FOUND:
        _FOUND[name] = _load(name)
    tell_precision()
    return _FOUND[name]


class _Known:
    """Whether JAX is loaded, by whomever, and what waits for it."""

    def __init__(self) -> None:
        self.loaded = False
        self._lock = threading.RLock()
        self._waiting: list[Callable[[], None]] = []

    def wait(self, told: Callable[[], None]) -> None:
        with self._lock:
            if not self.loaded:
                self._waiting.append(told)
                return
        told()

    def tell(self) -> None:
        with self._lock:
            _FOUND["jax"] = sys.modules["jax"]
            for told in self._waiting:
                told()
            self._waiting.clear()
            self.loaded = True
        tell_precision()


_KNOWN = _Known()
when_loaded = _KNOWN.wait
"""Have a function called as soon as JAX is loaded; now, if it is."""


def is_loaded() -> bool:
    """Whether JAX is loaded: before it is, nothing is an array of its."""
    return _KNOWN.loaded


class _ArrayType(type):
    """The type of what stands for the arrays of both: one class to ask costs less than three in every annotation."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _ARRAYS)

    def __subclasscheck__(cls, other: type) -> bool:
        return cls in other.__mro__ or issubclass(other, _ARRAYS)


if TYPE_CHECKING:
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import jax.scipy.special as jax_special
    from jaxtyping import PRNGKeyArray, PyTree

    JaxArray = jax.Array
    EqxModule = eqx.Module
    Array = jax.Array | np.ndarray
else:
    eqx, jax, jnp, jax_special = (late.Late(partial(_asked, name)) for name in ("eqx", "jax", "jnp", "jax_special"))

    JaxArray, EqxModule = late.class_of("jax", "Array"), late.class_of("equinox", "Module")

    class Array(metaclass=_ArrayType):
        """An array of NumPy or JAX, or a number that NumPy has added up, which has a shape too."""

    PRNGKeyArray = Key[JaxArray, ""] | UInt32[JaxArray, "2"]
    PyTree = Any

_ARRAYS = (np.ndarray, np.generic, JaxArray)


def is_array(value: object) -> bool:
    """Whether a value is an array of NumPy or JAX."""
    return isinstance(value, _ARRAYS)


class _Scopes(threading.local):
    """The scopes of precision of a thread of which JAX has not been told, the outermost first."""

    def __init__(self) -> None:
        self.untold: list[tuple[contextlib.ExitStack, bool]] = []


_SCOPES = _Scopes()


@contextlib.contextmanager
def precision(double: bool) -> Iterator[None]:
    """A scope in which JAX's arrays have 64 bits, or 32, in this thread; JAX is told when it is loaded."""
    with contextlib.ExitStack() as scope:
        _SCOPES.untold.append((scope, double))
        if _KNOWN.loaded:
            tell_precision()
        try:
            yield
        finally:
            if _SCOPES.untold and _SCOPES.untold[-1][0] is scope:
                _SCOPES.untold.pop()


def tell_precision() -> None:
    """Open in JAX the scopes of this thread that it has not been told of."""
    while _KNOWN.loaded and _SCOPES.untold:
        scope, double = _SCOPES.untold.pop(0)
        scope.enter_context(_FOUND["jax"].enable_x64(double))


def is_double() -> bool:
    """Whether JAX's arrays have 64 bits here."""
    if _KNOWN.loaded:
        tell_precision()
        return bool(_FOUND["jax"].dtypes.canonicalize_dtype(np.float64) == np.float64)
    return bool(_SCOPES.untold) and _SCOPES.untold[-1][1]


late.when_loaded("jax", _KNOWN.tell)
