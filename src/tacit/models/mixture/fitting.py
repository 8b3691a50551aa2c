"""From a template, responsibilities and rows to a fitted mixture: start, iterate, mind the numbers, put in order."""

import dataclasses
import warnings
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tacit import inference as drivers
from tacit import trees
from tacit.arrays import logsumexp, map_items
from tacit.compute import QUICK_BUILD, Array, compiled, eagerly, is_eager
from tacit.data.blocks import Block, Standardise, View
from tacit.data.sources import BlockSource, MemorySource
from tacit.engine import is_array
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, fit
from tacit.inference.loop import Trace, on_host
from tacit.inference.online import online
from tacit.inference.spread import of_blocks
from tacit.models.components.steps import LinearStep
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.coordinates import coordinates
from tacit.models.mixture.model import MixtureModel, MixtureStep
from tacit.models.mixture.products import beyond_single, in_form, in_products
from tacit.models.mixture.rows import small
from tacit.models.mixture.rules import Draws
from tacit.models.mixture.saddle import moved_off

M = TypeVar("M", MixtureModel, MixturePosterior)
Model = MixtureModel | MixturePosterior
"""Both are driven alike: their E-steps are the same."""

GUARD = 1e-9 / np.finfo(np.float64).eps
"""The largest (μ² + σ²)/σ² for which the product form errs by less than 1e-9 nats."""


NOT_SINGLE = (
    "the rows are float32, but a component is so narrow beside its distance from the centre that products in float32 "
    "would lose digits: they are taken in float64, which is as slow as rows in float64 are"
)
BESIDE_SADDLE = 1e-7
"""The largest tolerance of a fit that has left a saddle."""


class MixtureSchedule(NamedTuple):
    """How long and how to iterate."""

    max_iter: int | np.ndarray = 100
    """``[fits]`` where they differ."""
    tol: float = 1e-3
    accelerate: bool = False
    label: str = "fit"
    halving: tuple[int, ...] = ()
    """After how many iterations the worse half of the starts that compete is left."""
    words: str = ""
    """What else the watchers are told."""
    programs: int = 1
    """Of how many structures fits are wanted; each takes a program of its own, where they are compiled."""


class Start(NamedTuple):
    """Where fits begin, stacked."""

    models: Any
    statistics: Any
    """What makes the starts by an M-step; None where the models are the starts themselves."""

    def made(self) -> Any:
        """The starts themselves."""
        if self.statistics is None:
            return self.models
        key = np.zeros((self.models.active.shape[0], 2), np.uint32)
        with eagerly(is_eager() or not isinstance(self.models.rule, Draws)):  # a single M-step is not worth compiling
            models, statistics = on_host((self.models, self.statistics)) if is_eager() else self
            return cf.propose(cf.begin(models, statistics, key, given=False))[0]


def start(
    template: MixtureModel,
    source: MemorySource,
    view: Standardise,
    responsibilities: np.ndarray,
    active: np.ndarray,
) -> Start:
    """Starts from responsibilities ``[starts, rows, K]`` of a sample of rows.

    ``active`` ``[starts, K]`` marks the components that are no padding. A Gaussian group's template has mean 0
    and variance 1, the moments of all rows in the view.
    """
    starts = active.shape[0]
    models = trees.map(lambda leaf: np.stack([leaf] * starts) if is_array(leaf) else leaf, template)
    models = dataclasses.replace(models, active=active)
    laid = np.stack([source.to_slots(r) for r in responsibilities], axis=1)
    with eagerly(small(models, source) or in_products(models, source)):
        return Start(models, _start_statistics(_plain(template), next(source.blocks()), view, laid))


@partial(compiled, options=QUICK_BUILD)
def _start_statistics(template: MixtureModel, block: Block, view: Standardise, responsibilities: Array) -> Any:
    """Of responsibilities ``[chunks, starts, rows, K]``."""
    step = template.prepare()

    def chunk(rows: Array, weights: Array, shares: Array) -> Any:
        _, memos = step.terms(view(rows))
        shares = shares * weights[:, None]
        if is_eager() and all(isinstance(part, LinearStep) for part in step.parts):
            return step.statistics(memos, shares)
        return map_items(lambda share: step.statistics(memos, share), shares)

    return cf.sum_over_chunks(chunk, (block.rows, block.weights, responsibilities))


def _plain(models: MixtureModel) -> MixtureModel:
    """The same densities with nothing that only an M-step needs, so that all structures share one E-step program."""
    return MixtureModel(models.log_weights, tuple(g.plain() for g in models.groups), models.active)


def run(
    begun: Start,
    source: BlockSource,
    view: Standardise,
    schedule: MixtureSchedule,
    random: np.random.Generator,
    groups: np.ndarray | None = None,
    inference: str = "em",
) -> list[Fit]:
    """Fit all starts and keep the best of every group; where the product form cancels too much, go on whitened.

    ``random`` gives each start a key of its own. EM, hard EM and Monte Carlo EM
    differ in the model's rule for q alone.
    """
    if inference in ("online-em", "gradient"):
        return _one_by_one(begun.made(), source, view, schedule, inference, groups)
    keys = random.integers(2**32, size=(begun.models.active.shape[0], 2), dtype=np.uint32)
    fits = _fit(begun, source, view, schedule, keys, groups)
    fits = _repaired(fits, source, view, schedule, keys)
    if all(group.complete for group in begun.models.groups):
        return fits
    return [_off_saddle(found, source, view, schedule, keys[:1]) for found in fits]


def _off_saddle(found: Fit, source: BlockSource, view: View, schedule: MixtureSchedule, key: np.ndarray) -> Fit:
    """The fit, or where it had stopped on a saddle what lies beyond: see `tacit.models.mixture.saddle`."""
    if found.status != cf.CONVERGED or not isinstance(found.model, MixtureModel):
        return found
    tried = moved_off(found.model, np.random.default_rng(0))
    if tried is None:
        return found
    # near a saddle the bound is so flat that the usual tolerance ends too soon
    longer = schedule._replace(
        halving=(), max_iter=int(np.max(schedule.max_iter)), tol=min(schedule.tol, BESIDE_SADDLE)
    )
    further = _fit(Start(stacked([tried]), None), source, view, longer, key, np.zeros(1, int))[0]
    rise = schedule.tol * source.total_weight
    return joined(found, further) if further.bound > found.bound + max(rise, 1e-9 * abs(found.bound)) else found


def _one_by_one(
    models: Any,
    source: BlockSource,
    view: Standardise,
    schedule: MixtureSchedule,
    inference: str,
    groups: np.ndarray | None,
) -> list[Fit]:
    """Starts that cannot share a program: mini-batches of rows, or an optimiser's path."""
    found: list[tuple[int, Fit]] = []
    limits: dict[str, Any] = {"max_iter": int(np.max(schedule.max_iter)), "tol": schedule.tol, "label": schedule.label}
    groups = np.zeros(models.active.shape[0], int) if groups is None else groups
    for start, group in enumerate(groups.tolist()):
        if found and found[-1][1].status == cf.INTERRUPTED and any(group == other for other, _ in found):
            continue  # its group has a fit: what is left is left out
        model = trees.map(lambda leaf: np.asarray(leaf[start]) if is_array(leaf) else leaf, models)  # noqa: B023
        if inference == "online-em":
            found.append((group, online(model, source, view, **limits)))
        else:
            found.append((group, drivers.gradient.ascend(coordinates(model), source, view, **limits)))
    return [max((f for g, f in found if g == number), key=_bound) for number in range(groups.max() + 1)]


def _bound(found: Fit) -> float:
    return -np.inf if np.isnan(found.bound) else found.bound


def _repaired(
    fits: list[Fit], source: BlockSource, view: Standardise, schedule: MixtureSchedule, keys: np.ndarray
) -> list[Fit]:
    """The fits, or where the product form lost too many digits, what the whitened form makes of them.

    All go on together, so that their number is the only shape to be compiled; those that are sound stay at once.
    """
    lost = np.array([_lost_digits(found) for found in fits])
    if not lost.any():
        return fits
    most = np.broadcast_to(schedule.max_iter, len(fits))
    left = np.maximum(1, most - [found.iteration for found in fits])
    models = Start(_whitened(stacked([found.model for found in fits])), None)
    again = _fit(
        models,
        source,
        view,
        schedule._replace(halving=()),
        keys[: len(fits)],
        np.arange(len(fits)),
        np.where(lost, left, 0),
    )
    return [joined(f, a) if broken else f for f, a, broken in zip(fits, again, lost, strict=True)]


def _lost_digits(found: Fit) -> bool:
    """Whether the product form has spoilt a fit; one on its floor is spurious whatever its last digits are."""
    if found.status in (cf.NAN, cf.FELL) and _product_form(found.model):
        return True
    return bool(_beyond_guard(found.model)) and not floored(found.model)


def log_likelihoods(models: MixtureModel, source: BlockSource, view: View) -> tuple[np.ndarray, np.ndarray]:
    """``Σ w log p(x)`` and ``Σ w log max_k π_k p_k(x)`` of stacked models over a source, in the view, without floor.

    Their difference is the uncertainty of the assignment that the integrated classification likelihood charges.
    """
    plain = _plain(_with_groups(models, tuple(g.without_floor() for g in models.groups)))
    with eagerly(small(models, source)):
        parts = [*of_blocks(source, _likelihoods_of, plain, view)]
    totals, largest = (np.sum(part, axis=0) for part in zip(*parts, strict=True))
    return totals, largest


def _likelihoods_of(block: Block, models: MixtureModel, view: View) -> tuple[Array, Array]:
    found: tuple[Array, Array] = _log_likelihoods(models, block, view)
    return found


@partial(compiled, options=QUICK_BUILD)
def _log_likelihoods(models: MixtureModel, block: Block, view: View) -> tuple[Array, Array]:
    def one(step: MixtureStep, rows: Array, weights: Array) -> tuple[Array, Array]:
        logits, _ = step.terms(view(rows))
        return (weights * logsumexp(logits)).sum(-1), (weights * logits.max(-1)).sum(-1)

    starts = models.active.shape[0]
    steps = cf.prepared(models, starts)
    return cf.sum_over_chunks(
        lambda rows, weights: cf.over_starts(one, starts, steps, shared=(rows, weights)), (block.rows, block.weights)
    )


def _with_groups(models: Any, groups: tuple[Any, ...]) -> Any:
    return dataclasses.replace(models, groups=groups)


def stacked(models: list[MixtureModel]) -> MixtureModel:
    """Models of one structure on a new leading axis, in one form."""
    if len({tuple(g.product_form for g in m.groups) for m in models}) > 1:
        models = [_whitened(m) for m in models]
    return trees.map(lambda *leaves: np.stack(leaves) if is_array(leaves[0]) else leaves[0], *models)


def floored(model: Model) -> dict[int, list[int]]:
    """The columns along which a component rests on the floor of its variance, component by component."""
    found: dict[int, list[int]] = {}
    for group in model.groups:
        resting = group.floored()
        for component, column in () if resting is None else np.argwhere(resting):
            found.setdefault(int(component), []).append(group.columns[column])
    return found


def sound(models: Model) -> np.ndarray:
    """Which of stacked models have no component on the floor of a variance, ``[starts]``."""
    starts = models.active.shape[0]
    floors = [group.floored() for group in models.groups]
    resting = [each.reshape(starts, -1).any(axis=1) for each in floors if each is not None]
    return ~np.any(resting, axis=0) if resting else np.ones(starts, bool)


def _fit(begun, source, view, schedule, keys, groups, most=None):
    eager = small(begun.models, source, schedule.programs)
    if not eager and in_products(begun.models, source):
        made = begun.made()
        if not np.any(_beyond_guard(made)):
            return _in_products(made, source, view, schedule, keys, groups, most)
    return _driven(begun, source, view, schedule, keys, groups, most, eager)


def _in_products(made, source, view, schedule, keys, groups, most):
    """Fits by NumPy's products over many rows; of rows in float32 the products too, and the end in double precision."""
    single = next(iter(source.blocks())).rows.dtype == np.float32
    if single and np.any(beyond_single(made)):
        single = False
        warnings.warn(NOT_SINGLE, RuntimeWarning, stacklevel=2)
    begun = Start(in_form(made, "single" if single else "product"), None)
    fits = _driven(begun, source, view, schedule, keys, groups, most, True)
    if not single:
        return fits
    broken_off = any(found.status == cf.INTERRUPTED for found in fits)
    limit = schedule.max_iter if most is None else most
    left = np.maximum(0, np.broadcast_to(limit, len(fits)) - [found.iteration for found in fits]) * (not broken_off)
    ends = in_form(stacked([found.model for found in fits]), "product")
    further = _driven(
        Start(ends, None),
        source,
        view,
        schedule._replace(halving=()),
        keys[: len(fits)],
        np.arange(len(fits)),
        left,
        True,
    )
    found = [joined(_said(first, second), second) for first, second in zip(fits, further, strict=True)]
    return [f._replace(status=first.status) if broken_off else f for first, f in zip(fits, found, strict=True)]


def _said(first: Fit, second: Fit) -> Fit:
    """A fit whose last bound is that which another one began with, of the same model and better known."""
    bound = np.append(first.trace.bound[:-1], second.trace.bound[0])
    return first._replace(trace=first.trace._replace(bound=bound))


def _driven(begun, source, view, schedule, keys, groups, most, eager):
    return fit(
        begun.models,
        source,
        view,
        key=keys,
        max_iter=schedule.max_iter if most is None else most,
        tol=schedule.tol,
        accelerate=schedule.accelerate,
        label=schedule.label,
        words=schedule.words,
        statistics=begun.statistics,
        repair=_safer,
        groups=groups,
        sound=sound,
        halving=schedule.halving,
        eager=eager,
    )


def joined(first: Fit, second: Fit) -> Fit:
    """Two fits, the second going on where the first ended."""
    trace = Trace(
        np.concatenate([first.trace.iteration, second.trace.iteration[1:] + first.iteration]),
        np.concatenate([first.trace.bound, second.trace.bound[1:]]),
        np.concatenate([first.trace.seconds, second.trace.seconds[1:] + first.trace.seconds[-1]]),
    )
    iteration = first.iteration + second.iteration
    snapshots = first.snapshots.before(first.iteration).then(iteration, second.model)
    return second._replace(iteration=iteration, trace=trace, snapshots=snapshots)


def _product_form(models: Model) -> bool:
    return any(g.product_form for g in models.groups)


def _beyond_guard(models: Model) -> np.ndarray:
    """Where the product form cancels too much, ``[]`` or ``[starts]``."""
    beyond = [~(group.conditioning() < GUARD) for group in models.groups if group.product_form]
    return np.asarray(np.any(beyond, axis=0))


def _safer(models: Model) -> Model | None:
    """Starts in the whitened form, if one of them needs it that does not rest on its floor."""
    return _whitened(models) if np.any(_beyond_guard(models) & sound(models)) else None


def _whitened(models: Any) -> Any:
    return _with_groups(models, tuple(g.whitened() for g in models.groups))


def finished(model: M, view: Standardise, order: np.ndarray | None = None) -> M:
    """Padding removed, in the user's units, with the components in a given order."""
    model, view = on_host((model, view))
    model = model.take(np.flatnonzero(model.active)).in_units(view)
    return on_host(model if order is None else model.take(order))


def canonical_order(model: MixtureModel) -> np.ndarray:
    """Heaviest first; equal weights by the first parameter of the first group; noise last."""
    weights = np.round(np.exp(np.asarray(model.log_weights)), 10)
    number = weights.size - model.noise
    first = np.asarray(trees.leaves(model.groups[0].parameters)[0])
    order = np.lexsort((first.reshape(first.shape[0], -1)[:, 0], -weights[:number]))
    return np.concatenate([order, np.arange(number, weights.size)])
