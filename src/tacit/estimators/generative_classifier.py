"""``GenerativeClassifier``: a density for every class and Bayes' rule; it takes gaps, and may refuse a row."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, logsumexp
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, has_fit_parameter

from tacit.data.dataset import Dataset, DenseRows, MadeRows
from tacit.data.sources import PIECE_ROWS
from tacit.data.sums import as_they_are
from tacit.estimators.base import read_data, read_rows, seed_of, unmasked, weights_of
from tacit.estimators.capabilities import (
    Capability,
    Imputes,
    PredictsClasses,
    ReadsKinds,
    Samples,
    Scores,
    TakesDatasets,
    can,
)
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.settings import Estimator, Number, settings
from tacit.estimators.spreading import SpreadsSums
from tacit.inference.watch import printing
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.spaces import Held

LEAST_TO_FIT = 2
"""Rows of a class that are not held back for calibration."""


ABOUT_ROWS = (Samples, Imputes, TakesDatasets, SpreadsSums)
"""What the classifier can do where its density estimator can."""


def _densities_can(what: type[Capability]) -> Callable:
    """Whether the density estimator has a capability, so that the classifier has it too."""
    return available_if(lambda self: what not in self.lacks())


@settings
class GenerativeClassifier(PredictsClasses, Scores, Samples, Imputes, SpreadsSums, ClassifierMixin, Estimator):
    """``P(y|x) ∝ p(x|y) P(y)``, with a density estimator for every class.

    Because it knows how rows of a class look, it classifies rows with missing entries (they are integrated out, if
    the density estimator does so, as ``GaussianMixture`` does), says how likely a row is at all, and may refuse a
    row that is unlike every class.

    Refusal is conformal (Vovk, Gammerman & Shafer 2005; Bates et al. 2023). A share of every class is held back from
    the fit. The p-value of a row for a class is the rank of its log-density among those rows,
    ``(1 + #{i : s_i ≤ s}) / (1 + n)``, and a row is refused when the p-values for all classes are at most ``refuse``.
    So of the rows of any class at most that share is refused on average, whatever the densities are worth. Where
    entries of a row are missing, the held-back rows are compared on the same entries; if held-back rows have gaps
    themselves, rows to come are taken to have gaps in the same manner, and all are compared as they are.

    Attributes:
        classes_: the classes in order.
        class_prior_: ``P(y)``.
        class_count_: weight of the rows of every class.
        estimators_: the fitted density of every class.
        refused_label_: what a refused row is called.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "classes_": Held("classes", "any"),
        "class_count_": Held("classes", "not negative"),
        "class_prior_": Held("classes", "shares"),
    }

    estimator: Any = None
    """any density estimator with ``fit`` and ``score_samples``, cloned for every class; ``GaussianMixture()`` if
    None."""
    _: KW_ONLY
    priors: Any = None
    """``P(y)`` in the order of ``classes_``, or by class; the classes' shares of the rows if None."""
    refuse: Annotated[float | None, Number("a share between 0 and 1, or None", below=1.0, least_too=False)] = None
    """the share of ordinary rows that may be refused; None holds nothing back and refuses nothing."""
    refused_label: Any = None
    """what ``predict`` says of a refused row; if None, -1, or "refused" where classes are texts."""
    calibration: Annotated[float, Number("a share between 0 and 1", below=1.0, least_too=False)] = 0.2
    """the share of every class that is held back for refusal."""
    random_state: Any = None
    """which rows are held back."""
    verbose: int = 0
    """print a line every so many iterations of the densities' fits."""

    def lacks(self) -> frozenset[type[Capability]]:
        """What its density estimator cannot do."""
        density = self._template()
        return frozenset(what for what in ABOUT_ROWS if not can(density, what))

    @property
    def scores_are_bounds(self) -> bool:
        """As those of its density estimator."""
        density = self._template()
        return isinstance(density, Scores) and density.scores_are_bounds

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a density to the rows of every class.

        Args:
            X: rows ``(n, d)``, in the form that the density estimator takes; a `tacit.data.Dataset` stays in its files
                if that takes them, but for the rows that are held back.
            y: their classes ``(n,)``: numbers or texts.
            sample_weight: a weight a row; 2 is the same as two copies, and 0 as no row.

        Raises:
            ValueError: what is wrong with rows, classes, weights or a parameter; a class too small for its
                density or for the refusal asked for, with the number of rows needed.
        """
        self.check_settings()
        rows = self._read(X, reset=True)
        if y is None:
            raise ValueError("GenerativeClassifier requires y to be passed, but the target y is None")
        labels = column_or_1d(unmasked(y, "y"), warn=True)
        assert_all_finite(labels, input_name="y")
        check_consistent_length(rows, labels)
        check_classification_targets(labels)
        weights = weights_of(X if isinstance(X, Dataset) else rows, sample_weight)
        used = weights > 0
        if not used.all():
            rows, labels, weights = _some(rows, np.flatnonzero(used)), labels[used], weights[used]
        self.classes_, place = np.unique(labels, return_inverse=True)
        self.class_count_ = np.bincount(place, weights)
        self.class_prior_ = self._class_priors()
        self.refused_label_ = self._refused_label()
        random = seed_of(self.random_state)
        self.estimators_, self._held = [], []
        for number in range(self.classes_.size):
            mine = np.flatnonzero(place == number)
            held, mine = self._split(number, mine, random)
            with printing(self.verbose):
                self.estimators_.append(self._density(number, _some(rows, mine), weights[mine]))
            self._held.append((_in_memory(_some(rows, held)), weights[held]))
        self._check_measures()
        return self

    def _check_together(self) -> None:
        if not can(self._template(), Scores):
            raise TypeError(f"estimator must have score_samples, the log-density of rows; {self.estimator!r} has not")

    def _template(self) -> Any:
        return GaussianMixture() if self.estimator is None else self.estimator

    def _read(self, X: Any, *, reset: bool) -> Any:
        if isinstance(X, Dataset):
            rows = read_data(self, X, reset=reset)
            return rows if rows.portable and can(self, TakesDatasets) else _in_memory(rows)
        takes_sparse = get_tags(self._template()).input_tags.sparse
        return read_rows(self, X, reset=reset, sparse=takes_sparse)

    def _class_priors(self) -> np.ndarray:
        if self.priors is None:
            return self.class_count_ / self.class_count_.sum()
        given = self.priors
        if isinstance(given, Mapping):
            unknown = set(given) ^ set(self.classes_.tolist())
            if unknown:
                raise ValueError(f"priors must name every class once; check {sorted(map(str, unknown))}")
            given = [given[label] for label in self.classes_.tolist()]
        priors = np.asarray(given, dtype=np.float64)
        if priors.shape != self.classes_.shape:
            raise ValueError(f"priors must be {self.classes_.size} numbers, one a class; got shape {priors.shape}")
        if np.any(priors < 0.0) or not np.isclose(priors.sum(), 1.0):
            raise ValueError(f"priors must not be negative and must sum to 1; got {priors.tolist()}")
        return priors

    def _refused_label(self) -> Any:
        label = self.refused_label
        if label is None:
            label = "refused" if self.classes_.dtype.kind in "OUS" else -1
        if self.refuse is not None and label in self.classes_.tolist():
            raise ValueError(f"refused_label {label!r} is the name of a class; choose another")
        return label

    def _split(self, number: int, mine: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a class that are held back, and those that are not."""
        if self.refuse is None:
            return mine[:0], mine
        held = math.ceil(self.calibration * mine.size)
        # the smallest p-value is 1/(held + 1)
        least = math.ceil(1.0 / self.refuse - 1.0 - 1e-9)
        if held < least or mine.size - held < LEAST_TO_FIT:
            needed = max(math.ceil(least / self.calibration), least + LEAST_TO_FIT)
            raise ValueError(
                f"class {self._name(number)} has {mine.size} rows, of which {held} would be held back; to refuse "
                f"at {self.refuse:g} it takes {least} held back, so about {needed} rows. Collect more, or raise refuse "
                "or calibration."
            )
        order = random.permutation(mine)
        return np.sort(order[:held]), np.sort(order[held:])

    def _density(self, number: int, rows: Any, weights: np.ndarray) -> Any:
        density = clone(self._template())
        weighted = bool(np.ptp(weights) > 0 or weights[0] != 1.0)
        if weighted and not has_fit_parameter(density, "sample_weight"):
            raise ValueError(f"{type(density).__name__} takes no sample_weight")
        if rows.shape[0] == 1:
            warnings.warn(
                f"class {self._name(number)} has one row of some weight: its density is a spike on that row, as narrow "
                "as the density estimator allows. Collect more rows, or leave the class out.",
                UserWarning,
                stacklevel=3,
            )
            rows, weights = _some(rows, np.array([0, 0])), np.repeat(weights / 2.0, 2)
        if isinstance(rows, Dataset):
            rows = rows.weighted(None)  # those that it carries are given, or are ones
        try:
            return density.fit(rows, sample_weight=weights) if weighted else density.fit(rows)
        except ValueError as error:
            raise ValueError(
                f"the density of class {self._name(number)} ({rows.shape[0]} rows) cannot be fitted: {error}"
            ) from error

    def _name(self, number: int) -> str:
        return repr(self.classes_.tolist()[number])

    def _check_measures(self) -> None:
        """Densities of values and probabilities of counts or levels are in different units: never compare them."""
        schemas = [density.schema_ for density in self.estimators_ if isinstance(density, ReadsKinds)]
        for columns in zip(*(schema.columns for schema in schemas), strict=True):
            found = [("continuous" if c.kind == "positive" else c.kind, c.levels) for c in columns]
            odd = next((number for number, what in enumerate(found) if what != found[0]), None)
            if odd is not None:
                said = [f"{c.kind}{'' if c.levels is None else f' {c.levels}'}" for c in (columns[0], columns[odd])]
                raise ValueError(
                    f"column {columns[0].name!r} is read as {said[0]} in class {self._name(0)} and as {said[1]} in "
                    f"class {self._name(odd)}; name its family in the density estimator, or leave the column out"
                )

    def _log_densities(self, rows: Any) -> np.ndarray:
        """``log p(x|y)`` of every row and class, ``(n, K)``, in nats."""
        return np.column_stack([_scores(density, rows) for density in self.estimators_])

    def predict_joint_log_proba(self, X: Any) -> np.ndarray:
        """``log p(x|y) + log P(y)``, ``(n, K)``, in nats."""
        check_is_fitted(self)
        with np.errstate(divide="ignore"):
            return self._log_densities(self._read(X, reset=False)) + np.log(self.class_prior_)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """``log P(y|x)``, ``(n, K)``; rows that no class can give have the priors."""
        joint = self.predict_joint_log_proba(X)
        lost = np.isneginf(joint).all(axis=1)
        with np.errstate(divide="ignore"):
            joint[lost] = np.log(self.class_prior_)
        return log_softmax(joint, axis=1)

    def predict_proba(self, X: Any) -> np.ndarray:
        """``P(y|x)``, ``(n, K)``; refusal changes nothing here."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of every row; ``refused_label_`` for rows unlike every class, if ``refuse`` is set."""
        place = self.predict_log_proba(X).argmax(axis=1)
        chosen = self.classes_[place]
        if self.refuse is None:
            return chosen
        kind = np.result_type(chosen.dtype, np.asarray(self.refused_label_).dtype)
        return np.where(self.is_outlier(X), np.asarray(self.refused_label_, kind), chosen.astype(kind))

    def score_samples(self, X: Any) -> np.ndarray:
        """``log p(x) = log Σ_y p(x|y) P(y)`` of every row, ``(n,)``, in nats."""
        return logsumexp(self.predict_joint_log_proba(X), axis=1)

    def p_values(self, X: Any) -> np.ndarray:
        """How ordinary every row is for every class, ``(n, K)``: conformal p-values against the rows held back.

        Raises:
            ValueError: nothing was held back, because ``refuse`` was None at fit.
        """
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        if not any(weights.size for _, weights in self._held):
            raise ValueError("no rows were held back to compare with; fit with refuse= set, such as refuse=0.01")
        if isinstance(rows, Dataset):
            return np.concatenate([self._p_values(part) for _, part in rows.slices(PIECE_ROWS)])
        return self._p_values(rows)

    def _p_values(self, rows: Any) -> np.ndarray:
        if sparse.issparse(rows) or any(np.isnan(held).any() for held, _ in self._held):
            return self._ranks(rows, None)
        values = np.empty((rows.shape[0], self.classes_.size))
        patterns, which = np.unique(np.isnan(rows), axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            mine = which.ravel() == number
            values[mine] = self._ranks(rows[mine], pattern)
        return values

    def _ranks(self, rows: Any, pattern: np.ndarray | None) -> np.ndarray:
        columns = []
        for density, (held, weights) in zip(self.estimators_, self._held, strict=True):
            known = _scores(density, held if pattern is None else np.where(pattern, np.nan, held))
            order = np.argsort(known)
            below = np.r_[0.0, np.cumsum(weights[order])]
            place = np.searchsorted(known[order], _scores(density, rows), side="right")
            columns.append((1.0 + below[place]) / (1.0 + below[-1]))
        return np.column_stack(columns)

    def is_outlier(self, X: Any, alpha: float | None = None) -> np.ndarray:
        """Whether a row is unlike every class: all its p-values are at most ``alpha`` (``refuse`` if None).

        On average at most that share of the rows of any class is called so.
        """
        share = self.refuse if alpha is None else alpha
        values = self.p_values(X)
        if share is None:
            raise ValueError("alpha must be given, because refuse is None")
        least = min(1.0 / (1.0 + weights.sum()) for _, weights in self._held)
        if share < least * (1.0 - 1e-9):
            raise ValueError(f"too few rows were held back for alpha={share:g}: the least it can be is {least:g}")
        return values.max(axis=1) <= share * (1.0 + 1e-12)

    @_densities_can(Samples)
    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """New rows and their classes, ``y ~ P(y)`` and then ``x ~ p(x|y)``, in the order of the classes."""
        check_is_fitted(self)
        counts = seed_of(self.random_state).multinomial(n_samples, self.class_prior_)
        drawn = [d.sample(int(n)) for d, n in zip(self.estimators_, counts, strict=True) if n]
        rows = [d[0] if isinstance(d, tuple) else d for d in drawn]
        return np.concatenate(rows), np.repeat(self.classes_, counts)

    @_densities_can(Imputes)
    def impute(self, X: Any) -> np.ndarray:
        """Rows with missing entries filled by their mean, ``E[x_j|x_o] = Σ_y P(y|x_o) E[x_j|x_o, y]``."""
        chances = self.predict_proba(X)
        rows = _in_memory(self._read(X, reset=False))
        filled = sum(p[:, None] * d.impute(rows) for p, d in zip(chances.T, self.estimators_, strict=True))
        return np.where(np.isnan(rows), filled, rows)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        nodes = (
            Node("pi", "π", "parameter"),
            Node("theta", "θ", "parameter", ("k",)),
            Node("y", "y", "observed", ("n",), "categorical"),
            Node("x", "x", "observed", ("n",), type(self._template()).__name__),
        )
        edges = (Edge("pi", "y"), Edge("theta", "x"), Edge("y", "x"))
        return Graph(nodes, edges, (Plate("n", "n = 1…N"), Plate("k", "k = 1…K")))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._template()).input_tags
        return tags


def _scores(density: Any, rows: Any) -> np.ndarray:
    """Log-densities of rows; columns of an array have the names that the density knows, for they are in its order."""
    names = vars(density).get("feature_names_in_")
    if isinstance(rows, np.ndarray) and names is not None and can(density, TakesDatasets):
        rows = MadeRows(DenseRows(rows), as_they_are, rows.shape[1], tuple(names))
    found: np.ndarray = density.score_samples(rows)
    return found


def _some(rows: Any, places: np.ndarray) -> Any:
    """Some rows of an array, a sparse matrix or a data set."""
    return rows.take(places) if isinstance(rows, Dataset) else rows[places]


def _in_memory(rows: Any) -> Any:
    """Rows of a data set as an array; others as they are."""
    return np.asarray(rows.rows()) if isinstance(rows, Dataset) else rows
