"""A fitted network in words: its strongest dependences, how well it predicts each column, what makes a row odd."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from tacit.compute import HostArray
from tacit.data.levels import show_level
from tacit.estimators.base import double_precision
from tacit.estimators.network.bayesian_network import BayesianNetwork
from tacit.models.network.case import joint_posterior
from tacit.models.network.completion import completed
from tacit.models.network.layout import NotExact
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.poisson import PoissonNode
from tacit.models.network.nodes.softmax import SoftmaxNode
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.price import TooDear

TABLES = 6
"""Nodes whose dependence is told."""
LINES = 12
"""Configurations of a table that are shown, the most frequent ones."""
RARE = 2.3
"""Nats by which a value that is told as rare is less likely than usual: a tenth as likely."""
LOOKED_AT = 400
"""Rows of which every column is predicted from the others."""


@dataclass(frozen=True)
class Dependence:
    """How a node depends on its parents.

    Attributes:
        node: its name.
        parents: theirs.
        words: a sentence.
        heading, lines: a table of the most frequent configurations; nothing of one without parents that have levels.
    """

    node: str
    parents: tuple[str, ...]
    words: str
    heading: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ColumnPrediction:
    """How well a column is predicted from the others of the same row.

    Attributes:
        column: its name.
        share: of rows with the right level, or of the variance that is explained.
        alone: the same for whoever knows the column alone: the share of the most frequent level, or 0.
        number: whether it is a number.
    """

    column: str
    share: float
    alone: float
    number: bool


def dependences(model: BayesianNetwork) -> tuple[Dependence, ...]:
    """The nodes that depend most on their parents, in words and tables."""
    gains: dict[str, float] = {}
    for each in model.strengths_:
        gains[each.target] = gains.get(each.target, 0.0) + each.gain
    ranked = sorted(gains, key=lambda name: -gains[name])
    names = [name for name in model.columns_.names if any(target == name for _, target in model.edges_)]
    order = [*ranked, *(name for name in names if name not in gains)]
    return tuple(_dependence(model, model.columns_.node(name)) for name in order[:TABLES])


def _dependence(model: BayesianNetwork, place: int) -> Dependence:
    node, names = model.model_.nodes[place], model.columns_.names
    parents = tuple(names[v] for v in node.parents)
    shares = _shares(model, node.discrete)
    order = np.argsort(-shares.ravel(), kind="stable")[:LINES]
    places = [tuple(int(i) for i in np.unravel_index(at, shares.shape)) for at in order] if node.discrete else []
    said = [_configuration(model, node, at) for at in places]
    if isinstance(node, TableNode):
        levels = [show_level(level) for level in model.columns_.levels_of(place)]
        lines = tuple(
            (*cells, *(f"{share:.1%}" for share in node.table[at])) for cells, at in zip(said, places, strict=True)
        )
        heading = (*(names[v] for v in node.discrete), *(f"{names[place]} = {level}" for level in levels))
        return Dependence(names[place], parents, _of_levels(model, node, places), heading, lines)
    slopes = [names[v] for v in node.continuous]
    heading = (*(names[v] for v in node.discrete), "share", "constant", *slopes)
    lines = tuple(
        (*cells, f"{shares[at]:.1%}", *(f"{number:.4g}" for number in _coefficients(node, at)))
        for cells, at in zip(said, places or [()], strict=False)
    )
    return Dependence(names[place], parents, _of_numbers(model, node, places), heading if lines else (), lines)


def _shares(model: BayesianNetwork, parents: Sequence[int]) -> Float[HostArray, "..."]:
    """How frequent the configurations of some nodes are; all alike where that is not known exactly."""
    shape = tuple(model.columns_.levels[v] or 1 for v in parents)
    row, _ = model._row(None)
    if not parents:
        return np.ones(shape)
    try:
        return joint_posterior(model.model_, row, tuple(parents))
    except (NotExact, TooDear):
        return np.full(shape, 1.0 / np.prod(shape))


def _configuration(model: BayesianNetwork, node: NetworkNode, at: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(show_level(model.columns_.levels_of(v)[level]) for v, level in zip(node.discrete, at, strict=True))


def _given(model: BayesianNetwork, node: NetworkNode, at: tuple[int, ...]) -> str:
    cells = _configuration(model, node, at)
    return " and ".join(f"{model.columns_.names[v]} = {cell}" for v, cell in zip(node.discrete, cells, strict=True))


def _of_levels(model: BayesianNetwork, node: TableNode, places: Sequence[tuple[int, ...]]) -> str:
    """Where the level whose chance moves most is likeliest, and where least."""
    name = model.columns_.names[node.place]
    chances = np.stack([node.table[at] for at in places])
    level = int(np.ptp(chances, axis=0).argmax())
    shown = show_level(model.columns_.levels_of(node.place)[level])
    high, low = int(chances[:, level].argmax()), int(chances[:, level].argmin())
    return (
        f"{name} is {shown} in {chances[high, level]:.0%} of rows where {_given(model, node, places[high])}, and in "
        f"{chances[low, level]:.0%} where {_given(model, node, places[low])}."
    )


def _coefficients(node: NetworkNode, at: tuple[int, ...]) -> Float[HostArray, " features"]:
    if isinstance(node, NormalNode | PoissonNode):
        return node.coefficients[at]
    if isinstance(node, SoftmaxNode):
        return node.coefficients[at][0]
    return np.zeros(0)


def _of_numbers(model: BayesianNetwork, node: NetworkNode, places: Sequence[tuple[int, ...]]) -> str:
    """What one more of each parent that is a number does; where it is highest and lowest by the others."""
    names, name = model.columns_.names, model.columns_.names[node.place]
    parts = []
    first = _coefficients(node, places[0] if places else ())
    for at, parent in enumerate(node.continuous, 1):
        parts.append(_effect(model, node, names[parent], float(first[at])))
    if places and isinstance(node, NormalNode) and not node.continuous:
        means = [float(node.coefficients[at][0]) for at in places]
        high, low = int(np.argmax(means)), int(np.argmin(means))
        top, bottom = (np.exp(means[i]) if _logged(model, node.place) else means[i] for i in (high, low))
        parts.append(
            f"is {top:.4g} on average where {_given(model, node, places[high])}, and {bottom:.4g} where "
            f"{_given(model, node, places[low])}"
        )
    where = f" where {_given(model, node, places[0])}" if places and node.continuous else ""
    return (
        f"{name} {', and '.join(parts)}{where}."
        if parts
        else f"{name} depends on {', '.join(names[v] for v in node.parents)}."
    )


def _effect(model: BayesianNetwork, node: NetworkNode, parent: str, slope: float) -> str:
    above = f"every one more of {parent}"
    if _logged(model, model.columns_.places[parent]):  # the slope is that of its logarithm
        slope, above = slope * np.log(2.0), f"every doubling of {parent}"
    if isinstance(node, SoftmaxNode):
        levels = model.columns_.levels_of(node.place)
        which = f"of {show_level(levels[1])} rather than {show_level(levels[0])}"
        return f"has odds {which} that are multiplied by {np.exp(slope):.3g} for {above}"
    if isinstance(node, PoissonNode) or _logged(model, node.place):
        return f"is multiplied by {np.exp(slope):.3g} for {above}"
    way = "rises" if slope > 0 else "falls"
    return f"{way} by {abs(slope):.3g} for {above}"


def _logged(model: BayesianNetwork, place: int) -> bool:
    return place < len(model.columns_.families) and model.columns_.families[place] == "log-normal"


@double_precision
def column_predictions(model: BayesianNetwork, X: Any) -> tuple[ColumnPrediction, ...]:
    """How well every column is predicted from the others, on some of the rows; nothing where that is not exact."""
    whole = model.read(X, reset=False)
    rows = model.values_of(whole.take(np.random.default_rng(0).permutation(len(whole))[:LOOKED_AT]))
    found = []
    for place, name in enumerate(model.columns_.schema.names):
        if model.columns_.families[place] == "exogenous":
            continue
        known = rows[~np.isnan(rows[:, place])]
        if len(known) < 10:
            continue
        try:
            guess = completed(model.model_, np.where(np.arange(rows.shape[1]) == place, np.nan, known))[:, place]
        except (NotExact, TooDear):
            continue
        truth = known[:, place]
        if model.columns_.levels[place] is not None:
            alone = np.unique(truth, return_counts=True)[1].max() / len(truth)
            found.append(ColumnPrediction(name, float((guess == truth).mean()), float(alone), False))
        elif truth.std() > 0:
            found.append(ColumnPrediction(name, float(1.0 - ((guess - truth) ** 2).mean() / truth.var()), 0.0, True))
    return tuple(sorted(found, key=lambda each: each.alone - each.share))


@double_precision
def oddest_nodes(model: BayesianNetwork, X: Any) -> list[str]:
    """Of every row, the value that is least likely given the row's others, in words; empty where none stands out."""
    rows = model._values(X)
    names, network = model.columns_.names, model.model_
    seen = frozenset(range(len(names)))
    worst = np.zeros(len(rows))
    found: list[tuple[NetworkNode, float] | None] = [None] * len(rows)
    for node in network.nodes:
        whole = ~np.isnan(rows[:, [node.place, *node.parents]]).any(1)
        if not whole.any():
            continue
        chunk = Chunk(rows[whole], network.sizes, seen)
        logs = np.broadcast_to(node.log_prob(chunk), int(whole.sum()))
        usual = np.median(logs) if node.levels is None else 0.0
        short = usual - logs
        for at, lack, log in zip(np.flatnonzero(whole), short, logs, strict=True):
            if lack > max(worst[at], RARE):
                worst[at], found[at] = lack, (node, float(log))
    return ["" if each is None else _odd(model, each[0], rows[at], each[1]) for at, each in enumerate(found)]


def _odd(model: BayesianNetwork, node: NetworkNode, row: Float[HostArray, " nodes"], log: float) -> str:
    columns = model.columns_

    def cell(v: int) -> str:
        if columns.levels[v] is not None:
            return show_level(columns.levels_of(v)[int(row[v])])
        value = np.exp(row[v]) if _logged(model, v) else row[v]
        return f"{value:.4g}"

    given = ", ".join(f"{columns.names[v]} = {cell(v)}" for v in node.parents[:4])
    where = f" where {given}" if given else ""
    rare = f" ({np.exp(log):.2g} of such rows)" if columns.levels[node.place] is not None else ""
    return f"{columns.names[node.place]} = {cell(node.place)} is rare{where}{rare}"
