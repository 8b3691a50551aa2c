"""How often ``tacit.infer`` is wrong, and says so: posteriors whose moments are known.

``python -m benchmarks.posteriors`` prints, for each posterior, whether the means and standard deviations are right (to
a fifth of a standard deviation, and 20 %, corrected by weights where the verdict tells one to take those), and whether
the verdict calls the approximation reliable. What counts is that no wrong answer goes unflagged. Every posterior with
one seed comes before any with the next; after ``--seconds`` no other is begun, and what was measured is summed up.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from tacit import infer


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


def measured(seeds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """A line for every posterior and seed, as many as are begun in the time."""
    end = time.perf_counter() + seconds
    for seed in range(seeds):
        for case in _cases():
            if time.perf_counter() > end:
                return
            began = time.perf_counter()
            start = {"x": np.full(case.dims, 0.3)}
            guide: Any = case.guide
            found = infer(_log_joint(case), None, start, guide=guide, random_state=seed, max_steps=8000)
            verdict = found.verdict
            moments = verdict.corrected if verdict.reliable else verdict.raw
            mean, sd = moments["x[0]"]
            right = abs(mean - case.mean) < 0.2 * case.sd and abs(math.log(sd / case.sd)) < math.log(1.2)
            yield (
                {
                    "posterior": case.name,
                    "mean": mean,
                    "sd": sd,
                    "true_mean": case.mean,
                    "true_sd": case.sd,
                    "khat": verdict.khat,
                    "missed": verdict.missed,
                    "right": bool(right),
                    "flagged": not verdict.reliable,
                    "seconds": time.perf_counter() - began,
                }
            )


def main() -> None:
    """Print the table and the two shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=900.0)
    asked = parser.parse_args()
    lines = []
    print(f"{'posterior':44} {'mean':>7} {'sd':>7} {'true':>14} {'k̂':>6} {'missed':>7}  right flagged")
    for line in measured(asked.seeds, asked.seconds):
        lines.append(line)
        true = f"{line['true_mean']:.2f} ± {line['true_sd']:.2f}"
        print(
            f"{line['posterior']:44} {line['mean']:7.2f} {line['sd']:7.2f} {true:>14} {line['khat']:6.2f} "
            f"{line['missed']:7.1%}  {'yes' if line['right'] else 'no':5} {'yes' if line['flagged'] else 'no'}",
            flush=True,
        )
    wrong = [line for line in lines if not line["right"]]
    right = [line for line in lines if line["right"]]
    print(f"wrong answers flagged: {sum(line['flagged'] for line in wrong)} of {len(wrong)}")
    print(f"right answers flagged: {sum(line['flagged'] for line in right)} of {len(right)}")


if __name__ == "__main__":
    main()
