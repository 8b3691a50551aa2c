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


def told(columns: NodeColumns, evidence: Any) -> dict[str, Any]:
    """Evidence by the names of nodes, without what is missing.

    Raises:
        ValueError: no such column; it is no mapping, or of several cases.
    """
    try:
        pairs = {} if evidence is None else dict(evidence)
    except (TypeError, ValueError):
        raise ValueError(f"evidence is a mapping, {{column: level or number}}; got {evidence!r}") from None
    found = {}
    for name, value in pairs.items():
        own = columns.names[columns.node(name)]
        if np.ndim(value) > 0:
            raise ValueError(
                f"column {own!r}: evidence is about one case, one level or number, or {{level: likelihood}}. For a "
                "table of cases ask query(columns, table)"
            )
        if not _missing(value):
            found[own] = value
    return found


def _missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas' NA says neither yes nor no
        return True


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
    for name, value in told(columns, evidence).items():
        node = columns.places[name]
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
    check_number(columns, node, number)
    return math.log(number) if columns.families[node] == "log-normal" else number


def check_number(columns: NodeColumns, node: int, number: float) -> None:
    """Refuse a number that a column cannot be.

    Raises:
        ValueError: it is not above 0, or no count.
    """
    family = columns.families[node]
    if family == "log-normal" and number <= 0:
        raise ValueError(f"column {columns.names[node]!r} holds numbers above 0, and {number:g} is none")
    if family == "poisson" and (number < 0 or number % 1):
        raise ValueError(f"column {columns.names[node]!r} holds counts, and {number:g} is none")


def _likelihood(columns: NodeColumns, node: int, value: Mapping[Any, Any]) -> np.ndarray:
    found = np.zeros(columns.levels[node] or 0)
    for level, weight in value.items():
        try:
            number = float(weight)
        except (TypeError, ValueError):
            number = math.nan
        if not number >= 0 or math.isinf(number):
            raise ValueError(
                f"column {columns.names[node]!r}: the likelihood of {level!r} is {weight!r}, not 0 or more"
            )
        found[code_of(columns, node, level)] = number
    if not found.any():
        raise ValueError(
            f"column {columns.names[node]!r}: the likelihood of every level is 0, which nothing agrees with"
        )
    return found
