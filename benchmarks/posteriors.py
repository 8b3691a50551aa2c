"""How often ``tacit.infer`` is wrong, and says so: posteriors whose moments are known."""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from benchmarks.frame import Row
from benchmarks.kept import kept
from tacit import infer

TITLE = "Posteriors of tacit.infer: wrong answers that say so"
NOTE = (
    "Right: the mean of the first coordinate to a fifth of a standard deviation and its standard deviation to 20 %, "
    "corrected by importance weights where the verdict tells one to take those. Flagged: the verdict calls the "
    "approximation unreliable. What is asked is that no wrong answer goes unflagged. Two starts, at most 8 000 steps; "
    "every posterior with one seed comes before any with the next."
)
SEEDS = 2
PATIENCE = 840.0
"""Seconds after which no other posterior is begun; what was measured is summed up."""


class Case(NamedTuple):
    """A posterior, with the mean and standard deviation of its first coordinate."""

    name: str
    log_density: Callable[[Any], Any]
    dims: int
    mean: float
    sd: float
    guide: str = "full-rank"


def _two_modes(distance: float, weight: float = 0.5, dims: int = 1) -> Case:
    centre = jnp.zeros(dims).at[0].set(distance)

    def log_density(x: Any) -> Any:
        parts = jnp.stack([-0.5 * jnp.sum((x - centre) ** 2), -0.5 * jnp.sum((x + centre) ** 2)])
        return logsumexp(parts, b=jnp.array([weight, 1.0 - weight]))

    mean = distance * (2.0 * weight - 1.0)
    share = "" if weight == 0.5 else f", {weight:.0%} in one"
    of = "" if dims == 1 else f" in {dims} dimensions"
    return Case(
        f"two modes at ±{distance:g}{share}{of}", log_density, dims, mean, math.sqrt(1.0 + distance**2 - mean**2)
    )


def _cases() -> list[Case]:
    covariance = np.array([[1.0, 0.95], [0.95, 1.0]])
    precision = jnp.asarray(np.linalg.inv(covariance))

    def correlated(x: Any) -> Any:
        return -0.5 * x @ precision @ x

    def banana(x: Any) -> Any:
        return -0.5 * (x[0] / 2.0) ** 2 - 0.5 * (x[1] - 0.5 * x[0] ** 2) ** 2

    def funnel(x: Any) -> Any:
        return -0.5 * (x[0] / 3.0) ** 2 - 0.5 * jnp.sum(x[1:] ** 2) * jnp.exp(-x[0]) - 0.5 * x[1:].size * x[0]

    def student(dof: float) -> Callable[[Any], Any]:
        return lambda x: -0.5 * (dof + 1.0) * jnp.sum(jnp.log1p(x**2 / dof))

    def normal(x: Any) -> Any:
        return -0.5 * jnp.sum(x**2)

    return [
        Case("normal", normal, 3, 0.0, 1.0, "mean-field"),
        Case("correlated 0.95, full rank", correlated, 2, 0.0, 1.0),
        Case("correlated 0.95, mean field", correlated, 2, 0.0, 1.0, "mean-field"),
        Case("banana", banana, 2, 0.0, 2.0),
        Case("funnel of 3", funnel, 3, 0.0, 3.0),
        Case("funnel of 10", funnel, 10, 0.0, 3.0),
        Case("Student t, 3 degrees of freedom", student(3.0), 2, 0.0, math.sqrt(3.0)),
        Case("Student t, 10 degrees of freedom", student(10.0), 2, 0.0, math.sqrt(10.0 / 8.0)),
        *(_two_modes(distance) for distance in (1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 30.0)),
        _two_modes(4.0, 0.8),
        _two_modes(4.0, dims=5),
        _two_modes(10.0, dims=20),
    ]


def _log_joint(case: Case) -> Callable[[Any, Any], Any]:
    return lambda parameters, _: case.log_density(parameters["x"])


def run(quick: bool) -> Iterator[Row]:
    """A row a posterior, then how many wrong answers were flagged, and how many right ones."""
    end, found = time.monotonic() + PATIENCE, []
    cases = [(seed, case) for seed in range(1 if quick else SEEDS) for case in (_cases()[:2] if quick else _cases())]
    for seed, case in cases:
        if time.monotonic() > end:
            break
        line = kept("posteriors", f"{case.name}, seed {seed}", lambda case=case, seed=seed: _measured(case, seed))
        found.append(line)
        said = f"{'right' if line['right'] else 'wrong'}, {'flagged' if line['flagged'] else 'not flagged'}"
        note = f"{said}; mean {line['mean']:.2f}, the truth's {case.mean:.2f} ± {case.sd:.2f}; k̂ {line['khat']:.2f}"
        yield Row(f"{case.name}, seed {seed}", "standard deviation", (line["sd"],), (case.sd,), "the truth", note=note)
    wrong, right = ([line for line in found if line["right"] is kind] for kind in (False, True))
    flags = sum(line["flagged"] for line in wrong)
    words = f"{flags} of {len(wrong)} wrong answers flagged ({len(found)} of {len(cases)} posteriors)"
    yield Row(words, "share", (flags / max(len(wrong), 1),), asked="all", met=flags == len(wrong))
    flags = sum(line["flagged"] for line in right)
    yield Row(f"{flags} of {len(right)} right answers flagged", "share", (flags / max(len(right), 1),))


def _measured(case: Case, seed: int) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start, guide = {"x": np.full(case.dims, 0.3)}, cast(Any, case.guide)
        found = infer(_log_joint(case), None, start, guide=guide, random_state=seed, max_steps=8000)
    verdict = found.verdict
    moments = verdict.corrected if verdict.reliable else verdict.raw
    mean, sd = moments["x[0]"]
    right = abs(mean - case.mean) < 0.2 * case.sd and abs(math.log(sd / case.sd)) < math.log(1.2)
    return {
        "mean": float(mean),
        "sd": float(sd),
        "khat": float(verdict.khat),
        "right": bool(right),
        "flagged": not verdict.reliable,
    }
