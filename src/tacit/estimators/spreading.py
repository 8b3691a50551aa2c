"""Which models an engine can help: those that learn from sums over rows."""

from tacit.estimators.capabilities import TakesDatasets


class SpreadsSums(TakesDatasets):
    """Learns from sums over rows, which the processes of an engine (`tacit.distributed`) work out of rows in files."""
