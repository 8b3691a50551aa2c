"""The members of a stacked density: what a name stands for, and whether their densities can be added."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from tacit.data.errors import listed, nearest
from tacit.estimators.capabilities import Imputes, MatrixLike, Samples, Scores, can
from tacit.estimators.factors.factor_analysis import FactorAnalysis
from tacit.estimators.flow.reference import BESIDE, NUMBERS, best_mixture
from tacit.estimators.flow.triangular_flow import TriangularFlow
from tacit.estimators.gradient_fit import Split
from tacit.estimators.measure import base_measure
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.sequence.reading import ReadsSequences
from tacit.estimators.settings import Estimator
from tacit.models.flow.columns import ColumnPlan

MEMBERS = ("gaussian-mixture", "triangular-flow", "factor-analysis")
FEW_ROWS = 2000
"""Below so many every row is held out once, fold by fold; above it one share of the rows is enough."""
PATIENCE = 6
"""Of a flow of few rows."""
CHOOSING = 0.15
"""Share of the rows by which the number of components of a mixture is chosen."""

SEVERAL = 10_000
"""Rows up to which a mixture has a second start."""


def names_of(members: Sequence[Any]) -> tuple[str, ...]:
    """A name for each, numbered where several would be the same."""
    plain = [each if isinstance(each, str) else type(each).__name__ for each in members]
    return tuple(
        name if plain.count(name) == 1 else f"{name} {plain[: place + 1].count(name)}"
        for place, name in enumerate(plain)
    )


def made(
    members: Sequence[Any], x: np.ndarray, weights: np.ndarray, names: Sequence[str], random: np.random.Generator
) -> list[Estimator]:
    """Unfitted models, with what the rows decide about them: components of a named mixture, supports of a flow.

    Raises:
        ValueError: an unknown name, or what is no model with a density.
    """
    if isinstance(members, str) or len(members) < 2:
        raise ValueError(f"members must be two models or more, by name or as they are; got {members!r}")
    named = any(isinstance(each, str) and each == "gaussian-mixture" for each in members)
    number = _components(x, weights, random) if named else None
    return [_settled(_made(each, number, len(x), random), x, names) for each in members]


def _settled(member: Estimator, x: np.ndarray, names: Sequence[str]) -> Estimator:
    """A flow with the supports that its columns have by all rows: some of them would leave others out.

    Raises:
        ValueError: columns have levels, of which a flow gives no exact masses.
    """
    if not isinstance(member, TriangularFlow):
        return member
    plan = ColumnPlan.of(x, member.supports, names)
    if plan.levelled.any():
        levelled = [name for name, has in zip(names, plan.levelled, strict=True) if has]
        raise ValueError(
            f"{listed(levelled, 6)} {'have' if len(levelled) > 1 else 'has'} levels (whole "
            "numbers, or few different values): a flow gives their masses from below, and no density that could be "
            "added to others. Leave them out, or take members without a flow; supports='real' of the flow takes them "
            "for measurements."
        )
    settled: Estimator = member.set_params(supports=plan.supports)
    return settled


def _components(x: np.ndarray, weights: np.ndarray, random: np.random.Generator) -> int:
    """Of the mixture that scores rows held out best: chosen once, for the mixture and for the one beside a flow."""
    learned, held = Split.of(random.permutation(len(x)), CHOOSING, weights)
    scale = np.nanstd(x, axis=0)
    unit = (x - np.nanmean(x, axis=0)) / np.where(scale > 0, scale, 1.0)
    parts = unit[learned], weights[learned], unit[held], weights[held]
    found, _ = best_mixture(*parts, random, most=NUMBERS[-1])
    return int(found.n_components)


def _made(member: Any, number: int | None, rows: int, random: np.random.Generator) -> Estimator:
    seed = int(random.integers(2**31))
    if isinstance(member, Estimator):
        if not (can(member, Scores) and can(member, Samples) and can(member, Imputes)) or can(member, ReadsSequences):
            raise ValueError(f"{type(member).__name__} has no density of rows: leave it out of members")
        fresh: Estimator = clone(member)
        if "random_state" in fresh.get_params() and fresh.get_params()["random_state"] is None:
            fresh.set_params(random_state=seed)
        return fresh
    if member == "gaussian-mixture":
        return GaussianMixture(number, n_init=2 if rows <= SEVERAL else 1, max_iter=300, random_state=seed)
    if member == "triangular-flow":
        beside = None if number is None else min(number, BESIDE)
        # few rows are soon learned by heart, and what comes after that is time lost
        patience = PATIENCE if rows < FEW_ROWS else 20
        return TriangularFlow(n_components=beside, patience=patience, random_state=seed)
    if member == "factor-analysis":
        return FactorAnalysis(random_state=seed)
    known = f"{', '.join(map(repr, MEMBERS))}, or a model"
    raise ValueError(f"a member must be one of {known}; got {member!r}.{nearest(str(member), MEMBERS)}")


def check_measures(members: Sequence[Estimator], names: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """What all fitted members give a density of, column by column.

    Raises:
        ValueError: one gives bounds only, or a mass where another gives a density.
    """
    first = None
    for member, name in zip(members, names, strict=True):
        measure = base_measure(member)
        for place, (own, other) in enumerate(zip(measure, first or measure, strict=True)):
            if own != other:
                raise ValueError(
                    f"column {columns[place]!r}: {names[0]} gives a {other}, and {name} a {own}, so that they cannot "
                    f"be added. Leave the column out, or take models of one kind (of a flow, supports= settles it)."
                )
        if can(member, Scores) and member.scores_are_bounds:
            levelled = [column for column, each in zip(columns, measure, strict=True) if each != "density"]
            what = f", for {', '.join(map(repr, levelled[:6]))} have levels" if levelled else ""
            raise ValueError(f"{name} gives bounds and no exact densities{what}: leave those columns out, or the model")
        first = first or measure
    assert first is not None
    return first


def fitted(member: Estimator, x: MatrixLike, weights: np.ndarray, *, quiet: bool = True) -> Estimator:
    """A new model of the same settings, fitted to rows; what a ``quiet`` fit warns of is not said."""
    fresh: Any = clone(member)
    with warnings.catch_warnings():
        if quiet:
            warnings.simplefilter("ignore")
        fresh.fit(x, sample_weight=weights)
    made: Estimator = fresh
    return made
