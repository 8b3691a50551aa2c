"""The second driver in the host's loop: rounds of compiled steps over mini-batches.

After every round it measures the held-out bound, and keeps the best parameters. A round that meets a number which is
none is undone once and run again at half the rate.
"""

import warnings
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import optax
from jaxtyping import PyTree

from tacit.inference.closed_form import CONVERGED, INTERRUPTED, NAN, RUNNING, STOPPED
from tacit.inference.loop import Line, Loop, on_host
from tacit.inference.objectives import Objective
from tacit.inference.rounds import Rounds
from tacit.inference.settling import Settle
from tacit.inference.sharing import laid
from tacit.inference.stochastic import (
    ROWS_AT_ONCE,
    Batches,
    Reader,
    TrainSchedule,
    TrainState,
    adam,
    blank_totals,
    evaluate,
    run_steps,
)
from tacit.inference.watch import Progress
from tacit.waiting import keeping


class TrainConfig(NamedTuple):
    """What is raised, and how and how long its gradient is followed."""

    objective: Objective
    read: Reader
    """What is done to the rows of a batch on their way in."""
    max_epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 1e-3
    cosine: bool = True
    warm_epochs: float = 0.0
    patience: int | None = None
    """Rounds without a better held-out bound after which the fit ends; None never ends it."""
    clip: float = 0.0
    optimiser: optax.GradientTransformation | None = None
    label: str = "fit"
    settle: Settle | None = None
    """Ends the fit when the bound no longer rises beyond its noise, with no need of held-out rows; the rate stays level
    within a stage. What is kept is the average of the last stage."""
    keep_start: bool = False
    """Whether the model before the first step is among those that the held-out bound chooses from."""


class Trained(NamedTuple):
    """What a stochastic fit gave; all leaves are NumPy arrays."""

    model: PyTree
    trace: dict[str, np.ndarray]
    """A column a figure: epoch, step, seconds, the terms a row over the round, held_out."""
    status: int
    steps: int
    best_step: int
    rate: float
    """1, or ½ where the fit was rolled back."""
    optimiser: list[np.ndarray]
    """The arrays of the optimiser's state, to go on from with other rows."""


def train(
    model: PyTree,
    batches: Batches,
    held_out: Batches | None,
    config: TrainConfig,
    *,
    seed: int,
    begun: list[np.ndarray] | None = None,
) -> Trained:
    """Raise an objective from a model over mini-batches of rows, and keep the best by the held-out bound.

    Args:
        model: an `equinox.Module` with float32 arrays as parameters.
        batches: the rows to learn from; rows of weight 0 are never looked at.
        held_out: rows that stop the fit and choose its parameters, or None.
        config: what is raised, how long and how fast.
        seed: all that is random follows from it.
        begun: the arrays of an earlier fit's optimiser, to go on from.
    """
    epochs = _Epochs(config, Rounds(batches, config.batch_size, config.max_epochs, seed), held_out)
    loop = Loop(epochs)
    return epochs.trained(loop.run(epochs.begin(model, batches, seed, begun)), loop)


class _Epochs:
    """Rounds of whole epochs (`Fitting`); an iteration is a round."""

    snapshots: tuple[int, ...] = ()

    def __init__(self, config: TrainConfig, rounds: Rounds, held_out: Batches | None) -> None:
        self.config, self.rounds, self.label, self.size = config, rounds, config.label, rounds.size
        at_once = min(ROWS_AT_ONCE, 0 if held_out is None else held_out.weights.shape[0])
        self.over = None if rounds.over is None else rounds.over.of(at_once)
        self.held_out = None if held_out is None else laid(held_out, self.over)
        self.optimiser = config.optimiser or adam(config.clip, flat=True)
        self.undone = False
        cosine = config.cosine and config.settle is None
        self.pace = TrainSchedule(
            np.asarray(config.learning_rate, np.float32),
            np.asarray(config.max_epochs * rounds.steps_an_epoch if cosine else np.inf, np.float32),
            np.asarray(config.warm_epochs * rounds.steps_an_epoch, np.float32),
        )

    def begin(self, model: PyTree, batches: Batches, seed: int, begun: list[np.ndarray] | None) -> TrainState:
        """The state before the first step."""
        parameters, self.static = eqx.partition(model, eqx.is_inexact_array)
        self.blank = blank_totals(parameters, self.static, batches, self.config.objective, self.config.read)
        self.names = [name for name in self.blank if name != "steps"]
        key = np.asarray([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)
        level = -np.inf
        if self.config.keep_start and self.held_out is not None:
            found = evaluate(model, self.held_out, key, self.config.read, self.config.objective.bound(), self.over)
            level = float(found["objective"])
        return TrainState(
            parameters,
            self._optimiser_state(parameters, begun),
            parameters,
            np.asarray(level, np.float32),
            np.asarray(0, np.int32),
            np.asarray(0, np.int32),
            np.asarray(1.0, np.float32),
            np.asarray(RUNNING, np.int32),
            key,
            np.full(len(self.names) + 2, np.nan),
        )

    def _optimiser_state(self, parameters: PyTree, begun: list[np.ndarray] | None) -> PyTree:
        fresh = jax.jit(self.optimiser.init)(parameters)  # one program, not one for every shape
        if begun is None:
            return fresh
        if self.config.optimiser is None and len(begun) > len(jax.tree.leaves(fresh)):
            self.optimiser = adam(self.config.clip)  # of a model that was saved with an array for every parameter
            fresh = jax.jit(self.optimiser.init)(parameters)
        return jax.tree.unflatten(jax.tree.structure(fresh), begun)

    def running(self, state: TrainState, loop: Loop) -> bool:
        return int(state.status) == RUNNING and len(loop.trace) < self.rounds.number

    def left(self, loop: Loop) -> int:
        return 1

    def advance(self, state: TrainState, number: int, loop: Loop) -> tuple[TrainState, list[Line]]:
        """A round; one that meets a number which is none is undone, and leaves no line."""
        self.undone = self.undone or (self.config.settle is None and float(state.rate) < 1.0)
        after, totals, bad = self._steps(state, loop)
        if bad >= 0:
            return self._undo(state, bad, loop), []
        figures = {name: float(totals[name]) / float(totals["steps"]) for name in self.names}
        bound, chosen_by = self._measure(after, figures, loop)
        if not (np.isfinite(bound) and np.isfinite(chosen_by) and _finite(after.model)):
            return self._undo(state, int(after.step), loop), []
        line = np.array([float(after.step), *(figures[name] for name in self.names), bound])
        lines = [*(each[2] for each in loop.trace), line]
        if self.config.settle is not None:
            after = self._staged(eqx.tree_at(lambda s: s.bound, after, line), self.config.settle, lines)
        else:
            after = self._chosen(after, line, chosen_by, len(lines))
        if not loop.whole:
            after = eqx.tree_at(lambda s: s.status, after, np.asarray(INTERRUPTED, np.int32))
        return after, [Line(len(loop.trace), line)]

    def _chosen(self, state: TrainState, line: np.ndarray, chosen_by: float, rounds: int) -> TrainState:
        """The parameters kept if they are the best so far, and whether the fit goes on."""
        # while the KL warms up another objective is followed: the latest parameters are kept, and any later beat them
        warming = int(state.step) < float(self.pace.warm_steps)
        better = self.held_out is None or warming or chosen_by > float(state.best_bound)
        where = lambda s: (s.best, s.best_bound, s.best_step, s.bound)  # noqa: E731
        level = np.asarray(-np.inf if warming else chosen_by, np.float32)
        kept = (state.model, level, state.step) if better else where(state)[:3]
        state = eqx.tree_at(where, state, (*kept, line))
        return eqx.tree_at(lambda s: s.status, state, np.asarray(self._status(state, rounds), np.int32))

    def _staged(self, state: TrainState, settle: Settle, lines: list[np.ndarray]) -> TrainState:
        """The average of a stage's latest rounds is the best; a stage that has settled begins the next one from it.

        ``best_step`` is where the stage began.
        """
        rounds = [line for line in lines if line[0] > int(state.best_step)]
        share = max(1.0 / len(rounds), 0.5 / settle.window)
        average = jax.tree.map(lambda old, new: old + share * (new - old), state.best, state.model)
        state = eqx.tree_at(lambda s: s.best, state, average)
        elbo = np.array([line[1 + self.names.index("elbo")] for line in rounds])
        status = STOPPED if len(lines) >= self.rounds.number else RUNNING
        if settle.settled(elbo):
            if settle.last(float(state.rate)):
                status = CONVERGED
            else:
                where = lambda s: (s.model, s.best_step, s.rate)  # noqa: E731
                state = eqx.tree_at(where, state, (average, state.step, np.float32(state.rate * settle.drop)))
        return eqx.tree_at(lambda s: s.status, state, np.asarray(status, np.int32))

    def _steps(self, state: TrainState, loop: Loop) -> tuple[TrainState, dict[str, Any], int]:
        """All steps of a round; after Ctrl-C in the very first one those done by then."""
        totals, config = self.blank, self.config
        for piece in self.rounds.pieces(len(loop.trace)):
            learned = not loop.trace and float(totals["steps"]) > 0
            try:
                with keeping(learned), loop.computing():
                    state, totals, bad = run_steps(
                        state,
                        self.static,
                        piece.batches,
                        piece.order,
                        np.asarray(piece.first, np.int32),
                        np.asarray(piece.last, np.int32),
                        totals,
                        self.pace,
                        config.objective,
                        self.optimiser,
                        config.read,
                        self.rounds.over,
                    )
                if int(bad) >= 0:
                    return state, totals, int(bad)
                loop.tell(self.progress(state, loop, float(totals["steps"]) / self.rounds.steps, totals))
            except KeyboardInterrupt:
                if loop.trace or not float(totals["steps"]):
                    raise  # the last round is kept, or there is nothing yet
                loop.break_off()
                break
        return state, totals, -1

    def _undo(self, before: TrainState, bad: int, loop: Loop) -> TrainState:
        """Back to the start of the round at half the rate, once; then the fit ends with its best."""
        if not loop.whole:
            raise KeyboardInterrupt  # and nothing was learned
        if self.undone:
            return eqx.tree_at(lambda s: s.status, before, np.asarray(NAN, np.int32))
        warnings.warn(
            f"the objective was no number at step {bad}: going back {bad - int(before.step)} steps, with half the "
            "learning rate. Lower learning_rate, or set clip, if this comes again.",
            UserWarning,
            stacklevel=2,
        )
        self.undone = True
        return eqx.tree_at(lambda s: s.rate, before, np.float32(0.5 * before.rate))

    def _measure(self, state: TrainState, figures: dict[str, float], loop: Loop) -> tuple[float, float]:
        """The held-out bound, and what the best is chosen by, with the same noise every time.

        Without held-out rows, the bound of the round.
        """
        if self.held_out is None:
            return figures["elbo"], figures["elbo"]
        model = eqx.combine(state.model, self.static)
        with loop.computing():
            bound = self.config.objective.bound()
            found = evaluate(model, self.held_out, state.key, self.config.read, bound, self.over)
        return float(found["elbo"]), float(found["objective"])

    def _status(self, state: TrainState, done: int) -> int:
        if not np.isfinite(state.bound).all():
            return NAN
        patience = self.config.patience
        rounds = (int(state.step) - int(state.best_step)) // self.rounds.steps
        if self.held_out is not None and patience is not None and rounds >= patience:
            return CONVERGED
        return STOPPED if done >= self.rounds.number else RUNNING

    def progress(
        self, state: TrainState, loop: Loop, share: float = 0.0, totals: dict[str, Any] | None = None
    ) -> Progress:
        """Where the fit stands, perhaps with ``share`` of the next round done, whose terms so far are in ``totals``.

        What was not measured yet is NaN.
        """
        seconds, every = loop.seconds, self.rounds
        done = len(loop.trace) + share if loop.whole else int(state.step) / every.steps
        names = ["step", *self.names, "held_out"]
        figures = dict(zip(names, np.asarray(state.bound, np.float64).tolist(), strict=True))
        if totals is not None:
            figures["step"] = float(state.step)
            figures |= {name: float(totals[name]) / max(float(totals["steps"]), 1.0) for name in self.names}
        words = ""
        if done:
            rows = done * every.epochs * every.places.size
            left = seconds * (every.number - done) / done
            parts = self.config.objective.words(figures)
            words = f"{parts}, " if parts else ""
            words += f"{rows / max(seconds, 1e-9):,.0f} rows/s, at most {left:.0f} s left"
        return Progress(
            self.config.label,
            min(int(done * every.epochs), every.max_epochs),
            every.max_epochs,
            figures["elbo"],
            int(state.status == RUNNING),
            1,
            seconds,
            None,
            words,
            figures,
            loop.begun,
        )

    def trained(self, state: TrainState, loop: Loop) -> Trained:
        """What the last state of a loop amounts to."""
        lines = np.array([line for _, _, line in loop.trace]).reshape(len(loop.trace), len(self.names) + 2)
        numbers = np.arange(1, len(loop.trace) + 1)
        columns: dict[str, np.ndarray] = {"epoch": np.minimum(numbers * self.rounds.epochs, self.rounds.max_epochs)}
        columns["step"] = lines[:, 0].astype(np.int64)
        if not loop.whole:
            columns["epoch"] = columns["step"] // self.rounds.steps_an_epoch
        for place, name in enumerate([*self.names, "held_out"], 1):
            columns[name] = lines[:, place]
        if self.held_out is None:
            del columns["held_out"]
        columns["seconds"] = np.array([seconds for _, seconds, _ in loop.trace])
        return Trained(
            on_host(eqx.combine(state.best, self.static)),
            columns,
            INTERRUPTED if loop.interrupted and int(state.status) == RUNNING else int(state.status),
            int(state.step),
            int(state.best_step),
            float(state.rate),
            jax.tree.leaves(state.optimiser),
        )


def _finite(model: PyTree) -> bool:
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(model))
