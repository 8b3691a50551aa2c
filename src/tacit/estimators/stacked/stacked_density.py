"""``StackedDensity``: a weighted sum of densities of different kinds, its weights found on rows held out."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.base import Seed, check_whole, read_data, read_weights, seed_of, weights_of
from tacit.estimators.capabilities import Imputes, MatrixLike, Measures, Samples, TellsTables
from tacit.estimators.explaining import Explains
from tacit.estimators.flow.capabilities import DensityRanks, HasMembers, StackMember
from tacit.estimators.flow.pictures import density_picture
from tacit.estimators.flow.words import of_members
from tacit.estimators.query.asking import AnswersQueries
from tacit.estimators.settings import SHARE, Estimator, Whole, settings
from tacit.estimators.spreading import SharesBatches
from tacit.estimators.stacked.density import StackedConditional
from tacit.estimators.stacked.members import FEW_ROWS, check_measures, fitted, made, names_of
from tacit.estimators.vae.condition import given_row
from tacit.inference.loop import Trace
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.spaces import Held

TOLERANCE = 1e-9
"""Nats a row: EM of the weights ends when the held-out score rises by less."""
MOST_ITERATIONS = 10_000
RANKED = 5000
"""Rows drawn to see where values lie in the model."""


def stacked_weights(log_prob: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shares α that maximise ``Σ_n w_n log Σ_k α_k p_k(x_n)``, by EM (Smyth & Wolpert 1999), and the bounds.

    The problem is concave, so that the maximum is found from any start.

    Args:
        log_prob: ``log p_k(x_n)``, ``(n, members)``.
        weights: of the rows.
    """
    shares = np.full(log_prob.shape[1], 1.0 / log_prob.shape[1])
    bounds: list[float] = []
    while len(bounds) < MOST_ITERATIONS:
        with np.errstate(divide="ignore"):
            joint = log_prob + np.log(shares)
        total = logsumexp(joint, axis=1)
        bounds.append(float(weights @ total))
        if len(bounds) > 1 and bounds[-1] - bounds[-2] < TOLERANCE * weights.sum():
            break
        shares = weights @ np.exp(joint - total[:, None]) / weights.sum()
    return shares, np.array(bounds)


@settings
class StackedDensity(
    AnswersQueries,
    Explains,
    Measures,
    Samples,
    Imputes,
    TellsTables,
    HasMembers,
    SharesBatches,
    DensityMixin,
    Estimator,
):
    """``p(x) = Σ_k α_k p_k(x)``: densities of different kinds, each with the share that held-out rows give it.

    Every member is fitted without some rows and scores those; α maximises the held-out score of the sum by EM (Smyth &
    Wolpert 1999), so a member that says nothing of its own gets no share. Then the members are fitted again to all
    rows, which takes as long again. Below 2 000 rows there are folds, and every row is held out once. The number of
    components of a named mixture is chosen once, on all rows, before any of this.

    Attributes:
        weights_: α, ``(members,)``.
        members_: the members, fitted to all rows.
        member_names_: what they are called.
        held_out_scores_: of each member, in nats a held-out row, and last of their sum.
        held_out_errors_: standard errors of these.
        gain_, gain_error_: by how much the sum scores more than its best member on held-out rows, a row, and the
            standard error of that difference; α was found on the same rows.
        trace_: how the held-out score rose in EM.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "weights_": Held("members", "not negative"),
        "held_out_scores_": Held("scores"),
        "held_out_errors_": Held("scores"),
    }

    members: Sequence[Any] = ("gaussian-mixture", "triangular-flow")
    """models with a density, unfitted, or names: "gaussian-mixture" (its number of components by held-out rows),
    "triangular-flow" (from white noise: what is unlike the mixture adds most to it), "factor-analysis"."""
    _: KW_ONLY
    n_folds: Annotated[int, Whole(2)] = 5
    """folds, where there are fewer than 2 000 rows."""
    validation_fraction: Annotated[float, SHARE] = 0.15
    """of the rows, held out to find the shares, where there are more."""
    random_state: Seed = None
    """seed."""

    def fit(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the members, and find their shares.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry, which the members integrate out.
            y: ignored.
            sample_weight: a weight a row.

        Raises:
            ValueError: what is wrong with rows or settings; densities that cannot be added.
        """
        data = read_data(self, X, reset=True, minimum=2)
        self.check_settings()
        x, weights = np.asarray(data.rows(), np.float64), np.asarray(weights_of(data, sample_weight))
        x, weights = x[weights > 0], weights[weights > 0]  # a row without a weight holds nothing out
        random, names = seed_of(self.random_state), self._column_names()
        fresh = made(self.members, x, weights, names, random)
        self.member_names_ = names_of(self.members)
        held, columns = [], []
        for learned, out in self._splits(len(x), random):
            own = [fitted(each, self._framed(x[learned]), weights[learned]) for each in fresh]
            self._measure = check_measures(own, self.member_names_, names)
            columns.append(np.stack([each.score_samples(self._framed(x[out])) for each in own], axis=1))
            held.append(out)
        out, log_prob = np.concatenate(held), np.concatenate(columns)
        self.weights_, bounds = stacked_weights(log_prob, weights[out])
        self._tell_scores(log_prob, weights[out])
        self.trace_ = Trace(np.arange(1, bounds.size + 1), bounds, np.zeros(bounds.size))
        self.n_iter_, self.converged_ = bounds.size, bounds.size < MOST_ITERATIONS
        self.members_ = tuple(fitted(each, self._framed(x), weights, quiet=False) for each in fresh)
        return self

    def _splits(self, rows: int, random: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows to learn from, and rows held out."""
        order = random.permutation(rows)
        if rows < FEW_ROWS:
            folds = np.array_split(order, min(self.n_folds, rows))
        else:
            folds = [order[: max(round(self.validation_fraction * rows), 1)]]
        for out in folds:
            yield np.setdiff1d(order, out), np.sort(out)

    def _tell_scores(self, log_prob: np.ndarray, weights: np.ndarray) -> None:
        with np.errstate(divide="ignore"):
            together = logsumexp(log_prob + np.log(self.weights_), axis=1)
        every = np.column_stack([log_prob, together])
        means = weights @ every / weights.sum()
        best = int(np.argmax(means[:-1]))
        share = weights / weights.sum()
        spread = lambda values: float(np.sqrt(share**2 @ (values - share @ values) ** 2))  # noqa: E731
        self.held_out_scores_ = means
        self.held_out_errors_ = np.array([spread(each) for each in every.T])
        self.gain_ = float(means[-1] - means[best])
        self.gain_error_ = spread(together - log_prob[:, best])
        self.lower_bound_ = float(means[-1])

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"members": len(self.member_names_), "scores": len(self.member_names_) + 1}

    def base_measure(self) -> tuple[str, ...]:
        """Of each column: "density"."""
        check_is_fitted(self)
        return self._measure

    def _framed(self, x: np.ndarray) -> MatrixLike:
        """Rows as the members take them: with the names of the columns, where they have some."""
        names = self._names()
        return x if names is None else pa.table(dict(zip(names, np.asarray(x, np.float64).T, strict=True)))

    def _read(self, X: MatrixLike) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(read_data(self, X, reset=False).rows(), np.float64)

    def joint_rows(self, x: np.ndarray) -> np.ndarray:
        """``log α_k p_k(x)``, ``(n, members)``."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights_)
        framed = self._framed(x)
        # a member without a share is not asked
        columns = [
            each.score_samples(framed) if share > 0 else np.full(len(x), -np.inf)
            for each, share in zip(self.members_, self.weights_, strict=True)
        ]
        return np.stack(columns, axis=1) + log_weights

    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``."""
        return logsumexp(self.joint_rows(self._read(X)), axis=1)

    def score(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """The mean of ``score_samples``, in nats a row."""
        values = self.score_samples(X)
        return float(np.average(values, weights=None if sample_weight is None else read_weights(values, sample_weight)))

    def member_shares(self, X: MatrixLike) -> np.ndarray:
        """``p(k | x)``: how much of the density of every row is each member's, ``(n, members)``."""
        joint = self.joint_rows(self._read(X))
        return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))

    def sample(self, n_samples: int = 1, *, random_state: Seed = None) -> np.ndarray:
        """New rows ``(n_samples, d)``: each from one member."""
        check_is_fitted(self)
        check_whole("n_samples", n_samples, 1)
        random = seed_of(self.random_state if random_state is None else random_state)
        which = random.choice(len(self.members_), int(n_samples), p=self.weights_ / self.weights_.sum())
        rows = np.empty((int(n_samples), self.n_features_in_))
        for number, member in enumerate(self.members_):
            own = which == number
            if own.any():
                rows[own] = _drawn(member, int(own.sum()), random)
        return rows

    def impute(self, X: MatrixLike, n_draws: int = 0, *, random_state: Seed = None) -> np.ndarray:
        """Rows with their gaps filled: by the conditional mean, or ``n_draws`` draws ``(n_draws, n, d)``.

        Each member fills them, with the share that it has of what is seen of the row.
        """
        check_whole("n_draws", n_draws, 0)
        return self.imputed_rows(self._read(X), n_draws, random_state)

    def imputed_rows(self, x: np.ndarray, n_draws: int, random_state: Seed) -> np.ndarray:
        """The same of rows that were read already."""
        random = seed_of(self.random_state if random_state is None else random_state)
        gaps = np.isnan(x)
        rows = np.flatnonzero(gaps.any(1))
        means, draws = np.array(x), np.repeat(x[None], n_draws, axis=0)
        if not rows.size:
            return draws if n_draws else means
        joint, some = self.joint_rows(x[rows]), self._framed(x[rows])
        asked = np.flatnonzero(self.weights_ > 0)
        members = [self.members_[place] for place in asked]
        shares = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))[:, asked]
        if not n_draws:
            each = np.stack([member.impute(some) for member in members])
            means[rows] = np.where(gaps[rows], np.einsum("nk,knd->nd", shares, each), x[rows])
            return means
        seed = int(random.integers(2**31))
        each = np.stack([member.impute(some, n_draws, random_state=seed) for member in members])
        which = (random.random((n_draws, rows.size, 1)) > np.cumsum(shares, axis=1)[None]).sum(-1)
        which = np.minimum(which, len(members) - 1)
        draws[:, rows] = each[which, np.arange(n_draws)[:, None], np.arange(rows.size)[None]]
        return draws

    def condition(self, values: Mapping[Any, Any]) -> StackedConditional:
        """The density of the other columns, given ``{column: value}``; columns by number or name."""
        check_is_fitted(self)
        row = given_row(values, self.n_features_in_, self._names())
        return StackedConditional(self, row)

    def _explained_rows(self, X: MatrixLike) -> np.ndarray:
        return self._read(X)

    def _explained_scores(self, rows: np.ndarray) -> np.ndarray:
        return self.score_samples(rows)

    def told_tables(self, X: MatrixLike) -> tuple[tuple[str, pa.Table], ...]:
        """The members, their shares and held-out scores."""
        names = [*self.member_names_, "together"]
        table = {
            "member": names,
            "share": [*self.weights_.tolist(), None],
            "held_out_nats": self.held_out_scores_.tolist(),
            "standard_error": self.held_out_errors_.tolist(),
        }
        return (("Members", pa.table(table)),)

    @property
    def told_members(self) -> tuple[StackMember, ...]:
        """The members, their shares and held-out scores, and last all together."""
        check_is_fitted(self)
        names, shares = (*self.member_names_, "together"), (*self.weights_.tolist(), 1.0)
        figures = (self.held_out_scores_.tolist(), self.held_out_errors_.tolist())
        return tuple(StackMember(*each) for each in zip(names, shares, *figures, strict=True))

    def told(self) -> tuple[str, ...]:
        """Shares of the members, and whether the sum is better than the best of them, in words."""
        return of_members(self.told_members, self.gain_, self.gain_error_)

    def calibration(self, X: MatrixLike) -> DensityRanks:
        """Every value among those of rows drawn from the model."""
        x, drawn = self._read(X), np.sort(self.sample(RANKED, random_state=0), axis=0)
        ranks = np.stack([np.searchsorted(line, own) for line, own in zip(drawn.T, x.T, strict=True)], axis=1)
        return DensityRanks(np.where(np.isnan(x), np.nan, (ranks + 0.5) / (RANKED + 1)), "its rank among rows drawn")

    def plot(self, X: MatrixLike | None = None) -> Any:
        """A matplotlib ``Figure``: rows drawn from the model, beside those given; of two columns the density too."""
        check_is_fitted(self)
        return density_picture(self, None if X is None else self._read(X))

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        nodes = (
            Node("α", "α", "parameter"),
            Node("k", "k", "latent", ("n",), "the member that a row is of"),
            Node("x", "x", "observed", ("n",), "the member's density"),
        )
        return Graph(nodes, (Edge("α", "k"), Edge("k", "x")), (Plate("n", "n = 1…N"),))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _drawn(member: Any, number: int, random: np.random.Generator) -> np.ndarray:
    """Rows of a member: some give with them the component that each is of, and ask their own seed alone."""
    own = copy.copy(member)
    own.random_state = int(random.integers(2**31))
    found = own.sample(number)
    rows = np.asarray(found[0] if isinstance(found, tuple) else found)
    return rows[random.permutation(number)]
