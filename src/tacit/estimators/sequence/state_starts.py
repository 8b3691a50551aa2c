"""Where fits of linear Gaussian state spaces begin."""

from typing import Any, Protocol

import numpy as np

from tacit.models.sequence.kalman import System
from tacit.models.sequence.linear_gaussian import Free, LinearGaussian

PRESETS = ("local level", "local trend")
DIFFUSE = 1e3
"""Standard deviation of the first level of a preset, in units of the column's: next to nothing is known of it."""


class StartSettings(Protocol):
    """What is asked of a start."""

    n_components: int
    preset: str | None
    noise: str
    floor: float
    n_init: int


def begun_of(
    asked: StartSettings, rows: np.ndarray, inputs: np.ndarray, lengths: np.ndarray, random: np.random.Generator
) -> LinearGaussian:
    """Starts for standardised rows, stacked."""
    outputs, q = rows.shape[1], inputs.shape[1]
    if asked.preset is not None:
        systems = [_preset(asked.preset, outputs, q, shares) for shares in (0.3, 0.03)[: asked.n_init]]
        free = Free(transition=False, loadings=False, initial=False, offset=False, inputs=False)
    else:
        free = Free()
        systems = [_subspace(rows, inputs, lengths, asked.n_components)]
        systems += [_random(outputs, q, asked.n_components, random) for _ in range(asked.n_init - 1)]
    parts = (np.stack(part) for part in zip(*systems, strict=True))
    stacked: dict[str, Any] = dict(zip(System._fields, parts, strict=True))
    floor = np.full((len(systems), outputs), asked.floor)
    return LinearGaussian(
        **stacked,
        noise_floor=floor,
        free=free,
        diagonal_noise=asked.noise == "diag",
        diagonal_state=asked.preset is not None,
    )


def _preset(name: str, outputs: int, q: int, share: float) -> System:
    eye, zero = np.eye(outputs), np.zeros((outputs, outputs))
    if name == "local level":
        transition, loadings, spread = eye, eye, np.full(outputs, share)
    else:
        transition = np.block([[eye, eye], [zero, eye]])
        loadings = np.concatenate([eye, zero], axis=1)
        spread = np.repeat([share, 0.1 * share], outputs)
    n = len(transition)
    return System(
        transition,
        np.zeros((n, q)),
        np.diag(spread),
        loadings,
        np.zeros((outputs, q)),
        np.zeros(outputs),
        0.3 * eye,
        np.zeros(n),
        DIFFUSE * np.eye(n),
    )


def _random(outputs: int, q: int, n: int, random: np.random.Generator) -> System:
    turned = np.linalg.qr(random.normal(size=(n, n)))[0]
    values = random.uniform(0.3, 0.98, n)
    transition = turned @ np.diag(values) @ turned.T
    loadings = random.normal(size=(outputs, n)) / np.sqrt(n)
    return _system(transition, loadings, q, 0.5)


def _system(transition: np.ndarray, loadings: np.ndarray, q: int, noise: float) -> System:
    outputs, n = loadings.shape
    return System(
        transition,
        np.zeros((n, q)),
        np.sqrt(0.5) * np.eye(n),
        loadings,
        np.zeros((outputs, q)),
        np.zeros(outputs),
        noise * np.eye(outputs),
        np.zeros(n),
        np.eye(n),
    )


def _subspace(rows: np.ndarray, inputs: np.ndarray, lengths: np.ndarray, n: int) -> System:
    """From the leading directions of rows beside those that follow them: what they have in common moves slowly."""
    filled = np.where(np.isnan(rows), 0.0, rows)
    outputs = rows.shape[1]
    lags = min(max(2, -(-2 * n // outputs)), max(int(lengths.max()), 1))
    ends = np.cumsum(lengths)
    places = np.concatenate([np.arange(e - size, e - lags + 1) for e, size in zip(ends, lengths, strict=True)])
    if places.size <= n:
        return _random(outputs, inputs.shape[1], n, np.random.default_rng(0))
    windows = np.concatenate([filled[places + lag] for lag in range(lags)], axis=1)
    windows = windows - windows.mean(0)
    _, _, vectors = np.linalg.svd(windows, full_matrices=False)
    kept = min(n, len(vectors))
    scores = windows @ vectors[:kept].T
    if kept < n:
        scores = np.concatenate([scores, np.random.default_rng(0).normal(size=(len(scores), n - kept))], axis=1)
    size = scores.std(0)
    scores = scores / np.where(size > 0, size, 1.0)
    follows = np.diff(places) == 1
    before, after = scores[:-1][follows], scores[1:][follows]
    transition = np.linalg.lstsq(before, after, rcond=1e-8)[0].T if follows.any() else 0.5 * np.eye(n)
    radius = np.abs(np.linalg.eigvals(transition)).max()
    transition = transition * min(1.0, 0.99 / max(radius, 1e-12))
    loadings = np.linalg.lstsq(scores, filled[places], rcond=1e-8)[0].T
    return _system(transition, loadings, inputs.shape[1], 0.3)
