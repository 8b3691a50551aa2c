"""Floor 1: one mathematics for NumPy and JAX.

``xp`` is the array namespace of its arguments: `jax.numpy` where one of them is a JAX array (inside a compiled program
all are), else NumPy. So a function is written once; compiled it serves large data, and called as it is small ones, for
which compiling would take longer than computing. Beside it stand what the two do not have under one name: special
functions, triangular systems, loops.
"""

import functools
import operator
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from tacit import trees
from tacit.compute import Array, is_eager
from tacit.engine import JaxArray, is_loaded, jax, jax_special, jnp
from tacit.late import Late
from tacit.trees import Pytree as Pytree
from tacit.trees import static as static

_State = TypeVar("_State")
_P = ParamSpec("_P")
_R = TypeVar("_R")


_PLAIN = frozenset({np.ndarray, np.float64, np.bool_, np.int64, int, float, bool, type(None)})
"""Types that are known to be no JAX arrays, as nearly all arguments are where nothing is compiled."""


def traced(*values: Any) -> bool:
    """Whether one of some values, or of the entries of sequences among them, is a JAX array; not where all is eager."""
    if is_eager() or not is_loaded():
        return False
    for value in values:
        kind = type(value)
        if kind in _PLAIN:
            continue
        if isinstance(value, tuple | list):
            if traced(*value):
                return True
        elif isinstance(value, JaxArray):
            return True
    return False


@functools.cache
def upper_triangle(dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the entries on and above the diagonal (`numpy.triu_indices`)."""
    return np.triu_indices(dims)


def either(plain: Callable[..., Any], compiled: Callable[..., Any]) -> Callable[..., Any]:
    """The function of NumPy arrays and the one of JAX arrays, as one that looks at its arguments."""

    @functools.wraps(plain)
    def chosen(*args: Any, **kwargs: Any) -> Any:
        if is_eager():  # a small fit is made of such calls
            return plain(*args, **kwargs)
        return (compiled if traced(*args) else plain)(*args, **kwargs)

    return chosen


def written_once(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A formula of many operations over `xp`: a program calls it, and does not write it out wherever it is used."""
    program: list[Callable[..., Any]] = []

    def compiled(*args: Any, **kwargs: Any) -> Any:
        if not program:
            program.append(jax.jit(function))
        return program[0](*args, **kwargs)

    return either(function, compiled)


class _Namespace:
    """The functions that NumPy and `jax.numpy` have under one name."""

    def __init__(self, plain: Any, compiled: Any) -> None:
        self._plain, self._compiled = plain, compiled

    def __getattr__(self, name: str) -> Any:
        plain = getattr(self._plain, name)
        found = plain
        if isinstance(plain, types.ModuleType):
            found = _Namespace(plain, Late(functools.partial(operator.attrgetter(name), self._compiled)))
        elif callable(plain) and not isinstance(plain, type):
            found = either(plain, self._of_jax(name, plain))
        setattr(self, name, found)
        return found

    def _of_jax(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        """JAX's function of a name, found when it is called; what only NumPy has answers on the host."""
        return lambda *args, **kwargs: getattr(self._compiled, name, plain)(*args, **kwargs)


if TYPE_CHECKING:
    xp = jnp
    special = jax_special
else:
    xp = _Namespace(np, jnp)
    special = _Namespace(scipy.special, jax_special)


def filled(values: Float[Array, "*batch"]) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """The values with 0 where they are NaN, and 1 where they are none, else 0."""
    there = values == values
    if traced(values) or values.dtype != np.float64:
        return xp.where(there, values, 0.0), there.astype(values.dtype)
    kept = values.view(np.int64) & -there.astype(np.int64)  # all bits or none: no branch an entry, as a choice has
    return kept.view(np.float64), there.astype(np.float64)


def cholesky_factor(matrices: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Lower Cholesky factors; NaN of a matrix that is not positive definite."""
    if traced(matrices):
        return jnp.linalg.cholesky(matrices)
    try:
        return np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        flat = matrices.reshape(-1, *matrices.shape[-2:])
        return np.stack([_one_cholesky(one) for one in flat]).reshape(matrices.shape)


def _one_cholesky(matrix: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)


def eigh(matrices: Float[Array, "*batch d d"]) -> tuple[Float[Array, "*batch d"], Float[Array, "*batch d d"]]:
    """Eigenvalues, ascending, and eigenvectors of symmetric matrices; NaN of one that is not finite."""
    if traced(matrices):
        found = jnp.linalg.eigh(matrices)
        return found.eigenvalues, found.eigenvectors
    sound = np.asarray(np.isfinite(matrices).all((-1, -2)))
    values, vectors = np.linalg.eigh(np.where(sound[..., None, None], matrices, np.eye(matrices.shape[-1])))
    return np.where(sound[..., None], values, np.nan), np.where(sound[..., None, None], vectors, np.nan)


def inverse_triangle(factor: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """``L⁻¹`` of lower triangles."""
    eye = identity(factor.shape[-1], np.dtype(factor.dtype))
    return solve_triangle(factor, eye) if traced(factor) else _forward(factor, eye)


def solve_triangle(
    factor: Float[Array, "*batch d d"], right: Float[Array, "*more d columns"]
) -> Float[Array, "*most d columns"]:
    """``L⁻¹ B`` of lower triangles; the batches broadcast."""
    if factor.shape[:-2] != right.shape[:-2]:
        batch = np.broadcast_shapes(factor.shape[:-2], right.shape[:-2])
        factor = xp.broadcast_to(factor, (*batch, *factor.shape[-2:]))
        right = xp.broadcast_to(right, (*batch, *right.shape[-2:]))
    if traced(factor, right):
        return jax.lax.linalg.triangular_solve(jnp.asarray(factor), jnp.asarray(right), left_side=True, lower=True)
    return _forward(factor, right)


def _forward(factor: Array, right: Array) -> np.ndarray:
    """Forward substitution, one row at a time for all matrices of the batch."""
    shape = (*factor.shape[:-2], *right.shape[-2:])
    solved = np.empty(shape, np.result_type(factor, right))
    for i in range(factor.shape[-1]):
        known = factor[..., i, None, :i] @ solved[..., :i, :]
        solved[..., i, :] = (right[..., i, :] - known[..., 0, :]) / factor[..., i, i, None]
    return solved


def while_loop(unfinished: Callable[[_State], Any], step: Callable[[_State], _State], state: _State) -> _State:
    """``while unfinished(state): state = step(state)``; a compiled loop of JAX arrays."""
    if traced(*trees.leaves(state)):
        found: _State = jax.lax.while_loop(unfinished, step, state)
        return found
    while unfinished(state):
        state = step(state)
    return state


def over_items(step: Callable[[_State, Any], _State], state: _State, items: np.ndarray) -> _State:
    """``for item in items: state = step(state, item)``; a compiled loop of JAX arrays."""
    if traced(*trees.leaves(state)):
        found: _State = jax.lax.scan(lambda now, item: (step(now, item), None), state, items)[0]
        return found
    for item in items:
        state = step(state, item)
    return state


def map_items(function: Callable[[Any], Any], items: Any, *, at_once: bool = True) -> Any:
    """``function`` of every entry of trees of arrays; of JAX arrays all ``at_once`` (`jax.vmap`), or one by one."""
    leaves = trees.leaves(items)
    if traced(*leaves):
        return jax.vmap(function)(items) if at_once else jax.lax.map(function, items)
    found = [function(trees.map(lambda leaf, at=at: leaf[at], items)) for at in range(len(leaves[0]))]
    return trees.map(lambda *parts: np.stack(parts), *found)


def repeat(times: int, step: Callable[[_State], _State], state: _State) -> _State:
    """``step`` so many times; a compiled loop of JAX arrays."""
    if traced(*trees.leaves(state)):
        found: _State = jax.lax.fori_loop(0, times, lambda _, now: step(now), state)
        return found
    for _ in range(times):
        state = step(state)
    return state


def put(array: Array, *entries: tuple[tuple[Any, ...], Array | float]) -> Array:
    """A copy of the array with ``array[index] = values`` for every pair of them."""
    if traced(array, *(values for _, values in entries)):
        array = jnp.asarray(array)
        for index, values in entries:
            array = array.at[index].set(values)
        return array
    changed = array.copy()
    for index, values in entries:
        changed[index] = values
    return changed


@functools.cache
def identity(dims: int, dtype: np.dtype) -> np.ndarray:
    """The identity, not to be written to."""
    eye = np.eye(dims, dtype=dtype)
    eye.flags.writeable = False
    return eye


def spread(values: Float[Array, "*batch d"]) -> Float[Array, "*batch d d"]:
    """Diagonal matrices."""
    return values[..., None] * identity(values.shape[-1], np.dtype(values.dtype))


def logsumexp(logits: Float[Array, "... n"]) -> Float[Array, "..."]:
    """``log Σ exp`` over the last axis; −∞ where all are."""
    if traced(logits):
        return jax.nn.logsumexp(logits, axis=-1)
    top = logits.max(-1)
    safe = np.where(np.isfinite(top), top, 0.0)
    return safe + np.log(np.exp(logits - safe[..., None]).sum(-1))


def squared_norm(vectors: Float[Array, "... d"]) -> Float[Array, "..."]:
    """``Σ_j x_j²`` over the last axis."""
    if traced(vectors):
        return (vectors**2).sum(-1)
    found: np.ndarray = np.einsum("...d,...d->...", vectors, vectors)  # a sum over a short axis takes NumPy longer
    return found


def softmax(logits: Float[Array, "... n"]) -> Float[Array, "... n"]:
    """``exp(l) / Σ exp(l)`` over the last axis."""
    if traced(logits):
        return jax.nn.softmax(logits, axis=-1)
    lifted = np.exp(logits - logits.max(-1, keepdims=True))
    return lifted / lifted.sum(-1, keepdims=True)


def product(matrices: Float[Array, "*batch k f"], shared: Float[Array, "f n"]) -> Float[Array, "*batch k n"]:
    """``A B`` of many A and one B, as a single product."""
    if traced(matrices, shared):
        return matrices @ shared
    flat = matrices.reshape(-1, matrices.shape[-1]) @ shared
    return flat.reshape(*matrices.shape[:-1], shared.shape[-1])


def chosen(leaf: Array, order: Int[Array, "*starts chosen"]) -> Array:
    """Components by index, ``[K, ...]``, or of every start by its own, ``[starts, K, ...]``."""
    if order.ndim == 1:
        return leaf[order]
    return xp.take_along_axis(leaf, order.reshape(*order.shape, *(1,) * (leaf.ndim - order.ndim)), axis=1)
