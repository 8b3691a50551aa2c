"""Floor 1: where the numbers of a fitted model lie, and what shapes they have, as the classes that hold them say."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

Space = Literal[
    "any",
    "real",
    "positive",
    "not negative",
    "probability",
    "shares",
    "log shares",
    "spread",
    "covariance",
    "joint covariance",
    "triangular",
]
"""``real``: finite. ``shares``: not negative, 1 together along the last axis; ``log shares`` their logarithms.
``spread``: variances, or covariance matrices where there is an axis more. ``joint covariance``: one matrix whose rows
and columns have two axes each. ``triangular``: matrices with a positive diagonal, as Cholesky's are. ``any`` also takes
NaN."""
Spaces: TypeAlias = Mapping[str, Space]
"""Where the arrays of a class lie, by their names; those that are not named are ``real``."""

COVARIANCES = "components features features | components features | features features | components"
"""The shapes of covariances and precisions as scikit-learn has them, of every kind."""

_SUM = 1e-4
"""How far shares may be from 1 together: more than rounding in single precision."""


class Held(NamedTuple):
    """What an array of a fitted model is.

    Attributes:
        shape: its axes in words, as annotations have them; other forms that it may have after a bar.
        space: where its values lie.
    """

    shape: str
    space: Space = "real"

    def misfit(self, value: object, sizes: dict[str, int]) -> str | None:
        """What is wrong with a value, in words; sizes that are met for the first time are noted."""
        if value is None or isinstance(value, str):
            return None
        array = np.asarray(value)
        forms = [form.split() for form in self.shape.split("|")]
        fitting = [form for form in forms if _fits(array.shape, form, sizes)]
        if not fitting:
            known = {word: size for form in forms for word in form if (size := sizes.get(word)) is not None}
            told = ", ".join(f"{word} = {size}" for word, size in known.items())
            return f"should be [{self.shape}]{f' with {told}' if told else ''}, and has the shape {array.shape}"
        for word, size in zip(fitting[0], array.shape, strict=False):
            if word.isidentifier():
                sizes.setdefault(word, size)
        return outside(array, self.space, matrix=array.ndim > 2)


def _fits(shape: tuple[int, ...], words: list[str], sizes: Mapping[str, int]) -> bool:
    if words == ["..."]:
        return True
    return len(shape) == len(words) and all(
        sizes.get(word, size) == size if word.isidentifier() else int(word) == size
        for word, size in zip(words, shape, strict=True)
    )


def outside(array: np.ndarray, space: Space, *, matrix: bool) -> str | None:
    """What is wrong with the values of an array, in words; None where all lie in the space.

    Args:
        array: numbers.
        space: where they should lie.
        matrix: whether a ``spread`` is of matrices.
    """
    if array.dtype.kind not in "fiu" or space == "any" or not array.size:
        return None
    if space == "log shares":
        if np.isnan(array).any() or (array == np.inf).any():
            return "holds NaN or infinity"
        total = np.exp(np.minimum(array, 1.0)).sum(-1)
        return None if np.allclose(total, 1.0, atol=_SUM) else "does not hold logarithms of shares"
    if not np.isfinite(array).all():
        return "holds NaN or infinity"
    match space:
        case "positive" if array.min() <= 0:
            return f"should be above 0, and holds {array.min():.6g}"
        case "not negative" if array.min() < 0:
            return f"should not be below 0, and holds {array.min():.6g}"
        case "probability" | "shares" if array.min() < 0 or array.max() > 1 + _SUM:
            return "should lie between 0 and 1"
        case "shares" if not np.allclose(array.sum(-1), 1.0, atol=_SUM):
            return "should be shares that sum to 1"
        case "triangular" if np.einsum("...ii->...i", array).min() <= 0:
            return "should have a diagonal above 0"
        case "spread" if not matrix and array.min() <= 0:
            return f"should be above 0, and holds {array.min():.6g}"
        case "spread" | "covariance" if (matrix or space == "covariance") and not _definite(array):
            return "should be positive definite"
        case "joint covariance":
            side = int(np.prod(array.shape[: array.ndim // 2]))
            return None if _definite(array.reshape(side, side)) else "should be positive definite"
    return None


def _definite(matrices: np.ndarray) -> bool:
    """Whether matrices are symmetric and have a Cholesky factor."""
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2]:
        return False
    size = np.sqrt(np.abs(np.einsum("...ii->...i", matrices)))
    scale = size[..., :, None] * size[..., None, :]
    if (np.abs(matrices - np.swapaxes(matrices, -1, -2)) > 1e-5 * scale).any():
        return False
    try:
        np.linalg.cholesky(matrices.astype(np.float64))
    except np.linalg.LinAlgError:
        return False
    return True
