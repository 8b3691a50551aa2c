"""Small mixtures of every kind of column, a bare estimator around them, and what scipy says of their densities."""

from typing import Any

import jax
import numpy as np
from scipy import stats

from tacit import families
from tacit.data.dataset import Dataset, DenseRows
from tacit.estimators.mixture.answers import LikelihoodAnswers
from tacit.estimators.mixture.base import MixtureBase
from tacit.families.student_t import StudentT
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.components.product import FamilyComponent
from tacit.models.mixture import rows as answers
from tacit.models.mixture import sampling
from tacit.models.mixture.model import MixtureModel

__all__ = ["MixtureModel", "sampling", "stats"]


class Fitted(LikelihoodAnswers):
    """A mixture that needs no fit."""

    def __init__(self, model: MixtureModel, names: tuple[str, ...] | None = None, random_state: Any = 0) -> None:
        self.model_ = model
        self.random_state = random_state
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)

    def fitted_model(self) -> MixtureModel:
        return self.model_

    def read(self, X: Any, *, reset: bool, minimum: int = 1) -> Dataset:
        return DenseRows(np.asarray(X, float))

    def score_read(self, rows: Dataset) -> np.ndarray:
        return answers.log_prob(self.model_, rows)

    def score_samples(self, X: Any) -> np.ndarray:
        return self.score_read(self.read(X, reset=False))

    sample, summary = MixtureBase.sample, MixtureBase.summary


def gaussian(
    means: np.ndarray,
    covariances: np.ndarray,
    columns: tuple[int, ...] | None = None,
    structure: str | None = None,
    **fields: Any,
) -> GaussianComponent:
    """A Gaussian group; by default over the first columns, full or diagonal as its covariances are."""
    means, covariances = np.asarray(means, float), np.asarray(covariances, float)
    structure = structure or ("VVV" if covariances.ndim == 3 else "VVI")
    columns = columns or tuple(range(means.shape[1]))
    given = {"fixed_means": None, "fixed_covariances": None, "prior": None} | fields
    return GaussianComponent(means, covariances, np.zeros(len(columns)), columns=columns, structure=structure, **given)


def random_covariances(random: np.random.Generator, components: int, dims: int) -> np.ndarray:
    root = random.normal(size=(components, dims, 2 * dims))
    return root @ root.transpose(0, 2, 1) / dims


def family(value: Any, columns: tuple[int, ...], free: int = 1) -> FamilyComponent:
    return FamilyComponent(value, None, None, columns, free)


def mixture(weights: Any, *groups: Any, **fields: Any) -> MixtureModel:
    weights = np.asarray(weights, float)
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    return MixtureModel(logs, groups, np.ones(weights.size, bool), **fields)


def full_gaussian(seed: int = 0, components: int = 3, dims: int = 4) -> MixtureModel:
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.full(components, 5.0))
    means = 2.0 * random.normal(size=(components, dims))
    return mixture(weights, gaussian(means, random_covariances(random, components, dims)))


def mixed(seed: int = 0) -> MixtureModel:
    """Three components of every kind of column, the Gaussian ones not next to each other."""
    random, k = np.random.default_rng(seed), 3
    return mixture(
        [0.5, 0.2, 0.3],
        gaussian(random.normal(size=(k, 3)), random_covariances(random, k, 3), (0, 4, 7)),
        gaussian(random.normal(size=(k, 1)), random.gamma(3.0, 0.1, size=(k, 1)), (1,), log=True),
        family(families.Poisson(random.gamma(4.0, 1.0, size=(k, 1))), (2,)),
        family(families.Categorical(random.dirichlet(np.ones(3), size=(k, 1))), (3,), 2),
        family(families.Bernoulli(random.uniform(0.2, 0.8, size=(k, 2))), (5, 6), 2),
        family(families.NegativeBinomial(random.gamma(4.0, 1.0, (k, 1)), random.gamma(3.0, 1.0, (k, 1))), (8,), 2),
        family(families.Gamma(random.gamma(4.0, 1.0, size=(k, 1)), random.gamma(4.0, 0.5, size=(k, 1))), (9,), 2),
        family(families.Exponential(random.gamma(4.0, 1.0, size=(k, 1))), (10,)),
        family(families.Normal(random.normal(size=(k, 1)), random.gamma(3.0, 1.0, size=(k, 1))), (11,), 2),
        family(StudentT(random.normal(size=(k, 1)), np.ones((k, 1)), np.full((k, 1), 7.5)), (12,), 3),
    )


def few_kinds(seed: int = 0) -> MixtureModel:
    """Three components of four kinds of column, quick to compile."""
    random, k = np.random.default_rng(seed), 3
    return mixture(
        [0.5, 0.2, 0.3],
        gaussian(random.normal(size=(k, 3)), random_covariances(random, k, 3), (0, 3, 5)),
        gaussian(random.normal(size=(k, 1)), random.gamma(3.0, 0.1, size=(k, 1)), (1,), log=True),
        family(families.Poisson(random.gamma(4.0, 1.0, size=(k, 1))), (2,)),
        family(families.Categorical(random.dirichlet(np.ones(3), size=(k, 1))), (4,), 2),
        family(families.Bernoulli(random.uniform(0.2, 0.8, size=(k, 1))), (6,)),
    )


def on_host(model: MixtureModel) -> MixtureModel:
    """The same mixture with NumPy leaves."""
    return jax.tree.map(np.asarray, model)


def leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def column_law(model: MixtureModel, column: int, k: int) -> Any:
    """The distribution of one column under one component, by scipy."""
    group = next(g for g in model.groups if column in g.columns)
    j = group.columns.index(column)
    if isinstance(group, GaussianComponent):
        variance = group.covariances[k, j] if group.diagonal else group.covariances[k, j, j]
        if group.log:
            return stats.lognorm(np.sqrt(variance), scale=np.exp(group.means[k, j]))
        return stats.norm(group.means[k, j], np.sqrt(variance))
    return family_law(group.family, (k, j))


def family_law(value: Any, at: tuple[int, ...]) -> Any:
    """One member of a batch, by scipy."""
    match value:
        case families.Poisson():
            return stats.poisson(value.rates[at])
        case families.NegativeBinomial():
            mean, size = value.means[at], value.dispersions[at]
            return stats.nbinom(size, size / (size + mean))
        case families.Gamma():
            return stats.gamma(value.shapes[at], scale=1.0 / value.rates[at])
        case families.Exponential():
            return stats.expon(scale=1.0 / value.rates[at])
        case families.Bernoulli():
            return stats.bernoulli(value.probabilities[at])
        case families.Categorical():
            return stats.rv_discrete(values=(np.arange(value.levels), value.probabilities[at]))
        case StudentT():
            return stats.t(value.dofs[at], value.locations[at], value.scales[at])
        case families.Normal():
            return stats.norm(value.means[at], np.sqrt(value.variances[at]))
        case families.LogNormal():
            inner = value.logarithm
            return stats.lognorm(np.sqrt(inner.variances[at]), scale=np.exp(inner.means[at]))
    raise AssertionError(value)


def log_joint(model: MixtureModel, row: np.ndarray) -> np.ndarray:
    """``log π_k + log p_k(x_o)`` of one row, ``[K]``, by scipy."""
    return np.asarray(model.log_weights) + [component_log(model, row, k) for k in range(model.log_weights.size)]


def component_log(model: MixtureModel, row: np.ndarray, k: int) -> float:
    total = 0.0
    for group in model.groups:
        seen = [j for j, column in enumerate(group.columns) if not np.isnan(row[column])]
        if isinstance(group, GaussianComponent) and not group.diagonal and seen:
            law = stats.multivariate_normal(group.means[k, seen], group.covariances[k][np.ix_(seen, seen)])
            total += law.logpdf(row[[group.columns[j] for j in seen]])
            continue
        for j in seen:
            law = column_law(model, group.columns[j], k)
            value = row[group.columns[j]]
            total += law.logpmf(value) if hasattr(law, "logpmf") else law.logpdf(value)
    return total


def log_density(model: MixtureModel, row: np.ndarray) -> float:
    return float(np.logaddexp.reduce(log_joint(model, row)))


def posterior(model: MixtureModel, row: np.ndarray) -> np.ndarray:
    joint = log_joint(model, row)
    return np.exp(joint - np.logaddexp.reduce(joint))


def given(model: MixtureModel, row: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``[D]`` and covariance ``[D, D]`` of a row under component k given its observed entries."""
    mean, covariance = np.array(row), np.zeros((row.size, row.size))
    for group in model.groups:
        columns = np.array(group.columns)
        if isinstance(group, GaussianComponent) and not group.diagonal:
            seen = ~np.isnan(row[columns])
            mu, sigma = np.asarray(group.means[k]), np.asarray(group.covariances[k])
            gain = sigma[np.ix_(~seen, seen)] @ np.linalg.inv(sigma[np.ix_(seen, seen)])
            mean[columns[~seen]] = mu[~seen] + gain @ (row[columns[seen]] - mu[seen])
            left = sigma[np.ix_(~seen, ~seen)] - gain @ sigma[np.ix_(seen, ~seen)]
            covariance[np.ix_(columns[~seen], columns[~seen])] = left
            continue
        for column in columns[np.isnan(row[columns])]:
            law = column_law(model, column, k)
            mean[column], covariance[column, column] = law.mean(), law.var()
    return mean, covariance


def total_moments(model: MixtureModel, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a row given its observed entries under the whole mixture."""
    weights = posterior(model, row)
    parts = [given(model, row, k) for k in range(weights.size)]
    mean = sum(w * m for w, (m, _) in zip(weights, parts, strict=True))
    covariance = sum(w * (c + np.outer(m - mean, m - mean)) for w, (m, c) in zip(weights, parts, strict=True))
    return mean, covariance
