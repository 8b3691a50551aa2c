"""From starts and sequences to a fitted hidden Markov model, by the closed-form driver."""

from typing import NamedTuple

import numpy as np

from tacit import trees
from tacit.data.blocks import Standardise
from tacit.engine import eqx, is_array
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, fit
from tacit.inference.loop import on_host
from tacit.models.mixture.fitting import GUARD, floored, sound
from tacit.models.sequence.model import HiddenMarkov
from tacit.models.sequence.source import SequenceSource, SequenceView

EAGER_WORK = 300_000_000
"""Rows × starts × states × (features + states²) up to which NumPy computes: a program takes seconds to compile."""


class SequenceSchedule(NamedTuple):
    """How long and how to iterate."""

    max_iter: int = 100
    tol: float = 1e-5
    accelerate: bool = False
    label: str = "fit"
    words: str = ""


def run(
    starts: HiddenMarkov,
    source: SequenceSource,
    view: Standardise,
    schedule: SequenceSchedule,
    random: np.random.Generator,
) -> Fit:
    """The best fit of stacked starts; where the fast form of the densities loses digits, it goes on in the safe one."""
    keys = random.integers(2**32, size=(starts.log_start.shape[0], 2), dtype=np.uint32)
    found = _fit(starts, source, view, schedule, keys)
    if not _lost_digits(found):
        return found
    single = trees.map(lambda leaf: np.asarray(leaf)[None] if is_array(leaf) else leaf, found.model)
    left = schedule._replace(max_iter=max(1, schedule.max_iter - found.iteration))
    again = _fit(_whitened(single), source, view, left, keys[:1])
    return again._replace(iteration=found.iteration + again.iteration)


def _fit(
    starts: HiddenMarkov, source: SequenceSource, view: Standardise, schedule: SequenceSchedule, keys: np.ndarray
) -> Fit:
    return fit(
        starts,
        source,
        SequenceView(view),
        key=keys,
        max_iter=schedule.max_iter,
        tol=schedule.tol,
        accelerate=schedule.accelerate,
        label=schedule.label,
        words=schedule.words,
        repair=_safer,
        sound=lambda models: sound(models.emissions),
        eager=small(starts, source),
    )[0]


def small(starts: HiddenMarkov, source: SequenceSource) -> bool:
    """Whether compiling would take longer than computing."""
    states = starts.log_start.shape[-1]
    features = sum(group.n_features for group in starts.emissions.groups) + states**2
    return source.size[0] * starts.log_start.size * features <= EAGER_WORK


def _product_form(models: HiddenMarkov) -> bool:
    return any(group.product_form for group in models.emissions.groups)


def _beyond_guard(models: HiddenMarkov) -> np.ndarray:
    beyond = [~(group.conditioning() < GUARD) for group in models.emissions.groups if group.product_form]
    return np.asarray(np.any(beyond, axis=0))


def _lost_digits(found: Fit) -> bool:
    if found.status in (cf.NAN, cf.FELL) and _product_form(found.model):
        return True
    return bool(_beyond_guard(found.model)) and not floored(found.model.emissions)


def _safer(models: HiddenMarkov) -> HiddenMarkov | None:
    return _whitened(models) if np.any(_beyond_guard(models) & sound(models.emissions)) else None


def _whitened(models: HiddenMarkov) -> HiddenMarkov:
    groups = tuple(group.whitened() for group in models.emissions.groups)
    changed: HiddenMarkov = eqx.tree_at(lambda m: m.emissions.groups, models, groups)
    return changed


def finished(model: HiddenMarkov, view: Standardise, order: np.ndarray | None = None) -> HiddenMarkov:
    """In the user's units, with the states in a given order."""
    model, view = on_host((model, view))
    model = model.in_units(view)
    return on_host(model if order is None else model.take(order))
