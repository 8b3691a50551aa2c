"""New rows from a mixture: a component by inverse CDF, then the columns given it.

Drawn on the host by NumPy: a compiled sampler takes seconds to compile for every new number of rows, and is no faster.
"""

from functools import singledispatch
from typing import Any

import jax
import numpy as np

from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.exponential import Exponential
from tacit.families.gamma import Gamma
from tacit.families.log_normal import LogNormal
from tacit.families.multinomial import Multinomial
from tacit.families.negative_binomial import NegativeBinomial
from tacit.families.normal import Normal
from tacit.families.poisson import Poisson
from tacit.families.student_t import StudentT
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.group import FamilyGroup
from tacit.models.mixture.model import Group, Mixture
from tacit.models.mixture.predictive import DirichletMultinomial, LogStudentT, Lomax


def sample(
    model: Mixture, number: int, *, random: np.random.Generator, totals: np.ndarray | None = None
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


def choose(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``min{k : u < w_1 + … + w_k}`` of a uniform u, for every row of weights ``[rows, K]`` that sum to 1."""
    edges = np.cumsum(weights, axis=1)
    level = random.uniform(size=(weights.shape[0], 1)) * edges[:, -1:]
    level = np.minimum(level, np.nextafter(edges[:, -1:], 0.0))
    # strictly below the edge chosen, so that a component of weight 0 never is
    return np.sum(edges <= level, axis=1)


def draw(
    model: Mixture, labels: np.ndarray, random: np.random.Generator, totals: np.ndarray | None = None
) -> np.ndarray:
    """One row ``[rows, D]`` from the component of each label."""
    rows = np.empty((labels.size, sum(len(group.columns) for group in model.groups)))
    met = 0
    for group in model.groups:
        total = None
        if totals is not None and is_multinomial(group):
            total = totals[:, met]
            met += 1
        rows[:, group.columns] = draw_group(group, labels, random, total)
    return rows


def draw_group(
    group: Group,
    labels: np.ndarray,
    random: np.random.Generator,
    total: np.ndarray | None = None,
    precision: np.ndarray | None = None,
) -> np.ndarray:
    """The columns of one group ``[rows, d]``, from the component of each label.

    ``precision`` is the hidden factor u of the precision of Student's t, where it is known; drawn if None.
    """
    if isinstance(group, GaussianGroup):
        drawn = _draw_gaussian(group, labels, random, precision)
        return np.exp(drawn) if group.log else drawn
    family = jax.tree.map(lambda leaf: np.asarray(leaf)[labels], group.family)
    if isinstance(family, Multinomial | DirichletMultinomial):
        return _draw_multinomial(family, np.ones(labels.size) if total is None else total, random)
    return draw_family(family, random)


def _draw_gaussian(group, labels, random, precision):
    means, covariances = np.asarray(group.means), np.asarray(group.covariances)
    noise = random.standard_normal((labels.size, means.shape[1]))
    if group.diagonal:
        return means[labels] + np.sqrt(covariances)[labels] * noise
    if group.dofs is not None:
        dofs = np.asarray(group.dofs)[labels]
        noise = noise / np.sqrt(random.chisquare(dofs) / dofs if precision is None else precision)[:, None]
    for k in np.unique(labels):
        chosen = labels == k
        noise[chosen] = means[k] + noise[chosen] @ np.linalg.cholesky(covariances[k]).T
    return noise


def _draw_multinomial(family, total, random):
    if isinstance(family, DirichletMultinomial):
        shares = np.maximum(random.standard_gamma(family.concentrations[:, 0]), np.finfo(float).tiny)
    else:
        shares = family.probabilities[:, 0]
    shares = shares / shares.sum(-1, keepdims=True)
    return random.multinomial(total.astype(np.int64), shares).astype(np.float64)


@singledispatch
def draw_family(family: Any, random: np.random.Generator) -> np.ndarray:
    """One value from every member of a batch of univariate distributions with NumPy leaves."""
    key = jax.random.key(int(random.integers(2**31)))
    return np.asarray(family.sample(key=key))


@draw_family.register
def _(family: Normal, random: np.random.Generator) -> np.ndarray:
    return random.normal(family.means, np.sqrt(family.variances))


@draw_family.register
def _(family: LogNormal, random: np.random.Generator) -> np.ndarray:
    return np.exp(draw_family(family.logarithm, random))


@draw_family.register
def _(family: StudentT, random: np.random.Generator) -> np.ndarray:
    return np.asarray(family.locations) + np.asarray(family.scales) * random.standard_t(family.dofs)


@draw_family.register
def _(family: Exponential, random: np.random.Generator) -> np.ndarray:
    return random.exponential(1.0 / np.asarray(family.rates))


@draw_family.register
def _(family: LogStudentT, random: np.random.Generator) -> np.ndarray:
    return np.exp(draw_family(family.logarithm, random))


@draw_family.register
def _(family: Lomax, random: np.random.Generator) -> np.ndarray:
    return np.asarray(family.scales) * random.pareto(family.shapes)


@draw_family.register
def _(family: Gamma, random: np.random.Generator) -> np.ndarray:
    # X_a = X_{a+1} U^{1/a} (Marsaglia & Tsang 2000, section 6), in logarithms: small shapes do not underflow early
    shapes = np.asarray(family.shapes)
    logs = np.log(random.standard_gamma(shapes + 1.0)) - random.exponential(size=shapes.shape) / shapes
    return np.maximum(np.exp(logs - np.log(family.rates)), np.finfo(float).tiny)


@draw_family.register
def _(family: Poisson, random: np.random.Generator) -> np.ndarray:
    return random.poisson(family.rates).astype(np.float64)


@draw_family.register
def _(family: NegativeBinomial, random: np.random.Generator) -> np.ndarray:
    scale = np.asarray(family.means) / family.dispersions
    return random.poisson(random.standard_gamma(family.dispersions) * scale).astype(np.float64)


@draw_family.register
def _(family: Bernoulli, random: np.random.Generator) -> np.ndarray:
    probabilities = np.asarray(family.probabilities)
    return (random.uniform(size=probabilities.shape) < probabilities).astype(np.float64)


@draw_family.register
def _(family: Categorical, random: np.random.Generator) -> np.ndarray:
    probabilities = np.asarray(family.probabilities)
    flat = choose(probabilities.reshape(-1, family.levels), random)
    return flat.reshape(probabilities.shape[:-1]).astype(np.float64)


def multinomial_groups(model: Mixture) -> int:
    """How many groups of columns are conditional on a total that is read from the row."""
    return sum(is_multinomial(group) for group in model.groups)


def is_multinomial(group: Group) -> bool:
    """Whether a group's columns are one multinomial row."""
    return isinstance(group, FamilyGroup) and isinstance(group.family, Multinomial | DirichletMultinomial)
