"""The parts of a deep model, chosen by name or by the data: likelihood, prior, posterior, objective, networks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tacit.data.blocks import Standardise
from tacit.inference.objectives import (
    Elbo,
    ImportanceWeighted,
    MaximumMeanDiscrepancy,
    Objective,
    Renyi,
    TotalCorrelation,
)
from tacit.models.vae.likelihoods import (
    LIKELIHOODS,
    CategoricalLikelihood,
    Columns,
    DiscretisedLogisticLikelihood,
    Likelihood,
    NormalLikelihood,
)
from tacit.models.vae.model import DeepLatent, Rows
from tacit.models.vae.networks import MLP, ConvDecoder, ConvEncoder
from tacit.models.vae.posteriors import POSTERIORS, Posterior
from tacit.models.vae.priors import MixtureOfGaussians, Prior, StandardNormal, VampPrior

OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "elbo": Elbo,
    "iwae": ImportanceWeighted,
    "renyi": Renyi,
    "beta-tcvae": TotalCorrelation,
    "infovae": MaximumMeanDiscrepancy,
}
PRIORS = ("normal", "mixture", "vamp")
NETWORKS = ("auto", "mlp", "conv", "residual")
BINARIZE = ("stochastic", "threshold")
PRIOR_COMPONENTS = 32
LEAST_SIDE = 8
"""Pixels of an image's shorter side from which on convolutions are taken."""


class Reading(eqx.Module):
    """From rows as they are stored to rows as the likelihood takes them: 8-bit levels as shares, pixels drawn."""

    levels: bool = eqx.field(static=True)
    binarize: str | None = eqx.field(static=True)

    def __call__(self, rows: Rows, key: Any) -> Rows:
        x = rows.x.astype(jnp.float32)
        if self.levels:
            x = x / 255.0
        if self.binarize == "threshold":
            x = jnp.where(jnp.isnan(x), x, (x > 0.5).astype(jnp.float32))
        elif self.binarize == "stochastic":
            drawn = (jax.random.uniform(key, x.shape) < x).astype(jnp.float32)
            x = jnp.where(jnp.isnan(x), x, drawn)
        return Rows(x, rows.given)


def choose_likelihood(asked: Any, x: np.ndarray, binarize: str | None) -> Likelihood:
    """The likelihood by name, as given, or by the values: 0/1, 8-bit levels, shares of 1, real numbers.

    Raises:
        ValueError: a name that does not exist.
    """
    if isinstance(asked, Likelihood):
        return asked
    if isinstance(asked, (list, tuple)):
        return columns_of(asked)
    if asked != "auto":
        if asked not in LIKELIHOODS:
            raise ValueError(
                f"likelihood must be 'auto', one of {', '.join(map(repr, LIKELIHOODS))}, a list with one a column, or "
                f"a Likelihood; got {asked!r}"
            )
        return LIKELIHOODS[asked]()
    if binarize is not None:
        return LIKELIHOODS["bernoulli"]()
    seen = x[~np.isnan(x)] if x.dtype.kind == "f" else x
    if np.isin(seen, (0, 1)).all():
        return LIKELIHOODS["bernoulli"]()
    if x.dtype == np.uint8:
        return LIKELIHOODS["discretised-logistic"]()
    if seen.min() >= 0 and seen.max() <= 1:
        return LIKELIHOODS["continuous-bernoulli"]()
    return LIKELIHOODS["normal" if x.ndim > 2 else "normal-per-entry"]()


def columns_of(names: Sequence[Any]) -> Columns:
    """A likelihood a column: names, ("categorical", levels), or likelihoods; equal ones are taken together."""
    groups: dict[Any, list[int]] = {}
    for column, name in enumerate(names):
        key = tuple(name) if isinstance(name, list) else name
        groups.setdefault(key if isinstance(key, (str, tuple)) else id(key), []).append(column)
    parts = []
    for places in groups.values():
        name = names[places[0]]
        if isinstance(name, Likelihood):
            parts.append(name)
        elif isinstance(name, str):
            parts.append(choose_likelihood(name, np.zeros(1), None))
        else:
            parts.append(CategoricalLikelihood(int(name[1])))
    return Columns(tuple(parts), tuple(tuple(places) for places in groups.values()))


def real_columns(likelihood: Likelihood, event: tuple[int, ...]) -> np.ndarray:
    """Which entries are real numbers that may be centred and scaled, of the event's shape."""
    if isinstance(likelihood, Columns):
        marks = np.zeros(event, bool)
        for part, places in zip(likelihood.parts, likelihood.columns, strict=True):
            marks[list(places)] = isinstance(part, NormalLikelihood)
        return marks
    return np.full(event, isinstance(likelihood, NormalLikelihood))


def choose_objective(asked: Any) -> Objective:
    """The objective by name or as given."""
    if isinstance(asked, Objective):
        return asked
    if asked not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(map(repr, OBJECTIVES))}, or an Objective; got {asked!r}")
    return OBJECTIVES[asked]()


def choose_posterior(asked: Any) -> Posterior:
    """The posterior by name or as given."""
    if isinstance(asked, Posterior):
        return asked
    if asked not in POSTERIORS:
        raise ValueError(f"posterior must be one of {', '.join(map(repr, POSTERIORS))}, or a Posterior; got {asked!r}")
    return POSTERIORS[asked]()


def choose_prior(asked: Any, latent: int, rows: np.ndarray, key: Any) -> Prior:
    """The prior by name or as given; the pseudo-rows of a VampPrior begin at rows of the data."""
    if isinstance(asked, Prior):
        return asked
    if asked == "normal":
        return StandardNormal(latent)
    if asked == "mixture":
        return MixtureOfGaussians(latent, PRIOR_COMPONENTS, key=key)
    if asked == "vamp":
        which = np.arange(PRIOR_COMPONENTS) % rows.shape[0]
        return VampPrior(jnp.asarray(np.nan_to_num(rows[which]), jnp.float32))
    raise ValueError(f"prior must be one of {', '.join(map(repr, PRIORS))}, or a Prior; got {asked!r}")


def network_kind(asked: str, event: tuple[int, ...], conditions: int) -> str:
    """ "mlp", "conv" or "residual"; images get convolutions unless they are tiny or something is given with them."""
    image = len(event) > 1 and min(event[:2]) >= LEAST_SIDE
    if asked == "auto":
        return "conv" if image and not conditions else "mlp"
    if asked != "mlp" and (not image or conditions):
        raise ValueError(
            f"network={asked!r} needs images (n, height, width[, channels]) of at least {LEAST_SIDE} pixels a side, "
            "and nothing given with them; take network='mlp'"
        )
    return asked


def build(
    *,
    event: tuple[int, ...],
    latent: int,
    conditions: int,
    hidden: Sequence[int],
    channels: Sequence[int],
    activation: str,
    network: str,
    encoder: Callable | None,
    decoder: Callable | None,
    prior: Prior,
    posterior: Posterior,
    likelihood: Likelihood,
    view: Standardise | None,
    key: Any,
) -> DeepLatent:
    """The model, with networks of the named kind where the user gave none."""
    one, two = jax.random.split(key)
    into, shape = math.prod(event) + conditions, likelihood.shape(event)
    outputs = posterior.outputs(latent)
    kind = network_kind(network, event, conditions) if encoder is None or decoder is None else "mlp"
    image: Any = (*event, 1) if len(event) == 2 else event
    blocks = 2 if kind == "residual" else 0
    if encoder is None and kind == "mlp":
        encoder = MLP(into, hidden, outputs, key=one, activation=activation)
    elif encoder is None:
        encoder = ConvEncoder(image, channels, hidden, outputs, key=one, activation=activation, blocks=blocks)
    if decoder is None and kind == "mlp":
        back = tuple(reversed(hidden))
        decoder = MLP(latent + conditions, back, math.prod(shape), key=two, activation=activation, shape=shape)
    elif decoder is None:
        back = tuple(reversed(hidden))
        decoder = ConvDecoder(
            latent, image, channels, back, shape[-1], key=two, activation=activation, blocks=blocks, event=shape
        )
    return DeepLatent(encoder, decoder, prior, posterior, likelihood, view)


def is_levels(x: np.ndarray, likelihood: Likelihood, binarize: str | None) -> bool:
    """Whether stored values are 8-bit levels that stand for shares of 255."""
    return x.dtype == np.uint8 and (binarize is not None or isinstance(likelihood, DiscretisedLogisticLikelihood))
