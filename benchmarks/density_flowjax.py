"""A flow of flowjax, at the rate and in the batches of its own training; only that package is needed."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax
from flowjax.bijections import RationalQuadraticSpline
from flowjax.distributions import StandardNormal
from flowjax.flows import masked_autoregressive_flow
from paramax import NonTrainable, unwrap

Fitting = tuple[Callable[[], None], Callable[[np.ndarray], np.ndarray], Callable[[], None], Callable[[], None]]


def fitting(kind: str) -> Callable[[np.ndarray], Fitting]:
    """Of "RQS", the masked autoregressive flow of splines."""
    assert kind == "RQS", kind
    return flowjax_spline


def flowjax_spline(learned: np.ndarray) -> Fitting:
    """Its masked autoregressive flow of splines, and the rate and batches of its ``fit_to_data``."""
    spline = RationalQuadraticSpline(knots=8, interval=4)
    dims = learned.shape[1]
    flow = masked_autoregressive_flow(jax.random.key(0), base_dist=StandardNormal((dims,)), transformer=spline)
    adam, random = optax.adam(5e-4), np.random.default_rng(0)
    leaf: Any = lambda each: isinstance(each, NonTrainable)  # noqa: E731
    moved, static = eqx.partition(flow, eqx.is_inexact_array, is_leaf=leaf)
    now = {"moved": moved, "state": adam.init(moved), "kept": moved}

    @eqx.filter_jit
    def step(moved: Any, state: Any, x: Any) -> Any:
        slope = eqx.filter_grad(lambda each: -unwrap(eqx.combine(each, static)).log_prob(x).mean())(moved)
        change, state = adam.update(slope, state, moved)
        return eqx.apply_updates(moved, change), state

    log_prob = eqx.filter_jit(lambda moved, x: unwrap(eqx.combine(moved, static)).log_prob(x))

    def epoch() -> None:
        order = random.permutation(len(learned))
        for index in np.array_split(order[: len(order) // 100 * 100], len(order) // 100):
            now["moved"], now["state"] = step(now["moved"], now["state"], learned[index])
        jax.block_until_ready(now["moved"])

    return (
        epoch,
        lambda x: np.asarray(log_prob(now["moved"], x)),
        lambda: now.update(kept=now["moved"]),
        lambda: now.update(moved=now["kept"]),
    )
