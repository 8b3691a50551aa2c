"""``x_t = F x_t−1 + B u_t + w_t``, ``y_t = H x_t + D u_t + c + v_t``: a linear Gaussian state space, fitted by EM.

Shumway & Stoffer (1982), with inputs and with gaps of any pattern: what is not seen of a row is hidden too, and its
moments follow from what is seen of the row and the state. The E-step runs on the host, series by series.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import Pytree, static
from tacit.compute import Array
from tacit.engine import PRNGKeyArray
from tacit.inference.closed_form import Sums
from tacit.models.sequence import kalman
from tacit.models.sequence.kalman import FilteredSeries, SmoothedSeries, System
from tacit.models.sequence.series import SeriesBatch
from tacit.spaces import Spaces


class Free(NamedTuple):
    """Which parameters an M-step moves."""

    transition: bool = True
    loadings: bool = True
    initial: bool = True
    offset: bool = True
    inputs: bool = True
    """Whether inputs drive the state."""


class StateMoments(NamedTuple):
    """Expected sums over steps, weighted."""

    begun: np.ndarray
    """Weight of the series."""
    first: np.ndarray
    """``Σ E[x_1]``."""
    first_square: np.ndarray
    moved: np.ndarray
    """Weight of the steps from one row to the next."""
    after: np.ndarray
    """``Σ E[x_t x_tᵀ]``, t > 1."""
    after_before: np.ndarray
    """``Σ E[x_t z_tᵀ]`` with ``z_t = (x_t−1, u_t)``."""
    before: np.ndarray
    """``Σ E[z_t z_tᵀ]``."""
    seen: np.ndarray
    """Weight of the rows of which something is seen."""
    outputs: np.ndarray
    """``Σ E[y_t y_tᵀ]`` over those."""
    outputs_with: np.ndarray
    """``Σ E[y_t w_tᵀ]`` with ``w_t = (x_t, u_t, 1)``."""
    regressors: np.ndarray
    """``Σ E[w_t w_tᵀ]``."""


class LinearGaussianStep(Pytree):
    """The E-step of one iteration, over whole series."""

    model: "LinearGaussian"

    def __call__(self, rows: SeriesBatch, weights: Float[Array, " rows"], key: PRNGKeyArray | None) -> Sums:
        found = [expected(system, rows) for system in self.model.systems()]
        statistics = StateMoments(*(np.stack(part) for part in zip(*(f[0] for f in found), strict=True)))
        return Sums(statistics, np.array([f[1] for f in found]))


class LinearGaussian(Pytree):
    """A state space of n hidden numbers; covariances are held as roots, ``Q = S Sᵀ``."""

    spaces: ClassVar[Spaces] = {"noise": "covariance", "noise_floor": "not negative"}

    transition: Float[Array, "n n"]
    inputs: Float[Array, "n inputs"]
    state_root: Float[Array, "n n"]
    loadings: Float[Array, "outputs n"]
    direct: Float[Array, "outputs inputs"]
    offset: Float[Array, " outputs"]
    noise: Float[Array, "outputs outputs"]
    initial_mean: Float[Array, " n"]
    initial_root: Float[Array, "n n"]
    noise_floor: Float[Array, " outputs"]
    """The least variance of a column's noise."""
    free: Free = static(default=Free())
    diagonal_noise: bool = static(default=True)
    diagonal_state: bool = static(default=False)
    monotone: ClassVar[bool] = True

    def systems(self) -> list[System]:
        """The parameters of every start."""
        leaves = [np.asarray(vars(self)[name]) for name in System._fields]
        if self.transition.ndim == 2:
            return [System(*leaves)]
        return [System(*(leaf[start] for leaf in leaves)) for start in range(len(self.transition))]

    def prepare(self) -> LinearGaussianStep:
        return LinearGaussianStep(self)

    def m_step(self, statistics: Any) -> "LinearGaussian":
        single = [StateMoments(*parts) for parts in zip(*statistics, strict=True)]
        found = [self._next(system, own) for system, own in zip(self.systems(), single, strict=True)]
        changed: dict[str, Any] = {name: np.stack([getattr(f, name) for f in found]) for name in System._fields}
        return dataclasses.replace(self, **changed)

    def _next(self, old: System, sums: StateMoments) -> System:
        if not sums.seen > 0:  # of nothing, as before the first step
            return old
        n, q = old.inputs.shape
        floor = np.asarray(self.noise_floor).reshape(-1, old.offset.size)[0]
        transition, inputs = old.transition, old.inputs
        if self.free.transition:
            width = n + q if self.free.inputs else n
            both = _solved(sums.before[:width, :width], sums.after_before[:, :width])
            transition = both[:, :n]
            inputs = both[:, n:] if self.free.inputs else inputs
        elif q and self.free.inputs:
            left = sums.after_before[:, n:] - transition @ sums.before[:n, n:]
            inputs = _solved(sums.before[n:, n:], left)
        state = _residual(np.concatenate([transition, inputs], 1), sums.after, sums.after_before, sums.before)
        state_root = old.state_root if sums.moved <= 0 else _root(state / sums.moved, diagonal=self.diagonal_state)
        both = self._regression(old, sums)
        noise = _residual(both, sums.outputs, sums.outputs_with, sums.regressors) / sums.seen
        noise = _floored(noise, floor, diagonal=self.diagonal_noise)
        mean, root = old.initial_mean, old.initial_root
        if self.free.initial:
            mean = sums.first / sums.begun
            root = _root(sums.first_square / sums.begun - np.outer(mean, mean), diagonal=False)
        return System(transition, inputs, state_root, both[:, :n], both[:, n:-1], both[:, -1], noise, mean, root)

    def _regression(self, old: System, sums: StateMoments) -> np.ndarray:
        """Loadings, direct effects and offset; those that are not free stay."""
        n = old.transition.shape[0]
        both = np.concatenate([old.loadings, old.direct, old.offset[:, None]], 1)
        move = np.ones(both.shape[1], bool)
        move[:n], move[-1] = self.free.loadings, self.free.offset
        if move.any():
            left = sums.outputs_with - both[:, ~move] @ sums.regressors[~move]
            both[:, move] = _solved(sums.regressors[np.ix_(move, move)], left[:, move])
        return both

    def global_bound(self) -> Float[Array, "*starts"]:
        return np.zeros(self.transition.shape[:-2])

    def absolute(self, statistics: Any) -> Any:
        """Statistics are about the origin."""
        return statistics

    def relative(self, statistics: Any) -> Any:
        """Statistics are about the origin."""
        return statistics

    def feasible(self, statistics: Any) -> Bool[Array, "*starts"]:
        """Whether extrapolated moments may still be those of some series."""
        sums = StateMoments(*statistics)
        square = [sums.before, sums.after, sums.regressors, sums.outputs]
        joint = np.concatenate(
            [
                np.concatenate([sums.after, sums.after_before], -1),
                np.concatenate([np.swapaxes(sums.after_before, -1, -2), sums.before], -1),
            ],
            -2,
        )
        least = [np.linalg.eigvalsh(each).min(-1) > 0 for each in (*square, joint)]
        return np.logical_and.reduce(least)

    def in_units(self, shift: Float[np.ndarray, " outputs"], scale: Float[np.ndarray, " outputs"]) -> "LinearGaussian":
        """The same of outputs in the user's units, ``y · scale + shift``."""
        across = scale[:, None] * scale
        return dataclasses.replace(
            self,
            loadings=self.loadings * scale[:, None],
            direct=self.direct * scale[:, None],
            offset=self.offset * scale + shift,
            noise=self.noise * across,
            noise_floor=self.noise_floor * scale**2,
        )

    def of_levels(self) -> "LinearGaussian":
        """The same with states in the units of their columns: the first of them are the columns' levels."""
        outputs = self.offset.size
        scale = np.resize(np.diagonal(self.loadings[:, :outputs]), self.transition.shape[0])
        found = self.turned(np.diag(scale))
        level = np.concatenate([self.offset, np.zeros(scale.size - outputs)])
        return dataclasses.replace(
            found,
            initial_mean=found.initial_mean + level,
            offset=np.zeros(outputs),
            loadings=np.eye(outputs, scale.size),
        )

    def turned(self, onto: Float[np.ndarray, "n n"]) -> "LinearGaussian":
        """The same in other hidden axes, ``x ↦ T x``."""
        back = np.linalg.inv(onto)
        return dataclasses.replace(
            self,
            transition=onto @ self.transition @ back,
            inputs=onto @ self.inputs,
            state_root=onto @ self.state_root,
            loadings=self.loadings @ back,
            initial_mean=onto @ self.initial_mean,
            initial_root=onto @ self.initial_root,
        )

    def n_parameters(self) -> int:
        """Free parameters; what only turns the hidden axes counts for nothing."""
        outputs, n = self.loadings.shape[-2:]
        q = self.inputs.shape[-1]
        noise = outputs if self.diagonal_noise else outputs * (outputs + 1) // 2
        state = n if self.diagonal_state else n * (n + 1) // 2
        count = state + outputs * q + noise + (n * q if self.free.inputs else 0) + (outputs if self.free.offset else 0)
        count += n * n if self.free.transition else 0
        count += outputs * n if self.free.loadings else 0
        count += n + n * (n + 1) // 2 if self.free.initial else 0
        turned = self.free.transition and self.free.loadings and not self.diagonal_state
        return count - (n * n if turned else 0)


def _solved(square: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``A`` of ``A S = R``, the shortest where S has no inverse."""
    size = np.sqrt(np.maximum(np.diagonal(square), 1e-300))
    scaled = square / size[:, None] / size
    found: np.ndarray = np.linalg.lstsq(scaled, (right / size).T, rcond=1e-13)[0].T / size
    return found


def _residual(coefficients: np.ndarray, own: np.ndarray, cross: np.ndarray, square: np.ndarray) -> np.ndarray:
    """``Σ E[(y − A z)(y − A z)ᵀ]``."""
    half = coefficients @ cross.T
    found = own - half - half.T + coefficients @ square @ coefficients.T
    return 0.5 * (found + found.T)


def _root(covariance: np.ndarray, *, diagonal: bool) -> np.ndarray:
    """A root of a covariance that rounding may have made indefinite."""
    if diagonal:
        return np.diag(np.sqrt(np.maximum(np.diagonal(covariance), 1e-300)))
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 1e-15 * max(float(values.max()), 1e-300)))


def _floored(noise: np.ndarray, floor: np.ndarray, *, diagonal: bool) -> np.ndarray:
    """A covariance of at least the floor in every direction."""
    if diagonal:
        return np.diag(np.maximum(np.diagonal(noise), floor))
    scale = np.sqrt(floor)
    values, vectors = np.linalg.eigh(noise / scale[:, None] / scale)
    return (vectors * np.maximum(values, 1.0)) @ vectors.T * scale[:, None] * scale


def expected(system: System, series: SeriesBatch) -> tuple[StateMoments, float]:
    """The expected moments of series, and their log-likelihood, both weighted."""
    found = kalman.filtered(system, series)
    states = kalman.smoothed(system, series, found)
    weights = series.live * series.weights
    total = float((found.log_prob * weights).sum())
    return StateMoments(*_moved(series, states, weights), *_outputs(system, series, states, weights)), total


def _spread(states: SmoothedSeries, parts: np.ndarray, index: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``Σ_t w_t C_t`` of covariances that most steps share; ``weights [steps, batch]``."""
    shares = np.zeros(parts.shape[:2])
    np.add.at(shares, index, weights)
    found: np.ndarray = np.einsum("eb,ebij->ij", shares, parts)
    return found


def _moved(series: SeriesBatch, states: SmoothedSeries, weights: np.ndarray) -> tuple[Any, ...]:
    """The moments of the states' first steps, and of steps from one to the next."""
    means, first = states.means, weights[0]
    n, width = means.shape[2], first.size
    origin = np.einsum("bnc,bc->n", means[0], first)
    square = np.einsum("bnc,bmc,bc->nm", means[0], means[0], first)
    square = square + np.einsum("b,bij->ij", first.sum(-1), states.covariances[states.entry[0]])
    later = weights[1:]
    mass = later.sum(-1)
    flat = _flat(means)
    now, earlier = flat[:, width:], flat[:, :-width]
    if series.inputs.shape[2]:
        earlier = np.concatenate([earlier, _flat(series.inputs)[:, width:]])
    weighted = _times(now, later)
    after = weighted @ now.T + _spread(states, states.covariances, states.entry[1:], mass)
    cross = weighted @ earlier.T
    cross[:, :n] += _spread(states, states.lagged, states.entry[:-1], mass)
    before = _times(earlier, later) @ earlier.T
    before[:n, :n] += _spread(states, states.covariances, states.entry[:-1], mass)
    return first.sum(), origin, square, mass.sum(), after, cross, before


def _times(flat: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Numbers by step, times the weights of the steps, which most often are all 1."""
    return flat if (weights == 1.0).all() else flat * weights.reshape(-1)


def _flat(values: np.ndarray) -> np.ndarray:
    """``[numbers, steps · batch · columns]``."""
    steps, batch, numbers, columns = values.shape
    return np.moveaxis(values, 2, 0).reshape(numbers, steps * batch * columns)


def _outputs(system: System, series: SeriesBatch, states: SmoothedSeries, weights: np.ndarray) -> tuple[Any, ...]:
    """The moments of rows with their states, pattern by pattern of what is seen."""
    n, outputs, columns = len(system.transition), len(system.offset), series.values.shape[3]
    regressors = np.concatenate([_flat(states.means), _flat(series.inputs), np.ones((1, weights.size))])
    values, flat, pattern = _flat(series.values), weights.reshape(-1), np.repeat(series.pattern.ravel(), columns)
    coefficients = np.concatenate([system.loadings, system.direct, system.offset[:, None]], axis=1)
    width = len(regressors)
    sums: list[Any] = [0.0, np.zeros((outputs, outputs)), np.zeros((outputs, width)), np.zeros((width, width))]
    for number, seen in enumerate(series.patterns):
        if not seen.any():
            continue
        here = pattern == number if len(series.patterns) > 1 else slice(None)
        w, x, y = flat[here], regressors[:, here], values[:, here]
        mass = float(w.sum())
        square, weighted = _times(x, w) @ x.T, _times(y, w)
        share = np.where(series.pattern == number, weights.sum(-1), 0.0)
        square[:n, :n] += _spread(states, states.covariances, states.entry, share)
        parts = _completed(coefficients, system.noise, seen, square, weighted @ x.T, weighted @ y.T, mass)
        sums = [total + part for total, part in zip(sums, (mass, *parts, square), strict=True)]
    return np.asarray(sums[0]), sums[1], sums[2], sums[3]


def _completed(
    coefficients: np.ndarray,
    noise: np.ndarray,
    seen: np.ndarray,
    square: np.ndarray,
    cross: np.ndarray,
    own: np.ndarray,
    mass: float,
) -> tuple[np.ndarray, np.ndarray]:
    """``Σ E[y yᵀ]`` and ``Σ E[y wᵀ]`` of rows of one pattern, from those of what is seen of them.

    ``y_m = M w + K y_o + e`` with ``K = R_mo R_oo⁻¹`` and ``M = A_m − K A_o``, e of the covariance that is left.
    """
    if seen.all():
        return own, cross
    o, m = np.flatnonzero(seen), np.flatnonzero(~seen)
    gain = np.linalg.solve(noise[np.ix_(o, o)], noise[np.ix_(o, m)]).T
    rest = coefficients[m] - gain @ coefficients[o]
    left = noise[np.ix_(m, m)] - gain @ noise[np.ix_(o, m)]
    seen_cross, seen_own = cross[o], own[np.ix_(o, o)]
    hidden_cross = rest @ square + gain @ seen_cross
    hidden_seen = rest @ seen_cross.T + gain @ seen_own
    hidden = rest @ hidden_cross.T + hidden_seen @ gain.T + mass * left
    whole, with_all = np.zeros(own.shape), np.zeros(cross.shape)
    whole[np.ix_(o, o)], whole[np.ix_(m, o)], whole[np.ix_(o, m)] = seen_own, hidden_seen, hidden_seen.T
    whole[np.ix_(m, m)] = 0.5 * (hidden + hidden.T)
    with_all[o], with_all[m] = seen_cross, hidden_cross
    return whole, with_all


def canonical_axes(model: LinearGaussian, second: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Axes in which the states' second moment is the identity, ordered by how much they say of the outputs.

    ``second`` is the mean of ``E[x_t x_tᵀ]``; the sign is that of the largest loading. Other
    axes give the same model.
    """
    n = len(second)
    factor = np.linalg.cholesky(second + 1e-12 * np.trace(second) / n * np.eye(n))
    loadings = np.linalg.solve(np.linalg.cholesky(model.noise), model.loadings @ factor)
    _, _, vectors = np.linalg.svd(loadings, full_matrices=True)
    across = vectors @ np.linalg.inv(factor)
    turned = model.loadings @ np.linalg.inv(across)
    largest = turned[np.abs(turned).argmax(0), np.arange(n)]
    return np.asarray(np.where(largest < 0, -1.0, 1.0)[:, None] * across)


def posterior(system: System, series: SeriesBatch) -> tuple[FilteredSeries, SmoothedSeries]:
    """The filter and the smoother."""
    found = kalman.filtered(system, series)
    return found, kalman.smoothed(system, series, found)
