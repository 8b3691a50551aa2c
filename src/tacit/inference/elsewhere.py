"""Posterior mass that an approximation does not reach: modes sought from far away, and a wider proposal.

Importance weights see only where the approximation draws from. One that has settled in one of two modes has weights
without a tail (k̂ is small), and its restarts agree with it. So modes are sought from points spread over many of its
widths, and the mass around those that lie outside is measured by importance sampling from the normal of the curvature
there; of few parameters also the evidence under normals that are several times as wide.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, PyTree
from scipy.special import logsumexp

from tacit.inference.begin import Joint, Whitening, begin_at, log_joints

SPREADS = (4.0, 10.0, 30.0, 100.0)
"""How many widths of the approximation the searches begin away from it, a pair of opposite points each."""
FROM_START = (3.0, 10.0)
"""How far from where the user began, in the parameters' own unconstrained units, the others do."""
FAR = 4.0
"""In so many standard deviations of the approximation, in any coordinate, it has no draws to speak of."""
DRAWS = 1000
WIDE = (1.0, 2.0, 4.0)
"""Widths of the wider proposal."""
WIDE_DIMS = 8
"""Of more parameters a wide normal hits nothing."""


class Elsewhere(NamedTuple):
    """What was found outside an approximation."""

    log_evidence: float
    """``log ∫ p(x, θ) dθ`` over what lies outside, in nats; −∞ where nothing was found."""
    place: Float[np.ndarray, " dims"] | None
    """The mode there, in unconstrained coordinates."""
    searches: int


def elsewhere(
    joint: Joint,
    rows: PyTree,
    number: int,
    sample: tuple[PyTree, np.ndarray],
    draws: Float[np.ndarray, "draws dims"],
    start: Float[np.ndarray, " dims"],
    log_evidence: float,
    seed: int,
) -> Elsewhere:
    """Look for posterior mass where an approximation has no draws (in double precision).

    Args:
        joint: ``(u, rows) → (log prior, log-likelihood of every row)``.
        rows: all of them.
        number: how many.
        sample: the rows that a search looks at, and their weights.
        draws: of the approximation, in unconstrained coordinates u.
        start: where the user began.
        log_evidence: what importance sampling from the approximation says, in nats.
        seed: of all that is random.
    """
    random = np.random.default_rng(seed)
    centre, width = draws.mean(0), np.maximum(draws.std(0), 1e-12)
    places = _starts(centre, width, start, random)
    modes: list[Whitening] = []
    for place in places:
        found = _mode(joint, sample, place)
        if found is None or not _outside(np.asarray(found.centre)[None], centre, width)[0]:
            continue
        if all(np.abs((found.centre - other.centre) / _scales(other)).max() > 1.0 for other in modes):
            modes.append(found)
    masses = [_mass(joint, rows, number, mode, centre, width, random) for mode in modes]
    best = np.asarray(modes[int(np.argmax(masses))].centre) if masses and max(masses) > -np.inf else None
    found_there = float(logsumexp(masses)) if masses else -np.inf
    beyond = _beyond(joint, rows, number, draws, log_evidence, random)
    return Elsewhere(max(found_there, beyond), best if found_there >= beyond else None, len(places))


def _starts(
    centre: np.ndarray, width: np.ndarray, start: np.ndarray, random: np.random.Generator
) -> list[Float[np.ndarray, " dims"]]:
    """Pairs of opposite points: about the approximation, and about where the user began."""
    places = []
    for middle, scale, spreads in ((centre, width, SPREADS), (start, np.ones_like(width), FROM_START)):
        for spread in spreads:
            away = spread * scale * random.standard_normal(centre.size)
            places += [middle + away, middle - away]
    return places


def _mode(joint: Joint, sample: tuple[PyTree, np.ndarray], place: np.ndarray) -> Whitening | None:
    """The mode that a search from a place ends in; None where there is none."""
    rows, weights = sample
    try:
        found = begin_at(joint, rows, weights, place, dense=True, seed=0)
    except ValueError:  # no number there
        return None
    return found.whitening if found.mode else None


def _scales(whitening: Whitening) -> np.ndarray:
    factor = np.asarray(whitening.factor)
    return np.abs(factor) if factor.ndim == 1 else np.sqrt((factor**2).sum(1))


def _outside(points: np.ndarray, centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    return np.abs((points - centre) / width).max(1) > FAR


def _mass(
    joint: Joint,
    rows: PyTree,
    number: int,
    mode: Whitening,
    centre: np.ndarray,
    width: np.ndarray,
    random: np.random.Generator,
) -> float:
    """The log-evidence of what lies around a mode and outside the approximation."""
    noise = random.standard_normal((DRAWS, centre.size))
    points = np.asarray(mode(noise))
    log_q = -0.5 * (noise**2).sum(1) - 0.5 * centre.size * math.log(2.0 * math.pi) - float(mode.log_det())
    ratios = _log_joints(joint, points, rows, number) - log_q
    return float(logsumexp(np.where(_outside(points, centre, width), ratios, -np.inf)) - math.log(DRAWS))


def _beyond(
    joint: Joint, rows: PyTree, number: int, draws: np.ndarray, log_evidence: float, random: np.random.Generator
) -> float:
    """What the evidence under wider normals has more than that of the approximation, beyond three of its errors."""
    dims = draws.shape[1]
    if dims > WIDE_DIMS:
        return -np.inf
    centre = draws.mean(0)
    covariance = np.atleast_2d(np.cov(draws.T)) + 1e-24 * np.eye(dims)
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return -np.inf
    size = np.repeat(WIDE, DRAWS)
    noise = random.standard_normal((size.size, dims)) * size[:, None]
    square = (noise**2).sum(1)[:, None]
    widths = np.asarray(WIDE)
    constant = -0.5 * dims * math.log(2.0 * math.pi) - float(np.log(np.diagonal(root)).sum()) - math.log(widths.size)
    log_q = logsumexp(-0.5 * square / widths**2 - dims * np.log(widths), axis=1) + constant
    ratios = _log_joints(joint, centre + noise @ root.T, rows, number) - log_q
    total = float(logsumexp(ratios) - math.log(ratios.size))
    if not np.isfinite(total):
        return -np.inf
    error = float(np.exp(ratios - total).std(ddof=1) / math.sqrt(ratios.size))
    more = 1.0 - math.exp(min(log_evidence - total, 0.0)) if np.isfinite(log_evidence) else 1.0
    return total + math.log(more) if more > max(3.0 * error, 0.0) else -np.inf


def _log_joints(joint: Joint, points: np.ndarray, rows: PyTree, number: int) -> Any:
    found = log_joints(joint, points, rows, number)
    return np.where(np.isnan(found), -np.inf, found)
