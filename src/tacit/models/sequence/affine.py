"""``x_t = C_t x_t−1 + d_t`` over many steps, in blocks of steps side by side.

The blocks are gone through at once from 0, with the matrices that carry what comes in through them; then what does come
in follows block by block, and is added. T steps take about 3 √T of NumPy's, and nothing is approximated.
"""

import numpy as np
from jaxtyping import Float

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
