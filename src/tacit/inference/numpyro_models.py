"""NumPyro models as log-joints: their unconstrained potential, and the way back to their own parameters.

NumPyro is an extra; it is imported when a model of its kind is given.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import lazy_loader as lazy
import numpy as np
from jaxtyping import PyTree

numpyro = lazy.load("numpyro", error_on_import=False)


class Translated(NamedTuple):
    """A NumPyro model with the names and constants of its data bound to it."""

    log_joint: Callable[[PyTree, PyTree], Any]
    """Of the unconstrained parameters by site, and the arrays among the data, in nats."""
    arrays: PyTree
    start: dict[str, Any]
    """Unconstrained parameters to begin from."""
    constrain: Callable[[PyTree], dict[str, Any]]
    """The model's own parameters, deterministic sites included."""


def translated(model: Callable[..., Any], data: Any, seed: int) -> Translated:
    """A NumPyro model as a log-joint.

    Args:
        model: a function with NumPyro's primitives.
        data: a mapping of its keyword arguments, a tuple of its arguments, or its one argument; None: no argument.
        seed: where the search begins depends on it.

    Raises:
        ImportError: NumPyro is not there.
        ValueError: latent variables that are discrete, a plate that takes a part of the data, or no latent variable.
    """
    if isinstance(numpyro, lazy.DelayedImportErrorModule):
        raise ImportError(
            "infer takes a function without parameters= for a NumPyro model, which needs NumPyro: "
            "pip install 'tacit[numpyro]'. Of a log-joint of your own give parameters="
        )
    handlers, util = numpyro.handlers, numpyro.infer.util
    args, kwargs = _arguments(data)
    key = jax.random.key(seed)
    trace = handlers.trace(handlers.seed(model, key)).get_trace(*args, **kwargs)
    latent = [s for s in trace.values() if s["type"] == "sample" and not s["is_observed"]]
    for site in trace.values():
        if site["type"] == "plate" and site["args"][1] is not None and site["args"][1] < site["args"][0]:
            raise ValueError(f"plate {site['name']!r} takes a part of the data; leave subsample_size out")
    for site in latent:
        if site["fn"].support.is_discrete:
            raise ValueError(
                f"site {site['name']!r} is discrete: a guide moves continuous parameters; sum it out of the model "
                "(numpyro.distributions.MixtureSameFamily)"
            )
    if not latent:
        raise ValueError("the NumPyro model has no latent variable: every sample site is observed")
    found = util.initialize_model(jax.random.key_data(key), model, model_args=args, model_kwargs=kwargs)
    arrays, constants = eqx.partition((args, kwargs), eqx.is_array)

    def log_joint(free: PyTree, arrays: PyTree) -> Any:
        args, kwargs = eqx.combine(arrays, constants)
        return -util.potential_energy(model, args, kwargs, free)

    def constrain(free: PyTree) -> dict[str, Any]:
        return util.constrain_fn(model, args, kwargs, free, return_deterministic=True)

    return Translated(log_joint, jax.tree.map(np.asarray, arrays), dict(found.param_info.z), constrain)


def _arguments(data: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if data is None:
        return (), {}
    if isinstance(data, Mapping):
        return (), dict(data)
    return (tuple(data), {}) if isinstance(data, tuple) else ((data,), {})
