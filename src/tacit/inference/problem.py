"""What `infer` is given, a log-joint or a NumPyro model with its data, as a log-joint on ℝᵈ with rows."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import lazy_loader as lazy
import numpy as np
from jaxtyping import PyTree

from tacit.compute import Array, double_precision, single_precision
from tacit.inference.coordinates import Coordinates

numpyro = lazy.load("numpyro", error_on_import=False)
"""An extra, imported when a model of its kind is given."""


class Problem(NamedTuple):
    """A log-joint in coordinates of ℝᵈ, with its rows."""

    joint: Callable[[Array, PyTree], tuple[Array, Array]]
    rows: PyTree
    number: int
    start: np.ndarray
    outputs: Callable[[Array], dict[str, Any]]
    """The model's own parameters by name, of one point."""


def problem_of(log_joint: Callable[..., Any], data: PyTree, parameters: PyTree, supports: PyTree, seed: int) -> Problem:
    """The problem that `infer` was given.

    Raises:
        ValueError: a log-joint of the wrong shape, a support that does not fit, or data that are no numbers.
    """
    if parameters is None:
        return _numpyro_problem(log_joint, data, seed)
    coordinates = Coordinates(parameters, supports)
    rows, number, by_row = _shape_of(log_joint, data, parameters)

    def joint(u: Array, rows: PyTree) -> tuple[Array, Array]:
        own, log_det = coordinates.constrain(u)
        if by_row:
            log_prior, log_likelihood = log_joint(own, rows)
            return log_prior + log_det, log_likelihood
        return log_det, log_joint(own, jax.tree.map(lambda leaf: leaf[0], rows))[None]

    def named(u: Array) -> dict[str, Any]:
        return coordinates.by_name(coordinates.constrain(u)[0])

    return Problem(joint, rows, number, coordinates.begin, named)


@single_precision  # NumPyro looks for a start outside of compiled code, where the two precisions must not meet
def _numpyro_problem(model: Callable[..., Any], data: PyTree, seed: int) -> Problem:
    found = translated(model, data, seed)
    free = Coordinates(found.start)

    def joint(u: Array, rows: PyTree) -> tuple[Array, Array]:
        value = found.log_joint(free.constrain(u)[0], jax.tree.map(lambda leaf: leaf[0], rows))
        return jnp.zeros((), u.dtype), value[None]

    return Problem(joint, _as_one(found.arrays), 1, free.begin, lambda u: found.constrain(free.constrain(u)[0]))


def _as_one(data: PyTree) -> PyTree:
    """All of the data as a single row."""
    laid = jax.tree.map(lambda leaf: leaf[None], data)
    return laid if jax.tree.leaves(laid) else np.zeros((1, 1))


@double_precision
def _shape_of(log_joint: Callable[..., Any], data: PyTree, parameters: PyTree) -> tuple[PyTree, int, bool]:
    """The rows that batches are taken of, their number, and whether the log-joint gives a number a row."""
    data = jax.tree.map(np.asarray, data)
    for leaf in jax.tree.leaves(data):
        if leaf.dtype.kind not in "biufc":
            raise ValueError(f"data must hold numbers only, got an array of {leaf.dtype}: code text as numbers first")
    own = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), parameters)
    shape = jax.eval_shape(log_joint, own, data)
    if isinstance(shape, tuple):
        lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(data)}
        if len(shape) != 2 or _said(shape[0]) != () or lengths != {_said(shape[1])}:
            raise ValueError(
                "a log-joint of two parts gives (log prior, log-likelihood of every row), a number and one a row of "
                f"the data; got {[_said(part) for part in shape]} of data with rows {sorted(lengths)}"
            )
        return data, shape[1].shape[0], True
    if _said(shape) != ():
        raise ValueError(f"log_joint must give one number, or (log prior, one a row); got {_said(shape)}")
    return _as_one(data), 1, False


def _said(part: object) -> object:
    """The shape of an array, the name of the type of what is none."""
    return part.shape if isinstance(part, jax.ShapeDtypeStruct) else type(part).__name__


class Translated(NamedTuple):
    """A NumPyro model with the names and constants of its data bound to it."""

    log_joint: Callable[[PyTree, PyTree], Any]
    """Of the unconstrained parameters by site, and the arrays among the data, in nats."""
    arrays: PyTree
    start: dict[str, Any]
    """Unconstrained parameters to begin from."""
    constrain: Callable[[PyTree], dict[str, Any]]
    """The model's own parameters, deterministic sites included."""


def translated(model: Callable[..., Any], data: PyTree, seed: int) -> Translated:
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


def _arguments(data: PyTree) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if data is None:
        return (), {}
    if isinstance(data, Mapping):
        return (), dict(data)
    return (tuple(data), {}) if isinstance(data, tuple) else ((data,), {})
