"""A cluster of Ray's as workers: ``pip install tacit[ray]``."""

import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tacit.distributed.engines import EACH, TRIES, EngineError, checked, told, version, work

T = TypeVar("T")


def _ray() -> Any:
    """Ray's own package, which is loaded when it is first asked for."""
    try:
        return pkgutil.resolve_name("ray")
    except ModuleNotFoundError:
        raise EngineError("an engine of Ray needs Ray: pip install 'tacit[ray]'") from None


class RayEngine:
    """The workers of the cluster that this process is connected to (``ray.init``).

    What a task needs of the model is put into Ray's store, once an iteration. A worker that dies loses nothing: Ray
    gives its tasks to another.

    Args:
        partitions: into how many a data set is cut; None for three a processor of the cluster.
    """

    def __init__(self, partitions: int | None = None) -> None:
        self._ray = _ray()
        if not self._ray.is_initialized():
            raise EngineError(
                "this process is connected to no cluster of Ray: ray.init() first, or say ray://host:port"
            )
        self._asked = None if partitions is None else checked(partitions)
        self._work = self._ray.remote(work).options(max_retries=TRIES - 1)

    @property
    def partitions(self) -> int:
        """See `Engine`."""
        return self._asked or EACH * max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def map(self, function: Callable[..., T], parts: Sequence[Any], shared: tuple = ()) -> list[T]:
        """See `Engine`."""
        errors = self._ray.exceptions
        common = self._ray.put(shared) if shared else shared
        tasks = [self._work.remote(version(), function, part, common) for part in parts]
        try:
            return told(self._ray.get(tasks), "the Ray cluster")
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            raise EngineError(
                f"workers of the Ray cluster died over the same partition again and again, perhaps for lack of memory "
                f"({type(error).__name__}): cut the data into more than {len(parts)} partitions, or give a worker more."
            ) from None
        except BaseException:
            for task in tasks:
                self._ray.cancel(task)
            raise

    def close(self) -> None:
        """Leave the cluster as it is: it is not ours."""


class OwnRay(RayEngine):
    """The same at an address, to which a connection of our own is made and closed."""

    def __init__(self, address: str, partitions: int | None = None) -> None:
        ray = _ray()
        self._own = not ray.is_initialized()
        if self._own:
            try:
                ray.init(address=address, log_to_driver=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise EngineError(
                    f"no Ray cluster answers at {address} ({type(error).__name__}): is it running, and may it be "
                    "reached from here?"
                ) from None
        super().__init__(partitions)

    def close(self) -> None:
        """Close the connection, if it is ours."""
        if self._own:
            self._ray.shutdown()
