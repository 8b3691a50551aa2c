"""How a fit stands, as the drivers count it; here, so that whoever only tells of it needs no engine."""

RUNNING, CONVERGED, FELL, NAN, STOPPED, INTERRUPTED = range(6)
