"""Where the nodes of a directed graph stand: layers from top to bottom, plates side by side.

Every combination of plates has a lane of its own, and the lanes of a plate are neighbours. A plate drawn
around its lanes therefore holds all its nodes and no others, and two plates overlap only if a node belongs to
both. Nodes outside all plates stand wherever they make the arrows short, above, below or beside the plates.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol


class NodeLike(Protocol):
    """What a placement needs to know of a node."""

    @property
    def name(self) -> str: ...
    @property
    def plates(self) -> tuple[str, ...]: ...


class EdgeLike(Protocol):
    """An arrow between two named nodes."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...


Place = tuple[float, float]
"""Across and down, in steps between nodes."""

_ALL_ORDERS = 6
_SEARCHED = 40
_PAD = 0.5
_BETWEEN = 0.35
_UNDER = 1.4


def layers(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The layer of each node: 0 without parents, else one below its lowest parent.

    Raises:
        ValueError: If the arrows go round in a circle; the message names the nodes on it.
    """
    parents: dict[str, set[str]] = {name: set() for name in names}
    for source, target in edges:
        parents[target].add(source)
    depth: dict[str, int] = {}
    while len(depth) < len(parents):
        ready = [n for n in names if n not in depth and parents[n] <= depth.keys()]
        if not ready:
            raise ValueError(f"the arrows go round in a circle: {' → '.join(_circle(parents, depth))}")
        depth |= {n: max((depth[p] + 1 for p in parents[n]), default=0) for n in ready}
    return depth


def _circle(parents: Mapping[str, set[str]], placed: Mapping[str, int]) -> list[str]:
    walk = [next(n for n in parents if n not in placed)]
    while walk[-1] not in walk[:-1]:
        walk.append(min(p for p in parents[walk[-1]] if p not in placed))
    return walk[walk.index(walk[-1]) :][::-1]


def place(nodes: Sequence[NodeLike], edges: Sequence[EdgeLike]) -> dict[str, Place]:
    """A place for every node: x to the right, y downwards, no two nodes in one place.

    Args:
        nodes: The nodes with the plates that each stands in.
        edges: The arrows; they must not go round in a circle.

    Returns:
        The place of each node by its name.
    """
    pairs = [(edge.source, edge.target) for edge in edges]
    depth = _pulled_down(layers([node.name for node in nodes], pairs), pairs)
    lanes, depth = _hang(_lanes(nodes, pairs), depth, pairs)
    places = _in_lanes([names for _, names in lanes], depth, pairs)
    loose = [node.name for node in nodes if not node.plates]
    if loose and len(loose) < len(nodes) <= _SEARCHED:
        places = _settle(loose, places, nodes, pairs)
    return places


def _pulled_down(depth: Mapping[str, int], pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Lower every node without parents to just above its highest child."""
    has_parents = {target for _, target in pairs}
    children: dict[str, list[str]] = {}
    for source, target in pairs:
        children.setdefault(source, []).append(target)
    return {
        n: float(min(depth[c] for c in children[n]) - 1 if n not in has_parents and n in children else d)
        for n, d in depth.items()
    }


Lane = tuple[frozenset[str], list[str]]
"""A combination of plates and the nodes that stand in just these."""


def _lanes(nodes: Sequence[NodeLike], pairs: Sequence[tuple[str, str]]) -> list[Lane]:
    """The lanes, so ordered that plates are whole and arrows between them short; loose nodes come last."""
    groups: dict[frozenset[str], list[str]] = {}
    for node in nodes:
        groups.setdefault(frozenset(node.plates), []).append(node.name)
    fed = {key: sum(target in names for _, target in pairs) for key, names in groups.items()}
    keys = sorted(groups, key=lambda key: (-fed[key], sorted(key)))
    boxed = [key for key in keys if key]
    home = {name: key for key, names in groups.items() for name in names}
    # Many combinations only arise from deep nesting: there, sorting by the plates' names keeps them whole.
    orders = itertools.permutations(boxed) if len(boxed) <= _ALL_ORDERS else [tuple(sorted(boxed, key=sorted))]

    def cost(order: tuple[frozenset[str], ...]) -> tuple[int, int]:
        rank = {key: i for i, key in enumerate(order)}
        torn = 0
        for plate in frozenset().union(*order):
            inside = [rank[key] for key in order if plate in key]
            torn += max(inside) - min(inside) + 1 - len(inside)
        ends = [(home[a], home[b]) for a, b in pairs if home[a] and home[b]]
        return torn, sum(abs(rank[a] - rank[b]) for a, b in ends)

    best = min(orders, key=cost)
    return [(key, groups[key]) for key in (*best, *(key for key in keys if not key))]


def _hang(
    lanes: Sequence[Lane], depth: dict[str, float], pairs: Sequence[tuple[str, str]]
) -> tuple[list[Lane], dict[str, float]]:
    """Put a lane of sources under the lane that it feeds, if it feeds several nodes at that lane's foot.

    Beside it, the arrows to the further nodes would pass over the nearer ones.
    """
    left = list(lanes)
    boxed = {name for plates, names in lanes if plates for name in names}
    for lane in lanes:
        plates, names = lane
        fed = {b for a, b in pairs if a in names}
        hosts = [other for other in left if fed <= set(other[1]) and other[0] and other is not lane]
        sources = not any(b in names and a in boxed for a, b in pairs)
        if not plates or len(fed) < 2 or not hosts or not sources:
            continue
        host = hosts[0]
        alone = not any(host[0] & other[0] for other in left if other is not host)
        foot = max(depth[name] for name in host[1])
        if alone and all(depth[name] == foot for name in fed):
            joined = (host[0], [*host[1], *names])
            left = [joined if other is host else other for other in left if other is not lane]
            depth = depth | dict.fromkeys(names, foot + _UNDER)
    return left, depth


def _in_lanes(
    lanes: Sequence[Sequence[str]], depth: Mapping[str, float], pairs: Sequence[tuple[str, str]]
) -> dict[str, Place]:
    """Spread each lane's layers, sweeping twice down and up so that nodes stand near their neighbours."""
    left, rows = 0.0, []
    for lane in lanes:
        by_layer: dict[float, list[str]] = {}
        for name in lane:
            by_layer.setdefault(depth[name], []).append(name)
        width = max(len(names) for names in by_layer.values())
        rows += [(layer, names, left, width) for layer, names in by_layer.items()]
        left += width + _BETWEEN
    x: dict[str, float] = {}

    def spread() -> None:
        for _, names, start, width in rows:
            first = start + (width - len(names)) / 2
            x.update({name: first + i for i, name in enumerate(names)})

    spread()
    near: dict[str, list[str]] = {name: [] for name in depth}
    for a, b in pairs:
        near[a].append(b)
        near[b].append(a)
    for sweep in range(4):
        for _, names, _, _ in sorted(rows, key=lambda row: row[0], reverse=sweep % 2 == 1):
            middle = {n: sum(x[m] for m in near[n]) / len(near[n]) if near[n] else x[n] for n in names}
            names.sort(key=middle.__getitem__)
        spread()
    return {name: (x[name], depth[name]) for name in depth}


def _settle(
    loose: Sequence[str],
    places: dict[str, Place],
    nodes: Sequence[NodeLike],
    pairs: Sequence[tuple[str, str]],
) -> dict[str, Place]:
    """Put the nodes outside all plates, one at a time, at the free places with the shortest clear arrows.

    Lower nodes come first, each seen with those that already stand; two more rounds see them all.
    """
    settled = {n: p for n, p in places.items() if n not in loose}
    boxes = list(plate_boxes(nodes, settled).values())
    xs, ys = [x for x, _ in settled.values()], [y for _, y in settled.values()]
    across = [0.5 * i for i in range(int(2 * min(xs)) - 4, int(2 * max(xs)) + 5)]
    down = sorted({*ys, *(y + step for y in (min(ys), max(ys)) for step in (-3.0, -2.0, -1.0, 1.0, 1.3, 2.0))})
    waiting = sorted(loose, key=lambda name: -places[name][1])
    for name in [*waiting, *waiting, *waiting]:
        settled.pop(name, None)
        free = [
            (x, y)
            for x, y in itertools.product({*across, *xs}, down)
            if not any(a - 0.4 < x < c + 0.4 and b - 0.35 < y < d + 0.35 for a, b, c, d in boxes)
            and all(abs(x - u) >= 1 or abs(y - v) >= 1 for u, v in settled.values())
        ]
        mine = [pair for pair in pairs if name in pair and set(pair) - {name} <= settled.keys()]
        settled[name] = min(free, key=lambda at: _cost(name, at, mine, settled))
    return {node.name: settled[node.name] for node in nodes}


def _cost(
    name: str, at: Place, pairs: Sequence[tuple[str, str]], others: Mapping[str, Place]
) -> tuple[float, float, float]:
    """Length of the node's arrows, with fines for pointing upwards and for passing over another node."""
    where = {**others, name: at}
    total = 0.0
    for a, b in pairs:
        (ax, ay), (bx, by) = where[a], where[b]
        total += ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5 + 1.0 * (by < ay) + 0.3 * (by == ay)
        total += sum(3.0 for n, p in where.items() if n not in (a, b) and _near(p, (ax, ay), (bx, by)))
    return round(total, 6), at[1], at[0]


def _near(point: Place, start: Place, end: Place) -> bool:
    """Whether a point lies within 0.4 of a segment."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy or 1.0
    along = min(max(((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / length, 0.0), 1.0)
    off = (start[0] + along * dx - point[0]) ** 2 + (start[1] + along * dy - point[1]) ** 2
    return off < 0.16


def plate_boxes(nodes: Sequence[NodeLike], places: Mapping[str, Place]) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom of each plate; a plate that encloses another is drawn further out."""
    members: dict[str, set[str]] = {}
    for node in nodes:
        for plate in node.plates:
            if node.name in places:
                members.setdefault(plate, set()).add(node.name)
    boxes: dict[str, tuple[float, float, float, float, int]] = {}
    for plate, inside in sorted(members.items(), key=lambda item: (len(item[1]), item[0])):
        within = [q for q, others in members.items() if others < inside or (others == inside and q < plate)]
        level = 1 + max((boxes[q][4] for q in within if q in boxes), default=0)
        xs, ys = [places[n][0] for n in inside], [places[n][1] for n in inside]
        # The upper and lower edges are further out: the plate's name stands at one of them.
        pad, head = _PAD + 0.08 * (level - 1), _PAD + 0.12 + 0.08 * (level - 1)
        foot = _PAD + 0.12 + 0.33 * (level - 1)
        boxes[plate] = (min(xs) - pad, min(ys) - head, max(xs) + pad, max(ys) + foot, level)
    return {plate: box[:4] for plate, box in boxes.items()}
