"""``p(x) = Σ_z p(z_1) ∏_t p(z_t | z_t−1) ∏_t p(x_t | z_t)``: a hidden Markov model as an immutable pytree.

Baum, Petrie, Soules & Weiss (1970). The densities given the state are the components of mixtures; the chain adds where
it begins and how it goes on.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.arrays import Pytree, chosen, map_items, special, static, traced, xp
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.engine import PRNGKeyArray
from tacit.inference.closed_form import Sums, sum_over_chunks
from tacit.models.components.steps import Step
from tacit.models.mixture.model import MixtureModel
from tacit.models.sequence import logarithmic, scaled
from tacit.models.sequence.scaled import CountedStates
from tacit.spaces import Spaces

LEAST = -460.0
"""The least log-probability of a transition that is not ruled out, 1e-200: it leaves no trace in a sum of doubles."""


class SequenceRows(NamedTuple):
    """Rows of sequences as a local step takes them: rows where densities are computed, and where they stand in time."""

    rows: Float[Array, "chunks rows dims"]
    weights: Float[Array, "steps lanes"]
    """Of every place; 0 in padding."""
    live: Bool[Array, "steps lanes"]
    first: Bool[Array, "steps lanes"]
    labels: Int[Array, "steps lanes"]
    """The state of a place where it is known, else −1."""
    slot: Int[Array, "steps lanes"] | None
    """The row of every place; None where rows lie in the order of places."""
    place: Int[Array, " slots"] | None
    """The place of every row; one more than there are in padding."""


class StateChain(Pytree):
    """Where a chain of hidden states begins, and how it goes on."""

    log_start: Float[Array, "*starts states"]
    log_transitions: Float[Array, "*starts states states"]
    exact: bool = static(default=False)
    """Whether something is impossible, so that it is computed in logarithms."""

    def counted(
        self,
        log_b: Float[Array, "steps *starts states lanes"],
        first: Bool[Array, "steps lanes"],
        weights: Float[Array, "steps lanes"],
        *,
        whole: bool,
        hard: bool = False,
    ) -> tuple[CountedStates, Float[Array, "steps *starts lanes"]]:
        """Expected counts, and ``log p(x_t | x_1…t−1)``; with ``hard`` those of the likeliest path, and its own."""
        log_b, lost = without_impossible(log_b)
        if hard:
            passed = logarithmic.forward(self.log_start, self.log_transitions, log_b, first, whole, logarithmic.largest)
            path = logarithmic.likeliest(self.log_transitions, first, whole, passed)
            return logarithmic.counted(path, self.log_start.shape[-1], first, weights), passed.log_scale + lost
        if self.exact:
            passed = logarithmic.forward(self.log_start, self.log_transitions, log_b, first, whole, logarithmic.log_sum)
            counts = logarithmic.backward(self.log_transitions, log_b, first, weights, passed)
            return counts, passed.log_scale + lost
        b, top = over_largest(log_b)
        matrix = xp.exp(self.log_transitions)
        passed = scaled.forward(xp.exp(self.log_start), matrix, b, first, whole)
        return scaled.backward(matrix, b, first, weights, passed), passed.log_scale + (top + lost)

    def filtered(
        self, log_b: Float[Array, "steps *starts states lanes"], first: Bool[Array, "steps lanes"], *, whole: bool
    ) -> tuple[Float[Array, "steps *starts states lanes"], Float[Array, "steps *starts lanes"]]:
        """``p(z_t | x_1…t)`` and ``log p(x_t | x_1…t−1)``."""
        log_b, lost = without_impossible(log_b)
        if self.exact:
            passed = logarithmic.forward(self.log_start, self.log_transitions, log_b, first, whole, logarithmic.log_sum)
            return xp.exp(passed.filtered), passed.log_scale + lost
        b, top = over_largest(log_b)
        passed = scaled.forward(xp.exp(self.log_start), xp.exp(self.log_transitions), b, first, whole)
        return passed.filtered, passed.log_scale + (top + lost)

    def path(
        self, log_b: Float[Array, "steps *starts states lanes"], first: Bool[Array, "steps lanes"], *, whole: bool
    ) -> tuple[Int[Array, "steps *starts lanes"], Float[Array, "steps *starts lanes"]]:
        """The likeliest path, and what every step adds to its log-probability."""
        log_b, lost = without_impossible(log_b)
        passed = logarithmic.forward(self.log_start, self.log_transitions, log_b, first, whole, logarithmic.largest)
        return logarithmic.likeliest(self.log_transitions, first, whole, passed), passed.log_scale + lost


def without_impossible(
    log_b: Float[Array, "steps *starts states lanes"],
) -> tuple[Float[Array, "steps *starts states lanes"], Float[Array, "steps *starts lanes"]]:
    """Rows that no state allows as if nothing were seen of them, and −∞ at these, else 0."""
    never = xp.isneginf(log_b.max(-2))
    if not traced(never) and not np.any(never):
        return log_b, xp.zeros(never.shape)
    return xp.where(never[..., None, :], 0.0, log_b), xp.where(never, -xp.inf, 0.0)


def over_largest(
    log_b: Float[Array, "steps *starts states lanes"],
) -> tuple[Float[Array, "steps *starts states lanes"], Float[Array, "steps *starts lanes"]]:
    """Densities over the largest of them at every step, and its logarithm."""
    top = log_b.max(-2)
    return xp.exp(log_b - top[..., None, :]), top


class HiddenMarkovStep(Pytree):
    """The E-step of one iteration over whole sequences."""

    chain: StateChain
    parts: tuple[Step, ...]
    whole: bool = static()
    hard: bool = static()

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows states"], list]:
        """Log-densities under every state, and what each group wants again for its statistics."""
        found = [part.terms(rows) for part in self.parts]
        return sum((f[0] for f in found[1:]), found[0][0]), [f[1] for f in found]

    def __call__(self, rows: SequenceRows, weights: Float[Array, " rows"], key: PRNGKeyArray | None) -> Sums:
        across = map_items(lambda chunk: xp.swapaxes(self.terms(chunk)[0], -1, -2), rows.rows, at_once=False)
        log_b = _laid(across, rows)
        counts, log_c = self.chain.counted(log_b, rows.first, rows.weights, whole=self.whole, hard=self.hard)
        shares = _in_chunks(counts.states, rows)

        def statistics(chunk: Array, share: Array) -> Any:
            memos = self.terms(chunk)[1]
            return tuple(p.statistics(m, share) for p, m in zip(self.parts, memos, strict=True))

        parts = sum_over_chunks(statistics, (rows.rows, shares))
        lanes = rows.weights[(slice(None),) + (None,) * (log_c.ndim - 2)]
        visits = counts.states.sum((0, -1))
        return Sums((counts.begun, counts.transitions, (visits, parts)), (lanes * log_c).sum((0, -1)))


def _laid(across: Float[Array, "chunks *starts states rows"], rows: SequenceRows) -> Array:
    """Log-densities by step, state and lane, ``[steps, *starts, states, lanes]``."""
    steps, lanes = rows.first.shape
    states = xp.moveaxis(across, 0, -2)
    flat = states.reshape(*states.shape[:-2], -1)
    found = flat[..., : steps * lanes] if rows.slot is None else flat[..., rows.slot.reshape(-1)]
    found = xp.moveaxis(found.reshape(*flat.shape[:-1], steps, lanes), -2, 0)
    wide = (slice(None),) + (None,) * (found.ndim - 2)
    known = (rows.labels[wide] >= 0) & (rows.labels[wide] != np.arange(found.shape[-2])[:, None])
    return xp.where(rows.live[wide], xp.where(known, -xp.inf, found), 0.0)


def _in_chunks(shares: Float[Array, "steps *starts states lanes"], rows: SequenceRows) -> Array:
    """Shares of the states as the rows lie, ``[chunks, *starts, rows, states]``."""
    chunks, size = rows.rows.shape[:2]
    *starts, states = shares.shape[1:-1]
    flat = xp.moveaxis(shares, 0, -2).reshape(*starts, states, -1)
    lack = chunks * size - flat.shape[-1] if rows.place is None else 1
    flat = xp.concatenate([flat, xp.zeros((*starts, states, max(lack, 0)), flat.dtype)], axis=-1)
    laid = flat[..., : chunks * size] if rows.place is None else flat[..., rows.place]
    return xp.swapaxes(xp.moveaxis(laid.reshape(*starts, states, chunks, size), -2, 0), -1, -2)


class HiddenMarkov(Pytree):
    """A hidden Markov model of K states.

    ``emissions`` is the mixture that rows are of when time is forgotten: the shares of the states over all steps, and
    the density of a row given the state.
    """

    spaces: ClassVar[Spaces] = {"log_start": "log shares", "log_transitions": "log shares", "pseudo": "not negative"}

    log_start: Float[Array, " states"]
    log_transitions: Float[Array, "states states"]
    emissions: MixtureModel
    pseudo: Float[Array, "states states"] | None = None
    """Counts of transitions that the prior adds, Dirichlet(1 + pseudo) row by row; None: no prior."""
    pseudo_start: Float[Array, " states"] | None = None
    possible: Bool[Array, "states states"] | None = None
    """Which transitions there are; None: all."""
    possible_start: Bool[Array, " states"] | None = None
    whole: bool = static(default=True)
    hard: bool = static(default=False)
    monotone: ClassVar[bool] = True

    @property
    def chain(self) -> StateChain:
        """The chain of states."""
        exact = self.possible is not None or self.possible_start is not None
        return StateChain(self.log_start, self.log_transitions, exact)

    def prepare(self) -> HiddenMarkovStep:
        return HiddenMarkovStep(
            self.chain, tuple(g.prepare() for g in self.emissions.groups), whole=self.whole, hard=self.hard
        )

    def m_step(self, statistics: Any) -> "HiddenMarkov":
        begun, pairs, seen = statistics
        return dataclasses.replace(
            self,
            log_start=_log_shares(begun, self.pseudo_start, self.possible_start, self.log_start),
            log_transitions=_log_shares(pairs, self.pseudo, self.possible, self.log_transitions),
            emissions=self.emissions.m_step(seen),
        )

    def global_bound(self) -> Float[Array, "*starts"]:
        """The log prior density of the chain and of the emissions."""
        total = self.emissions.global_bound()
        if self.pseudo is not None:
            total = total + _log_dirichlet(self.pseudo, self.log_transitions, self.possible).sum(-1)
        if self.pseudo_start is not None:
            total = total + _log_dirichlet(self.pseudo_start, self.log_start, self.possible_start)
        return total

    def absolute(self, statistics: Any) -> Any:
        """Statistics about the origin, whatever the form of the E-step."""
        begun, pairs, seen = statistics
        return begun, pairs, self.emissions.absolute(seen)

    def relative(self, statistics: Any) -> Any:
        """Statistics about the origin as the M-step takes them."""
        begun, pairs, seen = statistics
        return begun, pairs, self.emissions.relative(seen)

    def feasible(self, statistics: Any) -> Bool[Array, "*starts"]:
        """Whether extrapolated statistics may still be those of some sequences."""
        begun, pairs, seen = statistics
        return (begun >= 0).all(-1) & (pairs >= 0).all((-1, -2)) & self.emissions.feasible(seen)

    def take(self, order: Int[Array, "*starts chosen"]) -> "HiddenMarkov":
        """The states in another order."""

        def square(values: Array | None) -> Any:
            return (
                None
                if values is None
                else xp.swapaxes(chosen(xp.swapaxes(chosen(values, order), -1, -2), order), -1, -2)
            )

        def line(values: Array | None) -> Any:
            return None if values is None else chosen(values, order)

        return dataclasses.replace(
            self,
            log_start=line(self.log_start),
            log_transitions=square(self.log_transitions),
            emissions=self.emissions.take(order),
            pseudo=square(self.pseudo),
            pseudo_start=line(self.pseudo_start),
            possible=square(self.possible),
            possible_start=line(self.possible_start),
        )

    def in_units(self, view: Standardise) -> "HiddenMarkov":
        """The same of the user's values."""
        return dataclasses.replace(self, emissions=self.emissions.in_units(view))

    def with_rows(self, *, complete: bool, tile: int, whole: bool) -> "HiddenMarkov":
        """The same for rows that lie in another way."""
        return dataclasses.replace(self, emissions=self.emissions.with_rows(complete=complete, tile=tile), whole=whole)

    def n_parameters(self) -> int:
        """Free parameters of the chain and of the densities; what is impossible is none."""
        states = self.log_start.shape[-1]
        ways = states * states if self.possible is None else int(np.asarray(self.possible).sum())
        begins = states if self.possible_start is None else int(np.asarray(self.possible_start).sum())
        return begins - 1 + ways - states + sum(g.n_parameters() for g in self.emissions.groups)

    @property
    def stationary(self) -> Float[np.ndarray, " states"]:
        """The shares of the states that the transitions leave as they are: the mean over time from the start."""
        matrix = np.exp(np.asarray(self.log_transitions))
        held = np.linalg.matrix_power(0.5 * (matrix + np.eye(len(matrix))), 2**20)
        shares = np.exp(np.asarray(self.log_start)) @ held
        return shares / shares.sum()


def _log_shares(
    counts: Float[Array, "*starts n"],
    pseudo: Float[Array, "*starts n"] | None,
    possible: Bool[Array, "*starts n"] | None,
    before: Float[Array, "*starts n"],
) -> Float[Array, "*starts n"]:
    """The logarithms of shares of counts; of what was never left, those from before."""
    mass = counts if pseudo is None else counts + pseudo
    if possible is not None:
        mass = xp.where(possible, mass, 0.0)
    total = mass.sum(-1, keepdims=True)
    some = total > 1e-290
    share = mass / xp.where(some, total, 1.0)
    logs = xp.where(some, xp.maximum(xp.log(xp.maximum(share, 1e-300)), LEAST), before)
    return logs if possible is None else xp.where(possible, logs, -xp.inf)


def _log_dirichlet(
    pseudo: Float[Array, "*starts n"], logs: Float[Array, "*starts n"], possible: Bool[Array, "*starts n"] | None
) -> Float[Array, "*starts"]:
    """``log Dirichlet(p; 1 + pseudo)`` of the shares that are possible."""
    free = xp.ones_like(pseudo) if possible is None else possible * 1.0
    alpha = 1.0 + pseudo
    constant = special.gammaln((alpha * free).sum(-1)) - (special.gammaln(alpha) * free).sum(-1)
    terms = xp.where((free > 0) & (pseudo > 0), pseudo * xp.where(free > 0, logs, 0.0), 0.0)
    return constant + terms.sum(-1)
