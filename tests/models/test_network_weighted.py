"""Weighted draws of networks against enumeration, quadrature, and exact inference."""

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special, stats

from bif_networks import bif_network, enumerated, evidence_of_a_draw, random_network
from tacit.models.network.approximate.approximation import approximate
from tacit.models.network.approximate.loopy import loopy_beliefs
from tacit.models.network.approximate.products import product_of
from tacit.models.network.approximate.weighted import NetworkDraws, weighted_draws
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.softmax import SoftmaxNode
from tacit.models.network.nodes.table import TableNode


def heard(network: Network, row: np.ndarray) -> dict[int, np.ndarray]:
    """What loopy belief propagation hears of every hidden node from outside."""
    product, factors = product_of(network, row)
    beliefs = loopy_beliefs(product)
    found = {v: beliefs.outside[factors.owners[v]] for v in beliefs.marginals}
    return {v: own for v, own in found.items() if own is not None}


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_posteriors_and_evidence_within_their_errors(seed: int, guided: bool) -> None:
    network = random_network(np.random.default_rng(seed), 8)
    row = evidence_of_a_draw(network, 3, seed)
    seen = tuple(slice(None) if np.isnan(value) else int(value) for value in row)
    joint = enumerated(network)[seen]
    outside = heard(network, row) if guided else None
    found = weighted_draws(network, row, 20_000, np.random.default_rng(seed), outside=outside)
    value, error = found.log_evidence()
    assert abs(value - np.log(joint.sum())) < 4 * error + 1e-9
    hidden = np.flatnonzero(np.isnan(row)).tolist()
    for axis, v in enumerate(hidden):
        exact = joint.sum(tuple(at for at in range(joint.ndim) if at != axis)) / joint.sum()
        estimates = found.chances(v, network.sizes[v])
        assert estimates.values.sum() == pytest.approx(1.0)
        assert (np.abs(estimates.values - exact) < 4 * estimates.errors).all()
    np.testing.assert_array_equal(found.rows[:, ~np.isnan(row)], np.broadcast_to(row[~np.isnan(row)], (20_000, 3)))


@pytest.mark.parametrize("guided", [False, True])
def test_errors_are_as_large_as_they_say(shared_data: Path, guided: bool) -> None:
    network = bif_network(shared_data / "bif" / "alarm.bif.gz")
    row = evidence_of_a_draw(network, 10, 4)
    exact = float(network.log_prob(row[None])[0])
    outside = heard(network, row) if guided else None
    away = []
    for seed in range(60):
        value, error = weighted_draws(network, row, 2_000, np.random.default_rng(seed), outside=outside).log_evidence()
        away.append((value - exact) / error)
    # half and half of two kinds varies less than as many draws of their mixture, which the error is of
    assert (0.5 if guided else 0.75) < np.std(away) < 1.3
    assert abs(np.mean(away)) < 0.5


def test_what_belief_propagation_hears_makes_draws_worth_more(shared_data: Path) -> None:
    network = bif_network(shared_data / "bif" / "hailfinder.bif.gz")
    row = evidence_of_a_draw(network, 10, 7)
    plain = weighted_draws(network, row, 4_000, np.random.default_rng(0))
    guided = weighted_draws(network, row, 4_000, np.random.default_rng(0), outside=heard(network, row))
    assert guided.effective > 4 * plain.effective


def test_no_weight_is_more_than_twice_the_plain_one() -> None:
    """Even where what is heard is wrong, as it can be with loops."""
    network = random_network(np.random.default_rng(1), 6)
    row = evidence_of_a_draw(network, 2, 1)
    wrong = {v: np.array([1.0, *[1e-12] * (network.sizes[v] - 1)]) for v in range(6) if np.isnan(row[v])}
    found = weighted_draws(network, row, 30_000, np.random.default_rng(0), outside=wrong)
    assert found.log_weights.max() <= np.log(2.0)
    value, error = found.log_evidence()
    seen = tuple(slice(None) if np.isnan(entry) else int(entry) for entry in row)
    assert abs(value - np.log(enumerated(network)[seen].sum())) < 4 * error


def logistic(slope: float = 2.0) -> Network:
    """A hidden number u ~ N(0, 1), its child y with levels, p(y = 1 | u) = σ(slope·u − 1), and z ~ N(u, 0.25)."""
    prior, floor = (0.0, 0.0, 0.0, 0.0), 0.0
    u = NormalNode(0, (), (), np.array([0.0]), np.array(1.0), prior, floor)
    y = SoftmaxNode(1, (), (0,), np.array([[-1.0, slope]]), 0.0, 1.0, 2)
    z = NormalNode(2, (), (0,), np.array([0.0, 1.0]), np.array(0.25), prior, floor)
    return Network((u, y, z), DirectedGraph(("u", "y", "z"), ((), (0,), (0,))))


@pytest.mark.parametrize("z", [np.nan, 0.3])
def test_a_hidden_number_above_a_node_with_levels(z: float) -> None:
    """What exact inference refuses, against quadrature."""
    network = logistic()
    row = np.array([np.nan, 1.0, z])
    with pytest.raises(NotExact):
        network.log_prob(row[None])

    def density(u: float) -> float:
        seen = 1.0 if np.isnan(z) else stats.norm.pdf(z, u, 0.5)
        return float(stats.norm.pdf(u) * special.expit(2 * u - 1) * seen)

    total = integrate.quad(density, -9, 9)[0]
    mean = integrate.quad(lambda u: u * density(u), -9, 9)[0] / total
    square = integrate.quad(lambda u: u * u * density(u), -9, 9)[0] / total
    found = weighted_draws(network, row, 40_000, np.random.default_rng(0))
    value, error = found.log_evidence()
    moments = found.moments(0)
    assert abs(value - np.log(total)) < 4 * error
    assert (np.abs(moments.values - [mean, np.sqrt(square - mean**2)]) < 4 * moments.errors).all()
    assert (moments.errors < 0.02).all()


def test_soft_evidence_is_a_child_that_was_seen() -> None:
    network = random_network(np.random.default_rng(5), 5)
    soft = {2: np.linspace(0.2, 0.9, network.sizes[2])}
    joint = enumerated(network) * soft[2].reshape([-1 if axis == 2 else 1 for axis in range(5)])
    found = weighted_draws(network, np.full(5, np.nan), 30_000, np.random.default_rng(0), likelihoods=soft)
    value, error = found.log_evidence()
    assert abs(value - np.log(joint.sum())) < 4 * error
    estimates = found.chances(2, network.sizes[2])
    exact = joint.sum((0, 1, 3, 4)) / joint.sum()
    assert (np.abs(estimates.values - exact) < 4 * estimates.errors).all()


def test_evidence_that_no_draw_agrees_with() -> None:
    table = np.array([[1.0, 0.0], [1.0, 0.0]])
    nodes = (TableNode(0, (), (), np.array([0.5, 0.5]), 0.0, 2), TableNode(1, (0,), (), table, 0.0, 2))
    network = Network(nodes, DirectedGraph(("a", "b"), ((), (0,))))
    found = weighted_draws(network, np.array([np.nan, 1.0]), 50, np.random.default_rng(0))
    assert not found.possible
    assert found.effective == 0
    assert found.log_evidence()[0] == -np.inf
    assert np.isnan(found.chances(0, 2).values).all()


def test_a_level_that_no_draw_has_is_not_known_to_be_impossible() -> None:
    found = NetworkDraws(np.zeros((50, 1)), np.zeros(50))
    estimates = found.chances(0, 2)
    assert estimates.values == pytest.approx([1.0, 0.0], abs=1e-12)
    assert (estimates.errors >= 1 / 50).all()


def test_a_column_that_is_only_conditioned_on_must_be_given() -> None:
    nodes = (ExogenousNode(0, (), (), 2), TableNode(1, (0,), (), np.full((2, 2), 0.5), 0.0, 2))
    network = Network(nodes, DirectedGraph(("dose", "effect"), ((), (0,))))
    with pytest.raises(NotExact, match="dose"):
        weighted_draws(network, np.array([np.nan, 1.0]), 10, np.random.default_rng(0))
    given = weighted_draws(network, np.array([1.0, 1.0]), 10, np.random.default_rng(0))
    assert given.log_evidence()[0] == pytest.approx(np.log(0.5))


def rare_cause(numbers: bool) -> tuple[Network, np.ndarray]:
    """A cause of one case in a million, an effect that it always has and else one case in a hundred million."""
    effect = np.array([[1.0 - 1e-8, 1e-8], [0.0, 1.0]])
    nodes: tuple[TableNode | NormalNode | SoftmaxNode, ...] = (
        TableNode(0, (), (), np.array([1.0 - 1e-6, 1e-6]), 0.0, 2),
        TableNode(1, (0,), (), effect, 0.0, 2),
    )
    parents: tuple[tuple[int, ...], ...] = ((), (0,))
    row = np.array([np.nan, 1.0])
    if numbers:  # a hidden number above levels: no tables, and so nothing is heard of the evidence
        number = NormalNode(2, (), (), np.array([0.0]), np.array(1.0), (0.0, 0.0, 0.0, 0.0), 0.0)
        nodes = (*nodes, number, SoftmaxNode(3, (), (2,), np.array([[0.0, 1.0]]), 0.0, 1.0, 2))
        parents = (*parents, (), (2,))
        row = np.array([np.nan, 1.0, np.nan, 1.0])
    return Network(nodes, DirectedGraph(tuple(f"x{at}" for at in range(len(nodes))), parents)), row


def test_what_all_draws_miss_is_not_hidden_by_their_number() -> None:
    """The posterior of the cause is 0.99; draws that do not hear of the effect never meet it, and look all alike."""
    network, row = rare_cause(numbers=False)
    plain = weighted_draws(network, row, 5_000, np.random.default_rng(0))
    assert plain.effective > 4_900
    assert plain.chances(0, 2).values[1] == 0.0
    assert plain.missed > 0.99
    guided = weighted_draws(network, row, 5_000, np.random.default_rng(0), outside=heard(network, row))
    assert guided.chances(0, 2).values[1] == pytest.approx(1 / 1.01, abs=0.002)


def test_such_draws_are_not_concluded_from() -> None:
    network, row = rare_cause(numbers=True)
    found = approximate(network, row, "weighted")
    assert found.effective > 5_000
    assert found.errors[0].known_by == "nothing"
    assert found.largest_error == 1.0
    assert "can be far off" in found.words
    assert "up to 100 %" in found.words


def test_what_can_be_missed_is_little_where_evidence_is_common(shared_data: Path) -> None:
    network = bif_network(shared_data / "bif" / "alarm.bif.gz")
    nothing = weighted_draws(network, np.full(37, np.nan), 10_000, np.random.default_rng(0))
    assert nothing.missed == pytest.approx(3e-4, rel=1e-2)
    row = evidence_of_a_draw(network, 10, 7)
    some = weighted_draws(network, row, 10_000, np.random.default_rng(0), outside=heard(network, row))
    assert some.log_most >= some.log_weights.max() - np.log(2.0)
    assert 3e-4 < some.missed < 0.1
