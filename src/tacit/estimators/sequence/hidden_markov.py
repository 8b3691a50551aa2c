"""``HiddenMarkovModel``: hidden regimes in sequences of rows whose columns are of any kinds."""

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from tacit.compute import double_precision
from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.schema import Schema
from tacit.data.sequenced import SequenceOrder
from tacit.estimators.base import seed_of
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.mixture.mixed import planned_columns
from tacit.estimators.sequence.answers import HiddenMarkovAnswers
from tacit.estimators.sequence.reading import (
    ByRow,
    SequenceOptions,
    ordered,
    say_unfinished,
    sequence_names,
    sequence_weights,
)
from tacit.estimators.sequence.starts import CHAIN_STARTS, stacked_starts
from tacit.estimators.settings import NOT_NEGATIVE, POSITIVE, TOLERANCE, Choice, Flag, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.families.covariance import canonical_name
from tacit.inference.closed_form import CONVERGED
from tacit.inference.fit import Fit
from tacit.inference.watch import Printer, watch
from tacit.models.mixture.fitting import canonical_order, floored
from tacit.models.mixture.model import MixtureModel
from tacit.models.sequence.fitting import SequenceSchedule, finished, run
from tacit.models.sequence.model import HiddenMarkov
from tacit.models.sequence.source import Sequences, SequenceSource
from tacit.spaces import Held

INFERENCE = ("em", "hard-em")


@settings
class HiddenMarkovModel(HiddenMarkovAnswers):
    """A hidden Markov model, ``p(x) = Σ_z p(z_1) ∏_t p(z_t|z_t−1) ∏_t p(x_t|z_t)``, fitted by EM.

    A row's state is hidden and follows from that of the row before it; given the state, a row has the density that a
    component of `Mixture` has: each column a family, normal columns one Gaussian vector with a covariance structure,
    missing entries integrated out. Rows are one sequence as they stand; ``groups=`` (a value a row) or ``lengths=`` say
    that they are several, and ``time=`` puts them in order.

    Attributes:
        startprob_: ``p(z_1 = k)``, ``(K,)``.
        transmat_: ``p(z_t = l | z_t−1 = k)``, ``(K, K)``.
        weights_: the share of the steps that each state takes, ``(K,)``.
        means_, covars_: of states whose columns are all normal, ``(K, d)`` and ``(K, d, d)``.
        schema_, families_: the columns, their kinds and levels, and their families.
        model_: the fitted pytree, in the user's units.
        lower_bound_: the bound a row in nats; the log-likelihood, with priors plus their log-density.
        trace_, converged_, stop_reason_, n_iter_, n_parameters_, at_floor_: how the fit ended.
        sequences_: what the sequences of the fit are called.

    States are in canonical order, the commonest first, unless ``transitions`` or labels give them a meaning.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "startprob_": Held("components", "shares"),
        "transmat_": Held("components components", "shares"),
        "weights_": Held("components", "shares"),
        "lower_bound_": Held("", "any"),
        "ends_": Held("sequences components", "probability"),
    }

    n_components: Annotated[int, Whole(1)] = 2
    """K, the number of states."""
    _: KW_ONLY
    covariance_type: str | None = None
    """structure of the normal columns' covariances, as in ``GaussianMixture``; None: "diag". Where it is named and
    families are not, all columns of numbers are normal, as hmmlearn's ``GaussianHMM`` has them."""
    transitions: Any = None
    """which transitions there are, ``(K, K)`` of True and False; "left-right": a state is followed by itself or a later
    one, and a sequence begins in the first; None: all."""
    stickiness: Annotated[float, NOT_NEGATIVE] = 0.0
    """with "map": how many transitions of every state to itself the prior adds (Dirichlet)."""
    concentration: Annotated[float, NOT_NEGATIVE] = 1.0
    """with "map": how many transitions of every state the prior adds, spread evenly over all that there are."""
    floor: Annotated[float, POSITIVE] = 1e-8
    """variance of the noise floor of every continuous entry, in units of the column's variance."""
    objective: Annotated[str, Choice(("mle", "map"))] = "map"
    """"map" with priors that weigh one row in all, so that nothing is impossible for having never been seen; or
    "mle"."""
    inference: Annotated[str, Choice(INFERENCE)] = "em"
    """"em" (Baum–Welch), or "hard-em", which counts along the likeliest path (Viterbi training)."""
    accelerate: Annotated[bool, Flag()] = False
    """squared extrapolation (SQUAREM), which never lowers the bound."""
    tol: Annotated[float, TOLERANCE] = 1e-5
    """EM stops when the bound a row changes by less, in nats."""
    max_iter: Annotated[int, Whole(0)] = 500
    """most iterations."""
    n_init: Annotated[int, Whole(1)] = 5
    """starts; the best is kept."""
    init_params: Annotated[str, Choice(CHAIN_STARTS)] = "varied"
    """how the rows of a start are grouped: as in ``GaussianMixture``; "segments", sequences cut into so many pieces of
    about one length, one state after another; or "varied", which goes through several of these, one a start."""
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
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
        labels: ByRow = None,
    ) -> Self:
        """Fit the model to sequences of rows.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry, which is integrated out. A row of gaps is a step at which
                nothing was seen.
            y: ignored.
            sample_weight: a weight a row, the same in all rows of a sequence; 2 is two copies of the sequence.
            groups: a number or text a row, which says of which sequence it is.
            lengths: of sequences that follow one another; in place of groups.
            time: numbers or dates, one a row: rows are put in their order.
            labels: the state of a row from 0, where it is known; −1 or NaN where not.

        Raises:
            ValueError: what is wrong with the rows, the weights or a setting, and what to do.
        """
        self._fit_rows(self.read(X, reset=True), X, SequenceOptions(groups, lengths, time), sample_weight, labels)
        return self

    @double_precision
    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read; as `fit` in all else."""
        self._fit_rows(rows, rows, SequenceOptions(), None, None)

    def _fit_rows(
        self, rows: Dataset, X: object, said: SequenceOptions, sample_weight: ArrayLike | None, labels: ArrayLike | None
    ) -> None:
        self.check_settings()
        if len(rows) < self.n_components:
            raise ValueError(
                f"n_components = {self.n_components} states need as many rows at least, and there are {len(rows)}: ask "
                "for fewer states, or give more rows"
            )
        order = ordered(X, len(rows), said)
        weights = sequence_weights(rows, order, sample_weight)
        known = self._labels(labels, len(rows))[order.order]
        laid = rows.take(order.order).weighted(np.repeat(weights, order.lengths))
        self._check_possible(known, order)
        self._fit(Sequences(laid, order.lengths, weights, known, sequence_names(order)))

    def _labels(self, labels: ArrayLike | None, rows: int) -> np.ndarray:
        if labels is None:
            return np.full(rows, -1)
        try:
            given = np.asarray(labels, np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"labels must be numbers of states, 0 to {self.n_components - 1}, and −1 or NaN where the state is not "
                "known"
            ) from None
        if given.shape != (rows,):
            raise ValueError(f"labels must hold one value a row, {rows} of them; its shape is {given.shape}")
        known = np.where(np.isnan(given), -1.0, given)
        wrong = (known != np.floor(known)) | (known < -1) | (known >= self.n_components)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"labels: row {row} says {given[row]:g}, and states are 0 to {self.n_components - 1}; −1 or NaN where "
                "the state is not known"
            )
        return known.astype(np.int64)

    def _check_possible(self, known: np.ndarray, order: SequenceOrder) -> None:
        """Refuse labels that the transitions rule out; ``known`` is in order."""
        possible, begins = self._possible()
        if possible is None or not (known >= 0).any():
            return
        first = np.zeros(known.size, bool)
        first[np.cumsum(order.lengths) - order.lengths] = True
        reached = np.ones(self.n_components, bool)
        for at, label in enumerate(known):
            before = np.ones(self.n_components, bool) if begins is None else begins
            reached = before if first[at] else reached @ possible
            reached = reached if label < 0 else reached & (np.arange(self.n_components) == label)
            if not reached.any():
                raise ValueError(
                    f"labels: row {order.order[at]} is in state {label}, which transitions rule out there (after the "
                    "labels before it, or as the first of a sequence): allow that transition, or change the label"
                )

    def automatic(self, schema: Schema, values: ColumnMoments) -> list[str]:
        """The families that suit the kinds of the columns, and their moments."""
        found = super().automatic(schema, values)
        if self.covariance_type is None:
            return found
        return ["normal" if column.levels is None else each for column, each in zip(schema.columns, found, strict=True)]

    def _check_together(self) -> None:
        if self.stickiness > 0 and self.objective == "mle":
            raise ValueError("stickiness is a prior: it goes with objective='map'")
        self._possible()

    def _possible(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Which transitions there are, and in which states a sequence may begin; None: all."""
        states = self.n_components
        if self.transitions is None:
            return None, None
        if isinstance(self.transitions, str):
            if self.transitions != "left-right":
                raise ValueError(f"transitions={self.transitions!r} does not exist; say 'left-right' or give a mask")
            return np.triu(np.ones((states, states), bool)), np.arange(states) == 0
        try:
            mask = np.asarray(self.transitions, np.float64)
        except (TypeError, ValueError):
            raise ValueError("transitions must be a table of True and False, or 'left-right'") from None
        if mask.shape != (states, states):
            raise ValueError(f"transitions must be of the shape ({states}, {states}); it is {mask.shape}")
        if not (np.isfinite(mask) & (mask >= 0)).all():
            raise ValueError("transitions must be a table of True and False: it holds NaN, or what is below 0")
        mask = mask != 0
        if not mask.any(axis=1).all():
            state = int(np.argmin(mask.any(axis=1)))
            raise ValueError(f"transitions: state {state} leads nowhere; allow it one at least, such as to itself")
        return (None if mask.all() else mask), None

    def _template(self, rows: Dataset, values: ColumnMoments) -> tuple[HiddenMarkov, Standardise]:
        states = self.n_components
        structure, with_priors = self.covariance_type or "diag", self.objective == "map"
        self.families_, groups, view = planned_columns(self, rows, values, states, structure, self.floor, with_priors)
        emissions = MixtureModel(np.full(states, -np.log(states)), groups, np.ones(states, bool))
        possible, possible_start = self._possible()
        pseudo = pseudo_start = None
        if with_priors:
            ways = np.ones((states, states)) if possible is None else possible * 1.0
            pseudo = self.concentration * ways / ways.sum(1, keepdims=True) + self.stickiness * np.diag(np.diag(ways))
            begins = np.ones(states) if possible_start is None else possible_start * 1.0
            pseudo_start = self.concentration * begins / begins.sum()
        chain = np.full((states, states), -np.log(states))
        return HiddenMarkov(
            chain[0], chain, emissions, pseudo, pseudo_start, possible, possible_start, hard=self.inference == "hard-em"
        ), view

    def _fit(self, given: Sequences) -> None:
        rows, random = given.rows, seed_of(self.random_state)
        values = rows.moments()
        template, view = self._template(rows, values)
        tiles = not values.complete and any(group.tiled for group in template.emissions.groups)
        source = SequenceSource(given, self.n_components, tiles=tiles)
        labels = given.labels if (given.labels >= 0).any() else None
        begun = stacked_starts(template, rows, view, self.init_params, self.n_init, random, labels, given.lengths)
        begun = begun.with_rows(complete=values.complete, tile=source.tile, whole=source.lanes.whole)
        schedule = SequenceSchedule(self.max_iter, self.tol, self.accelerate, type(self).__name__)
        with watch(Printer(10)) if self.verbose else nullcontext():
            found = run(begun, source, view, schedule, random)
        self._keep(found, given, values, view, labels is not None)

    def _keep(self, found: Fit, given: Sequences, values: ColumnMoments, view: Standardise, labelled: bool) -> None:
        meant = labelled or self.transitions is not None
        order = None if meant else canonical_order(finished(found.model, view).emissions)
        self.model_ = finished(found.model, view, order)
        weight = float((given.weights * given.lengths).sum())
        groups = found.model.emissions.groups
        change = -float(values.seen @ np.log(np.asarray(view.scale)))
        change += sum(group.change_of_prior(view, self.n_components) for group in groups)
        self.trace_ = found.trace._replace(bound=found.trace.bound + change)
        self.n_iter_, self.converged_ = found.iteration, found.status == CONVERGED
        self.stop_reason_ = stop_reason(found.status)
        self.lower_bound_ = (found.bound + change) / weight
        resting = floored(self.model_.emissions)
        self.n_parameters_, self.at_floor_ = self.model_.n_parameters(), bool(resting)
        self._publish()
        self.ends_ = self._ends(given.rows, given.lengths)
        self.sequences_ = given.names
        self._warn(resting)

    def _publish(self) -> None:
        model = self.model_
        self.startprob_ = np.exp(np.asarray(model.log_start))
        self.transmat_ = np.exp(np.asarray(model.log_transitions))
        self.weights_ = np.exp(np.asarray(model.emissions.log_weights))

    def _warn(self, resting: Mapping[int, list[int]]) -> None:
        names = self._column_names()
        for state, columns in resting.items():
            listed = ", ".join(names[column] for column in columns)
            warnings.warn(
                f"state {state} rests on the floor of the variance along column {listed}: it has collapsed on few "
                "distinct values there. Use fewer states, drop the column, or raise the floor.",
                ConvergenceWarning,
                stacklevel=4,
            )
        if not self.converged_ and self.max_iter > 0:
            say_unfinished(self.n_init, self.stop_reason_, self.n_iter_)

    def _n_states(self) -> int:
        return int(self.model_.log_start.shape[0])

    def structure_name(self) -> str:
        """The structure of the normal columns' covariances."""
        normal = sum(family == "normal" for family in self.families_)
        return canonical_name(self.covariance_type or "diag", max(normal, 1))
