"""Standard errors of gated mixtures, from the outer products of the gradients of their rows.

The information ``Σ_n w_n s_n s_nᵀ`` is inverted over the parameters that are free; an item probability at 0 or 1, or
the share of a class nobody is in, is on the boundary: it has no standard error, and the others are those with it held
(Bandeen-Roche et al. 1997; so does poLCA). The units of covariates do not matter: their designs are centred and scaled
first. What the rows cannot tell, such as the effects of covariates that follow from one another, has no standard error.
"""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tacit.models.components.product import FamilyComponent
from tacit.models.gated.designs import scaling
from tacit.models.gated.model import GatedMixture
from tacit.models.gated.regressions import RegressionComponents

EDGE = 1e-5
"""A probability nearer than this to 0 is on the boundary."""
RANK = 1e-10
"""Below this share of the largest, an eigenvalue of the information (scaled to ones) is read as 0."""
TOLD = 1e-4
"""A figure that leans more than this on what the rows cannot tell has no standard error."""


class GatedErrors(NamedTuple):
    """Standard errors; NaN of what has none."""

    coefficients: Float[np.ndarray, "others columns"]
    """Of the gate."""
    shares: Float[np.ndarray, " components"]
    """Of the mean shares of the components."""
    probabilities: tuple[Float[np.ndarray, "components items levels"], ...]
    """Of groups of items."""
    regressions: tuple[Float[np.ndarray, "components columns"], ...]
    """Of the coefficients of regressions."""
    boundary: tuple[Bool[np.ndarray, "components items levels"], ...]
    """Which probabilities are on the boundary."""


def gated_errors(
    model: GatedMixture, rows: Float[np.ndarray, "rows dims"], weights: Float[np.ndarray, " rows"]
) -> GatedErrors:
    """Standard errors of the parameters of a model that was fitted to these rows."""
    log_shares = model.gate.log_shares(rows)
    logits = log_shares + model.expert_log_prob(rows)
    found = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
    shares, onto = np.exp(log_shares), scaling(rows[:, list(model.gate.columns)], weights)
    design = rows[:, list(model.gate.columns)] @ onto.T
    gate = ((found - shares)[:, 1:, None] * design[:, None, :]).reshape(len(rows), model.gate.coefficients.size)
    columns, free, boundary = [gate], [np.ones(gate.shape[1], bool)], []
    for part in model.experts:
        if isinstance(part, RegressionComponents):
            columns.append(_regression(part, rows, weights, found))
            free.append(np.ones(columns[-1].shape[1], bool))
            continue
        columns.append(_items(part, rows, found))
        probabilities = np.asarray(part.code_probabilities())
        edge = (probabilities < EDGE) | (probabilities > 1.0 - EDGE)
        boundary.append(edge)
        base = probabilities.argmax(-1)[..., None] == np.arange(probabilities.shape[-1])
        free.append(~(edge | base).ravel())
    told = _informed(np.concatenate(columns, axis=1), weights, np.concatenate(free))
    ends = np.cumsum([0, *(each.shape[1] for each in columns)])
    parts = [_Informed(told.root[a:b], told.unknown[a:b], told.size[a:b]) for a, b in itertools.pairwise(ends)]
    around = np.einsum("n,nk,nl,np->klp", weights / weights.sum(), shares, -shares[:, 1:], design)
    for k in range(1, shares.shape[1]):
        around[k, k - 1] += (weights * shares[:, k]) @ design / weights.sum()
    others, width = model.gate.coefficients.shape
    mean_errors = parts[0].errors(around.reshape(shares.shape[1], others * width))
    coefficient = parts[0].errors(np.kron(np.eye(others), onto.T)).reshape(others, width)
    items, regressions = [], []
    for part, own in zip(model.experts, parts[1:], strict=True):
        if isinstance(part, FamilyComponent):
            items.append(_probability_errors(np.asarray(part.code_probabilities()), own))
        else:
            back = scaling(rows[:, list(part.columns)], weights).T
            if part.family == "normal":
                back = np.concatenate([back, np.zeros((len(back), 1))], axis=1)
            classes = len(part.coefficients)
            regressions.append(own.errors(np.kron(np.eye(classes), back)).reshape(classes, -1))
    return GatedErrors(coefficient, mean_errors, tuple(items), tuple(regressions), tuple(boundary))


class _Informed(NamedTuple):
    """What rows say of parameters."""

    root: Float[np.ndarray, "parameters kept"]
    """Of their covariance."""
    unknown: Float[np.ndarray, "parameters lost"]
    """Directions of scaled parameters that rows say nothing of."""
    size: Float[np.ndarray, " parameters"]
    """The scales."""

    def errors(self, slopes: Float[np.ndarray, "figures parameters"]) -> Float[np.ndarray, " figures"]:
        """Standard errors of figures, by their slopes along the parameters."""
        scaled = slopes / self.size
        lost = np.linalg.norm(scaled @ self.unknown, axis=1) > TOLD * np.linalg.norm(scaled, axis=1)
        return np.where(lost, np.nan, np.linalg.norm(slopes @ self.root, axis=1))


def _informed(scores: np.ndarray, weights: np.ndarray, free: np.ndarray) -> _Informed:
    """From the gradients of rows; parameters that are not free are held."""
    kept = scores[:, free]
    information = (kept * weights[:, None]).T @ kept
    size = np.ones(free.size)
    own = np.sqrt(np.diagonal(information))
    own = np.where(own > 0, own, 1.0)
    size[free] = own
    values, vectors = np.linalg.eigh(information / own[:, None] / own)
    known = values > RANK * max(float(values.max(initial=0.0)), 1e-300)
    root, unknown = np.zeros((free.size, int(known.sum()))), np.zeros((free.size, int((~known).sum())))
    root[free] = vectors[:, known] / np.sqrt(values[known]) / own[:, None]
    unknown[free] = vectors[:, ~known]
    return _Informed(root, unknown, size)


def _items(part: FamilyComponent, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Scores by the logits of the levels of every item: ``r_k (1[x = l] − p_kl)``, 0 where missing."""
    probabilities = np.asarray(part.code_probabilities())
    x = rows[:, list(part.columns)]
    hit = x[:, None, :, None] == np.arange(probabilities.shape[-1])
    seen = ~np.isnan(x)[:, None, :, None]
    return (found[:, :, None, None] * (hit - probabilities) * seen).reshape(len(rows), -1)


def _regression(part: RegressionComponents, rows: np.ndarray, weights: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Scores by the coefficients of the scaled design, and of a normal by the logarithm of its variance."""
    design, y, mean = rows[:, list(part.columns)], rows[:, part.target], part.means(rows)
    design = design @ scaling(design, weights).T
    rest = y[:, None] - mean
    normal = part.family == "normal"
    height = found * (rest / part.variances if normal else rest)
    slopes = height[:, :, None] * design[:, None, :]
    if normal:
        spread = 0.5 * found * (rest**2 / part.variances - 1.0)
        slopes = np.concatenate([slopes, spread[:, :, None]], axis=2)
    return slopes.reshape(len(rows), -1)


def _probability_errors(probabilities: np.ndarray, told: _Informed) -> np.ndarray:
    """By the delta method: ``∂p_l / ∂logit_m = p_l (1[l = m] − p_m)``."""
    classes, items, levels = probabilities.shape
    found = np.empty(probabilities.shape)
    for k in range(classes):
        for j in range(items):
            p, start = probabilities[k, j], (k * items + j) * levels
            own = _Informed(*(each[start : start + levels] for each in told))
            found[k, j] = own.errors(p[:, None] * (np.eye(levels) - p))
    edge = (probabilities < EDGE) | (probabilities > 1.0 - EDGE)
    return np.where(edge, np.nan, found)
