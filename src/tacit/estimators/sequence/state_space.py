"""``LinearGaussianStateSpace``: hidden numbers that move linearly behind series of vectors."""

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tacit import trees
from tacit.compute import double_precision
from tacit.data.blocks import AsTheyAre
from tacit.data.dataset import ColumnMoments
from tacit.data.sequenced import SequenceOrder
from tacit.engine import is_array
from tacit.estimators.base import seed_of
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.sequence.reading import (
    ByRow,
    SequenceOptions,
    ordered,
    say_unfinished,
    sequence_names,
    sequence_weights,
)
from tacit.estimators.sequence.state_answers import StateSpaceAnswers, read_inputs
from tacit.estimators.sequence.state_starts import PRESETS, begun_of
from tacit.estimators.settings import POSITIVE, TOLERANCE, Choice, Flag, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import CONVERGED
from tacit.inference.fit import fit
from tacit.inference.watch import Printer, watch
from tacit.models.sequence.linear_gaussian import canonical_axes, expected
from tacit.models.sequence.series import SeriesSource, laid_series
from tacit.spaces import Held


@settings
class LinearGaussianStateSpace(StateSpaceAnswers):
    """A linear Gaussian state space, ``x_t = F x_t−1 + B u_t + w_t`` and ``y_t = H x_t + D u_t + c + v_t``, by EM.

    The rows are the y; missing entries are integrated out, and a row of gaps is a step at which nothing was seen. Rows
    are one series as they stand; ``groups=`` or ``lengths=`` say that they are several, which share all parameters, and
    ``time=`` puts them in order. What is hidden is known but for a turn of its axes: they are those in which the
    states' second moment is the identity, ordered by how much they say of the columns.

    Attributes:
        transition_, input_effects_: F ``(k, k)`` and B ``(k, q)``.
        state_covariance_: of w, ``(k, k)``.
        loadings_, direct_effects_, offset_: H ``(d, k)``, D ``(d, q)`` and c ``(d,)``.
        noise_covariance_: of v, ``(d, d)``.
        initial_mean_, initial_covariance_: of the first state.
        model_: the fitted pytree, in the user's units.
        lower_bound_: the log-likelihood a row, in nats.
        trace_, converged_, stop_reason_, n_iter_, n_parameters_, at_floor_: how the fit ended.
        sequences_: what the series of the fit are called.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "transition_": Held("states states"),
        "loadings_": Held("features states"),
        "offset_": Held("features"),
        "noise_covariance_": Held("features features", "covariance"),
        "lower_bound_": Held("", "any"),
        "end_means_": Held("series states"),
    }

    n_components: Annotated[int, Whole(1)] = 1
    """k, how many numbers are hidden; a preset has its own."""
    _: KW_ONLY
    preset: Annotated[str | None, Choice((None, *PRESETS))] = None
    """"local level": each column is a random walk and noise; "local trend": with a slope that is a random walk too;
    None: all matrices are free."""
    noise: Annotated[str, Choice(("diag", "full"))] = "diag"
    """the noise of the columns: independent, or with any covariance."""
    floor: Annotated[float, POSITIVE] = 1e-8
    """the least variance of a column's noise, in units of the column's variance."""
    accelerate: Annotated[bool, Flag()] = True
    """squared extrapolation (SQUAREM), which never lowers the likelihood."""
    tol: Annotated[float, TOLERANCE] = 1e-6
    """EM stops when the log-likelihood a row changes by less, in nats."""
    max_iter: Annotated[int, Whole(0)] = 500
    """most iterations."""
    n_init: Annotated[int, Whole(1)] = 2
    """starts; the best is kept."""
    random_state: Any = None
    """seed."""
    verbose: int = 0
    """1 prints the course of the fit."""

    @double_precision
    def fit(
        self,
        X: MatrixLike,
        y: ByRow = None,
        sample_weight: ByRow = None,
        *,
        U: ByRow = None,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> Self:
        """Fit the model to series of rows.

        Args:
            X: rows ``(n, d)`` of numbers; NaN marks a missing entry.
            y: ignored.
            sample_weight: a weight a row, the same in all rows of a series.
            U: inputs ``(n, q)``, known numbers that drive the state and the columns; none may be missing.
            groups: a number or text a row, which says of which series it is.
            lengths: of series that follow one another; in place of groups.
            time: numbers or dates, one a row: rows are put in their order, as steps of one length.

        Raises:
            ValueError: what is wrong with the rows, the inputs or a setting, and what to do.
        """
        rows = self.read(X, reset=True)
        self.check_settings()
        order = ordered(X, len(rows), SequenceOptions(groups, lengths, time))
        inputs = read_inputs(U, len(rows))
        weights = sequence_weights(rows, order, sample_weight)
        values = rows.weighted(np.repeat(weights, order.lengths)[np.argsort(order.order)]).moments()
        self._check_rows(values, len(rows), order)
        self._fit(rows.rows()[order.order].astype(np.float64), inputs[order.order], order, weights, values)
        return self

    def _check_rows(self, values: ColumnMoments, rows: int, order: SequenceOrder) -> None:
        empty = values.seen == 0
        if empty.any():
            name = self._column_names()[int(np.argmax(empty))]
            raise ValueError(f"column {name!r} has no value in any row: leave it out")
        if rows == order.lengths.size and self.preset is None:
            raise ValueError(
                f"every one of the series (n_samples={rows}) has one row only, which says nothing of how states move: "
                "give series of two rows or more (are groups= those of the series?), or take tacit.FactorAnalysis"
            )

    def _fit(
        self, rows: np.ndarray, inputs: np.ndarray, order: SequenceOrder, weights: np.ndarray, values: ColumnMoments
    ) -> None:
        scale = np.where(values.flat, np.maximum(np.abs(values.mean), 1.0), np.sqrt(values.variance))
        laid = laid_series((rows - values.mean) / scale, inputs, order.lengths, weights)
        source = SeriesSource(laid, len(rows))
        random = seed_of(self.random_state)
        begun = begun_of(self, (rows - values.mean) / scale, inputs, order.lengths, random)
        with watch(Printer(10)) if self.verbose else nullcontext():
            (found,) = fit(
                begun,
                source,
                AsTheyAre(),
                key=random.integers(2**32, size=(len(begun.transition), 2), dtype=np.uint32),
                max_iter=self.max_iter,
                tol=self.tol,
                accelerate=self.accelerate,
                label=type(self).__name__,
                eager=True,
            )
        model = found.model
        model = trees.map(lambda leaf: np.asarray(leaf) if is_array(leaf) else leaf, model)
        if self.preset is None:
            sums, _ = expected(model.systems()[0], laid)
            steps = float(sums.begun + sums.moved)
            second = (sums.first_square + sums.after) / steps
            model = model.turned(canonical_axes(model, second))
        resting = np.diagonal(model.noise) <= 1.001 * model.noise_floor
        model = model.in_units(np.asarray(values.mean), scale)
        self.model_ = model if self.preset is None else model.of_levels()
        weight, change = source.total_weight, -float(values.seen @ np.log(scale))
        self.trace_ = found.trace._replace(bound=found.trace.bound + change)
        self.n_iter_, self.converged_ = found.iteration, found.status == CONVERGED
        self.stop_reason_ = stop_reason(found.status)
        self.lower_bound_ = (found.bound + change) / weight
        self.n_parameters_ = self.model_.n_parameters()
        names = self._column_names()
        self.at_floor_ = tuple(names[place] for place in np.flatnonzero(resting))
        self._publish()
        self._keep_ends(rows, inputs, order.lengths)
        self.sequences_ = sequence_names(order)
        self._warn()

    def _publish(self) -> None:
        model = self.model_
        self.transition_, self.input_effects_ = model.transition, model.inputs
        self.state_covariance_ = model.state_root @ model.state_root.T
        self.loadings_, self.direct_effects_, self.offset_ = model.loadings, model.direct, model.offset
        self.noise_covariance_ = model.noise
        self.initial_mean_ = model.initial_mean
        self.initial_covariance_ = model.initial_root @ model.initial_root.T

    def _warn(self) -> None:
        if self.at_floor_:
            listed = ", ".join(map(repr, tuple(self.at_floor_)[:5])) if isinstance(self.at_floor_, tuple) else ""
            warnings.warn(
                f"the noise of column {listed} rests on its floor: the states follow the column exactly. Use fewer "
                "states, or raise the floor.",
                ConvergenceWarning,
                stacklevel=4,
            )
        if not self.converged_ and self.max_iter > 0:
            say_unfinished(self.n_init, self.stop_reason_, self.n_iter_)
