"""What a deep model takes: rows or images, and what they are conditional on."""

from collections.abc import Iterator
from typing import NamedTuple, Self, TypeAlias

import jax
import numpy as np
from numpy.typing import ArrayLike

from tacit.data.dataset import Dataset
from tacit.data.single_rows import SingleRows
from tacit.estimators.base import numeric_data, read_data, unmasked
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.settings import Estimator
from tacit.inference.rounds import RESIDENT_BYTES
from tacit.models.vae.likelihoods import Likelihood

CHECKED = 4096
"""Rows whose values are looked at together."""


DeepRows: TypeAlias = np.ndarray | SingleRows
"""Rows or images as a deep model takes them; of a large data set they are made as they are asked for."""


def read_deep_rows(estimator: Estimator, X: MatrixLike, *, reset: bool) -> DeepRows:
    """Rows ``(n, d)`` or images ``(n, height, width[, channels])``: float32 with NaN for gaps, or uint8 as they are.

    Raises:
        ValueError: infinite values, text, no rows, or another shape than at fit.
    """
    if isinstance(X, Dataset):
        rows = read_data(estimator, X, reset=reset)
        if any((np.abs(part) > np.finfo(np.float32).max).any() for _, part in rows.slices()):
            raise ValueError("Input X contains a value too large for dtype('float32'): scale the columns")
        x: DeepRows = SingleRows(rows).held(RESIDENT_BYTES)
    else:
        X = unmasked(X, gaps=True)
        levels = isinstance(X, np.ndarray | jax.Array) and X.dtype == np.uint8
        x = numeric_data(
            estimator,
            X,
            reset=reset,
            dtype=np.uint8 if levels else np.float32,
            ensure_all_finite="allow-nan",
            allow_nd=True,
            ensure_min_samples=1,
        )
    if x.ndim > 4:
        raise ValueError(f"X must be rows (n, d) or images (n, height, width[, channels]), got the shape {x.shape}")
    known = vars(estimator).get("event_shape_")
    if not reset and known is not None and x.shape[1:] != known:
        raise ValueError(f"X has rows of shape {x.shape[1:]}, and the model was fitted to {known}")
    return x


class Facts(NamedTuple):
    """What is to be known of the values before a model is chosen; arrays have the shape of a row."""

    mean: np.ndarray
    scale: np.ndarray
    """The standard deviation; 1, or the size of the value, where it does not vary."""
    low: np.ndarray
    high: np.ndarray
    binary: bool
    """Whether there is nothing but 0 and 1."""

    @classmethod
    def of(cls, x: DeepRows, weights: np.ndarray) -> Self:
        """Looked up a part of the rows at a time; missing entries count nothing, and a row as often as it weighs."""
        shape = x.shape[1:]
        total, count, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        low, high, binary = np.full(shape, np.inf), np.full(shape, -np.inf), True
        for part, mass in _parts(x, weights):
            there = ~np.isnan(part)
            total += np.tensordot(mass, np.where(there, part, 0.0), 1)
            count += np.tensordot(mass, there, 1)
            low = np.minimum(low, np.where(there, part, np.inf).min(axis=0))
            high = np.maximum(high, np.where(there, part, -np.inf).max(axis=0))
            binary = binary and bool((~there | (part == 0) | (part == 1)).all())
        count = np.where(count > 0, count, 1.0)
        mean = total / count
        for part, mass in _parts(x, weights):
            square += np.tensordot(mass, np.where(np.isnan(part), 0.0, (part - mean) ** 2), 1)
        deviation = np.sqrt(square / count)
        flat = ~(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-30))
        return cls(mean, np.where(flat, np.maximum(np.abs(mean), 1.0), deviation), low, high, binary)


def _parts(x: DeepRows, weights: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, x.shape[0], CHECKED):
        yield x[start : start + CHECKED].astype(np.float64), weights[start : start + CHECKED]


def check_support(likelihood: Likelihood, x: np.ndarray, first: int = 0) -> None:
    """Refuse values that the likelihood gives no density, naming the first of them; the rows begin at ``first``.

    Raises:
        ValueError: where it is, what it is, and which likelihoods take it.
    """
    wrong = ~np.asarray(likelihood.supports(x)) & ~np.isnan(x)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        name = type(likelihood).__name__.removesuffix("Likelihood")
        shown = [place[0] + first, *place[1:]]
        raise ValueError(
            f"X{shown} is {x[place]:.6g}, which the likelihood {name} does not allow. Take likelihood='auto', or "
            "binarize='stochastic' or 'threshold' for grey levels, or scale the values to [0, 1]."
        )


def check_shares(x: np.ndarray, first: int = 0) -> None:
    """Refuse grey levels that are no shares of 1 before they are drawn or cut; the rows begin at ``first``.

    Raises:
        ValueError: where one is, and what to do.
    """
    wrong = (x < 0) | (x > 1)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"X{[place[0] + first, *place[1:]]} is {x[place]:.6g}, and binarize takes shares from 0 to 1, or 8-bit "
            "levels as uint8: divide by the largest level, or give X.astype(np.uint8)"
        )


class Conditions(NamedTuple):
    """How what rows are given is turned into numbers: indicators of labels, or scaled covariates (or images)."""

    classes: np.ndarray | None
    shift: np.ndarray | None
    scale: np.ndarray | None

    @classmethod
    def of(cls, given: ArrayLike | None, weights: np.ndarray) -> Self:
        """Learned from what is given at fit to rows of these weights.

        Raises:
            ValueError: it has not one line a row.
        """
        if given is None:
            return cls(None, None, None)
        values = _lines(given, weights.size)
        if values.ndim == 1 and not (values.dtype.kind == "f" and (values != np.floor(values)).any()):
            return cls(np.unique(values), None, None)
        facts = Facts.of(_numbers(values), weights)
        return cls(None, facts.mean, facts.scale)

    @property
    def width(self) -> int:
        """Numbers a row."""
        if self.classes is not None:
            return int(self.classes.size)
        return 0 if self.shift is None else int(self.shift.size)

    def encoded(self, given: ArrayLike | None, rows: int) -> np.ndarray | None:
        """The numbers of every row ``[rows, width]``, or None for a model that is given nothing.

        Raises:
            ValueError: something is given to a model without conditions or lacks to one with them, or is unknown.
        """
        if self.width == 0:
            if given is not None:
                raise ValueError("the model was fitted with nothing given: fit it with given= first")
            return None
        if given is None:
            raise ValueError("the model is conditional: say given=, as at fit")
        values = _lines(np.full(rows, unmasked(given, "given")) if np.ndim(given) == 0 else given, rows)
        if self.classes is not None:
            unknown = np.setdiff1d(values, self.classes)
            if unknown.size:
                raise ValueError(f"given holds {unknown.tolist()[0]!r}, which was not among the labels at fit")
            return (values[:, None] == self.classes).astype(np.float32)
        numbers = _numbers(values)
        if numbers.shape[1] != self.width:
            raise ValueError(f"given has {numbers.shape[1]} numbers a row, and the model was fitted with {self.width}")
        return ((numbers - self.shift) / self.scale).astype(np.float32)


def _lines(given: ArrayLike | None, rows: int) -> np.ndarray:
    values = np.asarray(unmasked(given, "given"))
    if values.shape[0] != rows:
        raise ValueError(f"given has {values.shape[0]} lines for {rows} rows")
    return values


def _numbers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "buif":
        raise ValueError(f"given must be labels (n,) or numbers, got an array {values.shape} of {values.dtype}")
    if not np.isfinite(values).all():
        raise ValueError("given holds values that are missing or infinite: what a row is given must be known")
    return values.reshape(values.shape[0], -1)
