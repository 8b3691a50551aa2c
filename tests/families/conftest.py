"""One table of constructors, each beside its scipy.stats twin, feeds every generic test of the families."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
import scipy.stats as st

from tacit.families import (
    Bernoulli,
    Categorical,
    Exponential,
    Family,
    Gamma,
    LogNormal,
    NegativeBinomial,
    Normal,
    Poisson,
)


@jax.jit
def _everything(family: Any, x: Any) -> dict[str, Any]:
    """All that is asked of a family at x, as one compiled program."""
    found = {
        "log_prob": family.log_prob(x),
        "supports": family.supports(x),
        "mean": family.mean(),
        "variance": family.variance(),
        "entropy": family.entropy(),
        "statistics": family.expected_statistics(x),
    }
    if family.exponential:
        found |= {
            "log_base": family.log_base(x),
            "natural": family.natural,
            "log_normalizer": family.log_normalizer,
            "mean_parameters": family.mean_parameters,
        }
    return found


@dataclasses.dataclass(frozen=True)
class Case:
    """A batch of members of one family, the same members in scipy, and where to look at them."""

    family: Family
    peers: tuple[Any, ...]  # frozen scipy distributions, one per member
    inside: np.ndarray  # values of the support, among them extreme ones
    outside: np.ndarray  # values where the density is zero
    grid: Callable[[Any, Any], tuple[np.ndarray, np.ndarray]]  # (p, q) → points and weights of an integral

    @property
    def members(self) -> int:
        return len(self.peers)

    def everything(self) -> tuple[dict[str, np.ndarray], int]:
        """The family at the inside, the outside and a missing value; and how many are inside."""
        x = np.concatenate([self.inside, self.outside, [np.nan]])
        found = jax.tree.map(np.asarray, _everything(self.family, x[:, None]))
        return found, len(self.inside)

    def rolled(self) -> Family:
        """The same members in another order, to compare each with another."""
        return jax.tree.map(lambda leaf: np.roll(leaf, 1, axis=0), self.family)

    def rolled_peers(self) -> tuple[Any, ...]:
        return (self.peers[-1], *self.peers[:-1])


def line(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    """Trapezoidal rule on the line, far into the tails of p: exact to rounding for smooth densities."""
    points = np.linspace(p.mean() - 40 * p.std(), p.mean() + 40 * p.std(), 40_001)
    return points, np.full(points.shape, points[1] - points[0])


def half_line(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    """Trapezoidal rule in log x."""
    logs = np.linspace(-400.0, 30.0, 200_001)
    return np.exp(logs), np.exp(logs) * (logs[1] - logs[0])


def counts(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    """A plain sum over every count that can matter."""
    last = int(p.mean() + 60 * p.std()) + 100
    return np.arange(float(last)), np.ones(last)


def codes(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    """A sum over the codes."""
    return np.arange(4.0), np.ones(4)


NOT_COUNTS = np.array([-1.0, 0.5, 3.999, -np.inf, np.inf])


def _continuous() -> dict[str, Case]:
    means, variances = np.array([-1.5, 0.0, 3.0]), np.array([0.25, 4.0, 0.01])
    shapes, rates = np.array([0.4, 3.0, 60.0]), np.array([0.2, 5.0, 20.0])
    waits = np.array([0.1, 1.0, 7.0])
    logs = np.array([-1.0, 0.3, 2.0]), np.array([0.5, 0.02, 1.5])
    positive = np.array([1e-12, 1e-3, 0.2, 1.0, 2.5, 17.0, 1e3])
    not_positive = np.array([-1.0, -1e-300, -np.inf, np.inf])
    return {
        "normal": Case(
            Normal(means, variances),
            tuple(st.norm(m, np.sqrt(v)) for m, v in zip(means, variances, strict=True)),
            np.array([-1e6, -30.0, -1.5, 0.0, 0.1, 3.0, 1e3]),
            np.array([-np.inf, np.inf]),
            line,
        ),
        "gamma": Case(
            Gamma(shapes, rates),
            tuple(st.gamma(a, scale=1 / b) for a, b in zip(shapes, rates, strict=True)),
            positive,
            not_positive,
            half_line,
        ),
        "exponential": Case(
            Exponential(waits),
            tuple(st.expon(scale=1 / b) for b in waits),
            np.append(positive, 0.0),
            not_positive,
            half_line,
        ),
        "log-normal": Case(
            LogNormal(Normal(*logs)),
            tuple(st.lognorm(np.sqrt(v), scale=np.exp(m)) for m, v in zip(*logs, strict=True)),
            positive,
            not_positive,
            half_line,
        ),
    }


def _discrete() -> dict[str, Case]:
    rates = np.array([1e-3, 4.2, 130.0])
    means, sizes = np.array([0.3, 6.0, 90.0]), np.array([0.2, 3.0, 5e3])
    ones = np.array([0.5, 0.03, 0.999])
    table = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.97, 0.01, 0.01, 0.01]])
    many = np.array([0.0, 1.0, 2.0, 5.0, 15.0, 16.0, 17.0, 40.0, 300.0, 2e4])
    return {
        "poisson": Case(Poisson(rates), tuple(st.poisson(r) for r in rates), many, NOT_COUNTS, counts),
        "negative-binomial": Case(
            NegativeBinomial(means, sizes),
            tuple(st.nbinom(r, r / (r + m)) for m, r in zip(means, sizes, strict=True)),
            many,
            NOT_COUNTS,
            counts,
        ),
        "bernoulli": Case(
            Bernoulli(ones),
            tuple(st.bernoulli(p) for p in ones),
            np.array([0.0, 1.0]),
            np.array([-1.0, 2.0, 0.5, np.inf]),
            codes,
        ),
        "categorical": Case(
            Categorical(table),
            tuple(st.rv_discrete(values=(np.arange(4), row)) for row in table),
            np.arange(4.0),
            np.array([-1.0, 4.0, 0.5, np.inf]),
            codes,
        ),
    }


CASES = _continuous() | _discrete()


@pytest.fixture
def double() -> Iterator[None]:
    """64-bit arrays for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, double: None) -> Case:
    """Every family in turn."""
    return CASES[request.param]


@pytest.fixture(params=[name for name, case in CASES.items() if case.family.exponential])
def exponential_case(request: pytest.FixtureRequest, double: None) -> Case:
    """Every exponential family in turn."""
    return CASES[request.param]
