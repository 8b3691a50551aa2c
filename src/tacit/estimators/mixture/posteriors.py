"""From the families of the columns to groups with posteriors: conjugate priors, the usual ones or the user's."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.errors import listed
from tacit.estimators.mixture.layout import Part, logs_of, place_of, row_prior
from tacit.families import (
    BetaBernoulli,
    ConjugatePrior,
    Dirichlet,
    DirichletCategorical,
    GammaExponential,
    GammaPoisson,
)
from tacit.families.base import ExponentialFamily
from tacit.models.components.base import Component, ComponentPosterior
from tacit.models.components.conjugate import ConjugateComponent
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.components.normal_wishart import NormalWishartComponent
from tacit.models.components.product import FamilyComponent
from tacit.models.components.wishart import Kind, NormalWishartPrior

INSTEAD = {
    "gamma": "log-normal or exponential",
    "negative-binomial": "poisson, of which a mixture is over-dispersed by itself",
    "student-t": "normal, whose posterior predictive is a Student's t",
}
"""Families without a conjugate prior, and what to use in their place."""
NUMBERS = {
    "normal": ("mean", "count", "shape", "rate"),
    "log-normal": ("mean", "count", "shape", "rate"),
    "poisson": ("shape", "rate"),
    "exponential": ("shape", "rate"),
    "bernoulli": ("ones", "zeros"),
    "categorical": ("concentrations",),
    "multinomial": ("concentrations",),
}
"""What a user gives of the prior of a column."""

Given = Mapping[int, Mapping[str, Any]]
"""The user's numbers by the place of a column."""


class Weighing(NamedTuple):
    """How much the priors say."""

    rows: float
    kind: Kind
    """Structure of the normal columns."""
    components: int
    given: Given


def check_families(families: Sequence[str], names: Sequence[str]) -> None:
    """Refuse families that have no conjugate prior, naming the column and what to use."""
    for name, family in zip(names, families, strict=True):
        if family in INSTEAD:
            raise ValueError(
                f"column {name!r}: the family {family!r} has no conjugate prior. Use {INSTEAD[family]}; or Mixture, "
                "which fits it by EM."
            )


def given_priors(
    priors: Mapping[Any, Mapping[str, Any]] | None, families: Sequence[str], names: Sequence[str]
) -> dict[int, Mapping[str, Any]]:
    """The user's priors by place, each with the numbers that its family takes, all above 0 (but a mean)."""
    found: dict[int, Mapping[str, Any]] = {}
    for key, numbers in (priors or {}).items():
        place = place_of(key, names, "priors")
        wanted, column = NUMBERS[families[place]], f"the prior of column {names[place]!r} ({families[place]})"
        if families[place] == "multinomial":
            raise ValueError(f"{column}: a multinomial's columns share one prior, which prior_rows sets")
        if not isinstance(numbers, Mapping) or set(numbers) != set(wanted):
            raise ValueError(f"{column} takes {listed(wanted)}, and nothing else; got {numbers!r}")
        for name, value in numbers.items():
            array = np.asarray(value, float)
            if not np.isfinite(array).all() or (name != "mean" and not (array > 0).all()):
                raise ValueError(f"{column}: {name} must be {'finite' if name == 'mean' else 'above 0'}, got {value!r}")
        found[place] = numbers
    return found


def plain_gaussian(
    columns: tuple[int, ...], width: int, kind: Kind, noise: np.ndarray, *, complete: bool
) -> GaussianComponent:
    """Gaussians with the moments that all rows have in the view; with gaps, the start fills them by these."""
    dims, diagonal = len(columns), kind in ("diag", "spherical")
    return GaussianComponent(
        np.zeros((width, dims)),
        np.ones((width, dims)) if diagonal else np.tile(np.eye(dims), (width, 1, 1)),
        noise,
        None,
        None,
        None,
        columns,
        "VVI" if diagonal else "VVV",
        complete=complete,
    )


def group(
    part: Part, plain: Component, width: int, values: ColumnMoments, rows: Dataset, view: Standardise, weigh: Weighing
) -> ComponentPosterior:
    """The posterior of one group of columns, of which nothing is known but its prior."""
    family, columns = part
    index = np.asarray(columns)
    if isinstance(plain, GaussianComponent):
        kind: Kind = "diag" if family == "log-normal" else weigh.kind
        prior = _gaussian_prior(part, kind, values, rows, view, weigh)
        return NormalWishartComponent.template(
            prior, width, columns, kind, noise=np.zeros(index.size), complete=values.complete, log=plain.log
        )
    assert isinstance(plain, FamilyComponent)
    levels = plain.free // len(columns) + 1
    usual = row_prior(family, rows, index, values, levels, weigh.rows)
    if usual is None:
        raise ValueError(f"the family {family!r} has no conjugate prior")
    prior_of = _changed(family, usual, columns, weigh.given)
    assert isinstance(plain.family, ExponentialFamily)  # as all are that have a conjugate prior
    return ConjugateComponent.template(prior_of, width, plain.family, columns, plain.free, complete=values.complete)


def _changed(family: str, usual: ConjugatePrior, columns: tuple[int, ...], given: Given) -> ConjugatePrior:
    """The usual priors of a group's columns with the user's in place of some."""
    own = {at: given[column] for at, column in enumerate(columns) if column in given}
    if not own:
        return usual

    def put(values: Any, name: str) -> np.ndarray:
        changed = np.array(values, float)
        for at, numbers in own.items():
            if np.shape(numbers[name]) not in ((), changed[at].shape):
                raise ValueError(f"{name} of column {columns[at]} needs {changed[at].size} numbers, one a level")
            changed[at] = numbers[name]
        return changed

    match usual:
        case GammaPoisson():
            return GammaPoisson(put(usual.shapes, "shape"), put(usual.rates, "rate"))
        case GammaExponential():
            return GammaExponential(put(usual.shapes, "shape"), put(usual.rates, "rate"))
        case BetaBernoulli():
            return BetaBernoulli(put(usual.ones, "ones"), put(usual.zeros, "zeros"))
        case DirichletCategorical():
            return DirichletCategorical(Dirichlet(put(usual.distribution.concentrations, "concentrations")))
    raise ValueError(f"the family {family!r} takes no prior of a single column")


def _gaussian_prior(
    part: Part, kind: Kind, values: ColumnMoments, rows: Dataset, view: Standardise, weigh: Weighing
) -> NormalWishartPrior:
    """Mean and spread of all rows; in the view, where normal columns have mean 0."""
    family, columns = part
    index, dims = np.asarray(columns), len(columns)
    shift, scale = np.asarray(view.shift)[index], np.asarray(view.scale)[index]
    if family == "log-normal":
        logs = logs_of(rows, index)
        mean, spread = logs.mean, np.diag(logs.variance)
    else:
        spread = rows.covariance(index) if kind in ("full", "tied") else np.diag(values.variance[index])
        mean, spread = (values.mean[index] - shift) / scale, spread / scale / scale[:, None]
    widths = np.diagonal(spread)
    spread = spread + np.diag(1e-8 * np.where(widths > 0, widths, 1.0))
    if kind in ("full", "tied"):
        dof = (dims - 1.0 + weigh.rows) * (weigh.components if kind == "tied" else 1)
        return NormalWishartPrior(mean, np.asarray(weigh.rows), dof * spread, np.asarray(dof))
    if kind == "spherical":
        width = np.full(dims, np.mean(np.diagonal(spread)))
        return NormalWishartPrior(mean, np.asarray(weigh.rows), weigh.rows * width, np.asarray(weigh.rows))
    count, dofs = np.full(dims, weigh.rows), np.full(dims, weigh.rows)
    mean, widths = np.array(mean), weigh.rows * np.diagonal(spread)
    for at, column in enumerate(columns):
        if column in weigh.given:
            numbers = weigh.given[column]
            # Gamma(a, b) of a precision is ν = 2a, V = 2b
            mean[at], count[at] = (numbers["mean"] - shift[at]) / scale[at], numbers["count"]
            dofs[at], widths[at] = 2.0 * numbers["shape"], 2.0 * numbers["rate"] / scale[at] ** 2
    return NormalWishartPrior(mean, count, widths, dofs)
