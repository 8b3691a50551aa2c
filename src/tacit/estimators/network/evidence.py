"""Evidence by column and level name, as the network has it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from tacit.data.errors import listed, nearest
from tacit.data.levels import show_level
from tacit.estimators.network.columns import NodeColumns


def code_of(columns: NodeColumns, node: int, level: Any) -> int:
    """The code of a level, by its value or by what stands in a file.

    Raises:
        ValueError: the column has no such level; the nearest is named.
    """
    levels = columns.levels_of(node)
    for code, known in enumerate(levels):
        if known == level and isinstance(known, bool) == isinstance(level, (bool, np.bool_)):
            return code
    shown = [show_level(known) for known in levels]
    said = show_level(level) if isinstance(level, (str, int, float, bool)) else str(level)
    if said in shown:
        return shown.index(said)
    raise ValueError(
        f"column {columns.names[node]!r} has no level {said!r}; its levels are {listed(shown, 12)}."
        f"{nearest(said, shown)}"
    )


def row_of(
    columns: NodeColumns, evidence: Mapping[Any, Any] | None, fixed: Mapping[int, float]
) -> tuple[Float[np.ndarray, " nodes"], dict[int, Float[np.ndarray, "levels 1"]]]:
    """A row of nodes, NaN where nothing is said, and the likelihoods of soft evidence.

    Args:
        columns: of the network.
        evidence: a level or a number by name; ``{level: likelihood, …}`` for soft evidence; None says nothing.
        fixed: nodes that were set by an intervention.

    Raises:
        ValueError: no such column or level, a number that is none, a likelihood below 0.
    """
    row = np.full(len(columns.names), np.nan)
    soft: dict[int, np.ndarray] = {}
    for name, value in (evidence or {}).items():
        node = columns.node(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if columns.levels[node] is None:
            row[node] = _number(columns, node, value)
        elif isinstance(value, Mapping):
            soft[node] = _likelihood(columns, node, value)[:, None]
        else:
            row[node] = code_of(columns, node, value)
    for node, value in fixed.items():
        if not math.isnan(row[node]) and row[node] != value:
            raise ValueError(f"column {columns.names[node]!r} is set by do(), and the evidence says something else")
        row[node] = value
    return row, soft


def _number(columns: NodeColumns, node: int, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"column {columns.names[node]!r} is a number, and {value!r} is none") from None
    if not math.isfinite(number):
        raise ValueError(f"column {columns.names[node]!r} cannot be {value!r}")
    if node < len(columns.families) and columns.families[node] == "log-normal":
        if number <= 0:
            raise ValueError(f"column {columns.names[node]!r} holds numbers above 0, and {value!r} is none")
        return math.log(number)
    return number


def _likelihood(columns: NodeColumns, node: int, value: Mapping[Any, Any]) -> np.ndarray:
    found = np.zeros(columns.levels[node] or 0)
    for level, weight in value.items():
        number = float(weight)
        if not number >= 0 or math.isinf(number):
            raise ValueError(
                f"column {columns.names[node]!r}: the likelihood of {level!r} is {weight!r}, not 0 or more"
            )
        found[code_of(columns, node, level)] = number
    return found
