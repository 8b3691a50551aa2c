"""``tacit.infer`` beside NumPyro's stochastic variational inference, and both beside a long run of NUTS."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO, autoguide
from sklearn.datasets import load_breast_cancer

from benchmarks.frame import Row
from tacit import infer

TITLE = "Black-box variational inference: tacit.infer and NumPyro's SVI, on the same NumPyro models"
NOTE = (
    "Times are of one call in a fresh process, compilation included. Ours fits two starts, chooses its own number of "
    "steps and gives k̂; the peer fits one start with Adam (0.01), 8 draws a step and 5 000 steps, as nothing in it "
    "says when to stop. ELBOs are judged after the fit by 4 000 draws of each guide. Errors are against 8 000 draws of "
    "NUTS: of means in its standard deviations, of standard deviations as a share of its own."
)
STEPS = 5000


class Case(NamedTuple):
    """A model and its data."""

    name: str
    model: Callable[..., None]
    data: dict[str, Any]
    sites: tuple[str, ...]


def schools(errors: Any, effects: Any = None) -> None:
    """Eight schools (Rubin 1981), with the offsets from the mean as parameters."""
    mean = numpyro.sample("mean", dist.Normal(0, 5))
    spread = numpyro.sample("spread", dist.HalfCauchy(5))
    with numpyro.plate("school", 8):
        offset = numpyro.sample("offset", dist.Normal(0, 1))
        numpyro.sample("seen", dist.Normal(mean + spread * offset, errors), obs=effects)


def logistic(rows: Any, outcome: Any = None) -> None:
    """A logistic regression with a standard normal prior."""
    w = numpyro.sample("w", dist.Normal(jnp.zeros(rows.shape[1]), 1.0).to_event(1))
    with numpyro.plate("row", rows.shape[0]):
        numpyro.sample("y", dist.Bernoulli(logits=rows @ w), obs=outcome)


def cases() -> tuple[Case, ...]:
    """The models that are compared on."""
    effects = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    errors = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    table = load_breast_cancer()
    rows = (table.data - table.data.mean(0)) / table.data.std(0)
    return (
        Case("eight schools", schools, {"errors": errors, "effects": effects}, ("mean", "spread", "offset")),
        Case("breast cancer, logistic, 30 columns", logistic, {"rows": rows, "outcome": table.target * 1.0}, ("w",)),
    )


def run(quick: bool) -> Iterator[Row]:
    """Rows for every model and guide: time, ELBO, and the distance from NUTS."""
    guides = {"mean-field": autoguide.AutoNormal, "full-rank": autoguide.AutoMultivariateNormal}
    for case in cases()[: 1 if quick else None]:
        truth = _nuts(case, 100 if quick else 4000)
        for name, guide in guides.items():
            yield from _rows(case, name, guide, truth, 200 if quick else STEPS)


def _rows(case: Case, name: str, guide: Any, truth: dict[str, np.ndarray], steps: int) -> Iterator[Row]:
    began = time.perf_counter()
    found = infer(case.model, case.data, guide=name, max_steps=max(10 * steps, 2000))
    ours = time.perf_counter() - began
    began = time.perf_counter()
    elbo, draws = _svi(case, guide, steps)
    peer = time.perf_counter() - began
    what = f"{case.name}, {name}"
    yield Row(f"{what}: time", "s", (ours,), (peer,), "NumPyro SVI", (peer / ours,))
    yield Row(f"{what}: ELBO", "nats", (found.elbo,), (elbo,), "NumPyro SVI", note=f"k̂ = {found.khat:.2f}")
    forms = {"as fitted": found.posterior.draws}
    if found.verdict.reliable:  # else nobody is told to use them
        forms["corrected by weights"] = found.corrected().draws
    for form, mine in forms.items():
        means, sds = _distance(case, mine, truth)
        theirs = _distance(case, draws, truth)
        yield Row(f"{what}, {form}: largest error of a mean", "sd", (means,), (theirs[0],), "NumPyro SVI")
        yield Row(f"{what}, {form}: mean ratio of sds to NUTS", "1", (sds,), (theirs[1],), "NumPyro SVI")


def _svi(case: Case, guide: Any, steps: int) -> tuple[float, dict[str, np.ndarray]]:
    own = guide(case.model)
    svi = SVI(case.model, own, numpyro.optim.Adam(0.01), Trace_ELBO(8))
    found = svi.run(jax.random.key(0), steps, progress_bar=False, **case.data)
    loss = Trace_ELBO(4000).loss(jax.random.key(1), found.params, case.model, own, **case.data)
    draws = own.sample_posterior(jax.random.key(2), found.params, sample_shape=(4000,))
    return -float(loss), {site: np.asarray(draws[site]) for site in case.sites}


def _nuts(case: Case, number: int) -> dict[str, np.ndarray]:
    chain = MCMC(NUTS(case.model, target_accept_prob=0.95), num_warmup=1000, num_samples=2 * number, progress_bar=False)
    chain.run(jax.random.key(3), **case.data)
    return {site: np.asarray(chain.get_samples()[site]) for site in case.sites}


def _distance(case: Case, draws: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> tuple[float, float]:
    shifts, ratios = [], []
    for site in case.sites:
        spread = truth[site].std(0)
        shifts.append(np.max(np.abs(draws[site].mean(0) - truth[site].mean(0)) / spread))
        ratios.append(np.ravel(draws[site].std(0) / spread))
    return float(max(shifts)), float(np.concatenate(ratios).mean())
