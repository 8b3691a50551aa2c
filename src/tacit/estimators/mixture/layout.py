"""From the families of the columns to the groups of a mixture: their templates and their priors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.errors import listed, nearest
from tacit.data.schema import Schema
from tacit.families import (
    FAMILIES,
    BetaBernoulli,
    ConjugatePrior,
    Dirichlet,
    DirichletCategorical,
    GammaExponential,
    GammaPoisson,
)
from tacit.families.covariance import STRUCTURES, canonical_name
from tacit.families.covariance.prior import default_prior
from tacit.models.components.base import Component
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.components.product import FamilyComponent

FAMILY_OF_KIND = {
    "continuous": "normal",
    "positive": "log-normal",
    "count": "poisson",
    "binary": "bernoulli",
    "categorical": "categorical",
}
"""What ``families="auto"`` chooses; a count whose variance is far above its mean becomes negative binomial."""

GAUSSIAN = ("normal", "log-normal")

OVERDISPERSION = 2.0
ROWS_OF_PRIOR = 1.0
"""What a prior of the objective "map" weighs: one row, spread as all rows are."""

Part = tuple[str, tuple[int, ...]]
"""A family and the columns of one group."""


def place_of(key: Any, names: Sequence[str], setting: str) -> int:
    """The place of a column given by name or by number.

    Raises:
        ValueError: there is no such column; names the setting that asks for it.
    """
    if isinstance(key, str):
        if key not in names:
            there = f"{', '.join(map(repr, names))}.{nearest(key, list(names))}"
            raise ValueError(f"{setting} names column {key!r}, and there are {there}")
        return list(names).index(key)
    if not isinstance(key, int | np.integer) or isinstance(key, bool):
        raise ValueError(f"{setting} names columns by name or by place, and {key!r} is neither")
    if not -len(names) <= key < len(names):
        raise ValueError(f"{setting} names column {key}, and there are {len(names)} columns")
    return int(key) % len(names)


def places_of(asked: Any, names: Sequence[str], setting: str) -> list[int]:
    """The places of columns given by name or by number, one of them or several, none twice; raises as `place_of`."""
    several = [asked] if isinstance(asked, str) or not isinstance(asked, Iterable) else list(asked)
    places = [place_of(each, names, setting) for each in several]
    if len(set(places)) < len(places):
        raise ValueError(f"{setting} name a column twice: {listed(several)}")
    return places


def automatic(schema: Schema, values: ColumnMoments) -> list[str]:
    """A family for every column from its kind."""
    chosen = []
    for place, kind in enumerate(schema.kinds):
        family = FAMILY_OF_KIND[kind]
        if family == "poisson" and values.variance[place] > OVERDISPERSION * values.mean[place]:
            family = "negative-binomial"
        chosen.append(family)
    return chosen


def parts_of(families: list[str], together: list[tuple[int, ...]], schema: Schema) -> list[Part]:
    """Groups: columns named together, Gaussian columns together, the others by family (and number of levels)."""
    grouped: dict[Any, list[int]] = {}
    for place, family in enumerate(families):
        joint = next((t for t in together if place in t), None)
        levels = schema.columns[place].levels
        key = (family, joint, len(levels) if family == "categorical" and levels else None)
        grouped.setdefault(key, []).append(place)
    return [(key[0], tuple(places)) for key, places in grouped.items()]


def group(
    part: Part,
    width: int,
    schema: Schema,
    values: ColumnMoments,
    rows: Dataset,
    scale: np.ndarray,
    settings: Mapping[str, Any],
) -> Component:
    """The template of one group, in the coordinates of the view.

    ``settings`` has ``structure``, ``floor`` (variance of the noise floor in units of a column's variance), ``map``
    (whether there are priors) and ``components``.
    """
    family, columns = part
    if family in GAUSSIAN:
        return _gaussian(part, width, values, rows, scale, settings)
    kind = FAMILIES[family]
    index = np.asarray(columns)
    if family == "multinomial":
        template = kind.template((width, 1), categories=len(columns))
    elif family == "categorical":
        levels = len(schema.columns[columns[0]].levels or ())
        template = kind.template((width, len(columns)), levels=levels)
    else:
        template = kind.template((width, len(columns)))
    free = template.n_free * (1 if template.event_dims else len(columns))
    prior = None
    if settings["map"]:
        prior = row_prior(family, rows, index, values, free // len(columns) + 1)
    noise_floor = None
    if family == "student-t":
        noise_floor = (values.variance / scale**2)[index]
    elif family == "gamma":
        noise_floor = logs_of(rows, index).variance
    if noise_floor is not None:
        noise_floor = settings["floor"] * np.where(noise_floor > 0, noise_floor, 1.0)
    return FamilyComponent(template, None, prior, columns, free, values.complete, noise_floor)


def _gaussian(
    part: Part, width: int, values: ColumnMoments, rows: Dataset, scale: np.ndarray, settings: Mapping[str, Any]
) -> GaussianComponent:
    family, columns = part
    index, dims, log = np.asarray(columns), len(columns), family == "log-normal"
    structure = canonical_name("VVI" if log else settings["structure"], dims)
    spread = logs_of(rows, index).variance if log else (values.variance / scale**2)[index]
    unit = np.ones((width, dims)) if STRUCTURES[structure].diagonal else np.tile(np.eye(dims), (width, 1, 1))
    prior = None
    if settings["map"] and not log:
        # in the view the columns have mean 0
        covariance = rows.covariance(index) / np.outer(scale[index], scale[index])
        covariance += np.diag(settings["floor"] * spread + 1e-300)
        prior = default_prior(structure, np.zeros(dims), covariance, settings["components"])
    return GaussianComponent(
        means=np.zeros((width, dims)),
        covariances=unit,
        noise_floor=np.asarray(settings["floor"] * np.where(spread > 0, spread, 1.0)),
        fixed_means=None,
        fixed_covariances=None,
        prior=prior,
        columns=columns,
        structure=structure,
        complete=values.complete,
        log=log,
    )


def logs_of(rows: Dataset, columns: np.ndarray) -> ColumnMoments:
    """The moments of the logarithms of some columns."""
    return rows.moments_of(lambda some: np.log(some[:, columns]))


def row_prior(
    family: str, rows: Dataset, columns: np.ndarray, values: ColumnMoments, levels: int, weight: float = ROWS_OF_PRIOR
) -> ConjugatePrior | None:
    """A conjugate prior that weighs so many rows and says what all rows say; None for families that have none."""
    rows_seen = values.seen[columns]
    # half a row of doubt, so that what never happens in the data is not impossible
    mean = np.asarray((values.mean[columns] * rows_seen + 0.5 * _doubt(family, levels)) / (rows_seen + 0.5))
    if family == "poisson":
        return GammaPoisson(weight * mean, np.full(mean.shape, weight))
    if family == "exponential":
        return GammaExponential(np.full(mean.shape, 1.0 + weight), weight * mean)
    if family == "bernoulli":
        return BetaBernoulli(weight * mean, weight * (1.0 - mean))
    if family == "multinomial":
        return DirichletCategorical(Dirichlet(weight * mean[None]))
    if family == "categorical":

        def of_levels(some: np.ndarray, weights: np.ndarray) -> np.ndarray:
            return np.stack([weights @ (some[:, [c]] == np.arange(levels)) for c in columns])

        counts = rows.total(of_levels)
        share = (counts + 0.5 / levels) / (counts.sum(-1, keepdims=True) + 0.5)
        return DirichletCategorical(Dirichlet(np.asarray(weight * share)))
    return None


def _doubt(family: str, levels: int) -> float:
    return 0.5 if family == "bernoulli" else 1.0
