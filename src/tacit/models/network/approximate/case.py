"""One row of a network, and what has been worked out of it, each thing once."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from tacit.models.network.approximate.exact_parts import ExactPart, exact_part
from tacit.models.network.approximate.loopy import Beliefs, loopy_beliefs
from tacit.models.network.approximate.mean_field import MeanField, mean_field
from tacit.models.network.approximate.products import TableProduct, product_of
from tacit.models.network.approximate.weighted import Estimates, NetworkDraws, weighted_draws
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network
from tacit.models.network.row_inference import NetworkFactors

_T = TypeVar("_T")

SEEDS = 200
"""Draws that are looked through for configurations that mean field can start at."""


@dataclasses.dataclass(frozen=True)
class ApproximationSettings:
    """What an approximation may cost.

    Attributes:
        draws: weighted ones, for the method of that name and for the verdict on the others; 0 for none.
        max_bytes: for the part of the network whose exact posteriors the verdict compares with; 0 for none.
        exact_seconds: of computing for that part, about.
        max_sweeps: of belief propagation, and of mean field.
        starts: of mean field, at random; as many at draws.
        seed: of all that is drawn.
    """

    draws: int = 10_000
    max_bytes: float = 2.0**28
    exact_seconds: float = 2.0
    max_sweeps: int = 200
    starts: int = 4
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class RowCase:
    """A row and its soft evidence.

    Attributes:
        seconds: of each method, as far as it has been run.
    """

    network: Network
    row: Float[np.ndarray, " nodes"]
    likelihoods: dict[int, np.ndarray]
    settings: ApproximationSettings
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    def _timed(self, name: str, work: Callable[[], _T]) -> _T:
        began = time.perf_counter()
        found = work()
        self.seconds[name] = time.perf_counter() - began
        return found

    @functools.cached_property
    def _tables(self) -> tuple[TableProduct, NetworkFactors] | NotExact:
        try:
            return product_of(self.network, self.row, self.likelihoods)
        except NotExact as refused:
            return refused

    @property
    def has_tables(self) -> bool:
        """Whether the row leaves a product of tables; if not, only draws can answer."""
        return not isinstance(self._tables, NotExact)

    def demand_tables(self) -> tuple[TableProduct, NetworkFactors]:
        """The tables.

        Raises:
            NotExact: there are none.
        """
        if isinstance(self._tables, NotExact):
            raise NotExact(f"{self._tables}; or use method='weighted', which only draws") from self._tables
        return self._tables

    @functools.cached_property
    def beliefs(self) -> Beliefs:
        """Loopy belief propagation."""
        product, _ = self.demand_tables()
        return self._timed("loopy", lambda: loopy_beliefs(product, max_sweeps=self.settings.max_sweeps))

    @functools.cached_property
    def outside(self) -> dict[int, np.ndarray] | None:
        """What belief propagation hears of a node from all but its own table; None where it said nothing."""
        if not self.has_tables:
            return None
        _, factors = self.demand_tables()
        heard = {v: self.beliefs.outside[factors.owners[v]] for v in self.beliefs.marginals if v in factors.owners}
        return {v: own for v, own in heard.items() if own is not None}

    def draw(self, number: int, stream: int) -> NetworkDraws:
        """Weighted draws, which hear what belief propagation hears, where it can be had."""
        random = np.random.default_rng([self.settings.seed, stream])
        return weighted_draws(
            self.network, self.row, number, random, likelihoods=self.likelihoods, outside=self.outside
        )

    @functools.cached_property
    def drawn(self) -> NetworkDraws:
        """As many as the settings say, one at least.

        Raises:
            NotExact: a column that is only conditioned on is not given.
        """
        return self._timed("weighted", lambda: self.draw(max(1, self.settings.draws), 0))

    @functools.cached_property
    def hidden(self) -> frozenset[int]:
        """The nodes that are not seen."""
        return frozenset(np.flatnonzero(np.isnan(self.row)).tolist())

    @functools.cached_property
    def estimates(self) -> dict[int, Estimates]:
        """Posteriors by weighted draws, of every hidden node with levels."""
        levels = {v: self.network.nodes[v].levels for v in sorted(self.hidden)}
        return {v: self.drawn.chances(v, number) for v, number in levels.items() if number is not None}

    @functools.cached_property
    def numbers(self) -> dict[int, Estimates]:
        """Mean and standard deviation by weighted draws, of every hidden number."""
        numbers = [v for v in sorted(self.hidden) if self.network.nodes[v].levels is None]
        return {v: self.drawn.moments(v) for v in numbers}

    @functools.cached_property
    def independent(self) -> MeanField:
        """Mean field, from what belief propagation found, at random, and from draws that are possible."""
        product, _ = self.demand_tables()
        return self._timed("mean-field", lambda: self._independent(product))

    def _independent(self, product: TableProduct) -> MeanField:
        starts = self.settings.starts
        drawn = self.draw(SEEDS, 1)
        possible = np.flatnonzero(drawn.log_weights > -math.inf)[:starts]
        rows = np.where(np.isnan(drawn.rows), 0.0, drawn.rows).astype(np.intp)
        beliefs = self.beliefs.marginals
        told = [beliefs] if not any(np.isnan(own).any() for own in beliefs.values()) else []
        return mean_field(
            product,
            np.random.default_rng([self.settings.seed, 2]),
            starts=starts,
            spread_out=told,
            configurations=rows[possible] if possible.size else None,
            max_sweeps=self.settings.max_sweeps,
        )

    @functools.cached_property
    def exact(self) -> ExactPart:
        """Posteriors that can be had exactly within the settings."""
        if not self.has_tables or not self.settings.max_bytes:
            return ExactPart({}, None)
        product, factors = self.demand_tables()
        limits = self.settings.max_bytes, self.settings.exact_seconds
        return self._timed(
            "exact",
            lambda: exact_part(self.network, self.row, product, factors, max_bytes=limits[0], seconds=limits[1]),
        )

    @property
    def whole_is_exact(self) -> bool:
        """Whether that is everything."""
        return self.has_tables and set(self.demand_tables()[0].variables) <= set(self.exact.marginals)

    def in_names(self, note: str) -> str:
        """A remark with the names of nodes in place of their numbers."""
        words = note.split("variable ")
        if len(words) == 1:
            return note
        number, *rest = words[1].split(" ")
        return f"{words[0]}{self.network.graph.names[int(number)]!r} {' '.join(rest)}"
