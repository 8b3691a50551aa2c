"""What a fitted flow answers: scores, normal scores, new rows, gaps filled, conditional densities."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri
from sklearn.utils.validation import check_is_fitted

from tacit.compute import double_precision
from tacit.estimators.base import Seed, check_whole, read_data, read_weights, seed_of
from tacit.estimators.capabilities import Imputes, MatrixLike, Measures, Samples
from tacit.estimators.explaining import Explains
from tacit.estimators.flow.capabilities import DensityRanks, MovesToNoise, TellsDensity
from tacit.estimators.flow.density import FlowDensity
from tacit.estimators.flow.pictures import density_picture
from tacit.estimators.flow.words import against_mixture
from tacit.estimators.mixture.density import chosen_columns
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.query.asking import AnswersQueries
from tacit.estimators.settings import Estimator
from tacit.estimators.vae.condition import given_row
from tacit.estimators.vae.rows import Conditions
from tacit.models.flow.columns import ColumnPlan
from tacit.models.flow.fitted import Filled, FittedFlow, Integrated, warn_of
from tacit.models.flow.model import Flow
from tacit.models.graph import Edge, Graph, Node, Plate


class FlowAnswers(AnswersQueries, Explains, Measures, Samples, Imputes, MovesToNoise, TellsDensity, Estimator):
    """The answers; a subclass fits what is annotated here."""

    model_: Flow
    plan_: ColumnPlan
    reference_: GaussianMixture
    reference_score_: float
    lower_bound_: float
    conditions_: Conditions
    order: str
    n_samples: int
    random_state: Seed

    @property
    def scores_are_bounds(self) -> bool:
        """Masses of levels are estimates from below; densities are exact."""
        return bool(self.plan_.levelled.any()) if "plan_" in vars(self) else False

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def base_measure(self) -> tuple[str, ...]:
        """Of each column: "density", or the "mass" of a level."""
        return tuple("mass" if has else "density" for has in self.plan_.levelled)

    @property
    def fitted_flow(self) -> FittedFlow:
        """The flow in double precision, and what its answers are made of."""
        check_is_fitted(self)
        double: Flow = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), self.model_)
        return FittedFlow(double, self.plan_, self.reference_.fitted_model(), self.order == "kept")

    def _read(self, X: MatrixLike) -> np.ndarray:
        check_is_fitted(self)
        return self._checked(np.asarray(read_data(self, X, reset=False).rows(), np.float64))

    def _checked(self, x: np.ndarray) -> np.ndarray:
        """The rows, if the model has a density of them."""
        self.plan_.check(x, self._column_names())
        return x

    @double_precision
    def integrated(self, X: MatrixLike, *, given: ArrayLike | None = None, n_samples: int | None = None) -> Integrated:
        """The scores of rows with what they are worth: of each the effective number of draws, and k̂ of its weights."""
        number = self.n_samples if n_samples is None else n_samples
        check_whole("n_samples", number, 1)
        return self.integrated_rows(self._read(X), number, given)

    @double_precision
    def integrated_rows(self, x: np.ndarray, n_samples: int, given: ArrayLike | None = None) -> Integrated:
        """The same of rows that were read already."""
        return self.fitted_flow.integrated(self._checked(x), self.conditions_.encoded(given, len(x)), n_samples)

    def score_samples(
        self, X: MatrixLike, *, given: ArrayLike | None = None, n_samples: int | None = None
    ) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``: exact where nothing is missing and no column has levels.

        Missing entries are integrated out: exactly where the order is kept and nothing after them is seen, else by
        ``n_samples`` draws of the reference mixture, weighted; a warning says where those are not to be trusted. The
        draws of a row follow from what it holds, so it scores the same by itself and among others.
        """
        found = self.integrated(X, given=given, n_samples=n_samples)
        found.warn(stacklevel=3)
        return found.log_prob

    def score(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        given: ArrayLike | None = None,
    ) -> float:
        """The mean of ``score_samples``, in nats a row."""
        values = self.score_samples(X, given=given)
        return float(np.average(values, weights=None if sample_weight is None else read_weights(values, sample_weight)))

    @double_precision
    def transform(self, X: MatrixLike, *, given: ArrayLike | None = None, uniform: bool = False) -> np.ndarray:
        """Rows as independent standard normal numbers ``(n, d)``, or uniform ones between 0 and 1.

        Rows that follow the model become just that, which is how calibration is checked. Levels stand in the middle of
        their cells. What depends on a missing entry is NaN: the numbers after it where the order is kept, else the row.
        """
        x = self._read(X)
        missing = np.isnan(x)
        # what stands in for a gap is seen only by what becomes NaN
        z = self._white_rows(np.where(missing, self._typical(), x), given)
        after = np.maximum.accumulate(missing, axis=1) if self.order == "kept" else missing.any(1, keepdims=True)
        z = np.where(after, np.nan, z)
        return np.asarray(ndtr(z) if uniform else z)

    @double_precision
    def _typical(self) -> np.ndarray:
        """A value of every column, ``(d,)``."""
        flow = self.fitted_flow.flow
        return np.asarray(flow.outward(np.zeros((1, self.n_features_in_))))[0]

    @double_precision
    def _white_rows(self, x: np.ndarray, given: ArrayLike | None) -> np.ndarray:
        """Complete rows as white noise."""
        found = self.fitted_flow
        return found.white(found.inward(x), self.conditions_.encoded(given, len(x)))

    @double_precision
    def inverse_transform(self, Z: ArrayLike, *, given: ArrayLike | None = None, uniform: bool = False) -> np.ndarray:
        """The rows of such numbers ``(n, d)``, in the user's units."""
        z, found = np.asarray(Z, np.float64), self.fitted_flow
        if z.ndim != 2 or z.shape[1] != self.n_features_in_:
            raise ValueError(f"Z must be (n, {self.n_features_in_}), got {z.shape}")
        if uniform and not ((z > 0) & (z < 1)).all():
            raise ValueError("Z must lie strictly between 0 and 1 where uniform=True")
        return found.from_white(ndtri(z) if uniform else z, self.conditions_.encoded(given, len(z)))

    @double_precision
    def sample(self, n_samples: int = 1, *, given: ArrayLike | None = None, random_state: Seed = None) -> np.ndarray:
        """New rows ``(n_samples, d)``, independent of each other."""
        found = self.fitted_flow
        check_whole("n_samples", n_samples, 1)
        random = seed_of(self.random_state if random_state is None else random_state)
        return found.sample(int(n_samples), self.conditions_.encoded(given, int(n_samples)), random)

    @double_precision
    def impute(
        self,
        X: MatrixLike,
        n_draws: int = 0,
        *,
        given: ArrayLike | None = None,
        n_samples: int | None = None,
        random_state: Seed = None,
    ) -> np.ndarray:
        """Rows with their gaps filled: by the conditional mean, or ``n_draws`` draws ``(n_draws, n, d)``.

        Both come from weighted draws of the reference mixture, or from exact ones where the order is kept and nothing
        after a gap is seen; a warning says where the weights are not to be trusted.
        """
        check_whole("n_draws", n_draws, 0)
        number = self.n_samples if n_samples is None else n_samples
        check_whole("n_samples", number, 1)
        found = self.imputed_rows(self._read(X), number, max(n_draws, 1), random_state, given)
        warn_of(found.khat, "what fills their gaps may be far off", stacklevel=4)
        return found.draws if n_draws else found.means

    @double_precision
    def imputed_rows(
        self, x: np.ndarray, n_samples: int, n_draws: int, random_state: Seed, given: ArrayLike | None = None
    ) -> Filled:
        """Of rows that were read already, their gaps filled by means ``(n, d)`` and by draws ``(n_draws, n, d)``."""
        random = seed_of(self.random_state if random_state is None else random_state)
        conditions = self.conditions_.encoded(given, len(x))
        return self.fitted_flow.imputed(self._checked(x), conditions, n_samples, n_draws, random)

    def condition(self, values: Mapping[Any, Any]) -> FlowDensity:
        """The density of the other columns, given ``{column: value}``; columns by number or name."""
        self._check_unconditional("condition")
        row = given_row(values, self.n_features_in_, self._names())
        return FlowDensity(self, row, tuple(int(place) for place in np.flatnonzero(np.isnan(row))))

    def marginal_density(self, columns: Sequence[int | str]) -> FlowDensity:
        """The density of some columns, the others integrated out; exact where the order is kept and they come first."""
        self._check_unconditional("marginal_density")
        chosen = chosen_columns(columns, tuple(range(self.n_features_in_)), self._names())
        return FlowDensity(self, np.full(self.n_features_in_, np.nan), chosen)

    def _check_unconditional(self, what: str) -> None:
        check_is_fitted(self)
        if self.conditions_.width:
            raise ValueError(f"{what} is for a model without anything given")

    def _explained_rows(self, X: MatrixLike) -> np.ndarray:
        self._check_unconditional("explain")
        return self._read(X)

    def _explained_scores(self, rows: np.ndarray) -> np.ndarray:
        found = self.integrated_rows(rows, self.n_samples)
        found.warn(stacklevel=5)
        return found.log_prob

    def told(self) -> tuple[str, ...]:
        """How much better it is than the mixture, in words."""
        check_is_fitted(self)
        if not self.model_.core.steps.steps:
            return (self.stop_reason_.capitalize() + ".",)
        mixed = self.model_.core.base is not None
        held_out = self.history_ is not None and "held_out" in self.history_
        components = self.reference_.n_components
        words = against_mixture(self.lower_bound_, self.reference_score_, components, began=mixed, held_out=held_out)
        return (words,)

    def calibration(self, X: MatrixLike) -> DensityRanks:
        """Every value among those that the model expects beside the values before it, of complete rows."""
        x = self._read(X)
        full = ~np.isnan(x).any(1)
        ranks = np.full(x.shape, np.nan)
        if full.any() and not self.conditions_.width:
            ranks[full] = self._white_rows(x[full], None)
            ranks = np.where(self.plan_.levelled, np.nan, ndtr(ranks))
        seen = "given the columns before it" if self.order == "kept" else "given the other columns, by the map's steps"
        return DensityRanks(ranks, f"where the model puts it, {seen}")

    def plot(self, X: MatrixLike | None = None) -> Any:
        """A matplotlib ``Figure``: rows drawn from the model, beside those given; of two columns the density too."""
        check_is_fitted(self)
        self._check_unconditional("plot")
        return density_picture(self, None if X is None else self._read(X))

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        nodes = (
            Node("θ", "θ", "parameter"),
            Node("u", "u", "latent", ("n",), "white noise"),
            Node("x", "x", "observed", ("n",), "u moved by an increasing triangular map"),
        )
        return Graph(nodes, (Edge("u", "x"), Edge("θ", "x")), (Plate("n", "n = 1…N"),))
