"""Floor 6: name → estimator, the one list of what exists.

The command line, saving, comparing, the report and the common tests take their models from here. To add a model: give
it a line. An estimator stands here by its place and is imported when it is first asked for, so that names, and what
each model reads, are known before anything heavy is loaded.
"""

import pkgutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from tacit.data.errors import listed, nearest
from tacit.data.schema import Reads
from tacit.estimators.written import SettingLimits, source
from tacit.estimators.written import settings as declared


class Entry(NamedTuple):
    """What is known of a model before it is imported."""

    place: str | type[Any]
    """``module:class`` below ``tacit.estimators``; or the class itself."""
    reads: Reads = "table"
    """What its rows are; some that read tables take images too."""
    supervised: bool = False
    """Whether it learns one column from the others."""
    codes: bool = False
    """Whether columns of few different numbers, such as answers from 1 to 5, are numbers to it."""
    slow: bool = False
    """Whether a fit takes minutes even of few rows, so that a comparison leaves it out unless it is named."""

    def load(self) -> type[Any]:
        """The class."""
        if isinstance(self.place, type):
            return self.place
        found: type[Any] = pkgutil.resolve_name(f"tacit.estimators.{self.place}")
        return found


ESTIMATORS: dict[str, Entry] = {
    "gaussian-mixture": Entry("mixture.gaussian:GaussianMixture"),
    "mixture": Entry("mixture.mixed:Mixture"),
    "bayesian-gaussian-mixture": Entry("mixture.bayesian_gaussian:BayesianGaussianMixture"),
    "bayesian-mixture": Entry("mixture.bayesian_columns:BayesianMixture"),
    "poisson-mixture": Entry("mixture.counts:PoissonMixture"),
    "multinomial-mixture": Entry("mixture.counts:MultinomialMixture"),
    "latent-class": Entry("mixture.latent_class:LatentClass"),
    "hidden-markov-model": Entry("sequence.hidden_markov:HiddenMarkovModel"),
    "linear-gaussian-state-space": Entry("sequence.state_space:LinearGaussianStateSpace", codes=True),
    "k-means": Entry("kmeans:KMeans"),
    "pca": Entry("factors.pca:PCA", codes=True),
    "factor-analysis": Entry("factors.factor_analysis:FactorAnalysis", codes=True),
    "item-factor-analysis": Entry("factors.items:ItemFactorAnalysis"),
    "mixture-of-factor-analysers": Entry("mixture.factors:MixtureOfFactorAnalysers", codes=True),
    "bayesian-network": Entry("network.bayesian_network:BayesianNetwork"),
    "triangular-flow": Entry("flow.triangular_flow:TriangularFlow", codes=True, slow=True),
    "stacked-density": Entry("stacked.stacked_density:StackedDensity", slow=True),
    "latent-dirichlet-allocation": Entry("topics.latent_dirichlet_allocation:LatentDirichletAllocation", "documents"),
    "generative-classifier": Entry("generative_classifier:GenerativeClassifier", supervised=True),
    "bayesian-logistic-regression": Entry("regression.bayesian_logistic:BayesianLogisticRegression", supervised=True),
    "bayesian-linear-regression": Entry("regression.bayesian_linear:BayesianLinearRegression", supervised=True),
    "least-absolute-deviations": Entry("regression.least_absolute_deviations:LeastAbsoluteDeviations", supervised=True),
    "student-t-regression": Entry("regression.student_t:StudentTRegression", supervised=True),
    "poisson-regression": Entry("regression.counts:PoissonRegression", supervised=True),
    "negative-binomial-regression": Entry("regression.counts:NegativeBinomialRegression", supervised=True),
    "regression-mixture": Entry("regression.mixture:RegressionMixture", supervised=True),
    "vae": Entry("vae.vae:VAE"),
    "semi-supervised-vae": Entry("vae.semi_supervised:SemiSupervisedVAE", supervised=True),
    "prod-lda": Entry("topics.prod_lda:ProdLDA", "documents"),
}
"""Every estimator by its name, which also stands in saved files: a name once given is kept."""


VARIANTS: dict[str, Entry] = {
    "auto-encoder": Entry("vae.vae:AutoEncoder"),
    "beta-vae": Entry("vae.vae:BetaVAE"),
    "iwae": Entry("vae.vae:IWAE"),
    "vq-vae": Entry("vae.vae:VQVAE"),
    "two-parameter-logistic": Entry("factors.items:TwoParameterLogistic"),
    "graded-response": Entry("factors.items:GradedResponse"),
}
"""Choices of a listed estimator's parts with classes of their own: files name them, and no list does."""


def names() -> tuple[str, ...]:
    """The names of all estimators, in the order of the list."""
    return tuple(ESTIMATORS)


def entry(name: str) -> Entry:
    """What is known of an estimator before it is imported; raises `ValueError` with the nearest name for no name."""
    found = ESTIMATORS.get(name, VARIANTS.get(name))
    if found is None:
        raise ValueError(f"no model {name!r}; there are {listed(names(), 12)}.{nearest(name, names())}")
    return found


def get(name: str) -> type[Any]:
    """The class of an estimator; raises `ValueError` with the nearest name when there is none."""
    return entry(name).load()


def settings(name: str) -> tuple[str, ...]:
    """The names of an estimator's hyper-parameters in alphabetical order, without importing it."""
    written = limits(name)
    return tuple(get(name)._get_param_names()) if written is None else tuple(sorted(written))


def limits(name: str) -> Mapping[str, SettingLimits] | None:
    """What the settings of an estimator may be, without importing it; None where its source does not say."""
    place = entry(name).place
    if isinstance(place, type) or name in VARIANTS or not source("tacit.estimators.base").exists():
        return None
    module, _, own = f"tacit.estimators.{place}".partition(":")
    return declared(module, own)


def create(name: str, **values: Any) -> Any:
    """A new, unfitted estimator; raises `ValueError` naming the setting that it does not have or misses."""
    known = settings(name)
    for setting in values:
        if setting not in known:
            raise ValueError(f"{name} has no setting {setting!r}; it has {listed(known, 30)}.{nearest(setting, known)}")
    try:
        return get(name)(**values)
    except TypeError as error:
        raise ValueError(f"{name} cannot be made from the settings {listed(values)}: {error}") from None


def name_of(estimator: object) -> str:
    """The name under which an estimator's class is listed; a subclass is another class."""
    cls = type(estimator)
    for name, known in (ESTIMATORS | VARIANTS).items():
        if known.place is cls or f"tacit.estimators.{known.place}" == f"{cls.__module__}:{cls.__name__}":
            return name
    raise ValueError(f"{cls.__module__}.{cls.__qualname__} is not a listed model; there are {listed(names(), 20)}.")
