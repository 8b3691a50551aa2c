"""Priors of means and precisions, and draws of them from such a posterior, with ``log p(θ) − log q(θ)``.

On the host, in NumPy: there are few parameters wherever such draws say anything.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, xlogy

from tacit.arrays import Pytree
from tacit.compute import LOG_2PI, Array
from tacit.families.numeric import log_multigamma
from tacit.spaces import Spaces

Kind = Literal["full", "tied", "diag", "spherical"]


class NormalWishartPrior(Pytree):
    """What is known of every component before the data."""

    spaces: ClassVar[Spaces] = {"shrinkage": "positive", "scale": "spread", "dof": "positive"}

    mean: Float[Array, " d"]
    """m."""
    shrinkage: Float[Array, "*d"]
    """κ, what the mean weighs in rows; ``[d]`` where the columns of "diag" differ."""
    scale: Float[Array, "d ..."]
    """V: a matrix, or its diagonal where the structure is along the axes."""
    dof: Float[Array, "*d"]
    """ν; ``E[Λ] = ν V⁻¹``; ``[d]`` likewise."""


def precision_draws(
    means: Float[Array, "components d"],
    covariances: Float[Array, "components d ..."],
    pulls: Float[Array, "components *e"],
    dofs: Float[Array, "components *f"],
    prior: NormalWishartPrior,
    kind: Kind,
    number: int,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``[S, K]`` means and covariances from a posterior with these parameters, and their log ratios ``[S]``."""
    drawn = _along_axes if kind in ("diag", "spherical") else _tilted
    return drawn(means, covariances, pulls, dofs, prior, kind, number, random)


def _along_axes(means, covariances, pulls, dofs, prior, kind, number, random):
    components, dims = np.shape(means)
    half = 0.5 * (dims if kind == "spherical" else 1.0)
    alone = slice(None) if kind == "diag" else slice(1)  # one precision for all columns, or each its own
    dofs = np.asarray(dofs).reshape(components, -1)
    a, b = half * dofs, half * dofs * np.asarray(covariances)[:, alone]
    a0 = half * np.broadcast_to(prior.dof, a.shape[1:])
    scale = np.asarray(prior.scale) if kind == "diag" else np.mean(prior.scale, keepdims=True)
    b0 = half * scale
    precision = np.maximum(random.standard_gamma(a, size=(number, *a.shape)), 1e-300) / b
    ratio = _log_gamma(precision, a0, b0) - _log_gamma(precision, a, b)
    precision = np.broadcast_to(precision, (number, components, dims))
    pulls, means = np.asarray(pulls), np.asarray(means)
    drawn = means + random.standard_normal(precision.shape) / np.sqrt(pulls * precision)
    near = 0.5 * (np.log(pulls) - pulls * precision * (drawn - means) ** 2)
    first = 0.5 * (np.log(prior.shrinkage) - prior.shrinkage * precision * (drawn - prior.mean) ** 2)
    return drawn, 1.0 / precision, ratio.sum((1, 2)) + (first - near).sum((1, 2))


def _log_gamma(x, shape, rate):
    return xlogy(shape, rate) - gammaln(shape) + xlogy(shape - 1.0, x) - rate * x


def _tilted(means, covariances, pulls, dofs, prior, kind, number, random):
    components, dims = np.shape(means)
    own = 1 if kind == "tied" else components
    dofs = np.asarray(dofs)[:own]
    scatter = dofs[:, None, None] * np.asarray(covariances)[:own]
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
    away = np.linalg.solve(np.swapaxes(root, -1, -2), noise)[..., 0] / np.sqrt(np.asarray(pulls))[:, None]
    drawn = np.asarray(means) + away
    near = _log_normal(away, precision, np.asarray(pulls))
    first = _log_normal(drawn - prior.mean, precision, np.asarray(prior.shrinkage))
    return drawn, np.linalg.inv(precision), ratio + (first - near).sum(1)


def _log_wishart(precision, log_det, dof, scale):
    dims = precision.shape[-1]
    trace = np.einsum("...de,s...ed->s...", scale, precision)
    norm = 0.5 * dof * (dims * np.log(2.0) - np.linalg.slogdet(scale)[1]) + log_multigamma(0.5 * dof, dims)
    return 0.5 * (dof - dims - 1.0) * log_det - 0.5 * trace - norm


def _log_normal(away, precision, pull):
    """Without ``½ log det Λ``, which prior and posterior share."""
    distance = np.einsum("skd,skde,ske->sk", away, precision, away)
    return 0.5 * (away.shape[-1] * (np.log(pull) - LOG_2PI) - pull * distance)


def gaussian_entries(
    means: Float[np.ndarray, "draws components d"],
    covariances: Float[np.ndarray, "draws components d ..."],
    columns: Sequence[str],
) -> list[tuple[str, np.ndarray]]:
    """Every mean, variance and covariance by name."""
    found = []
    for k in range(means.shape[1]):
        for i, name in enumerate(columns):
            found.append((f"mean of {name} in {k + 1}", means[:, k, i]))
        for i, name in enumerate(columns):
            if covariances.ndim == 3:
                found.append((f"variance of {name} in {k + 1}", covariances[:, k, i]))
                continue
            found.append((f"variance of {name} in {k + 1}", covariances[:, k, i, i]))
            pairs = [(f"covariance of {columns[j]} and {name} in {k + 1}", covariances[:, k, i, j]) for j in range(i)]
            found += pairs
    return found
