"""Whether single latent dimensions stand for single known factors: two scores of codes against factors."""

from collections.abc import Sequence

import numpy as np
import sklearn.metrics
from numpy.typing import ArrayLike
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tacit.data.errors import counted
from tacit.estimators.base import Seed, check_whole, seed_of

MANY = 20
"""More different numbers than this, and a factor is taken as continuous."""
PENALTY = 0.01
"""The support vector machine's C, as in the literature."""


def mutual_information_gap(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20) -> float:
    """The mutual information gap (Chen et al. 2018, section 4.1): 1 where every factor has a code of its own.

    ``mean_k (I(z_{j₁}; v_k) − I(z_{j₂}; v_k)) / H(v_k)``, where j₁ and j₂ are the two codes that know most of the
    factor v_k. The information is the plug-in estimate (Locatello et al. 2019): every code is cut into ``bins`` of
    equal width, and so is a factor of numbers with more different values than that. Give the posterior means
    (`transform`); the information is estimated too high from few rows.

    Args:
        codes: ``(n, d)``.
        factors: ``(n, f)``: levels, labels or numbers.
        bins: of every code.

    Raises:
        ValueError: codes and factors are not of the same rows, a value is missing, or no factor varies.
    """
    check_whole("bins", bins, 2)
    latent, known = _read(codes, factors)
    cut = [_cut(code, bins) for code in latent.T]
    gaps = []
    for factor in known:
        levels = _cut(factor, bins) if _is_continuous(factor, bins) else np.unique(factor, return_inverse=True)[1]
        entropy = sklearn.metrics.mutual_info_score(levels, levels)
        if entropy > 0:
            gaps.append(_gap([sklearn.metrics.mutual_info_score(levels, code) for code in cut]) / entropy)
    if not gaps:
        raise ValueError("no factor varies over these rows: there is nothing to tell apart")
    return float(np.mean(gaps))


def separated_attribute_predictability(
    codes: ArrayLike, factors: ArrayLike, *, continuous: Sequence[bool] | None = None, random_state: Seed = 0
) -> float:
    """Separated attribute predictability (Kumar, Sattigeri & Balakrishnan 2018, section 3).

    The mean over factors of the difference between the two codes that predict the factor best, each code by itself. A
    continuous factor is predicted by a line, and the score is R² over all rows. One of levels is predicted by a linear
    support vector machine that weighs the levels alike; the score is the balanced accuracy on the half of the rows that
    it was not fitted to.

    Args:
        codes: ``(n, d)``.
        factors: ``(n, f)``: levels, labels or numbers.
        continuous: which factors are continuous; by default those of numbers with more than 20 different values.
        random_state: seed of the halves.

    Raises:
        ValueError: codes and factors are not of the same rows, a value is missing, or no factor varies.
    """
    latent, known = _read(codes, factors)
    if continuous is not None and len(continuous) != len(known):
        raise ValueError(f"continuous has {len(continuous)} entries for {counted(len(known), 'factor')}")
    marks = [_is_continuous(factor, MANY) for factor in known] if continuous is None else continuous
    order = seed_of(random_state).permutation(latent.shape[0])
    half = order.size // 2
    gaps = []
    for factor, real in zip(known, marks, strict=True):
        if np.unique(factor).size > 1:
            scores = [
                _square(z, factor) if real else _accuracy(z, factor, order[:half], order[half:]) for z in latent.T
            ]
            gaps.append(_gap(scores))
    if not gaps:
        raise ValueError("no factor varies over these rows: there is nothing to predict")
    return float(np.mean(gaps))


def _read(codes: ArrayLike, factors: ArrayLike) -> tuple[np.ndarray, list[np.ndarray]]:
    """Codes as numbers, and the factors one by one."""
    latent, table = np.asarray(codes, np.float64), np.asarray(factors)
    table = table[:, None] if table.ndim == 1 else table
    if latent.ndim != 2 or table.ndim != 2 or latent.shape[0] != table.shape[0]:
        raise ValueError(f"codes must be (n, d) and factors (n, f) of the same rows; got {latent.shape}, {table.shape}")
    if latent.shape[0] < 4:
        raise ValueError(f"{counted(latent.shape[0], 'row')} are too few: give at least 4")
    if not np.isfinite(latent).all():
        raise ValueError("a code is missing or infinite")
    known = [_plain(column, place) for place, column in enumerate(table.T)]
    return latent, known


def _plain(column: np.ndarray, place: int) -> np.ndarray:
    """A factor as numbers where it is that, else as text."""
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):
        return column.astype(str)
    if not np.isfinite(numbers).all():
        raise ValueError(f"factor {place} has a missing or infinite value")
    return numbers


def _is_continuous(factor: np.ndarray, many: int) -> bool:
    return factor.dtype.kind == "f" and np.unique(factor).size > many


def _cut(values: np.ndarray, bins: int) -> np.ndarray:
    """The number of the bin of every value; the bins are of equal width."""
    edges = np.linspace(values.min(), values.max(), bins + 1)[1:-1]
    return np.digitize(values, edges)


def _gap(scores: Sequence[float]) -> float:
    """The largest less the next; a single code has no rival."""
    ordered = sorted([0.0, *scores], reverse=True)
    return ordered[0] - ordered[1]


def _square(code: np.ndarray, factor: np.ndarray) -> float:
    """R² of a line."""
    if np.ptp(code) == 0:
        return 0.0
    return float(np.corrcoef(code, factor)[0, 1] ** 2)


def _accuracy(code: np.ndarray, factor: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> float:
    """Balanced accuracy of a linear machine on rows it has not seen; 1/levels is chance."""
    if np.unique(factor[seen]).size < 2:
        raise ValueError("a level of a factor is too rare to be learned and tested: give more rows")
    known = np.isin(factor[unseen], factor[seen])
    machine = make_pipeline(StandardScaler(), LinearSVC(C=PENALTY, class_weight="balanced", dual=False))
    machine.fit(code[seen, None], factor[seen])
    return float(
        sklearn.metrics.balanced_accuracy_score(factor[unseen][known], machine.predict(code[unseen, None][known]))
    )
