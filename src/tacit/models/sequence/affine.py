"""``x_t = C_t x_t−1 + d_t`` over many steps, in blocks of steps side by side.

The blocks are gone through at once from 0, with the matrices that carry what comes in through them; then what does come
in follows block by block, and is added. T steps take about 3 √T of NumPy's, and nothing is approximated.
"""

import numpy as np
from jaxtyping import Float, Int

LONG = 256
"""Steps from which a run of one matrix is gone through with its powers."""
SHORT = 48
"""Steps up to which they are gone through one by one."""


def affine_scan(
    matrices: Float[np.ndarray, "steps batch n n"],
    added: Float[np.ndarray, "steps batch n columns"],
    first: Float[np.ndarray, "batch n columns"],
    *,
    reverse: bool = False,
) -> Float[np.ndarray, "steps batch n columns"]:
    """Every ``x_t``, from ``first`` before the first step; with ``reverse`` from the last step to the first."""
    if reverse:
        return affine_scan(matrices[::-1], added[::-1], first)[::-1]
    steps = len(added)
    if steps <= SHORT:
        return _one_by_one(matrices, added, first)
    length = round(np.sqrt(steps))
    blocks = -(-steps // length)
    own, through = _blocks(matrices, length, blocks, eye=True), _blocks(added, length, blocks, eye=False)
    local = np.empty_like(through)
    carried = np.empty_like(own)
    x = np.zeros(through.shape[1:])
    product = np.broadcast_to(np.eye(own.shape[-1]), own.shape[1:])
    for step in range(length):
        x = own[step] @ x + through[step]
        product = own[step] @ product
        local[step], carried[step] = x, product
    entering = np.empty((blocks, *first.shape))
    now = first
    for block in range(blocks):
        entering[block] = now
        now = carried[-1, block] @ now + local[-1, block]
    found = local + carried @ entering
    return np.swapaxes(found, 0, 1).reshape(blocks * length, *first.shape)[:steps]


def affine_runs(
    parts: Float[np.ndarray, "entries batch n n"],
    index: Int[np.ndarray, " steps"],
    added: Float[np.ndarray, "steps batch n columns"],
    first: Float[np.ndarray, "batch n columns"],
    *,
    reverse: bool = False,
) -> Float[np.ndarray, "steps batch n columns"]:
    """The same with ``C_t = parts[index[t]]``, where most steps may share one: its powers carry what comes in."""
    if reverse:
        return affine_runs(parts, index[::-1], added[::-1], first)[::-1]
    a, b = longest_run(index)
    if b - a < LONG or len(first) > 1:
        return affine_scan(parts[index], added, first)
    found = by_number(added.shape)
    found[:a] = affine_scan(parts[index[:a]], added[:a], first)
    _constant(parts[index[a], 0], added[a:b, 0], (found[a - 1] if a else first)[0], found[a:b, 0])
    found[b:] = affine_scan(parts[index[b:]], added[b:], found[b - 1])
    return found


def by_number(shape: tuple[int, ...]) -> Float[np.ndarray, "steps batch n columns"]:
    """An empty array whose numbers lie one behind the other over all steps: what a product over them reads in one."""
    steps, batch, n, columns = shape
    return np.empty((n, steps, batch, columns)).transpose(1, 2, 0, 3)


def longest_run(index: Int[np.ndarray, " steps"]) -> tuple[int, int]:
    """Where the longest run of equal entries begins and ends."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(index)) + 1, [len(index)]])
    longest = int(np.argmax(np.diff(edges)))
    return int(edges[longest]), int(edges[longest + 1])


def _constant(
    matrix: Float[np.ndarray, "n n"],
    added: Float[np.ndarray, "steps n columns"],
    first: Float[np.ndarray, "n columns"],
    found: Float[np.ndarray, "steps n columns"],
) -> None:
    """``x_t = C x_t−1 + d_t``, in blocks side by side, written to ``found``."""
    steps, n, columns = added.shape
    length = round(np.sqrt(steps))
    blocks = -(-steps // length)
    whole = steps // length
    wide = np.zeros((length, n, blocks, columns))
    wide[:, :, :whole] = added[: whole * length].reshape(whole, length, n, columns).transpose(1, 2, 0, 3)
    wide[: steps - whole * length, :, whole:] = added[whole * length :, :, None]
    local = wide.reshape(length, n, blocks * columns)
    powers = np.empty((length, n, n))
    powers[0] = matrix
    for step in range(1, length):
        local[step] += matrix @ local[step - 1]
        powers[step] = matrix @ powers[step - 1]
    entering, now, ends = np.empty((n, blocks, columns)), first, local[-1].reshape(n, blocks, columns)
    for block in range(blocks):
        entering[:, block] = now
        now = powers[-1] @ now + ends[:, block]
    local += powers @ entering.reshape(n, -1)
    laid = wide.transpose(2, 0, 1, 3)
    found[: whole * length].reshape(whole, length, n, columns)[:] = laid[:whole]
    if whole < blocks:
        found[whole * length :] = laid[whole, : steps - whole * length]


def _one_by_one(matrices: np.ndarray, added: np.ndarray, first: np.ndarray) -> np.ndarray:
    found = np.empty((len(added), *first.shape))
    now = first
    for step in range(len(added)):
        now = found[step] = matrices[step] @ now + added[step]
    return found


def _blocks(values: np.ndarray, length: int, blocks: int, *, eye: bool) -> np.ndarray:
    """``[length, blocks, …]``; what is lacking carries on what there is."""
    lack = length * blocks - len(values)
    if lack:
        shape = (lack, *values.shape[1:])
        filling = np.broadcast_to(np.eye(values.shape[-1]), shape) if eye else np.zeros(shape)
        values = np.concatenate([values, filling])
    return np.ascontiguousarray(np.swapaxes(values.reshape(blocks, length, *values.shape[1:]), 0, 1))
