"""What a report tells, as plain data. Every section is left out where its part is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped, UInt8

from tacit.compute import Array
from tacit.data.kinds import LeftOut
from tacit.data.schema import Schema
from tacit.models.graph import Graph
from tacit.report.prediction_content import Prediction
from tacit.report.topic_content import Topics


@dataclass(frozen=True)
class ModelSummary:
    """What was fitted.

    Attributes:
        name: What the model is called, such as "Gaussian mixture".
        sentence: What it does, in a sentence or two.
        settings: Pairs of words: what was set, and to what.
        structure: The covariance structure by its mclust or scikit-learn name, explained in words if known.
        parameters: Number of free parameters.
    """

    name: str
    sentence: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    structure: str = ""
    parameters: int | None = None


@dataclass(frozen=True)
class Candidate:
    """One fit that was compared; ``criterion`` is higher where better, NaN where the fit failed."""

    components: int
    structure: str
    criterion: float
    log_likelihood: float = float("nan")
    parameters: int | None = None
    converged: bool = True
    at_floor: bool = False


@dataclass(frozen=True)
class Candidates:
    """All fits that were compared, and the index of the one chosen; ``criterion`` names what was compared."""

    rows: tuple[Candidate, ...]
    chosen: int | None
    criterion: str = "BIC"


@dataclass(frozen=True, eq=False)
class Trace:
    """How the bound rose: ``bound[s]`` in nats (all rows together) after ``iteration[s]``, and how it ended."""

    iteration: Num[Array, " steps"]
    bound: Num[Array, " steps"]
    seconds: float | None = None
    converged: bool | None = None
    stop_reason: str = ""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The groups on the way in two columns: weights ``[K]``, means ``[K,2]``, covariances ``[K,2,2]``."""

    columns: tuple[int, int]
    at: Mapping[int, tuple[Array, Array, Array]]


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Means ``[K,G]`` and covariances ``[K,G,G]`` of the groups in some columns, in the user's units."""

    columns: tuple[int, ...]
    means: Num[Array, "components some"]
    covariances: Num[Array, "components some some"]


@dataclass(frozen=True, eq=False)
class Groups:
    """The hidden groups, in the order of the components.

    Attributes:
        weights: Share of each group, summing to one.
        responsibilities: Probability of each group for each row.
        gaussians: Where some columns are jointly Gaussian within each group; draws the ellipses.
        curves: By column, a grid in increasing order and the weighted densities ``π_k p_k(x)`` on it, in the
            user's units; columns in ``gaussians`` need none.
        emptied: Groups that the model was allowed and does not use; they are not among the others.
    """

    weights: Float[Array, " components"]
    responsibilities: Float[Array, "rows components"]
    gaussians: Gaussians | None = None
    curves: Mapping[int, tuple[Array, Array]] = field(default_factory=dict)
    emptied: int = 0


@dataclass(frozen=True)
class HeldOut:
    """Mean log density of rows kept aside, in nats per row, with its standard error.

    ``baseline`` is the same of a simpler model (its name, its score), to have something to compare with. ``bound``
    says that the score is an estimate from below. ``bits`` is what a level of an 8-bit image costs: −score over the
    levels of an image and ln 2.
    """

    score: float
    standard_error: float
    rows: int
    baseline: tuple[str, float] | None = None
    bound: bool = False
    bits: float | None = None


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


@dataclass(frozen=True)
class Repeat:
    """How to get the same fit again: a command, lines of Python, the configuration, versions by name."""

    command: str = ""
    python: str = ""
    config: str = ""
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything a report tells. Only the title is needed.

    Attributes:
        title: Heading of the page.
        source: Where the table came from.
        made: When, as it should be read; none leaves it out, so that equal fits give equal pages.
        schema: The columns of ``values``.
        values: The rows that were fitted: NaN where missing, codes of levels, the user's units.
        row_names: What a person calls each row; else they are numbered from 1.
        left_out: Columns that no model saw.
        notes: What was guessed on the way from the file to the table.
        model: What was fitted.
        graph: Its directed graph.
        candidates: What it was chosen from.
        trace: How the bound rose.
        snapshots: How the groups formed.
        groups: The hidden groups.
        log_density: Log density of each row, in nats.
        reasons: By row, why it is odd; else worked out from its group's means and spreads.
        samples: Rows drawn from the model, in the columns of ``values``.
        held_out: How it does on rows it has not seen.
        warnings: What a reader should know, in plain sentences.
        repeat: How to get the same fit again.
        code: What a deep model says of each row.
        images: Where the rows are images: those fitted, and those made.
        topics: Where the rows are documents: what they are about.
        prediction: Where a column is foretold from the others: coefficients, and how well.
        trust: How far an approximate posterior can be trusted, in sentences.
    """

    title: str
    source: str = ""
    made: str = ""
    schema: Schema | None = None
    values: Float[np.ndarray, "rows columns"] | None = None
    row_names: Sequence[object] | None = None
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    model: ModelSummary | None = None
    graph: Graph | None = None
    candidates: Candidates | None = None
    trace: Trace | None = None
    snapshots: Snapshots | None = None
    groups: Groups | None = None
    log_density: Float[Array, " rows"] | None = None
    reasons: Mapping[int, str] = field(default_factory=dict)
    samples: Float[np.ndarray, "draws columns"] | None = None
    held_out: HeldOut | None = None
    warnings: tuple[str, ...] = ()
    repeat: Repeat | None = None
    code: Code | None = None
    images: Images | None = None
    topics: Topics | None = None
    prediction: Prediction | None = None
    trust: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.values is None) != (self.schema is None):
            raise ValueError("values and schema belong together: give both or neither")
        if self.values is None or self.schema is None:
            if self.groups is not None or self.samples is not None or self.log_density is not None:
                raise ValueError("groups, samples and log_density need the values and the schema")
            return
        rows, columns = self.values.shape
        if columns != len(self.schema):
            raise ValueError(f"values has {columns} columns, the schema {len(self.schema)}")
        lengths = {
            "groups.responsibilities": None if self.groups is None else len(self.groups.responsibilities),
            "log_density": None if self.log_density is None else len(self.log_density),
            "row_names": None if self.row_names is None else len(self.row_names),
        }
        for name, length in lengths.items():
            if length is not None and length != rows:
                raise ValueError(f"{name} has {length} rows, values has {rows}")
        if self.samples is not None and self.samples.shape[1] != columns:
            raise ValueError(f"samples has {self.samples.shape[1]} columns, values has {columns}")

    @property
    def missing(self) -> Bool[np.ndarray, "rows columns"]:
        """True where a value is missing."""
        return np.zeros((0, 0), dtype=bool) if self.values is None else np.isnan(self.values)
