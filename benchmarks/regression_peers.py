"""NumPyro's side: a long NUTS run, and SVI with its own guides under several settings."""

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from numpyro.diagnostics import split_gelman_rubin
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal

CHAINS = 4


def model(X, y, scale=1.0):
    """Bayesian logistic regression with our priors."""
    w = numpyro.sample("w", dist.Normal(0.0, 2.5).expand([X.shape[1]]).to_event(1))
    b = numpyro.sample("z", dist.Normal(0.0, 10.0))  # z: last in the guides' order of names
    with numpyro.handlers.scale(scale=scale):
        numpyro.sample("y", dist.Bernoulli(logits=X @ w + b).to_event(1), obs=y)


def long_run(X: np.ndarray, y: np.ndarray, number: int) -> tuple[np.ndarray, float]:
    """Draws ``[chains · number, coefficients]``, intercept last, and the largest r̂."""
    with jax.enable_x64(True):
        kernel = NUTS(model, target_accept_prob=0.9, dense_mass=True)
        mcmc = MCMC(
            kernel,
            num_warmup=1000,
            num_samples=number,
            num_chains=CHAINS,
            chain_method="vectorized",
            progress_bar=False,
        )
        mcmc.run(jax.random.key(0), jnp.asarray(X), jnp.asarray(y, float))
        found = mcmc.get_samples(group_by_chain=True)
        draws = np.concatenate([np.asarray(found["w"]), np.asarray(found["z"])[..., None]], -1)
    return draws.reshape(-1, draws.shape[-1]), float(split_gelman_rubin(draws).max())


class Hit(NamedTuple):
    """One setting of SVI."""

    what: str
    seconds: float | None
    """Of its steps, until the bound was near; None if it never was."""
    spent: float
    compiling: float


def svi_race(X: np.ndarray, y: np.ndarray, judge: Callable, *, form: str, close: float, quick: bool) -> list[Hit]:
    """The time of the steps until the judge finds the guide near, without the judge's own time.

    "plain" is SVI as NumPyro's own examples have it: all rows, Adam at 0.01, the guide as it begins. For "all rows" and
    "mini-batches" there are several guides and rates that begin narrow (0.01) and fall along a cosine: both quicken SVI
    here.
    """
    rows = (jax.device_put(X), jax.device_put(y.astype(np.float32)))
    settings = {
        "plain": [(AutoDiagonalNormal, 0.01, 0, 0.1, 1000, 50)],
        "all rows": [(AutoDiagonalNormal, rate, 0, 0.01, 400, 20) for rate in (0.03, 0.1)],
        "mini-batches": [
            (kind, rate, 1024, 0.01, 3000, 150)
            for kind in (AutoDiagonalNormal, AutoMultivariateNormal)
            for rate in (0.01, 0.03)
        ],
    }
    found = []
    for kind, rate, batch, width, steps, chunk in settings[form]:
        steps = 2 * chunk if quick else steps
        fall = rate if form == "plain" else optax.cosine_decay_schedule(rate, steps)
        found.append(_one(kind, (rate, fall), width, steps, chunk, rows, judge, batch, close))
    return found


def _one(kind, rates, width, steps, chunk, rows, judge, batch, close) -> Hit:
    rate, fall = rates
    total = rows[1].shape[0]
    guide = kind(model, init_scale=width)
    optimiser = numpyro.optim.optax_to_numpyro(optax.adam(fall))
    svi = SVI(model, guide, optimiser, Trace_ELBO())
    state = svi.init(jax.random.key(0), rows[0][:10], rows[1][:10])

    @jax.jit
    def some(state, key, X, y):
        def step(now, one):
            if not batch:
                return svi.update(now, X, y)
            index = jax.random.randint(one, (batch,), 0, total)
            return svi.update(now, X[index], y[index], total / batch)

        return jax.lax.scan(step, state, jax.random.split(key, chunk))

    began = time.perf_counter()
    compiled = some.lower(state, jax.random.key(1), *rows).compile()
    compiling, spent = time.perf_counter() - began, 0.0
    what = f"{kind.__name__}, rate {rate:g}, batch {batch or total}"
    for number in range(steps // chunk):
        began = time.perf_counter()
        state, _ = jax.block_until_ready(compiled(state, jax.random.key(number), *rows))
        spent += time.perf_counter() - began
        posterior = guide.get_posterior(svi.get_params(state))
        variance = np.asarray(posterior.variance, np.float64)
        covariance = np.asarray(getattr(posterior, "covariance_matrix", np.diag(variance)), np.float64)
        if judge(np.asarray(posterior.mean, np.float64), covariance) < close:
            return Hit(f"{what}, {(number + 1) * chunk} steps", spent, spent, compiling)
    return Hit(what, None, spent, compiling)
