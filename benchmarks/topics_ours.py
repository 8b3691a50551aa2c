"""One fit of ours, for a process of its own."""

from benchmarks.topics_data import split
from tacit import LatentDirichletAllocation


def fit(name: str, topics: str, alpha: str, eta: str, start: str, iterations: str) -> None:
    """Learn topics of the documents of one set."""
    LatentDirichletAllocation(
        int(topics),
        doc_topic_prior=float(alpha),
        topic_word_prior=float(eta),
        start_iter=int(start),
        max_iter=int(iterations),
        random_state=0,
    ).fit(split(name).train)
