"""What a fitted deep model answers about itself: log p(x) by annealing, and what its encoder loses."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tacit.compute import single_precision
from tacit.estimators.base import check_choice, check_whole, seed_of
from tacit.estimators.capabilities import Refines
from tacit.estimators.vae.answers import NUMBERS, ROWS, DeepAnswers
from tacit.inference.stochastic import padded
from tacit.models.vae.annealing import STARTS, annealed
from tacit.models.vae.model import RowBatch
from tacit.models.vae.refining import refined

DRAWS = 1000
"""Of z, for the bounds of a row."""


class DeepEvaluation(DeepAnswers, Refines):
    """The answers, and those about the model itself, which take longer."""

    @single_precision
    def annealed_weights(
        self,
        X: Any,
        *,
        given: Any = None,
        chains: int = 16,
        steps: int = 500,
        leaps: int = 5,
        start: str = "refined",
        random_state: Any = 0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Annealed importance sampling (Neal 2001): ``(n, chains)`` logarithms of unbiased estimates of p(x).

        In nats and the user's units; and the share of the Hamiltonian moves that was accepted, ``(n,)``. The chains
        begin at a Gaussian fitted to the row ("refined"), at the encoder's q(z|x) ("posterior"), or at the "prior".
        """
        for name, value, least in (("chains", chains, 2), ("steps", steps, 1), ("leaps", leaps, 1)):
            check_whole(name, value, least)
        check_choice("start", start, STARTS)
        weights, accepted = [], []
        for size, rows, keys in self._pieces(X, given, chains, random_state):
            found = annealed(self._model(), rows, keys, chains, steps, leaps, start)
            log_weights = np.asarray(found.log_weights, np.float64) - self._unit(rows)[:, None]
            weights.append(log_weights[:size])
            accepted.append(np.asarray(found.acceptance, np.float64)[:size])
        return np.concatenate(weights), np.concatenate(accepted)

    @single_precision
    def refined_bounds(
        self, X: Any, *, given: Any = None, n_samples: int = DRAWS, random_state: Any = 0
    ) -> dict[str, np.ndarray]:
        """Bounds of every row ``(n,)`` in nats and the user's units, by name.

        ``elbo`` with the encoder's q(z|x), ``best_elbo`` with the diagonal Gaussian that suits the row best, and
        ``importance``: the importance-weighted bound with that Gaussian.
        """
        check_whole("n_samples", n_samples, 1)
        chunk = min(n_samples, 50)
        found: dict[str, list[np.ndarray]] = {}
        for size, rows, keys in self._pieces(X, given, chunk, random_state):
            bounds = refined(self._model(), rows, keys, n_samples, chunk)
            for name, values in bounds._asdict().items():
                found.setdefault(name, []).append((np.asarray(values, np.float64) - self._unit(rows))[:size])
        return {name: np.concatenate(values) for name, values in found.items()}

    @single_precision
    def reconstruction_error(self, X: Any, *, given: Any = None) -> dict[str, float]:
        """How far ``E[x|z]`` at the mean of q(z|x) lies from the observed entries of at most 2 000 rows.

        ``squared``: the mean squared error, in the user's units squared. ``right``: where all values are 0 or 1, the
        share of them on whose side of ½ the reconstruction lies; else NaN.
        """
        stored, given = self._few(X, given)
        seen = self._outward(self._together(stored, given).x)
        there = ~np.isnan(seen)
        guess, seen = self._reconstructed(stored, given)[there], seen[there]
        right = float(np.mean((guess > 0.5) == (seen > 0.5))) if np.isin(seen, (0, 1)).all() else math.nan
        return {"squared": float(np.mean((guess - seen) ** 2, dtype=np.float64)), "right": right}

    def _pieces(self, X: Any, given: Any, copies: int, random_state: Any) -> Iterator[tuple[int, RowBatch, np.ndarray]]:
        """How many rows, those rows made up to a fixed number, and a random key for each, which is its own."""
        rows = self._together(self._read(X), given)
        kind = self._model().posterior_kind
        if not kind.likelihood:
            raise ValueError("the posterior is a point: a plain auto-encoder has codes, and no log p(x) or bound on it")
        if not kind.continuous:
            raise ValueError("the codes of this model are no vectors of real numbers, which is what gradients can move")
        count = rows.x.shape[0]
        keys = seed_of(random_state).integers(2**32, size=(count, 2), dtype=np.uint32)
        each = math.prod(self._model().likelihood.shape(self.event_shape_)) * copies
        piece = min(ROWS, 1 << (count - 1).bit_length(), max(1, NUMBERS // each))
        for start in range(0, count, piece):
            part = slice(start, min(start + piece, count))
            size = part.stop - part.start
            given_part = None if rows.given is None else rows.given[part]
            batch = padded((RowBatch(rows.x[part], given_part), keys[part]), np.ones(size), piece)
            yield size, *batch.rows
