"""What a report tells of a deep model, and taken from it by what it can do: its code, and the images that it makes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Num, Shaped, UInt8

from tacit.compute import Array
from tacit.data.dataset import Values, some
from tacit.estimators.capabilities import Codes, Measures, Scores, ScoresByDraws, Walks, can
from tacit.estimators.settings import Estimator
from tacit.evaluation.health import ACTIVE_VARIANCE, latent_health
from tacit.evaluation.measure import bits_per_dimension
from tacit.plots.images import grey_levels, span_of
from tacit.plots.style import thin

LOOKED_AT = 2000
"""Rows whose codes are looked at."""
SCORED_ROWS, SCORED_IMAGES = 2000, 500
"""Rows or images that are scored to find the least likely ones."""
DRAWS, IMAGE_DRAWS = 100, 20
"""Draws of the code for such a score: fewer than for a held-out score, for only the order counts."""
NUMBERS = 1_000_000
"""Values that one picture of images holds at most."""
GRID, SAMPLES, PAIRS, MOVED, STEPS, ODD = 20, 60, 20, 8, 11, 10
REACH = 3.0
"""How far a dimension of the code is moved, in standard deviations of the prior."""


@dataclass(frozen=True, eq=False)
class Code:
    """What a deep model says of each row in a few numbers, its code z.

    Attributes:
        parts: Pairs of words: a part of the model, and which it is.
        layers: The networks, layer by layer: network, layer, size, numbers learned.
        history: Columns by name, a number a look: ``epoch``, ``reconstruction``, ``kl``, ``elbo``, perhaps
            ``held_out``; all but the first in nats a row and the user's units.
        means: ``E[z|x]`` of some rows.
        labels: What each of these rows is.
        kl: Nats a row of each dimension; of all together, where there is one number for several dimensions.
        active: Which dimensions are in use.
        information: What the code tells of the rows, in nats a row.
        verdict: Whether the code is in use, in words.
        point: Whether a code is a point, as in a plain auto-encoder: then there is no bound and no density.
        measure: What a score is of: a "density", a "mass", or "mixed".
        rows: How many rows there are of which these are some.
    """

    parts: tuple[tuple[str, str], ...] = ()
    layers: tuple[tuple[str, str, str, int], ...] = ()
    history: Mapping[str, Num[Array, " looks"]] = field(default_factory=dict)
    means: Float[Array, "some dims"] | None = None
    labels: Shaped[np.ndarray, " some"] | None = None
    kl: Float[Array, " parts"] | None = None
    active: Bool[Array, " dims"] | None = None
    information: float | None = None
    verdict: str = ""
    point: bool = False
    measure: str = ""
    rows: int = 0

    def __post_init__(self) -> None:
        if self.means is not None and self.labels is not None and len(self.labels) != len(self.means):
            raise ValueError(f"labels has {len(self.labels)} rows, means has {len(self.means)}")
        missing = {"epoch", "reconstruction", "kl", "elbo"} - set(self.history) if self.history else set()
        if missing:
            raise ValueError(f"history lacks {', '.join(sorted(missing))}")


@dataclass(frozen=True, eq=False)
class Images:
    """The images that were fitted and those that the model makes, all as levels 0 to 255, grey or in colour.

    Attributes:
        count: How many were fitted.
        size: Height, width, and channels where there are several.
        samples: Mean images of codes drawn from the prior.
        originals: Some of the images that were fitted.
        reconstructions: What the model makes of them.
        traversals: Images as one dimension of the code is moved, the others staying.
        moved: Which dimensions those are, counted from 0.
        reach: From where to where they are moved.
        manifold: Images of the codes on a grid, the first dimension to the right, the second upwards.
        odd: The least likely images, the least likely first.
        odd_density: Their log density, in nats.
        odd_names: What a person calls each.
        scored: How many images were scored to find them.
    """

    count: int
    size: tuple[int, ...]
    samples: UInt8[np.ndarray, "draws height width *channels"] | None = None
    originals: UInt8[np.ndarray, "shown height width *channels"] | None = None
    reconstructions: UInt8[np.ndarray, "shown height width *channels"] | None = None
    traversals: UInt8[np.ndarray, "dims steps height width *channels"] | None = None
    moved: tuple[int, ...] = ()
    reach: tuple[float, float] = (-3.0, 3.0)
    manifold: UInt8[np.ndarray, "down across height width *channels"] | None = None
    odd: UInt8[np.ndarray, "odd height width *channels"] | None = None
    odd_density: Float[Array, " odd"] | None = None
    odd_names: tuple[str, ...] = ()
    scored: int = 0

    def __post_init__(self) -> None:
        pairs = {
            "reconstructions": (self.originals, self.reconstructions),
            "odd_density": (self.odd, self.odd_density),
            "moved": (self.traversals, self.moved if self.moved else None),
        }
        for name, (images, other) in pairs.items():
            given = None if images is None else len(images)
            if given != (None if other is None else len(other)):
                raise ValueError(f"{name} must go with its images, one each")


def code(
    estimator: Estimator, X: Values | pa.Table, labels: Sequence[object] | np.ndarray | None = None
) -> Code | None:
    """The code of a deep model, seen from at most 2 000 rows, or nothing for another model.

    Args:
        estimator: fitted.
        X: rows as the estimator takes them.
        labels: what each row is.
    """
    if not can(estimator, Codes):
        return None
    rows = len(X)
    kept = np.sort(thin(rows, LOOKED_AT))
    few = _pick(X, kept)
    found = estimator.latent_information(few)
    health = latent_health(estimator, few)
    networks = estimator.architecture()
    point = not can(estimator, Scores)
    names = None if labels is None else np.asarray(labels)[kept]
    return Code(
        parts=networks.parts,
        layers=networks.layers,
        history=_history(estimator),
        means=found["means"],
        labels=names.astype(str) if names is not None and names.dtype.kind == "O" else names,
        kl=health.kl,
        active=health.active,
        information=health.mutual_information,
        verdict="" if point else health.verdict,
        point=point,
        measure=_measure(estimator),
        rows=rows,
    )


def _pick(X: Values | pa.Table, places: np.ndarray) -> Values | pa.Table:
    """Some rows of an array or of a table with named columns."""
    return X.take(places) if isinstance(X, pa.Table) else some(X, places)


def _measure(estimator: Estimator) -> str:
    """What a score is of: "density", "mass", or "mixed"; nothing where an estimator does not say."""
    kinds = set(estimator.base_measure()) if can(estimator, Measures) else {""}
    return kinds.pop().partition(" ")[0] if len(kinds) == 1 else "mixed"


def bits(estimator: Estimator, values: np.ndarray, nats: float) -> float | None:
    """What a level of an 8-bit image costs in bits, ``−nats / (levels · ln 2)``, where the score is of its levels."""
    levels = values.dtype == np.uint8 and values.size > 0 and int(values.max()) > 1
    if not levels or not can(estimator, Codes) or estimator.binarize is not None:
        return None
    if not can(estimator, Measures) or set(estimator.base_measure()) != {"mass"}:
        return None
    return -bits_per_dimension(nats, math.prod(values.shape[1:]))


def log_density(estimator: ScoresByDraws, X: Values | pa.Table) -> np.ndarray:
    """Log density of 2 000 rows at most, drawn at random, in nats; NaN for the others."""
    kept = np.sort(thin(len(X), SCORED_ROWS))
    found = np.full(len(X), np.nan)
    found[kept] = estimator.score_samples(_pick(X, kept), n_samples=DRAWS)
    return found


def images(estimator: Codes, values: np.ndarray, names: Sequence[object], seen: Code) -> Images:
    """The images that were fitted beside those that the model makes.

    Args:
        estimator: fitted, one that decodes its code.
        values: ``(n, height, width[, channels])``.
        names: what a person calls each.
        seen: what `code` gave for these images.
    """
    limits = span_of(values[thin(len(values), LOOKED_AT)])
    made = limits if estimator.binarize is None else (0.0, 1.0)
    room = max(1, NUMBERS // math.prod(values.shape[1:]))
    kept = np.sort(thin(len(values), min(PAIRS, room)))
    moved, travels = _traversals(estimator, values, room, seen)
    scored, density = _odd(estimator, values, min(ODD, room))
    return Images(
        count=len(values),
        size=tuple(values.shape[1:]),
        samples=None if seen.point else _samples(estimator, min(SAMPLES, room), made),
        originals=grey_levels(values[kept], limits),
        reconstructions=grey_levels(estimator.reconstruct(values[kept]), made),
        traversals=None if travels is None else _grid(travels, made),
        moved=moved,
        reach=(-REACH, REACH),
        manifold=_manifold(estimator, room, made, seen),
        odd=None if density is None else grey_levels(values[scored], limits),
        odd_density=density,
        odd_names=tuple(str(names[place]) for place in scored),
        scored=min(len(values), SCORED_IMAGES),
    )


def _samples(estimator: Codes, number: int, limits: tuple[float, float]) -> np.ndarray:
    """``E[x|z]`` of codes drawn from the prior."""
    return grey_levels(estimator.sample(number, mean=True, random_state=0), limits)


def _traversals(
    estimator: Codes, values: np.ndarray, room: int, seen: Code
) -> tuple[tuple[int, ...], np.ndarray | None]:
    """The most ordinary image as each of the dimensions in use is moved, the most used first."""
    steps = min(STEPS, room)
    if not can(estimator, Walks) or steps < 3 or seen.point or seen.means is None or seen.kl is None:
        return (), None
    means = np.asarray(seen.means)
    spread = means.var(axis=0)
    use = np.asarray(seen.kl) if len(seen.kl) == means.shape[1] else spread
    order = [int(dim) for dim in np.argsort(-use, kind="stable") if dim < estimator.visible_dims]
    used = [dim for dim in order if spread[dim] > ACTIVE_VARIANCE]
    used = used[: min(MOVED, max(1, room // steps))]
    if not used:
        return (), None
    ordinary = values[np.sort(thin(len(values), LOOKED_AT))[int(np.argmin((means**2).sum(axis=1)))]]
    places = np.linspace(-REACH, REACH, steps)
    return tuple(used), np.stack([estimator.traverse(ordinary, dim, places) for dim in used])


def _manifold(estimator: Codes, room: int, limits: tuple[float, float], seen: Code) -> np.ndarray | None:
    """Images over the quantiles of a standard normal prior, of a code of two numbers."""
    side = min(GRID, math.isqrt(room))
    if not can(estimator, Walks) or side < 3 or seen.point or seen.means is None or seen.kl is None:
        return None
    if np.shape(seen.means)[1] != 2 or len(seen.kl) != 2:  # with another prior the KL is not closed
        return None
    return _grid(estimator.manifold(side, (1, 0)), limits)


def _grid(images: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """A table of images as levels."""
    levels = grey_levels(images.reshape(-1, *images.shape[2:]), limits)
    return levels.reshape(*images.shape[:2], *levels.shape[1:])


def _odd(estimator: Codes, values: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Which of 500 images at most are the least likely, and their log densities."""
    kept = np.sort(thin(len(values), SCORED_IMAGES))
    if not can(estimator, ScoresByDraws):
        return kept[:0], None
    density = np.asarray(estimator.score_samples(values[kept], n_samples=IMAGE_DRAWS), np.float64)
    order = np.argsort(density, kind="stable")[: min(number, max(1, len(kept) // 2))]
    return kept[order], density[order]


def _history(estimator: Estimator) -> dict[str, np.ndarray]:
    """The terms by epoch, in the user's units.

    ``history_`` is in the units of the model; ``lower_bound_``, of the parameters that were kept (the best held-out
    ones, else the last), is in the user's: the difference is the same for every bound and reconstruction, and the KL
    has none.
    """
    kept = estimator.history_
    if not kept or not len(kept["epoch"]):
        return {}
    chosen = float(np.nanmax(kept["held_out"])) if "held_out" in kept else float(kept["elbo"][-1])
    change = float(estimator.lower_bound_) - chosen
    change = change if np.isfinite(change) else 0.0
    names = [name for name in ("reconstruction", "elbo", "held_out") if name in kept]
    return {"epoch": kept["epoch"], "kl": kept["kl"]} | {name: kept[name] + change for name in names}
