"""How a Bayesian logistic regression is fitted by the closed-form driver: starts on some rows, then all rows."""

from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from tacit.compute import side_by_side
from tacit.data.blocks import Joined, Source, Standardise, source
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, fit, on_host
from tacit.models.regression.logistic import LogisticRegression, Quadratic, at_start, stacked
from tacit.models.regression.surrogates import Newton

FEW_ROWS = 16_384
"""A fit of more rows begins with the posterior of so many of them, drawn at random."""
BEGIN_TOL = 1e-6
"""Nats a row: as near as a start need come to the posterior of some of the rows."""
START_SPREAD = 0.1


class Table(NamedTuple):
    """Rows, targets and weights as the user gave them, and the view in which they are fitted."""

    rows: np.ndarray
    target: np.ndarray
    weights: np.ndarray
    view: Standardise
    """Of rows and target together."""

    def source(self) -> Source:
        """Where the driver takes the rows from."""
        return source(Joined(self.rows, self.target), self.weights, tiles=False)

    def some(self, number: int, random: np.random.Generator) -> Self:
        """So many rows drawn at random, with the weight of all; all of them where there are no more."""
        used = np.flatnonzero(self.weights)
        if used.size <= number:
            return self
        chosen = np.sort(random.choice(used, number, replace=False))
        weights = self.weights[chosen]
        weights = weights * (self.weights.sum() / weights.sum())
        return self._replace(rows=self.rows[chosen], target=self.target[chosen], weights=weights)


class Schedule(NamedTuple):
    """How long and from how many starts."""

    max_iter: int
    tol: float
    starts: int
    label: str


class Closed(NamedTuple):
    """The best start on all rows, and how the restarts did."""

    fit: Fit
    bounds: np.ndarray
    """Of the restarts, in nats, best first; on some of the rows where these are many."""
    agreement: float | None
    """Largest difference of the posterior means of the two best restarts, in posterior standard deviations."""


def fit_bound(model: LogisticRegression, table: Table, schedule: Schedule, random: np.random.Generator) -> Closed:
    """Raise a surrogate's bound from several starts on some rows, and from the best of them on all rows."""
    few = table.some(FEW_ROWS, random)
    whole = few is table
    models = _starts(model, schedule.starts, random)
    tol = schedule.tol if whole else max(schedule.tol, BEGIN_TOL)
    first = schedule._replace(tol=tol, label=schedule.label if whole else f"{schedule.label}, some rows")
    found = sorted(_fit(models, few, first, random), key=lambda one: -np.nan_to_num(one.bound, nan=-np.inf))
    best = found[0] if whole else _fit([found[0].model], table, schedule, random)[0]
    agreement = None
    if len(found) > 1:
        one, other = (result.model.coefficients for result in found[:2])
        agreement = float(np.max(np.abs(one.mean - other.mean) / np.sqrt(one.variance)))
    return Closed(best, np.array([result.bound for result in found]), agreement)


def fit_laplace(model: LogisticRegression, table: Table, schedule: Schedule, random: np.random.Generator) -> Closed:
    """The posterior's mode and the curvature there.

    The surrogate's own steps, which never lower the log joint density, come near the mode on some rows; Newton's steps
    go on from there. Should one of these overshoot, the surrogate's steps do all of the work.
    """
    point = eqx.tree_at(lambda m: m.coefficients, model, model.coefficients, is_leaf=lambda x: x is None)
    point = LogisticRegression(point.coefficients, point.prior, point.surrogate, point.mean_field, point.learn, True)
    closed = fit_bound(point, table.some(FEW_ROWS, random), schedule._replace(tol=BEGIN_TOL), random)
    found = _fit([_newton(closed.fit.model)], table, schedule, random)[0]
    if found.status in (cf.FELL, cf.NAN):
        slow = _fit([closed.fit.model], table, schedule, random)[0]
        touched = _fit([_newton(slow.model)], table, schedule._replace(max_iter=0), random)[0]
        found = touched._replace(status=slow.status, trace=slow.trace, iteration=slow.iteration)
    model = on_host(_finished(found.model, found.statistics))
    return Closed(found._replace(model=model), closed.bounds, closed.agreement)


def _newton(model: LogisticRegression) -> LogisticRegression:
    return eqx.tree_at(lambda m: m.surrogate, model, Newton(model.surrogate.contrast))


@eqx.filter_jit
def _finished(model: LogisticRegression, statistics: Quadratic) -> LogisticRegression:
    """With the covariance of the curvature at the mode."""
    after = model.m_step(statistics)
    return eqx.tree_at(lambda m: m.coefficients.mean, after, model.coefficients.mean)


def _starts(model: LogisticRegression, number: int, random: np.random.Generator) -> list[LogisticRegression]:
    """The model itself with a posterior at 0, and others with posteriors at random places."""
    shape = model.coefficients.mean.shape
    means = [np.zeros(shape), *(random.normal(size=shape) for _ in range(number - 1))]
    return [at_start(model, jnp.asarray(mean), START_SPREAD) for mean in means]


def _fit(models: list[LogisticRegression], table: Table, schedule: Schedule, random: np.random.Generator) -> list[Fit]:
    """The fit of every start by itself."""
    number = len(models)
    seeds = random.integers(2**32, size=(number, 2), dtype=np.uint32)
    return fit(
        stacked(models),
        table.source(),
        table.view,
        key=seeds,
        max_iter=schedule.max_iter,
        tol=schedule.tol,
        accelerate=models[0].monotone and not isinstance(models[0].surrogate, Newton),
        label=schedule.label,
        groups=np.arange(number),
    )


def total(step: cf.LocalStep, source: Source, view: Standardise) -> cf.Sums:
    """One pass over all rows."""
    single = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None] if eqx.is_array(leaf) else leaf, step)
    key, zero = np.zeros((1, 2), np.uint32), np.zeros(1, np.int32)

    def work(block):
        return jax.tree.map(lambda leaf: np.asarray(leaf)[0], cf.accumulate(single, block, view, key, zero))

    return cf.total_sums(side_by_side(work, source.blocks()))


def moments_of(rows: np.ndarray, weights: np.ndarray) -> tuple[Float[np.ndarray, " dims"], Float[np.ndarray, " dims"]]:
    """Weighted means and standard deviations of complete columns; a column that does not vary has 1."""
    slices = [slice(start, start + 65_536) for start in range(0, rows.shape[0], 65_536)]
    whole = weights.sum()
    mean = sum(weights[part] @ np.asarray(rows[part], np.float64) for part in slices) / whole
    square = sum(weights[part] @ (np.asarray(rows[part], np.float64) - mean) ** 2 for part in slices) / whole
    scale = np.sqrt(square)
    flat = (scale <= 1e-13 * np.abs(mean)) | (scale == 0.0)
    return np.asarray(mean), np.where(flat, 1.0, scale)
