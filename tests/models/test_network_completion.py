"""What rows of a network do not say: together for many rows as for one, and drawn."""

import numpy as np
import pytest

from tacit.models.network.case import case_posteriors
from tacit.models.network.completion import completed, drawn, gap_posteriors
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.model import Network
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.poisson import PoissonNode
from tacit.models.network.nodes.table import TableNode

NONE = (0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def network() -> Network:
    random = np.random.default_rng(0)
    nodes = (
        TableNode(0, (), (), np.array([0.3, 0.7]), 0.0, 2),
        NormalNode(1, (0,), (), random.normal(size=(2, 1)), np.array([0.5, 2.0]), NONE, 0.0),
        NormalNode(2, (), (1,), random.normal(size=2), np.asarray(0.7), NONE, 0.0),
        NormalNode(3, (0,), (), random.normal(size=(2, 1)), np.array([0.5, 0.3]), NONE, 0.0),
        PoissonNode(4, (0,), (), np.array([[0.5], [1.5]]), 0.0, 1.0),
    )
    return Network(nodes, DirectedGraph(tuple("Zabcn"), tuple(node.parents for node in nodes)))


@pytest.fixture(scope="module")
def rows(network: Network) -> np.ndarray:
    random = np.random.default_rng(1)
    found = np.full((30, 5), np.nan)
    for place in network.graph.order:
        found[:, place] = network.nodes[place].draw(found, random)
    return np.where(random.random(found.shape) < 0.4, np.nan, found)


def test_gaps_of_many_rows_are_those_of_each(network: Network, rows: np.ndarray) -> None:
    together, filled = gap_posteriors(network, rows, frozenset()), completed(network, rows)
    for at, row in enumerate(rows):
        alone = case_posteriors(network, row)
        for place, shares in alone.levels.items():
            np.testing.assert_allclose(together[place][at], shares, atol=1e-12)
            assert filled[at, place] == shares.argmax()
        for place, number in alone.numbers.items():
            np.testing.assert_allclose(together[place][at], [number.mean, np.sqrt(number.variance)], rtol=1e-9)
            assert filled[at, place] == pytest.approx(number.mean)


def test_draws_of_gaps_have_the_moments_of_the_posterior(network: Network, rows: np.ndarray) -> None:
    few = rows[:6]
    together = gap_posteriors(network, few, frozenset())
    several = drawn(network, few, 20_000, np.random.default_rng(0))
    seen = ~np.isnan(few)
    np.testing.assert_array_equal(several[:, seen], np.broadcast_to(few[seen], (20_000, seen.sum())))
    for place, figures in together.items():
        for at in np.flatnonzero(np.isnan(few[:, place])):
            own = several[:, at, place]
            if place == 0:
                np.testing.assert_allclose((own == 1).mean(), figures[at, 1], atol=0.02)
            else:
                assert own.mean() == pytest.approx(figures[at, 0], abs=0.06)
                assert own.std() == pytest.approx(figures[at, 1], rel=0.05)
