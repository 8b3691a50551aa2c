"""What networks can do."""

from tacit.estimators.capabilities import Capability


class HasArrows(Capability):
    """Has a graph over the columns."""

    edges_: tuple[tuple[str, str], ...]
    """The arrows, as pairs of names."""
