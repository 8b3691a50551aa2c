"""LatentDirichletAllocation against scikit-learn, gensim and tomotopy: what is predicted of unseen texts, and time."""

from collections.abc import Iterator

import numpy as np

from benchmarks.frame import Row, clock
from benchmarks.fresh import empty_cache, fresh
from benchmarks.topics_data import Split, split
from benchmarks.topics_peers import ITERATIONS, PASSES, PEERS, SWEEPS, Fitted
from tacit import Completion, LatentDirichletAllocation, document_completion

TITLE = "Topics: Reuters (395 texts) and AP (2 246), K = 20, 50, 100"
NOTE = (
    f"scikit-learn makes {ITERATIONS} batch iterations, gensim {PASSES} passes in one process, tomotopy {SWEEPS} "
    "sweeps on all cores; ours has its defaults. Perplexity of one half of the words of unseen texts given the other, "
    "by one routine of ours for the topics of all (`tacit.document_completion`): lower is better. Differences are "
    "paired by text. With priors fixed α = 0.1 and η = 0.05 for all; learned: α and η by ours and gensim, α by "
    "tomotopy, none by scikit-learn, which has its own. Fits are timed once; ours with its programs compiled, unless "
    "it says cold."
)
ALPHA, ETA = 0.1, 0.05
NUMBERS = (20, 50, 100)
LADDER = ((2, 0), (4, 0), (8, 0), (15, 0), (30, 1), (50, 10))
"""Iterations at a point and of variational Bayes: the shortest fit that predicts as well as a peer is timed."""
TASK = "benchmarks.topics_ours"


def run(quick: bool) -> Iterator[Row]:
    """What is predicted, with priors fixed and learned, then times."""
    for name in ("reuters", "ap"):
        data = split(name, 150 if quick else None)
        for number in NUMBERS[:1] if quick else NUMBERS:
            peers = {peer: fit(data.train, number, ALPHA, ETA, False) for peer, fit in PEERS.items()}
            yield _predicted(f"{name}, K = {number}, priors fixed", data, _ours(data, number, False), peers)
            yield from _times(name, data, number, peers)
            learned = {peer: fit(data.train, number, ALPHA, ETA, True) for peer, fit in PEERS.items()}
            yield _predicted(f"{name}, K = {number}, priors learned", data, _ours(data, number, True), learned)
    yield from _cold("ap", 50)


def _ours(data: Split, number: int, learn: bool, start: int = 50, iterations: int = 10) -> Fitted:
    alpha, eta = ("auto", "auto") if learn else (ALPHA, ETA)
    model = LatentDirichletAllocation(
        number, doc_topic_prior=alpha, topic_word_prior=eta, start_iter=start, max_iter=iterations, random_state=0
    )
    seconds, _ = clock(lambda: model.fit(data.train))
    return Fitted(model.topic_word_, np.broadcast_to(model.doc_topic_prior_, (number,)), seconds)


def _judged(data: Split, fitted: Fitted) -> Completion:
    return document_completion(fitted.topics, fitted.alpha, data.given, data.asked)


def _predicted(what: str, data: Split, ours: Fitted, peers: dict[str, Fitted]) -> Row:
    mine = _judged(data, ours)
    theirs = {peer: _judged(data, fitted) for peer, fitted in peers.items()}
    best = min(theirs, key=lambda peer: theirs[peer].perplexity)
    gain, error = _paired(mine, theirs[best])
    others = ", ".join(f"{peer} {found.perplexity:.0f}" for peer, found in theirs.items())
    note = f"{others}; ours − {best}: {gain:+.4f} ± {error:.4f} nats a word"
    asked = "no worse than the best by more than a standard error"
    return Row(
        what, "perplexity", (mine.perplexity,), (theirs[best].perplexity,), best, (), asked, gain >= -error, note
    )


def _paired(ours: Completion, theirs: Completion) -> tuple[float, float]:
    """Mean difference a word, and its standard error over texts."""
    apart, words = ours.log_prob - theirs.log_prob, ours.words.sum()
    gain = float(apart.sum() / words)
    rest = apart - gain * ours.words
    return gain, float(np.sqrt(rest.size * rest.var(ddof=1)) / words)


def _times(name: str, data: Split, number: int, peers: dict[str, Fitted]) -> Iterator[Row]:
    goals = {peer: _judged(data, fitted).perplexity for peer, fitted in peers.items()}
    reached = [(_ours(data, number, False, *steps), steps) for steps in LADDER]
    perplexities = [_judged(data, fitted).perplexity for fitted, _ in reached]
    for peer, asked in (("scikit-learn", 5.0), ("gensim", 1.0), ("tomotopy", None)):
        what = f"{name}, K = {number}: time to {peer}'s perplexity"
        able = [fit for fit, perplexity in zip(reached, perplexities, strict=True) if perplexity <= goals[peer]]
        theirs, wanted = (peers[peer].seconds,), "" if asked is None else f"ratio ≥ {asked:g}"
        if not able:
            note = f"not reached: {perplexities[-1]:.0f} in {reached[-1][0].seconds:.2f} s, {peer} {goals[peer]:.0f}"
            yield Row(what, "s", (), theirs, peer, (), wanted, None if asked is None else False, note)
            continue
        fitted, steps = min(able, key=lambda fit: fit[0].seconds)
        ratio = theirs[0] / fitted.seconds
        note = f"start_iter={steps[0]}, max_iter={steps[1]}; the defaults take {reached[-1][0].seconds:.2f} s"
        met = None if asked is None else bool(ratio >= asked)
        yield Row(what, "s", (fitted.seconds,), theirs, peer, (ratio,), wanted, met, note)


def _cold(name: str, number: int) -> Iterator[Row]:
    """What a first fit costs in a new process, with no program kept and with all of them on disk."""
    for start, iterations in ((8, 0), (50, 10)):
        asked = (name, number, ALPHA, ETA, start, iterations)
        with empty_cache() as folder:
            cold = fresh("work", TASK, "fit", *asked, cache=folder)
            kept = fresh("work", TASK, "fit", *asked, cache=folder)
        note = f"of which imports {cold['import']:.1f} s; with programs kept on disk {kept['work']:.2f} s"
        what = f"{name}, K = {number}: a first fit in a new process, start_iter={start}, max_iter={iterations}"
        yield Row(what, "s", (cold["work"],), note=note)
