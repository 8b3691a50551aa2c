"""A cluster of Spark's as workers: ``pip install tacit[spark]``."""

import functools
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from tacit.distributed.engines import EACH, Answered, EngineError, checked, told, version, work

T = TypeVar("T")

CORES = 4
"""Of a cluster that does not say how many it has (Spark Connect)."""


def _spark(name: str) -> Any:
    """A part of Spark's own package, which is loaded when it is first asked for."""
    try:
        return pkgutil.resolve_name(name)
    except ModuleNotFoundError:
        raise EngineError("an engine of Spark needs Spark: pip install 'tacit[spark]', and Java") from None


class SparkEngine:
    """The executors of a ``SparkSession``; a partition is a task of ``mapInArrow``, in Python processes that live on.

    Spark runs the task of a worker that dies again as often as ``spark.task.maxFailures`` says; on one machine the
    master is ``local[N, 3]``, for ``local[N]`` tries once. An iteration is a job of Spark's, of about a second,
    so it suits few iterations over many rows.

    Args:
        session: the cluster; None for the session that is active, or a new one.
        partitions: into how many a data set is cut; None for three a core.
    """

    def __init__(self, session: Any = None, partitions: int | None = None) -> None:
        self.session = _spark("pyspark.sql").SparkSession.builder.getOrCreate() if session is None else session
        self._asked = None if partitions is None else checked(partitions)

    @property
    def partitions(self) -> int:
        """See `Engine`."""
        return self._asked or EACH * max(1, self._cores())

    def _cores(self) -> int:
        try:
            return int(self.session.sparkContext.defaultParallelism)
        except (AttributeError, NotImplementedError):  # Spark Connect shows no cluster
            return CORES

    def map(self, function: Callable[..., T], parts: Sequence[Any], shared: tuple = ()) -> list[T]:
        """See `Engine`."""
        errors, pickled = _spark("pyspark.errors"), _spark("pyspark.cloudpickle")
        number = len(parts)
        tasks = pickled.dumps((version(), function, shared)), [pickled.dumps(part) for part in parts]
        try:
            frame = self.session.range(0, number, 1, number).mapInArrow(
                functools.partial(_answers, tasks), "place long, answer binary"
            )
            answers = {row.place: pickled.loads(bytes(row.answer)) for row in frame.collect()}
        except (errors.PySparkException, _spark("py4j.protocol").Py4JError) as error:
            raise EngineError(
                f"the Spark cluster could not do its tasks ({_first_line(error)}): has every executor tacit "
                f"{version()} and memory for a partition? Else install it, or cut the data into more than {number} "
                "partitions."
            ) from None
        found = [answers[place] for place in range(number)]
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return told(found, "the Spark cluster")

    def close(self) -> None:
        """Leave the cluster as it is: it is not ours."""


def _first_line(error: BaseException) -> str:
    """What is wrong, without the stacks of Java and of every worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "crashed" in line or "Error" in line]
    return (said or lines or [type(error).__name__])[0][:200]


def _answers(tasks: tuple[bytes, list[bytes]], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On an executor: the tasks whose numbers come, their results or errors as bytes."""
    pickled, parts = _spark("pyspark.cloudpickle"), tasks[1]
    wanted, function, shared = pickled.loads(tasks[0])
    for batch in batches:
        for place in batch.column(0).to_pylist():
            try:
                answer: Answered | Exception = work(wanted, function, pickled.loads(parts[place]), shared)
            except Exception as error:
                answer = error
            yield pa.RecordBatch.from_pydict({"place": [place], "answer": [pickled.dumps(answer)]})


class OwnSpark(SparkEngine):
    """The same at an address, to which a session of our own is made and closed.

    Args:
        address: ``spark`` for the session that is active; ``spark://host:port``, a master; ``sc://host:port``, a server
            of Spark Connect.
        partitions: see `SparkEngine`.
    """

    def __init__(self, address: str, partitions: int | None = None) -> None:
        sessions = _spark("pyspark.sql").SparkSession
        there = _spark("pyspark").SparkContext._active_spark_context
        self._own = sessions.getActiveSession() is None and there is None
        if address.startswith("spark://") and there is not None and there.master != address:
            raise EngineError(
                f"this process has a Spark session at {there.master}, and {address} is asked for: stop that one "
                "first, or say 'spark' for it"
            )
        builder = sessions.builder.appName("tacit")
        if address.startswith("sc://"):
            builder = builder.remote(address)
        elif address != "spark":
            builder = builder.master(address)
        try:
            super().__init__(builder.getOrCreate(), partitions)
        except Exception as error:  # whatever Java says
            raise EngineError(
                f"no Spark answers at {address} ({_first_line(error)}): is it running, is there Java, and may it be "
                "reached from here?"
            ) from None

    def close(self) -> None:
        """Close the session, if it is ours."""
        if self._own:
            self.session.stop()
