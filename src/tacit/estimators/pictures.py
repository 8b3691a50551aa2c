"""``plot`` of an estimator: the picture that says most of what was fitted."""

from typing import Any, Protocol

import numpy as np

from tacit import plots
from tacit.estimators.capabilities import (
    Assigns,
    HasCoefficients,
    HasTopics,
    MatrixLike,
    Mixes,
    ReadsOnce,
    Samples,
    can,
)
from tacit.estimators.factors.capabilities import HasFactors
from tacit.inference.loop import Trace
from tacit.models.graph import Graph


class Drawable(Protocol):
    """What is asked of every estimator."""

    @property
    def trace_(self) -> Trace | None:
        """How the bound rose."""

    def graph(self) -> Graph | None:
        """Its directed graph."""


DRAWN = 1000
"""Rows drawn from a model of which no rows are given."""
COEFFICIENTS, WORDS = 40, 3


def picture_of(model: Drawable, X: MatrixLike | None) -> Any:
    """A matplotlib ``Figure`` of a fitted model.

    Of regressions their coefficients; of factors their loadings; of topic models the topics by size; of mixtures and
    clusters the groups among rows (given, or drawn from the model); of all others how the bound rose, or the graph.

    Raises:
        ValueError: there is nothing to be drawn.
    """
    if can(model, HasCoefficients):
        table = model.summary().to_arrow().slice(0, COEFFICIENTS)
        mean, low, high = (table.column(name).to_numpy() for name in ("mean", "lower", "upper"))
        return plots.coefficient_plot(table.column("column").to_pylist(), mean, low, high, says="With 95 % intervals")
    if can(model, HasFactors):
        loadings = np.asarray(model.loadings_, np.float64)
        order = np.lexsort((-np.abs(loadings).max(1, initial=0.0), np.abs(loadings).argmax(1)))[:COEFFICIENTS]
        return plots.loading_map(loadings[order], [model.column_names[place] for place in order])
    if can(model, HasTopics):
        return _topics(model.topic_word_, model.vocabulary_)
    if can(model, Mixes) or (can(model, Assigns) and X is not None):
        return _groups(model, X)
    trace = model.trace_
    if trace is not None and len(trace.bound) > 1:
        return plots.bound_trace(trace.iteration, trace.bound)
    graph = model.graph()
    if graph is None:
        raise ValueError(f"{type(model).__name__} has no picture without rows: give them, plot(X)")
    return graph.draw()


def _topics(words: np.ndarray, vocabulary: tuple[str, ...] | None) -> Any:
    named = [str(place) for place in range(words.shape[1])] if vocabulary is None else list(vocabulary)
    top = np.argsort(-words, axis=1, kind="stable")[:, :WORDS]
    sizes = np.full(len(words), 1.0 / len(words))
    return plots.topic_bars(sizes, [", ".join(named[word] for word in line) for line in top])


def _groups(model: Any, X: MatrixLike | None) -> Any:
    """The groups among rows, two columns or more."""
    names = model._column_names()
    if X is None:
        if not can(model, Samples):
            raise ValueError(f"{type(model).__name__} draws no rows: give some, plot(X)")
        rows, labels = model.sample(DRAWN)
    else:
        rows = model.read(X, reset=False).rows() if can(model, ReadsOnce) else np.asarray(X, np.float64)
        labels = np.asarray(model.predict(X))
    rows = np.asarray(rows, np.float64)
    if rows.shape[1] == 1:
        share = np.eye(int(labels.max()) + 1)[np.maximum(labels, 0)]
        return plots.marginals(rows, names, ["continuous"], responsibilities=share)
    draw = plots.ellipses if rows.shape[1] == 2 else plots.pair_plot
    return draw(rows, names, labels=labels)
