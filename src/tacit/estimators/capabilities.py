"""What a model reads, and what it can do once it is fitted: its class says so by inheriting, and nothing is guessed.

A class has a capability if it inherits it, and a model has it unless its settings take it away (`Capability.lacks`):
a plain auto-encoder has no density of rows. Evaluation, report and command line ask `can`.
"""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from tacit.data.dataset import Dataset

Reads = Literal["table", "counts", "images", "documents", "sequences"]
"""What rows may be: columns of a table, counts, images, documents as counts of words, or sequences."""

MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix | Mapping[str, Any]
"""Rows as scikit-learn takes them: an array, a list of lists, a data frame, or a sparse matrix; columns by name."""


class Capability(abc.ABC):  # noqa: B024 - those of it have abstract methods
    """Something that a fitted model can do."""

    reads: ClassVar[tuple[Reads, ...]] = ("table",)
    """What the model takes for rows."""

    def lacks(self) -> frozenset[type["Capability"]]:
        """What its class can do and this model cannot, for its settings."""
        return frozenset()


def can(model: Any, what: type[Capability]) -> bool:
    """Whether a model, or a class of them, has a capability.

    An estimator of another library declares nothing: it can do what it has all methods for.
    """
    kind = model if isinstance(model, type) else type(model)
    if issubclass(kind, Capability):
        return issubclass(kind, what) and (model is kind or what not in model.lacks())
    return bool(what.__abstractmethods__) and all(hasattr(model, method) for method in what.__abstractmethods__)


class Scores(Capability):
    """Gives rows a log-density."""

    @property
    def scores_are_bounds(self) -> bool:
        """Whether scores are lower bounds, or estimates that lie below on average, rather than exact."""
        return False

    @abc.abstractmethod
    def score_samples(self, X: Any) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``."""


class Measures(Scores):
    """Says what its density is a density of."""

    @abc.abstractmethod
    def base_measure(self) -> tuple[str, ...]:
        """A word an entry of a row: "density", "mass", …"""


class Samples(Capability):
    """Draws new rows."""

    @abc.abstractmethod
    def sample(self, n_samples: int = 1) -> Any:
        """New rows ``(n, d)``, or those and where each comes from."""


class Imputes(Capability):
    """Fills gaps."""

    @abc.abstractmethod
    def impute(self, X: Any) -> np.ndarray:
        """Rows with their missing entries filled in."""


class GivesConditionals(Capability):
    """Gives the distribution of some entries, given the others."""

    @abc.abstractmethod
    def condition(self, values: Any) -> Any:
        """The distribution of the other columns, given these."""


class GivesConditionalsExactly(GivesConditionals):
    """Gives it with its distribution function."""

    @abc.abstractmethod
    def marginal(self, columns: Any) -> Any:
        """The distribution of some columns, the others integrated out."""


class Assigns(Capability):
    """Says which group a row belongs to."""

    @abc.abstractmethod
    def predict(self, X: Any) -> np.ndarray:
        """The group of every row."""


class AssignsSoftly(Assigns):
    """Says how sure that is."""

    @abc.abstractmethod
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of every group for every row, ``(n, K)``."""


class Transforms(Capability):
    """Gives every row other numbers: distances, shares of topics, codes."""

    @abc.abstractmethod
    def transform(self, X: Any) -> np.ndarray:
        """``(n, …)``."""


class Codes(Transforms):
    """Has a latent code with a spread for every row, and can say what the code is told."""

    @abc.abstractmethod
    def reconstruct(self, X: Any) -> np.ndarray:
        """``E[x|z]`` at the mean of every row's code."""

    @abc.abstractmethod
    def latent_information(self, X: Any) -> Mapping[str, np.ndarray]:
        """What the code is told of rows."""

    @abc.abstractmethod
    def reconstruction_error(self, X: Any) -> Mapping[str, float]:
        """How far reconstructions lie from rows."""


class Walks(Codes):
    """Has a code that can be moved along a line."""

    @abc.abstractmethod
    def interpolate(self, a: Any, b: Any) -> np.ndarray:
        """Rows on the straight way from one row's code to another's."""

    @abc.abstractmethod
    def traverse(self, x: Any, dim: int) -> np.ndarray:
        """A row as one latent dimension is moved."""

    @abc.abstractmethod
    def manifold(self, grid: int) -> np.ndarray:
        """Rows of codes on a grid."""


class Refines(Codes):
    """Has a density of z beside the encoder's, so that ``log p(x)`` can be brought closer than by its bound."""

    @abc.abstractmethod
    def annealed_weights(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Annealed importance sampling: log-weights ``(n, chains)``, and the share of accepted moves ``(n,)``."""

    @abc.abstractmethod
    def refined_bounds(self, X: Any) -> Mapping[str, np.ndarray]:
        """Bounds of every row ``(n,)``."""


class HasTopics(Transforms):
    """Has topics of words, and predicts one half of a document from the other."""

    topic_word_: np.ndarray
    """``p(w|k)``, ``[topics, words]``."""
    vocabulary_: tuple[str, ...] | None
    """The words of the columns."""

    @abc.abstractmethod
    def completion(self, X: Any) -> Any:
        """Half of the words of every document predicted from the other half, document by document, in nats."""


class Predicts(Capability):
    """Predicts a target."""

    @abc.abstractmethod
    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class, or the expected number, of every row."""


class PredictsClasses(Predicts):
    """Predicts a class."""

    @abc.abstractmethod
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of every class for every row, ``(n, classes)``."""


class PredictsNumbers(Predicts):
    """Predicts a number, with a density."""

    @abc.abstractmethod
    def log_predictive(self, X: Any, y: Any) -> np.ndarray:
        """``log p(y|x)`` of every row in nats."""


class PredictsIntervals(Predicts):
    """Says between which ends a number lies."""

    @abc.abstractmethod
    def predict_interval(self, X: Any, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, ``(n,)``."""


class Sweeps(Capability):
    """Has a number of groups, topics or dimensions that may be chosen by fitting several."""

    swept: ClassVar[str] = "n_components"
    """The setting."""


class EmptiesItself(Capability):
    """Has a posterior over its components, so that those that the data do not need empty themselves.

    Their number is but the most there may be.
    """

    n_components_used_: int
    """How many are in use."""
    expected_counts_: np.ndarray
    """Rows of each."""


class ReadsKinds(Capability):
    """Reads tables whose columns are of different kinds."""

    schema_: Any
    """The columns, their kinds and levels."""


class TakesDatasets(Capability):
    """Goes over the rows of a `tacit.data.Dataset` where they lie, a slice at a time."""


class ReadsOnce(TakesDatasets):
    """Reads rows once; fits and scores after that take them as they are."""

    @abc.abstractmethod
    def read(self, X: Any, *, reset: bool, minimum: int = 1) -> Dataset:
        """Rows as floats, NaN where missing, checked against the columns at fit, or the first of them (``reset``)."""

    @abc.abstractmethod
    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read."""

    @abc.abstractmethod
    def score_read(self, rows: Dataset) -> np.ndarray:
        """``log p(x)`` of rows that were read, in nats, ``(n,)``."""


class Restarts(ReadsOnce):
    """Goes on from its own parameters, which are estimates: replicates of a bootstrap move from there."""

    warm_start: bool
