"""Loops over steps that keep what every step gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool

from tacit import trees
from tacit.arrays import traced, xp
from tacit.compute import Array
from tacit.engine import jax

Step = Callable[[Any, Any], tuple[Any, Any]]
"""From the state and an item to the next state and what is kept."""


def scan(step: Step, state: Any, items: Any, *, reverse: bool = False) -> tuple[Any, Any]:
    """The last state, and what was kept of every item, stacked in the order of the items.

    A compiled loop of JAX arrays; of NumPy arrays a plain one, which writes into arrays made once.
    """
    leaves, kind = jax.tree.flatten(items)
    if traced(*leaves, *trees.leaves(state)):
        return jax.lax.scan(step, state, items, reverse=reverse)
    number = len(leaves[0])
    kept: list[np.ndarray] = []
    shape: Any = None
    for at in range(number - 1, -1, -1) if reverse else range(number):
        state, found = step(state, jax.tree.unflatten(kind, [leaf[at] for leaf in leaves]))
        parts, shape = jax.tree.flatten(found)
        if not kept:
            kept = [np.empty((number, *np.shape(part)), np.asarray(part).dtype) for part in parts]
        for whole, part in zip(kept, parts, strict=True):
            whole[at] = part
    return state, jax.tree.unflatten(shape, kept)


def before(first: Array, kept: Array) -> Array:
    """What stood before every step: what was kept of the one before it, and ``first`` before all."""
    return xp.concatenate([first[None], kept[:-1]])


def afresh(begins: Bool[Array, " lanes"], begin: Any, onward: Array) -> Array:
    """``begin`` in the lanes where a sequence begins, else what goes on; few steps have any."""
    if not traced(begins) and not np.any(begins):
        return onward
    if onward.shape[-1] != begins.shape[-1]:  # every state that a lane may begin in, side by side
        begins = xp.tile(begins, onward.shape[-1] // begins.shape[-1])
    return xp.where(begins, begin, onward)
