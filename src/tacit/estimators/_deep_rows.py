"""What a deep model takes at the door: rows or images, and what they are conditional on."""

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import validate_data

from tacit.models.vae.likelihoods import Likelihood


def read_deep_rows(estimator: Any, X: Any, *, reset: bool) -> np.ndarray:
    """Rows ``(n, d)`` or images ``(n, height, width[, channels])``: float32 with NaN for gaps, or uint8 as they are.

    Raises:
        ValueError: infinite values, text, no rows, or another shape than at fit.
    """
    levels = getattr(X, "dtype", None) == np.uint8
    x = validate_data(
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
    known = getattr(estimator, "event_shape_", None)
    if not reset and known is not None and x.shape[1:] != known:
        raise ValueError(f"X has rows of shape {x.shape[1:]}, and the model was fitted to {known}")
    return x


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


class Conditions(NamedTuple):
    """How what rows are given is turned into numbers: indicators of labels, or scaled covariates."""

    classes: np.ndarray | None
    shift: np.ndarray | None
    scale: np.ndarray | None

    @classmethod
    def of(cls, given: Any, rows: int) -> Self:
        """Learned from what is given at fit.

        Raises:
            ValueError: it has not one line a row.
        """
        if given is None:
            return cls(None, None, None)
        values = np.asarray(given)
        if values.shape[0] != rows:
            raise ValueError(f"given has {values.shape[0]} lines for {rows} rows")
        if values.ndim == 1:
            return cls(np.unique(values), None, None)
        numbers = values.reshape(rows, -1).astype(np.float64)
        deviation = numbers.std(axis=0)
        return cls(None, numbers.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    @property
    def width(self) -> int:
        """Numbers a row."""
        if self.classes is not None:
            return int(self.classes.size)
        return 0 if self.shift is None else int(self.shift.size)

    def encoded(self, given: Any, rows: int) -> np.ndarray | None:
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
        values = np.asarray(given)
        if values.ndim == 0:
            values = np.full(rows, values)
        if values.shape[0] != rows:
            raise ValueError(f"given has {values.shape[0]} lines for {rows} rows")
        if self.classes is not None:
            unknown = np.setdiff1d(values, self.classes)
            if unknown.size:
                raise ValueError(f"given holds {unknown[0].item()!r}, which was not among the labels at fit")
            return (values[:, None] == self.classes).astype(np.float32)
        return ((values.reshape(rows, -1) - self.shift) / self.scale).astype(np.float32)
