"""What comes after the last rows of sequences."""

import numpy as np
import pyarrow as pa

from tacit.compute import compilation_cache
from tacit.data.levels import show_level
from tacit.data.schema import Schema
from tacit.estimators.capabilities import can
from tacit.estimators.sequence.forecasts import Forecast
from tacit.estimators.sequence.reading import Forecasts
from tacit.storage.errors import ModelFileError
from tacit.workflow.answers import TableAnswer
from tacit.workflow.opened import Opened
from tacit.workflow.sources import Rows


@compilation_cache()
def forecast(opened: Opened, rows: Rows, steps: int, level: float) -> TableAnswer:
    """The next steps of every sequence: a line a step, with the mean and the interval of every column.

    Raises:
        ModelFileError: the model knows no order of rows.
    """
    if not can(opened.estimator, Forecasts):
        raise ModelFileError(
            f"the model of {str(opened.run.path)!r} knows no order of rows: fit one with --sequence, such as "
            "--model hidden-markov-model."
        )
    found = opened.estimator.forecast(steps, opened.feed(rows), level=level)
    table = _lines(found, opened.schema)
    return TableAnswer(table, remarks=(f"Intervals hold {100 * level:g} % if the model is right.",))


def _lines(found: Forecast, schema: Schema | None) -> pa.Table:
    sequences, steps, _ = found.mean.shape
    names = [str(name) for name in found.sequences]
    lines: dict[str, pa.Array] = {}

    def add(name: str, values: pa.Array) -> None:
        """A column; where one of the table has its name, or another has, it is told apart."""
        while name in lines or name in found.columns:
            name = f"{name} (forecast)"
        lines[name] = values

    add("sequence", pa.array([name for name in names for _ in range(steps)], pa.string()))
    add("step", pa.array(np.tile(np.arange(1, steps + 1), sequences)))
    if found.states is not None:
        add("state", pa.array(_likeliest(found.states.reshape(sequences * steps, -1))))
    for place, name in enumerate(found.columns):
        levels = None if schema is None else schema.columns[place].levels
        if levels is not None and found.levels is not None:  # the likeliest level, and how likely it is
            chances = found.levels[place].reshape(sequences * steps, -1)
            codes = _likeliest(chances)
            lines[name] = pa.array(
                [None if code is None else show_level(levels[code - 1]) for code in codes], pa.string()
            )
            add(f"{name} probability", pa.array(chances.max(1)))
            continue
        lines[name] = pa.array(found.mean[..., place].ravel())
        add(f"{name} low", pa.array(found.lower[..., place].ravel()))
        add(f"{name} high", pa.array(found.upper[..., place].ravel()))
    return pa.table(lines)


def _likeliest(chances: np.ndarray) -> list[int | None]:
    """Which is the likeliest of every line, from 1; None where nothing is known."""
    return [None if np.isnan(line).any() else int(line.argmax()) + 1 for line in chances]
