# The public names. To add one: import it here from the module that defines it, add it to __all__,
# and give it a line in docs/api.md.
from . import datasets, families
from .estimators.count_mixtures import MultinomialMixture, PoissonMixture
from .estimators.gaussian_mixture import GaussianMixture
from .estimators.kmeans import KMeans
from .estimators.mixture import Mixture
from .storage import load, save

__all__ = [
    "GaussianMixture",
    "KMeans",
    "Mixture",
    "MultinomialMixture",
    "PoissonMixture",
    "__version__",
    "datasets",
    "families",
    "load",
    "save",
]

__version__: str
