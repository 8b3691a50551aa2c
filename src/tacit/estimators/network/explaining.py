"""A row of a network as a chain of conditionals, node after node along the arrows: which of them makes it odd."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.utils.validation import check_is_fitted

from tacit.data.dataset import DenseRows
from tacit.data.schema import Schema
from tacit.data.value_sets import ValueSet
from tacit.estimators.base import double_precision
from tacit.estimators.capabilities import GivesConditionals, MatrixLike
from tacit.estimators.explained_columns import DrawnColumn, LawColumn
from tacit.estimators.explaining import DRAWS, Explains, Explanation, Link
from tacit.estimators.network.asking import NetworkQuestions
from tacit.estimators.network.density import NetworkDensity, density_of
from tacit.estimators.network.evidence import row_of
from tacit.models.network.completion import ancestral
from tacit.models.network.nodes.exogenous import ExogenousNode


class NetworkConditionals(NetworkQuestions, Explains, GivesConditionals):
    """Densities of some columns given others, and rows taken apart by them."""

    def condition(self, values: Mapping[Any, Any]) -> NetworkDensity:
        """The density of the other columns, given values of these: ``p(x_rest | x_given)``.

        Args:
            values: of a column by its name, a level or a number, as `query` takes evidence; of one by its number, a
                number or the code of a level, as a mixture's ``condition``. NaN is an unknown value. Of nothing,
                ``{}``, it is the density of all columns, whose ``marginal`` is that of some.

        Raises:
            ValueError: an unknown column or level, every column given, or values that are impossible together.
        """
        check_is_fitted(self)
        named = {name: value for name, value in values.items() if isinstance(name, str)}
        row, soft = row_of(self.columns_, named, {})
        if soft:
            raise ValueError("condition takes a value of a column, not likelihoods of its levels: ask query")
        inside = self.columns_.rows(row[None])[0]
        given = {place: float(value) for place, value in enumerate(inside) if not np.isnan(value)}
        for name, value in values.items():
            if not isinstance(name, str):
                given[self.columns_.node(name)] = float(value)
        if any(place >= len(self.columns_.schema) for place in given):
            raise ValueError("a hidden node is no column of a row: ask query what follows from its state")
        return density_of(self.model_, self.columns_, given, self.fixed_, self._explained_scores)

    def explain(
        self, row: Any, among: MatrixLike | None = None, order: Sequence[int | str] | None = None
    ) -> Explanation:
        """The log-density of a row as a chain: every column given those before it, parents before their children.

        In a row without gaps or hidden nodes a link is then the node's own ``log p(x_k | parents)``: the first that is
        surprising is the node that makes the row odd. Missing entries have no link, nor has what is conditioned on.

        Args:
            row, among: as of a mixture's ``explain``.
            order: the columns in the order in which they are asked, by number or name; along the arrows where None.
        """
        check_is_fitted(self)
        visible = len(self.columns_.schema)
        along = [place for place in self.model_.graph.order if place < visible]
        return super().explain(row, among, along if order is None else order)

    @double_precision
    def explained(
        self,
        values: Float[np.ndarray, " columns"],
        others: Float[np.ndarray, "rows columns"] | None,
        places: Sequence[int],
        schema: Schema | None,
    ) -> Explanation:
        if list(places) == list(range(len(values))):  # no order of anyone's own: along the arrows
            places = [place for place in self.model_.graph.order if place < len(values)]
        return super().explained(values, others, places, schema)

    def chain(
        self, values: Float[np.ndarray, " columns"], places: Sequence[int], schema: Schema | None
    ) -> tuple[Link, ...]:
        outside = [v for v in range(len(values)) if isinstance(self.model_.nodes[v], ExogenousNode)]
        seen = [place for place in places if not np.isnan(values[place]) and place not in outside]
        steps = np.full((len(seen) + 1, len(values)), np.nan)
        steps[:, outside] = values[outside]
        for number, place in enumerate(seen, 1):
            steps[number:, place] = values[place]
        scores = self._explained_scores(steps)
        names, links = self._column_names(), []
        for number, place in enumerate(seen):
            if np.isneginf(scores[number]):  # nothing is given what cannot be
                break
            given = {int(v): float(steps[number, v]) for v in np.flatnonzero(~np.isnan(steps[number]))}
            part = float(scores[number + 1] - scores[number])
            links.append(self._link(values[place], given, place, names, schema, part))
        return tuple(links)

    def _conditional(self, given: Mapping[int, float], place: int) -> LawColumn | DrawnColumn:
        known = self.given({v: ValueSet.of([value]) for v, value in given.items()})
        law = None if known is None else known.column(place)
        if law is not None:
            return LawColumn(law)
        density = self.condition(given)
        return DrawnColumn(np.asarray(density.sample(DRAWS, random_state=0))[:, list(density.columns).index(place)])

    def _explained_rows(self, X: MatrixLike) -> Float[np.ndarray, "rows columns"]:
        check_is_fitted(self)
        return np.asarray(self.read(X, reset=False).rows(), np.float64)

    @double_precision
    def _explained_scores(self, rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " rows"]:
        return np.asarray(self.score_read(DenseRows(np.asarray(rows, np.float64))), np.float64)

    def _drawn(self) -> np.ndarray:
        row, _ = self._row(None)
        return self.columns_.rows(np.concatenate(list(ancestral(self.model_, row, DRAWS, np.random.default_rng(0)))))

    def _nearest(
        self, values: np.ndarray, others: np.ndarray | None, schema: Schema | None
    ) -> tuple[np.ndarray | None, int | None]:
        if others is None and any(isinstance(node, ExogenousNode) for node in self.model_.nodes):
            return None, None  # what is conditioned on is not drawn
        return super()._nearest(values, others, schema)
