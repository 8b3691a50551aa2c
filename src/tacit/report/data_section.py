"""How well the model fits, what the table was, and how to repeat it all."""

import numpy as np

from tacit import plots
from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.plots.style import short_number, thin
from tacit.report import deep_words, words
from tacit.report.content import HeldOut, ReportContent
from tacit.report.html import Child, Html, table, tag
from tacit.report.parts import folded, framed, picture, section

_TILES = 9
_ROWS = 50_000
_LINES = 30
_NUMBERS = ("continuous", "positive", "count")


def fit_section(content: ReportContent) -> Html | None:
    """Held-out score, and rows drawn from the model beside rows of the data."""
    parts: list[Child] = []
    held = content.held_out
    if held is not None and np.isfinite(held.score):
        parts += _held_out(held, content)
    if content.samples is not None and len(content.samples):
        parts += _samples(content)
    return section("fit", "How well it fits", *parts) if parts else None


def _held_out(held: HeldOut, content: ReportContent) -> list[Child]:
    """The held-out score in words; where it is a bound, why."""
    what = deep_words.one(content)
    text = words.held_out(held.score, held.standard_error, held.rows, held.baseline, bound=held.bound, what=what)
    said: list[Child] = [tag("p", text)]
    if content.images is not None and held.bits is not None:
        said.append(tag("p", deep_words.bits(held, content.images)))
    notes = [deep_words.bound_note(what)] if held.bound else []
    if content.code is not None and content.code.measure == "density":
        notes.append(deep_words.DENSITY_NOTE)
    return [*said, *(tag("p", note, class_="note") for note in notes)]


def _samples(content: ReportContent) -> list[Child]:
    values, samples, schema = content.values, content.samples, content.schema
    if values is None or samples is None or schema is None:
        return []
    pair = _pair(content)
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


def _pair(content: ReportContent) -> list[int] | None:
    """The two columns to show as a cloud: those of the snapshots, else the two that tell groups apart best."""
    if content.schema is None or content.values is None:
        return None
    if content.snapshots is not None:
        return list(content.snapshots.columns)
    numbers = [j for j, kind in enumerate(content.schema.kinds) if kind in _NUMBERS]
    if len(numbers) < 2:
        return None
    kept = thin(len(content.values), _ROWS)
    share = None if content.groups is None else np.asarray(content.groups.responsibilities)[kept]
    best = plots.telling_columns(content.values[kept][:, numbers], plots.hard_labels(len(kept), share, None), 2)
    return [numbers[j] for j in best]


def data_section(content: ReportContent) -> Html | None:
    """The columns and their kinds, what is missing, what was left out."""
    parts: list[Child] = []
    if content.schema is not None and content.values is not None and len(content.schema):
        parts += _columns(content.schema.columns, content.values)
    if content.missing.any() and content.schema is not None:
        figure = plots.missing_summary(content.missing, content.schema.names)
        gaps = content.missing
        whole = int((~gaps.any(1)).sum())
        said = (
            f"{words.capital(words.percent(float(gaps.mean())))} of the values are missing; "
            f"{words.counted(whole, 'row')} of {short_number(len(gaps), 15)} are complete."
        )
        caption = "Bars: share missing. Squares: which gaps occur together, and in how many rows."
        parts += [tag("h3", "Missing values"), tag("p", said), framed(caption, picture(figure, "missing", said))]
    if content.left_out:
        body: list[list[Child]] = [[each.name, each.reason] for each in content.left_out]
        parts += [
            tag("h3", "Left out"),
            table("Columns that the model did not see, and why.", ["Column", "Reason"], body),
        ]
    if content.notes:
        read = "Reading the table" if content.images is None else "Reading the images"
        read = "Reading the texts" if content.topics is not None else read
        parts += [tag("h3", read), tag("ul", [tag("li", note) for note in content.notes])]
    return section("data", "The data", *parts) if parts else None


def _columns(columns: tuple[Column, ...], values: np.ndarray) -> list[Child]:
    body: list[list[Child]] = []
    for j, column in enumerate(columns):
        seen = values[np.isfinite(values[:, j]), j]
        holds = tag("td", _holds(column, seen), class_="text")
        body.append([column.name, column.kind, holds, tag("td", column.note, class_="text")])
    head: list[Child] = ["Column", "Kind", "Values", "Why this kind"]
    caption = f"{words.counted(len(body), 'column')} went into the model."
    shown: list[Child] = [table(caption, head, body[:_LINES])]
    rest = body[_LINES:]
    if rest:
        shown.append(folded(words.counted(len(rest), "more column"), table("The other columns.", head, rest)))
    return shown


def _holds(column: Column, seen: np.ndarray) -> str:
    """A column's values in a few words: its range and mean, or its commonest levels."""
    if not len(seen):
        return "no value at all"
    if column.levels is not None:
        counts = np.bincount(seen.astype(int), minlength=len(column.levels))
        order = np.argsort(-counts, kind="stable")[:4]
        named = [f"{show_level(column.levels[i])} {words.percent(counts[i] / len(seen))}" for i in order]
        more = len(column.levels) - len(order)
        return ", ".join(named) + (f" and {more} more" if more > 0 else "")
    low, mean, high = (short_number(float(x), 4) for x in (seen.min(), seen.mean(), seen.max()))
    return f"{low} to {high}, mean {mean}"


def repeat_section(content: ReportContent) -> Html | None:
    """The command, the lines of Python, the configuration and the versions behind the fit."""
    repeat = content.repeat
    if repeat is None:
        return None
    parts: list[Child] = []
    for title, text in (("On the command line", repeat.command), ("In Python", repeat.python)):
        if text:
            parts += [tag("h3", title), tag("pre", tag("code", text))]
    if repeat.config:
        parts.append(folded("The configuration", tag("pre", tag("code", repeat.config))))
    if repeat.versions:
        used = ", ".join(f"{name} {version}" for name, version in repeat.versions)
        parts.append(tag("p", f"Made with {used}.", class_="note"))
    return section("repeat", "How to repeat it", *parts) if parts else None
