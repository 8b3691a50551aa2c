"""How many topics: what the user leaves open is tried from two seeds, and chosen."""

from collections.abc import Sequence

from scipy import sparse

from tacit.data.errors import listed
from tacit.evaluation.topic_selection import TOPIC_CRITERIA, select_topics
from tacit.workflow.choosing import Chosen, Plan
from tacit.workflow.errors import RequestError
from tacit.workflow.events import Observer

CRITERIA = tuple(TOPIC_CRITERIA)
"""What may choose a number of topics; the first does where nobody says."""
HOLDOUT = 0.1
"""The share of the documents on which numbers of topics are compared."""


def choose_topics(plan: Plan, values: sparse.csr_array, observer: Observer, vocabulary: Sequence[str] | None) -> Chosen:
    """Every number of topics from two seeds, and the best fitted to all documents."""
    observer.stage(f"Trying {listed(plan.groups)} topics")
    try:
        found = select_topics(
            values,
            plan.groups,
            plan.criterion,
            estimator=plan.estimator,
            vocabulary=vocabulary,
            random_state=plan.seed,
            holdout=HOLDOUT,
        )
    except ValueError as error:
        raise RequestError(f"--set components: {error}") from None
    return Chosen(found.best, tuple(found.table.to_pylist()))
