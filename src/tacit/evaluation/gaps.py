"""What is usual for rows of which only some columns are seen, so that rows with gaps can be set beside one another."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.inference.importance import unsaid

PATTERNS = 40
"""Sets of missing columns that are looked at, the commonest first."""


def usual_scores(
    score: Callable[[Float[np.ndarray, "some columns"]], np.ndarray],
    drawn: Float[np.ndarray, "draws columns"],
    missing: Bool[np.ndarray, "rows columns"],
) -> Float[np.ndarray, " rows"]:
    """The mean log-density of rows drawn from the model, of each of which as much is seen as of the row at hand.

    The log-density of a row with gaps is that of what is seen of it: fewer terms, so that it cannot be set beside that
    of a complete row. Its distance from ``E[log p(x_seen)]`` can.

    Args:
        score: log-densities of rows, NaN where missing, in nats.
        drawn: rows of the model.
        missing: where the rows at hand have gaps.

    Returns:
        In nats; NaN where the same columns are missing in too few rows to be among the 40 commonest patterns.
    """
    patterns, place, counts = np.unique(missing, axis=0, return_inverse=True, return_counts=True)
    return usual_of(score, drawn, patterns, counts)[place.ravel()]


def usual_of(
    score: Callable[[Float[np.ndarray, "some columns"]], np.ndarray],
    drawn: Float[np.ndarray, "draws columns"],
    patterns: Bool[np.ndarray, "patterns columns"],
    counts: Int[np.ndarray, " patterns"],
) -> Float[np.ndarray, " patterns"]:
    """The same for sets of missing columns of which so many rows there are."""
    kept = np.argsort(-counts, kind="stable")[:PATTERNS]
    found = np.full(len(patterns), np.nan)
    rows = np.concatenate([np.where(patterns[each], np.nan, drawn) for each in kept])
    with unsaid():
        scores = np.asarray(score(rows), np.float64)
    scores = scores.reshape(len(kept), len(drawn))
    found[kept] = scores.mean(axis=1)
    return found
