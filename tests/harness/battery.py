"""What the common battery must know of every model: rows of every kind that it reads, and settings that end soon."""

import functools
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_regressor

from tacit import registry
from tacit.estimators.capabilities import Mixes, PredictsClasses, PredictsCounts, PredictsNumbers, Transforms, can
from tacit.estimators.flow import triangular_flow
from tacit.estimators.generative_classifier import GenerativeClassifier
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.sequence.hidden_markov import HiddenMarkovModel
from tacit.estimators.sequence.reading import ReadsSequences

GROUP = np.repeat([0, 1], [26, 18])
"""Every kind of rows is of two groups that are easily told apart, so that every start ends at the same optimum."""
TIGHT: dict[str, Any] = {"n_components": 2, "n_init": 2, "max_iter": 2000, "tol": 1e-14, "random_state": 0}
NETWORK: dict[str, Any] = {
    "n_components": 2,
    "hidden": (4,),
    "batch_size": 256,
    "max_epochs": 3,
    "n_samples": 2,
    "validation_fraction": 0.0,
    "random_state": 0,
}
"""One step an epoch, over all rows."""
FLOW = {"hidden": (4,), "steps": 1, "bins": 3, "max_epochs": 3, "validation_fraction": 0.0, "random_state": 0}
triangular_flow.FEWEST = 20  # there are 44 rows here
SETTINGS: dict[str, dict[str, Any]] = {
    "triangular-flow": FLOW,
    "stacked-density": {"members": (GaussianMixture(1), GaussianMixture(1, covariance_type="EEE")), "random_state": 0},
    "linear-gaussian-state-space": {"max_iter": 10, "n_init": 1, "random_state": 0},
    "k-means": {"n_clusters": 2, "n_init": 2, "tol": 0.0, "random_state": 0},
    "pca": {"n_components": 2, "random_state": 0},
    "factor-analysis": {"n_components": 1, "random_state": 0},
    "item-factor-analysis": {"tol": 1e-9, "random_state": 0},
    "mixture-of-factor-analysers": TIGHT | {"n_factors": 1, "constraints": "UUC"},
    "bayesian-network": {"edges": "x0->x1->x2", "tol": 1e-14},
    "latent-dirichlet-allocation": TIGHT | {"n_init": 1, "start_iter": 3, "max_iter": 400, "tol": 1e-9},
    "generative-classifier": {"estimator": GaussianMixture(1, random_state=0), "random_state": 0},
    "bayesian-logistic-regression": {"tol": 1e-13, "n_draws": 0, "n_init": 1, "random_state": 0},
    "bayesian-linear-regression": {"tol": 1e-13},
    "least-absolute-deviations": {},
    "student-t-regression": {"tol": 1e-14, "dof": 4.0},
    "regression-mixture": {"n_components": 1, "n_init": 2, "tol": 1e-14},
    "poisson-regression": {},
    "negative-binomial-regression": {},
    "vae": NETWORK | {"posterior": "point"},
    "semi-supervised-vae": NETWORK | {"posterior": "point"},
    "prod-lda": NETWORK,
}
"""Where a model's own are not those of a mixture."""


def made(name: str) -> BaseEstimator:
    """The model of a name, quick to fit and exact where it can be."""
    return registry.create(name, **SETTINGS.get(name, TIGHT))


def rows_of(kind: str) -> np.ndarray:
    """Rows of a kind, 44 of them."""
    random, upper = np.random.default_rng(0), GROUP[:, None] == 1
    match kind:
        case "table":
            return random.normal(size=(GROUP.size, 3)) * [1.0, 2.0, 0.5] + np.where(upper, [3.5, -7.0, 1.5], 0.0)
        case "counts":
            return random.poisson(np.where(upper, [2.0, 9.0, 5.0, 2.0], [8.0, 3.0, 5.0, 4.0])).astype(float)
        case "documents":
            words = np.where(upper, np.r_[np.full(4, 9.0), np.full(4, 0.3)], np.r_[np.full(4, 0.3), np.full(4, 9.0)])
            return random.poisson(words).astype(float)
        case "images":
            bright = np.where(GROUP[:, None, None] == 1, np.eye(4)[:, ::-1], np.eye(4))
            return (random.random((GROUP.size, 4, 4)) < 0.1 + 0.8 * bright).astype(np.float32)
    raise ValueError(f"the battery has no rows of the kind {kind!r}: give it a few")


def target_of(model: BaseEstimator, rows: np.ndarray) -> np.ndarray | None:
    """What a supervised model learns from such rows: a number, or a class with a few rows on the wrong side."""
    if can(model, PredictsCounts):
        return np.random.default_rng(1).poisson(np.exp(1.0 + 0.2 * rows[:, 0])).astype(float)
    if is_regressor(model):
        return rows @ [1.0, -0.5, 2.0] + np.random.default_rng(1).standard_t(3, len(rows))
    if not can(model, PredictsClasses):
        return None
    return np.array(["a", "b"])[GROUP ^ np.isin(np.arange(GROUP.size), [3, 7, 30, 41])]


def fitted(model: BaseEstimator, rows: np.ndarray, target: np.ndarray | None, weights: Any = None) -> BaseEstimator:
    """The model after a fit."""
    given = {} if weights is None else {"sample_weight": weights}
    if isinstance(model, HiddenMarkovModel):  # of rows that stand alone it is a mixture
        given["groups"] = np.arange(len(rows))
    return model.fit(rows, **given) if target is None else model.fit(rows, target, **given)


@functools.cache
def found(name: str, kind: str) -> tuple[BaseEstimator, np.ndarray, np.ndarray | None]:
    """A fitted model, its rows and its target; nobody changes them, for several test files share them."""
    model, rows = made(name), rows_of(kind)
    target = target_of(model, rows)
    return fitted(model, rows, target), rows, target


def said(model: BaseEstimator, rows: np.ndarray) -> np.ndarray:
    """What a model says of rows, in whatever order its groups, topics or clusters come."""
    if can(model, PredictsClasses) or isinstance(model, GenerativeClassifier):
        return model.predict_proba(rows)
    if can(model, PredictsNumbers):
        return model.predict(rows)
    if isinstance(model, HiddenMarkovModel):
        return model.score_samples(rows, groups=np.arange(len(rows)))
    if can(model, Mixes) or can(model, ReadsSequences):
        return model.score_samples(rows)
    if can(model, Transforms):
        return np.sort(model.transform(rows), axis=1)
    return model.score_samples(rows)


def bound(model: BaseEstimator) -> float:
    """What the fit raised (or lowered), for all rows together, or a row."""
    for name in ("lower_bound_", "inertia_", "log_likelihood_", "bound_"):
        if name in vars(model):
            return float(vars(model)[name])
    return float(model.trace_.bound[-1]) if "trace_" in vars(model) else 0.0
