"""One case of a network of tables, by its joint table and by kept sweeps, against enumeration and one another."""

import math

import numpy as np
import pytest

from bif_networks import enumerated, random_network, table_network
from tacit.models.network import single
from tacit.models.network.case import Impossible, case_posteriors
from tacit.models.network.model import Network
from tacit.models.network.order import UNIT, _Search, members, neighbours
from tacit.models.network.price import TooDear
from tacit.models.network.single import prepared


@pytest.fixture(params=["product", "sweeps", "sweeps that keep nothing"])
def way(request, monkeypatch):
    single._prepared.cache_clear()
    if request.param != "product":
        monkeypatch.setattr(single, "SMALL", 0)
    if request.param.endswith("nothing"):
        monkeypatch.setattr(single, "KEPT_BYTES", 0)
    yield
    single._prepared.cache_clear()


@pytest.mark.parametrize("seed", range(4))
def test_every_case_of_a_pattern_is_what_enumeration_gives(way, seed):
    random = np.random.default_rng(seed)
    network = random_network(random, 8)
    joint = enumerated(network)
    soft = {1: random.random((network.sizes[1], 1))}
    for known in [(), (0, 5), (0, 5), (7, 2), (0, *range(2, 8))]:  # one pattern twice, with other values
        row = np.full(8, np.nan)
        draw = np.unravel_index(random.choice(joint.size, p=joint.ravel() / joint.sum()), joint.shape)
        for v in known:
            row[v] = draw[v]
        at = tuple(slice(None) if np.isnan(value) else slice(int(value), int(value) + 1) for value in row)
        shape = [network.sizes[1] if v == 1 else 1 for v in range(8)]
        part = joint[at] * soft[1][:, 0].reshape(shape)
        found = case_posteriors(network, row, soft)
        assert found.log_prob == pytest.approx(math.log(part.sum()), rel=1e-12)
        for v in np.flatnonzero(np.isnan(row)).tolist():
            expected = part.sum(tuple(w for w in range(8) if w != v)) / part.sum()
            np.testing.assert_allclose(found.levels[v], expected, rtol=1e-11)


def test_what_is_known_whole_has_a_probability_and_no_posteriors(way):
    network = random_network(np.random.default_rng(3), 6)
    found = case_posteriors(network, np.zeros(6))
    assert found.log_prob == pytest.approx(math.log(enumerated(network)[(0,) * 6]), rel=1e-12)
    assert found.levels == {}


def test_what_cannot_be_is_refused_and_the_next_case_is_right(way):
    network = random_network(np.random.default_rng(5), 5)
    child = next(node for node in network.nodes if node.discrete)
    table = child.table.copy()
    table[..., 0], table[..., 1] = 0.0, table[..., 0] + table[..., 1]
    nodes = tuple(node.with_table(table) if node is child else node for node in network.nodes)
    network = Network(nodes, network.graph)
    row = np.full(5, np.nan)
    row[child.place] = 0
    with pytest.raises(Impossible, match=network.graph.names[child.place]):
        case_posteriors(network, row)
    row[child.place] = 1
    joint = np.take(enumerated(network), 1, child.place)
    assert case_posteriors(network, row).log_prob == pytest.approx(math.log(joint.sum()), rel=1e-12)


def test_a_small_table_is_refused_too_where_less_is_allowed():
    network = random_network(np.random.default_rng(0), 6)
    small = Network(network.nodes, network.graph, None, 100.0)
    with pytest.raises(TooDear, match="max_bytes"):
        case_posteriors(small, np.full(6, np.nan))


def test_many_tables_of_small_entries_do_not_underflow(way):
    """A class with 400 columns that are known: every table takes 1e-3 of what is left."""
    names = ("class", *(f"x{at}" for at in range(400)))
    rare = np.array([[0.999, 0.001], [0.998, 0.002]])
    network = table_network(names, ((), *((0,) for _ in range(400))), [np.array([0.5, 0.5]), *[rare] * 400])
    row = np.ones(401)
    row[0] = np.nan
    found = case_posteriors(network, row)
    assert found.log_prob == pytest.approx(math.log(0.5) + 400 * math.log(0.002), rel=1e-12)
    np.testing.assert_allclose(found.levels[0], [2.0**-400, 1.0], rtol=1e-9)


def test_patterns_are_remembered():
    single._prepared.cache_clear()
    network = random_network(np.random.default_rng(0), 6)
    assert prepared(network, [1, 2], []) is prepared(network, [2, 1], [])
    assert prepared(network, [1], []) is not prepared(network, [2, 1], [])
    assert prepared(network, [1], [2]) is not prepared(network, [1], [])


@pytest.mark.parametrize("rule", ["fill", "weighted fill", "weight"])
def test_what_a_variable_would_cost_is_kept_right_edge_by_edge(rule):
    random = np.random.default_rng(1)
    for _ in range(30):
        number = int(random.integers(3, 20))
        sizes = random.integers(2, 6, number).tolist()
        widths = random.integers(1, 4, number)
        near = neighbours([tuple(random.permutation(number)[:width].tolist()) for width in widths], number)
        logs = [round(UNIT * math.log2(size)) for size in sizes]
        weights = [1] * number if rule == "fill" else sizes
        search = _Search(near, sizes, logs, list(range(number)), rule)
        for variable in random.permutation(number).tolist():
            search._take_out(variable)
            del search.fill[variable], search.clique[variable]
            for v in search.clique:
                beside = members(search.near[v])
                missing = [(a, b) for a in beside for b in beside if a < b and not search.near[a] >> b & 1]
                assert search.clique[v] == logs[v] + sum(logs[w] for w in beside)
                assert search.fill[v] == (0 if rule == "weight" else sum(weights[a] * weights[b] for a, b in missing))
