"""Exact inference in networks, against enumeration of all configurations and joint Gaussians written out."""

import itertools
import tracemalloc
import weakref

import numpy as np
import pytest
from scipy.stats import multivariate_normal, poisson

from tacit.models.network.case import Impossible, case_posteriors, joint_posterior
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network, split, stack
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.poisson import PoissonNode
from tacit.models.network.nodes.softmax import SoftmaxNode
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.order import elimination_orders
from tacit.models.network.plan import planned
from tacit.models.network.price import TooDear, plan_with, price_of
from tacit.models.network.sweeps import backward, forward

NONE = (0.0, 0.0, 0.0, 0.0)


def network_of(parents, sizes, seed=0, zeros=0.0, **options):
    """Tables drawn at random, some entries 0."""
    random = np.random.default_rng(seed)
    nodes = []
    for node, above in enumerate(parents):
        table = random.dirichlet(np.ones(sizes[node]), tuple(sizes[v] for v in above))
        table = np.where(random.random(table.shape) < zeros, 0.0, table)
        table[..., 0] += 1.0 - table.sum(-1)
        nodes.append(TableNode(node, tuple(above), (), table, 0.0, sizes[node]))
    names = tuple(f"n{node}" for node in range(len(sizes)))
    return Network(tuple(nodes), DirectedGraph(names, tuple(map(tuple, parents))), **options)


def joint_of(network):
    """The whole joint table."""
    sizes = network.sizes
    joint = np.ones(sizes)
    for node in network.nodes:
        order = np.argsort(node.members)
        shape = [sizes[v] if v in node.members else 1 for v in range(len(sizes))]
        joint = joint * node.table.transpose(order).reshape(shape)
    return joint


def seen_part(joint, row):
    at = tuple(slice(None) if np.isnan(value) else slice(int(value), int(value) + 1) for value in row)
    part = np.zeros_like(joint)
    part[at] = joint[at]
    return part


LOOPED = [(), (0,), (0,), (1, 2), (3,), (3, 0), (4, 5)]
SIZES = (2, 3, 2, 4, 2, 3, 2)


@pytest.mark.parametrize("seed", range(4))
def test_posteriors_of_rows_with_scattered_gaps_are_those_of_enumeration(seed):
    network = network_of(LOOPED, SIZES, seed, zeros=0.2)
    joint, random = joint_of(network), np.random.default_rng(seed)
    rows = np.stack([random.integers(0, size, 40) for size in SIZES], 1).astype(float)
    rows[random.random(rows.shape) < 0.6] = np.nan
    parts = [seen_part(joint, row) for row in rows]
    with np.errstate(divide="ignore"):
        expected = np.log([part.sum() for part in parts])
    np.testing.assert_allclose(network.log_prob(rows), expected, rtol=1e-12)
    ((_, _, found),) = network.inferred(rows)
    possible, weights = np.flatnonzero(np.isfinite(expected)), random.random(40)
    sums = network.sums(rows[possible], weights[possible])
    for node in network.nodes:
        others = tuple(v for v in range(len(SIZES)) if v not in node.members)
        axes = sorted(node.members)
        counts = np.zeros_like(node.table)
        for row in possible:
            family = parts[row].sum(others) / parts[row].sum()
            family = family.transpose([axes.index(v) for v in node.members])
            own = found.of_node(node.place)
            np.testing.assert_allclose(own[..., min(row, own.shape[-1] - 1)], family, atol=1e-13)
            counts += weights[row] * family
        np.testing.assert_allclose(sums.statistics[node.place], counts, rtol=1e-12, atol=1e-12)


def test_impossible_rows_have_no_posterior():
    network = network_of([(), (0,)], (2, 2))
    nodes = (network.nodes[0], network.nodes[1].with_table(np.array([[1.0, 0.0], [0.5, 0.5]])))
    network = network.with_nodes(nodes)
    rows = np.array([[0.0, 1.0], [1.0, 1.0]])
    assert np.isneginf(network.log_prob(rows)[0])
    with pytest.raises(Impossible, match=r"n0.*n1"):
        case_posteriors(network, rows[0])


def test_the_gradient_of_log_z_is_expected_counts():
    network = network_of(LOOPED, SIZES)
    row = np.full(7, np.nan)
    row[[4, 6]] = 1
    scopes = tuple(tuple(v for v in node.members if np.isnan(row[v])) for node in network.nodes)
    plan = planned(scopes, SIZES)

    def leaves(tables):
        at = [tuple(slice(None) if np.isnan(row[v]) else int(row[v]) for v in n.members) for n in network.nodes]
        return [table[index] for table, index in zip(tables, at, strict=True)]

    tables = [node.table for node in network.nodes]
    found = forward(plan, leaves(tables))
    derivatives = backward(plan, found)
    step = 1e-6
    for node in (0, 3, 5):
        moved = [table.copy() for table in tables]
        moved[node] = tables[node] * (1 + step)
        rise = (forward(plan, leaves(moved)).log_z - forward(plan, leaves(tables)).log_z) / step
        np.testing.assert_allclose(rise, 1.0, rtol=1e-5)  # Σ θ ∂log Z/∂θ: the expected counts of one row
        own = leaves(tables)[node]
        counts = own * derivatives[node] / (own * derivatives[node]).sum()
        index = np.unravel_index(counts.argmax(), counts.shape)
        moved = leaves(tables)
        moved[node] = moved[node].copy()
        moved[node][index] *= 1 + step
        rise = (forward(plan, moved).log_z - forward(plan, leaves(tables)).log_z) / step
        np.testing.assert_allclose(rise, counts[index], rtol=1e-4)


def test_a_chain_of_twenty_slices_has_the_likelihood_of_the_forward_sum():
    random = np.random.default_rng(1)
    start, move = random.dirichlet(np.ones(3)), random.dirichlet(np.ones(3), 3)
    says = random.dirichlet(np.ones(4), 3)
    parents = [() if t == 0 else (t - 1,) for t in range(20)] + [(t,) for t in range(20)]
    tables = [start, *[move] * 19, *[says] * 20]
    nodes = tuple(
        TableNode(place, above, (), table, 0.0, table.shape[-1])
        for place, (above, table) in enumerate(zip(parents, tables, strict=True))
    )
    network = Network(nodes, DirectedGraph(tuple(map(str, range(40))), tuple(parents)))
    words = random.integers(0, 4, (5, 20))
    rows = np.concatenate([np.full((5, 20), np.nan), words], axis=1)
    expected = []
    for sequence in words:
        weight = start * says[:, sequence[0]]
        for word in sequence[1:]:
            weight = (weight @ move) * says[:, word]
        expected.append(np.log(weight.sum()))
    np.testing.assert_allclose(network.log_prob(rows), expected, rtol=1e-12)


def test_a_long_chain_does_not_underflow():
    parents = tuple(() if node == 0 else (node - 1,) for node in range(3000))
    table = np.array([[1e-8, 1 - 1e-8], [0.5, 0.5]])
    nodes = tuple(TableNode(v, above, (), table if above else table[1], 0.0, 2) for v, above in enumerate(parents))
    network = Network(nodes, DirectedGraph(tuple(map(str, range(3000))), parents))
    row = np.full(3000, np.nan)
    row[::2] = 0.0
    found = case_posteriors(network, row)
    two = table @ table
    np.testing.assert_allclose(found.log_prob, np.log(0.5) + 1499 * np.log(two[0, 0]), rtol=1e-10)
    np.testing.assert_allclose(found.levels[1], table[0] * table[:, 0] / two[0, 0], rtol=1e-9)


def test_joint_posteriors_and_soft_evidence_are_those_of_enumeration():
    network = network_of(LOOPED, SIZES)
    row, likelihood = np.full(7, np.nan), {6: np.array([[0.2], [0.9]])}
    row[4] = 1
    part = seen_part(joint_of(network), row) * likelihood[6][:, 0]
    found = joint_posterior(network, row, (5, 1), likelihood)
    expected = part.sum((0, 2, 3, 4, 6)).T / part.sum()
    np.testing.assert_allclose(found, expected, atol=1e-13)
    case = case_posteriors(network, row, likelihood)
    np.testing.assert_allclose(case.log_prob, np.log(part.sum()), rtol=1e-12)
    np.testing.assert_allclose(case.levels[6], part.sum((0, 1, 2, 3, 4, 5)) / part.sum(), atol=1e-13)


def test_orders_are_found_again_and_cost_what_they_say():
    scopes = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4)]
    first = elimination_orders(scopes, (3, 2, 4, 2, 5))
    assert first == elimination_orders(scopes, (3, 2, 4, 2, 5))
    best = min(_cost(scopes, (3, 2, 4, 2, 5), order) for order in itertools.permutations(range(5)))
    assert first[0].total == pytest.approx(best)


def _cost(scopes, sizes, order):
    near = {v: {u for scope in scopes if v in scope for u in scope} - {v} for v in range(len(sizes))}
    total = 0.0
    for v in order:
        total += np.prod([sizes[u] for u in near[v]]) * sizes[v]
        for u in near[v]:
            near[u] = (near[u] | near[v]) - {u, v}
        del near[v]
    return total


def test_the_price_is_what_is_held_and_is_refused_before_anything_is():
    random = np.random.default_rng(0)
    parents = [()] * 18 + [tuple(sorted(random.choice(18, 3, replace=False).tolist())) for _ in range(24)]
    network = network_of(parents, (5,) * 42)
    names = network.graph.names
    row = np.full(42, np.nan)
    row[18:] = 0.0
    price = price_of(plan_with(network.nodes, names, frozenset(range(18, 42))), names)
    assert price.bytes > 3e5
    case_posteriors(network, row)
    tracemalloc.start()
    case_posteriors(network, row)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.3 * price.bytes < held < 1.3 * price.bytes + 300_000
    small = Network(network.nodes, network.graph, None, price.bytes / 10)
    tracemalloc.start()
    with pytest.raises(TooDear, match=r"max_bytes.*were known.*loopy"):
        case_posteriors(small, row)
    assert tracemalloc.get_traced_memory()[1] < price.bytes / 2
    tracemalloc.stop()


def mixed_network(random, **options):
    """Two levels, four numbers, an arrow of every kind that is exact with gaps."""
    nodes = (
        TableNode(0, (), (), np.array([0.3, 0.7]), 0.0, 2),
        TableNode(1, (0,), (), random.dirichlet(np.ones(3), 2), 0.0, 3),
        NormalNode(2, (0,), (), random.normal(size=(2, 1)), np.array([0.5, 2.0]), NONE, 0.0),
        NormalNode(3, (1,), (2,), random.normal(size=(3, 2)), np.array([0.5, 2.0, 1.0]), NONE, 0.0),
        NormalNode(4, (0,), (2, 3), random.normal(size=(2, 3)), np.array([0.5, 1.2]), NONE, 0.0),
        NormalNode(5, (), (4,), random.normal(size=(2,)), np.asarray(0.7), NONE, 0.0),
    )
    return Network(nodes, DirectedGraph(tuple("ABcdef"), tuple(node.parents for node in nodes)), **options)


def moments_given(network, a, b):
    """Mean and covariance of the four numbers, given the levels."""
    arrows, noise, base = np.zeros((4, 4)), np.zeros(4), np.zeros(4)
    for place, node in enumerate(network.nodes[2:]):
        at = tuple({0: a, 1: b}[v] for v in node.discrete)
        base[place], noise[place] = node.coefficients[at][0], node.variances[at]
        arrows[place, [v - 2 for v in node.continuous]] = node.coefficients[at][1:]
    through = np.linalg.inv(np.eye(4) - arrows)
    return through @ base, through @ np.diag(noise) @ through.T


def drawn_rows(network, number, random, gaps):
    rows = np.full((number, len(network.nodes)), np.nan)
    for place in network.graph.order:
        rows[:, place] = network.nodes[place].draw(rows, random)
    return np.where(random.random(rows.shape) < gaps, np.nan, rows)


def test_numbers_with_gaps_are_integrated_out_as_the_joint_gaussian_says():
    random = np.random.default_rng(0)
    network = mixed_network(random)
    rows = drawn_rows(network, 120, random, 0.4)

    def weights(row):
        found = {}
        for a, b in itertools.product(range(2), range(3)):
            if (np.isnan(row[0]) or row[0] == a) and (np.isnan(row[1]) or row[1] == b):
                mean, covariance = moments_given(network, a, b)
                seen = ~np.isnan(row[2:])
                density = (
                    multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)]).pdf(row[2:][seen])
                    if seen.any()
                    else 1.0
                )
                found[a, b] = network.nodes[0].table[a] * network.nodes[1].table[a, b] * density
        return found

    expected = [sum(weights(row).values()) for row in rows]
    np.testing.assert_allclose(network.log_prob(rows), np.log(expected), rtol=1e-10, atol=1e-12)
    for row in rows[:12]:
        found, whole = case_posteriors(network, row), weights(row)
        total = sum(whole.values())
        seen = ~np.isnan(row[2:])
        for place in np.flatnonzero(~seen):
            first = second = 0.0
            for (a, b), weight in whole.items():
                mean, covariance = moments_given(network, a, b)
                gain = covariance[place, seen] @ np.linalg.pinv(covariance[np.ix_(seen, seen)])
                own = mean[place] + gain @ (row[2:][seen] - mean[seen])
                left = covariance[place, place] - gain @ covariance[seen, place]
                first, second = first + weight / total * own, second + weight / total * (left + own**2)
            number = found.numbers[int(place) + 2]
            assert number.mean == pytest.approx(first, rel=1e-9)
            assert number.variance == pytest.approx(second - first**2, rel=1e-8)


def test_what_has_no_exact_integral_is_refused_by_name():
    nodes = (
        NormalNode(0, (), (), np.zeros(1), np.ones(()), NONE, 0.0),
        SoftmaxNode(1, (), (0,), np.array([[0.0, 1.0]]), 0.0, 3.0, 2),
    )
    network = Network(nodes, DirectedGraph(("dose", "cured"), ((), (0,))))
    with pytest.raises(NotExact, match=r"cured.*dose.*row 1"):
        network.log_prob(np.array([[0.5, 1.0], [np.nan, 0.0]]))
    chance = 1 / (1 + np.exp(-0.5))
    expected = multivariate_normal(0, 1).logpdf(0.5) + np.log(chance)
    np.testing.assert_allclose(network.log_prob(np.array([[0.5, 1.0]])), expected)


def with_all_kinds(random):
    """A hidden class, a number, a level that depends on it, a count that depends on both."""
    nodes = (
        TableNode(0, (), (), np.array([0.4, 0.6]), 0.1, 2),
        NormalNode(1, (0,), (), random.normal(size=(2, 1)), np.ones(2), (0.1, 0.0, 0.1, 0.1), 1e-6),
        SoftmaxNode(2, (0,), (1,), random.normal(size=(2, 2, 2)), 0.01, 5.0, 3),
        PoissonNode(3, (0, 2), (1,), 0.3 * random.normal(size=(2, 3, 2)), 0.01, 5.0),
        NormalNode(4, (0,), (1, 3), 0.3 * random.normal(size=(2, 3)), np.ones(2), (0.1, 0.0, 0.1, 0.1), 1e-6),
    )
    return Network(nodes, DirectedGraph(tuple("Zuvwx"), tuple(node.parents for node in nodes)))


def test_the_bound_never_falls_whatever_the_nodes():
    random = np.random.default_rng(3)
    truth = with_all_kinds(random)
    rows = drawn_rows(truth, 150, random, 0.0)
    rows[:, 0] = np.nan
    rows[random.random(150) < 0.3, 4] = np.nan
    rows[random.random(150) < 0.2, 2] = np.nan
    layout = truth.layout_for(rows)
    starts = []
    for _ in range(2):
        nodes = tuple(node.randomised(random, 0.9) for node in with_all_kinds(random).nodes)
        starts.append(Network(nodes, truth.graph, layout))
    model, last = stack(starts), np.full(2, -np.inf)
    for _ in range(25):
        sums = model.prepare()(rows, np.ones(150), None)
        bound = sums.bound + model.global_bound()
        assert (bound >= last - 1e-9 * np.abs(bound)).all()
        model, last = model.m_step(sums.statistics), bound
    one = split(model)[0]
    assert one.log_prob(rows).sum() > truth.log_prob(rows).sum() - 5


def test_counts_and_chances_are_those_of_their_definitions():
    random = np.random.default_rng(4)
    network = with_all_kinds(random)
    rows = drawn_rows(network, 30, random, 0.0)
    found = network.log_prob(rows)
    for row, value in zip(rows, found, strict=True):
        z, u, v, w, x = row
        at = int(z)
        logits = np.concatenate([[0.0], network.nodes[2].coefficients[at] @ [1.0, u]])
        mean = np.exp(network.nodes[3].coefficients[at, int(v)] @ [1.0, u])
        expected = (
            np.log(network.nodes[0].table[at])
            + multivariate_normal(network.nodes[1].coefficients[at, 0], network.nodes[1].variances[at]).logpdf(u)
            + logits[int(v)]
            - np.log(np.exp(logits).sum())
            + poisson(mean).logpmf(w)
            + multivariate_normal(
                network.nodes[4].coefficients[at] @ [1.0, u, w], network.nodes[4].variances[at]
            ).logpdf(x)
        )
        assert value == pytest.approx(expected, rel=1e-10)


def test_the_order_of_hidden_levels_changes_nothing():
    random = np.random.default_rng(5)
    network = with_all_kinds(random)
    rows = drawn_rows(network, 20, random, 0.0)
    rows[:, 0] = np.nan
    turned = network.with_nodes(
        tuple(node.reordered(0, np.array([1, 0])) if 0 in node.members else node for node in network.nodes)
    )
    np.testing.assert_allclose(turned.log_prob(rows), network.log_prob(rows), rtol=1e-12)
    levels = np.array([2, 0, 1])
    renamed = network.with_nodes(
        tuple(node.reordered(2, levels) if 2 in node.members else node for node in network.nodes)
    )
    moved = rows.copy()
    moved[:, 2] = np.argsort(levels)[rows[:, 2].astype(int)]
    np.testing.assert_allclose(renamed.log_prob(moved), network.log_prob(rows), rtol=1e-12)


def test_units_change_the_numbers_and_nothing_else():
    random = np.random.default_rng(6)
    network = with_all_kinds(random)
    rows = drawn_rows(network, 20, random, 0.0)
    shift, scale = np.array([0.0, 5.0, 0.0, 0.0, -2.0]), np.array([1.0, 3.0, 1.0, 1.0, 0.5])
    moved = network.with_nodes(tuple(node.in_units(shift, scale) for node in network.nodes))
    gain = np.log(3.0) + np.log(0.5)
    np.testing.assert_allclose(moved.log_prob(rows * scale + shift), network.log_prob(rows) - gain, rtol=1e-10)


def test_rows_that_were_worked_on_are_let_go():
    chunk = Chunk(np.zeros((5, 2)), (2, 2), frozenset({0, 1}))
    assert chunk.configurations((0, 1)) is chunk.configurations((0, 1))
    seen = weakref.ref(chunk)
    del chunk
    assert seen() is None
