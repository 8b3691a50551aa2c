"""Evenly spread points for every row, that follow from what the row holds and from nothing beside it."""

import functools

import numpy as np
import scipy.stats
from jaxtyping import Float

GOLDEN, FIRST, SECOND = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
"""Of SplitMix64 (Steele, Lea & Flood 2014), which makes numbers of counters that look random."""
MISSING = np.uint64(0x7FF8000000000000)


def points(rows: Float[np.ndarray, "rows dims"], number: int, dims: int) -> Float[np.ndarray, "rows number points"]:
    """So many points of the unit cube for every row, ``dims`` numbers each, strictly between 0 and 1.

    Sobol's points, which lie more evenly than random ones, are moved round by a shift that the row's own numbers make
    (Cranley & Patterson 1976). So rows err independently, and a row by itself gets what it gets among others.
    """
    moved = _sobol(number, dims) + _shifts(rows, dims)[:, None]
    return np.clip(moved - np.floor(moved), 2.0**-54, 1.0 - 2.0**-53)


@functools.lru_cache(16)
def _sobol(number: int, dims: int) -> np.ndarray:
    whole = scipy.stats.qmc.Sobol(dims, seed=0).random_base2((number - 1).bit_length())
    return np.asarray(whole[:number])


def _shifts(rows: np.ndarray, dims: int) -> np.ndarray:
    """Numbers between 0 and 1 that look random, ``[rows, dims]``."""
    state = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        bits = (column + 0.0).view(np.uint64)  # of −0 those of 0
        state = _mixed(state + GOLDEN ^ np.where(np.isnan(column), MISSING, bits))
    counters = np.arange(1, dims + 1, dtype=np.uint64) * GOLDEN
    return (_mixed(state[:, None] + counters) >> np.uint64(11)) * 2.0**-53


def _mixed(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * FIRST
    state = (state ^ (state >> np.uint64(27))) * SECOND
    return state ^ (state >> np.uint64(31))
