"""Networks from files and to them: BIF, XMLBIF, XDSL, Hugin's .net, UAI."""

from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tacit.data.errors import DataError, listed
from tacit.data.levels import show_level
from tacit.data.network_files import NetworkTables, read_network_tables, write_network_tables
from tacit.data.schema import Column, Schema
from tacit.estimators.network.bayesian_network import BayesianNetwork
from tacit.estimators.network.columns import NodeColumns
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.model import Network
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.table import TableNode


def read_network(path: str | Path) -> BayesianNetwork:
    """A network from a file: .bif, .xml (XMLBIF, XDSL), .xdsl, .net (Hugin) or .uai, each also .gz.

    Levels keep the names and the order of the file. What is found is fitted: it scores, answers and samples.

    Raises:
        DataError: the file is damaged, or no such file; with the line and what was expected there.
        OSError: it cannot be opened.
    """
    return network_from(read_network_tables(path))


def network_from(tables: NetworkTables) -> BayesianNetwork:
    """A fitted network from its tables."""
    columns = tuple(
        Column(name, "binary" if len(levels) == 2 else "categorical", levels)
        for name, levels in zip(tables.names, tables.levels, strict=True)
    )
    found = BayesianNetwork()
    graph = DirectedGraph(tables.names, tables.parents)
    found.edges = [
        (graph.names[parent], name) for name, above in zip(graph.names, graph.parents, strict=True) for parent in above
    ]
    found.schema_ = Schema(columns)
    found.n_features_in_ = len(columns)
    found.feature_names_in_ = np.asarray(tables.names, dtype=object)
    found.columns_ = NodeColumns(found.schema_, ("categorical",) * len(columns), ())
    found.fixed_, found.never_seen_, found.strengths_ = {}, {}, ()
    nodes = tuple(
        TableNode(place, above, (), np.asarray(table, np.float64), 0.0, len(levels))
        for place, (above, table, levels) in enumerate(zip(tables.parents, tables.tables, tables.levels, strict=True))
    )
    found.model_ = Network(nodes, graph, None, float(found.max_bytes))
    found.n_parameters_ = found.model_.n_parameters()
    found.edges_ = tuple(found.edges)
    found.remarks_ = tables.remarks
    found.n_iter_, found.converged_, found.stop_reason_ = 0, True, "read from a file"
    return found


def write_network(model: BayesianNetwork, path: str | Path) -> None:
    """Write a network of nodes with levels; the format by the ending: .bif, .xml (XMLBIF), .net or .uai, each also .gz.

    Raises:
        DataError: a node is a number, or depends on one; another ending; a name that the format has no way to write.
        OSError: the file cannot be written.
    """
    check_is_fitted(model)
    nodes = [_table(model, node) for node in model.model_.nodes]
    others = [model.columns_.names[node.place] for node in nodes if not isinstance(node, TableNode)]
    if others:
        raise DataError(
            f"files of networks hold nodes with levels, and {listed(others)} is none, or depends on a number: keep the "
            "model with tacit.save"
        )
    tables = tuple(node.table for node in nodes if isinstance(node, TableNode))
    levels = tuple(tuple(map(show_level, model.columns_.levels_of(node))) for node in range(len(tables)))
    write_network_tables(NetworkTables(model.columns_.names, levels, model.model_.graph.parents, tables), path)


def _table(model: BayesianNetwork, node: NetworkNode) -> NetworkNode:
    """A node as it is written: of what was set by an intervention, a table that is sure of it."""
    if node.place not in model.fixed_ or node.levels is None:
        return node
    sure = np.eye(node.levels)[int(model.fixed_[node.place])]
    return TableNode(node.place, (), (), sure, 0.0, node.levels)
