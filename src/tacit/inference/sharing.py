"""Which devices share the rows of a mini-batch, and how arrays lie on them."""

from typing import NamedTuple, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tacit import distributed

T = TypeVar("T")


class Sharing(NamedTuple):
    """How arrays lie on the devices that share a batch.

    Attributes:
        whole: every device has all of it.
        rows: each has its part of the rows.
    """

    whole: NamedSharding
    rows: NamedSharding

    def of(self, rows: int) -> "Sharing":
        """That of so many rows by the same devices: where they do not come out even, each has all of them."""
        return self if rows % self.whole.mesh.size == 0 else self._replace(rows=self.whole)


def sharing(batch: int) -> Sharing | None:
    """The sharing of a batch of so many rows by the devices that `distributed.devices` names; None for one device.

    Of the devices as many as can have the same number of rows.
    """
    most = min(distributed.sharing_devices(), batch)
    number = max(count for count in range(1, most + 1) if batch % count == 0)
    if number == 1:
        return None
    mesh = Mesh(np.array(jax.devices()[:number]), ("rows",))
    return Sharing(NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("rows")))


def laid(arrays: T, over: Sharing | None) -> T:
    """Arrays on the device, or all of them on every one that shares a batch."""
    return jax.device_put(arrays, None if over is None else over.whole)


def shared(rows: T, over: Sharing | None) -> T:
    """Inside a program: arrays that lead with rows, each device with its part of them."""
    return rows if over is None else jax.lax.with_sharding_constraint(rows, over.rows)
