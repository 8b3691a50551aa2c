"""Floor 6: name → estimator, the one list of what exists.

The command line, saving, comparing, the report and the common tests take their models from here. To add a
model: import its estimator and give it a line.
"""

from typing import Any

from sklearn.base import BaseEstimator

from tacit.data.errors import listed, nearest
from tacit.estimators.generative_classifier import GenerativeClassifier
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.bayesian_columns import BayesianMixture
from tacit.estimators.mixture.bayesian_gaussian import BayesianGaussianMixture
from tacit.estimators.mixture.counts import MultinomialMixture, PoissonMixture
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture
from tacit.estimators.regression.bayesian_linear import BayesianLinearRegression
from tacit.estimators.regression.bayesian_logistic import BayesianLogisticRegression
from tacit.estimators.regression.least_absolute_deviations import LeastAbsoluteDeviations
from tacit.estimators.regression.student_t import StudentTRegression
from tacit.estimators.topics.latent_dirichlet_allocation import LatentDirichletAllocation
from tacit.estimators.topics.prod_lda import ProdLDA
from tacit.estimators.vae.semi_supervised import SemiSupervisedVAE
from tacit.estimators.vae.vae import IWAE, VAE, VQVAE, AutoEncoder, BetaVAE

ESTIMATORS: dict[str, type[BaseEstimator]] = {
    "gaussian-mixture": GaussianMixture,
    "mixture": Mixture,
    "bayesian-gaussian-mixture": BayesianGaussianMixture,
    "bayesian-mixture": BayesianMixture,
    "poisson-mixture": PoissonMixture,
    "multinomial-mixture": MultinomialMixture,
    "k-means": KMeans,
    "latent-dirichlet-allocation": LatentDirichletAllocation,
    "generative-classifier": GenerativeClassifier,
    "bayesian-logistic-regression": BayesianLogisticRegression,
    "bayesian-linear-regression": BayesianLinearRegression,
    "least-absolute-deviations": LeastAbsoluteDeviations,
    "student-t-regression": StudentTRegression,
    "vae": VAE,
    "semi-supervised-vae": SemiSupervisedVAE,
    "prod-lda": ProdLDA,
}
"""Every estimator by its name, which also stands in saved files: a name once given is kept."""

VARIANTS: dict[str, type[BaseEstimator]] = {
    "auto-encoder": AutoEncoder,
    "beta-vae": BetaVAE,
    "iwae": IWAE,
    "vq-vae": VQVAE,
}
"""Choices of a listed estimator's parts with classes of their own: files name them, and no list does."""


def names() -> tuple[str, ...]:
    """The names of all estimators, in the order of the list."""
    return tuple(ESTIMATORS)


def get(name: str) -> type[BaseEstimator]:
    """The class of an estimator; raises `ValueError` with the nearest name when there is none."""
    found = ESTIMATORS.get(name, VARIANTS.get(name))
    if found is None:
        raise ValueError(f"no model {name!r}; there are {listed(names(), 20)}.{nearest(name, names())}")
    return found


def settings(name: str) -> tuple[str, ...]:
    """The names of an estimator's hyper-parameters."""
    return tuple(get(name)._get_param_names())


def create(name: str, **values: Any) -> BaseEstimator:
    """A new, unfitted estimator; raises `ValueError` naming the setting that it does not have or misses."""
    known = settings(name)
    for setting in values:
        if setting not in known:
            raise ValueError(f"{name} has no setting {setting!r}; it has {listed(known, 30)}.{nearest(setting, known)}")
    try:
        return get(name)(**values)
    except TypeError as error:
        raise ValueError(f"{name} cannot be made from the settings {listed(values)}: {error}") from None


def name_of(estimator: BaseEstimator) -> str:
    """The name under which an estimator's class is listed; a subclass is another class."""
    for name, known in (ESTIMATORS | VARIANTS).items():
        if type(estimator) is known:
            return name
    raise ValueError(
        f"{type(estimator).__module__}.{type(estimator).__qualname__} is not a listed model; "
        f"there are {listed(names(), 20)}."
    )
