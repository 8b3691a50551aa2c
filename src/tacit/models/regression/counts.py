"""Counts given rows, ``y ~ Poisson(μ)`` or negative binomial with variance ``μ + α μ²``, where ``μ = e exp(w·x)``.

The likelihood is that of the counts with all its constants; with e, the exposure, a count is of a rate (Cameron &
Trivedi 2013, "Regression Analysis of Count Data", chapter 3; the second is their NB2). It is raised by Newton's steps
on all parameters together, halved until the likelihood rises; its sums over rows are additive.
"""

import abc
import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import equinox as eqx
import numpy as np
import scipy.stats
from jaxtyping import Float
from scipy.special import digamma, gammaln, polygamma, xlogy

from tacit.data.dataset import Dataset
from tacit.data.passes import passed

T = TypeVar("T")

LEAST, MOST = 1e-6, 1e8
"""Of the dispersion α that is estimated: below, counts are Poisson to all digits of a table."""
FARTHEST = 30.0
"""Natural logarithm of a mean, at most this far from 0 beyond that of the counts."""


class CountRows(NamedTuple):
    """Rows as the likelihood sees them."""

    design: Float[np.ndarray, "rows columns"]
    counts: Float[np.ndarray, " rows"]
    offset: Float[np.ndarray, " rows"]
    """``log e``."""
    weights: Float[np.ndarray, " rows"]


class CountSums(abc.ABC):
    """Sums over weighted rows, wherever these lie."""

    @abc.abstractmethod
    def sum(self, function: Callable[..., T], *shared: object) -> T:
        """The sum over parts of the rows of what a function gives of `CountRows` and ``shared``."""

    @functools.cached_property
    def weight(self) -> float:
        """Of all rows."""
        return float(self.sum(_weight))


class HeldCounts(CountSums):
    """Rows in memory."""

    def __init__(self, rows: CountRows) -> None:
        self.rows = rows

    def sum(self, function: Callable[..., T], *shared: object) -> T:
        return function(self.rows, *shared)


class StreamedCountRows(CountSums):
    """Rows that are gone through where they lie, once a sum; an engine may do so.

    Args:
        rows: the columns that have coefficients, then the counts, and last the logarithm of the exposure.
        shift, scale: ``[columns]``, of the first.
        intercept: whether a column of ones comes after them.
    """

    def __init__(
        self,
        rows: Dataset,
        shift: Float[np.ndarray, " columns"],
        scale: Float[np.ndarray, " columns"],
        *,
        intercept: bool,
    ) -> None:
        self._rows, self._how = rows, (shift, scale, intercept)

    def sum(self, function: Callable[..., T], *shared: object) -> T:
        return passed(self._rows, _laid, function, shared, *self._how)


def _laid(
    rows: np.ndarray,
    weights: np.ndarray,
    function: Callable[..., T],
    shared: tuple,
    shift: np.ndarray,
    scale: np.ndarray,
    intercept: bool,
) -> T:
    """What a function gives of some rows."""
    return function(count_rows(rows[:, :-2], rows[:, -2], rows[:, -1], weights, (shift, scale, intercept)), *shared)


def count_rows(
    design: np.ndarray, counts: np.ndarray, offset: np.ndarray, weights: np.ndarray, how: tuple
) -> CountRows:
    """Rows as the likelihood sees them; ``how`` are shift and scale of the columns, and whether ones come after."""
    shift, scale, intercept = how
    standard = (design - shift) / scale
    whole = np.column_stack([standard, np.ones(len(standard))]) if intercept else standard
    return CountRows(whole, counts, offset, np.asarray(weights, np.float64))


# what is summed elsewhere stands by itself


def _weight(rows: CountRows) -> float:
    return float(rows.weights.sum())


def counted(rows: CountRows) -> np.ndarray:
    """The counts and the exposure, summed."""
    return np.array([rows.weights @ rows.counts, rows.weights @ np.exp(rows.offset)])


class Parts(NamedTuple):
    """The log-likelihood of rows, and what Newton's step needs of it."""

    value: float
    gradient: Float[np.ndarray, " parameters"]
    information: Float[np.ndarray, "parameters parameters"]
    """Minus the matrix of second derivatives."""


class CountModel(eqx.Module):
    """Coefficients, and the dispersion: 0 is Poisson's."""

    coefficients: Float[np.ndarray, " columns"]
    dispersion: float

    def means(self, design: Float[np.ndarray, "rows columns"], offset: Float[np.ndarray, " rows"]) -> np.ndarray:
        """``μ`` of every row."""
        return np.exp(np.clip(design @ self.coefficients + offset, -700.0, 700.0))

    def log_prob(self, counts: Float[np.ndarray, " rows"], means: Float[np.ndarray, " rows"]) -> np.ndarray:
        """``log p(y | μ)`` in nats; of what is no whole number, the same with the gamma function for factorials."""
        if self.dispersion <= 0:
            return xlogy(counts, means) - means - gammaln(counts + 1.0)
        size = 1.0 / self.dispersion
        return (
            gammaln(counts + size)
            - gammaln(size)
            - gammaln(counts + 1.0)
            - size * np.log1p(means / size)
            + xlogy(counts, means / (means + size))
        )

    def quantile(self, share: float, means: Float[np.ndarray, " rows"]) -> np.ndarray:
        """The least count that so much of the probability lies at or below."""
        if self.dispersion <= 0:
            return scipy.stats.poisson.ppf(share, means)
        size = 1.0 / self.dispersion
        return scipy.stats.nbinom.ppf(share, size, size / (size + means))

    def sample(self, random: np.random.Generator, means: Float[np.ndarray, " rows"]) -> np.ndarray:
        """A count a row."""
        if self.dispersion > 0:
            means = means * random.gamma(1.0 / self.dispersion, self.dispersion, np.shape(means))
        return random.poisson(means).astype(np.float64)


def parts(model: CountModel, rows: CountRows, *, dispersed: bool) -> Parts:
    """The log-likelihood of weighted rows with its derivatives, in the coefficients and, last, in ``log α``.

    With ``r = 1/α``: ``∂/∂η = r (y − μ)/(μ + r)``, ``−∂²/∂η² = r μ (y + r)/(μ + r)²``, and in r
    ``ψ(y + r) − ψ(r) + log(r/(μ + r)) + (μ − y)/(μ + r)``.
    """
    mu, y, w = model.means(rows.design, rows.offset), rows.counts, rows.weights
    value = float(w @ model.log_prob(y, mu))
    if not dispersed or model.dispersion <= 0:
        slope, curve = w * (y - mu), w * mu
        return Parts(value, rows.design.T @ slope, rows.design.T @ (curve[:, None] * rows.design))
    r = 1.0 / model.dispersion
    total = mu + r
    slope, curve = w * r * (y - mu) / total, w * r * mu * (y + r) / total**2
    in_r = digamma(y + r) - digamma(r) - np.log1p(mu / r) + (mu - y) / total
    in_rr = polygamma(1, y + r) - polygamma(1, r) + mu / (r * total) + (y - mu) / total**2
    crossed = w * mu * (y - mu) / total**2
    first, second = float(w @ in_r), float(w @ in_rr)
    gradient = np.append(rows.design.T @ slope, -r * first)  # d/d log α = −r d/dr
    number = gradient.size
    information = np.empty((number, number))
    information[:-1, :-1] = rows.design.T @ (curve[:, None] * rows.design)
    information[:-1, -1] = information[-1, :-1] = r * (rows.design.T @ crossed)
    information[-1, -1] = -(r * first + r**2 * second)
    return Parts(value, gradient, information)


def _parts_of(rows: CountRows, model: CountModel, dispersed: bool) -> Parts:
    return parts(model, rows, dispersed=dispersed)


class Raised(NamedTuple):
    """Where the likelihood ended."""

    model: CountModel
    trace: tuple[float, ...]
    """The log-likelihood (with the log prior, if there is one) after each step."""
    converged: bool
    information: Float[np.ndarray, "parameters parameters"]


def raised(
    rows: CountSums,
    start: CountModel,
    penalty: Float[np.ndarray, " columns"],
    *,
    dispersed: bool,
    max_iter: int,
    tol: float,
) -> Raised:
    """Newton's steps from a start until the likelihood changes by less than ``tol`` a row, and the step is small.

    Args:
        rows: the data.
        start: where to begin; with a dispersion above 0 where it is to be estimated.
        penalty: precisions of the coefficients' normal prior, 0 for none.
        dispersed: whether the dispersion is estimated.
        max_iter: most steps.
        tol: in nats a row.
    """
    model, weight = start, max(rows.weight, 1.0)

    def at(one: CountModel) -> Parts:
        found = rows.sum(_parts_of, one, dispersed)
        own = np.append(one.coefficients, 0.0) if dispersed else one.coefficients
        much = np.append(penalty, 0.0) if dispersed else penalty
        return Parts(
            found.value - 0.5 * float(much @ own**2), found.gradient - much * own, found.information + np.diag(much)
        )

    now = at(model)
    trace, converged = [now.value], False
    for _ in range(max_iter):
        step = _step(now)
        length, after, moved = 1.0, now, model
        while length > 1e-10:
            moved = _moved(model, length * step, dispersed=dispersed)
            after = at(moved)
            if after.value >= now.value:
                break
            length *= 0.5
        if not after.value >= now.value:
            converged = True  # no step raises it: the top, to the last digits
            break
        gained, model, now = after.value - now.value, moved, after
        trace.append(now.value)
        if gained <= tol * weight and float(np.abs(step).max(initial=0.0)) < 1e-4:
            converged = True
            break
    return Raised(model, tuple(trace), converged, now.information)


def _step(now: Parts) -> np.ndarray:
    """Newton's, with curvatures of the wrong sign turned over and none at all left out."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(now.information)), 1e-300))
    values, vectors = np.linalg.eigh(now.information / np.outer(scale, scale))
    seen = np.abs(values) > 1e-12 * max(float(np.abs(values).max(initial=0.0)), 1e-300)
    inverse = np.where(seen, 1.0 / np.where(seen, np.abs(values), 1.0), 0.0)
    step = (vectors @ (inverse * (vectors.T @ (now.gradient / scale)))) / scale
    return np.clip(step, -5.0, 5.0)


def _moved(model: CountModel, step: np.ndarray, *, dispersed: bool) -> CountModel:
    if not dispersed:
        return CountModel(model.coefficients + step, model.dispersion)
    dispersion = float(np.clip(model.dispersion * np.exp(step[-1]), LEAST, MOST))
    return CountModel(model.coefficients + step[:-1], dispersion)


def covariance(information: Float[np.ndarray, "parameters parameters"]) -> Float[np.ndarray, "parameters parameters"]:
    """The inverse of the observed information; directions of which the rows say nothing count as known."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
    found = np.linalg.pinv(information / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    return found / np.outer(scale, scale)


def _scatter(rows: CountRows, model: CountModel) -> np.ndarray:
    mu = model.means(rows.design, rows.offset)
    return np.array([rows.weights @ ((rows.counts - mu) ** 2 - rows.counts), rows.weights @ mu**2])


def overdispersed(rows: CountSums, model: CountModel) -> bool:
    """Whether the likelihood rises from a dispersion of 0: ``Σ w ((y − μ)² − y) > 0`` (Cameron & Trivedi 2013)."""
    return float(rows.sum(_scatter, model)[0]) > 0


def first_dispersion(rows: CountSums, model: CountModel) -> float:
    """A moment estimate of α to begin with."""
    more, square = rows.sum(_scatter, model)
    return float(np.clip(more / max(float(square), 1e-300), 1e-3, 1e3))


def judged(rows: CountRows, model: CountModel) -> np.ndarray:
    """``Σ w log p(y | μ)``, the deviance ``2 Σ w (log p(y | y) − log p(y | μ))`` and ``Σ w (y − μ)²/(μ + α μ²)``."""
    mu, y, w = model.means(rows.design, rows.offset), rows.counts, rows.weights
    found, own = model.log_prob(y, mu), model.log_prob(y, np.maximum(y, 1e-300))
    variance = np.maximum(mu + model.dispersion * mu**2, 1e-300)
    return np.array([w @ found, 2.0 * float(w @ (own - found)), w @ ((y - mu) ** 2 / variance)])
