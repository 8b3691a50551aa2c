"""The Normal distribution of a row with covariance W Wᵀ + diag ψ: a few factors, and each column's own noise."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import static
from tacit.compute import LOG_2PI, Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import Family, in_base
from tacit.families.factorising import factorise
from tacit.families.multivariate_normal import MultivariateNormal, checked_columns, outer_statistics, square
from tacit.families.numeric import ratio
from tacit.spaces import Spaces

SMALLEST_NOISE = 1e-6
"""The least share of a column's variance that is its own noise, unless it is said. Without a bound the likelihood of a
factor model may rise towards a noise of exactly zero (a Heywood case); the M-step under the bound is exact too."""


class LowRankNormal(Family):
    """``N(x; μ, W Wᵀ + diag ψ)``, the marginal of ``x = μ + W z + ε``, z ~ N(0, I_Q), ε ~ N(0, diag ψ).

    ``T = (x, vec x xᵀ)``. Everything but the divergences costs D·Q², not D³ (Woodbury): with
    ``C = I + Wᵀ diag(1/ψ) W`` and ẑ = E[z | x], ``log|Σ| = Σ log ψ + log|C|`` and the squared distance is
    ``‖(x − μ − W ẑ)/√ψ‖² + ‖ẑ‖²``, a sum without cancellation. A missing entry (NaN) is summed out.
    W is known up to a rotation of the factors; ``maximise`` gives the one with Wᵀ diag(1/ψ) W diagonal.
    """

    spaces: ClassVar[Spaces] = {"noise": "positive"}

    name: ClassVar[str] = "low-rank-normal"
    event_dims: ClassVar[int] = 1
    exponential: ClassVar[bool] = False  # T(x) holds no parameter, but a natural parameter would be a dense matrix

    means: Float[Array, "*batch dims"]
    loadings: Float[Array, "*batch dims factors"]
    noise: Float[Array, "*batch dims"]
    """ψ, variances."""
    iterations: int = static(default=500)
    """Limit of the inner iterations of ``maximise``."""
    floor: float = static(default=SMALLEST_NOISE)
    """The least share of a column's variance that is its own noise, in ``maximise``: R's factanal has 0.005."""

    @property
    def dims(self) -> int:
        """D, the number of columns."""
        return self.means.shape[-1]

    @property
    def covariances(self) -> Float[Array, "*batch dims dims"]:
        """``Σ = W Wᵀ + diag ψ``, a dense matrix."""
        eye = jnp.eye(self.dims, dtype=self.noise.dtype)
        return self.loadings @ jnp.swapaxes(self.loadings, -1, -2) + self.noise[..., None] * eye

    def dense(self) -> MultivariateNormal:
        """The same distribution with a dense Cholesky factor."""
        return MultivariateNormal.from_covariance(self.means, self.covariances)

    def log_prob(self, x: Float[Array, "*rows dims"]) -> Float[Array, "..."]:
        """Log-density of the observed entries, in nats (0 where all are missing, −inf at an infinite value)."""
        infinite = jnp.isinf(x)
        residual = jnp.where(infinite, 0.0, x) - self.means
        seen = ~jnp.isnan(residual)
        scale = jnp.sqrt(self.noise)
        scaled = jnp.where(seen, residual, 0.0) / scale
        loadings = self.loadings / scale[..., None]

        def complete():
            return _reduce(scaled, loadings)

        def partial():
            return _reduce(scaled, loadings * seen[..., None])

        distance, log_det = jax.lax.cond(seen.all(), complete, partial)
        log_det += jnp.where(seen, jnp.log(self.noise), 0.0).sum(-1)
        value = -0.5 * (distance + log_det + LOG_2PI * seen.sum(-1))
        return jnp.where(infinite.any(-1), -jnp.inf, value)

    def supports(self, x: Float[Array, "*rows dims"]) -> Bool[Array, "*rows dims"]:
        return jnp.isfinite(x)

    def expected_statistics(self, x: Float[Array, "*rows dims"]) -> Float[Array, "*rows F"]:
        return outer_statistics(jnp.where(self.supports(x).all(-1, keepdims=True), x, 0.0))

    def maximise(self, statistics: Float[Array, "*batch F"], weight: Float[Array, "*batch"]) -> Self:
        """Maximum likelihood from the covariance S of the statistics, from the noise of ``self``; it never falls.

        The best W given ψ is of closed form, and what is left of the likelihood is raised by quasi-Newton steps in
        log ψ, each ψ at least ``floor`` of its column's variance (`tacit.families.factorising`). EM has the same fixed
        points, and can be thousands of times slower where a ψ_j is small.
        """
        seen = weight > 0
        moments = ratio(statistics, weight[..., None])
        means = jnp.where(seen[..., None], moments[..., : self.dims], self.means)
        second = square(moments[..., self.dims :], self.dims)
        spread = second - means[..., :, None] * means[..., None, :]
        stood_in = jnp.where(seen[..., None, None], spread, self.covariances)
        flat, noise = stood_in.reshape(-1, self.dims, self.dims), self.noise.reshape(-1, self.dims)
        shapes = (
            jax.ShapeDtypeStruct((*noise.shape, self.loadings.shape[-1]), noise.dtype),
            jax.ShapeDtypeStruct(noise.shape, noise.dtype),
        )
        work = partial(_factorised, factors=self.loadings.shape[-1], iterations=self.iterations, floor=self.floor)
        loadings, own = jax.pure_callback(work, shapes, flat, noise)  # quasi-Newton steps are the host's
        return type(self)(
            means,
            jnp.where(seen[..., None, None], loadings.reshape(self.loadings.shape), self.loadings),
            jnp.where(seen[..., None], own.reshape(self.noise.shape), self.noise),
            self.iterations,
            self.floor,
        )

    def mean(self) -> Float[Array, "*batch dims"]:
        return jnp.asarray(self.means)

    def variance(self) -> Float[Array, "*batch dims"]:
        return (self.loadings**2).sum(-1) + self.noise

    def entropy(self, base: float | None = None) -> Float[Array, "*batch"]:
        loadings = self.loadings / jnp.sqrt(self.noise)[..., None]
        log_det = _reduce(jnp.zeros_like(self.means), loadings)[1] + jnp.log(self.noise).sum(-1)
        return in_base(0.5 * (self.dims * (1.0 + LOG_2PI) + log_det), base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """Through dense covariances, as the divergence."""
        return self.dense().cross_entropy(other.dense(), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return self.dense().kl_divergence(other.dense(), base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        common, own = jax.random.split(key)
        batch, factors = self.means.shape[:-1], self.loadings.shape[-1]
        z = jax.random.normal(common, (*shape, *batch, factors), self.means.dtype)
        noise = jax.random.normal(own, (*shape, *batch, self.dims), self.means.dtype)
        return self.means + jnp.einsum("...ij,...j->...i", self.loadings, z) + jnp.sqrt(self.noise) * noise

    def marginal(self, columns: Sequence[int]) -> Self:
        """The distribution of some columns, in the order given: their rows of W and ψ."""
        chosen = checked_columns(columns, self.dims)
        return type(self)(
            self.means[..., chosen], self.loadings[..., chosen, :], self.noise[..., chosen], self.iterations, self.floor
        )


def _reduce(
    scaled: Float[Array, "*rows dims"], loadings: Float[Array, "*more dims factors"]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """The squared distance and log|C| from residuals and loadings that are both divided by √ψ."""
    eye = jnp.eye(loadings.shape[-1], dtype=loadings.dtype)
    factor = jnp.linalg.cholesky(eye + jnp.swapaxes(loadings, -1, -2) @ loadings)
    identity = jnp.broadcast_to(eye, factor.shape)
    half = jax.lax.linalg.triangular_solve(factor, identity, left_side=True, lower=True)
    projected = jnp.einsum("...dq,...d->...q", loadings, scaled)
    latent = jnp.einsum("...pq,...p->...q", half, jnp.einsum("...pq,...q->...p", half, projected))
    rest = scaled - jnp.einsum("...dq,...q->...d", loadings, latent)
    log_det = 2.0 * jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    distance = (rest**2).sum(-1) + (latent**2).sum(-1)
    return distance, jnp.broadcast_to(log_det, distance.shape)


def _factorised(
    spread: Float[Array, "many dims dims"],
    noise: Float[Array, "many dims"],
    *,
    factors: int,
    iterations: int,
    floor: float,
) -> tuple[Float[np.ndarray, "many dims factors"], Float[np.ndarray, "many dims"]]:
    """W and ψ of maximum likelihood of several covariance matrices ``[B, D, D]``, each from a first ψ ``[B, D]``."""
    loadings, noises = np.zeros((*noise.shape, factors), noise.dtype), np.zeros(noise.shape, noise.dtype)
    every = np.asarray(spread, np.float64), np.asarray(noise, np.float64)
    for place, (matrix, start) in enumerate(zip(*every, strict=True)):
        scale = np.sqrt(np.diagonal(matrix))
        plane = factorise(matrix / scale[:, None] / scale, factors, floor, iterations, start / scale**2)
        loadings[place], noises[place] = plane.loadings * scale[:, None], plane.noise * scale**2
    return loadings, noises
