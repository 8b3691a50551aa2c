"""Posteriors of several modes: what an approximation does not reach is found, measured and said."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from tacit import infer
from tacit.estimators.infer import Inferred


def _two_modes(distance: float, share: float, dims: int = 1) -> Any:
    centre = jnp.zeros(dims).at[0].set(distance)

    def log_joint(p: Any, _: Any) -> Any:
        parts = jnp.stack([-0.5 * jnp.sum((p["x"] - centre) ** 2), -0.5 * jnp.sum((p["x"] + centre) ** 2)])
        return logsumexp(parts, b=jnp.array([share, 1.0 - share]))

    return log_joint


def _inferred(log_joint: Any, dims: int) -> Inferred:
    return infer(log_joint, None, {"x": np.full(dims, 0.3)}, guide="full-rank", restarts=1, n_draws=1000)


@pytest.mark.parametrize(("distance", "share", "dims"), [(4.0, 0.5, 1), (10.0, 0.5, 3)])
def test_another_mode_is_found_with_its_share(distance: float, share: float, dims: int) -> None:
    found = _inferred(_two_modes(distance, share, dims), dims)
    in_upper = found.posterior.draws["x"][:, 0].mean() > 0
    assert found.verdict.missed == pytest.approx(1.0 - share if in_upper else share, abs=0.08)
    assert found.verdict.reliable is False
    words = str(found)
    assert "Not usable as it is" in words
    assert "agree" not in words


def test_one_mode_is_not_flagged() -> None:
    found = _inferred(lambda p, _: -0.5 * jnp.sum(p["x"] ** 2), 3)
    assert found.verdict.reliable
    assert found.verdict.missed < 0.02
    assert "Searches from 12 places far from it found no other mode that matters" in str(found)
