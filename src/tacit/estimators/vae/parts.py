"""The parts of a deep model, chosen by name or by the data: likelihood, prior, posterior, objective."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from tacit.data.blocks import Standardise
from tacit.estimators.vae.rows import DeepRows, Facts
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
    LIKELIHOODS,
    CategoricalLikelihood,
    Columns,
    DiscretisedLogisticLikelihood,
    Likelihood,
    LowRankNormalLikelihood,
    NormalLikelihood,
)
from tacit.models.vae.model import RowBatch
from tacit.models.vae.posteriors import (
    Diagonal,
    EncoderPosterior,
    Full,
    InverseAutoregressive,
    Point,
    SplineAutoregressive,
)
from tacit.models.vae.priors import FlowPrior, MixtureOfGaussians, Prior, SplineFlowPrior, StandardNormal, VampPrior

OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "elbo": Elbo,
    "iwae": ImportanceWeighted,
    "renyi": Renyi,
    "beta-tcvae": TotalCorrelation,
    "infovae": MaximumMeanDiscrepancy,
    "score-function": ScoreFunction,
    "vector-quantised": VectorQuantised,
}
POSTERIORS = (
    "diagonal",
    "full",
    "inverse-autoregressive",
    "spline-autoregressive",
    "categorical",
    "quantised",
    "point",
)
DISCRETE = ("categorical", "quantised")
PRIORS = ("auto", "normal", "mixture", "vamp", "flow", "spline-flow")
BINARIZE = ("stochastic", "threshold")
PRIOR_COMPONENTS = 32


class Reading(eqx.Module):
    """From rows as they are stored to rows as the likelihood takes them.

    8-bit levels become shares of 255, grey pixels are drawn or cut, real numbers are centred and scaled.
    """

    view: Standardise | None
    levels: bool = eqx.field(static=True)
    binarize: str | None = eqx.field(static=True)

    def __call__(self, rows: RowBatch, key: PRNGKeyArray) -> RowBatch:
        x = rows.x.astype(jnp.float32)
        if self.view is not None:
            x = self.view(x)
        if self.levels:
            x = x / 255.0
        if self.binarize == "threshold":
            x = jnp.where(jnp.isnan(x), x, (x > 0.5).astype(jnp.float32))
        elif self.binarize == "stochastic":
            drawn = (jax.random.uniform(key, x.shape) < x).astype(jnp.float32)
            x = jnp.where(jnp.isnan(x), x, drawn)
        return RowBatch(x, rows.given, rows.label)


def choose_likelihood(
    asked: str | Likelihood | list[Any] | tuple[Any, ...], x: DeepRows, facts: Facts, binarize: str | None
) -> Likelihood:
    """The likelihood by name, as given, or by the values: 0/1, 8-bit levels, shares of 1, real numbers.

    Raises:
        ValueError: a name that does not exist.
    """
    if isinstance(asked, Likelihood):
        return asked
    if isinstance(asked, (list, tuple)):
        return columns_of(asked)
    if asked != "auto":
        return named_likelihood(asked)
    if binarize is not None or facts.binary:
        return LIKELIHOODS["bernoulli"]()
    if x.dtype == np.uint8:
        return LIKELIHOODS["discretised-logistic"]()
    if facts.low.min() >= 0 and facts.high.max() <= 1:
        return LIKELIHOODS["continuous-bernoulli"]()
    return LIKELIHOODS["normal" if x.ndim > 2 else "normal-per-entry"]()


def named_likelihood(name: str) -> Likelihood:
    """The likelihood of this name."""
    if name not in LIKELIHOODS:
        raise ValueError(
            f"likelihood must be 'auto', one of {', '.join(map(repr, LIKELIHOODS))}, a list with one a column, or "
            f"a Likelihood; got {name!r}"
        )
    return LIKELIHOODS[name]()


def columns_of(names: Sequence[Any]) -> Columns:
    """A likelihood a column: names, ("categorical", levels), or likelihoods; equal ones are taken together."""
    groups: dict[Any, list[int]] = {}
    for column, name in enumerate(names):
        key = tuple(name) if isinstance(name, list) else name
        groups.setdefault(key if isinstance(key, (str, tuple)) else id(key), []).append(column)
    parts = []
    for places in groups.values():
        name = names[places[0]]
        if name == "normal-low-rank" or isinstance(name, LowRankNormalLikelihood):
            raise ValueError(
                "'normal-low-rank' is a density of the whole row, not of a column: take 'normal' in a list"
            )
        if isinstance(name, Likelihood):
            parts.append(name)
        elif isinstance(name, str):
            parts.append(named_likelihood(name))
        elif isinstance(name, (list, tuple)) and len(name) == 2 and name[0] == "categorical":
            parts.append(CategoricalLikelihood(int(name[1])))
        else:
            raise ValueError(
                f"likelihood of a column must be a name, ('categorical', levels) or a Likelihood; got {name!r}"
            )
    return Columns(tuple(parts), tuple(tuple(places) for places in groups.values()))


def real_columns(likelihood: Likelihood, event: tuple[int, ...]) -> np.ndarray:
    """Which entries are real numbers that may be centred and scaled, of the event's shape.

    Raises:
        ValueError: a list of likelihoods that is not as long as the row.
    """
    if isinstance(likelihood, Columns):
        named = sum(len(places) for places in likelihood.columns)
        if event != (named,):
            raise ValueError(f"likelihood names {named} columns, and a row of X has the shape {event}")
        marks = np.zeros(event, bool)
        for part, places in zip(likelihood.parts, likelihood.columns, strict=True):
            marks[list(places)] = isinstance(part, NormalLikelihood)
        return marks
    return np.full(event, isinstance(likelihood, NormalLikelihood))


def choose_objective(asked: str | Objective, posterior: EncoderPosterior) -> Objective:
    """The objective by name, as given, or the one that suits the posterior."""
    quantised = isinstance(posterior, QuantisedCodes)
    if isinstance(asked, str) and asked == "auto":
        return VectorQuantised() if quantised else Elbo()
    if not isinstance(asked, Objective):
        if asked not in OBJECTIVES:
            known = ", ".join(map(repr, ("auto", *OBJECTIVES)))
            raise ValueError(f"objective must be one of {known}, or an Objective; got {asked!r}")
        asked = OBJECTIVES[asked]()
    if quantised and not isinstance(asked, VectorQuantised):
        raise ValueError("posterior='quantised' is learned by objective='vector-quantised' alone")
    return asked


def choose_posterior(
    asked: str | EncoderPosterior,
    latent: int | tuple[int, int],
    hidden: Sequence[int],
    activation: str,
    key: PRNGKeyArray,
) -> Any:
    """The posterior by name or as given; two levels of latent variables where there are two numbers of them."""
    if isinstance(asked, EncoderPosterior):
        if isinstance(latent, tuple) != isinstance(asked, TwoLevels):
            raise ValueError(f"n_components={latent} does not go with a posterior of kind {type(asked).__name__}")
        return asked
    if asked not in POSTERIORS:
        raise ValueError(
            f"posterior must be one of {', '.join(map(repr, POSTERIORS))}, or an EncoderPosterior; got {asked!r}"
        )
    if isinstance(latent, tuple):
        if asked != "diagonal":
            raise ValueError(f"n_components={latent} makes two levels, which need posterior='diagonal'; got {asked!r}")
        return TwoLevels(*latent, hidden, key=key, activation=activation)
    if asked == "inverse-autoregressive":
        return InverseAutoregressive(latent, key=key)
    if asked == "spline-autoregressive":
        return SplineAutoregressive(latent, key=key)
    simple = {"diagonal": Diagonal, "full": Full, "categorical": CategoricalCodes, "quantised": QuantisedCodes}
    return simple.get(asked, Point)()


def choose_prior(
    asked: str | Prior,
    posterior: EncoderPosterior,
    latent: int | tuple[int, int],
    rows: np.ndarray,
    shape: dict[str, Any],
) -> Prior:
    """The prior by name, as given, or the one that suits the posterior.

    Args:
        asked: what the user says.
        posterior: of the same z.
        latent: dimensions of z, or discrete variables, or two levels.
        rows: some, as the likelihood takes them; the pseudo-rows of a VampPrior begin there.
        shape: widths, activation and key of a network, if the prior has one.
    """
    if isinstance(asked, Prior):
        return asked
    if asked not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(map(repr, PRIORS))}, or a Prior; got {asked!r}")
    if isinstance(posterior, TwoLevels):
        own: Prior | None = TopDown(posterior.first, posterior.second, **shape)
    elif isinstance(posterior, (CategoricalCodes, QuantisedCodes)):
        assert not isinstance(latent, tuple)
        own = CodeTable(latent, posterior.levels)
    else:
        own = None
    if own is not None:
        if asked != "auto":
            raise ValueError(f"{type(posterior).__name__} comes with a prior of its own: leave prior='auto'")
        return own
    assert not isinstance(latent, tuple)  # two levels come with their own
    width = posterior.width(latent)
    if asked == "mixture":
        return MixtureOfGaussians(width, PRIOR_COMPONENTS, key=shape["key"])
    if asked == "flow":
        return FlowPrior(width, key=shape["key"])
    if asked == "spline-flow":
        return SplineFlowPrior(width, key=shape["key"])
    if asked == "vamp":
        which = np.arange(PRIOR_COMPONENTS) % rows.shape[0]
        return VampPrior(jnp.asarray(np.nan_to_num(rows[which]), jnp.float32))
    return StandardNormal(width)


def is_levels(x: DeepRows, facts: Facts, likelihood: Likelihood, binarize: str | None) -> bool:
    """Whether stored values are 8-bit levels that stand for shares of 255; what is 0 or 1 already is not."""
    if binarize is not None and facts.binary:
        return False
    return x.dtype == np.uint8 and (binarize is not None or isinstance(likelihood, DiscretisedLogisticLikelihood))
