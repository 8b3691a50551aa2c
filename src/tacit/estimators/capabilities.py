"""What a model reads, and what it can do once it is fitted: its class says so by inheriting, and nothing is guessed.

A class has a capability if it inherits it, and a model has it unless its settings take it away (`Capability.lacks`):
a plain auto-encoder has no density of rows. Evaluation, report and command line ask `can`.
"""

import abc
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from tacit import late
from tacit.data.dataset import Dataset
from tacit.data.schema import Reads, Schema

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import TypeIs

    from tacit.data.dataset import ColumnMoments
    from tacit.estimators.regression.coefficients import CoefficientTable
    from tacit.estimators.vae.describe import Architecture
    from tacit.models.mixture.model import MixtureModel
    from tacit.models.mixture.summary import MixtureSummary
    from tacit.models.topics.completion import Completion

    Matrix: TypeAlias = np.ndarray | sparse.sparray | sparse.spmatrix
    MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix | Mapping[str, Any] | Dataset
else:
    _SPARSE = late.class_of("scipy.sparse", "sparray") | late.class_of("scipy.sparse", "spmatrix")
    Matrix, MatrixLike = np.ndarray | _SPARSE, ArrayLike | _SPARSE | Mapping[str, Any] | Dataset
"""`Matrix`: rows as an estimator has read them: numbers, NaN where missing. `MatrixLike`: rows as scikit-learn takes
them (array, list of lists, data frame, sparse matrix); columns by name; a data set."""

C = TypeVar("C", bound="Capability")


class Capability(abc.ABC):  # noqa: B024 - those of it have abstract methods
    """Something that a fitted model can do."""

    reads: ClassVar[tuple[Reads, ...]] = ("table",)
    """What the model takes for rows."""

    def lacks(self) -> frozenset[type["Capability"]]:
        """What its class can do and this model cannot, for its settings; and with it all that extends it."""
        return frozenset()


def can(model: object, what: type[C]) -> "TypeIs[C]":
    """Whether a model, or a class of them, has a capability.

    An estimator of another library declares nothing: it can do what it has all methods for.
    """
    if isinstance(model, Capability):
        return isinstance(model, what) and not issubclass(what, tuple(model.lacks()))
    if isinstance(model, type) and issubclass(model, Capability):
        return issubclass(model, what)
    return bool(what.__abstractmethods__) and all(hasattr(model, method) for method in what.__abstractmethods__)


class Scores(Capability):
    """Gives rows a log-density."""

    @property
    def scores_are_bounds(self) -> bool:
        """Whether scores are lower bounds, or estimates that lie below on average, rather than exact."""
        return False

    @abc.abstractmethod
    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``."""


class Measures(Scores):
    """Says what its density is a density of."""

    @abc.abstractmethod
    def base_measure(self) -> tuple[str, ...]:
        """A word an entry of a row: "density", "mass", …"""


class ScoresByDraws(Measures):
    """Estimates it by draws of a code."""

    @abc.abstractmethod
    def score_samples(
        self, X: MatrixLike, *, given: Any = None, n_samples: int | None = None, return_error: bool = False
    ) -> Any:
        """``log p(x)`` of every row in nats, ``(n,)``, from so many draws; perhaps with its standard error."""


class Samples(Capability):
    """Draws new rows."""

    @abc.abstractmethod
    def sample(self, n_samples: int = 1) -> Any:
        """New rows ``(n, d)``, or those and where each comes from."""


class Imputes(Capability):
    """Fills gaps."""

    @abc.abstractmethod
    def impute(self, X: MatrixLike) -> np.ndarray:
        """Rows with their missing entries filled in."""


class GivesConditionals(Capability):
    """Gives the distribution of some entries, given the others."""

    @abc.abstractmethod
    def condition(self, values: Mapping[Any, Any]) -> Any:
        """The distribution of the other columns, given these."""


class GivesConditionalsExactly(GivesConditionals):
    """Gives it with its distribution function."""

    @abc.abstractmethod
    def marginal(self, columns: Sequence[int | str]) -> Any:
        """The distribution of some columns, the others integrated out."""


class Assigns(Capability):
    """Says which group a row belongs to."""

    @abc.abstractmethod
    def predict(self, X: MatrixLike) -> np.ndarray:
        """The group of every row."""


class AssignsSoftly(Assigns):
    """Says how sure that is."""

    @abc.abstractmethod
    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """The probability of every group for every row, ``(n, K)``."""


class TellsTables(Capability):
    """Has figures of its fit that a report shows as tables."""

    @abc.abstractmethod
    def told_tables(self, X: MatrixLike) -> "tuple[tuple[str, pa.Table], ...]":
        """Tables with their headings, from the rows of the fit."""


class AnswersFromMixture(Capability):
    """Answers from the pytree of a mixture, which may have one component only."""

    model_: "MixtureModel"
    """Components, weights, and all that is answered from them."""

    @abc.abstractmethod
    def fitted_model(self) -> "MixtureModel":
        """The model; raises scikit-learn's `NotFittedError` before the fit."""


class Mixes(AssignsSoftly, AnswersFromMixture):
    """Is a mixture of components, each a group."""

    weights_: np.ndarray
    """Share of every group, ``(K,)``; the last of them perhaps empty."""
    snapshots_: Mapping[int, "MixtureModel"] = MappingProxyType({})
    """By iteration, the model then."""

    @abc.abstractmethod
    def summary(self) -> "MixtureSummary":
        """Weights of the groups, and what each group says of every column."""


class Transforms(Capability):
    """Gives every row other numbers: distances, shares of topics, codes."""

    @abc.abstractmethod
    def transform(self, X: MatrixLike) -> np.ndarray:
        """``(n, …)``."""


class Codes(Transforms, Samples):
    """Has a latent code with a spread for every row, and can say what the code is told."""

    event_shape_: tuple[int, ...]
    """Of a row."""
    binarize: str | None
    """How grey pixels become black or white, if they do."""
    lower_bound_: float
    """The bound of the parameters that were kept, in nats a row and the user's units."""

    @abc.abstractmethod
    def architecture(self) -> "Architecture":
        """The parts and layers of the networks, and the number of parameters."""

    @abc.abstractmethod
    def transform(self, X: MatrixLike, *, given: Any = None, return_std: bool = False) -> Any:
        """The mean of every row's code, ``(n, dims)``, perhaps with its standard deviation."""

    @abc.abstractmethod
    def sample(
        self,
        n_samples: int = 1,
        *,
        temperature: float = 1.0,
        given: Any = None,
        mean: bool = False,
        random_state: Any = None,
    ) -> np.ndarray:
        """New rows, or the mean of each given its code."""

    @abc.abstractmethod
    def reconstruct(self, X: MatrixLike, *, given: Any = None) -> np.ndarray:
        """``E[x|z]`` at the mean of every row's code."""

    @abc.abstractmethod
    def latent_information(self, X: MatrixLike, *, given: Any = None) -> Mapping[str, np.ndarray]:
        """What the code is told of rows."""

    @abc.abstractmethod
    def reconstruction_error(self, X: MatrixLike, *, given: Any = None) -> Mapping[str, float]:
        """How far reconstructions lie from rows."""


class Walks(Codes):
    """Has a code that can be moved along a line."""

    @property
    @abc.abstractmethod
    def visible_dims(self) -> int:
        """How many numbers of a code, from the first, the decoder sees."""

    @abc.abstractmethod
    def interpolate(self, a: ArrayLike, b: ArrayLike, n: int = 10) -> np.ndarray:
        """Rows on the straight way from one row's code to another's."""

    @abc.abstractmethod
    def traverse(self, x: ArrayLike, dim: int, values: ArrayLike | None = None) -> np.ndarray:
        """A row as one latent dimension is moved."""

    @abc.abstractmethod
    def manifold(self, grid: int = 20, dims: tuple[int, int] = (0, 1)) -> np.ndarray:
        """Rows of codes on a grid."""


class Refines(Codes):
    """Has a density of z beside the encoder's, so that ``log p(x)`` can be brought closer than by its bound."""

    @abc.abstractmethod
    def annealed_weights(
        self,
        X: MatrixLike,
        *,
        given: Any = None,
        chains: int = 16,
        steps: int = 500,
        leaps: int = 5,
        start: str = "refined",
        random_state: Any = 0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Annealed importance sampling: log-weights ``(n, chains)``, and the share of accepted moves ``(n,)``."""

    @abc.abstractmethod
    def refined_bounds(self, X: MatrixLike, *, given: Any = None, random_state: Any = None) -> Mapping[str, np.ndarray]:
        """Bounds of every row ``(n,)``."""


class HasTopics(Transforms):
    """Has topics of words, and predicts one half of a document from the other."""

    topic_word_: np.ndarray
    """``p(w|k)``, ``[topics, words]``."""
    vocabulary_: tuple[str, ...] | None
    """The words of the columns."""

    @abc.abstractmethod
    def completion(self, X: MatrixLike) -> "Completion":
        """Half of the words of every document predicted from the other half, document by document, in nats."""


class Predicts(Capability):
    """Predicts a target."""

    @abc.abstractmethod
    def predict(self, X: MatrixLike) -> np.ndarray:
        """The likeliest class, or the expected number, of every row."""


class PredictsClasses(Predicts):
    """Predicts a class."""

    classes_: np.ndarray
    """The classes, in the order of their probabilities."""

    @abc.abstractmethod
    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """The probability of every class for every row, ``(n, classes)``."""


class PredictsNumbers(Predicts):
    """Predicts a number, with a density."""

    @abc.abstractmethod
    def log_predictive(self, X: MatrixLike, y: ArrayLike) -> np.ndarray:
        """``log p(y|x)`` of every row in nats."""


class HasCoefficients(Predicts):
    """Predicts from a sum over the columns, each with a coefficient."""

    @abc.abstractmethod
    def summary(self, level: float = 0.95) -> "CoefficientTable":
        """The coefficients in the user's units, with intervals."""


class PredictsIntervals(Predicts):
    """Says between which ends a number lies."""

    @abc.abstractmethod
    def predict_interval(self, X: MatrixLike, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, ``(n,)``."""


class PredictsCounts(Predicts):
    """Predicts a count: 0, 1, 2, …, whose logarithm of the mean is a sum over the columns."""

    @abc.abstractmethod
    def predict_quantile(self, X: MatrixLike, share: float = 0.5) -> np.ndarray:
        """The least count that so much of the probability lies at or below, ``(n,)``."""


class Sweeps(Capability):
    """Has a number of groups, topics or dimensions that may be chosen by fitting several."""

    swept: ClassVar[str] = "n_components"
    """The setting."""

    @property
    def number(self) -> int:
        """What it is set to."""
        return int(vars(self)[self.swept])


class ChoosesItsNumber(Sweeps):
    """Takes several numbers for its setting, fits each, and keeps the best."""


class EmptiesItself(Sweeps):
    """Has a posterior over its components, so that those that the data do not need empty themselves.

    Their number is but the most there may be.
    """

    n_components_used_: int
    """How many are in use."""
    expected_counts_: np.ndarray
    """Rows of each."""


class ReadsKinds(Capability):
    """Reads tables whose columns are of different kinds, with a family for each."""

    families: Any
    """A family a column, "auto" to take those that suit the kinds."""
    schema_: Schema
    """The columns, their kinds and levels."""

    @abc.abstractmethod
    def automatic(self, schema: Schema, values: "ColumnMoments") -> list[str]:
        """The families that suit the kinds of the columns, and their moments."""


class TakesDatasets(Capability):
    """Goes over the rows of a `tacit.data.Dataset` where they lie, a slice at a time."""


class ReadsOnce(TakesDatasets):
    """Reads rows once; fits and scores after that take them as they are."""

    @abc.abstractmethod
    def read(self, X: MatrixLike, *, reset: bool, minimum: int = 1) -> Dataset:
        """Rows as floats, NaN where missing, checked against the columns at fit, or the first of them (``reset``)."""

    @abc.abstractmethod
    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read."""

    @abc.abstractmethod
    def score_read(self, rows: Dataset) -> np.ndarray:
        """``log p(x)`` of rows that were read, in nats, ``(n,)``."""


class Restarts(Mixes, ReadsOnce):
    """Goes on from its own parameters, which are estimates: replicates of a bootstrap move from there."""

    warm_start: bool
