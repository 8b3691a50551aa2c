"""Masked networks: what the outputs see, with fewer hidden units than inputs, and without a hidden layer."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tacit.compute import double_precision
from tacit.families.masked import MaskedLayers


@pytest.mark.parametrize("hidden", [(), (3,), (4, 4), (30,)])
def test_every_output_sees_what_comes_before_it_and_the_context(hidden: tuple[int, ...]) -> None:
    network = MaskedLayers(9, hidden, 1, key=jax.random.key(0), context=2, last=1.0)
    x, context = np.random.default_rng(0).normal(size=(9,)), jnp.array([0.3, -0.7])
    with jax.disable_jit():
        seen = np.asarray(jax.jacobian(lambda x: network(x, context)[0])(x))
        told = np.asarray(jax.jacobian(lambda c: network(x, c)[0])(context))
    assert (np.triu(seen) == 0).all()
    assert (seen[-1, :-1] != 0).sum() >= min(len(seen) - 1, *(hidden or (9,)))
    assert seen[-1, -2] != 0  # the last but one input is seen, however few the units
    assert (told != 0).any(1).all()
    rows = network(np.stack([x, x], -1), jnp.stack([context, 2 * context]))
    np.testing.assert_allclose(rows[..., 0], network(x, context), rtol=1e-5)
    draws = network(np.stack([x, x, x], -1)[..., None], jnp.stack([context, 2 * context]))
    assert draws.shape == (1, 9, 3, 2)


@double_precision
def test_slopes_are_those_of_small_steps_forward_and_back() -> None:
    network = MaskedLayers(3, (8, 8), 2, key=np.random.default_rng(0), last=1.0, residual=True, activation="silu")
    x = np.random.default_rng(1).normal(size=(3, 5))
    outs = jax.jit(lambda weights, x: eqx.tree_at(lambda n: n.weights, network, weights)(x, None))
    check_grads(outs, (network.weights, x), order=2, modes=["fwd", "rev"], atol=1e-5, rtol=1e-5)
