"""Parameters drawn from a mixture's variational posterior, with ``log p(θ) − log q(θ)``; and its moments.

With the likelihood of the rows at each draw these are the importance weights that judge the posterior (Yao et al.
2018). On the host, in NumPy: there are few parameters wherever the weights say anything.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln, xlogy

from tacit.compute import LOG_2PI
from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.exponential import Exponential
from tacit.families.multinomial import Multinomial
from tacit.families.poisson import Poisson
from tacit.families.priors import BetaBernoulli, DirichletCategorical, GammaExponential, GammaPoisson
from tacit.models.mixture.bayesian import BayesianMixture, PosteriorGroup
from tacit.models.mixture.conjugate import ConjugateGroup
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.group import FamilyGroup
from tacit.models.mixture.model import Group, Mixture
from tacit.models.mixture.normal_wishart import NormalWishartGroup


class ParameterDraws(NamedTuple):
    """Draws θ_1 … θ_S."""

    models: Mixture
    """Stacked: every array leads with ``[S]``."""
    names: tuple[str, ...]
    values: np.ndarray
    """``[S, P]``, a column a name."""
    log_ratios: np.ndarray
    """``log p(θ_s) − log q(θ_s)``, ``[S]``."""


def parameter_draws(
    posterior: BayesianMixture, number: int, random: np.random.Generator, columns: Sequence[str]
) -> ParameterDraws:
    """Draws from ``q(π) ∏ q(θ_k)``; components are named in the order of the posterior, from 1."""
    weights, ratios = posterior.weights.draw(number, random)
    names = [f"weight {k + 1}" for k in range(weights.shape[1])]
    values, groups = [weights], list[Group]()
    for group in posterior.groups:
        own = [columns[column] for column in group.columns]
        if isinstance(group, NormalWishartGroup):
            gaussians, ratio = _gaussians(group, number, random)
            entries = _gaussian_entries(gaussians, own)
            groups.append(gaussians)
        else:
            members, ratio = _members(group, number, random)
            entries = _member_entries(members, own)
            groups.append(members)
        ratios = ratios + ratio
        names += [name for name, _ in entries]
        values += [each[:, None] for _, each in entries]
    active = np.ones((number, weights.shape[1]), bool)
    return ParameterDraws(
        Mixture(np.log(weights), tuple(groups), active), tuple(names), np.concatenate(values, axis=1), ratios
    )


def _gaussians(group: NormalWishartGroup, number: int, random: np.random.Generator) -> tuple[GaussianGroup, np.ndarray]:
    """``[S, K]`` means and covariances."""
    if group.diagonal:
        means, covariances, ratio = _along_axes(group, number, random)
    else:
        means, covariances, ratio = _tilted(group, number, random)
    structure = "VVI" if group.diagonal else "VVV"
    blur = np.zeros((number, len(group.columns)))
    drawn = GaussianGroup(
        means, covariances, blur, None, None, None, group.columns, structure, "whitened", log=group.log
    )
    return drawn, ratio


def _along_axes(group, number, random):
    prior, (components, dims) = group.prior, np.shape(group.means)
    half = 0.5 * (dims if group.kind == "spherical" else 1.0)
    alone = slice(None) if group.kind == "diag" else slice(1)  # one precision for all columns, or each its own
    dofs = np.asarray(group.dofs).reshape(components, -1)
    a, b = half * dofs, half * dofs * np.asarray(group.covariances)[:, alone]
    a0 = half * np.broadcast_to(prior.dof, a.shape[1:])
    scale = np.asarray(prior.scale) if group.kind == "diag" else np.mean(prior.scale, keepdims=True)
    b0 = half * scale
    precision = np.maximum(random.standard_gamma(a, size=(number, *a.shape)), 1e-300) / b
    ratio = _log_gamma(precision, a0, b0) - _log_gamma(precision, a, b)
    precision = np.broadcast_to(precision, (number, components, dims))
    pulls, means = np.asarray(group.pulls), np.asarray(group.means)
    drawn = means + random.standard_normal(precision.shape) / np.sqrt(pulls * precision)
    near = 0.5 * (np.log(pulls) - pulls * precision * (drawn - means) ** 2)
    first = 0.5 * (np.log(prior.shrinkage) - prior.shrinkage * precision * (drawn - prior.mean) ** 2)
    return drawn, 1.0 / precision, ratio.sum((1, 2)) + (first - near).sum((1, 2))


def _log_gamma(x, shape, rate):
    return xlogy(shape, rate) - gammaln(shape) + xlogy(shape - 1.0, x) - rate * x


def _tilted(group, number, random):
    prior, (components, dims) = group.prior, np.shape(group.means)
    own = 1 if group.kind == "tied" else components
    dofs = np.asarray(group.dofs)[:own]
    scatter = dofs[:, None, None] * np.asarray(group.covariances)[:own]
    # Bartlett's decomposition: Λ = T Tᵀ, T = L A with L Lᵀ = V⁻¹
    chi = np.sqrt(random.chisquare(dofs[:, None] - np.arange(dims), size=(number, own, dims)))
    lower = np.tril(random.standard_normal((number, own, dims, dims)), -1) + chi[..., None] * np.eye(dims)
    root = np.linalg.cholesky(np.linalg.inv(scatter)) @ lower
    precision = root @ np.swapaxes(root, -1, -2)
    log_det = 2.0 * np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
    ratio = _log_wishart(precision, log_det, np.asarray(prior.dof), np.asarray(prior.scale))
    ratio = (ratio - _log_wishart(precision, log_det, dofs, scatter)).sum(1)
    shape = (number, components, dims, dims)
    root, precision = np.broadcast_to(root, shape), np.broadcast_to(precision, shape)
    noise = random.standard_normal((number, components, dims, 1))
    away = np.linalg.solve(np.swapaxes(root, -1, -2), noise)[..., 0] / np.sqrt(np.asarray(group.pulls))[:, None]
    drawn = np.asarray(group.means) + away
    near = _log_normal(away, precision, np.asarray(group.pulls))
    first = _log_normal(drawn - prior.mean, precision, np.asarray(prior.shrinkage))
    return drawn, np.linalg.inv(precision), ratio + (first - near).sum(1)


def _log_wishart(precision, log_det, dof, scale):
    dims = precision.shape[-1]
    trace = np.einsum("...de,s...ed->s...", scale, precision)
    norm = 0.5 * dof * (dims * np.log(2.0) - np.linalg.slogdet(scale)[1]) + _multigammaln(0.5 * dof, dims)
    return 0.5 * (dof - dims - 1.0) * log_det - 0.5 * trace - norm


def _multigammaln(a, dims):
    steps = 0.5 * np.arange(dims)
    return 0.25 * dims * (dims - 1) * np.log(np.pi) + gammaln(np.asarray(a)[..., None] - steps).sum(-1)


def _log_normal(away, precision, pull):
    """Without ``½ log det Λ``, which prior and posterior share."""
    distance = np.einsum("skd,skde,ske->sk", away, precision, away)
    return 0.5 * (away.shape[-1] * (np.log(pull) - LOG_2PI) - pull * distance)


def _members(group: ConjugateGroup, number: int, random: np.random.Generator) -> tuple[FamilyGroup, np.ndarray]:
    """``[S, K]`` members of a family."""
    posterior, family = group.posterior, group.family
    match posterior:
        case GammaPoisson() | GammaExponential():
            rates = random.standard_gamma(posterior.shapes, size=(number, *np.shape(posterior.shapes)))
            rates = np.maximum(rates, 1e-300) / posterior.rates
            drawn: Any = Poisson(rates) if isinstance(posterior, GammaPoisson) else Exponential(rates)
        case BetaBernoulli():
            drawn = Bernoulli(random.beta(posterior.ones, posterior.zeros, size=(number, *np.shape(posterior.ones))))
        case DirichletCategorical():
            alpha = np.asarray(posterior.distribution.concentrations)
            mass = np.maximum(random.standard_gamma(alpha, size=(number, *alpha.shape)), 1e-300)
            shares = mass / mass.sum(-1, keepdims=True)
            drawn = Multinomial(shares) if family.event_dims else Categorical(shares)
        case _:
            raise ValueError(f"{type(posterior).__name__} cannot be drawn from")
    ratio = np.asarray(group.prior.log_prob(drawn) - posterior.log_prob(drawn)).sum((1, 2))
    return FamilyGroup(drawn, None, None, group.columns, group.free), ratio


def _gaussian_entries(group: GaussianGroup, columns: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    means, covariances = np.asarray(group.means), np.asarray(group.covariances)
    found = []
    for k in range(means.shape[1]):
        for i, name in enumerate(columns):
            found.append((f"mean of {name} in {k + 1}", means[:, k, i]))
        for i, name in enumerate(columns):
            if group.diagonal:
                found.append((f"variance of {name} in {k + 1}", covariances[:, k, i]))
                continue
            found.append((f"variance of {name} in {k + 1}", covariances[:, k, i, i]))
            pairs = [(f"covariance of {columns[j]} and {name} in {k + 1}", covariances[:, k, i, j]) for j in range(i)]
            found += pairs
    return found


def _member_entries(group: FamilyGroup, columns: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    family = group.family
    name, values = next((n, np.asarray(getattr(family, n))) for n in ("rates", "probabilities") if hasattr(family, n))
    what = "rate" if name == "rates" else "probability"
    found = []
    for k in range(values.shape[1]):
        for place in np.ndindex(values.shape[2:]):
            if values.shape[2:] == (1, len(columns)) and family.event_dims:
                entry = columns[place[1]]
            else:
                entry = columns[place[0]] + (f" = {place[1]}" if len(place) > 1 else "")
            found.append((f"{what} of {entry} in {k + 1}", values[(slice(None), k, *place)]))
    return found


def agreement(one: BayesianMixture, other: BayesianMixture) -> float:
    """The largest difference of posterior means, in standard deviations of ``one``, after components are matched.

    Components of ``one`` in which less than one row is expected do not count: nothing is known of them.
    """
    used = np.asarray(one.weights.counts) >= 1.0
    pairs = [(_moments(a), _moments(b)) for a, b in zip(one.groups, other.groups, strict=True)]
    mean, sd = (np.concatenate([first[i] for first, _ in pairs], axis=1) for i in range(2))
    there = np.concatenate([second[0] for _, second in pairs], axis=1)
    apart = np.abs(mean[:, None] - there) / sd[:, None]
    apart = np.nan_to_num(apart, nan=1e6, posinf=1e6).max(-1)[used]
    rows, columns = linear_sum_assignment(np.minimum(apart, 1e6))
    return float(apart[rows, columns].max(initial=0.0))


def _moments(group: PosteriorGroup) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and standard deviations of every component's parameters, ``[K, p]``."""
    if isinstance(group, NormalWishartGroup):
        means, covariances = np.asarray(group.means), np.asarray(group.covariances)
        spread = covariances if group.diagonal else np.diagonal(covariances, axis1=1, axis2=2)
        dofs = np.asarray(group.dofs).reshape(len(means), -1)
        pulls = np.asarray(group.pulls).reshape(len(means), -1)
        sds = [np.sqrt(spread / pulls), spread * np.sqrt(2.0 / dofs)]
        return np.concatenate([means, spread], axis=1), np.concatenate(np.broadcast_arrays(*sds), axis=1)
    match group.posterior:
        case GammaPoisson() | GammaExponential():
            shapes, rates = np.asarray(group.posterior.shapes), np.asarray(group.posterior.rates)
            return shapes / rates, np.sqrt(shapes) / rates
        case BetaBernoulli():
            total = np.asarray(group.posterior.weight)
            share = np.asarray(group.posterior.ones) / total
        case DirichletCategorical():
            alpha = np.asarray(group.posterior.distribution.concentrations)
            total, share = alpha.sum(-1, keepdims=True), alpha / alpha.sum(-1, keepdims=True)
        case _:
            raise ValueError(f"{type(group.posterior).__name__} has no moments here")
    sd = np.sqrt(share * (1.0 - share) / (total + 1.0))
    components = len(share)
    return share.reshape(components, -1), np.maximum(sd.reshape(components, -1), 1e-300)
