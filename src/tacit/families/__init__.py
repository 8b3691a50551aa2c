"""Floor 2: exponential families — densities, statistics, maximum likelihood, priors, divergences."""

from typing import Any

from tacit.families.base import ExponentialFamily, Family, Parameter
from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.continuous_bernoulli import ContinuousBernoulli
from tacit.families.dirichlet import Dirichlet
from tacit.families.exponential import Exponential
from tacit.families.gamma import Gamma
from tacit.families.log_normal import LogNormal
from tacit.families.low_rank import LowRankNormal
from tacit.families.multinomial import Multinomial
from tacit.families.multivariate_normal import MultivariateNormal
from tacit.families.negative_binomial import NegativeBinomial
from tacit.families.normal import Normal
from tacit.families.poisson import Poisson
from tacit.families.priors import (
    BetaBernoulli,
    ConjugatePrior,
    DirichletCategorical,
    GammaExponential,
    GammaPoisson,
    NormalGamma,
)
from tacit.families.product import Product
from tacit.families.simple import SimpleFamily
from tacit.families.student_t import MultivariateStudentT, StudentT
from tacit.families.uniform import Uniform
from tacit.families.von_mises import VonMises

__all__ = [
    "FAMILIES",
    "Bernoulli",
    "BetaBernoulli",
    "Categorical",
    "ConjugatePrior",
    "ContinuousBernoulli",
    "Dirichlet",
    "DirichletCategorical",
    "Exponential",
    "ExponentialFamily",
    "Family",
    "Gamma",
    "GammaExponential",
    "GammaPoisson",
    "LogNormal",
    "LowRankNormal",
    "Multinomial",
    "MultivariateNormal",
    "MultivariateStudentT",
    "NegativeBinomial",
    "Normal",
    "NormalGamma",
    "Parameter",
    "Poisson",
    "Product",
    "SimpleFamily",
    "StudentT",
    "Uniform",
    "VonMises",
]

FAMILIES: dict[str, type[Any]] = {
    family.name: family
    for family in (
        Normal,
        Poisson,
        NegativeBinomial,
        Exponential,
        Gamma,
        LogNormal,
        Bernoulli,
        Categorical,
        Multinomial,
        StudentT,
        VonMises,
    )
}
"""The families of columns by name; ``FAMILIES[name].template(shape, **sizes)`` is a neutral, valid member.

``sizes`` is ``levels`` for the categorical and ``categories`` for the multinomial, nothing for the others.
"""


def registered(family: type[Any]) -> str:
    """The name of a family of your own, under which it is known from now on.

    Raises:
        ValueError: it is no family of one value, or another has its name.
    """
    if not (isinstance(family, type) and issubclass(family, Family)) or family.event_dims:
        raise ValueError(f"{family!r} is no family of one column: inherit tacit.families.SimpleFamily")
    name = vars(family).get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{family.__name__} needs a name of its own: name = 'rayleigh', say")
    known = FAMILIES.get(name)
    if known is not None and (known.__module__, known.__qualname__) != (family.__module__, family.__qualname__):
        raise ValueError(
            f"there is a family {name!r} already ({known.__module__}.{known.__qualname__}): take another name"
        )
    FAMILIES[name] = family
    return name
