"""What a mixture, an emission or a node is made of: K components of one kind over some columns of the rows.

``Stack`` is what the driver of EM needs: an E-step that gives log-densities under all K at once, statistics under
responsibilities that are *given* (by a mixture, a hidden Markov model or a network alike), and an M-step. ``Component``
is a stack of densities, and answers for them; ``ComponentPosterior`` is a stack of distributions over the parameters of
densities. A new kind is one final class of ``Component`` in one file: it answers what is abstract here, and what it
does not answer itself holds for columns that are independent given the component.

Every array of a stack leads with ``[K]``; while fits from many starts share a program, with ``[starts, K]``.
"""

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import Pytree, xp
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.engine import PyTree
from tacit.families.base import Distribution, Family
from tacit.models.components.coordinates import Chart
from tacit.models.components.steps import Step


class Stack(Pytree):
    """K things of one kind over some columns, fitted by the same E- and M-step."""

    if TYPE_CHECKING:  # fields of every stack, which come after those of its parameters

        @property
        def columns(self) -> tuple[int, ...]:
            """Where the columns stand in a row."""

        @property
        def complete(self) -> bool:
            """Whether no entry of the columns is missing."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The kind of density of the columns, as it is called in tables: "normal", "poisson", …"""

    @property
    @abc.abstractmethod
    def symbols(self) -> tuple[str, ...]:
        """The letters of the parameters, for the graph."""

    @property
    @abc.abstractmethod
    def parameters(self) -> PyTree:
        """What an M-step changes."""

    @property
    def joint(self) -> bool:
        """Whether columns depend on one another given the component."""
        return False

    @property
    def tiled(self) -> bool:
        """Whether rows with gaps must come in tiles of one missing pattern."""
        return self.joint

    @property
    def n_features(self) -> int:
        """How many numbers of a row the E-step looks at."""
        return len(self.columns) * (len(self.columns) if self.joint else 1)

    @abc.abstractmethod
    def prepare(self) -> Step:
        """The E-step."""

    @abc.abstractmethod
    def m_step(self, statistics: PyTree) -> Self:
        """The next stack, from statistics summed over rows."""

    @abc.abstractmethod
    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        """What the bound holds beside the rows' share: a log prior, or −KL, of the components that are active."""

    @abc.abstractmethod
    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        """Components chosen and ordered by index."""

    @abc.abstractmethod
    def with_rows(self, *, complete: bool, tile: int) -> Self:
        """The same for rows with or without gaps; those with gaps come in tiles of one pattern."""

    @abc.abstractmethod
    def n_parameters(self) -> int:
        """Free parameters of all components."""

    def statistics(
        self, rows: Float[Array, "rows dims"], responsibilities: Float[Array, "*starts rows components"]
    ) -> PyTree:
        """Expected statistics of rows under (weighted) responsibilities."""
        step = self.prepare()
        return step.statistics(step.terms(rows)[1], responsibilities)

    def absolute(self, statistics: PyTree) -> PyTree:
        """Statistics of this stack's E-step about the origin, whatever its form."""
        return statistics

    def relative(self, statistics: PyTree) -> PyTree:
        """Statistics about the origin as this stack's M-step takes them."""
        return statistics

    def in_units(self, view: Standardise) -> Self:
        """The same for the user's values; most kinds of columns are never centred or scaled."""
        return self

    @property
    def product_form(self) -> bool:
        """Whether the E-step is computed in a fast form that may cancel."""
        return False

    def conditioning(self) -> Float[np.ndarray, "*starts"]:
        """How much the fast form cancels (on the host)."""
        return np.zeros(())

    def whitened(self) -> Self:
        """The same, its E-step in a form that does not cancel."""
        return self

    def floored(self) -> Bool[np.ndarray, "*starts components columns"] | None:
        """Where a component rests on the floor of its spread (on the host); None where the likelihood has a bound."""
        return None

    def without_floor(self) -> Self:
        """The same without what a floor takes from the log-density."""
        return self

    def change_of_prior(self, view: Standardise, components: int) -> float:
        """What the log prior density gains in the user's units over that of the view."""
        return 0.0


class ConditionedColumns(NamedTuple):
    """The entries of columns given the observed ones, under every component."""

    means: Float[Array, "rows components d"]
    scales: Float[Array, "rows components d"]
    """Variances, or squared scales of Student's t; 0 of an entry that is observed."""
    dofs: Float[Array, "rows components"] | None = None
    """Degrees of freedom of Student's t."""

    def variances(self) -> Float[Array, "rows components d"]:
        """Infinite where a t of two degrees of freedom or fewer is not observed."""
        if self.dofs is None:
            return self.scales
        return np.where(self.scales > 0, self.scales * np.asarray(inflation(self.dofs))[..., None], 0.0)


def inflation(dofs: Float[Array, "..."]) -> Float[Array, "..."]:
    """Variance over squared scale of Student's t, infinite where ν ≤ 2."""
    many = xp.where(dofs > 2.0, dofs, 3.0)
    return xp.where(dofs > 2.0, many / (many - 2.0), xp.inf)


class Picture(NamedTuple):
    """What a picture of a stack shows, as plain arrays."""

    name: str
    """"ellipses" of vectors."""
    centres: Float[np.ndarray, "components d"]
    matrices: Float[np.ndarray, "components d d"]


class Component(Stack):
    """K densities of some columns."""

    @property
    @abc.abstractmethod
    def column_kind(self) -> str:
        """What the columns are: "continuous", "positive", "count", "binary" or "categorical"."""

    @property
    def given_total(self) -> bool:
        """Whether the columns are one row of counts whose total is no part of the model."""
        return False

    @property
    def has_prior(self) -> bool:
        """Whether the parameters have a prior."""
        return False

    @property
    def background(self) -> bool:
        """Whether all components are noise: no groups of rows, and with nothing in them to be estimated."""
        return False

    @property
    def noise(self) -> int:
        """How many components, the last ones, are noise beside groups of rows."""
        return 0

    @property
    def kinds(self) -> "tuple[Component, ...]":
        """The stacks of one kind each that it is made of, in the order of their components."""
        return (self,)

    @abc.abstractmethod
    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components"]:
        """Log-density of the observed columns in nats, in the numerically safest form; rows in tiles if incomplete."""

    @abc.abstractmethod
    def supports(self, x: Float[Array, "rows d"]) -> Bool[Array, "rows d"]:
        """Where entries of the columns lie in the support; the answer at missing ones means nothing."""

    @abc.abstractmethod
    def moments(self) -> tuple[Float[Array, "components d"], Float[Array, "components d"]]:
        """Means and variances of the columns; where there is no mean but a location, that and an infinite variance."""

    @abc.abstractmethod
    def draw(
        self, labels: Int[np.ndarray, " rows"], random: np.random.Generator, total: np.ndarray | None = None
    ) -> Float[np.ndarray, "rows d"]:
        """The columns of one row from the component of each label; ``total`` of each row of counts, if there is one."""

    @abc.abstractmethod
    def column(self, place: int) -> Distribution:
        """The density of one column under every component, with batch ``[K]``.

        Raises:
            ValueError: a column that has no density of its own.
        """

    @abc.abstractmethod
    def marginal(self, positions: np.ndarray, places: tuple[int, ...]) -> "Component":
        """The density of some of the columns, which stand at other places of a row.

        Raises:
            ValueError: columns that have no density apart.
        """

    @abc.abstractmethod
    def seeding_features(self, x: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows features"]:
        """The columns in the space where seeds are sought, NaN where missing."""

    def plain(self) -> "Component":
        """The same densities with nothing that only an M-step needs."""
        return self

    def covariance_matrices(self) -> Float[Array, "components d d"] | None:
        """Covariances of the columns (of Student's t, scale matrices), where they are one vector; else None."""
        return None

    def code_probabilities(self) -> Float[np.ndarray, "components d levels"] | None:
        """``p(x_j = l)`` of every code, of columns of codes."""
        return None

    def filling(self, weights: Float[np.ndarray, "rows components"]) -> np.ndarray | None:
        """What gaps are filled with under weights of the components, where it is not the mean; else None."""
        return None

    def given(self, rows: Float[Array, "rows dims"]) -> ConditionedColumns:
        """The columns given the observed ones of the same rows; only asked of those that are ``joint``."""
        means, variances = self.moments()
        x = rows[:, xp.asarray(self.columns)][:, None]
        return ConditionedColumns(xp.where(xp.isnan(x), means, x), xp.where(xp.isnan(x), variances, 0.0))

    def column_given(self, place: int, found: Sequence[ConditionedColumns]) -> Distribution:
        """One column given the observed ones, with batch ``[rows, K]``, from what ``given`` found in slices of rows.

        Where columns are independent, nothing is found, and the batch is ``[1, K]``.
        """
        return trees.map(lambda leaf: np.asarray(leaf)[None], self.column(place))

    def correction(
        self,
        rows: Float[Array, "rows dims"],
        fresh: Float[Array, "rows draws d"],
        labels: Int[Array, "rows draws"],
    ) -> Float[Array, "rows draws d"]:
        """What to add to draws from the component of each label, that they be draws given the observed columns."""
        return xp.zeros_like(fresh)

    @property
    def hidden_variable(self) -> bool:
        """Whether a draw of the columns depends on a hidden variable of the row beside the component."""
        return False

    def hidden(self, rows: Float[Array, "rows dims"]) -> PyTree:
        """What the observed columns say of a hidden variable of the row that ``redraw`` wants; None without one."""
        return None

    def redraw(
        self, hidden: PyTree, labels: Int[np.ndarray, "rows draws"], random: np.random.Generator
    ) -> Float[np.ndarray, "rows draws d"]:
        """Draws from the component of each label, with the hidden variable of the row drawn given what is seen."""
        return self.draw(labels.ravel(), random).reshape(*labels.shape, -1)

    def distributions(self, *, dense: bool) -> Family | None:
        """The components as a batch ``[K, events]`` of a family with a divergence in closed form; None without one.

        ``dense`` asks for vectors where columns are independent too.
        """
        return None

    @abc.abstractmethod
    def values(self) -> dict[str, Array]:
        """The parameters by name."""

    @abc.abstractmethod
    def with_values(self, values: dict[str, Float[Array, "..."]]) -> Self:
        """The same densities at other parameters."""

    def charts(self) -> dict[str, Chart]:
        """Unconstrained coordinates of every array of parameters, around a fit with NumPy leaves.

        Raises:
            ValueError: they are not known.
        """
        raise ValueError(f"standard errors are not known for the family {self.name}")

    def chart(self) -> Picture | None:
        """What a picture of the components shows; None where their columns are drawn one by one."""
        return None


class ComponentPosterior(Stack):
    """A posterior over the parameters of K densities; its E-step is that of expected parameters."""

    @abc.abstractmethod
    def predictive(self) -> Component:
        """The density of a new row given the component, its parameters integrated out."""

    @abc.abstractmethod
    def expected(self) -> Component:
        """The components at the posterior means of their parameters."""

    @abc.abstractmethod
    def draw_parameters(
        self, number: int, random: np.random.Generator
    ) -> tuple[Component, Float[np.ndarray, " draws"]]:
        """Draws of the parameters, stacked ``[S, K]``, and ``log p(θ) − log q(θ)`` of each."""

    @abc.abstractmethod
    def entries(self, drawn: Component, columns: Sequence[str]) -> list[tuple[str, Float[np.ndarray, " draws"]]]:
        """Every parameter of the draws by name."""

    @abc.abstractmethod
    def parameter_moments(self) -> tuple[Float[np.ndarray, "components p"], Float[np.ndarray, "components p"]]:
        """Posterior means and standard deviations of every component's parameters."""
