"""Standard errors of items of one factor: the information is the sum of the outer products of the rows' gradients.

At the maximum it estimates the observed information (Berndt, Hall, Hall & Hausman 1974); those of difficulties
``β = −a/λ`` follow by the delta method.
"""

import numpy as np

from tacit.models.factors.item_levels import Graded, Nominal
from tacit.models.factors.items import Coded, ItemModel


def item_errors(model: ItemModel, coded: Coded, precision: float) -> dict[str, np.ndarray]:
    """Of slopes, intercepts and difficulties, in the order of the columns; NaN where a column has none.

    Args:
        model: at its maximum, of one factor.
        coded: the rows.
        precision: of the prior.

    Raises:
        ValueError: the information is singular.
    """
    gradients = model.gradients(coded)
    information = (gradients * coded.weights[:, None]).T @ gradients
    held = [np.tile(block.held(precision), len(block.columns)) for block in model.blocks]
    information[np.diag_indices_from(information)] += np.concatenate(held)
    size = np.sqrt(np.maximum(np.diagonal(information), 1e-300))
    values = np.linalg.eigvalsh(information / size[:, None] / size)
    if values[0] < 1e-10:
        raise ValueError(
            "the information is singular: there are too few rows for so many parameters, or a slope has no end. Give "
            "prior_scale, or leave such columns out"
        )
    covariance = np.linalg.inv(information)
    dims = sum(len(block.columns) for block in model.blocks)
    most = max(block.intercepts.shape[1] for block in model.blocks)
    slopes = np.full((dims, 1), np.nan)
    intercepts, difficulties = np.full((dims, most), np.nan), np.full((dims, most), np.nan)
    start = 0
    for block in model.blocks:
        cuts, number = block.intercepts.shape[1], block.flat().shape[1]
        for row, column in enumerate(block.columns):
            own = covariance[start : start + number, start : start + number]
            start += number
            spread = np.sqrt(np.diagonal(own))
            intercepts[column, :cuts] = spread[:cuts]
            if isinstance(block, Nominal):
                continue
            slopes[column] = spread[cuts]
            if isinstance(block, Graded):
                slope = block.slopes[row, 0, 0]
                by_slope = block.intercepts[row] / slope**2
                square = own.diagonal()[:cuts] / slope**2 + by_slope**2 * own[cuts, cuts]
                square = square - 2.0 * by_slope / slope * own[:cuts, cuts]
                difficulties[column, :cuts] = np.sqrt(square)
    return {"discriminations": slopes, "intercepts": intercepts, "difficulties": difficulties}
