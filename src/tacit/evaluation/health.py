"""``latent_health``: how much a deep model's code is told of the rows, and what to do where it is too little."""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from tacit.estimators.capabilities import Codes, MatrixLike, Scores, can
from tacit.evaluation.gap import InferenceGap, inference_gap

ACTIVE_VARIANCE = 0.01
"""A latent dimension is active where its posterior mean varies by more than this over the rows (Burda et al. 2016)."""
POINTS = "Codes are points: nothing is paid for them, and there is no density of rows."
COLLAPSED = 0.05
"""Nats a row below which the whole code counts as unused."""


@dataclasses.dataclass(frozen=True)
class LatentHealth:
    """What the code of a deep model carries; all figures in nats a row.

    Attributes:
        active: which latent dimensions are in use.
        kl: the KL of every dimension to the prior (of all together, where it has no closed form).
        mutual_information: of x and z under the encoder, ``E log q(z|x)/q(z)``; at most log N of the rows looked at.
        aggregate_kl: ``KL(q(z) ‖ p(z))`` of the aggregate posterior: how far codes of real rows lie from the prior's.
        rows: how many rows were looked at.
        verdict: in words.
        squared_error: mean squared error of the reconstructions, in the user's units squared.
        right: of values that are all 0 or 1, the share that is reconstructed on the right side of ½; else NaN.
        gap: what the bound loses to the encoder and to the shape of q, where that was asked for.
    """

    active: np.ndarray
    kl: np.ndarray
    mutual_information: float
    aggregate_kl: float
    rows: int
    verdict: str
    squared_error: float
    right: float
    gap: InferenceGap | None = None

    def __str__(self) -> str:
        error = f"squared error {self.squared_error:.3g}"
        if not math.isnan(self.right):
            error = f"{100 * self.right:.1f} % of the entries right"
        return (
            f"{int(self.active.sum())} of {self.active.size} latent dimensions in use, KL {self.kl.sum():.2f} nats a "
            f"row (mutual information {self.mutual_information:.2f}, aggregate to prior {self.aggregate_kl:.2f}). "
            f"Reconstructions: {error}. {self.verdict}" + ("" if self.gap is None else f" {self.gap}")
        )


def latent_health(
    estimator: BaseEstimator, X: MatrixLike, *, given: ArrayLike | None = None, gap_rows: int = 0
) -> LatentHealth:
    """Look at what a fitted deep model's code is told of some rows (at most 2 000 of them).

    ``E KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z))`` (Hoffman & Johnson 2016), with q(z) the mixture of the rows'
    own posteriors. ``gap_rows`` rows are also looked at by `inference_gap`, which takes longer.

    Raises:
        ValueError: the estimator has no latent code.
    """
    if not can(estimator, Codes):
        raise ValueError(f"{type(estimator).__name__} has no latent code to look at")
    found = estimator.latent_information(X, given=given)
    kl = found["kl"].mean(axis=0)
    told = float((found["log_posterior"] - found["log_aggregate"]).mean())
    active = found["means"].var(axis=0) > ACTIVE_VARIANCE
    error = estimator.reconstruction_error(X, given=given)
    gap = inference_gap(estimator, X, given=given, rows=gap_rows) if gap_rows else None
    return LatentHealth(
        active,
        kl,
        told,
        float(kl.sum() - told),
        found["kl"].shape[0],
        _verdict(active, kl) if can(estimator, Scores) else POINTS,
        error["squared"],
        error["right"],
        gap,
    )


def _verdict(active: np.ndarray, kl: np.ndarray) -> str:
    if kl.sum() < COLLAPSED or not active.any():
        return (
            "The posterior has collapsed: z is told nothing, and the decoder does without it. Take a longer warm_up, "
            "objective=Elbo(free_bits=0.1), a weaker decoder, or a likelihood with less noise."
        )
    if 2 * active.sum() < active.size:
        return f"More than half of the dimensions are idle: n_components={int(active.sum()) + 1} would do."
    return "The code is in use."
