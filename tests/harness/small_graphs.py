"""All directed graphs without circles on a few nodes, rows drawn at random, and tables of bnlearn's samples."""

import csv
import functools
import gzip
import itertools
from pathlib import Path

import numpy as np

from tacit.data.network_files.tables import find_circle
from tacit.models.network.learning.graphs import Parents, parents_of


@functools.cache
def all_graphs(nodes: int) -> tuple[Parents, ...]:
    """Every directed graph without circles: 3, 25, 543 and 29 281 on 2, 3, 4 and 5 nodes."""
    pairs = list(itertools.combinations(range(nodes), 2))
    found = []
    for marks in itertools.product((0, 1, 2), repeat=len(pairs)):
        arrows = [pair if mark == 1 else pair[::-1] for pair, mark in zip(pairs, marks, strict=True) if mark]
        parents = parents_of(nodes, arrows)
        if not find_circle(parents):
            found.append(parents)
    return tuple(found)


def signature(parents: Parents) -> tuple[frozenset, frozenset]:
    """What equivalent graphs share (Verma & Pearl 1990): who are neighbours, and the colliders of those who are not."""
    neighbours = frozenset(frozenset((parent, node)) for node, own in enumerate(parents) for parent in own)
    colliders = frozenset(
        (frozenset(pair), node)
        for node, own in enumerate(parents)
        for pair in itertools.combinations(own, 2)
        if frozenset(pair) not in neighbours
    )
    return neighbours, colliders


@functools.cache
def classes(nodes: int) -> tuple[tuple[Parents, ...], ...]:
    """All graphs, by equivalence class."""
    found: dict[tuple, list[Parents]] = {}
    for parents in all_graphs(nodes):
        found.setdefault(signature(parents), []).append(parents)
    return tuple(map(tuple, found.values()))


def drawn_codes(rows: int, cards: tuple[int, ...], seed: int) -> np.ndarray:
    """Rows of levels in which each column depends on those before it."""
    random = np.random.default_rng(seed)
    codes = np.zeros((rows, len(cards)), np.int64)
    for column, card in enumerate(cards):
        shares = random.dirichlet(np.ones(card), size=(*cards[:column],))
        given = shares[tuple(codes[:, other] for other in range(column))] if column else np.tile(shares, (rows, 1))
        codes[:, column] = (random.random(rows)[:, None] > given.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return codes


def sample_of(folder: Path, name: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """The names and columns of one of bnlearn's samples."""
    path = folder / "bn_samples" / name
    with gzip.open(path, "rt") if name.endswith(".gz") else path.open() as file:
        rows = list(csv.reader(file))
    return rows[0], list(zip(*rows[1:], strict=True))


def coded(columns: list[tuple[str, ...]]) -> np.ndarray:
    """Columns of levels as codes."""
    return np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1)
