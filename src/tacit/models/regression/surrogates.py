"""Lower bounds of ``log p(y|u)`` that are quadratic in the scores u, so that a Gaussian posterior is in closed form.

A class k has the score ``s_k = c_kᵀu`` and ``p(y|u) = softmax(s)_y``; the columns of the contrasts C are orthogonal
to 1, so u has no direction that the data cannot see. A surrogate sees the mean of u at a row and its spread along some
directions ``tr(D_k Cov(u))``, sets its free numbers to their best, and gives the bound's expectation and the quadratic
it leaves: ``pullᵀu − ½ Σ_k curvature_k uᵀD_k u``.
"""

import abc
import math
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from tacit.arrays import logsumexp, softmax, while_loop, xp
from tacit.compute import Array

SHIFT_STEPS, SHIFT_TOL = 80, 1e-12
"""Of the search for Bouchard's shift: Newton's, or a bisection where Newton's would leave the bracket."""


class Local(NamedTuple):
    """What a surrogate says of some rows."""

    bound: Float[Array, " rows"]
    """Expected under q, in nats."""
    pull: Float[Array, "rows units"]
    curvature: Float[Array, "rows forms"]


def contrasts(classes: int) -> Float[np.ndarray, "classes units"]:
    """From units to class scores: the log-odds ±½ of two classes; else Helmert's orthonormal contrasts."""
    if classes == 2:
        return np.array([[-0.5], [0.5]])
    matrix = np.zeros((classes, classes - 1))
    for unit in range(classes - 1):
        matrix[: unit + 1, unit] = -1.0
        matrix[unit + 1, unit] = unit + 1.0
    return matrix / np.linalg.norm(matrix, axis=0)


class Surrogate(eqx.Module):
    """A bound and the directions along which it needs the spread of u."""

    contrast: Float[Array, "classes units"]

    @property
    @abc.abstractmethod
    def directions(self) -> Float[Array, "forms units units"]:
        """D_k."""

    @abc.abstractmethod
    def local(
        self, mean: Float[Array, "rows units"], spread: Float[Array, "rows forms"], labels: Float[Array, " rows"]
    ) -> Local:
        """The bound at its best free numbers; labels are classes 0, 1, …"""

    def log_prob(self, scores: Float[Array, "*draws units"], labels: Float[Array, "*draws"]) -> Float[Array, "*draws"]:
        """``log p(y|u)``, in nats."""
        return log_prob(self.contrast, scores, labels)


def log_prob(
    contrast: Float[Array, "classes units"], scores: Float[Array, "*draws units"], labels: Float[Array, "*draws"]
) -> Float[Array, "*draws"]:
    """``log softmax(C u)_y``, in nats; of two classes the log-odds alone are looked at."""
    if contrast.shape[0] == 2:
        return -xp.logaddexp(0.0, (1.0 - 2.0 * labels) * scores[..., 0])
    every = scores @ contrast.T
    seen = xp.take_along_axis(every, labels.astype(np.int32)[..., None], -1)[..., 0]
    return seen - logsumexp(every)


def _slope(xi: Float[Array, "..."]) -> Float[Array, "..."]:
    """``2 λ(ξ) = tanh(ξ/2)/(2ξ)``, ¼ at 0."""
    small = xi < 1e-4
    safe = xp.where(small, 1.0, xi)
    return xp.where(small, 0.25 - xi**2 / 48.0, xp.tanh(0.5 * safe) / (2.0 * safe))


def _one_hot(labels: Float[Array, " rows"], scores: Float[Array, "rows classes"]) -> Float[Array, "rows classes"]:
    return (labels[:, None] == np.arange(scores.shape[1])).astype(scores.dtype)


class JaakkolaJordan(Surrogate):
    """``log σ(t) ≥ log σ(ξ) + (t − ξ)/2 − λ(ξ)(t² − ξ²)``, best at ``ξ² = E[t²]`` (Jaakkola & Jordan 2000).

    Two classes only: ``t = ±u``.
    """

    @property
    def directions(self) -> Float[Array, "forms units units"]:
        return np.ones((1, 1, 1))

    def local(
        self, mean: Float[Array, "rows units"], spread: Float[Array, "rows forms"], labels: Float[Array, " rows"]
    ) -> Local:
        xi = xp.sqrt(mean**2 + spread)
        side = labels[:, None] - 0.5
        bound = -xp.logaddexp(-xi, 0.0) + side * mean - 0.5 * xi
        return Local(bound[:, 0], side, _slope(xi))


class Bohning(Surrogate):
    """``lse(s) ≤ lse(ψ) + (s − ψ)ᵀsoftmax(ψ) + ½ (s − ψ)ᵀA(s − ψ)`` with ``A = ½(I − 11ᵀ/K)`` (Böhning 1992).

    Best at ``ψ = E[s]``. The curvature is the same for every row and every iteration.
    """

    @property
    def directions(self) -> Float[Array, "forms units units"]:
        # the columns of C are orthogonal to 1: CᵀAC = ½ CᵀC
        return (0.5 * self.contrast.T @ self.contrast)[None]

    def local(
        self, mean: Float[Array, "rows units"], spread: Float[Array, "rows forms"], labels: Float[Array, " rows"]
    ) -> Local:
        scores = mean @ self.contrast.T
        seen = _one_hot(labels, scores)
        bound = (seen * scores).sum(1) - logsumexp(scores) - 0.5 * spread[:, 0]
        pull = (seen - softmax(scores)) @ self.contrast + mean @ self.directions[0]
        return Local(bound, pull, xp.ones_like(spread))


class Bouchard(Surrogate):
    """``lse(s) ≤ a + Σ_k log(1 + e^{s_k − a})``, each term under Jaakkola and Jordan's bound (Bouchard 2007).

    The shift a of a row is the root of a rising function; ``ξ_k² = E[(s_k − a)²]``.
    """

    @property
    def directions(self) -> Float[Array, "forms units units"]:
        return self.contrast[:, :, None] * self.contrast[:, None, :]

    def local(
        self, mean: Float[Array, "rows units"], spread: Float[Array, "rows forms"], labels: Float[Array, " rows"]
    ) -> Local:
        scores = mean @ self.contrast.T
        shift = _shift(scores, spread)
        xi = xp.sqrt(spread + (scores - shift) ** 2)
        slope = _slope(xi)
        seen = _one_hot(labels, scores)
        each = 0.5 * (scores - shift - xi) + xp.logaddexp(xi, 0.0)
        bound = (seen * scores).sum(1) - shift[:, 0] - each.sum(1)
        return Local(bound, (seen - 0.5 + slope * shift) @ self.contrast, slope)


def _shift(scores: Float[Array, "rows classes"], spread: Float[Array, "rows classes"]) -> Float[Array, "rows 1"]:
    """The root of ``1 − K/2 + Σ_k 2λ(ξ_k)(a − s_k)``, which rises with a."""
    count = scores.shape[1]
    reach = 10.0 + 2.0 * math.log(count) + 2.0 * count * xp.sqrt(spread.max(1, keepdims=True))

    def narrow(ends):
        step, low, shift, high, _ = ends
        away = shift - scores
        xi = xp.sqrt(xp.maximum(spread + away**2, 1e-8))
        slope = _slope(xi)
        value = 1.0 - 0.5 * count + (slope * away).sum(1, keepdims=True)
        bend = slope + away**2 / xi**2 * (0.25 / xp.cosh(xp.minimum(0.5 * xi, 300.0)) ** 2 - slope)
        low, high = xp.where(value < 0.0, shift, low), xp.where(value < 0.0, high, shift)
        ahead = shift - value / xp.maximum(bend.sum(1, keepdims=True), 1e-12)
        inside = (ahead > low) & (ahead < high)
        # where rounding is all that is left, the step is no more than that, and the place stays
        after = xp.where(inside | (xp.abs(value) <= SHIFT_TOL), ahead, 0.5 * (low + high))
        return step + 1, low, after, high, xp.abs(value).max()

    low, high = scores.min(1, keepdims=True) - reach, scores.max(1, keepdims=True) + reach
    start = logsumexp(scores)[:, None]
    begun = (np.asarray(0), low, start, high, np.full((), np.inf, scores.dtype))
    return while_loop(lambda ends: (ends[0] < SHIFT_STEPS) & (ends[4] > SHIFT_TOL), narrow, begun)[2]


class Newton(Surrogate):
    """No bound: the quadratic that touches ``log p(y|u)`` with its own curvature at the mean (Laplace)."""

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        return np.triu_indices(self.contrast.shape[-1])

    @property
    def directions(self) -> Float[Array, "forms units units"]:
        one, other = self._pairs()
        matrices = np.zeros((one.size, self.contrast.shape[-1], self.contrast.shape[-1]))
        matrices[np.arange(one.size), one, other] = 1.0
        matrices[np.arange(one.size), other, one] = 1.0
        return matrices

    def local(
        self, mean: Float[Array, "rows units"], spread: Float[Array, "rows forms"], labels: Float[Array, " rows"]
    ) -> Local:
        scores = mean @ self.contrast.T
        chances = softmax(scores)
        seen = _one_hot(labels, scores)
        along = chances @ self.contrast
        hessian = xp.einsum("nk,ku,kv->nuv", chances, self.contrast, self.contrast) - along[:, :, None] * along[:, None]
        pull = (seen - chances) @ self.contrast + xp.einsum("nuv,nv->nu", hessian, mean)
        one, other = self._pairs()
        return Local(log_prob(self.contrast, mean, labels), pull, hessian[:, one, other])


SURROGATES: dict[str, type[Surrogate]] = {
    "jaakkola-jordan": JaakkolaJordan,
    "bohning": Bohning,
    "bouchard": Bouchard,
}
