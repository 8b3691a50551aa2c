"""A VAE is a pair of triangular maps, and its bound the divergence of what they make of noise."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tacit.compute import double_precision
from tacit.families.bijections import Bijection, DiagonalAffine
from tacit.families.transformed import white_log_prob
from tacit.inference.objectives import Batch, ImportanceWeighted
from tacit.models.vae.likelihoods import PerEntryNormalLikelihood
from tacit.models.vae.model import DeepLatent, RowBatch
from tacit.models.vae.networks import MLP
from tacit.models.vae.posteriors import Diagonal, EncoderPosterior, InverseAutoregressive
from tacit.models.vae.priors import StandardNormal

ROWS, COLUMNS, DIMS = 7, 3, 2
pytestmark = pytest.mark.reuses_keys


def model(posterior: EncoderPosterior) -> DeepLatent:
    one, two = jax.random.split(jax.random.key(1))
    encoder = MLP(COLUMNS, (5,), posterior.outputs(DIMS), key=one)
    likelihood = PerEntryNormalLikelihood()
    decoder = MLP(DIMS, (5,), 2 * COLUMNS, key=two, shape=(COLUMNS, 2))
    made = DeepLatent(encoder, decoder, StandardNormal(DIMS), posterior, likelihood, None)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64) if eqx.is_inexact_array(leaf) else leaf, made)


def encoding(vae: DeepLatent, x: jax.Array) -> tuple[DiagonalAffine, Bijection | None, jax.Array | None]:
    """S: from noise s to codes, given rows; its affine part, and the flow after it."""
    found = vae.encode(x)
    base = getattr(found, "base", found)
    return base.map, getattr(found, "bijection", None), getattr(found, "given", None)


def decoding(vae: DeepLatent, z: jax.Array) -> DiagonalAffine:
    """T: from noise r to rows, given codes."""
    outputs = vae.decode(z)
    return DiagonalAffine(outputs[..., 0], jnp.log(vae.likelihood.floor + jax.nn.softplus(outputs[..., 1])))


@pytest.mark.parametrize("kind", ["diagonal", "inverse-autoregressive"])
@double_precision
def test_the_bound_is_the_divergence_of_two_push_forwards(kind: str) -> None:
    flow = InverseAutoregressive(DIMS, key=jax.random.key(2), hidden=(4,), context=3)
    vae = model(Diagonal() if kind == "diagonal" else flow)
    x, key = jnp.asarray(np.random.default_rng(0).normal(size=(ROWS, COLUMNS))), jax.random.key(3)
    s = vae.encode(x).noise(key, 1)[0]
    # q(x) q(z|x) = (Id × S)# of q(x) and noise: its density at (x, S(x, s)), but for q(x)
    affine, bend, given = encoding(vae, x)
    z, log_det = affine.forward(s)
    if bend is not None:
        z, more = bend.forward(z, given)
        log_det = log_det + more
    log_q = white_log_prob(s) - log_det
    # p(z) p(x|z) = (T × Id)# of noise r and p(z): the noise that T makes x of, and how much T stretches it
    r, log_det = decoding(vae, z).inverse(x)
    log_p = white_log_prob(r) + log_det + white_log_prob(z)
    _, terms = ImportanceWeighted(1, "reparameterised")(vae, Batch(RowBatch(x), jnp.ones(ROWS), key, jnp.ones(())))
    np.testing.assert_allclose(log_p - log_q, terms["iwae"], rtol=0, atol=1e-10)
