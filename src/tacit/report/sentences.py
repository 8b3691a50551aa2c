"""Sentences for people who know their data and need not know statistics."""

import re
from collections.abc import Sequence

import numpy as np

from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.estimators.stopping import in_plain_words
from tacit.plots.style import alike, short_number, shorten
from tacit.report.effects import NOTICED, Effect

_UNITS = {"mm", "cm", "km", "kg", "mg", "ml", "usd", "eur", "gbp", "pct", "percent", "seconds", "secs", "minutes"}
_UNITS |= {"mins", "hours", "days", "weeks", "months", "years", "yrs", "kcal", "mmhg", "ms", "g", "m", "s", "l", "h"}
_DIRECTIONS = {
    ("length", "long", "duration", "time"): ("longer", "shorter"),
    ("width", "breadth"): ("wider", "narrower"),
    ("depth",): ("deeper", "shallower"),
    ("mass", "weight", "size", "area", "volume", "amount", "quantity"): ("larger", "smaller"),
}
_SPREAD = 0.5
"""From where a spread is worth a word: by how much its logarithm differs from that of the rest."""

_LONGEST = 60
"""The most letters of a name or level that a sentence quotes."""

Sentence = str


def readable(name: object) -> tuple[str, str]:
    """A column as a sentence names it, as it is written in the table, and its unit where the name ends in one.

    A name that would run into the sentence around it stands in quotation marks: “Score (1-100)”.
    """
    words = shorten(name, _LONGEST) or "(no name)"
    parts = re.split(r"[_.\s]+", words)
    unit = parts[-1] if len(parts) > 1 and parts[-1] in _UNITS else ""
    return quoted(words), unit


def quoted(words: str) -> str:
    """Words in quotation marks where they hold signs that a sentence has a use for itself."""
    return f"“{words}”" if words != "(no name)" and re.search(r"[()\[\]{},;:!?…\"“”]|\.(\s|$)", words) else words


def percent(share: float) -> str:
    """A share in per cent; small and nearly whole ones are not rounded away."""
    if not np.isfinite(share):
        return "–"
    if 0 < share < 0.01:
        return "under 1 %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def capital(sentence: Sentence) -> Sentence:
    """With a capital letter at its head."""
    return sentence[:1].upper() + sentence[1:]


def listed(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``344 rows``."""
    return f"{short_number(number, 15)} {one if number == 1 else many or one + 's'}"


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with just enough figures to differ, three at least and six at most, and as many decimals."""
    texts = ["", ""]
    for digits in (3, 4, 5, 6):
        texts = alike([one, other], digits)
        if texts[0] != texts[1] or one == other:
            break
    return texts[0], texts[1]


def group_name(group: int) -> str:
    """What a group is called: they are numbered from 1."""
    return f"Group {group + 1}"


def named(text: str, names: Sequence[str | None]) -> str:
    """A text that calls groups by the names that a person gave them; those without one keep their number."""

    def instead(found: re.Match[str]) -> str:
        place = int(found[1]) - 1
        name = names[place] if 0 <= place < len(names) else None
        if not name:
            return found[0]
        return f"“{name}” (group {found[1]}, " if found[2] else f"“{name}”"

    return re.sub(r"\bGroup (\d+)\b( \()?", instead, text) if any(names) else text


def describe_group(
    group: int, share: float, found: Sequence[Effect], columns: Sequence[Column], *, together: bool = False
) -> Sentence:
    """One sentence on a group: its size, and the few columns that set it apart from the rest.

    Args:
        group: Its number, from 0.
        share: Its share of the rows, 0 to 1.
        found: Its effects, strongest first.
        columns: What the columns are.
        together: Whether in the model columns go together within a group.
    """
    subject = f"{group_name(group)} ({percent(share)} of rows)"
    telling = [effect for effect in found if effect.strength >= NOTICED][:4]
    if not telling:
        return f"{subject} is not clearly apart from the rest{_otherwise(found, columns, together=together)}."
    numbers = [effect for effect in telling if effect.level is None]
    means = [effect for effect in numbers if not effect.median]
    has = [
        _amount(effect, columns[effect.column], first=effect is numbers[0], mean=effect in means[:1])
        for effect in numbers
    ]
    is_ = [_level(e, columns[e.column]) for e in telling if e.level is not None]
    if not has:
        return f"{subject}: {listed(is_)}." if len(is_) == 1 else f"{subject} {listed(is_)}."
    return f"{subject} has {listed(has)}{'; ' if is_ else ''}{listed(is_)}."


def direction(name: str, more: bool) -> str:
    """The comparative that suits a column: longer, wider, deeper, larger, or higher."""
    tokens = re.split(r"[_.\s]+", name.lower())
    for keys, words in _DIRECTIONS.items():
        if any(token in keys for token in tokens):
            return words[0 if more else 1]
    return "higher" if more else "lower"


def _otherwise(found: Sequence[Effect], columns: Sequence[Column], *, together: bool) -> str:
    """In what a group differs whose columns lie no higher or lower than those of the rest."""
    widest = max((e for e in found if e.level is None), key=lambda e: abs(e.spread), default=None)
    if widest is not None and abs(widest.spread) >= _SPREAD:
        how = "more widely spread" if widest.spread > 0 else "closer together"
        return (
            f" by how high its values are; they lie {how} (most of all in {readable(columns[widest.column].name)[0]})"
        )
    if len(columns) == 1:
        return ""
    differs = "; it differs in how the columns go together" if together else ""
    return f" in any column by itself{differs}"


def _amount(effect: Effect, column: Column, *, first: bool, mean: bool) -> str:
    """``larger mass_g (5,076 g on average, against 3,711 g in the rest)``.

    The ``first`` says what is compared with what, and the first ``mean`` that it is one.
    """
    name, unit = readable(column.name)
    inside, outside = told_apart(effect.inside, effect.outside)
    suffix = f" {unit}" if unit else ""
    more = effect.inside > effect.outside if effect.inside != effect.outside else effect.size > 0
    told, of = f"{inside}{suffix}", f"{outside}{suffix}"
    if effect.median:
        told = f"median {told}"
    elif mean:
        told += " on average"
    against = f", against {of} in the rest" if first else f" against {of}"
    return f"{direction(column.name, more)} {name} ({told}{against})"


def _level(effect: Effect, column: Column) -> str:
    name, _ = readable(column.name)
    levels = column.levels or ()
    level = show_level(levels[effect.level]) if effect.level is not None and levels else str(effect.level)
    level = quoted(shorten(level, _LONGEST))
    p, shares = effect.inside, f"({percent(effect.inside)}, elsewhere {percent(effect.outside)})"
    if p >= 0.9:
        how = "is nearly always"
    elif p >= 0.5:
        how = "is mostly"
    elif effect.size > 0:
        how = "is more often"
    else:
        how = "is hardly ever" if p <= 0.05 else "is less often"
    return f"{name} {how} {level} {shares}"


def noise(share: float) -> Sentence:
    """How many rows are noise, and what that means."""
    return f"Noise: {percent(share)} of rows are in no group, and spread evenly over the box of all rows."


def certainty(responsibilities: np.ndarray, noise: float | None = None) -> Sentence:
    """How clearly rows belong to one group; where there is noise, that has what their probabilities lack to one."""
    best = np.nanmax(np.where(np.isfinite(responsibilities), responsibilities, 0.0), axis=1)
    if noise is not None:
        best = np.fmax(best, 1.0 - responsibilities.sum(axis=1))
    clear = float((best >= 0.9).mean()) if len(best) else 1.0
    beside = "" if noise is None else " or to noise"
    text = f"{percent(clear)} of the rows belong to one group{beside} with a probability of at least 90 %"
    if clear >= 0.9:
        return f"The groups are clearly apart: {text}."
    if clear >= 0.6:
        return f"The groups overlap somewhat: {text}."
    return f"The groups overlap strongly: {text}. Read the probabilities rather than the labels."


def lead(source: str, rows: int, columns: int, groups: int, missing: float, noise: float | None = None) -> Sentence:
    """What was looked at and what came out, in one or two sentences."""
    of = f" of {source}" if source else ""
    gaps = "with no value missing" if missing == 0 else f"with {percent(missing)} of the values missing"
    table = f"{counted(rows, 'row')} and {counted(columns, 'column')}{of}, {gaps}"
    if groups == 0:
        return f"{table}."
    beside = "" if noise is None else f" and noise ({percent(noise)} of rows)"
    if groups == 1:
        return f"{table}: one group{beside or ' describes them all'}."
    return f"{table}, fall into {groups} groups{beside}."


def rise(first: float, last: float, steps: int, converged: bool | None, reason: str) -> Sentence:
    """How the bound rose and why it stopped."""
    text = f"In {counted(steps, 'step')} the bound rose from {' to '.join(told_apart(first, last))} nats"
    if converged:
        return f"{text} and then changed no more: the fit has converged."
    if converged is None:
        return f"{text}."
    ended = in_plain_words(reason) or "it was stopped"
    return f"{text}. The fit had not settled when it ended ({ended}): allow more steps before relying on it."


PARALLEL = "excess over noise"
"""What parallel analysis chooses a number of factors by, in words."""
TAIL_OF_BIC = (
    "BIC of factors by maximum likelihood stands beside it; with many rows it has a use for ever smaller factors, such "
    "as those of two questions that are worded alike."
)


def choice(
    best: float,
    second: float | None,
    label: str,
    rival: str,
    criterion: str,
    tried: int,
    floored: int = 0,
    outpaced: int = 0,
) -> Sentence:
    """Which candidate was chosen and how clear the choice is.

    ``floored`` counts candidates that score higher but rest on their floor, ``outpaced`` those that were left on the
    way because they could no longer come out highest. Differences of BIC are graded as by
    Kass & Raftery (1995): up to 2 hardly worth a mention, to 6 positive, to 10 strong, beyond very strong.
    """
    if criterion == PARALLEL:
        kept = f"keeps {label}: so many eigenvalues lie above those of noise (Horn 1965)"
        none = f"finds no factor whose eigenvalue lies above that of noise (Horn 1965); {label} was fitted"
        return f"Parallel analysis {kept if best > 0 else none}. {TAIL_OF_BIC}"
    if tried == 1:
        return f"There was one candidate: {label}, {criterion} {short_number(best, 5)}."
    text = (
        f"Of {counted(tried, 'candidate')}, the one with {label} has the highest {criterion} ({short_number(best, 5)})"
    )
    if floored:
        text += f" among those not resting on their floor ({counted(floored, 'spurious one')} would score higher)"
    left = "was" if outpaced == 1 else "were"
    rest = (
        f" {counted(outpaced, 'candidate').capitalize()} {left} left on the way, when they could no longer overtake it."
        if outpaced
        else ""
    )
    if second is None or not np.isfinite(second):
        return f"{text}.{rest}"
    gap = best - second
    if criterion.upper() not in ("BIC", "ICL"):
        return f"{text}; next comes the one with {rival} ({short_number(second, 5)}).{rest}"
    grades = ((2, "hardly ahead of"), (6, "somewhat ahead of"), (10, "clearly ahead of"))
    grade = next((words for limit, words in grades if gap <= limit), "far ahead of")
    text = f"{text}, {grade} the next, with {rival}, by {short_number(gap, 2)}"
    return (f"{text}; either would do." if gap <= 2 else f"{text}.") + rest


_MCLUST = {"E": "the same", "V": "its own", "I": "none"}
_PLAIN = {
    "full": "every group has its own size, shape and direction",
    "tied": "all groups have the same size, shape and direction",
    "diag": "every group has its own spread in each column; columns go together in no group",
    "spherical": "every group is round, each of its own size",
    "E": "all groups have the same spread",
    "V": "every group has its own spread",
}


def structure(name: str) -> Sentence:
    """A covariance structure in words: scikit-learn's four names, or mclust's letters for volume, shape,
    orientation; nothing where the name is neither."""
    if name in _PLAIN:
        return _PLAIN[name]
    if not re.fullmatch(r"[EV]([EV][EVI]|II)", name):
        return ""
    size = "the same size" if name[0] == "E" else "its own size"
    if name[1:] == "II":
        return f"every group is round and has {size}"
    shape = "the same shape" if name[1] == "E" else "its own shape"
    turned = {
        "I": "and lies along the columns",
        "E": "and the same direction",
        "V": "and its own direction",
    }[name[2]]
    same = size.startswith("the") and shape.startswith("the") and name[2] == "E"
    subject = "all groups have" if same else "every group has"
    return f"{subject} {size}, {shape} {turned}"


def held_out(
    score: float,
    error: float,
    rows: int,
    baseline: tuple[str, float] | None,
    what: str = "row",
    *,
    bound: bool = False,
) -> Sentence:
    """How well rows (or images) that were kept aside are predicted; ``bound``: the score lies below on average."""
    least = "at least " if bound else ""
    text = (
        f"On {counted(rows, what)} kept aside, the model gives {least}{short_number(score, 4)} ± "
        f"{short_number(error, 2)} nats per {what} (mean and standard error; higher is better)"
    )
    if baseline is None:
        return f"{text}."
    name, other = baseline
    gap = score - other
    if abs(gap) <= 2 * error:
        return f"{text}. {name} gives {short_number(other, 4)}: no clear difference."
    better = "better" if gap > 0 else "worse"
    return f"{text}. {name} gives {short_number(other, 4)}: the model is {better} by {short_number(abs(gap), 3)}."


def emptied(used: int, empty: int) -> Sentence:
    """How many of the groups that a model was allowed remain in use."""
    be = "is" if used == 1 else "are"
    return f"Of the {used + empty} groups that were allowed, {used} {be} in use; the data did not need the others."


def cautions(
    weights: np.ndarray | None, rows: int, columns: int, converged: bool | None, at_floor: bool
) -> tuple[Sentence, ...]:
    """What a careful reader should be told without having asked."""
    said = []
    if converged is False:
        said.append("The fit had not settled when it ended. Allow more steps before relying on it.")
    if at_floor:
        said.append("A group rests on the smallest spread allowed: it may be a spike on a few equal rows.")
    if weights is not None and len(weights) > 1:
        small = [group_name(k) for k, weight in enumerate(weights) if weight * rows < max(5, columns)]
        if small:
            be, their = ("is", "its") if len(small) == 1 else ("are", "their")
            which = listed(small) if len(small) <= 4 else f"{len(small)} of the {len(weights)} groups"
            said.append(f"{which} {be} made of very few rows; read {their} description with care.")
    if rows and rows < 10 * columns:
        said.append(f"There are only {counted(rows, 'row')} for {counted(columns, 'column')}.")
    return tuple(said)
