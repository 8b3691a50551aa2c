"""Placement of graphs: layers against brute force, plates that hold their own nodes and no others."""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit import plots
from tacit.plots.layout import layers, place, plate_boxes


@dataclass(frozen=True)
class Node:
    name: str
    plates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    source: str
    target: str


NESTED = [(), ("n",), ("k",), ("d",), ("d", "m")]
CROSSED = [(), ("i",), ("j",), ("i", "j")]


@st.composite
def graphs(draw, combinations):
    count = draw(st.integers(1, 9))
    nodes = [Node(f"v{i}", draw(st.sampled_from(combinations))) for i in range(count)]
    pairs = list(itertools.combinations(range(count), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=12)) if pairs else []
    return nodes, [Edge(f"v{i}", f"v{j}") for i, j in chosen]


def longest(name, edges):
    above = [edge.source for edge in edges if edge.target == name]
    return max((1 + longest(parent, edges) for parent in above), default=0)


@given(graphs(NESTED))
def test_layers_are_the_longest_paths(graph):
    nodes, edges = graph
    found = layers([node.name for node in nodes], [(e.source, e.target) for e in edges])
    assert found == {node.name: longest(node.name, edges) for node in nodes}


def test_a_circle_is_named():
    with pytest.raises(ValueError, match="circle: b → c → b"):
        layers(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")])


def inside(point, box):
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("combinations", [NESTED, CROSSED], ids=["nested", "crossed"])
def test_plates_hold_their_nodes_and_no_others(combinations):
    @given(graphs(combinations))
    def check(graph):
        nodes, edges = graph
        places = place(nodes, edges)
        assert len(set(places.values())) == len(nodes)
        boxes = plate_boxes(nodes, places)
        for plate, box in boxes.items():
            for node in nodes:
                assert inside(places[node.name], box) == (plate in node.plates), (plate, node)
        for p, q in itertools.combinations(boxes, 2):
            shared = any(p in node.plates and q in node.plates for node in nodes)
            assert overlap(boxes[p], boxes[q]) == shared, (p, q)
        for p, q in itertools.permutations(boxes, 2):
            if {n for n in nodes if p in n.plates} < {n for n in nodes if q in n.plates}:
                assert inside(boxes[p][:2], boxes[q]), (p, q)
                assert inside(boxes[p][2:], boxes[q]), (p, q)

    check()


def test_nodes_keep_their_distance():
    names = [Node(f"v{i}", ("n",) if i % 2 else ()) for i in range(12)]
    places = place(names, [Edge(f"v{i}", f"v{i + 1}") for i in range(0, 11, 2)])
    for a, b in itertools.combinations(places.values(), 2):
        assert max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= 0.99


def test_a_mixture_reads_from_the_top():
    nodes = [Node("pi"), Node("z", ("n",)), Node("x", ("n",)), Node("mu", ("k",))]
    places = place(nodes, [Edge("pi", "z"), Edge("z", "x"), Edge("mu", "x")])
    assert places["pi"][1] < places["z"][1] < places["x"][1]
    assert places["pi"][0] == places["z"][0] == places["x"][0]
    assert places["mu"][0] > places["x"][0]


def test_parameters_of_several_columns_stand_under_them():
    nodes = [Node("z", ("n",)), *(Node(f"x{i}", ("n",)) for i in range(3))]
    nodes += [Node(f"mu{i}", ("k",)) for i in range(3)]
    edges = [Edge(a, f"x{i}") for i in range(3) for a in ("z", f"mu{i}")]
    places = place(nodes, edges)
    for i in range(3):
        assert places[f"mu{i}"][1] > places[f"x{i}"][1]
        assert places[f"mu{i}"][0] == places[f"x{i}"][0]
    boxes = plate_boxes(nodes, places)
    assert not overlap(boxes["n"], boxes["k"])


def drawn(nodes, edges, **more):
    names = [node.name for node in nodes]
    plates = {p: f"{p} = 1…{p.upper()}" for node in nodes for p in node.plates}
    roles = dict.fromkeys(names, "latent") | more
    return plots.plate_diagram(nodes, edges, labels={n: n for n in names}, roles=roles, plates=plates)


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        ([Node("a")], []),
        ([Node("a", ("n",)), Node("b", ("n",))], [Edge("a", "b")]),
        ([Node("x" * 70), Node("$x$ <b>")], [Edge("x" * 70, "$x$ <b>")]),
        ([Node(f"v{i}", ("n",)) for i in range(45)], [Edge(f"v{i // 2}", f"v{i}") for i in range(1, 45)]),
    ],
    ids=["one node", "one plate", "long names", "a large tree"],
)
def test_diagrams_are_drawn(nodes, edges):
    figure = drawn(nodes, edges)
    assert "<svg" in plots.to_svg(figure)
    ax = figure.axes[0]
    assert len(ax.patches) + len(ax.artists) >= len(nodes) + len(edges)


def test_observed_nodes_are_shaded_and_fixed_ones_are_dots():
    figure = drawn([Node("a"), Node("b"), Node("c")], [Edge("a", "b"), Edge("b", "c")], a="fixed", c="observed")
    ellipses = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "Ellipse"]
    assert [round(patch.width, 2) for patch in ellipses] == [0.16, 1.05, 1.05]
    assert ellipses[1].get_facecolor() != ellipses[2].get_facecolor()
