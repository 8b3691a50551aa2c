"""From documents to topics: a start, steps at a point, restarts of topics that died, then variational Bayes.

Variational Bayes alone is stuck early: the topics of a document sharpen before the words of a topic do. So topics
begin from documents and are moved at a point first, with few steps in each document, every time from equal topics;
that regularises, and what it finds variational Bayes only has to finish.
"""

import dataclasses
import functools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from tacit.compute import Array, compiled, side_by_side
from tacit.data.blocks import AsTheyAre, Block
from tacit.data.documents import BatchSource, DocumentRows, DocumentSource
from tacit.inference import closed_form as cf
from tacit.inference.closed_form import INTERRUPTED, STOPPED
from tacit.inference.fit import Fit, PastModels, fit
from tacit.inference.loop import Trace, on_host
from tacit.inference.online import Average, StepSize, Ways, passes, see
from tacit.inference.series import Series, kept
from tacit.models.topics.gammas import digamma
from tacit.models.topics.local import DocumentSchedule, DocumentStep, Statistics
from tacit.models.topics.model import TopicModel, local_step, summary
from tacit.models.topics.starting import begin, far_documents, faulty
from tacit.waiting import computing

POINT_STEPS = 3
"""Steps in a document while topics are moved at a point: more of them lock in what is found first."""
BEFORE_STEPS = 10
"""Steps at a point before those of variational Bayes: these converge sooner from there, and are cheap."""
ROUGH_STEPS = 10
"""Steps of variational Bayes in a document between the first and the last iteration, where there is much to do."""
LARGE = 2_000_000
"""Words times topics from which on iterations are rough and in single precision; the bound of the result never is."""
ROUNDS = 2
"""How often dead and duplicate topics are restarted."""
KEY = np.zeros((1, 2), np.uint32)
"""Nothing is drawn inside the engine."""


class TopicsPlan(NamedTuple):
    """How to fit; see the estimator's arguments."""

    start_iter: int
    max_iter: int
    tol: float
    """Nats a document."""
    steps: int
    steps_tol: float
    label: str
    kept: tuple[int, ...] = ()
    """Seeded topics, which are never restarted."""
    batch_size: int = 128
    decay: float = 0.7
    offset: float = 10.0


def schedule(point: bool, first: int, steps: int, tol: float) -> DocumentSchedule:
    """The traced knobs of the local step."""
    return DocumentSchedule(np.asarray(point), np.asarray(first), np.asarray(steps), np.asarray(float(tol)))


def at_a_point(model: TopicModel) -> TopicModel:
    """The same model, moved at a point; priors are not learned from topics of documents that are not done."""
    return _with(model, schedule(True, POINT_STEPS, 0, 0.0), learning=False)


def bayesian(model: TopicModel, steps: int, tol: float) -> TopicModel:
    """The same model, moved by variational Bayes."""
    return _with(model, schedule(False, min(BEFORE_STEPS, steps), steps, tol), learning=True)


def _with(model: TopicModel, plan: DocumentSchedule, *, learning: bool) -> TopicModel:
    return eqx.tree_at(lambda m: (m.schedule, m.learning), model, (plan, np.asarray(learning)))


class TopicsFit(NamedTuple):
    """Fitted topics."""

    fit: Fit
    bound: float
    """At the model found, in nats."""
    masses: Float[np.ndarray, " topics"]
    """Expected words of every topic."""
    restarted: int


def learn(
    model: TopicModel, counts: sparse.csr_array, plan: TopicsPlan, random: np.random.Generator, *, online: bool
) -> TopicsFit:
    """Fit topics to documents from one start.

    Args:
        model: the priors; its concentrations count for their shape alone.
        counts: documents by words.
        plan: how.
        random: the source of all that is random.
        online: by mini-batches; else from all documents every time.
    """
    topics = model.concentrations.shape[1]
    source = DocumentSource(DocumentRows(counts), topics)
    picked = far_documents(counts, topics, random)
    prior = np.broadcast_to(np.asarray(model.prior), model.concentrations.shape)
    model = eqx.tree_at(lambda m: m.concentrations, model, begin(counts, picked, prior, random))
    large = counts.nnz * topics > LARGE
    model = dataclasses.replace(model, single=large)
    series, restarted = Series(), 0
    known = bool(plan.start_iter and picked.size)
    if known:
        move = _in_batches(counts, plan, random) if online else _in_full(source, plan)
        model = series.then(lambda: move(model))
        for _ in range(ROUNDS):
            again = None if series.interrupted else _restarted(model, counts, plan, random)
            if again is None:
                break
            fresh, number = again
            model, before = series.then(functools.partial(move, fresh), kept(model)), model
            restarted += number if model is not before else 0
    rough = bayesian(model, min(plan.steps, ROUGH_STEPS) if large else plan.steps, plan.steps_tol)
    if online and picked.size:
        swept = lambda: _passes(rough, counts, plan, plan.max_iter, random, plan.label)  # noqa: E731
        passed, course = series.then(swept, kept((rough, None)) if known else None)
        found = _looked_at(passed, source, plan, INTERRUPTED if series.interrupted else STOPPED, course)
    else:
        run = lambda: _run(rough, source, plan, plan.max_iter, plan.label)  # noqa: E731
        found = series.then(run, (lambda: _looked_at(rough, source, plan, INTERRUPTED)) if known else None)
    final = dataclasses.replace(bayesian(found.model, plan.steps, plan.steps_tol), single=False)
    bound = found.bound
    if large:
        bound = float(posterior(final, counts)[1].sum() - summary(final).divergence)
    return TopicsFit(found._replace(model=final), bound, found.statistics.words.sum(0), restarted)


def _run(model: TopicModel, source: DocumentSource, plan: TopicsPlan, iterations: int, label: str) -> Fit:
    stacked = jax.tree.map(lambda leaf: np.asarray(leaf)[None], model)
    return fit(stacked, source, AsTheyAre(), key=KEY, max_iter=iterations, tol=plan.tol, label=label)[0]


def _looked_at(
    model: TopicModel, source: DocumentSource, plan: TopicsPlan, status: int, course: Trace | None = None
) -> Fit:
    """Topics as they are, by one look at all documents; ``course`` says how they came about."""
    steps = cf.prepared(jax.tree.map(lambda leaf: np.asarray(leaf)[None], model), 1)

    def work(block: Block) -> cf.Sums:
        sums = cf.accumulate(steps, block, AsTheyAre(), KEY, np.zeros(1, np.int32))
        return jax.tree.map(lambda leaf: np.asarray(leaf)[0], sums)

    with computing(plan.label, source.size, keeps=False):
        sums = cf.total_sums(side_by_side(work, source.blocks()))
    bound = float(sums.bound) - summary(model).divergence
    if course is None:
        course = Trace(np.zeros(1, int), np.array([bound]), np.zeros(1))
    model, none, last = on_host(model), PastModels({}), int(course.iteration[-1])
    return Fit(model, sums.statistics, bound, last, status, course, none, np.array([bound]))


def _in_full(source: DocumentSource, plan: TopicsPlan) -> Callable[[TopicModel], TopicModel]:
    return lambda model: _run(at_a_point(model), source, plan, plan.start_iter, f"{plan.label}: start").model


def _in_batches(
    counts: sparse.csr_array, plan: TopicsPlan, random: np.random.Generator
) -> Callable[[TopicModel], TopicModel]:
    number = -(-plan.start_iter // 4)
    return lambda model: _passes(at_a_point(model), counts, plan, number, random, f"{plan.label}: start")[0]


def _passes(
    model: TopicModel, counts: sparse.csr_array, plan: TopicsPlan, number: int, random: np.random.Generator, label: str
) -> tuple[TopicModel, Trace | None]:
    """Passes over all documents in mini-batches, every time in a new order; the model after them, and their course."""
    total, topics, orders = counts.shape[0], model.concentrations.shape[1], _Orders(random, counts.shape[0])

    @functools.lru_cache(maxsize=1)
    def batches(place: int) -> BatchSource:
        return BatchSource(DocumentRows(counts), topics, plan.batch_size, orders.take(place))

    if not number:
        return model, None
    ways = Ways(StepSize(np.asarray(plan.decay), np.asarray(plan.offset)), exact=False)
    found = passes(begun(model, total), batches, AsTheyAre(), max_iter=number, label=label, ways=ways)
    orders.take(number)
    return found.model, found.trace


class _Orders:
    """A new order of documents for every pass; those of passes that were made before are drawn too, and dropped."""

    def __init__(self, random: np.random.Generator, size: int) -> None:
        self._random, self._size, self._taken = random, size, 0
        self._order = np.zeros(0, int)

    def take(self, number: int) -> np.ndarray:
        """The order of a pass, by its number from 1; none before the last one that was taken."""
        while self._taken < number:
            self._order, self._taken = self._random.permutation(self._size), self._taken + 1
        return self._order


def begun(model: TopicModel, total: float) -> Average:
    """Running statistics that stand for the concentrations of a model."""
    words = np.maximum(np.asarray(model.concentrations) - np.asarray(model.prior), 0.0) / total
    alpha = np.asarray(model.document_prior)
    logs = np.asarray(digamma(alpha) - digamma(alpha.sum()[None]))
    return Average(model, Statistics(words, logs, np.ones(())), np.ones(()))


def advanced(average: Average, source: BatchSource, plan: TopicsPlan, total: float) -> Average:
    """One pass over the mini-batches of a source."""
    pace = StepSize(np.asarray(plan.decay), np.asarray(plan.offset))
    for block in source.blocks():
        average = see(average, block, AsTheyAre(), np.asarray(float(total)), pace)
    return average


def _restarted(
    model: TopicModel, counts: sparse.csr_array, plan: TopicsPlan, random: np.random.Generator
) -> tuple[TopicModel, int] | None:
    """The model with its dead and duplicate topics begun anew from the documents that it explains worst."""
    found = np.asarray(model.concentrations)
    prior = np.broadcast_to(np.asarray(model.prior), found.shape)
    places = faulty(found / found.sum(0), (found - prior).sum(0), plan.kept)
    length = np.asarray(counts.sum(axis=1)).ravel()
    filled = np.flatnonzero(length > 0)
    if not places.size or filled.size < 2:
        return None
    _, bounds = posterior(at_a_point(model), counts)
    worst = filled[np.argsort(bounds[filled] / length[filled], kind="stable")]
    among = worst[: max(places.size, filled.size // 10)]
    picked = random.choice(among, places.size, replace=among.size < places.size)
    fresh = np.array(found)
    fresh[:, places] = begin(counts, picked, prior[:, places], random)
    return eqx.tree_at(lambda m: m.concentrations, model, fresh), int(places.size)


@partial(compiled, hurry=True)
def _documents(step: DocumentStep, block: Block) -> tuple[Array, Array]:
    def page(_: None, part: Any) -> Any:
        pages, weights = part
        mixed = step.mixed(pages, weights.shape[0])
        expected = digamma(mixed.gamma) - digamma(mixed.gamma.sum(1, keepdims=True))
        return None, (mixed.gamma, step.bounds(pages, mixed, expected))

    rows, weights, _ = jax.tree.map(lambda leaf: leaf[0], tuple(block))
    return jax.lax.scan(page, None, (rows, weights))[1]


def posterior(
    model: TopicModel, counts: sparse.csr_array
) -> tuple[Float[np.ndarray, "documents topics"], Float[np.ndarray, " documents"]]:
    """γ of every document, and its share of the bound in nats."""
    return documents_of(local_step(model), counts)


def documents_of(
    step: DocumentStep, counts: sparse.csr_array
) -> tuple[Float[np.ndarray, "documents topics"], Float[np.ndarray, " documents"]]:
    """The same, given the local step itself."""
    source = DocumentSource(DocumentRows(counts), step.prior.shape[0])
    parts = side_by_side(lambda block: jax.tree.map(np.asarray, _documents(step, block)), source.blocks())
    gamma, bounds = zip(*parts, strict=True)
    return source.to_rows(gamma), source.to_rows(bounds)


def canonical(masses: Float[np.ndarray, " topics"], kept: tuple[int, ...]) -> Int[np.ndarray, " topics"]:
    """The order of topics: heaviest first; seeded ones keep their numbers."""
    free = [topic for topic in np.argsort(-masses, kind="stable") if topic not in kept]
    order = np.empty(masses.size, np.int64)
    order[list(kept)] = kept
    order[[topic for topic in range(masses.size) if topic not in kept]] = free
    return order
