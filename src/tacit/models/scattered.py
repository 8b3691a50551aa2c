"""Which rows may be noise that is spread evenly over the box of all rows: those whose neighbours are as far as its are.

Of N rows, wN fall evenly into a box of volume V; then the volume out to the k-th neighbour of one of them, among them
alone, has ``w N c D^d / V ~ Gamma(k, 1)`` (Byers & Raftery 1998). A row with nearer neighbours than that lies among
others that have gathered.
"""

import numpy as np
import scipy.spatial
from jaxtyping import Bool, Float
from scipy.special import gammaincinv, gammaln

NEIGHBOURS = 12
SAMPLE_ROWS = 2048
"""Rows among which neighbours are sought."""
MISSED = 1e-4
"""The share of noise that is taken for gathered."""
STEPS = 100


def scattered(
    rows: Float[np.ndarray, "rows dims"], weights: Float[np.ndarray, " rows"], random: np.random.Generator
) -> Bool[np.ndarray, " rows"]:
    """Which rows may be noise, by their neighbours alone."""
    present = np.flatnonzero(weights > 0)
    if present.size <= NEIGHBOURS + 1:
        return np.zeros(rows.shape[0], bool)
    among = present if present.size <= SAMPLE_ROWS else random.choice(present, SAMPLE_ROWS, replace=False)
    found, _ = scipy.spatial.KDTree(rows[among]).query(rows, k=NEIGHBOURS + 1)
    within = np.isin(np.arange(rows.shape[0]), among)
    distance = np.where(within, found[:, -1], found[:, -2])  # a row is no neighbour of itself
    return _thin(_log_rows(distance, rows[present], among.size), weights)


def _log_rows(distance: np.ndarray, rows: np.ndarray, number: int) -> np.ndarray:
    """``log N c D^d / V``: how many rows would lie so near if all were spread evenly."""
    dims = rows.shape[1]
    box = np.log(np.maximum(np.ptp(rows, axis=0), np.finfo(float).tiny)).sum()
    ball = 0.5 * dims * np.log(np.pi) - gammaln(0.5 * dims + 1.0)
    return np.log(number) + ball + dims * np.log(np.maximum(distance, np.finfo(float).tiny)) - box


def _thin(log_rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The rows that are as far apart as rows of noise, whose share is sought from above."""
    least, share = np.log(gammaincinv(NEIGHBOURS, MISSED)), 1.0
    thin = np.ones(log_rows.size, bool)
    for _ in range(STEPS):
        new = log_rows + np.log(max(share, np.finfo(float).tiny)) >= least
        if (new == thin).all():
            break
        thin, share = new, min(1.0, float(np.average(new, weights=weights)) / (1.0 - MISSED))
    return thin
