"""How a Bayesian logistic regression is fitted by the closed-form driver: starts on some rows, then all rows."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Self

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from tacit.compute import FEW_NUMBERS, compiled, eagerly, side_by_side
from tacit.data.blocks import Standardise, View
from tacit.data.dataset import Dataset, JoinedRows
from tacit.data.sources import BlockSource, source, spread
from tacit.inference import closed_form as cf
from tacit.inference.each import EachModel
from tacit.inference.fit import Fit, fit
from tacit.inference.loop import on_host
from tacit.inference.series import Series
from tacit.inference.spread import in_spans, spread_sums
from tacit.models.regression.coefficients import FEW_COEFFICIENTS
from tacit.models.regression.logistic import LogisticRegression, Quadratic, at_start, stacked
from tacit.models.regression.surrogates import Bohning, Newton

FEW_ROWS = 65_536
"""A fit of more rows begins with the posterior of so many of them, drawn at random."""
BEGIN_TOL = 1e-6
"""Nats a row: as near as a start need come to the posterior of some of the rows."""
START_SPREAD = 0.1
SLICE = 32_768
"""Rows whose moments are worked out together."""


class RegressionTable(NamedTuple):
    """Rows with their weights and targets as the user gave them, and the view in which they are fitted."""

    rows: Dataset
    target: np.ndarray
    view: Standardise
    """Of rows and target together."""

    @property
    def weights(self) -> Float[np.ndarray, " rows"]:
        """Of the rows."""
        return self.rows.weights

    def source(self) -> BlockSource:
        """Where the driver takes the rows from."""
        return source(JoinedRows(self.rows, self.target))

    def some(self, number: int, random: np.random.Generator) -> Self:
        """So many rows drawn at random, with the weight of all; all of them where there are no more."""
        used = np.flatnonzero(self.weights)
        if used.size <= number:
            return self
        chosen = np.sort(random.choice(used, number, replace=False))
        weights = self.weights[chosen]
        weights = weights * (self.weights.sum() / weights.sum())
        return self._replace(rows=self.rows.take(chosen).weighted(weights), target=self.target[chosen])


class RegressionSchedule(NamedTuple):
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


def fit_bound(
    model: LogisticRegression, table: RegressionTable, schedule: RegressionSchedule, random: np.random.Generator
) -> Closed:
    """Raise a surrogate's bound from several starts on some rows, and from the best of them on all rows."""
    few, series = table.some(FEW_ROWS, random), Series()
    first = _for_some(schedule, few, table)
    found = series.then(lambda: _ranked(_fit(_starts(model, schedule.starts, random), few, first, random)))
    best = lambda: _fit([found[0].model], table, schedule, random)[0]  # noqa: E731
    return _compared(found[0] if few is table else series.then(best, lambda: _broken_off(found)[0]), found)


def fit_laplace(
    model: LogisticRegression, table: RegressionTable, schedule: RegressionSchedule, random: np.random.Generator
) -> Closed:
    """The posterior's mode and the curvature there.

    The surrogate's own steps, which never lower the log joint density, come near the mode on some rows; Newton's steps
    go on from there, and on all rows from the best start.
    """
    point = LogisticRegression(model.coefficients, model.prior, model.surrogate, model.mean_field, model.learn, True)
    few, series = table.some(FEW_ROWS, random), Series()
    first = _for_some(schedule, few, table)
    # every fit has a name of its own, by which a checkpoint knows it
    begin = first._replace(tol=BEGIN_TOL, label=f"{first.label}, near the mode")
    near = series.then(lambda: _fit(_starts(point, schedule.starts, random), few, begin, random))
    touched = lambda: _ranked(_touching([fit.model for fit in near], few, first, random))  # noqa: E731
    found = series.then(touched, lambda: _broken_off(_ranked(near)))
    best = lambda: _touching([found[0].model], table, schedule, random)[0]  # noqa: E731
    return _compared(found[0] if few is table else series.then(best, lambda: _broken_off(found)[0]), found)


def _broken_off(found: list[Fit]) -> list[Fit]:
    """Fits that others were to follow."""
    return [fit._replace(status=cf.INTERRUPTED) for fit in found]


def _for_some(schedule: RegressionSchedule, few: RegressionTable, table: RegressionTable) -> RegressionSchedule:
    if few is table:
        return schedule
    return schedule._replace(tol=max(schedule.tol, BEGIN_TOL), label=f"{schedule.label}, some rows")


def _ranked(found: list[Fit]) -> list[Fit]:
    return sorted(found, key=lambda fit: -np.nan_to_num(fit.bound, nan=-np.inf))


def _compared(best: Fit, found: list[Fit]) -> Closed:
    agreement = None
    if len(found) > 1:
        one, other = (fit.model.coefficients for fit in found[:2])
        agreement = float(np.max(np.abs(one.mean - other.mean) / np.sqrt(one.variance)))
    return Closed(best, np.array([fit.bound for fit in found]), agreement)


def _touching(
    models: list[LogisticRegression], table: RegressionTable, schedule: RegressionSchedule, random: np.random.Generator
) -> list[Fit]:
    """Newton's steps to the mode, and the covariance there; where one overshoots the surrogate's steps do all of it."""
    found = []
    for model, quick in zip(models, _fit([_newton(m) for m in models], table, schedule, random), strict=True):
        fit = quick
        if fit.status in (cf.FELL, cf.NAN):
            sure = eqx.tree_at(lambda m: m.surrogate, model, Bohning(model.surrogate.contrast))
            slow = _fit([sure], table, schedule._replace(label=f"{schedule.label}, surely"), random)[0]
            last = schedule._replace(max_iter=0, label=f"{schedule.label}, curvature")
            fit = _fit([_newton(slow.model)], table, last, random)[0]
            fit = fit._replace(status=slow.status, trace=slow.trace, iteration=slow.iteration)
        with eagerly(not fit.model.learn):
            found.append(fit._replace(model=on_host(_finished(fit.model, fit.statistics))))
    return found


def _newton(model: LogisticRegression) -> LogisticRegression:
    return eqx.tree_at(lambda m: m.surrogate, model, Newton(model.surrogate.contrast))


@partial(compiled, hurry=True)
def _finished(model: LogisticRegression, statistics: Quadratic) -> LogisticRegression:
    """With the covariance of the curvature at the mode."""
    after = model.m_step(statistics)
    return eqx.tree_at(lambda m: m.coefficients.mean, after, model.coefficients.mean)


def _starts(model: LogisticRegression, number: int, random: np.random.Generator) -> list[LogisticRegression]:
    """The model itself with a posterior at 0, and others with posteriors at random places."""
    shape = model.coefficients.mean.shape
    means = [np.zeros(shape), *(random.normal(size=shape) for _ in range(number - 1))]
    return [at_start(model, mean, START_SPREAD) for mean in means]


def _fit(
    models: list[LogisticRegression], table: RegressionTable, schedule: RegressionSchedule, random: np.random.Generator
) -> list[Fit]:
    """The fit of every start by itself; of few rows and coefficients nothing is compiled."""
    number, data, size = len(models), table.source(), models[0].coefficients.mean.size
    little = data.resident and size <= FEW_COEFFICIENTS and math.prod(data.size) <= FEW_NUMBERS
    little = little and not models[0].learn
    seeds = random.integers(2**32, size=(number, 2), dtype=np.uint32)
    starts = stacked(models)
    found = fit(
        EachModel(starts) if little else starts,
        data,
        table.view,
        key=seeds,
        max_iter=schedule.max_iter,
        tol=schedule.tol,
        accelerate=models[0].monotone and not isinstance(models[0].surrogate, Newton),
        label=schedule.label,
        groups=np.arange(number),
        eager=little,
    )
    if not little:
        return found
    return [
        one._replace(model=one.model.models, snapshots=one.snapshots.changed(lambda each: each.models)) for one in found
    ]


def total(step: cf.LocalStep, source: BlockSource, view: View) -> cf.Sums:
    """One pass over all rows; over few of them nothing is compiled."""
    if source.resident and math.prod(source.size) <= FEW_NUMBERS:
        plain: Callable[..., cf.Sums] = step  # it draws nothing, and asks for no key
        with eagerly():
            chunks = itertools.chain.from_iterable(zip(*block, strict=True) for block in source.blocks())
            return cf.total_sums(plain(view(rows), weights, None) for rows, weights, _ in chunks)
    single = jax.tree.map(lambda leaf: np.asarray(leaf)[None] if eqx.is_array(leaf) else leaf, step)
    key, zero = np.zeros((1, 2), np.uint32), np.zeros(1, np.int32)

    def work(block):
        return jax.tree.map(np.asarray, cf.accumulate(single, block, view, key, zero))

    parts = spread_sums(source, (single, view, key, zero))
    if parts is None:
        parts = in_spans(side_by_side(work, source.blocks()), source)
    return jax.tree.map(lambda leaf: leaf[0], cf.total_sums(parts))


def moments_of(rows: Dataset) -> tuple[Float[np.ndarray, " dims"], Float[np.ndarray, " dims"]]:
    """Weighted means and standard deviations of complete columns, in one pass; a column that does not vary has 1."""
    weights = rows.weights
    near = rows.rows(np.flatnonzero(weights)[:SLICE]).astype(np.float64).mean(0)
    sums = partial(_sums_near, near)
    if spread(rows):
        found = rows.total(sums)
    else:
        slices = [slice(start, start + SLICE) for start in range(0, len(rows), SLICE)]
        found = np.sum(side_by_side(lambda part: sums(rows.rows(part), weights[part]), slices), axis=0)
    first, second = found / weights.sum()
    mean, scale = near + first, np.sqrt(np.maximum(second - first**2, 0.0))
    flat = scale <= 1e-13 * np.abs(mean) + 1e-8 * np.abs(first)
    return mean, np.where(flat, 1.0, scale)


def _sums_near(near: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    away = rows.astype(np.float64, copy=False) - near
    heavy = away * weights[:, None]
    return np.stack([heavy.sum(0), np.einsum("nd,nd->d", heavy, away)])
