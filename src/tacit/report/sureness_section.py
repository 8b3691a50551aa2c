"""How sure the grouping is: which groups run into one another, and which rows could be of either."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tacit.compute import Array
from tacit.report.html import Child, table, tag
from tacit.report.parts import badge, row_name
from tacit.report.sentences import percent

_ROWS = 10
_SURE = 0.9
_GROUPS = 15


def mixed_up(share: Float[np.ndarray, "rows components"]) -> Float[np.ndarray, "components components"]:
    """The mean probability of every group (across) over the rows of which each (down) is the likeliest."""
    own = share.argmax(axis=1)
    return np.stack(
        [
            share[own == k].mean(axis=0) if (own == k).any() else np.full(share.shape[1], np.nan)
            for k in range(share.shape[1])
        ]
    )


def sureness(share: Float[Array, "rows components"], names: Sequence[object] | None) -> Child:
    """A table of how groups run into one another, and the rows that could be of either of two."""
    chances = np.nan_to_num(np.asarray(share, np.float64))
    if chances.shape[1] < 2 or not len(chances):
        return None
    parts: list[Child] = [tag("h3", "How sure the grouping is")]
    number = chances.shape[1]
    if number <= _GROUPS:
        mean = mixed_up(chances)
        body: list[list[Child]] = [
            [badge(k), *(percent(float(mean[k, other])) for other in range(number))] for k in range(number)
        ]
        caption = (
            "Rows of each group (down), and with which probability they belong to each (across), on average: the more "
            "of it stands outside the diagonal, the more two groups run into one another."
        )
        head: list[Child] = ["Rows of", *(badge(k) for k in range(number))]
        parts.append(table(caption, head, body, numbers=tuple(range(1, number + 1)), class_="profile"))
    best = np.sort(chances, axis=1)[:, ::-1]
    unsure = np.flatnonzero(best[:, 0] < _SURE)
    unsure = unsure[np.argsort(best[unsure, 0] - best[unsure, 1], kind="stable")][:_ROWS]
    if not len(unsure):
        parts.append(tag("p", "Every row belongs to its group with a probability of at least 90 %."))
        return parts
    lines: list[list[Child]] = []
    for row in unsure.tolist():
        order = np.argsort(-chances[row], kind="stable")
        pair = [[badge(int(k)), f" {percent(float(chances[row, k]))}"] for k in order[:2]]
        lines.append([row_name(row, names), *pair])
    caption = "Rows that could be of either of two groups, the least sure first."
    parts.append(table(caption, ["Row", "Likeliest", "Next"], lines))
    return parts
