"""Kalman's filter and smoother in square-root form, for many series at once.

Covariances are kept as roots and propagated by QR (Kailath, Sayed & Hassibi 2000, chapter 12), so they are never
indefinite; the reverse pass is Rauch, Tung & Striebel's with a root of its own. Covariances depend on what is seen but
not on what was seen: a step is computed once as long as they stand still, and all series with the same gaps share it.
What is left are two affine recursions of the means.
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import lapack

from tacit.compute import LOG_2PI
from tacit.models.sequence.affine import affine_runs, by_number, longest_run
from tacit.models.sequence.series import SeriesBatch

LONG = 64
"""Steps from which a run of them is worth a product of its own."""
STILL = 1e-14
"""The relative change of a covariance below which it stands still."""


class System(NamedTuple):
    """``x_t = F x_t−1 + B u_t + w_t``, ``y_t = H x_t + D u_t + c + v_t``, with roots of the covariances."""

    transition: Float[np.ndarray, "n n"]
    inputs: Float[np.ndarray, "n inputs"]
    state_root: Float[np.ndarray, "n n"]
    """``Q = S Sᵀ``."""
    loadings: Float[np.ndarray, "outputs n"]
    direct: Float[np.ndarray, "outputs inputs"]
    offset: Float[np.ndarray, " outputs"]
    noise: Float[np.ndarray, "outputs outputs"]
    """R."""
    initial_mean: Float[np.ndarray, " n"]
    initial_root: Float[np.ndarray, "n n"]


class Gains(NamedTuple):
    """Everything of the steps that does not depend on the values, one entry a step that differs."""

    entry: Int[np.ndarray, " steps"]
    """Which entry a step has."""
    filtered: Float[np.ndarray, "entries batch n n"]
    """Roots of ``P_t|t``."""
    gain: Float[np.ndarray, "entries batch n outputs"]
    loadings: Float[np.ndarray, "entries batch outputs n"]
    """Rows of 0 where nothing is seen."""
    whitener: Float[np.ndarray, "entries batch outputs outputs"]
    """``G⁻¹`` of the innovations' ``G Gᵀ``; of a missing entry 1."""
    log_det: Float[np.ndarray, "entries batch"]
    """``log |G|``."""


def upper(matrices: Float[np.ndarray, "*batch rows n"]) -> Float[np.ndarray, "*batch n n"]:
    """R of ``A = Q R``, so that ``RᵀR = AᵀA``."""
    if len(matrices) > 1 or matrices.ndim > 3:
        found: np.ndarray = np.asarray(np.linalg.qr(matrices, mode="r"))
        return found
    n = matrices.shape[-1]  # a single one at a time goes to LAPACK at once: it is what a step of a filter waits for
    packed = lapack.dgeqrf(matrices[0])[0][:n]
    return (packed * _above(n))[None]


@functools.cache
def _above(n: int) -> Float[np.ndarray, "n n"]:
    return np.triu(np.ones((n, n)))


def _swap(matrices: np.ndarray) -> np.ndarray:
    return matrices.swapaxes(-1, -2)


def gains(system: System, series: SeriesBatch) -> Gains:
    """The covariances of the filter, step by step until they stand still.

    One QR a step takes ``[R½ᵀ 0; (H F S)ᵀ (F S)ᵀ; (H Q½)ᵀ Q½ᵀ]`` to the roots of the innovation's covariance and of the
    state's, with the gain between them.
    """
    steps, batch, outputs = series.seen.shape
    n = len(system.transition)
    index, kept, loads = np.empty(steps, np.int64), list[np.ndarray](), list[np.ndarray]()
    array = np.zeros((batch, outputs + 2 * n, outputs + n))
    array[:, outputs + n :, outputs:] = system.state_root.T
    loadings, across, still = system.loadings, system.transition, False
    root = np.broadcast_to(system.initial_root, (batch, n, n))
    for step in range(steps):
        if not series.same[step]:
            array[:, :outputs, :outputs], loadings = _observed(system, series.seen[step])
            array[:, outputs + n :, :outputs] = _swap(loadings @ system.state_root)
            still = False
        if not still:
            ahead = across @ root if step else root
            array[:, outputs : outputs + n, outputs:] = _swap(ahead)
            array[:, outputs : outputs + n, :outputs] = _swap(loadings @ ahead)
            found = upper(array if step else array[:, : outputs + n])
            root = _swap(found[:, outputs:, outputs:])
            if series.same[step]:  # rows of R are unique but for their signs
                change = np.abs(np.abs(found) - np.abs(kept[-1]))
                still = bool(change.max() <= STILL * np.abs(found).max())
            kept.append(found)
            loads.append(loadings)
        index[step] = len(kept) - 1
    joint = np.stack(kept)
    innovation = _swap(joint[..., :outputs, :outputs])
    whitener = np.linalg.inv(innovation)
    gain = _swap(joint[..., :outputs, outputs:]) @ whitener
    log_det = np.log(np.abs(np.diagonal(innovation, axis1=-2, axis2=-1))).sum(-1)
    return Gains(index, _swap(joint[..., outputs:, outputs:]), gain, np.stack(loads), whitener, log_det)


def _observed(system: System, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The root of the noise of what is seen, 1 where nothing is, and the loadings with rows of 0 there."""
    both = seen[:, :, None] & seen[:, None, :]
    noise = np.where(both, system.noise, 0.0) + np.eye(seen.shape[1]) * ~seen[:, None, :]
    return _swap(np.linalg.cholesky(noise)), np.where(seen[..., None], system.loadings, 0.0)


class FilteredSeries(NamedTuple):
    """Means of the filter, and the density of every row."""

    gains: Gains
    means: Float[np.ndarray, "steps batch n columns"]
    """``E[x_t | y_1…t]``."""
    predicted: Float[np.ndarray, "steps batch n columns"]
    """``E[x_t | y_1…t−1]``."""
    log_prob: Float[np.ndarray, "steps batch columns"]
    """``log p(y_t | y_1…t−1)``."""


def filtered(system: System, series: SeriesBatch) -> FilteredSeries:
    """Kalman's filter."""
    known = gains(system, series)
    batch, columns = series.values.shape[1], series.values.shape[3]
    n = len(system.transition)
    shift = system.direct @ series.inputs + system.offset[:, None] if system.direct.size else system.offset[:, None]
    left = np.subtract(series.values, shift, out=by_number(series.values.shape))
    if not series.seen.all():
        left *= series.seen[..., None]
    driven = system.inputs @ series.inputs if system.inputs.size else np.zeros((1, 1, n, 1))
    begun = np.zeros((batch, n, columns)) + system.initial_mean[:, None]
    keeps = np.eye(n) - known.gain @ known.loadings
    added = products(known.gain, known.entry, left)
    if system.inputs.size:
        added += products(keeps, known.entry, driven)
        added[0] -= keeps[known.entry[0]] @ driven[0]
    added[0] += keeps[known.entry[0]] @ begun  # the first state has a mean of its own
    means = affine_runs(keeps @ system.transition, known.entry, added, np.zeros(begun.shape))
    predicted = by_number(means.shape)
    predicted[0] = begun
    products(system.transition[None, None], np.zeros(len(means) - 1, np.int64), means[:-1], predicted[1:])
    if system.inputs.size:
        predicted[1:] += driven[1:]
    white = products(known.whitener, known.entry, left)
    white -= products(known.whitener @ known.loadings, known.entry, predicted)
    constant = known.log_det[known.entry] + 0.5 * LOG_2PI * series.seen.sum(-1)
    white *= white
    log_prob = -0.5 * white.sum(-2) - constant[..., None]
    return FilteredSeries(known, means, predicted, np.where(series.live, log_prob, 0.0))


def products(
    parts: Float[np.ndarray, "entries #batch i j"],
    index: Int[np.ndarray, " steps"],
    values: Float[np.ndarray, "steps batch j columns"],
    found: Float[np.ndarray, "steps batch i columns"] | None = None,
) -> Float[np.ndarray, "steps batch i columns"]:
    """``parts[index] @ values``; the longest run of steps that share an entry as a single product."""
    if found is None:
        found = by_number((*values.shape[:2], parts.shape[-2], values.shape[-1]))
    a, b = longest_run(index)
    if b - a < LONG or values.shape[1] > 1:
        a = b = len(index)
    for part in (slice(0, a), slice(b, len(index))):
        found[part] = parts[index[part]] @ values[part]
    if a < b:
        across, out = np.swapaxes(values[a:b, 0], 0, 1), np.swapaxes(found[a:b, 0], 0, 1)
        out[...] = (parts[index[a], 0] @ across.reshape(len(across), -1)).reshape(out.shape)
    return found


class SmoothedSeries(NamedTuple):
    """What all that is seen says of every state."""

    entry: Int[np.ndarray, " steps"]
    """Which entry of the covariances a step has."""
    means: Float[np.ndarray, "steps batch n columns"]
    covariances: Float[np.ndarray, "entries batch n n"]
    """``Cov[x_t]``."""
    lagged: Float[np.ndarray, "entries batch n n"]
    """``Cov[x_t+1, x_t]`` at the entry of t; 0 at the last step."""


def smoothed(system: System, series: SeriesBatch, found: FilteredSeries) -> SmoothedSeries:
    """The reverse pass."""
    known, steps = found.gains, len(found.means)
    back, own = _reverse_gains(system, known)
    index = np.empty(steps, np.int64)
    covariances, lagged = [known.filtered[known.entry[-1]] @ _swap(known.filtered[known.entry[-1]])], []
    lagged.append(np.zeros(covariances[0].shape))
    index[-1], still = 0, False
    for step in range(steps - 2, -1, -1):
        entry = known.entry[step]
        still = still and entry == known.entry[step + 1]
        if not still:
            later = covariances[-1]
            gain = back[entry]
            half = gain @ later
            now = own[entry] + half @ _swap(gain)
            now = 0.5 * (now + _swap(now))
            covariances.append(now)
            lagged.append(_swap(half))
            size = np.abs(now).max()
            still = entry == known.entry[step + 1] and np.abs(now - later).max() <= STILL * size
        index[step] = len(covariances) - 1
    means = by_number(found.means.shape)
    means[-1] = found.means[-1]
    if steps > 1:
        added = products(back, known.entry[:-1], found.predicted[1:])
        np.subtract(found.means[:-1], added, out=added)
        means[:-1] = affine_runs(back, known.entry[:-1], added, found.means[-1], reverse=True)
    return SmoothedSeries(index, means, np.stack(covariances), np.stack(lagged))


def _reverse_gains(system: System, known: Gains) -> tuple[np.ndarray, np.ndarray]:
    """``J = P_t|t Fᵀ P_t+1|t⁻¹``, and the covariance of a state given the next one and all rows up to its own."""
    n = len(system.transition)
    root = known.filtered
    above = np.concatenate([_swap(system.transition @ root), _swap(root)], axis=-1)
    below = np.zeros_like(above)
    below[..., :n] = system.state_root.T
    joint = upper(np.concatenate([above, below], axis=-2))
    ahead, cross, own = joint[..., :n, :n], joint[..., :n, n:], joint[..., n:, n:]
    diagonal = np.diagonal(ahead, axis1=-2, axis2=-1)
    least = 1e-13 * np.abs(diagonal).max(-1, keepdims=True) + 1e-300
    lifted = np.where(np.abs(diagonal) < least, least, 0.0)
    gain = _swap(np.linalg.solve(ahead + lifted[..., None] * np.eye(n), cross))
    return gain, _swap(own) @ own
