"""``match``: which component of one fit is which of another."""

import dataclasses
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, is_clusterer
from sklearn.utils.validation import check_is_fitted

from tacit.compute import Array, compiled, double_precision
from tacit.estimators.capabilities import Assigns, AssignsSoftly, MatrixLike, can
from tacit.families.base import Family
from tacit.models.components.base import Component
from tacit.models.components.concatenated import places
from tacit.models.kmeans.model import KMeansModel as Centres
from tacit.models.mixture.model import MixtureModel

Fitted: TypeAlias = BaseEstimator | MixtureModel | Centres
"""An estimator, or its ``model_``."""
MOST = 1e9
"""Stands for greater costs, so that they can be summed."""
SHARE = 1e-6
"""Of every count's and level's probability this is that of all components: what one has never seen and another has
would else make them infinitely different."""


@dataclasses.dataclass(frozen=True, eq=False)
class Match:
    """The permutation of b's components that fits a's best.

    Attributes:
        order: ``(K,)``: component k of a is component ``order[k]`` of b.
        cost: ``(K,)``: how far apart the two of each pair are.
        margin: ``(K,)``: by how much the sum of the costs would grow if component k had another partner.
        ambiguous: the components of a whose best partner is in doubt: with another one for k, the pairs that change
            would together cost at most twice what they do now.
    """

    order: Int[np.ndarray, " components"]
    cost: Float[np.ndarray, " components"]
    margin: Float[np.ndarray, " components"]
    ambiguous: tuple[int, ...]


@double_precision
def match(
    a: BaseEstimator | MixtureModel | Centres, b: BaseEstimator | MixtureModel | Centres, X: MatrixLike | None = None
) -> Match:
    """Match the components of two fits, at the least total cost (Kuhn 1955).

    Args:
        a: a fitted estimator, or its ``model_``.
        b: another with as many components, over the same columns.
        X: rows to match by: pairs then cost ``1 − Σ_n min(r_nk, r_nl) / Σ_n max(r_nk, r_nl)``, the share of their
            rows that they do not share. Without rows a pair costs its symmetric divergence,
            ``KL(p_k‖q_l) + KL(q_l‖p_k)`` in nats (an item's, for a row of counts given its total).

    Raises:
        ValueError: different numbers of components, or, without X, components of different kinds.
    """
    if X is not None:
        first, second = _shares(a, X), _shares(b, X)
        _check_numbers(first.shape[1], second.shape[1])
        return assign(_apart(first, second))
    first, second = _model(a), _model(b)
    if isinstance(first, Centres) and isinstance(second, Centres):
        _check_numbers(first.centres.shape[0], second.centres.shape[0])
        between = np.asarray(first.centres)[:, None] - np.asarray(second.centres)
        return assign(np.sum(between**2, axis=-1))
    if not (isinstance(first, MixtureModel) and isinstance(second, MixtureModel)):
        raise ValueError("the components have no divergence in closed form; give X, rows to match them by")
    return assign(divergences(first, second))


def assign(cost: Float[np.ndarray, "components components"]) -> Match:
    """The cheapest pairs of a table of costs, and how sure each is."""
    number = cost.shape[0]
    cost = np.minimum(cost, MOST)
    order = scipy.optimize.linear_sum_assignment(cost)[1]
    paired = cost[np.arange(number), order]
    margin, doubtful = np.full(number, np.inf), []
    for k in range(number if number > 1 else 0):
        barred = cost.copy()
        barred[k, order[k]] = np.inf
        other = scipy.optimize.linear_sum_assignment(barred)[1]
        changed = other != order
        now, then = paired[changed].sum(), cost[changed, other[changed]].sum()
        margin[k] = max(then - now, 0.0)
        # pairs that would cost no more than rounding are in doubt too
        if margin[k] <= now + 1e-12:
            doubtful.append(k)
    return Match(order, paired, margin, tuple(doubtful))


@double_precision
def divergences(a: MixtureModel, b: MixtureModel) -> Float[np.ndarray, "components components"]:
    """``KL(p_k‖q_l) + KL(q_l‖p_k)`` of all components of two mixtures; columns of different groups add.

    Noise is matched with noise alone, and at no cost.

    Raises:
        ValueError: the groups are of different families or columns.
    """
    _check_numbers(np.size(a.log_weights), np.size(b.log_weights))
    kinds = [[[(k.name, type(k), k.columns) for k in group.kinds] for group in model.groups] for model in (a, b)]
    if kinds[0] != kinds[1]:
        words = [", ".join(f"{g.name} ({', '.join(g.symbols)}) {list(g.columns)}" for g in m.groups) for m in (a, b)]
        raise ValueError(
            f"the components are of different kinds ({words[0]} | {words[1]}); give X, rows to match them by"
        )
    found = [_between(one, other) for one, other in zip(a.groups, b.groups, strict=True)]
    return np.sum(found, axis=0)


def _between(a: Component, b: Component) -> Float[np.ndarray, "components components"]:
    """The divergences of two stacks over the same columns; infinite between components of different kinds."""
    blocks = [_of_one_kind(one, other) for one, other in zip(a.kinds, b.kinds, strict=True)]
    sizes = [len(block) for block in blocks]
    total = np.full((sum(sizes),) * 2, np.inf)
    for block, here in zip(blocks, places(sizes), strict=True):
        total[here, here] = block
    return total


def _of_one_kind(one: Component, other: Component) -> Float[np.ndarray, "components components"]:
    if one.background:
        return np.zeros((len(one.moments()[0]), len(other.moments()[0])))
    dense = one.joint or other.joint
    first, second = one.distributions(dense=dense), other.distributions(dense=dense)
    if first is None or second is None or type(first) is not type(second):
        raise ValueError("the divergence of these components has no closed form; give X, rows to match them by")
    found = np.asarray(_symmetric(*_softened(first, second)))
    return np.where(np.isnan(found), np.inf, found)


def _softened(a: Family, b: Family) -> tuple[Family, Family]:
    """Where events are counts or levels, the families with none impossible that occurs to any component."""
    a, b = jax.tree.map(np.asarray, (a, b))
    if a.column_kind not in ("count", "binary", "categorical"):
        return a, b
    # the first parameter of all of them is a rate, a mean or probabilities
    name = a.parameters[0].name
    first, second = a.values()[name], b.values()[name]
    overall = np.concatenate([first, second]).mean(axis=0)
    soft = [(1 - SHARE) * each + SHARE * overall for each in (first, second)]
    return a.with_values({name: soft[0]}), b.with_values({name: soft[1]})


@compiled
def _symmetric(a: Family, b: Family) -> Float[Array, "components components"]:
    number = jax.tree.leaves(a)[0].shape[0]
    one = jax.tree.map(lambda leaf: jnp.repeat(leaf, number, axis=0), a)
    other = jax.tree.map(lambda leaf: jnp.tile(leaf, (number, *(1,) * (leaf.ndim - 1))), b)
    both = one.kl_divergence(other) + other.kl_divergence(one)
    return both.reshape(number, number, -1).sum(-1)


def _model(estimator: Fitted) -> Any:
    if isinstance(estimator, MixtureModel | Centres):
        return estimator
    check_is_fitted(estimator)
    return vars(estimator).get("model_")


def _shares(estimator: Fitted, X: MatrixLike | None) -> np.ndarray:
    """Responsibilities ``(n, K)``; certain ones where an estimator only has labels."""
    if can(estimator, AssignsSoftly):
        return np.asarray(estimator.predict_proba(X), dtype=np.float64)
    if is_clusterer(estimator) and can(estimator, Assigns):
        return np.eye(int(vars(estimator)["n_clusters"]))[estimator.predict(X)]
    raise ValueError(f"{type(estimator).__name__} says nothing of which component a row is from")


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    shared = np.stack([np.minimum(a[:, [k]], b).sum(axis=0) for k in range(a.shape[1])])
    either = a.sum(axis=0)[:, None] + b.sum(axis=0) - shared  # min + max = a + b
    return 1.0 - shared / np.where(either > 0, either, 1.0)


def _check_numbers(a: int, b: int) -> None:
    if a != b:
        raise ValueError(f"the first has {a} components and the second {b}; only equally many can be matched")
