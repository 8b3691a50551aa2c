"""Floor 6: name → estimator, the one list of what exists.

The command line, saving, comparing, the report and the common tests take their models from here. To add a model: give
it a line. An estimator stands here by its place and is imported when it is first asked for, so that names, and what
each model reads, are known before anything heavy is loaded.
"""

import pkgutil
from typing import Any, Literal, NamedTuple

from tacit.data.errors import listed, nearest

Reads = Literal["table", "documents"]


class Entry(NamedTuple):
    """What is known of a model before it is imported."""

    place: str | type[Any]
    """``module:class`` below ``tacit.estimators``; or the class itself."""
    reads: Reads = "table"
    """What its rows are; some that read tables take images too."""
    supervised: bool = False
    """Whether it learns one column from the others."""

    def load(self) -> type[Any]:
        """The class."""
        if isinstance(self.place, type):
            return self.place
        found: type[Any] = pkgutil.resolve_name(f"tacit.estimators.{self.place}")
        return found


ESTIMATORS: dict[str, Entry] = {
    "gaussian-mixture": Entry("gaussian_mixture:GaussianMixture"),
    "mixture": Entry("mixture:Mixture"),
    "bayesian-gaussian-mixture": Entry("bayesian_gaussian_mixture:BayesianGaussianMixture"),
    "bayesian-mixture": Entry("bayesian_mixture:BayesianMixture"),
    "poisson-mixture": Entry("count_mixtures:PoissonMixture"),
    "multinomial-mixture": Entry("count_mixtures:MultinomialMixture"),
    "k-means": Entry("kmeans:KMeans"),
    "latent-dirichlet-allocation": Entry("latent_dirichlet_allocation:LatentDirichletAllocation", "documents"),
    "generative-classifier": Entry("generative_classifier:GenerativeClassifier", supervised=True),
    "bayesian-logistic-regression": Entry("bayesian_logistic_regression:BayesianLogisticRegression", supervised=True),
    "bayesian-linear-regression": Entry("bayesian_linear_regression:BayesianLinearRegression", supervised=True),
    "least-absolute-deviations": Entry("least_absolute_deviations:LeastAbsoluteDeviations", supervised=True),
    "student-t-regression": Entry("student_t_regression:StudentTRegression", supervised=True),
    "vae": Entry("vae:VAE"),
    "semi-supervised-vae": Entry("semi_supervised_vae:SemiSupervisedVAE", supervised=True),
    "prod-lda": Entry("prod_lda:ProdLDA", "documents"),
}
"""Every estimator by its name, which also stands in saved files: a name once given is kept."""


def names() -> tuple[str, ...]:
    """The names of all estimators, in the order of the list."""
    return tuple(ESTIMATORS)


def entry(name: str) -> Entry:
    """What is known of an estimator before it is imported; raises `ValueError` with the nearest name for no name."""
    if name not in ESTIMATORS:
        raise ValueError(f"no model {name!r}; there are {listed(names(), 20)}.{nearest(name, names())}")
    return ESTIMATORS[name]


def get(name: str) -> type[Any]:
    """The class of an estimator; raises `ValueError` with the nearest name when there is none."""
    return entry(name).load()


def settings(name: str) -> tuple[str, ...]:
    """The names of an estimator's hyper-parameters."""
    return tuple(get(name)._get_param_names())


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
    for name, known in ESTIMATORS.items():
        if known.place is cls or known.place == f"{cls.__module__.removeprefix('tacit.estimators.')}:{cls.__name__}":
            return name
    raise ValueError(f"{cls.__module__}.{cls.__qualname__} is not a listed model; there are {listed(names(), 20)}.")
