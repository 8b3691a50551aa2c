"""The fourteen covariance structures of a Gaussian mixture: table, exact M-steps and conjugate prior."""

from tacit.families.covariance.diagonal import INNER_ITERATIONS, INNER_TOLERANCE, maximise_variances
from tacit.families.covariance.ellipsoidal import maximise_covariances, maximise_each
from tacit.families.covariance.prior import GaussianPrior, PosteriorMode, default_prior
from tacit.structures import (
    SCIKIT_LEARN_NAMES,
    STRUCTURES,
    Structure,
    canonical_name,
    n_covariance_parameters,
)

__all__ = [
    "INNER_ITERATIONS",
    "INNER_TOLERANCE",
    "SCIKIT_LEARN_NAMES",
    "STRUCTURES",
    "GaussianPrior",
    "PosteriorMode",
    "Structure",
    "canonical_name",
    "default_prior",
    "maximise_covariances",
    "maximise_each",
    "maximise_variances",
    "n_covariance_parameters",
]
