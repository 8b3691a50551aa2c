"""Guides: the densities q(θ) over all parameters of a model that black-box inference moves (Ranganath et al. 2014).

A guide is a density on ℝᵈ; what the parameters' supports are is `tacit.inference.coordinates`' to know.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.families.bijections import Bijection, Chain, DiagonalAffine, TriangularAffine
from tacit.families.scalar_maps import spline_after_affine
from tacit.families.transformed import Gaussian, Reparameterised, Transformed, WhiteNoise
from tacit.families.triangular import AutoregressiveFlow, TriangularSteps

GuideName = Literal["mean-field", "full-rank", "flow", "spline-flow"]
GUIDES: tuple[GuideName, ...] = ("mean-field", "full-rank", "flow", "spline-flow")
FLOW_HIDDEN, FLOW_STEPS, SPLINE_STEPS = (32,), 4, 2
MOMENT_DRAWS = 4096
"""Draws by which a flow's mean and spread are known."""


def guide_around(
    name: GuideName, location: Float[np.ndarray, " dims"], scale: Float[np.ndarray, " dims"], *, key: PRNGKeyArray
) -> Reparameterised:
    """The guide of a name, begun as independent normal distributions or near them.

    Logarithms of scales are what is moved. A flow (Kingma et al. 2016; with splines, Durkan et al. 2019) begins
    near the Gaussian that it bends.
    """
    dims, centre, log_scale = location.size, jnp.asarray(location), jnp.log(jnp.asarray(scale))
    if name == "mean-field":
        return Gaussian(DiagonalAffine(centre, log_scale))
    full = TriangularAffine(centre, log_scale, jnp.diag(jnp.zeros_like(log_scale)))
    if name == "full-rank":
        return Gaussian(full)
    if name == "spline-flow":
        flow: Bijection = TriangularSteps(dims, spline_after_affine(), SPLINE_STEPS, FLOW_HIDDEN, key=key, turned=True)
    else:
        flow = AutoregressiveFlow(dims, FLOW_HIDDEN, FLOW_STEPS, key=key)
    return Transformed(WhiteNoise(dims), Chain((flow, full)), moment_draws=MOMENT_DRAWS)
