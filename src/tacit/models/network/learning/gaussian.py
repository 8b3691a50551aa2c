"""Scores of columns that are jointly Gaussian, from their moments.

``x_i | parents ~ Normal(a + bᵀ parents, σ²)``. With σ² the variance that is left at the maximum, p parents and N the
weight of all rows, ``loglik = −½ N (log 2πσ² + 1)``, minus ``½ (p + 2) log N`` for ``bic`` and ``p + 2`` for ``aic``.

``bge`` is the log marginal likelihood under a Normal–Wishart prior, the same for equivalent graphs (Geiger & Heckerman
2002, with the constants put right by Kuipers, Moffa & Heckerman 2014).
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from tacit.compute import HostArray
from tacit.models.network.learning.scores import penalty_of

GaussianKind = Literal["bic", "aic", "loglik", "bge"]
RIDGE = 1e-10
"""The share of its variance that a column always keeps when others are known; rounding is no likelihood."""
_TINY = np.finfo(np.float64).tiny


class GaussianMoments(NamedTuple):
    """What is known of Gaussian columns: from rows, or expected by an E-step.

    ``scatter`` is ``Σ_n w_n (x_n − mean)(x_n − mean)ᵀ``.
    """

    total: float
    mean: Float[HostArray, " nodes"]
    scatter: Float[HostArray, "nodes nodes"]


def moments_of(
    rows: Float[HostArray, "rows nodes"], weights: Float[HostArray, " rows"] | None = None
) -> GaussianMoments:
    """The moments of complete rows.

    Raises:
        ValueError: a value is missing or infinite, or there are no rows.
    """
    if not rows.shape[0]:
        raise ValueError("there are no rows to learn from")
    odd = ~np.isfinite(rows)
    if odd.any():
        row, column = (int(each[0]) for each in np.nonzero(odd))
        raise ValueError(
            f"column {column}, row {row + 1} is {rows[row, column]}: a structure is learned from complete rows, "
            "or from expected moments"
        )
    weight = np.ones(rows.shape[0]) if weights is None else np.asarray(weights, np.float64)
    total = float(weight.sum())
    mean = weight @ rows / total
    centred = rows - mean
    return GaussianMoments(total, mean, (weight[:, None] * centred).T @ centred)


class GaussianScore:
    """A score of columns that are jointly Gaussian."""

    def __init__(
        self,
        moments: GaussianMoments,
        kind: GaussianKind = "bic",
        *,
        prior_weight: float = 1.0,
        degrees: float | None = None,
    ) -> None:
        """Choose a score.

        Args:
            moments: of the columns.
            kind: which score.
            prior_weight: α_μ of ``bge``, the number of rows that the prior mean (that of the rows) is worth.
            degrees: α_w of ``bge``, the degrees of freedom of the prior, more than nodes + 1; of None nodes + 2.

        Raises:
            ValueError: the kind is none of these, a column never changes, or the prior is none.
        """
        if kind not in get_args(GaussianKind):
            raise ValueError(
                f"score is {kind!r}; for columns of numbers choose from {', '.join(get_args(GaussianKind))}"
            )
        variance = np.diag(moments.scatter)
        if np.any(variance <= 0):
            raise ValueError(f"column {int(np.argmax(variance <= 0))} never changes; it cannot depend on others")
        self.nodes = len(moments.mean)
        self._kind, self._total = kind, float(moments.total)
        self._matrix = np.asarray(moments.scatter, np.float64) + RIDGE * np.diag(variance)
        if kind == "bge":
            self._weight, self._degrees = float(prior_weight), float(self.nodes + 2 if degrees is None else degrees)
            if not self._weight > 0 or not self._degrees > self.nodes + 1:
                raise ValueError("bge: prior_weight must be above 0, and degrees above the number of nodes plus 1")
            self._scale = self._weight * (self._degrees - self.nodes - 1) / (self._weight + 1)  # T = t I
            self._matrix = self._matrix + self._scale * np.eye(self.nodes)

    def possible(self) -> HostArray:
        """Every arrow."""
        return ~np.eye(self.nodes, dtype=bool)

    def local(self, node: int, parents: tuple[int, ...]) -> float:
        """What a node is worth, given its parents."""
        left = residuals(self._matrix, node, parents)
        return float(self._worth(left.own[[node]], len(parents), left.log_determinant)[0])

    def additions(self, node: int, parents: tuple[int, ...]) -> Float[HostArray, " nodes"]:
        """What it is worth with each node as one more parent."""
        left = residuals(self._matrix, node, parents)
        own = np.maximum(left.own[node] - left.shared**2 / left.own, _TINY)
        worth = self._worth(own, len(parents) + 1, left.log_determinant + np.log(left.own))
        worth[[node, *parents]] = -np.inf
        return worth

    def _worth(self, left: HostArray, parents: int, log_determinant: HostArray) -> HostArray:
        """The score where so much of the scatter of a node is left; of its parents' matrix the log determinant."""
        if self._kind != "bge":
            parameters = (parents + 2) * penalty_of(self._kind, self._total)
            return log_likelihood(self._total, left / self._total) - parameters
        # log p(parents and node) − log p(parents), each as equation 8 of Kuipers et al.; l = parents + 1
        prior = self._degrees - self.nodes + parents + 1  # α_w − n + l
        after = prior + self._total
        constant = 0.5 * np.log(self._weight / (self._weight + self._total)) - 0.5 * self._total * np.log(np.pi)
        gammas = gammaln(0.5 * after) - gammaln(0.5 * prior)
        matrices = (prior + parents) * np.log(self._scale) - after * np.log(left) - log_determinant
        return constant + gammas + 0.5 * matrices


class Residuals(NamedTuple):
    """What is left of the scatter when some columns are known.

    ``shared`` of one node with every node, ``own`` of every node, and ``log_determinant`` of the known ones' matrix.
    """

    shared: Float[HostArray, "*groups nodes"]
    own: Float[HostArray, "*groups nodes"]
    log_determinant: Float[HostArray, "*groups"]


def residuals(
    scatter: Float[HostArray, "*groups nodes nodes"],
    node: int,
    known: tuple[int, ...],
) -> Residuals:
    """Schur complements of scatters."""
    own = np.diagonal(scatter, axis1=-2, axis2=-1)
    if not known:
        return Residuals(scatter[..., node, :], own, np.zeros(scatter.shape[:-2]))
    given = list(known)
    factor = np.linalg.cholesky(scatter[..., given, :][..., given])
    solved = np.linalg.solve(factor, scatter[..., given, :])  # L⁻¹ S_known,all
    shared = scatter[..., node, :] - np.einsum("...k,...kj->...j", solved[..., node], solved)
    left = np.maximum(own - (solved**2).sum(axis=-2), _TINY)
    determinant = 2 * np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
    return Residuals(shared, left, np.asarray(determinant))


def log_likelihood(total: HostArray | float, variance: HostArray) -> HostArray:
    """Of Gaussian columns at their maximum, where so much variance is left."""
    return -0.5 * total * (np.log(2 * np.pi * variance) + 1)
