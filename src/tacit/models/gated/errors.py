"""Standard errors of gated mixtures, from the outer products of the gradients of their rows.

The information ``Σ_n w_n s_n s_nᵀ`` is inverted over the parameters that are free; an item probability at 0 or 1, or
the share of a class nobody is in, is on the boundary: it has no standard error, and the others are those with it held
(Bandeen-Roche et al. 1997; so does poLCA).
"""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tacit.models.components.product import FamilyComponent
from tacit.models.gated.model import GatedMixture
from tacit.models.gated.regressions import RegressionComponents

EDGE = 1e-5
"""A probability nearer than this to 0 is on the boundary."""


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
    design, shares = rows[:, list(model.gate.columns)], np.exp(log_shares)
    gate = ((found - shares)[:, 1:, None] * design[:, None, :]).reshape(len(rows), model.gate.coefficients.size)
    columns = [gate]
    columns += [
        _regression(part, rows, found) if isinstance(part, RegressionComponents) else _items(part, rows, found)
        for part in model.experts
    ]
    free = [np.ones(gate.shape[1], bool)]
    free += [np.ones(columns[i + 1].shape[1], bool) for i in range(len(model.experts))]
    boundary = []
    for i, part in enumerate(model.experts):
        if isinstance(part, FamilyComponent):
            probabilities = np.asarray(part.code_probabilities())
            edge = (probabilities < EDGE) | (probabilities > 1.0 - EDGE)
            boundary.append(edge)
            base = probabilities.argmax(-1)[..., None] == np.arange(probabilities.shape[-1])
            free[i + 1] = ~(edge | base).ravel()
    scores = np.concatenate(columns, axis=1)
    held = np.concatenate(free)
    covariance = np.zeros((held.size, held.size))
    kept = scores[:, held]
    information = (kept * weights[:, None]).T @ kept
    covariance[np.ix_(held, held)] = np.linalg.pinv(information, rcond=1e-10, hermitian=True)
    ends = np.cumsum([0, *(each.shape[1] for each in columns)])
    parts = [covariance[a:b, a:b] for a, b in itertools.pairwise(ends)]
    around = np.einsum("n,nk,nl,np->klp", weights / weights.sum(), shares, -shares[:, 1:], design)
    for k in range(1, shares.shape[1]):
        around[k, k - 1] += (weights * shares[:, k]) @ design / weights.sum()
    slope = around.reshape(shares.shape[1], len(parts[0]))
    mean_errors = np.sqrt(np.maximum(np.einsum("kp,pq,kq->k", slope, parts[0], slope), 0.0))
    coefficient = np.sqrt(np.maximum(np.diagonal(parts[0]), 0.0)).reshape(model.gate.coefficients.shape)
    items, regressions = [], []
    for part, own in zip(model.experts, parts[1:], strict=True):
        if isinstance(part, FamilyComponent):
            items.append(_probability_errors(np.asarray(part.code_probabilities()), own))
        else:
            width = part.coefficients.shape[-1]
            sd = np.sqrt(np.maximum(np.diagonal(own), 0.0)).reshape(len(part.coefficients), -1)
            regressions.append(sd[:, :width])
    return GatedErrors(coefficient, mean_errors, tuple(items), tuple(regressions), tuple(boundary))


def _items(part: FamilyComponent, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Scores by the logits of the levels of every item: ``r_k (1[x = l] − p_kl)``, 0 where missing."""
    probabilities = np.asarray(part.code_probabilities())
    x = rows[:, list(part.columns)]
    hit = x[:, None, :, None] == np.arange(probabilities.shape[-1])
    seen = ~np.isnan(x)[:, None, :, None]
    return (found[:, :, None, None] * (hit - probabilities) * seen).reshape(len(rows), -1)


def _regression(part: RegressionComponents, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Scores by the coefficients, and of a normal by the logarithm of its variance."""
    design, y, mean = rows[:, list(part.columns)], rows[:, part.target], part.means(rows)
    rest = y[:, None] - mean
    normal = part.family == "normal"
    height = found * (rest / part.variances if normal else rest)
    slopes = height[:, :, None] * design[:, None, :]
    if normal:
        spread = 0.5 * found * (rest**2 / part.variances - 1.0)
        slopes = np.concatenate([slopes, spread[:, :, None]], axis=2)
    return slopes.reshape(len(rows), -1)


def _probability_errors(probabilities: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """By the delta method: ``∂p_l / ∂logit_m = p_l (1[l = m] − p_m)``."""
    classes, items, levels = probabilities.shape
    found = np.empty(probabilities.shape)
    for k in range(classes):
        for j in range(items):
            p, start = probabilities[k, j], (k * items + j) * levels
            own = covariance[start : start + levels, start : start + levels]
            slope = p[:, None] * (np.eye(levels) - p)
            found[k, j] = np.sqrt(np.maximum(np.einsum("lm,mn,ln->l", slope, own, slope), 0.0))
    edge = (probabilities < EDGE) | (probabilities > 1.0 - EDGE)
    return np.where(edge, np.nan, found)
