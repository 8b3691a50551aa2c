"""A model of items as a mixture of the nodes that the integral over its factors is summed at.

``p(x) = Σ_m w_m ∏_j p(x_j | z_m)``: given a node the columns are independent, so all that a mixture answers exactly is
exact here too, up to the quadrature of the model itself.
"""

from collections.abc import Sequence

import numpy as np

from tacit.families.base import Distribution
from tacit.families.categorical import Categorical
from tacit.families.normal import Normal
from tacit.families.poisson import Poisson
from tacit.models.components.product import FamilyComponent
from tacit.models.factors.item_blocks import Counts, Normals
from tacit.models.factors.items import ItemModel
from tacit.models.mixture.model import MixtureModel


def node_mixture(model: ItemModel, ranks: Sequence[tuple[int, ...] | None]) -> MixtureModel:
    """The mixture of the nodes.

    Args:
        model: the fitted model.
        ranks: of every column, the rank of every code; None where codes are ranks.
    """
    rule = model.grid()
    groups = []
    for block in model.blocks:
        means = block.means(rule.nodes)
        family: Distribution
        if isinstance(block, Counts):
            family = Poisson(means[:, 0].T)
        elif isinstance(block, Normals):
            variances = np.broadcast_to(block.noise * block.scale**2, means[:, 0].T.shape)
            family = Normal(means[:, 0].T, np.array(variances))
        else:
            order = [ranks[column] or range(means.shape[1]) for column in block.columns]
            coded = np.stack([one[list(places)] for one, places in zip(means, order, strict=True)])
            family = Categorical(np.moveaxis(coded / coded.sum(1, keepdims=True), -1, 0))
        groups.append(FamilyComponent(family, None, None, block.columns, 0, False))
    weights = rule.log_weights
    return MixtureModel(weights, tuple(groups), np.ones(weights.size, bool))
