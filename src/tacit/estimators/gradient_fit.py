"""``GradientFit``: what estimators share that follow a gradient over mini-batches of rows.

Which rows are held out, how long and how fast the gradient is followed, the trace, and how the fit ended.
"""

import math
import warnings
from dataclasses import KW_ONLY
from typing import Annotated, NamedTuple, Self, TypeVar

import jax
import numpy as np
from jaxtyping import PyTree
from sklearn.exceptions import ConvergenceWarning

from tacit.estimators.base import Seed
from tacit.estimators.settings import FROM_0, SHARE, Estimator, Number, Whole, settings
from tacit.estimators.spreading import SharesBatches
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import CONVERGED, NAN
from tacit.inference.loop import Trace
from tacit.inference.objectives import Objective
from tacit.inference.rounds import RESIDENT_BYTES
from tacit.inference.stochastic import Batches, Reader, padded, room
from tacit.inference.train import TrainConfig, Trained, train
from tacit.inference.watch import printing

FEWEST_HELD_OUT, MOST_HELD_OUT = 5, 10_000

T = TypeVar("T", bound=PyTree)


class Split(NamedTuple):
    """Places of the rows that are learned from, in the order they came in, and of those held out."""

    learned: np.ndarray
    held: np.ndarray
    """None where there would be too few, or where they or the others have no weight."""

    @classmethod
    def of(cls, order: np.ndarray, share: float, weights: np.ndarray) -> Self:
        """Hold out a share of the rows, the first of a mixed order."""
        kept = min(round(share * order.size), MOST_HELD_OUT)
        if kept < FEWEST_HELD_OUT or not weights[order[kept:]].any():
            kept = 0
        held = order[:kept]
        return cls(np.sort(order[kept:]), held if weights[held].any() else held[:0])

    @property
    def measured(self) -> np.ndarray:
        """The rows whose bound the trace tells."""
        return self.held if self.held.size else self.learned


@settings
class GradientFit(SharesBatches, Estimator):
    """A model fitted by a gradient; a subclass says what is raised, calls `_learn`, and `_keep` with what it gave."""

    _: KW_ONLY
    max_epochs: Annotated[int | None, Whole(1)] = None
    """passes over the rows; None takes as many as the model usually needs."""
    batch_size: Annotated[int, Whole(1)] = 128
    """rows of a step."""
    learning_rate: Annotated[float, Number("a positive number", least_too=False, below=math.inf)] = 1e-3
    """of Adam."""
    warm_up: Annotated[float, FROM_0] = 0.1
    """share of the fit over which the weight of the KL rises from 0 to 1."""
    validation_fraction: Annotated[float, SHARE] = 0.1
    """of the rows, held out (10 000 at most) to stop the fit and to choose its best parameters once the KL has its full
    weight; 0 holds out none."""
    patience: Annotated[int | None, Whole(1)] = 20
    """measurements of the held-out bound without a better one after which the fit ends; one is taken every epoch, or
    every 200 steps where epochs are shorter."""
    random_state: Seed = None
    """seed."""
    verbose: int = 0
    """print a line every so many epochs."""

    def _train_config(self, objective: Objective, read: Reader, epochs: int) -> TrainConfig:
        """What is raised, and the schedule that the settings ask for."""
        return TrainConfig(
            objective,
            read,
            epochs,
            self.batch_size,
            float(self.learning_rate),
            warm_epochs=self.warm_up * epochs,
            patience=self.patience,
            label=type(self).__name__,
        )

    def _learn(
        self, begun: PyTree, rows: T, weights: np.ndarray, split: Split, config: TrainConfig, seed: int
    ) -> Trained:
        """Raise the objective from a model; ``rows`` is a pytree of arrays that lead with the rows."""
        part = lambda places: jax.tree.map(lambda leaf: leaf[places], rows)  # noqa: E731
        learned, held = split
        held_out = padded(part(held), weights[held], room(held.size)) if held.size else None
        if sum(leaf.nbytes for leaf in jax.tree.leaves(rows)) > RESIDENT_BYTES:
            counted = np.array(weights)  # rows are never copied: those held out have no weight among the rest
            counted[held] = 0.0
            batches = Batches(rows, counted.astype(np.float32))
        else:
            batches = padded(part(learned), weights[learned], room(learned.size))
        with printing(self.verbose):
            return train(begun, batches, held_out, config, seed=seed)

    def _keep(self, trained: Trained, weight: float, change: float = 0.0) -> None:
        """How the fit went, as attributes.

        Args:
            trained: what the driver gave.
            weight: of all rows.
            change: what a bound in nats a row lacks to be in the user's units.
        """
        history = self.history_ = trained.trace
        bounds = history.get("held_out", history["elbo"]) + change
        self.trace_ = Trace(history["epoch"], bounds * weight, history["seconds"])
        best = np.flatnonzero(history["step"] == trained.best_step)
        self.lower_bound_ = float(bounds[best[-1]]) if best.size else float("nan")
        self.n_iter_ = int(history["epoch"][-1]) if history["epoch"].size else 0
        self.converged_ = trained.status == CONVERGED
        self.stop_reason_ = stop_reason(trained.status)
        if trained.status == NAN:
            warnings.warn(
                "the bound was no number, and half the rate was no cure: the best parameters before that are kept "
                f"(step {trained.best_step}). Lower learning_rate (it is {self.learning_rate}).",
                ConvergenceWarning,
                stacklevel=5,
            )
