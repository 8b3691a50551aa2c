"""Factors in plain words."""

from collections.abc import Sequence

import numpy as np

from tacit.models.factors.statistics import FactorFit
from tacit.plots.style import two_decimals
from tacit.report import sentences

SALIENT = 0.3
"""The loading from which on a column is named; a convention."""
NAMED = 6
"""Columns of a factor that are named at most."""


def factor_sentence(number: int, share: float, loadings: np.ndarray, names: Sequence[str]) -> str:
    """What a factor is made of.

    Args:
        number: of the factor, from 1.
        share: of the variance of all columns that it explains.
        loadings: standardised, ``[columns]``.
        names: of the columns.
    """
    order = np.argsort(-np.abs(loadings), kind="stable")
    strong = [place for place in order if abs(loadings[place]) >= SALIENT]
    head = f"Factor {number} ({sentences.percent(share)} of the variance)"
    if not strong:
        return f"{head}: no column loads on it by {SALIENT} or more."
    named = {place: f"{names[place]} ({two_decimals(float(loadings[place]))})" for place in strong[:NAMED]}
    up = [text for place, text in named.items() if loadings[place] > 0]
    down = [text for place, text in named.items() if loadings[place] < 0]
    parts = [f"high where {sentences.listed(up)} {_verb(up)} high"] if up else []
    parts += [f"{sentences.listed(down)} {_verb(down)} low"] if down else []
    if not up:
        parts = [f"high where {parts[0]}"]
    more = len(strong) - NAMED
    tail = f"; {sentences.counted(more, 'more column')} load on it" if more > 0 else ""
    return f"{head}: {' and '.join(parts)}{tail}."


def _verb(items: Sequence[str]) -> str:
    return "is" if len(items) == 1 else "are"


def fit_sentences(found: FactorFit) -> list[str]:
    """How well the factors reproduce the correlations; the cut-offs are conventions, and named as such."""
    if found.dof <= 0:
        return [
            f"With {found.dof} degrees of freedom the factors have as many numbers as the correlations themselves, or "
            "more: their fit cannot be judged."
        ]
    low, high = found.rmsea_interval
    close = "close" if found.rmsea <= 0.06 else "fair" if found.rmsea <= 0.08 else "poor"
    chance = "below 0.001" if found.p_value < 0.001 else f"= {found.p_value:.3f}"
    verdict = "leave correlations that chance hardly explains" if found.p_value < 0.05 else "leave no more than chance"
    return [
        f"χ² = {found.chi2:.1f} with {sentences.counted(found.dof, 'degree')} of freedom (p {chance}): "
        f"the factors {verdict}.",
        f"RMSEA = {found.rmsea:.3f} (90 % interval {low:.3f} to {high:.3f}), which convention calls {close} (0.06 or "
        f"less is close, above 0.08 poor); TLI = {found.tli:.3f} (0.95 or more is good); SRMR = {found.srmr:.3f} (0.08 "
        "or less is good).",
    ]
