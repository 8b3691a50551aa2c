"""New rows from a mixture: a component by inverse CDF, then the columns given it.

Drawn on the host by NumPy: a compiled sampler takes seconds to compile for every new number of rows, and is no faster.
"""

import numpy as np

from tacit.families.numeric import choose
from tacit.models.mixture.model import MixtureModel


def sample(
    model: MixtureModel, number: int, *, random: np.random.Generator, totals: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Independent rows ``[number, D]`` and their components ``[number]``, in the order of the components.

    Args:
        model: the mixture, with NumPy leaves.
        number: how many rows, at least 1.
        random: the source of all that is random.
        totals: the row's total of every multinomial group, ``[number, multinomial groups]``.
    """
    weights = np.broadcast_to(np.exp(np.asarray(model.log_weights)), (number, np.size(model.log_weights)))
    labels = np.sort(choose(weights, random))
    return draw(model, labels, random, totals), labels


def draw(
    model: MixtureModel, labels: np.ndarray, random: np.random.Generator, totals: np.ndarray | None = None
) -> np.ndarray:
    """One row ``[rows, D]`` from the component of each label."""
    rows = np.empty((labels.size, sum(len(group.columns) for group in model.groups)))
    met = 0
    for group in model.groups:
        total = None
        if totals is not None and group.given_total:
            total = totals[:, met]
            met += 1
        rows[:, group.columns] = group.draw(labels, random, total)
    return rows


def multinomial_groups(model: MixtureModel) -> int:
    """How many groups of columns are conditional on a total that is read from the row."""
    return sum(group.given_total for group in model.groups)
