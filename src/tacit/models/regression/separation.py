"""Whether a hyperplane tells one class from the others without a mistake: then maximum likelihood has no coefficients.

Albert & Anderson (1984): the likelihood of logistic regression has a maximum if and only if no b ≠ 0 has
``s_n xᵀ_n b ≥ 0`` for all rows (s_n = ±1 by class), with > for one. Konis (2007): a linear programme finds such a b.
"""

import numpy as np
import scipy.optimize
from jaxtyping import Float, Int

MOST_CELLS = 400_000
"""Rows times columns up to which the programme is solved."""


def separating(
    rows: Float[np.ndarray, "rows columns"], labels: Int[np.ndarray, " rows"], classes: int
) -> tuple[int, tuple[int, ...]] | None:
    """A class that is told from the others without a mistake, and the columns that tell it; None where there is none.

    One column that tells it alone is preferred to a combination. Rows on the border itself may be of both kinds
    (quasi-complete separation), but not all of them.

    Args:
        rows: without gaps; the intercept is added here.
        labels: the class of every row, 0, 1, …
        classes: how many there are.
    """
    for which in range(1 if classes == 2 else 0, classes):
        inside = labels == which
        if not inside.any() or inside.all():
            continue
        alone = [place for place in range(rows.shape[1]) if _apart(rows[:, place], inside)]
        if alone:
            return which, tuple(alone[:1])
        together = _programme(rows, inside) if rows.size <= MOST_CELLS else None
        if together is not None:
            return which, together
    return None


def _apart(column: np.ndarray, inside: np.ndarray) -> bool:
    """Whether one column has a threshold with a class on one side and the others on the other."""
    some, others = column[inside], column[~inside]
    above = some.min() >= others.max() and some.max() > others.min()
    below = some.max() <= others.min() and some.min() < others.max()
    return bool(above or below)


def _programme(rows: np.ndarray, inside: np.ndarray) -> tuple[int, ...] | None:
    """The columns of a separating hyperplane: max Σ s xᵀb with s xᵀb ≥ 0 and |b| ≤ 1."""
    spread = rows.std(0)
    scaled = (rows - rows.mean(0)) / np.where(spread > 0, spread, 1.0)
    signed = np.where(inside, 1.0, -1.0)[:, None] * np.column_stack([scaled, np.ones(len(rows))])
    found = scipy.optimize.linprog(
        -signed.sum(0), A_ub=-signed, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0), method="highs"
    )
    if found.status != 0 or -found.fun <= 1e-7 * len(rows):
        return None
    return tuple(np.flatnonzero(np.abs(found.x[:-1]) > 1e-9).tolist())
