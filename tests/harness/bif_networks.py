"""Networks of the data folder's BIF files, read as simply as these files allow."""

import gzip
import re
from pathlib import Path

import numpy as np

from tacit.models.network.graph import DirectedGraph
from tacit.models.network.model import Network
from tacit.models.network.nodes.table import TableNode


def bif_network(path: Path) -> Network:
    """The network of a file in which every row of a table stands on a line of its own."""
    text = gzip.decompress(path.read_bytes()).decode()
    found = re.findall(r"variable\s+(\S+)\s*\{[^{]*\{([^}]*)\}", text)
    levels = {name: [level.strip() for level in inside.split(",")] for name, inside in found}
    names = tuple(levels)
    place = {name: at for at, name in enumerate(names)}
    parents: list[tuple[int, ...]] = [()] * len(names)
    tables: list[np.ndarray] = [np.empty(0)] * len(names)
    for head, body in re.findall(r"probability\s*\(([^)]*)\)\s*\{([^}]*)\}", text):
        child, *given = [name.strip() for name in re.split(r"[|,]", head) if name.strip()]
        table = np.full([*(len(levels[name]) for name in given), len(levels[child])], np.nan)
        for said, numbers in re.findall(r"(table|\([^)]*\))([^;]*);", body):
            at = () if said == "table" else [level.strip() for level in said[1:-1].split(",")]
            where = tuple(levels[name].index(level) for name, level in zip(given, at, strict=False))
            table[where] = np.array([float(number) for number in numbers.split(",")]).reshape(table[where].shape)
        parents[place[child]] = tuple(place[name] for name in given)
        tables[place[child]] = table / table.sum(-1, keepdims=True)
    return table_network(names, tuple(parents), tables)


def table_network(names: tuple[str, ...], parents: tuple[tuple[int, ...], ...], tables: list[np.ndarray]) -> Network:
    """A network of discrete nodes."""
    nodes = tuple(
        TableNode(at, above, (), table, 0.0, table.shape[-1])
        for at, (above, table) in enumerate(zip(parents, tables, strict=True))
    )
    return Network(nodes, DirectedGraph(names, parents))


def random_network(random: np.random.Generator, nodes: int, parents: int = 2, levels: int = 3) -> Network:
    """A network with so many parents at most, whose tables have some zeros."""
    above = tuple(
        tuple(sorted(random.choice(node, min(node, int(random.integers(parents + 1))), replace=False).tolist()))
        for node in range(nodes)
    )
    sizes = random.integers(2, levels + 1, nodes)
    tables = []
    for node in range(nodes):
        table = random.dirichlet(np.ones(sizes[node]), tuple(sizes[list(above[node])]))
        table = np.where(random.random(table.shape) < 0.1, 0.0, table)
        table[..., 0] += 1e-3
        tables.append(table / table.sum(-1, keepdims=True))
    return table_network(tuple(f"x{node}" for node in range(nodes)), above, tables)


def enumerated(network: Network) -> np.ndarray:
    """The joint table of a small network."""
    joint = np.ones(network.sizes)
    for node in network.nodes:
        assert isinstance(node, TableNode)
        order = np.argsort(node.members)
        shape = [size if v in node.members else 1 for v, size in enumerate(network.sizes)]
        joint = joint * node.table.transpose(order).reshape(shape)
    return joint


def evidence_of_a_draw(network: Network, number: int, seed: int) -> np.ndarray:
    """A row that says what a draw has in some columns: evidence that is possible."""
    random = np.random.default_rng(seed)
    rows = np.full((1, len(network.nodes)), np.nan)
    for node in network.graph.order:
        rows[:, node] = network.nodes[node].draw(rows, random)
    row = np.full(len(network.nodes), np.nan)
    said = random.choice(len(row), number, replace=False)
    row[said] = rows[0, said]
    return row
