"""All fourteen structures and one to nine components on Old Faithful; a file of its own for the cold run."""

from benchmarks.rows import faithful
from tacit.evaluation.select import Selection, select


def sweep(most: int | str = 9, effort: str = "usual") -> Selection:
    """``tacit.select`` as it comes, or with another effort."""
    return select(faithful(), range(1, int(most) + 1), random_state=0, effort=effort)
