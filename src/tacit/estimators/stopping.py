"""Why a fit ended: what a driver's status means to people."""

from typing import NamedTuple

from tacit.inference.status import CONVERGED, FELL, INTERRUPTED, NAN, RUNNING, STOPPED


class StopReason(NamedTuple):
    """One way for a fit to end."""

    name: str
    """What ``stop_reason_`` says."""
    because: str
    """What follows "the fit ended because"; ``{limit}`` is the setting that allows so many steps."""
    plain: str
    """The same for people who know no settings."""


STOP_REASONS = {
    RUNNING: StopReason("running", "{limit} was reached", "it was stopped"),
    CONVERGED: StopReason("converged", "the bound no longer rose", "the bound no longer rose"),
    FELL: StopReason("bound fell", "the bound fell", "the bound fell"),
    NAN: StopReason("bound is not a number", "the bound became no number", "the bound became no number"),
    STOPPED: StopReason("max_iter reached", "{limit} was reached", "the greatest number of steps was reached"),
    INTERRUPTED: StopReason("interrupted", "it was interrupted", "it was interrupted"),
}
"""By the status of the drivers; every sentence on how a fit ended is made from here."""


def stop_reason(status: int) -> str:
    """What ``stop_reason_`` says of a status."""
    return STOP_REASONS[status].name


def because(status: int, *, converged: str = STOP_REASONS[CONVERGED].because, limit: str = "max_iter") -> str:
    """What follows "the fit ended because".

    Args:
        status: of the driver.
        converged: what it is for this fit to have converged.
        limit: the setting that ends a fit which does not.
    """
    return converged if status == CONVERGED else STOP_REASONS[status].because.format(limit=limit)


def in_plain_words(stop_reason: str) -> str:
    """A ``stop_reason_`` for people who know no settings; what is not in the table says itself what it means."""
    return next((each.plain for each in STOP_REASONS.values() if each.name == stop_reason), stop_reason)
