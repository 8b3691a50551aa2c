"""What ``metrics.json`` says of a fit, in words: which model, why, and which candidate was chosen."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.plots.style import short_number
from tacit.report import sentences

ASKED = "asked"
"""In place of a reason, where the user named the model."""
_NAMES = {"k-means": "k-means", "prod-lda": "ProdLDA", "student-t-regression": "Student-t regression"}
_PROPER = {word.lower(): word for word in ("VAE", "Gaussian", "Poisson", "Bayesian", "Dirichlet")}


def criterion_name(criterion: str) -> str:
    """As it stands in texts: BIC, held-out."""
    return criterion.upper() if len(criterion) == 3 else sentences.PARALLEL if criterion == "parallel" else criterion


def criterion_of(row: Mapping[str, Any], column: str) -> float:
    """What a candidate has of a criterion; −inf where it has none."""
    value = row.get(column)
    return -np.inf if value is None or np.isnan(value) else float(value)


def chosen_place(candidates: Sequence[Mapping[str, Any]], column: str) -> int:
    """Which candidate was chosen: the largest criterion among those that do not rest on their floor.

    Where all do, it is the likeliest of one component.
    """
    values = [-np.inf if row["at_floor"] else criterion_of(row, column) for row in candidates]
    if np.isneginf(values).all():
        values = [_likelihood_of_one(row) for row in candidates]
    return int(np.argmax(values))


def _likelihood_of_one(row: Mapping[str, Any]) -> float:
    value = row.get("log_likelihood") if row.get("log_likelihood") is not None else row.get("log_likelihood_so_far")
    return -np.inf if value is None or row["n_components"] != 1 or np.isnan(value) else float(value)


def label(row: Mapping[str, Any], what: str = "group") -> str:
    """A candidate in words: ``3 groups (VVE)``."""
    groups = sentences.counted(int(row["n_components"]), what)
    return f"{groups} ({row['covariance']})" if row["covariance"] else groups


def name_of(told: Mapping[str, Any]) -> str:
    """A model's name as words: ``Gaussian mixture``."""
    name = str(told["model"])
    return sentences.capital(_NAMES.get(name) or " ".join(_PROPER.get(word, word) for word in name.split("-")))


def reason(told: Mapping[str, Any]) -> str:
    """Why it is this model, in words."""
    return "This model was asked for" if told["why"] == ASKED else f"It was taken because {told['why']}"


def topic_verdicts(told: Mapping[str, Any]) -> list[str]:
    """Sentences on a topic model, every score with its unit."""
    said, completion, coherence = [], told["completion"], told["coherence"]
    if math.isfinite(completion["nats_a_word"]):
        documents = sentences.counted(completion["documents"], "document")
        said.append(
            f"Half of the words of {documents} kept aside were predicted from the other half: perplexity "
            f"{short_number(completion['perplexity'], 4)} (the next word is as uncertain as one drawn from so many "
            f"equally likely ones; all {told['words']:,} would be to know nothing), or "
            f"{short_number(completion['nats_a_word'], 4)} ± {short_number(completion['standard_error'], 2)} nats a "
            "word."
        )
    lacking = (
        f"; {sentences.percent(coherence['lacking'])} of the words are in no document" if coherence["lacking"] else ""
    )
    said.append(
        f"Coherence of the topics' ten foremost words: NPMI {short_number(coherence['npmi'], 2)} (from −1, never in "
        f"one document, over 0, by chance, to 1, always), UMass {short_number(coherence['umass'], 3)} nats{lacking}."
    )
    said.append(
        f"Of such a word {sentences.percent(told['exclusivity'])} is the topic's own on average (exclusivity); "
        f"{sentences.percent(told['diversity'])} of the topics' 25 foremost words are different ones (diversity)."
    )
    return said
