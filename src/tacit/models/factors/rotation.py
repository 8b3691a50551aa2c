"""Rotations of factor loadings: the same model, told so that it can be read.

With ``x = μ + Λ z + ε`` and ``z ~ N(0, I)``, ``Λ inv(T)ᵀ`` and factors ``Tᵀ z`` with correlations ``Φ = TᵀT`` are the
same density for every T whose columns have length 1. A rotation is the T that makes the loadings simple: it minimises a
criterion by gradient projection (Jennrich 2001, 2002; Bernaards & Jennrich 2005), from several starts.
"""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy.optimize
from jaxtyping import Float

METHODS = ("varimax", "quartimax", "promax", "oblimin", "geomin")
"""What there is; the first two keep the factors uncorrelated."""
ORTHOGONAL = ("varimax", "quartimax")
KAPPA = 4
"""The power of promax's target (Hendrickson & White 1964), as in R's ``promax``."""
DELTA = 0.01
"""Geomin's small constant, in squared loadings (Browne 2001)."""
STARTS = 30
FIRST, POLISHED = 3, 5000
"""How many of the starts go on to the end, and for how many steps at most."""
ROUGH, TIGHT = 1e-4, 1e-10
"""Lengths of the projected gradient at which the first steps, and the last ones, end."""
VANISHED = 1e-10
"""A column of loadings that is shorter than this share of the longest is a factor that is not there."""

_Criterion: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Loadings ``(starts, dims, factors)`` → what is to be small ``(starts,)``, and its gradient."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rotation:
    """Rotated loadings, and what rotated them.

    Attributes:
        loadings: the pattern ``A inv(T)ᵀ``: regression weights of the columns on the factors.
        transformation: T, in the convention of R's GPArotation; orthogonal, or oblique with columns of length 1.
        correlations: of the factors, ``Φ = TᵀT``; the identity of orthogonal rotations.
        criterion: what was minimised, at its end (of promax that of its varimax); with Kaiser's normalisation, of the
            normalised loadings.
        method: one of `METHODS`.
    """

    loadings: Float[np.ndarray, "dims factors"]
    transformation: Float[np.ndarray, "factors factors"]
    correlations: Float[np.ndarray, "factors factors"]
    criterion: float
    method: str

    @property
    def structure(self) -> Float[np.ndarray, "dims factors"]:
        """Covariances of the columns with the factors, ``pattern · Φ``."""
        return self.loadings @ self.correlations


def rotate(
    loadings: Float[np.ndarray, "dims factors"],
    method: str,
    *,
    normalise: bool = True,
    starts: int = STARTS,
    seed: int = 0,
) -> Rotation:
    """Rotate loadings to simple structure; of several starts the one whose criterion ends smallest.

    varimax (Kaiser 1958) ``−Σ_k Var_d λ²_dk · D / 4`` and quartimax ``−Σ λ⁴ / 4``, orthogonal; promax, a regression of
    varimax on its own fourth powers; oblimin with γ = 0, which is quartimin, ``Σ_d Σ_{k≠l} λ²_dk λ²_dl / 4``; geomin
    ``Σ_d (Π_k (λ²_dk + δ))^{1/K}``, oblique.

    Args:
        loadings: unrotated, or rotated otherwise by an orthogonal matrix. Columns that are 0 throughout (factors that
            have vanished) stay as they are.
        method: one of `METHODS`.
        normalise: whether rows are scaled to length 1 while the criterion is at work (Kaiser 1958).
        starts: the identity, the varimax of the loadings, and random orthogonal matrices.
        seed: of the random starts.

    Raises:
        ValueError: no such method; loadings that are not finite; an oblique rotation of loadings whose columns are
            linearly dependent.
    """
    if method not in METHODS:
        raise ValueError(f"rotation must be one of {', '.join(map(repr, METHODS))}; got {method!r}")
    if starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    given = np.asarray(loadings, np.float64)
    if not np.isfinite(given).all():
        row, column = np.argwhere(~np.isfinite(given))[0]
        raise ValueError(f"the loading of column {row} on factor {column} is {given[row, column]}: none can be rotated")
    lengths = np.sqrt((given**2).sum(0))
    there = np.flatnonzero(lengths > VANISHED * lengths.max(initial=0.0))
    turn, criterion = np.eye(given.shape[1]), 0.0
    if there.size:
        _check_rank(given[:, there], method)
        turn[np.ix_(there, there)], criterion = _turned(given[:, there], method, normalise, starts, seed)
    oblique = method not in ORTHOGONAL
    pattern = given @ (np.linalg.inv(turn).T if oblique else turn)
    correlations = turn.T @ turn if oblique else np.eye(len(turn))
    np.fill_diagonal(correlations, 1.0)
    return Rotation(pattern, turn, correlations, criterion, method)


def ordered(rotation: Rotation) -> Rotation:
    """The same with factors in the order of what they explain, each of them turned so that its loadings sum above 0.

    What a factor explains is the sum of its pattern times its structure loadings; together they are the communalities.
    """
    explained = (rotation.loadings * rotation.structure).sum(0)
    order = np.argsort(-explained, kind="stable")
    signs = np.where(rotation.loadings.sum(0)[order] < 0, -1.0, 1.0)
    return dataclasses.replace(
        rotation,
        loadings=rotation.loadings[:, order] * signs,
        transformation=rotation.transformation[:, order] * signs,
        correlations=rotation.correlations[np.ix_(order, order)] * np.outer(signs, signs),
    )


def align(
    loadings: Float[np.ndarray, "*draws dims factors"], target: Float[np.ndarray, "dims factors"]
) -> Float[np.ndarray, "*draws dims factors"]:
    """Loadings turned by the orthogonal matrix that brings them closest to a target.

    ``min_T ‖A T − B‖`` over orthogonal T is ``T = U Vᵀ`` with ``AᵀB = U S Vᵀ`` (Schönemann 1966). It takes away the
    order, signs and rotation that replicates of a bootstrap do not share.
    """
    left, _, right = np.linalg.svd(np.swapaxes(loadings, -1, -2) @ target)
    return loadings @ (left @ right)


def matched(
    loadings: Float[np.ndarray, "dims factors"], target: Float[np.ndarray, "dims factors"]
) -> tuple[np.ndarray, np.ndarray]:
    """The order and the signs in which factors are closest to those of a target: a rotation is known but for these."""
    products = loadings.T @ target
    order = scipy.optimize.linear_sum_assignment(-np.abs(products.T))[1]
    return order, np.where(products[order, np.arange(len(order))] < 0, -1.0, 1.0)


def _check_rank(loadings: np.ndarray, method: str) -> None:
    rank = int(np.linalg.matrix_rank(loadings))
    if method not in ORTHOGONAL and rank < loadings.shape[1]:
        raise ValueError(
            f"the loadings of {loadings.shape[1]} factors have rank {rank}, and {method} lets factors correlate until "
            f"two are one: fit {rank} factors, or take an orthogonal rotation ({', '.join(ORTHOGONAL)})"
        )


def _turned(given: np.ndarray, method: str, normalise: bool, starts: int, seed: int) -> tuple[np.ndarray, float]:
    """T of loadings without columns of zeros, and the criterion."""
    length = np.sqrt((given**2).sum(1, keepdims=True))
    shown = given / np.where(length > 0, length, 1.0) if normalise else given
    scale = np.sqrt((shown**2).sum(1).max())
    shown = shown / scale  # all criteria are homogeneous, geomin together with its δ
    base = "varimax" if method == "promax" else method
    criterion, power = criterion_of(base, DELTA / scale**2)
    begin = _starts(given.shape[1], starts, seed)
    if base not in ORTHOGONAL and starts > 1:
        begin[1] = _best(shown, begin, criterion_of("varimax", DELTA)[0], oblique=False)[0]
    turn, value = _best(shown, begin, criterion, oblique=base not in ORTHOGONAL)
    if method == "promax":
        turn = _promax(given, turn)
    return turn, float(value * scale**power)


def _starts(factors: int, starts: int, seed: int) -> np.ndarray:
    """The identity and orthogonal matrices drawn uniformly (Stewart 1980), ``(starts, factors, factors)``."""
    drawn = np.random.default_rng(seed).normal(size=(starts, factors, factors))
    turns, triangle = np.linalg.qr(drawn)
    turns = turns * np.where(np.diagonal(triangle, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]
    turns[0] = np.eye(factors)
    return turns


def _promax(given: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """T of promax from that of varimax: the regression of its powers on it, scaled to unit variances of the factors."""
    simple = given @ turn
    longest = np.abs(simple).max(0)
    target = simple * np.abs(simple / longest) ** (KAPPA - 1) / longest  # the scale of a column is of no account
    inverse = np.linalg.inv(np.linalg.lstsq(simple, target, rcond=None)[0])
    return turn @ (inverse / np.sqrt((inverse**2).sum(1, keepdims=True))).T


def criterion_of(method: str, delta: float) -> tuple[_Criterion, int]:
    """What is to be small, and the power with which it grows with the scale of the loadings."""

    def varimax(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squared = loadings**2
        apart = squared - squared.mean(1, keepdims=True)
        return -(apart**2).sum((1, 2)) / 4, -loadings * apart

    def quartimax(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -(loadings**4).sum((1, 2)) / 4, -(loadings**3)

    def oblimin(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squared = loadings**2
        others = squared.sum(2, keepdims=True) - squared
        return (squared * others).sum((1, 2)) / 4, loadings * others

    def geomin(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squared = loadings**2 + delta
        mean = np.exp(np.log(squared).mean(2, keepdims=True))
        return mean.sum((1, 2)), 2 / loadings.shape[2] * loadings / squared * mean

    if method == "geomin":
        return geomin, 2
    return {"varimax": varimax, "quartimax": quartimax, "oblimin": oblimin}[method], 4


def _best(given: np.ndarray, begin: np.ndarray, criterion: _Criterion, *, oblique: bool) -> tuple[np.ndarray, float]:
    """The start that ends smallest: all are followed some way, and the best of them to the end."""
    turns, values = _descend(given, begin, criterion, oblique, 200, ROUGH)
    first = np.argsort(values, kind="stable")[:FIRST]
    turns, values = _descend(given, turns[first], criterion, oblique, POLISHED, TIGHT)
    least = int(np.argmin(values))
    return turns[least], float(values[least])


def _descend(
    given: np.ndarray, turns: np.ndarray, criterion: _Criterion, oblique: bool, steps: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Projected gradient steps of all starts at once; a step is tried at Barzilai and Borwein's length, then halved."""
    turns = turns.copy()
    values, slopes = _slope(given, turns, criterion, oblique)
    lengths = np.ones(len(turns))
    active = np.flatnonzero(_norm(slopes) > tolerance)
    for _ in range(steps):
        if not active.size:
            break
        before, slope = turns[active], slopes[active]
        after, value, moved = _step(given, before, slope, values[active], lengths[active], criterion, oblique)
        turns[active], values[active] = after, value
        slopes[active] = _slope(given, after, criterion, oblique)[1]
        change, bend = after - before, slopes[active] - slope
        curve = np.abs((change * bend).sum((1, 2)))
        lengths[active] = np.where(curve > 0, (change**2).sum((1, 2)) / np.where(curve > 0, curve, 1.0), 1.0)
        active = active[moved & (_norm(slopes[active]) > tolerance)]
    return turns, values


def _step(
    given: np.ndarray,
    turns: np.ndarray,
    slopes: np.ndarray,
    values: np.ndarray,
    lengths: np.ndarray,
    criterion: _Criterion,
    oblique: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The next turn and criterion of every start, and whether it found a lower one at all."""
    after, reached, squared = turns.copy(), values.copy(), (slopes**2).sum((1, 2))
    length, waiting = np.clip(lengths, 1e-6, 1e6), np.arange(len(turns))
    for _ in range(30):
        tried = _onto(turns[waiting] - length[waiting, None, None] * slopes[waiting], oblique)
        value = criterion(_pattern(given, tried, oblique))[0]
        lower = value < values[waiting] - 1e-4 * length[waiting] * squared[waiting]
        after[waiting[lower]], reached[waiting[lower]] = tried[lower], value[lower]
        waiting = waiting[~lower]
        if not waiting.size:
            break
        length[waiting] /= 2
    moved = np.ones(len(turns), bool)
    moved[waiting] = False  # as low as the arithmetic goes
    return after, reached, moved


def _onto(turns: np.ndarray, oblique: bool) -> np.ndarray:
    """The nearest allowed turns: columns of length 1, or orthogonal."""
    if oblique:
        return turns / np.sqrt((turns**2).sum(1, keepdims=True))
    left, _, right = np.linalg.svd(turns)
    return left @ right


def _pattern(given: np.ndarray, turns: np.ndarray, oblique: bool) -> np.ndarray:
    return given @ (np.swapaxes(np.linalg.inv(turns), 1, 2) if oblique else turns)


def _slope(given: np.ndarray, turns: np.ndarray, criterion: _Criterion, oblique: bool) -> tuple[np.ndarray, np.ndarray]:
    """The criterion, and its gradient in T projected onto what the constraint leaves free."""
    loadings = _pattern(given, turns, oblique)
    value, gradient = criterion(loadings)
    if oblique:  # dF/dT = −(Lᵀ dF/dL inv(T))ᵀ (Jennrich 2002)
        free = -np.swapaxes(np.swapaxes(loadings, 1, 2) @ gradient @ np.linalg.inv(turns), 1, 2)
        return value, free - turns * (turns * free).sum(1, keepdims=True)
    free = given.T @ gradient
    along = np.swapaxes(turns, 1, 2) @ free
    return value, free - turns @ (along + np.swapaxes(along, 1, 2)) / 2


def _norm(slopes: np.ndarray) -> np.ndarray:
    return np.sqrt((slopes**2).sum((1, 2)))
