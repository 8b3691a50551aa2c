"""What rows do not say: filled in by what is likeliest or expected, or drawn from its joint posterior."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float, Int

from tacit.compute import HostArray
from tacit.data.errors import listed
from tacit.models.network.blocks import NormalBlock
from tacit.models.network.buckets import draws, most_probable
from tacit.models.network.case import Impossible, contradiction
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.row_inference import RowPosteriors, plan_of
from tacit.models.network.sweeps import forward

DRAWS = 65_536
"""Draws of one row that are made side by side."""

Likelihoods = Mapping[int, Float[HostArray, "_ rows"]]


def completed(network: Network, rows: Float[HostArray, "rows nodes"]) -> Float[HostArray, "rows nodes"]:
    """Rows with the likeliest level of every gap, and the mean of a number; NaN where a row is impossible."""
    filled = np.array(rows)
    if not np.isnan(rows).any():
        return filled
    for where, chunk, found in network.inferred(rows):
        part, missing = filled[where], np.isnan(rows[where])
        impossible = np.isneginf(found.log_prob)
        for node in network.nodes:
            gaps = missing[:, node.place]
            if not gaps.any():
                continue
            if node.levels is not None:
                value = np.where(impossible, np.nan, found.marginal(node.place).argmax(0))
            else:
                value = _mean(network, node.place, chunk, found)
            part[gaps, node.place] = np.broadcast_to(value, gaps.shape)[gaps]
    return filled


def gap_posteriors(
    network: Network, rows: Float[HostArray, "rows nodes"], logged: frozenset[int]
) -> dict[int, Float[HostArray, "rows figures"]]:
    """Of every node with gaps: the probabilities of its levels, or mean and deviation; NaN of an impossible row.

    Nodes that are ``logged`` are logarithms of what is asked.
    """
    nodes = [node for node in network.nodes if np.isnan(rows[:, node.place]).any()]
    found = {node.place: np.full((len(rows), node.levels or 2), np.nan) for node in nodes}
    for where, chunk, posterior in network.inferred(rows):
        possible = ~np.isneginf(posterior.log_prob)
        for node in nodes:
            part = found[node.place][where]
            if node.levels is not None:
                part[possible] = posterior.marginal(node.place).T[possible]
            else:
                moments = _moments(network, node.place, chunk, posterior, logged=node.place in logged)
                part[possible] = np.stack(moments, axis=1)[possible]
    return found


def _moments(
    network: Network, place: int, chunk: Chunk, found: RowPosteriors, *, logged: bool
) -> tuple[Float[HostArray, " rows"], Float[HostArray, " rows"]]:
    """Mean and standard deviation of a number in every row, by the law of total variance."""
    for block in found.factors.blocks:
        if place in block.variables:
            at = block.variables.index(place)
            weights = found.of_table(found.factors.owners[block.nodes[0].place])
            means, variances = block.means[..., at], block.covariances[..., at, at]
            break
    else:
        weights, node = found.of_node(place), network.nodes[place]
        means = node.expectation(chunk)
        variances = node.variances_of(chunk)
    if logged:
        means, variances = np.exp(means + 0.5 * variances), np.expm1(variances) * np.exp(2.0 * means + variances)
    shape = np.broadcast_shapes(weights.shape, means.shape, variances.shape, (len(found.log_prob),))
    weights, means, variances = (
        np.broadcast_to(each, shape).reshape(-1, shape[-1]) for each in (weights, means, variances)
    )
    mean = (weights * means).sum(0)
    return mean, np.sqrt(np.maximum((weights * (variances + (means - mean) ** 2)).sum(0), 0.0))


def _mean(network: Network, place: int, chunk: Chunk, found: RowPosteriors) -> Float[HostArray, " rows"]:
    """``E[x | what the row says]`` of a number."""
    for at, block in enumerate(found.factors.blocks):
        if place in block.variables:
            weights = found.of_table(found.factors.owners[block.nodes[0].place])
            means = found.factors.blocks[at].means[..., block.variables.index(place)]
            break
    else:
        weights = found.of_node(place)
        means = network.nodes[place].expectation(chunk)
    product: np.ndarray = weights * means
    return product.reshape(-1, product.shape[-1]).sum(0)


def drawn(
    network: Network,
    rows: Float[HostArray, "rows nodes"],
    number: int,
    random: np.random.Generator,
    likelihoods: Likelihoods | None = None,
) -> Float[HostArray, "number rows nodes"]:
    """Rows with what is missing drawn from its joint posterior, so many times; NaN where a row is impossible."""
    filled = np.repeat(np.array(rows)[None], number, axis=0)
    layout = network.checked_layout(rows)
    for where, chunk, factors in network.tables_of(rows, layout, likelihoods or {}):
        plan = plan_of(network.nodes, factors, network.sizes)
        swept = forward(plan, factors.tables)
        for begin in range(0, number, DRAWS):
            several = slice(begin, min(begin + DRAWS, number))
            levels = draws(plan, factors.tables, several.stop - several.start, random, swept)
            part = filled[several, where]
            _take_levels(part, levels if levels.ndim == 3 else levels[None], network)
            _draw_numbers(network, chunk, factors.blocks, part, random)
            part[:, np.isneginf(np.broadcast_to(swept.log_z, part.shape[1]))] = np.nan
    return filled


def _take_levels(
    part: Float[HostArray, "number rows nodes"], levels: Int[HostArray, "rows number nodes"], network: Network
) -> None:
    for node in network.nodes:
        if node.levels is not None:
            own = levels[:, :, node.place].T
            gaps = np.isnan(part[:, :, node.place])
            part[:, :, node.place] = np.where(gaps, np.broadcast_to(own, gaps.shape), part[:, :, node.place])


def _draw_numbers(
    network: Network,
    chunk: Chunk,
    blocks: tuple[NormalBlock, ...],
    part: Float[HostArray, "number rows nodes"],
    random: np.random.Generator,
) -> None:
    """Numbers given all levels: those of a block together, then each given its parents."""
    for block in blocks:
        _draw_block(chunk, block, part, random)
    for place in network.graph.order:
        node = network.nodes[place]
        gaps = np.isnan(part[:, :, place])
        if node.levels is None and gaps.any():
            part[gaps, place] = node.draw(part[gaps], random)


def _draw_block(
    chunk: Chunk, block: NormalBlock, part: Float[HostArray, "number rows nodes"], random: np.random.Generator
) -> None:
    hidden = chunk.configurations(block.members).hidden
    number, rows = part.shape[:2]
    at = tuple(part[:, :, v].astype(np.intp) for v in hidden)
    row = np.broadcast_to(np.arange(rows), (number, rows))
    axis = row if block.means.shape[len(hidden)] > 1 else np.zeros_like(row)
    means, spreads = block.means[(*at, axis)], block.covariances[(*at, axis)]
    seen = np.diagonal(spreads, axis1=-2, axis2=-1) <= 0
    factor = np.linalg.cholesky(spreads + np.eye(len(block.variables)) * seen[..., None, :])
    noise = random.standard_normal((number, rows, len(block.variables))) * ~seen
    values = means + (factor * noise[..., None, :]).sum(-1)
    for place, v in enumerate(block.variables):
        gaps = np.isnan(part[:, :, v])
        part[:, :, v] = np.where(gaps, values[..., place], part[:, :, v])


def most_probable_row(
    network: Network, row: Float[HostArray, " nodes"], likelihoods: Likelihoods | None = None
) -> tuple[Float[HostArray, " nodes"], float, float]:
    """A row with the most probable state of all that is missing, its log-probability, and its share of the posterior.

    Raises:
        ValueError: a number is missing.
        Impossible: the evidence has probability 0.
    """
    lacking = [node.place for node in network.nodes if node.levels is None and np.isnan(row[node.place])]
    if lacking:
        raise ValueError(
            f"the most probable state is one of levels, and {listed([network.graph.names[v] for v in lacking])} "
            "is a number that is not given: give it, or ask for means (query, impute)"
        )
    layout = network.checked_layout(row[None])
    (_, _, factors), *_ = network.tables_of(row[None], layout, likelihoods or {})
    plan = plan_of(network.nodes, factors, network.sizes)
    levels, value = most_probable(plan, factors.tables)
    if np.isneginf(value):
        raise Impossible(contradiction(network, row, likelihoods))
    log_prob = float(value + factors.log[0])
    whole = float(forward(plan, factors.tables).log_z + factors.log[0])
    return np.where(np.isnan(row), levels, row), log_prob, float(np.exp(log_prob - whole))


def ancestral(
    network: Network, row: Float[HostArray, " nodes"], number: int, random: np.random.Generator
) -> Iterator[Float[HostArray, "rows nodes"]]:
    """Rows drawn from parents to children; what the row says is kept, and must have no parents.

    Raises:
        NotExact: a column that is only conditioned on has no value.
    """
    for begin in range(0, number, DRAWS):
        rows = np.repeat(row[None], min(DRAWS, number - begin), axis=0)
        for place in network.graph.order:
            if np.isnan(row[place]):
                if isinstance(network.nodes[place], ExogenousNode):
                    raise NotExact(
                        f"column {network.graph.names[place]!r} is only conditioned on, and is not drawn: give it a "
                        "value"
                    )
                rows[:, place] = network.nodes[place].draw(rows, random)
        yield rows
