"""``with tacit.distributed.devices(…)``: several devices share the rows of every mini-batch."""

import contextlib
import contextvars
from collections.abc import Iterator

from tacit.distributed.engines import EngineError
from tacit.engine import jax

_DEVICES: contextvars.ContextVar[int] = contextvars.ContextVar("tacit_devices", default=1)


@contextlib.contextmanager
def devices(number: int | None = None) -> Iterator[int]:
    """Follow gradients on several devices, inside the scope: data-parallel fits of VAEs, flows, ProdLDA, and
    logistic regressions by gradient.

    Each device holds the model and takes an equal part of the rows of every mini-batch; their gradients are added
    before a step is taken, so it is the step of one device, to rounding, and what is random is the same. The part must
    be a whole number of rows: of a batch of 100 rows eight devices leave three idle. Models that are fitted without
    mini-batches take no notice.

    On several machines every one runs the same program on the same rows after ``jax.distributed.initialize(…)``; the
    devices are then those of all of them.

    Args:
        number: how many; None for all that there are.

    Raises:
        EngineError: there are not so many.
        ValueError: no such number.
    """
    there = jax.device_count()
    if number is None:
        number = there
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"devices are a whole number of at least 1, or None for all; got {number!r}")
    if number > there:
        found = f"is 1 {jax.default_backend()} device" if there == 1 else f"are {there} {jax.default_backend()} devices"
        raise EngineError(f"there {found} here, and {number} are asked for")
    token = _DEVICES.set(number)
    try:
        yield number
    finally:
        _DEVICES.reset(token)


def sharing_devices() -> int:
    """How many devices share the rows of a batch: those of the innermost ``with``, or one."""
    return _DEVICES.get()
