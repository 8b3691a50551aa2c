"""A cluster of Dask's as workers: ``pip install tacit[dask]``."""

import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tacit.distributed.engines import EACH, TRIES, Answered, EngineError, checked, told, version, work

T = TypeVar("T")

CONNECT_SECONDS = 10
"""How long a scheduler is waited for."""


def _dask() -> Any:
    """Dask's own package, which is loaded when it is first asked for: it sets up loggers, and takes its time."""
    return pkgutil.resolve_name("distributed")


class DaskEngine:
    """The workers of a `distributed.Client`.

    A partition goes to the same worker in every iteration, as long as that lives, so what it has read is at hand. A
    worker that dies loses nothing: its tasks hold all that they need, and Dask gives them to another.

    Args:
        client: the cluster.
        partitions: into how many a data set is cut; None for three a thread.
    """

    def __init__(self, client: Any, partitions: int | None = None) -> None:
        self.client = client
        self._asked = None if partitions is None else checked(partitions)

    @property
    def partitions(self) -> int:
        """See `Engine`."""
        return self._asked or EACH * max(1, sum(self.client.nthreads().values()))

    def map(self, function: Callable[..., T], parts: Sequence[Any], shared: tuple = ()) -> list[T]:
        """See `Engine`."""
        workers = sorted(self.client.nthreads())
        if not workers:
            raise EngineError(f"the cluster at {self._where} has no worker: start some, dask worker {self._where}")
        lost: Exception | None = None
        for _ in range(TRIES):
            try:
                return told(self._given_out(workers, function, parts, shared), self._where)
            except (_dask().client.FutureCancelledError, _dask().scheduler.KilledWorker) as error:
                lost, workers = error, sorted(self.client.nthreads())
                if not workers:
                    break
            except (ImportError, AttributeError) as error:
                raise EngineError(
                    f"a worker of {self._where} cannot read its task ({error}): has it tacit {version()}, as here?"
                ) from error
        raise EngineError(
            f"workers of {self._where} died over the same partition again and again, perhaps for lack of memory "
            f"({type(lost).__name__}): cut the data into more than {len(parts)} partitions, or give a worker more."
        )

    def _given_out(
        self, workers: Sequence[str], function: Callable[..., T], parts: Sequence[Any], shared: tuple
    ) -> list[Answered]:
        client = self.client
        # a task, so that it is made again where the worker that holds it is lost
        common = client.submit(_itself, shared, pure=False) if shared else shared
        tasks = [
            client.submit(
                work,
                version(),
                function,
                part,
                common,
                pure=False,
                workers=[workers[place % len(workers)]],
                allow_other_workers=True,
            )
            for place, part in enumerate(parts)
        ]
        try:
            return list(client.gather(tasks))
        except BaseException:
            client.cancel(tasks)
            raise

    @property
    def _where(self) -> str:
        scheduler = self.client.scheduler
        return "the Dask cluster" if scheduler is None else str(scheduler.address)

    def close(self) -> None:
        """Leave the cluster as it is: it is not ours."""


def _itself(shared: tuple) -> tuple:
    return shared


class OwnClient(DaskEngine):
    """The same at an address, to which a connection of our own is made and closed."""

    def __init__(self, address: str, partitions: int | None = None) -> None:
        try:
            client = _dask().Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except ModuleNotFoundError:
            raise EngineError("an engine of Dask needs Dask: pip install 'tacit[dask]'") from None
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineError(
                f"no Dask scheduler answers at {address} ({type(error).__name__}): is it running, and may it be "
                "reached from here?"
            ) from None
        super().__init__(client, partitions)

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


def active() -> DaskEngine | None:
    """The engine of the client that is active in this process, or None."""
    try:
        return DaskEngine(_dask().get_client())
    except (ImportError, ValueError):
        return None
