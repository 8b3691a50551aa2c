"""Deep models that are put together, and not trained: a program of its own for every one of them is never compiled."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
import pytest

from tacit.inference import train


def _stay(
    state: Any, static: Any, batches: Any, order: Any, first: Any, last: Any, totals: dict[str, Any], *_: Any
) -> tuple[Any, dict[str, Any], Any]:
    """In place of the steps of a round: the parameters stay as they were drawn, and every figure is 0.

    What the steps would be given is what they take: arrays in single precision, as many weights as there are rows.
    """
    rows = jax.tree.leaves(batches.rows)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.model)} <= {np.dtype(np.float32)}
    assert all(leaf.shape[0] == batches.weights.shape[0] for leaf in rows)
    assert not {leaf.dtype for leaf in rows} & {np.dtype(object), np.dtype(np.float64), np.dtype(np.int64)}
    return state, totals | {"steps": np.float32(1.0)}, np.int32(-1)


@contextmanager
def untrained() -> Iterator[None]:
    """For tests of what does not depend on the parameters: words, sizes, formats, refusals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "run_steps", _stay)
        yield
