"""The starts of a mixture's fit: labels or responsibilities of a sample of rows, turned into models."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset, DenseRows, sampled_places
from tacit.data.sources import MemorySource
from tacit.estimators.mixture.noise import with_noise
from tacit.models import hierarchy
from tacit.models.mixture.fitting import Start, start
from tacit.models.mixture.model import MixtureModel
from tacit.models.seeding import SAMPLE_ROWS, seeded_labels
from tacit.waiting import computing

HIERARCHIES = ("hierarchical", "hierarchical-gaussian", "hierarchical-columns")
"""Ward's groups of scaled principal components, groups of Gaussians in them, and Ward's of scaled columns."""
STARTS = ("kmeans", "k-means++", "random", "random_from_data", *HIERARCHIES)
LLOYD_STEPS = {"kmeans": 25, "k-means++": 0, "random_from_data": 0}
"""Lloyd steps after the seeds; "random_from_data" draws the seeds without regard to distance."""


def needs_tiles(model: MixtureModel, complete: bool) -> bool:
    """Whether rows must be laid in tiles of one missing pattern."""
    return not complete and any(group.tiled for group in model.groups)


SCALE_FREE = ("E", "V", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVV", "VVV")
"""Structures that stay what they are when columns are scaled one by one; the others need one common scale."""


def standardiser(values: ColumnMoments, scaled: np.ndarray, structure: str = "VVV") -> Standardise:
    """Centre and scale the columns marked; leave the others (counts, codes) as they are."""
    # a column that does not vary is only centred, by the size of its values
    scale = np.where(values.flat, np.maximum(np.abs(values.mean), 1.0), np.sqrt(values.variance))
    if structure not in SCALE_FREE:
        scale = np.full_like(scale, np.sqrt(np.mean(scale[scaled] ** 2)))
    return Standardise(
        np.where(scaled, values.mean, 0.0).astype(np.float64), np.where(scaled, scale, 1.0).astype(np.float64)
    )


def responsibilities(
    methods: Sequence[str],
    features: np.ndarray,
    weights: np.ndarray,
    components: np.ndarray,
    width: int,
    random: np.random.Generator,
) -> np.ndarray:
    """One start each: responsibilities ``[starts, rows, width]`` of a sample of rows.

    Args:
        methods: how the rows of every start are grouped at first.
        features: a sample of the rows in the space of seeding, without gaps.
        weights: their weights.
        components: the number of components of every start.
        width: K with padding.
        random: the source of all that is random.
    """
    grown = {}
    for name in HIERARCHIES:
        numbers = {int(k) for m, k in zip(methods, components, strict=True) if m == name}
        if numbers:
            grown[name] = _hierarchy(name, features, sorted(numbers), width, random)
    starts = []
    for method, number in zip(methods, components, strict=True):
        if method == "random":
            share = random.uniform(size=(features.shape[0], width)) * (np.arange(width) < number)
            starts.append(share / share.sum(-1, keepdims=True))
        elif method in HIERARCHIES:
            starts.append(grown[method][int(number)])
        else:
            far = method != "random_from_data"
            labels = seeded_labels(features, weights, int(number), random, far=far, lloyd=LLOYD_STEPS[method])
            starts.append(np.eye(width)[labels])
    return np.stack(starts)


def _hierarchy(
    method: str, features: np.ndarray, numbers: list[int], width: int, random: np.random.Generator
) -> dict[int, np.ndarray]:
    """Groups grown from a sample; the other rows belong to none."""
    tilted = method == "hierarchical-gaussian"
    most = hierarchy.GAUSSIAN_ROWS if tilted else hierarchy.WARD_ROWS
    sample = sampled_places(features.shape[0], most, random)
    rows = features[sample] if method == "hierarchical-columns" else hierarchy.principal(features[sample])
    found = (hierarchy.gaussian if tilted else hierarchy.ward)(rows, numbers)
    shares = {number: np.zeros((features.shape[0], width)) for number in numbers}
    for number, labels in found.items():
        shares[number][sample] = np.eye(width)[labels]
    return shares


def seeding_features(template: MixtureModel, rows: np.ndarray) -> np.ndarray:
    """Rows in the space where seeds are sought: every column about as wide as any other, and no gaps."""
    parts = [group.seeding_features(rows[:, list(group.columns)]) for group in template.groups]
    features = np.concatenate(parts, axis=1)
    return np.where(np.isnan(features), 0.0, features)


class DrawnStarts(NamedTuple):
    """Starts that were drawn: the rows that were looked at, and what is said of each of them."""

    rows: np.ndarray
    """In the user's units."""
    weights: np.ndarray
    shares: np.ndarray
    """``[starts, rows, K]``, with padding."""
    components: np.ndarray
    """The number of components of every start."""

    def begun(self, template: MixtureModel, view: Standardise) -> Start:
        """The starts of a model, stacked."""
        complete = all(group.complete for group in template.groups)
        held = MemorySource(DenseRows(self.rows, self.weights), tiles=needs_tiles(template, complete))
        fitting = template.with_rows(complete=complete, tile=held.tile)
        width = self.shares.shape[-1] - template.noise
        active = np.arange(width) < self.components[:, None]
        active = np.pad(active, ((0, 0), (0, template.noise)), constant_values=True)
        return start(fitting, held, view, self.shares, active)


def draw(
    template: MixtureModel,
    rows: Dataset,
    view: Standardise,
    methods: Sequence[str],
    components: np.ndarray,
    random: np.random.Generator,
) -> DrawnStarts:
    """All starts, from a sample of at most 16 384 rows."""
    sample = rows.sample(SAMPLE_ROWS, random)
    part, weights = sample.rows().astype(np.float64), sample.weights
    features = seeding_features(template, (part - np.asarray(view.shift)) / np.asarray(view.scale))
    width = template.log_weights.shape[0] - template.noise
    with computing("drawing starts", rows.shape, keeps=False):
        drawing = partial(with_noise, responsibilities) if template.noise else responsibilities
        shares = drawing(methods, features, weights, components, width, random)
    return DrawnStarts(part, weights, shares, components)


def laid(model: MixtureModel, shares: np.ndarray, width: int) -> np.ndarray:
    """Responsibilities under a model ``[rows, K]`` with padding ``[rows, width]``, which stands before noise."""
    groups = shares.shape[1] - model.noise
    padding = np.zeros((len(shares), width - shares.shape[1]))
    return np.hstack([shares[:, :groups], padding, shares[:, groups:]])
