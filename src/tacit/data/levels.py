"""Levels of binary and categorical columns: finding them, and turning cells into codes."""

import re

import numpy as np
from jaxtyping import Bool, Float

from tacit.data.cells import Cells, loosely
from tacit.data.schema import Level

_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")


def levels_of(cells: Cells) -> tuple[Level, ...]:
    """The distinct values of a column: numbers in order, texts in the order a person would list them.

    Texts sort with the numbers inside them taken as numbers (G2 before G10), whole numbers become integers,
    truth values become (False, True).
    """
    if cells.origin == "truth":
        return (False, True)
    if cells.numbers is not None:
        values = np.unique(cells.numbers[~np.isnan(cells.numbers)]).tolist()
        whole = all(value.is_integer() and abs(value) < 2**53 for value in values)
        return tuple(int(value) for value in values) if whole else tuple(values)
    texts: list[str] = [] if cells.words is None else cells.words.texts.to_pylist()
    return tuple(sorted(texts, key=_natural))


def codes_for(cells: Cells, levels: tuple[Level, ...]) -> tuple[Float[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """The code 0..L−1 of every cell (NaN where missing or unseen), and where a value is no level.

    Values match by what they mean, not by how the file happened to store them: the level 1 is met by 1, 1.0
    and "1", the level "2" by a column of whole numbers, the level True by "true".
    """
    if isinstance(levels[0], str):
        return _match_texts(cells, {str(level): code for code, level in enumerate(levels)})
    if isinstance(levels[0], bool) and cells.words is not None:
        meant = np.array([_truth(text) for text in cells.words.texts.to_pylist()] + [np.nan])
        numbers = meant[cells.words.codes]
    else:
        numbers, _ = cells.as_numbers()
    codes = _match_numbers(numbers, levels)
    return codes, np.isnan(codes) & ~cells.missing()


def show_level(level: Level) -> str:
    """A level as it stands in a file or a message: ``yes``, ``3``, ``true``."""
    if isinstance(level, bool):
        return str(level).lower()
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def _natural(text: str) -> list[tuple[int, float, str]]:
    parts = re.split(r"(\d+)", text.casefold())
    return [(0, float(part), "") if part.isdecimal() else (1, 0.0, part) for part in parts if part] + [(2, 0.0, text)]


def _truth(text: str) -> float:
    lower = text.casefold()
    return 1.0 if lower in _TRUE else 0.0 if lower in _FALSE else np.nan


def _match_numbers(numbers: Float[np.ndarray, " rows"], levels: tuple[Level, ...]) -> Float[np.ndarray, " rows"]:
    known = np.asarray([float(level) for level in levels])
    place = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    return np.where(known[place] == numbers, place.astype(np.float64), np.nan)


def _match_texts(cells: Cells, codes: dict[str, int]) -> tuple[Float[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    missing = cells.missing()
    if cells.words is not None:
        written, inverse = [*cells.words.texts.to_pylist(), ""], cells.words.codes
    else:
        truth = cells.origin == "truth"
        if truth:
            codes = {text.casefold(): code for text, code in codes.items()}
        distinct, inverse = np.unique(cells.as_numbers()[0], return_inverse=True)
        written = [_written(float(value), truth) for value in distinct]
    loose: dict[str, int | None] = {}
    for text, code in codes.items():
        loose[loosely(text)] = None if loosely(text) in loose else code  # None where two levels differ in nothing else
    found = [codes.get(text, loose.get(loosely(text))) for text in written]
    lookup = np.asarray([np.nan if code is None else code for code in found], np.float64)
    values = np.where(missing, np.nan, lookup[inverse])
    return values, np.isnan(values) & ~missing


def _written(value: float, truth: bool) -> str:
    if truth:
        return "true" if value else "false"
    return str(int(value)) if value.is_integer() else str(value)
