"""How well a model fits: rows drawn from it beside rows of the data."""

import numpy as np
from jaxtyping import Float

from tacit import plots
from tacit.data.levels import show_level
from tacit.plots.style import thin
from tacit.report import words
from tacit.report.groups import Groups, Snapshots
from tacit.report.html import Child, tag
from tacit.report.parts import folded, framed, picture
from tacit.report.table import FittedTable

_TILES = 9
_ROWS = 50_000
_NUMBERS = ("continuous", "positive", "count")


def beside(
    rows: FittedTable, samples: Float[np.ndarray, "draws columns"], groups: Groups | None, snapshots: Snapshots | None
) -> list[Child]:
    """Rows drawn from the model beside those of the data: two columns as clouds, every column by itself."""
    values, schema = rows.values, rows.schema
    if samples.shape[1] != len(schema):
        raise ValueError(f"samples has {samples.shape[1]} columns, values has {len(schema)}")
    if not len(samples):
        return []
    pair = _pair(rows, groups, snapshots)
    values = values[thin(len(values), _ROWS)] if len(values) > _ROWS else values
    shown: list[Child] = [tag("h3", "Rows made by the model, beside the data")]
    if pair is not None:
        names = [schema.names[j] for j in pair]
        figure = plots.samples_beside_data(values[:, pair], samples[:, pair], names)
        says = f"{words.listed(names)}: data on the left, rows drawn from the model on the right"
        caption = "If the model fits, the two clouds look alike."
        shown.append(framed(caption, picture(figure, "beside", says)))
    tiles = []
    for j, column in enumerate(schema.columns[: 2 * _TILES]):
        levels = {0: [show_level(level) for level in column.levels or ()]}
        height = 1.1 if column.levels is None else 0.28 * min(max(len(column.levels), 2), 6)
        figure = plots.samples_by_column(
            values[:, [j]], samples[:, [j]], [column.name], [column.kind], levels=levels, cell=(2.2, height)
        )
        tiles.append(picture(figure, f"sample{j}", f"{column.name}: data in grey, the model in blue"))
    how = "Grey: the data. Blue: rows drawn from the model."
    if len(schema) > len(tiles):
        how += f" The first {len(tiles)} of {len(schema)} columns are drawn."
    shown.append(framed(how, tiles[:_TILES], class_="tiles"))
    rest = tiles[_TILES:]
    if rest:
        shown.append(folded(words.counted(len(rest), "more column"), framed(None, rest, class_="tiles")))
    return shown


def _pair(rows: FittedTable, groups: Groups | None, snapshots: Snapshots | None) -> list[int] | None:
    """The two columns to show as a cloud: those of the snapshots, else the two that tell groups apart best."""
    if snapshots is not None:
        return list(snapshots.columns)
    numbers = [j for j, kind in enumerate(rows.schema.kinds) if kind in _NUMBERS]
    if len(numbers) < 2:
        return None
    kept = thin(len(rows.values), _ROWS)
    share = None if groups is None else np.asarray(groups.responsibilities)[kept]
    best = plots.telling_columns(rows.values[kept][:, numbers], plots.hard_labels(len(kept), share, None), 2)
    return [numbers[j] for j in best]
