"""The plate diagram of a model: daft's nodes, arrows and plates on our own placement, without pyplot."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import daft
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.plots import style
from tacit.plots.layout import EdgeLike, NodeLike, place, plate_boxes

_STEP = (2.1, 1.75)
"""Centimetres between nodes across and down."""

_NODE = 1.05
_DOT = 0.16
_LETTER = 0.19
"""Centimetres: a node's height, a fixed value's dot, and the width of a letter of a label."""

_SHADE = "#D5DBE0"


Spot = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass
class _Canvas:
    """What daft's parts ask of the thing they are drawn on; here a plain figure measured in centimetres."""

    axes: Axes
    line_width: float = 1.0
    node_unit: float = 1.0
    node_ec: str = style.INK
    node_fc: str = style.PAPER
    plate_fc: str = "none"
    observed_style: str = "shaded"
    alternate_style: str = "inner"
    directed: bool = True
    aspect: float = 1.0
    label_params: dict[str, object] = field(default_factory=dict)

    def ax(self) -> Axes:
        return self.axes

    def convert(self, *xy: float) -> np.ndarray:
        return np.atleast_1d(np.asarray(xy, dtype=np.float64))


def plate_diagram(
    nodes: Sequence[NodeLike],
    edges: Sequence[EdgeLike],
    *,
    labels: Mapping[str, str],
    roles: Mapping[str, str],
    plates: Mapping[str, str],
    scale: float = 1.0,
) -> Figure:
    """Draw a directed graph: observed nodes shaded, fixed values as dots, a box around what is repeated.

    Args:
        nodes: The nodes with the plates that each stands in.
        edges: The arrows; they must not go round in a circle.
        labels: What is written in each node, by its name.
        roles: By name: "observed" (shaded), "latent" or "parameter" (open), "hyperparameter" or "fixed" (a
            dot with the label beside it).
        plates: What is written in each plate, by its name, such as "n = 1…N".
        scale: Size against the usual one.

    Returns:
        A figure just large enough for the graph.
    """
    wide = [_width(labels[n.name], roles[n.name]) + 0.7 for n in nodes]
    step_x = max([_STEP[0], *wide, *(_label_width(label) for label in plates.values())])
    places = place(nodes, edges)
    spots = {name: (x * step_x, -y * _STEP[1]) for name, (x, y) in places.items()}
    boxes = {
        plate: (x0 * step_x, -y1 * _STEP[1], (x1 - x0) * step_x, (y1 - y0) * _STEP[1])
        for plate, (x0, y0, x1, y1) in plate_boxes(nodes, places).items()
    }
    figure, canvas = _canvas(spots, boxes, labels, roles, scale)
    taken = [(spots[edge.source], spots[edge.target]) for edge in edges]
    for x, y in spots.values():
        taken += [((x - _NODE / 2, y + lift), (x + _NODE / 2, y + lift)) for lift in (-0.4, 0.0, 0.4)]
    drawn = {}
    for node in nodes:
        upwards = any(spots[e.target][1] > spots[e.source][1] for e in edges if e.source == node.name)
        drawn[node.name] = _node(node.name, spots[node.name], labels[node.name], roles[node.name], upwards, scale)
    head = {"head_length": 0.2, "head_width": 0.16, "ec": style.QUIET, "fc": style.QUIET}
    for edge in edges:
        arrow = daft.Edge(drawn[edge.source], drawn[edge.target], plot_params=dict(head))
        arrow.render(canvas)
    for plate, box in sorted(boxes.items(), key=lambda item: -item[1][2] * item[1][3]):
        _draw_plate(canvas, box, plates.get(plate, plate), taken, scale)
    for node in drawn.values():
        node.render(canvas)
    return figure


def _width(label: str, role: str) -> float:
    """Width of a node, in centimetres."""
    return _DOT if role in ("hyperparameter", "fixed") else max(_NODE, _LETTER * len(_short(label)) + 0.35)


def _label_width(label: str) -> float:
    """Room for a plate's name, in centimetres."""
    return 0.185 * len(style.plain(label, 24)) + 0.43


def _short(label: str) -> str:
    return style.plain(label, 18)


def _canvas(
    spots: Mapping[str, Spot],
    boxes: Mapping[str, Box],
    labels: Mapping[str, str],
    roles: Mapping[str, str],
    scale: float,
) -> tuple[Figure, _Canvas]:
    """A figure whose axes are centimetres and hold every node, label and plate."""
    half = {n: (max(_width(labels[n], roles[n]), _LETTER * len(_short(labels[n])))) / 2 + 0.1 for n in spots}
    left = [x - half[n] for n, (x, _) in spots.items()] + [b[0] for b in boxes.values()]
    right = [x + half[n] for n, (x, _) in spots.items()] + [b[0] + b[2] for b in boxes.values()]
    low = [y - _NODE / 2 - 0.1 for _, y in spots.values()] + [b[1] for b in boxes.values()]
    high = [y + _NODE / 2 + 0.1 for _, y in spots.values()] + [b[1] + b[3] for b in boxes.values()]
    x0, x1 = min(left, default=0.0) - 0.1, max(right, default=1.0) + 0.1
    y0, y1 = min(low, default=0.0) - 0.1, max(high, default=1.0) + 0.1
    figure = Figure(figsize=(scale * (x1 - x0) / 2.54, scale * (y1 - y0) / 2.54), facecolor=style.PAPER)
    axes = figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    return figure, _Canvas(axes)


def _draw_plate(canvas: _Canvas, box: Box, label: str, taken: Sequence[tuple[Spot, Spot]], scale: float) -> None:
    """A box with its name in the corner that the fewest arrows and nodes pass through."""
    text = style.plain(label, 24)
    wide, high = _label_width(label), 0.42
    left, low = box[0], box[1]
    right, top = left + box[2], low + box[3]
    corners = {
        "bottom right": (right - wide, low, right, low + high),
        "bottom left": (left, low, left + wide, low + high),
        "top right": (right - wide, top - high, right, top),
        "top left": (left, top - high, left + wide, top),
    }
    hits = {name: sum(_passes(line, corner) for line in taken) for name, corner in corners.items()}
    plate = daft.Plate(
        box,
        label=text,
        label_offset=(5 * scale, 4 * scale),
        position=min(hits, key=hits.__getitem__),
        fontsize=style.SMALL * scale,
        rect_params={"ec": "#9AA5AE", "fc": "none", "lw": 0.9},
        bbox={"fc": style.PAPER, "ec": "none", "pad": 1.0},
    )
    plate.render(canvas)


def _passes(arrow: tuple[Spot, Spot], corner: Box) -> bool:
    """Whether a line passes through a rectangle given by its left, lower, right and upper edge."""
    (ax, ay), (bx, by) = arrow
    along = np.linspace(0.0, 1.0, 60)
    x, y = ax + along * (bx - ax), ay + along * (by - ay)
    return bool(np.any((x > corner[0]) & (x < corner[2]) & (y > corner[1]) & (y < corner[3])))


def _node(name: str, spot: Spot, label: str, role: str, upwards: bool, scale: float) -> daft.Node:
    if role in ("hyperparameter", "fixed"):
        shift = (0.0, (-10.0 if upwards else 9.0) * scale)  # the label keeps clear of the arrows
        height, aspect, fill = _DOT, 1.0, style.INK
    else:
        shift = (0.0, 0.0)
        height, aspect = _NODE, _width(label, role) / _NODE
        fill = _SHADE if role == "observed" else style.PAPER
    size = style.TEXT * 1.25 if math.isclose(aspect, 1.0) else style.TEXT
    return daft.Node(
        name,
        _short(label),
        *spot,
        scale=height,
        aspect=aspect,
        offset=shift,
        fontsize=size * scale,
        plot_params={"fc": fill, "ec": style.INK},
        label_params={"color": style.INK},
    )
