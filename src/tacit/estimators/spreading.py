"""Which models an engine can help, those that learn from sums over rows; and which several devices can."""

from tacit.estimators.capabilities import Capability, TakesDatasets


class SpreadsSums(TakesDatasets):
    """Learns from sums over rows, which the processes of an engine (`tacit.distributed`) work out of rows in files."""


class SharesBatches(Capability):
    """Follows a gradient over mini-batches, whose rows several devices can share (`tacit.distributed.devices`)."""
