"""What a fitted deep model answers: codes, reconstructions, new rows, scores, gaps filled."""

import functools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import jax
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from tacit.compute import row_bucket, single_precision
from tacit.data.blocks import Standardise
from tacit.estimators.base import Seed, check_whole, read_weights, seed_of, unmasked
from tacit.estimators.capabilities import (
    Capability,
    Codes,
    Imputes,
    MatrixLike,
    Scores,
    ScoresByDraws,
    TakesDatasets,
    Walks,
)
from tacit.estimators.settings import Estimator
from tacit.estimators.vae.condition import DeepConditional, given_row
from tacit.estimators.vae.describe import Architecture, describe
from tacit.estimators.vae.explained import OF_DENSITIES, DeepExplains
from tacit.estimators.vae.parts import DISCRETE, Reading, choose_objective
from tacit.estimators.vae.rows import Conditions, DeepRows, check_shares, check_support, read_deep_rows
from tacit.inference.objectives import Elbo, Objective
from tacit.inference.stochastic import Batches, evaluate, padded
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.vae import model as deep
from tacit.models.vae.likelihoods import Columns, Likelihood
from tacit.models.vae.model import DeepLatent, RowBatch
from tacit.models.vae.networks import ConvDecoder
from tacit.models.vae.posteriors import EncoderPosterior
from tacit.spaces import Held

ROWS = 128
"""Rows that are looked at together."""
NUMBERS = 4_000_000
"""Outputs of the decoder that are held at a time where a row is scored."""
SEEN_TOGETHER = 2000
"""Rows of which the aggregate posterior is made."""
BLACK_OR_WHITE = "mass of black or white"
"""What the likelihood of a pixel is that was grey, and is drawn or cut before it is scored."""
REPLICATES = 4
"""Of a score, for its standard error."""


def _has_likelihood(estimator: "DeepAnswers") -> bool:
    if Scores in estimator.lacks():
        raise AttributeError("a plain auto-encoder has no likelihood of rows: take posterior='diagonal'")
    return True


class DeepAnswers(
    DeepExplains,
    Codes,
    ScoresByDraws,
    Imputes,
    TakesDatasets,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    Estimator,
):
    """The answers; a subclass fits ``model_`` and sets what is annotated here."""

    held: ClassVar[Mapping[str, Held]] = {"view_.scale": Held("...", "positive"), "view_.shift": Held("...")}
    reads = ("table", "images")

    model_: DeepLatent
    view_: Standardise
    conditions_: Conditions
    event_shape_: tuple[int, ...]
    n_samples: int
    n_components: Any
    posterior: Any
    objective: Any
    binarize: str | None
    random_state: Seed
    _levels: bool
    _cut: bool

    @property
    def scores_are_bounds(self) -> bool:
        """They are estimates from below."""
        return True

    def lacks(self) -> frozenset[type[Capability]]:
        """A density where codes are points, walks where they are discrete."""
        asked = self.posterior
        if isinstance(asked, EncoderPosterior):
            point, discrete = not asked.likelihood, not asked.continuous
        else:
            point, discrete = asked == "point", asked in DISCRETE
        return frozenset(OF_DENSITIES if point else ()) | frozenset((Walks,) if discrete else ())

    def _reading(self, binarize: str | None) -> Reading:
        """From stored rows to those of the model, with grey pixels drawn, cut, or left as they are."""
        real = np.any(self.view_.scale != 1.0) or np.any(self.view_.shift != 0.0)
        return Reading(self.view_ if real else None, self._levels, binarize)

    def _outward(self, x: ArrayLike) -> np.ndarray:
        """Rows in the user's units."""
        x = np.asarray(x) * self.view_.scale + self.view_.shift
        return x * 255.0 if self._levels and self.binarize is None else x

    def _model(self) -> DeepLatent:
        check_is_fitted(self)
        return self._deep_latent

    def _asked_objective(self) -> Any:
        """What the user asked for; a model whose settings are of the objective makes it."""
        return self.objective

    @property
    def _deep_latent(self) -> DeepLatent:
        """The part of ``model_`` that has a code."""
        return self.model_

    @property
    def visible_dims(self) -> int:
        """How many numbers of a code, from the first, the decoder sees: all, but for a second level."""
        return self._model().posterior_kind.visible(self.n_components)

    @property
    def _width(self) -> int:
        """Numbers of a code."""
        return self._model().posterior_kind.width(self.n_components)

    def _batches(self, X: MatrixLike, given: ArrayLike | None) -> Iterator[tuple[slice, RowBatch]]:
        """Rows as the model takes them, a padded batch at a time; grey pixels are cut at ½ where they were drawn."""
        return self._batches_of(self._read(X), given)

    def _read(self, X: MatrixLike) -> DeepRows:
        self._model()
        return read_deep_rows(self, X, reset=False)

    def _check_part(self, likelihood: Likelihood, stored: np.ndarray, first: int) -> None:
        """Refuse values that have no density, in some rows as they are stored."""
        x = (stored.astype(np.float32) - self.view_.shift) / self.view_.scale
        if self._levels:
            if ((x > 0) & (x < 1)).any() and not (x > 1).any():
                raise ValueError("X holds shares of 1, and the model was fitted to 8-bit levels: multiply by 255")
            x = x / np.float32(255.0)
        check = check_shares if self.binarize is not None else functools.partial(check_support, likelihood)
        check(x, first)

    def _conditions(self, stored: DeepRows, given: ArrayLike | None) -> np.ndarray | None:
        """What rows are given, as numbers."""
        return self.conditions_.encoded(given, stored.shape[0])

    def _batches_of(self, stored: DeepRows, given: ArrayLike | None) -> Iterator[tuple[slice, RowBatch]]:
        """The same of rows that were read."""
        read = self._reading(None if self.binarize is None else "threshold")
        encoded = self._conditions(stored, given)
        likelihood = self._model().likelihood
        for start in range(0, stored.shape[0], ROWS):
            part = slice(start, min(start + ROWS, stored.shape[0]))
            condition = None if encoded is None else encoded[part]
            batch = padded(RowBatch(stored[part], condition), np.ones(part.stop - start), ROWS)
            self._check_part(likelihood, np.asarray(batch.rows.x), start)
            rows = read(batch.rows, jax.random.key(0))
            yield part, RowBatch(np.asarray(rows.x), rows.given)

    def _few(self, X: MatrixLike, given: ArrayLike | None) -> tuple[DeepRows, Any]:
        """At most 2 000 of the rows, as they are stored, and what those are given."""
        stored = self._read(X)
        if stored.shape[0] <= SEEN_TOGETHER:
            return stored, given
        chosen = np.random.default_rng(0).choice(stored.shape[0], SEEN_TOGETHER, replace=False)
        single = given is None or np.ndim(given) == 0
        return stored[chosen], given if single else np.asarray(unmasked(given, "given"))[chosen]

    def _together(self, stored: DeepRows, given: ArrayLike | None) -> RowBatch:
        """All rows that were read, as the model takes them."""
        parts = [(part.stop - part.start, rows) for part, rows in self._batches_of(stored, given)]
        conditions = [np.asarray(rows.given)[:size] for size, rows in parts if rows.given is not None]
        seen = np.concatenate([np.asarray(rows.x)[:size] for size, rows in parts])
        return RowBatch(seen, np.concatenate(conditions) if conditions else None)

    def _unit(self, rows: RowBatch) -> np.ndarray:
        """What the log-density of each row has too much of: the log scale of every observed entry."""
        log_scale = np.log(np.asarray(self.view_.scale))
        return np.where(np.isnan(rows.x), 0.0, log_scale).sum(axis=tuple(range(1, rows.x.ndim)))

    @single_precision
    def transform(self, X: MatrixLike, *, given: ArrayLike | None = None, return_std: bool = False) -> Any:
        """The mean of q(z|x) of every row, ``(n, n_components)``; with ``return_std`` its standard deviations too."""
        found = [
            tuple(np.asarray(value)[: part.stop - part.start] for value in deep.encode(self._model(), rows))
            for part, rows in self._batches(X, given)
        ]
        means, scales = (np.concatenate(values) for values in zip(*found, strict=True))
        return (means, scales) if return_std else means

    @single_precision
    def inverse_transform(self, Z: ArrayLike, *, given: ArrayLike | None = None) -> np.ndarray:
        """``E[x|z]`` of every z ``(n, n_components)``, in the user's units; of a category its likeliest level."""
        model = self._model()
        latent = np.asarray(Z, dtype=np.float32)
        if latent.ndim != 2 or latent.shape[1] != self._width:
            raise ValueError(f"Z must be (n, {self._width}), got {latent.shape}")
        return self._decoded(model, latent, self.conditions_.encoded(given, latent.shape[0]), None)

    def _decoded(
        self, model: DeepLatent, latent: np.ndarray, given: np.ndarray | None, random: np.random.Generator | None
    ) -> np.ndarray:
        """Means of rows given z, or draws where a source of randomness is given."""
        found = []
        for start in range(0, latent.shape[0], ROWS):
            size = min(ROWS, latent.shape[0] - start)
            z = np.concatenate([latent[start : start + size], np.zeros((ROWS - size, latent.shape[1]), np.float32)])
            condition = None
            if given is not None:
                condition = np.concatenate([given[start : start + size], np.repeat(given[:1], ROWS - size, axis=0)])
            if random is None:
                values = deep.decoded_mean(model, z, condition)
            else:
                values = deep.decoded_draw(model, z, condition, _key(random))
            found.append(np.asarray(values)[:size])
        rows = self._outward(np.concatenate(found))
        levels = random is not None and self._levels and self.binarize is None
        return np.rint(rows).astype(np.uint8) if levels else rows

    @single_precision
    def reconstruct(self, X: MatrixLike, *, given: ArrayLike | None = None) -> np.ndarray:
        """``E[x|z]`` at the mean of q(z|x), in the user's units; of a category its likeliest level."""
        return self._reconstructed(self._read(X), given)

    def _reconstructed(self, stored: DeepRows, given: ArrayLike | None) -> np.ndarray:
        found = [
            np.asarray(deep.reconstruct(self._model(), rows))[: part.stop - part.start]
            for part, rows in self._batches_of(stored, given)
        ]
        return self._outward(np.concatenate(found))

    @single_precision
    def sample(
        self,
        n_samples: int = 1,
        *,
        temperature: float = 1.0,
        given: ArrayLike | None = None,
        mean: bool = False,
        random_state: Seed = None,
    ) -> np.ndarray:
        """New rows: z from the prior (its distance from 0 times ``temperature``), then x from p(x|z), or its mean."""
        model = self._model()
        check_whole("n_samples", n_samples, 1)
        random = seed_of(self.random_state if random_state is None else random_state)
        latent = temperature * np.asarray(deep.prior_draws(model, _key(random), row_bucket(n_samples)))[:n_samples]
        if temperature != 1.0 and not model.posterior_kind.continuous:
            raise ValueError(f"a discrete code has no temperature: leave it at 1, got {temperature}")
        condition = self.conditions_.encoded(given, n_samples)
        return self._decoded(model, latent, condition, None if mean else random)

    @available_if(_has_likelihood)
    @single_precision
    def score_samples(
        self, X: MatrixLike, *, given: ArrayLike | None = None, n_samples: int | None = None, return_error: bool = False
    ) -> Any:
        """An estimate of ``log p(x)`` of every row in nats, from below on average (Burda et al. 2016).

        The draws are the same for every row, so the score of a row does not depend on its company; only observed
        entries count. With ``return_error`` also its standard error, from independent replicates.
        """
        self._model()
        random = np.random.default_rng(0)
        number = self.n_samples if n_samples is None else n_samples
        check_whole("n_samples", number, 1)
        keys = [_key(random) for _ in range(REPLICATES if return_error else 1)]
        found = []
        for part, rows in self._batches(X, given):
            scores = [self._log_prob(rows, key, number, given) for key in keys]
            found.append((np.stack(scores).astype(np.float64) - self._unit(rows))[:, : part.stop - part.start])
        values = np.concatenate(found, axis=1)
        mean = values.mean(axis=0)
        return (mean, values.std(axis=0, ddof=1) / math.sqrt(REPLICATES)) if return_error else mean

    def _log_prob(self, rows: RowBatch, key: np.ndarray, number: int, given: ArrayLike | None) -> np.ndarray:
        """``log p(x)`` of a batch, in the units of the model."""
        return np.asarray(deep.importance_log_prob(self._model(), rows, key, number, self._chunk(number)))

    def _chunk(self, number: int) -> int:
        """Of so many draws of z, how many are decoded together."""
        model = self._model()
        own = model.decoder.numbers if isinstance(model.decoder, ConvDecoder) else 0
        held = max(math.prod(model.likelihood.shape(self.event_shape_)), own)
        return max(1, min(number, NUMBERS // (held * ROWS)))

    @available_if(_has_likelihood)
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

    @available_if(_has_likelihood)
    @single_precision
    def elbo(self, X: MatrixLike, *, given: ArrayLike | None = None, n_samples: int = 16) -> dict[str, float]:
        """The ELBO and its two terms, in nats a row and the user's units, averaged over rows and draws."""
        check_whole("n_samples", n_samples, 1)
        (model, bound), count = self._bound(n_samples, given), 0
        totals: dict[str, float] = {}
        log_scale = np.log(np.asarray(self.view_.scale))
        for part, rows in self._batches(X, given):
            size = part.stop - part.start
            batch = Batches(rows, (np.arange(ROWS) < size).astype(np.float32))
            terms = evaluate(model, batch, np.zeros(2, np.uint32), Reading(None, False, None), bound)
            change = float(np.where(np.isnan(rows.x[:size]), 0.0, log_scale).sum())
            for name, value in terms.items():
                totals[name] = totals.get(name, 0.0) + float(value) * size
            for name in ("elbo", "reconstruction"):
                totals[name] -= change
            count += size
        return {name: total / count for name, total in totals.items() if name != "objective"}

    def _bound(self, n_samples: int, given: ArrayLike | None) -> tuple[Any, Objective]:
        """The model whose bound is asked for, and the bound."""
        return self._model(), Elbo(n_samples)

    @single_precision
    def impute(
        self,
        X: MatrixLike,
        n_draws: int = 0,
        *,
        given: ArrayLike | None = None,
        n_samples: int = 100,
        random_state: Seed = None,
    ) -> np.ndarray:
        """Rows with their gaps filled: by the conditional mean, or ``n_draws`` draws ``(n_draws, n, …)``.

        In place of the mean a column of categories gets its likeliest level.
        """
        check_whole("n_draws", n_draws, 0)
        check_whole("n_samples", n_samples, 1)
        random, means, draws = seed_of(self.random_state if random_state is None else random_state), [], []
        chunk = self._chunk(n_samples)
        for part, rows in self._batches(X, given):
            size = part.stop - part.start
            mean, drawn = deep.imputed(self._model(), rows, _key(random), n_samples, max(1, n_draws), chunk)
            means.append(np.asarray(mean)[:size])
            draws.append(np.asarray(drawn)[:, :size])
        return self._outward(np.concatenate(draws, axis=1) if n_draws else np.concatenate(means))

    @available_if(_has_likelihood)
    def condition(self, values: Mapping[Any, Any]) -> DeepConditional:
        """The density of a row's other columns, given ``{column: value}``; columns by number or name."""
        self._model()
        if len(self.event_shape_) != 1 or self.conditions_.width:
            raise ValueError("condition is for rows of columns, without anything given; fill gaps with impute")
        return DeepConditional(self, given_row(values, self.event_shape_[0], self._names()))

    def base_measure(self) -> tuple[str, ...]:
        """What ``score_samples`` is of each entry: the "density" of a real number, a "mass", or that of a cut pixel."""
        likelihood = self._model().likelihood
        count = math.prod(self.event_shape_)
        if self._cut:
            return (BLACK_OR_WHITE,) * count
        if not isinstance(likelihood, Columns):
            return (likelihood.measure,) * count
        pairs = zip(likelihood.parts, likelihood.columns, strict=True)
        words = {column: part.measure for part, places in pairs for column in places}
        return tuple(words[column] for column in range(count))

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        families = {part: re.split(r": |, (?!I)", words)[0] for part, words in self.architecture().parts}
        nodes = (
            Node("θ", "θ", "parameter"),
            Node("z", "z", "latent", ("n",), families["Prior p(z)"]),
            Node("x", "x", "observed", ("n",), families["Likelihood p(x|z)"]),
        )
        return Graph(nodes, (Edge("z", "x"), Edge("θ", "x")), (Plate("n", "n = 1…N"),))

    def architecture(self) -> Architecture:
        """The parts of the model in words, the layers of its networks, the number of its parameters."""
        model = self._model()
        asked = choose_objective(self._asked_objective(), model.posterior_kind)
        return describe(model, asked, self.n_components, self.event_shape_)


def _key(random: np.random.Generator) -> np.ndarray:
    return random.integers(2**32, size=2, dtype=np.uint32)
