"""A fitted deep model in words: its parts, the layers of its networks with their sizes, and how much was learned."""

from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from tacit.inference.objectives import (
    Elbo,
    ImportanceWeighted,
    MaximumMeanDiscrepancy,
    Objective,
    Renyi,
    ScoreFunction,
    TotalCorrelation,
)
from tacit.models.vae.discrete import CategoricalCodes, CodeTable, QuantisedCodes, VectorQuantised
from tacit.models.vae.levels import TopDown, TwoLevels
from tacit.models.vae.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    Columns,
    ContinuousBernoulliLikelihood,
    DiscretisedLogisticLikelihood,
    Likelihood,
    LowRankNormalLikelihood,
    NegativeBinomialLikelihood,
    NormalLikelihood,
    PerEntryNormalLikelihood,
    PoissonLikelihood,
)
from tacit.models.vae.model import DeepLatent
from tacit.models.vae.networks import MLP, ConvDecoder, ConvEncoder, Convolution, Residual
from tacit.models.vae.posteriors import Diagonal, Full, InverseAutoregressive, Point, Posterior
from tacit.models.vae.priors import FlowPrior, MixtureOfGaussians, Prior, StandardNormal, VampPrior


class Layer(NamedTuple):
    """A layer: the network it is in ("Encoder"), what it is, its size in words, and the numbers learned in it."""

    network: str
    what: str
    size: str
    parameters: int


class Architecture(NamedTuple):
    """A deep model in words: its ``parts`` as pairs (what, which), its ``layers``, the number of parameters."""

    parts: tuple[tuple[str, str], ...]
    layers: tuple[Layer, ...]
    parameters: int


_LIKELIHOODS: dict[type[Likelihood], str] = {
    BernoulliLikelihood: "Bernoulli: every entry is 0 or 1",
    ContinuousBernoulliLikelihood: "continuous Bernoulli: every entry is a share from 0 to 1",
    NormalLikelihood: "normal, with one scale for all entries",
    PerEntryNormalLikelihood: "normal, with a scale for every entry, from the decoder",
    LowRankNormalLikelihood: "normal, with a scale and loadings for every entry, from the decoder",
    PoissonLikelihood: "Poisson: every entry is a count",
    NegativeBinomialLikelihood: "negative binomial: every entry is a count that varies more than a Poisson's",
    DiscretisedLogisticLikelihood: "discretised logistic: every entry is one of 256 levels",
}
_POSTERIORS: dict[type[Posterior], str] = {
    Diagonal: "normal(μ(x), diag σ²(x)), from the encoder",
    Full: "normal(μ(x), Σ(x)) with a full covariance, from the encoder",
    Point: "a point, from the encoder: a plain auto-encoder, without a density of rows",
    InverseAutoregressive: "a normal moved by an inverse autoregressive flow, from the encoder",
    CategoricalCodes: "independent categorical variables, from the encoder",
    QuantisedCodes: "the nearest vector of a codebook to what the encoder says",
    TwoLevels: "q(z₁|x) q(z₂|z₁), both normal with independent dimensions",
}


def describe(
    model: DeepLatent, objective: Objective, latent: int | Sequence[int], event: tuple[int, ...]
) -> Architecture:
    """The model in words.

    Args:
        model: fitted.
        objective: what was raised.
        latent: dimensions of z, of two levels, or discrete variables.
        event: the shape of a row.
    """
    parts = (
        ("Code z", _code(model.posterior_kind, latent)),
        ("Prior p(z)", _prior(model.prior)),
        ("Posterior q(z|x)", _of_type(_POSTERIORS, model.posterior_kind)),
        ("Likelihood p(x|z)", _likelihood(model.likelihood)),
        ("Objective", _objective(objective)),
    )
    found = (*layers("Encoder", model.encoder, event), *layers("Decoder", model.decoder, event))
    learned = sum(map(_learned, (model.encoder, model.decoder, model.prior, model.posterior_kind, model.likelihood)))
    return Architecture(parts, found, learned)


def _code(posterior: Posterior, latent: int | Sequence[int]) -> str:
    if isinstance(latent, (tuple, list)):
        return f"{latent[0]} numbers a row, and {latent[1]} above them"
    if not posterior.continuous:
        levels = posterior.levels if isinstance(posterior, (CategoricalCodes, QuantisedCodes)) else "some"
        each = f"{levels} levels" + (" each" if latent != 1 else "")
        return f"{latent} variable{'s' if latent != 1 else ''} a row, of {each}"
    return f"{latent} number{'s' if latent != 1 else ''} a row"


def _learned(part: object) -> int:
    """The real numbers of a part that the fit moves."""
    if isinstance(part, Columns):
        return sum(map(_learned, part.parts))
    if isinstance(part, (StandardNormal, NormalLikelihood)) and part.fixed:
        return 0
    return 0 if isinstance(part, PerEntryNormalLikelihood) else _count(part)  # its scales are the decoder's


def _count(part: object) -> int:
    """The real numbers that a part holds."""
    return sum(int(leaf.size) for leaf in jax.tree.leaves(part) if eqx.is_inexact_array(leaf))


def _of_type(words: dict[Any, str], part: object) -> str:
    """A part by its own class; one that is not ours by its name."""
    return words.get(type(part), type(part).__name__)


def _prior(prior: Prior) -> str:
    if isinstance(prior, StandardNormal):
        return "normal(0, I)" if prior.fixed else "normal(0, σ² I), with σ learned"
    if isinstance(prior, MixtureOfGaussians):
        return f"a mixture of {prior.means.shape[0]} Gaussians, learned"
    if isinstance(prior, VampPrior):
        return f"VampPrior: the encoder's view of {prior.rows.shape[0]} learned pseudo-rows"
    if isinstance(prior, FlowPrior):
        return f"a normal seen through {len(prior.flow.steps)} steps of autoregressive flow, learned"
    if isinstance(prior, CodeTable):
        return "categorical with learned shares"
    if isinstance(prior, TopDown):
        return "p(z₂) p(z₁|z₂): normal(0, I), and normal around a network of it"
    return type(prior).__name__


def _likelihood(likelihood: Likelihood) -> str:
    if isinstance(likelihood, CategoricalLikelihood):
        return f"categorical with {likelihood.levels} levels"
    if isinstance(likelihood, Columns):
        pairs = zip(likelihood.parts, likelihood.columns, strict=True)
        named = [f"{_likelihood(part).partition(':')[0].partition(',')[0]} ({len(c)})" for part, c in pairs]
        return f"one a column: {', '.join(named)}"
    if type(likelihood) is NormalLikelihood and likelihood.fixed:
        return "normal, with a scale that was set"
    return _of_type(_LIKELIHOODS, likelihood)


def _objective(objective: Objective) -> str:
    if isinstance(objective, Elbo):
        more = "" if objective.beta == 1.0 else f", with the KL counted {float(objective.beta):g} times (β-VAE)"
        more += f", with {objective.free_bits:g} free nats a dimension" if objective.free_bits > 0 else ""
        more += "" if objective.capacity is None else f", with the KL drawn to {objective.capacity:g} nats"
        return f"the evidence lower bound (ELBO){more}"
    if isinstance(objective, ImportanceWeighted):
        return f"the importance-weighted bound of {objective.samples} draws (IWAE)"
    if isinstance(objective, Renyi):
        return f"Rényi's bound with α = {objective.alpha:g} of {objective.samples} draws"
    if isinstance(objective, TotalCorrelation):
        return f"the ELBO with the total correlation counted {float(objective.beta):g} times (β-TCVAE)"
    if isinstance(objective, MaximumMeanDiscrepancy):
        return f"the ELBO with {objective.weight:g} times the discrepancy of the codes from the prior (InfoVAE)"
    if isinstance(objective, VectorQuantised):
        return f"the ELBO and the distance to the codebook, committed by {objective.commitment:g}"
    return "the ELBO, by the score function" if isinstance(objective, ScoreFunction) else type(objective).__name__


def layers(name: str, network: Callable, event: tuple[int, ...]) -> Iterator[Layer]:
    """The layers of one of our networks, or of any other as far as its weights tell."""
    if isinstance(network, MLP):
        yield from _connected(name, network, last=True)
    elif isinstance(network, ConvEncoder):
        high, wide = event[:2]
        for convolution, blocks in network.stages:
            high, wide = -(-high // 2), -(-wide // 2)
            what = f"3 × 3 convolution, every second pixel, {network.activation}"
            yield Layer(name, what, _image(high, wide, convolution), _count(convolution))
            yield from (_block(name, _image(high, wide, convolution), block) for block in blocks)
        yield from _connected(name, network.end, last=True)
    elif isinstance(network, ConvDecoder):
        yield from _connected(name, network.begin, last=False)
        for (high, wide), (convolution, blocks) in zip(network.sizes[1:], network.stages, strict=True):
            what = f"pixels doubled, 3 × 3 convolution, {network.activation}"
            yield Layer(name, what, _image(high, wide, convolution), _count(convolution))
            yield from (_block(name, _image(high, wide, convolution), block) for block in blocks)
        yield Layer(name, "3 × 3 convolution", _image(*network.sizes[-1], network.last), _count(network.last))
    else:
        yield from _any(name, network)


def _connected(name: str, network: MLP, *, last: bool) -> Iterator[Layer]:
    """Fully connected layers; the last one has an activation only where more comes after it."""
    for number, layer in enumerate(network.layers, 1):
        out, into = layer.weight.shape
        plain = last and number == len(network.layers)
        what = "fully connected" if plain else f"fully connected, {network.activation}"
        yield Layer(name, what, f"{into} → {out}", _count(layer))


def _block(name: str, size: str, block: Residual) -> Layer:
    return Layer(name, f"residual block of two 3 × 3 convolutions, {block.activation}", size, _count(block))


def _image(high: int, wide: int, convolution: Convolution) -> str:
    return f"{high} × {wide} × {convolution.bias.shape[0]}"


def _any(name: str, network: Callable) -> Iterator[Layer]:
    """A network of the user's own: every module in it that holds a ``weight``."""
    found = 0
    for part in jax.tree.leaves(network, is_leaf=_weighted):
        if _weighted(part):
            found += _count(part)
            yield Layer(name, type(part).__name__, " × ".join(map(str, part.weight.shape)), _count(part))
    rest = _count(network) - found
    if rest or not found:
        own = network.__name__ if isinstance(network, FunctionType) else type(network).__name__
        yield Layer(name, f"a network of your own, {own}" if not found else "other numbers", "", rest)


def _weighted(part: object) -> bool:
    return isinstance(part, eqx.Module) and isinstance(vars(part).get("weight"), jax.Array | np.ndarray)
