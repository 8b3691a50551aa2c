"""A file of a network, such as alarm.bif, where a run is expected: it answers as a fitted network does."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np

from tacit.data.features import Target
from tacit.data.levels import show_level
from tacit.data.schema import Schema
from tacit.estimators.network.bayesian_network import BayesianNetwork
from tacit.estimators.network.files import read_network
from tacit.storage.config import RunConfig
from tacit.storage.run import RunFolder

SHOWN = 6
"""Levels of a node that are shown."""


@dataclasses.dataclass(frozen=True)
class DescribedNode:
    """A node of a network in a file."""

    name: str
    levels: tuple[str, ...]
    parents: tuple[str, ...]

    def cells(self) -> tuple[str, str, str]:
        """Its line of a table."""
        more = f" and {len(self.levels) - SHOWN} more" if len(self.levels) > SHOWN else ""
        return self.name, ", ".join(self.levels[:SHOWN]) + more, ", ".join(self.parents)


@dataclasses.dataclass(frozen=True)
class DescribedNetwork:
    """What is shown of a network in a file."""

    nodes: tuple[DescribedNode, ...]
    arrows: int
    price: str
    remarks: tuple[str, ...]


def described(path: Path) -> DescribedNetwork:
    """The nodes of a network in a file, what an exact answer costs, and what was put right on the way."""
    model = read_network(path)
    graph, columns = model.model_.graph, model.columns_
    nodes = tuple(
        DescribedNode(name, tuple(map(show_level, columns.levels_of(node))), tuple(graph.names[v] for v in above))
        for node, (name, above) in enumerate(zip(graph.names, graph.parents, strict=True))
    )
    return DescribedNetwork(nodes, len(model.edges_), str(model.price()), model.remarks_)


class NetworkFile(RunFolder):
    """What a run folder says, of a network in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @functools.cached_property
    def _network(self) -> BayesianNetwork:
        return read_network(self.path)

    @property
    def finished(self) -> bool:
        return True

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was put right while the file was read."""
        return self._network.remarks_

    def config(self) -> RunConfig:
        return RunConfig("bayesian-network", {}, {"source": str(self.path)})

    def model(self, network: Any = None) -> BayesianNetwork:
        return self._network

    def schema(self) -> Schema:
        return self._network.schema_

    def target(self) -> Target | None:
        return None

    def metrics(self) -> dict[str, Any]:
        return {}

    def calibration(self) -> dict[str, np.ndarray]:
        raise FileNotFoundError(f"{self.path} keeps no rows aside")
