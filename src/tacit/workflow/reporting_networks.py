"""What the report of a network tells."""

from tacit.data.errors import DataError
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.network.arrows import LEARNED
from tacit.estimators.network.bayesian_network import BayesianNetwork
from tacit.estimators.network.capabilities import HasArrows
from tacit.estimators.network.insight import ColumnPrediction, column_predictions, dependences, oddest_nodes
from tacit.models.network.layout import NotExact
from tacit.report.network_section import DependenceTable, NetworkFacts


def network_facts(model: HasArrows, X: MatrixLike) -> NetworkFacts:
    """The network of a model, and what it says of the rows that it was fitted to."""
    if not isinstance(model, BayesianNetwork):
        raise TypeError("a network of another kind")
    weighed = {(each.source, each.target): each for each in model.strengths_}
    edges = sorted(model.edges_, key=lambda edge: -weighed[edge].gain if edge in weighed else 0.0)
    try:
        price = str(model.price())
    except NotExact:
        price = ""
    try:
        predicted = tuple(_line(each) for each in column_predictions(model, X))
    except DataError:  # the report is of some of the columns
        predicted = ()
    return NetworkFacts(
        model.columns_.names,
        tuple(edges),
        {edge: each.gain for edge, each in weighed.items()},
        {edge: each.share for edge, each in weighed.items() if each.share is not None},
        frozenset(edge for edge, each in weighed.items() if each.reversible),
        tuple(name for name, _ in model.columns_.hidden),
        tuple(DependenceTable(each.node, each.words, each.heading, each.lines) for each in dependences(model)),
        predicted,
        price,
        isinstance(model.edges, str) and model.edges in LEARNED,
        model.never_seen_,
    )


def reasons(model: HasArrows, X: MatrixLike) -> dict[int, str]:
    """By row, the value that is least likely given what it depends on, where one stands out."""
    if not isinstance(model, BayesianNetwork):
        raise TypeError("a network of another kind")
    try:
        return {row: text for row, text in enumerate(oddest_nodes(model, X)) if text}
    except DataError:
        return {}


def _line(found: ColumnPrediction) -> tuple[str, str, str]:
    return found.column, f"{found.share:.0%}", "–" if found.number else f"{found.alone:.0%}"
