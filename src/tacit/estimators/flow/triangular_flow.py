"""``TriangularFlow``: a density of columns by increasing triangular maps, with scikit-learn's face."""

import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, NamedTuple, Self

import jax
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, DensityMixin, TransformerMixin

from tacit.compute import double_precision, eagerly, single_precision
from tacit.data.errors import counted
from tacit.estimators.base import read_data, seed_of, weights_of
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.flow.answers import FlowAnswers
from tacit.estimators.flow.reference import as_base, best_mixture
from tacit.estimators.gradient_fit import GradientFit, Split
from tacit.estimators.settings import FROM_0, Choice, Whole, Widths, settings
from tacit.estimators.vae.rows import Conditions
from tacit.families.bijections import ColumnEnds, DiagonalAffine
from tacit.families.scalar_maps import AffineMap, Consecutive, MixtureMap, PolynomialMap, ScalarMap, spline_after_affine
from tacit.families.triangular import TriangularSteps
from tacit.inference.objectives import LogDensity
from tacit.inference.stochastic import adam
from tacit.models.flow.columns import ColumnPlan, units_of
from tacit.models.flow.fitted import LEVEL_DRAWS
from tacit.models.flow.model import Dequantise, Flow, FlowCore, FlowRows

MAPS = ("spline", "affine", "polynomial", "mixture")
ORDERS = ("reversed", "kept")
BASES = ("normal", "mixture")
FEWEST = 50
"""Rows below which nothing is learned but the mixture."""
STEPS = 4500
"""Of a fit whose epochs are not set."""
LEAST_EPOCHS = 20
FROM_MIXTURE = 0.25
"""Of the learning rate, where the fit begins with a mixture."""
EPS = 1e-5
"""Of Adam: where the columns are centred and scaled, some slopes are 0 at the start but for rounding."""
FILLINGS = 5
"""Draws by which the gaps of a row are filled while the flow is learned."""


def scalar_map(name: str, bins: int) -> ScalarMap:
    """What a name in `MAPS` stands for; splines and polynomials come after an affine map."""
    if name == "affine":
        return AffineMap()
    if name == "mixture":
        return MixtureMap(bins)
    return spline_after_affine(bins) if name == "spline" else Consecutive((AffineMap(), PolynomialMap()))


class _Rows(NamedTuple):
    """Rows of a fit."""

    x: np.ndarray
    """As they are, NaN where missing."""
    weights: np.ndarray
    given: np.ndarray | None

    def taken(self, places: np.ndarray) -> "_Rows":
        return _Rows(self.x[places], self.weights[places], None if self.given is None else self.given[places])


def _seen(u: np.ndarray, weights: np.ndarray, split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The rows of either part that have a value, and their weights."""
    there = ~np.isnan(u).all(1)
    learned, held = (part[there[part]] for part in split)
    return u[learned], weights[learned], u[held], weights[held]


@settings
class TriangularFlow(FlowAnswers, ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, GradientFit):
    """A flow: the density of rows that an increasing triangular map, or several in turned orders, makes normal.

    ``log p(x) = log b(T(x)) + log |∂T/∂x|``, exactly. Each step moves a coordinate by a monotone map whose parameters
    are a masked network's of the coordinates before it (Papamakarios et al. 2021; Durkan et al. 2019). Columns that
    are positive, or lie between two ends, are taken onto the whole line first; columns of levels get masses.

    Attributes:
        model_: the flow, an immutable pytree with NumPy leaves.
        reference_: the Gaussian mixture of the best held-out score, in the coordinates that the flow is learned in.
        reference_score_: its held-out score, in nats a row and the user's units.
        lower_bound_: the held-out score of the parameters that were kept, in the same units; from below where entries
            are missing or columns have levels.
        plan_: ends and levels of the columns.
        trace_, history_, n_iter_, converged_, stop_reason_: how the fit went, as of `VAE`.
    """

    _: KW_ONLY
    map: Annotated[str, Choice(MAPS)] = "spline"
    """what is done to a coordinate: "spline" (affine, then a rational-quadratic spline), "affine", "polynomial"
    (affine, then a sum of squares), "mixture" (its conditional density is a mixture of normals)."""
    steps: Annotated[int, Whole(1)] = 2
    """how many times all coordinates are moved."""
    order: Annotated[str, Choice(ORDERS)] = "reversed"
    """"reversed" turns the order of the columns round after every step, which fits better; "kept" makes one triangular
    map of all steps, so that ``p(x_j | x_1, …, x_{j−1})`` and all that is said of the first columns is exact."""
    base: Annotated[str, Choice(BASES)] = "normal"
    """what the map makes of rows: "normal" white noise, or the reference "mixture", with which the fit begins."""
    hidden: Annotated[Sequence[int], Widths()] = (128, 128)
    """widths of the networks' layers."""
    bins: Annotated[int, Whole(2)] = 8
    """of a spline, or components of a mixture."""
    supports: Any = None
    """"auto", "real", "positive", "levels" or two ends, of all columns, of one after another in a list, or by name in a
    mapping; None takes "auto" for all: positive where logarithms
    are less skewed, between 0 and 1 where all values are, and levels where few values come many times each."""
    max_epochs: Annotated[int | None, Whole(1)] = None
    """passes over the rows; None makes about 4 500 steps, and 20 passes at least."""
    batch_size: Annotated[int, Whole(1)] = 256
    """rows of a step."""
    learning_rate: Annotated[float, FROM_0] = 4e-3
    """of Adam; it falls to 0 along a half cosine. From a mixture a quarter of it is taken: large steps would destroy
    the fine structure that the fit begins with."""
    decay: Annotated[float, FROM_0] = 1e-4
    """by how much of the rate parameters are drawn towards 0 at every step."""
    clip: Annotated[float, FROM_0] = 5.0
    """the largest norm of a gradient; 0 does not clip."""
    patience: Annotated[int | None, Whole(1)] = 10
    """measurements of the held-out score without a better one after which the fit ends; one is taken every epoch, or
    every 200 steps where epochs are shorter."""
    warm_up: Annotated[float, FROM_0] = 0.0
    """without effect: nothing warms up."""
    n_components: Annotated[int | None, Whole(1)] = None
    """of the reference mixture; None chooses their number by held-out rows."""
    n_samples: Annotated[int, Whole(1)] = 200
    """draws by which missing entries are integrated out, where that is not exact."""

    @single_precision
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        given: ArrayLike | None = None,
    ) -> Self:
        """Learn from rows.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry, for which draws of the reference mixture stand in.
            y: ignored.
            sample_weight: a weight a row.
            given: what the density is conditional on: a label ``(n,)`` or covariates ``(n, c)``.

        Raises:
            ValueError: what is wrong with the rows or a parameter, and what to do: a column that is constant, holds no
                value, or follows from others.
        """
        data = read_data(self, X, reset=True, minimum=2)
        self.check_settings()
        x, weights = np.asarray(data.rows(), np.float64), np.asarray(weights_of(data, sample_weight))
        # each has a seed of its own: how much one draws does not move the others
        order, spread, beside, key, move = seed_of(self.random_state).spawn(5)
        self.conditions_ = Conditions.of(given, weights)
        whole = _Rows(x, weights, self.conditions_.encoded(given, len(x)))
        rows = whole.taken(np.flatnonzero(weights > 0))
        number = len(rows.x)
        split = Split.of(order.permutation(number), self.validation_fraction, rows.weights)
        ends, units, u = self._coordinates(rows, spread)
        self.reference_, score = best_mixture(*_seen(u, rows.weights, split), beside, self.n_components)
        core = self._core(number, key)
        self.model_ = jax.tree.map(np.asarray, Flow(ends, units, core))
        self._change = self._unit_change(rows.taken(split.measured))
        self.reference_score_ = score + self._change
        if number < FEWEST:
            self._keep_mixture(number)
        else:
            self._move(rows, split, move)
        return self

    @double_precision
    def _coordinates(self, rows: _Rows, random: np.random.Generator) -> tuple[ColumnEnds, DiagonalAffine, np.ndarray]:
        """What brings columns onto the whole line, their units there, and the rows in those."""
        names, (x, weights, _) = self._column_names(), rows
        self.plan_ = ColumnPlan.of(x, self.supports, names)
        self.plan_.tell(x, names)
        ends = self.plan_.ends
        with eagerly():
            y = np.asarray(ends.in_turn(self.plan_.spread(x, random.random(x.shape)))[0])
        units = units_of(y, weights, names)
        return ends, units, (y - units.shift) / np.exp(units.log_scale)

    def _core(self, rows: int, random: np.random.Generator) -> FlowCore:
        """The density before the first step."""
        few = rows < FEWEST
        steps = TriangularSteps(
            self.n_features_in_,
            scalar_map(self.map, self.bins),
            0 if few else self.steps,
            self.hidden,
            key=np.random.default_rng([0, int(random.integers(2**31))]),
            turned=self.order == "reversed",
            context=self.conditions_.width,
        )
        return FlowCore(steps, as_base(self.reference_) if few or self.base == "mixture" else None)

    @double_precision
    def _unit_change(self, rows: _Rows) -> float:
        """What a score in the coordinates of the core lacks to be in the user's units, a row: of what is seen.

        Of levels it is the mean over their cells.
        """
        found, x = self.fitted_flow, rows.x
        number = LEVEL_DRAWS if self.plan_.levelled.any() else 1
        slopes = sum(found.slopes(x, (place + 0.5) / number) for place in range(number)) / number
        own = np.where(np.isnan(x), 0.0, slopes).sum(1) + self.plan_.log_widths(x)
        return float(np.average(own, weights=rows.weights))

    def _move(self, rows: _Rows, split: Split, random: np.random.Generator) -> None:
        """Raise the log-density of the rows that are learned from."""
        flow, (filled, places, paid) = self.model_, self._filled(rows, split, random)
        packed = np.where(self.plan_.levelled, self.plan_.numbered(filled.x), self._inward(filled.x))
        read = Dequantise.of(flow.units, self.plan_.cells)
        core = jax.tree.map(np.float32, flow.core)
        steps = -(-places.learned.size // self.batch_size)
        epochs = self.max_epochs or max(LEAST_EPOCHS, -(-STEPS // steps))
        config = self._train_config(LogDensity(), read, epochs)._replace(
            optimiser=adam(self.clip, self.decay, EPS, flat=True),
            keep_start=True,
            learning_rate=self.learning_rate * (FROM_MIXTURE if self.base == "mixture" else 1.0),
        )
        seed = int(random.integers(2**31))
        rows_in = FlowRows(packed.astype(np.float32), filled.given)
        trained = self._learn(core, rows_in, filled.weights, places, config, seed)
        self.model_ = Flow(flow.ends, flow.units, trained.model)
        self._keep(trained, float(rows.weights.sum()), self._change + paid)
        if trained.best_step == 0:  # no step was better than the start
            self.lower_bound_ = self._measured(rows.taken(split.measured))

    @double_precision
    def _measured(self, rows: _Rows) -> float:
        """The mean log-density of rows."""
        found = self.fitted_flow.integrated(rows.x, rows.given, self.n_samples)
        return float(np.average(found.log_prob, weights=rows.weights))

    @double_precision
    def _inward(self, x: np.ndarray) -> np.ndarray:
        return self.fitted_flow.inward(x)

    @double_precision
    def _filled(self, rows: _Rows, split: Split, random: np.random.Generator) -> tuple[_Rows, Split, float]:
        """Rows without gaps: of each that has some, draws of the mixture stand for it; and where those are.

        Last what the mean log-density of the measured rows so filled lacks to be a bound of that of what is seen of
        them: ``−log q`` of the draws.
        """
        gaps = np.isnan(rows.x).any(1)
        if not gaps.any():
            return rows, split, 0.0
        found, parts, paid = self.fitted_flow, [], []
        for places in split:
            own = rows.taken(places)
            times = np.where(gaps[places], FILLINGS, 1)
            many = own.taken(np.repeat(np.arange(places.size), times))
            x, log_q = found.proposed(many.x, random) if places.size else (many.x, np.zeros(0))
            parts.append(_Rows(x, many.weights / np.repeat(times, times), many.given))
            paid.append(-float(np.average(log_q, weights=parts[-1].weights)) if places.size else 0.0)
        learned, held = parts
        size = len(learned.x)
        whole = _Rows(
            np.concatenate([learned.x, held.x]),
            np.concatenate([learned.weights, held.weights]),
            None if learned.given is None else np.concatenate([learned.given, held.given]),
        )
        return whole, Split(np.arange(size), np.arange(size, len(whole.x))), paid[1 if split.held.size else 0]

    def _keep_mixture(self, rows: int) -> None:
        """Of few rows, the mixture is the answer."""
        warnings.warn(
            f"{rows} rows are too few to learn a flow from ({FEWEST} at least): the density is that of a Gaussian "
            f"mixture of {counted(self.reference_.n_components, 'component')}",
            UserWarning,
            stacklevel=3,
        )
        self.lower_bound_, self.n_iter_, self.converged_ = self.reference_score_, 0, True
        self.stop_reason_ = "too few rows for a flow: the mixture is kept"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
