"""The one look of every picture: colours, sizes, short labels and numbers; it needs no matplotlib.

Light backgrounds, thin rules, no frame. The colours of the groups were chosen so that any two of the first
six differ by at least 17 in CIE Lab, and any two of the eight by at least 13, for normal sight and for red-,
green- and blue-blind sight (simulation of Machado, Oliveira & Fernandes 2009). Beyond eight the colours
repeat, and the number written beside a group tells it apart.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Num

INK = "#1E252B"
QUIET = "#5A656F"
RULE = "#CDD3D8"
FAINT = "#ECEFF2"
DATA = "#B9C1C8"
PAPER = "#FFFFFF"
GROUPS = ("#1A60AF", "#B35A21", "#26A68F", "#771154", "#88B6E5", "#CDAA37", "#482974", "#914242")
ACCENT = GROUPS[0]

TEXT = 9.5
"""Points; a picture of up to 350 points across stays legible when a phone shrinks it to its own width."""
SMALL = 8.5
HAIR = 0.7
LINE = 1.6


def group_colour(group: int) -> str:
    """The colour of the group with this number, counted from 0."""
    return GROUPS[group % len(GROUPS)]


def ink_on(colour: str) -> str:
    """White or dark ink, whichever has the greater contrast on a colour (WCAG 2 relative luminance)."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return PAPER if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.065 else INK


def shorten(text: object, limit: int) -> str:
    """A text as one line: control characters and direction marks are spaces, the middle of a long one is "…"."""
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in str(text))
    line = re.sub(r"\s+", " ", line).strip()
    if len(line) > limit:
        tail = (limit - 1) // 3
        line = line[: limit - 1 - tail].rstrip() + "…" + line[len(line) - tail :].lstrip()
    return line


def plain(text: object, limit: int = 26) -> str:
    """A user's text as one short line that matplotlib does not read as mathematics: dollars are escaped."""
    return shorten(text, limit).replace("$", r"\$")


def short_number(value: float, digits: int = 3) -> str:
    """A number for reading: three figures, a comma between thousands, true minus, no trailing zeros."""
    if not np.isfinite(value):
        return "–" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if size != 0 and (size >= 1e9 or size < 1e-4):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
    else:
        decimals = digits if size == 0 else max(0, digits - 1 - int(np.floor(np.log10(size))))
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def alike(values: Sequence[float], digits: int = 4) -> list[str]:
    """Numbers of one column of a table, with equally many decimals: as many as the largest has room for.

    None of them is shown as 0 unless it is, and 0 is shown as ``0``.
    """
    single = [short_number(value, digits) for value in values]
    sizes = [abs(value) for value in values if np.isfinite(value) and value != 0]
    if not sizes or max(sizes) > 1000 * min(sizes) or any("e" in text for text in single):
        return single
    room = max(0, digits - 1 - int(np.floor(np.log10(max(sizes)))))
    decimals = min(room, max(len(text.partition(".")[2]) for text in single))
    texts = (f"{value:,.{decimals}f}".replace("-", "−") for value in values)
    return [
        text if np.isfinite(value) and any(figure in text for figure in "123456789") else one
        for text, value, one in zip(texts, values, single, strict=True)
    ]


MOST_DECIMALS = 6
"""Decimals that a column is said to have at most; one that has more was computed rather than written."""


def decimals_of(values: Num[np.ndarray, " rows"]) -> int | None:
    """With how many decimals the numbers of a column are written; None for more than six, or no number at all."""
    seen = np.unique(np.asarray(values, np.float64))
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return None
    slack = 4.0 * np.finfo(np.float64).eps * np.abs(seen)
    for decimals in range(MOST_DECIMALS + 1):
        scaled = seen * 10.0**decimals
        if (np.abs(scaled - np.round(scaled)) <= slack * 10.0**decimals).all():
            return decimals
    return None


def as_written(value: float, decimals: int | None, digits: int = 4) -> str:
    """A value of a column with as many decimals as the column has, without zeros at its end."""
    if decimals is None or not np.isfinite(value) or abs(value) >= 1e15:
        return short_number(value, digits)
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def two_decimals(value: float) -> str:
    """A correlation or loading, with two decimals always."""
    return f"{value:.2f}".replace("-", "−")


def thin(rows: int, at_most: int) -> np.ndarray:
    """Indices of at most so many rows in a mixed order (no group always lies on top), the same every time."""
    return np.random.default_rng(rows).permutation(rows)[:at_most]
