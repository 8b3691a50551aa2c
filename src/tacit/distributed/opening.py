"""``with tacit.distributed.engine(…)``: where the sums of what stands inside are worked out."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from tacit.distributed.clusters import DaskEngine, OwnClient, active
from tacit.distributed.engines import Engine, InPlace, checked, using
from tacit.distributed.processes import ProcessEngine
from tacit.distributed.ray_clusters import OwnRay
from tacit.distributed.spark_clusters import OwnSpark, SparkEngine

FORMS = (
    "a number of processes, a Dask client, 'dask://host:port', 'tcp://host:port', 'ray', 'ray://host:port', a Spark "
    "session, 'spark', 'spark://host:port', 'sc://host:port' or 'processes[:N]'"
)


@contextlib.contextmanager
def engine(where: Any = None, *, partitions: int | None = None) -> Iterator[Engine]:
    """Work out sums over rows on several processes or machines, inside the scope.

    Every fit of a model of additive statistics inside it (mixtures, k-means, factor models, regressions, networks)
    gives out the rows of data sets that lie in files (`tacit.dataset`) in partitions, an iteration after the other; all
    else stays here. `tacit.select` and `tacit.compare` of rows that fit into memory give out their candidates. What
    comes out does not depend on where it was worked out.

    Args:
        where: a Dask client; ``"dask://host:port"`` or ``"tcp://host:port"``, a scheduler; ``"ray"``, the cluster of
            Ray that this process is connected to or that runs on this machine, or ``"ray://host:port"``; a
            ``SparkSession``, ``"spark"`` for the one that is active, ``"spark://host:port"`` or ``"sc://host:port"``
            (Spark Connect); a number of processes of this machine, or ``"processes:N"``; None for the active Dask
            client, else a process a core.
        partitions: into how many a data set is cut; three a worker, if nobody says.

    Raises:
        EngineError: there is no scheduler at the address, or no Dask, Ray or Spark.
        ValueError: nothing of the kind.
    """
    chosen, own = _chosen(where, partitions)
    try:
        with using(chosen):
            yield chosen
    finally:
        if own is not None:
            own.close()


def _chosen(where: Any, partitions: int | None) -> tuple[Engine, Any]:
    """An engine, and itself once more where it is to be closed."""
    if partitions is not None:
        checked(partitions)
    if where is None:
        found = active()
        if found is not None:
            return DaskEngine(found.client, partitions), None
    if where is None or (isinstance(where, int) and not isinstance(where, bool)):
        own: Any = ProcessEngine(where, partitions)
        return own, own
    if isinstance(where, str):
        own = _at(where, partitions)
        return own, own
    if callable(getattr(where, "submit", None)) and callable(getattr(where, "nthreads", None)):
        return DaskEngine(where, partitions), None
    if callable(getattr(where, "createDataFrame", None)):
        return SparkEngine(where, partitions), None
    if callable(getattr(where, "map", None)) and isinstance(getattr(where, "partitions", None), int):
        return where, None
    raise ValueError(f"an engine is {FORMS}; got {where!r}")


def _at(place: str, partitions: int | None) -> Any:
    processes = re.fullmatch(r"processes(?::(\d+))?", place)
    if processes:
        return ProcessEngine(int(processes[1]) if processes[1] else None, partitions)
    if place == "in-place":
        return InPlace(partitions or 1)
    scheme, sign, rest = place.partition("://")
    if sign and rest and scheme in ("dask", "tcp", "tls", "ucx", "ws", "wss"):
        return OwnClient(f"tcp://{rest}" if scheme == "dask" else place, partitions)
    if place == "ray" or (scheme == "ray" and rest):
        return OwnRay(place if sign else "auto", partitions)
    if place == "spark" or (scheme in ("spark", "sc") and rest):
        return OwnSpark(place, partitions)
    raise ValueError(f"{place!r} is no engine: say {FORMS}")
