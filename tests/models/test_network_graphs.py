"""Equivalence classes and distances of directed graphs, against all graphs of a few nodes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import small_graphs
from tacit.models.graph import GraphError
from tacit.models.network.graph import topological_order
from tacit.models.network.learning import EquivalenceClass, equivalence_class, extension, hamming_distance
from tacit.models.network.learning.graphs import arrows_of, reached


def test_there_are_as_many_graphs_and_classes_as_is_known() -> None:
    # Robinson 1973 and Gillispie & Perlman 2001, table 1
    assert [len(small_graphs.all_graphs(nodes)) for nodes in (2, 3, 4)] == [3, 25, 543]
    assert [len(small_graphs.classes(nodes)) for nodes in (2, 3, 4)] == [2, 11, 185]


@pytest.mark.parametrize("nodes", [1, 2, 3, 4])
def test_a_class_has_the_arrows_that_all_its_members_share(nodes: int) -> None:
    for members in small_graphs.classes(nodes):
        shared = frozenset.intersection(*(frozenset(arrows_of(member)) for member in members))
        found = {equivalence_class(member) for member in members}
        assert len(found) == 1
        (only,) = found
        assert only.arrows == shared
        assert {frozenset(edge) for edge in (*only.arrows, *only.lines)} == small_graphs.signature(members[0])[0]
        assert extension(only) in members


def test_graphs_are_no_distance_apart_just_where_they_are_equivalent() -> None:
    graphs = small_graphs.all_graphs(3)
    for one, other in itertools.product(graphs, repeat=2):
        distance = hamming_distance(one, other)
        assert distance == hamming_distance(other, one)
        assert (distance == 0) == (small_graphs.signature(one) == small_graphs.signature(other))


def test_distances_by_hand() -> None:
    chain, fork, collider, none = ((), (0,), (1,)), ((1,), (), (1,)), ((), (0, 2), ()), ((), (), ())
    assert hamming_distance(chain, fork) == 0
    assert hamming_distance(chain, collider) == 2  # two lines against two arrows
    assert hamming_distance(collider, none) == 2
    assert hamming_distance(equivalence_class(collider), ((), (0,), ())) == 2  # one line, and one arrow missing
    with pytest.raises(ValueError, match="3 nodes and the other 2"):
        hamming_distance(chain, ((), ()))


def test_a_circle_is_printed() -> None:
    with pytest.raises(GraphError, match=r"circle: a → b → c → a|circle: b → c → a → b|circle: c → a → b → c"):
        topological_order(((2,), (0,), (1,)), names=["a", "b", "c"])
    with pytest.raises(GraphError, match="no directed graph"):
        extension(EquivalenceClass(4, frozenset(), frozenset({(0, 1), (1, 2), (2, 3), (0, 3)})))


@given(st.sampled_from(small_graphs.all_graphs(4)))
def test_what_reaches_what(parents: tuple[tuple[int, ...], ...]) -> None:
    paths = reached(parents)
    arrows = set(arrows_of(parents))
    steps = set(arrows)
    for _ in range(4):
        steps |= {(one, last) for one, middle in steps for again, last in arrows if middle == again}
    assert {(i, j) for i in range(4) for j in range(4) if paths[i, j]} == steps
    order = topological_order(parents)
    assert all(order.index(source) < order.index(target) for source, target in arrows)
