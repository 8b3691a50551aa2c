"""Sentences on whether a density is right: where values of rows lie in it."""

from collections.abc import Sequence

import numpy as np
import scipy.stats
from jaxtyping import Float

from tacit.plots.style import short_number
from tacit.report import sentences

FEWEST = 20
"""Values below which nothing is said of a column."""
DOUBT = 0.01
"""How rarely a right model would look wrong in any column."""
NAMED = 4
"""Columns that are named at most."""
TELLING = 0.05
"""A share that is off by so much is worth a word."""


def calibration_sentences(
    names: Sequence[str], ranks: Float[np.ndarray, "rows columns"], *, held_out: bool
) -> list[str]:
    """Whether values lie evenly in the model, and how they do not.

    Args:
        names: of the columns.
        ranks: where values lie, between 0 and 1; NaN where nothing is known.
        held_out: whether the rows are new to the model.
    """
    seen = np.isfinite(ranks).sum(0)
    judged = [place for place in range(len(names)) if seen[place] >= FEWEST]
    rows = sentences.counted(int(np.isfinite(ranks).any(1).sum()), "row")
    which = f"{rows} kept aside" if held_out else f"{rows} that it was fitted to"
    if not judged:
        return [f"{sentences.capital(which)}: too few to say whether their values lie evenly in the model."]
    wrong = [place for place in judged if _chance(ranks[:, place]) < DOUBT / len(judged)]
    if not wrong:
        every = (
            "every column"
            if len(judged) == len(names)
            else f"{sentences.counted(len(judged), 'column')} of {len(names)}"
        )
        return [f"The values of {which} lie as evenly in the model as those of a right one would, in {every}."]
    said = [f"The values of {which} do not lie evenly in the model in {_listed([names[place] for place in wrong])}."]
    said += [_how(names[place], ranks[:, place]) for place in wrong[:NAMED]]
    return [each for each in said if each]


def _chance(ranks: np.ndarray) -> float:
    """How likely a right model looks so uneven (Kolmogorov and Smirnov)."""
    return float(scipy.stats.kstest(ranks[np.isfinite(ranks)], "uniform").pvalue)


def _listed(names: Sequence[str]) -> str:
    shown = [sentences.readable(name)[0] for name in names[:NAMED]]
    more = len(names) - len(shown)
    return sentences.listed([*shown, *([f"{more} more columns"] if more else [])])


def _how(name: str, ranks: np.ndarray) -> str:
    """In which direction values are off: their level, or their spread."""
    own, column = ranks[np.isfinite(ranks)], sentences.readable(name)[0]
    middle, inside = float(own.mean()), float(((own > 0.25) & (own < 0.75)).mean())
    if abs(middle - 0.5) > TELLING:
        way = "larger" if middle > 0.5 else "smaller"
        share = float((own > 0.5).mean()) if middle > 0.5 else float((own < 0.5).mean())
        return f"{column} is {way} than the model has it: {sentences.percent(share)} lie beyond its middle."
    if abs(inside - 0.5) > TELLING:
        way = "closer together" if inside > 0.5 else "farther apart"
        return f"{column} lies {way} than the model has it: {sentences.percent(inside)} within its middle half."
    most = float(scipy.stats.kstest(own, "uniform").statistic)
    return f"{column} is off by {short_number(most, 2)} at most, in share of rows."
