"""The conjugate prior of a Gaussian mixture's means and covariances (Fraley & Raftery 2007, section 3).

    μ_k | Σ_k ~ N(μ_P, Σ_k / κ)
    Σ         ~ inverse Wishart(ν, Λ)                   tilted structures
    v_j       ~ inverse gamma(ν/2, Λ_jj/2), every j     structures along the axes
    σ²        ~ inverse gamma(ν/2, tr Λ/2D)             round structures

There is one such factor per distinct covariance: a single one for E, EII, EEI and EEE, one per component for
all others. It acts as pseudo-observations, a scatter and a count added to those of the data, so that the
posterior mode is found by the same M-steps as the maximum of the likelihood.
"""

import math
from typing import ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import Pytree, cholesky_factor, solve_triangle, special, spread, xp
from tacit.compute import LOG_2PI, Array
from tacit.families.covariance.diagonal import present
from tacit.families.numeric import log_multigamma
from tacit.spaces import Spaces
from tacit.structures import STRUCTURES, Structure, canonical_name


class PosteriorMode(NamedTuple):
    """What data and prior say together."""

    means: Float[Array, "*starts components dims"]
    """The modes of the means (the prior's mean where a component has no weight)."""
    scatter: Float[Array, "..."]
    counts: Float[Array, "..."]
    """With the scatter, what ``maximise_variances`` or ``maximise_covariances`` takes."""


class GaussianPrior(Pytree):
    """A normal–inverse-gamma or normal–inverse-Wishart prior, according to the structure it is used with.

    For E, V, VII, VVI, EEE and VVV the mode is that of mclust. For EII and EEI it is what Fraley & Raftery
    (2007, tables 2 and 3) print; the code of mclust 6.0.0 leaves parts of it out. For the structures that
    share some parts and not others every component has the factor of VVI or VVV, and the mode is taken within
    the structure; what mclust does for four of them (VEI, EVI, EEV, VEV) is the mode of no such density.
    """

    spaces: ClassVar[Spaces] = {"shrinkage": "not negative", "scale": "covariance"}

    mean: Float[Array, " dims"]
    """μ_P."""
    shrinkage: Float[Array, ""]
    """κ ≥ 0: what the prior's mean weighs, in rows; 0 is a flat prior of the means, p(μ) ∝ 1, as in mclust."""
    scale: Float[Array, "dims dims"]
    """Λ, positive definite."""
    dof: Float[Array, ""]
    """ν, above D − 1."""

    def posterior_mode(
        self,
        structure: str,
        counts: Float[Array, "..."],
        means: Float[Array, "*starts components dims"],
        scatter: Float[Array, "..."],
    ) -> PosteriorMode:
        """The MAP means, and the scatter and counts whose M-step gives the posterior mode of the covariances.

        μ_k = (n_k x̄_k + κ μ_P) / (n_k + κ); the scatter S_k + κ n_k / (n_k + κ) (x̄_k − μ_P)(x̄_k − μ_P)ᵀ + Λ
        goes with the count n_k + 1 + ν + D + 1 (tilted) or n_k + 1 + ν + 2 (along the axes); the first 1, which is the
        |Σ|^(−½) of the means' density, is not there where that is flat.

        Args:
            structure: any name that ``canonical_name`` knows.
            counts: n_k ``[K]`` with whole scatter matrices, n_kj ``[K, D]`` with sums of squares.
            means: x̄_k, the components' weighted means (any number where nothing is seen).
            scatter: about those means: ``[K, D, D]``, or its diagonal ``[K, D]``. A component without weight
                is given none by the prior either, so that the M-step leaves it alone.
        """
        matrices = scatter.ndim > counts.ndim
        columns = xp.broadcast_to(counts[..., None], means.shape) if matrices else xp.asarray(counts)
        seen = present(columns)
        active = xp.any(seen, axis=-1)
        mean, shrinkage = self.mean[..., None, :], self.shrinkage[..., None, None]
        offset = xp.where(seen, means - mean, 0.0)
        share = columns / xp.where(seen, columns + shrinkage, 1.0)
        fresh = mean + share * offset
        pull = xp.sqrt(share * shrinkage) * offset
        count, extra = self._pseudo(_parts(structure, means.shape[-1]), active)
        own = xp.where(self.shrinkage > 0, 1.0, 0.0)[..., None]
        if matrices:
            total = scatter + pull[..., :, None] * pull[..., None, :] + extra[..., None, :, :]
            counts = xp.where(active, counts + own + count[..., None], 0.0)
            return PosteriorMode(fresh, xp.where(active[..., None, None], total, scatter), counts)
        total = scatter + pull**2 + xp.diagonal(extra, axis1=-2, axis2=-1)[..., None, :]
        counts = xp.where(active[..., None], counts + own[..., None] + count[..., None, None], 0.0)
        return PosteriorMode(fresh, xp.where(active[..., None], total, scatter), counts)

    def _pseudo(
        self, parts: Structure, active: Bool[Array, "*starts components"]
    ) -> tuple[Float[Array, "*starts"], Float[Array, "*starts dims dims"]]:
        """The count per column and the scatter that the prior of the covariances adds to each component."""
        dims = self.mean.shape[-1]
        if not parts.diagonal:
            count, extra = self.dof + dims + 1.0, self.scale
        else:
            share = dims if parts.round else 1
            count, extra = (self.dof + 2.0) / share, spread(self._variances(parts)) / share
        if not parts.tied:
            return count, extra
        copies = xp.maximum(active.sum(-1), 1).astype(self.scale.dtype)
        return count / copies, extra / copies[..., None, None]

    def _variances(self, parts: Structure) -> Float[Array, "*starts dims"]:
        """ς²: the diagonal of Λ, or for round structures its mean in every place."""
        diagonal = xp.diagonal(self.scale, axis1=-2, axis2=-1)
        return xp.broadcast_to(diagonal.mean(-1, keepdims=True), diagonal.shape) if parts.round else diagonal

    def log_prob(
        self,
        structure: str,
        means: Float[Array, "*starts components dims"],
        covariances: Float[Array, "..."],
        active: Bool[Array, "*starts components"] | None = None,
    ) -> Float[Array, "*starts"]:
        """The log-density of all means and covariances, in nats.

        Complete with its constants for E, V, EII, VII, EEI, VVI, EEE and VVV, as a density of the means and
        of σ², of the v_kj, or of the entries of Σ_k. For the other structures the constant of the restriction
        is left out, having no closed form: it depends on K and the prior, never on the parameters.

        Args:
            structure: any name that ``canonical_name`` knows.
            means: μ_k.
            covariances: Σ_k ``[K, D, D]``, or variances ``[K, D]``.
            active: which components there are (all of them if None).
        """
        dims = means.shape[-1]
        parts = _parts(structure, dims)
        active = np.ones(means.shape[:-1], bool) if active is None else active
        matrices = covariances if covariances.ndim > means.ndim else spread(covariances)
        matrices = xp.where(active[..., None, None], matrices, np.eye(dims, dtype=means.dtype))
        factor = cholesky_factor(matrices)
        whitened = solve_triangle(factor, (means - self.mean[..., None, :])[..., None])[..., 0]
        log_det = 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        shrinkage = self.shrinkage[..., None]
        proper = shrinkage > 0
        log_shrinkage = xp.log(xp.where(proper, shrinkage, 1.0))
        normal = -0.5 * (dims * (LOG_2PI - log_shrinkage) + log_det + shrinkage * (whitened**2).sum(-1))
        normal = xp.where(proper, normal, 0.0)
        if parts.diagonal:
            own = self._inverse_gamma(parts, xp.diagonal(matrices, axis1=-2, axis2=-1))
        else:
            own = self._inverse_wishart(factor, log_det)
        own = xp.where(active, own, 0.0)
        # of tied covariances one counts: their mean, for they are all the same
        once = own.sum(-1) / xp.maximum(active.sum(-1), 1) if parts.tied else own.sum(-1)
        return xp.where(active, normal, 0.0).sum(-1) + once

    def _inverse_gamma(
        self, parts: Structure, variances: Float[Array, "*starts components dims"]
    ) -> Float[Array, "*starts components"]:
        """Σ_j log IG(v_j; ν/2, ς_j²/2), or for round structures the one term of σ²."""
        shape, rate = 0.5 * self.dof, 0.5 * self._variances(parts)
        shape, rate = shape[..., None, None], rate[..., None, :]
        constant = shape * xp.log(rate) - special.gammaln(shape)
        terms = constant - (shape + 1.0) * xp.log(variances) - rate / variances
        return terms[..., 0] if parts.round else terms.sum(-1)

    def _inverse_wishart(
        self, factor: Float[Array, "*starts components dims dims"], log_det: Float[Array, "*starts components"]
    ) -> Float[Array, "*starts components"]:
        """log IW(Σ; ν, Λ), Σ given by its Cholesky factor."""
        dims = self.mean.shape[-1]
        root = cholesky_factor(self.scale)
        trace = (solve_triangle(factor, root[..., None, :, :]) ** 2).sum((-2, -1))
        log_scale = 2.0 * xp.log(xp.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
        constant = 0.5 * self.dof * (log_scale - dims * math.log(2.0)) - log_multigamma(0.5 * self.dof, dims)
        return constant[..., None] - 0.5 * ((self.dof + dims + 1.0)[..., None] * log_det + trace)

    def in_units(self, shift: Float[Array, " dims"], scale: Float[Array, " dims"]) -> Self:
        """The same prior where rows x are measured as ``scale · x + shift``, column by column.

        Round structures keep their meaning only if all columns are scaled alike.
        """
        return type(self)(self.mean * scale + shift, self.shrinkage, self.scale * scale[:, None] * scale, self.dof)

    def change_of_units(self, structure: str, scale: Float[np.ndarray, " dims"], components: int) -> float:
        """What the log-density of K components gains where rows x are measured as ``scale · x``: a constant.

        ``−Σ_j log s_j`` for every mean; for every covariance as much times D + 1 (tilted), 2 (axes) or 2/D (round).
        """
        logs, dims = float(np.log(scale).sum()), len(scale)
        parts = _parts(structure, dims)
        powers = 2.0 / dims if parts.round else 2.0 if parts.diagonal else dims + 1.0
        means = components if float(np.asarray(self.shrinkage).ravel()[0]) > 0 else 0
        return -logs * (means + (1 if parts.tied else components) * powers)


def default_prior(
    structure: str,
    mean: Float[Array, " dims"],
    covariance: Float[Array, "dims dims"],
    n_components: int | Array,
) -> GaussianPrior:
    """mclust's default: κ = 0.01, ν = D + 2, Λ = (the data's covariance) / K^(2/D).

    For structures along the axes Λ is the mean of that matrix's diagonal times the identity.

    Args:
        structure: any name that ``canonical_name`` knows.
        mean: the columns' means, μ_P.
        covariance: the data's covariance matrix (mclust divides by N − 1).
        n_components: K.
    """
    dims = mean.shape[-1]
    scale = np.asarray(covariance) / np.asarray(n_components) ** (2.0 / dims)
    if _parts(structure, dims).diagonal:
        scale = np.trace(scale) / dims * np.eye(dims)
    kinds = (mean, np.asarray(0.01), scale, np.asarray(dims + 2.0))
    return GaussianPrior(*(np.asarray(part, covariance.dtype) for part in kinds))


def _parts(structure: str, dims: int) -> Structure:
    return STRUCTURES[canonical_name(structure, dims)]
