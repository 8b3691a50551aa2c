"""What a fitted deep model answers about itself: log p(x) by annealing, losses of its encoder, walks through codes."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from sklearn.utils.metaestimators import available_if

from tacit.compute import single_precision
from tacit.estimators.base import Seed, check_choice, check_whole, seed_of, unmasked
from tacit.estimators.capabilities import MatrixLike, Refines, Walks
from tacit.estimators.vae.answers import NUMBERS, ROWS, DeepAnswers
from tacit.inference.stochastic import padded
from tacit.models.vae import model as deep
from tacit.models.vae.annealing import STARTS, annealed
from tacit.models.vae.model import Rows
from tacit.models.vae.refining import refined

DRAWS = 1000
"""Of z, for the bounds of a row."""


class DeepEvaluation(DeepAnswers, Refines):
    """The answers, and those about the model itself, which take longer."""

    @single_precision
    def annealed_weights(
        self,
        X: MatrixLike,
        *,
        given: ArrayLike | None = None,
        chains: int = 16,
        steps: int = 500,
        leaps: int = 5,
        start: str = "refined",
        random_state: Seed = 0,
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
        self, X: MatrixLike, *, given: ArrayLike | None = None, n_samples: int = DRAWS, random_state: Seed = 0
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
    def reconstruction_error(self, X: MatrixLike, *, given: ArrayLike | None = None) -> dict[str, float]:
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

    @single_precision
    def latent_information(self, X: MatrixLike, *, given: ArrayLike | None = None) -> dict[str, np.ndarray]:
        """What z is told of the rows, from at most 2 000 of them: arrays by name, all in nats but ``means``.

        ``kl`` ``(n, dims)`` of each row and dimension (one dimension where the KL has no closed form),
        ``log_posterior`` and ``log_aggregate`` ``(n,)``: log q(z|x) and log q(z) at a draw of z for each row, and
        ``means`` ``(n, dims)``.
        """
        stored, given = self._few(X, given)
        rows = self._together(stored, given)
        kl, own, mixed = deep.latent_shares(self._model(), rows, np.zeros(2, np.uint32))
        means, _ = deep.encode(self._model(), rows)
        named = {"kl": kl, "log_posterior": own, "log_aggregate": mixed, "means": means}
        return {name: np.asarray(value, np.float64) for name, value in named.items()}

    def _pieces(
        self, X: MatrixLike, given: ArrayLike | None, copies: int, random_state: Seed
    ) -> Iterator[tuple[int, Rows, np.ndarray]]:
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
            batch = padded((Rows(rows.x[part], given_part), keys[part]), np.ones(size), piece)
            yield size, *batch.rows


def _has_continuous_code(estimator: DeepAnswers) -> bool:
    if Walks in estimator.lacks():
        raise AttributeError("only a continuous code can be moved along a line, and that of this model is discrete")
    return True


class DeepWalks(DeepAnswers, Walks):
    """The answers, and rows of codes that are moved."""

    @available_if(_has_continuous_code)
    def interpolate(self, a: ArrayLike, b: ArrayLike, n: int = 10, *, given: ArrayLike | None = None) -> np.ndarray:
        """Rows on the straight way from one row's code to another's, ``(n, …)``, both ends included."""
        check_whole("n", n, 1)
        ends = self.transform(np.stack([np.asarray(unmasked(end, gaps=True)) for end in (a, b)]), given=given)
        share = np.linspace(0.0, 1.0, n)[:, None]
        return self.inverse_transform((1.0 - share) * ends[0] + share * ends[1], given=given)

    @available_if(_has_continuous_code)
    def traverse(
        self, x: ArrayLike, dim: int, values: ArrayLike | None = None, *, given: ArrayLike | None = None
    ) -> np.ndarray:
        """A row as one latent dimension is moved from −3 to 3 (or over ``values``) and the others stay."""
        self._check_dim(dim)
        steps = np.linspace(-3.0, 3.0, 9) if values is None else np.asarray(values, float)
        latent = np.repeat(self.transform(np.asarray(unmasked(x, gaps=True))[None], given=given), steps.size, axis=0)
        latent[:, dim] = steps
        return self.inverse_transform(latent, given=given)

    @available_if(_has_continuous_code)
    def manifold(self, grid: int = 20, dims: tuple[int, int] = (0, 1), *, given: ArrayLike | None = None) -> np.ndarray:
        """``E[x|z]`` for z on the grid of the prior's quantiles, ``(grid, grid, …)`` (Kingma & Welling 2014).

        The quantiles are those of a standard normal; dimensions other than ``dims`` stay at 0.
        """
        check_whole("grid", grid, 1)
        if self._width == 1:
            raise ValueError("a manifold needs two latent dimensions, and this model has one: use traverse")
        for dim in dims:
            self._check_dim(dim)
        quantiles = ndtri((np.arange(grid) + 0.5) / grid)
        latent = np.zeros((grid * grid, self._width))
        latent[:, dims[1]] = np.tile(quantiles, grid)
        latent[:, dims[0]] = np.repeat(-quantiles, grid)
        return self.inverse_transform(latent, given=given).reshape(grid, grid, *self.event_shape_)

    def _check_dim(self, dim: int) -> None:
        if not 0 <= dim < self.visible_dims:
            raise ValueError(f"a dimension of z that the decoder sees is from 0 to {self.visible_dims - 1}, got {dim}")
