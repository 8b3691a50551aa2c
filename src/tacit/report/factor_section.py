"""The factors: in words, as a table of loadings in colour, as scores of the rows, and how well they explain."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tacit import plots
from tacit.plots.style import short_number, thin, two_decimals
from tacit.report import sentences
from tacit.report.html import Child, Html, table, tag
from tacit.report.parts import Section, folded, framed, picture, section

SHOWN = 40
"""Columns of the table; the others are folded away."""
DRAWN = 60
"""Columns of a path diagram at most."""
DOTS = 2000
"""Rows that are drawn at most."""
FAINT = 0.3
"""Loadings below it are set in grey, as is the custom."""


@dataclass(frozen=True, eq=False)
class Factors:
    """What a report tells of factors.

    Attributes:
        names: of the columns.
        loadings: standardised, ``[columns, factors]``.
        explained: shares of the variance.
        sentences: a sentence a factor.
        fit: sentences on how well they explain.
        correlations: of the factors, or None.
        uniquenesses: what they do not explain of every column, or None.
        scores, deviations: of the rows, ``[rows, factors]``; None where there are none to be shown.
        number: what is said of how many there are, or None.
    """

    names: tuple[str, ...]
    loadings: Float[np.ndarray, "columns factors"]
    explained: Float[np.ndarray, " factors"]
    sentences: tuple[str, ...]
    fit: tuple[str, ...]
    correlations: Float[np.ndarray, "factors factors"] | None
    uniquenesses: Float[np.ndarray, " columns"] | None
    scores: Float[np.ndarray, "rows factors"] | None = None
    deviations: Float[np.ndarray, "rows factors"] | None = None
    number: "FactorCount | None" = None


@dataclass(frozen=True, eq=False)
class FactorCount:
    """What is said of how many factors there are.

    Attributes:
        sentences: what each method suggests.
        components, factors: eigenvalues of the correlations, and of what the columns share.
        components_of_noise, factors_of_noise: those that they must exceed.
        suggested: how many do.
    """

    sentences: tuple[str, ...]
    components: Float[np.ndarray, " columns"]
    factors: Float[np.ndarray, " columns"]
    components_of_noise: Float[np.ndarray, " columns"]
    factors_of_noise: Float[np.ndarray, " columns"]
    suggested: tuple[int, int]


def factor_section(factors: Factors | None) -> Section | None:
    """Words first, then the pictures, then the figures."""
    if factors is None or not factors.loadings.shape[1]:
        return None
    return section(
        "factors",
        "Factors",
        "The factors" if factors.loadings.shape[1] > 1 else "The factor",
        tag("ul", [tag("li", text) for text in factors.sentences]),
        _loadings(factors),
        _correlations(factors),
        _paths(factors),
        _scores(factors),
        _number(factors.number),
        tag("h3", "How well they explain") if factors.fit else None,
        [tag("p", text) for text in factors.fit],
    )


def _loadings(factors: Factors) -> list[Child]:
    """Columns sorted by the factor that they load on most, the strongest first."""
    sizes = np.abs(factors.loadings)
    order = np.lexsort((-sizes.max(1), sizes.argmax(1)))
    number = factors.loadings.shape[1]
    head: list[Child] = ["Column", *(f"Factor {place + 1}" for place in range(number))]
    if factors.uniquenesses is not None:
        head.append("Its own")

    def lines(places: np.ndarray) -> Html:
        body: list[list[Child]] = []
        for place in places:
            line: list[Child] = [factors.names[place], *(_cell(float(each)) for each in factors.loadings[place])]
            if factors.uniquenesses is not None:
                line.append(sentences.percent(float(factors.uniquenesses[place])))
            body.append(line)
        return table(
            "Loadings: by how many of its standard deviations a column rises with a factor's one",
            head,
            body,
            numbers=tuple(range(1, len(head))),
        )

    shown: list[Child] = [lines(order[:SHOWN])]
    if len(order) > SHOWN:
        shown.append(folded(f"{len(order) - SHOWN} more columns", lines(order[SHOWN:])))
    return shown


def _cell(value: float) -> Html:
    """A loading on the colour of its size and sign."""
    strength = min(abs(value), 1.0)
    colour = f"rgba(31,119,180,{0.55 * strength:.2f})" if value > 0 else f"rgba(214,39,40,{0.55 * strength:.2f})"
    style = f"background:{colour};" + ("color:#888" if strength < FAINT else "")
    return tag("td", two_decimals(value), style=style, class_="number")


def _correlations(factors: Factors) -> Html | None:
    found = factors.correlations
    if found is None or np.allclose(found, np.eye(len(found))):
        return None
    head: list[Child] = ["", *(f"Factor {place + 1}" for place in range(len(found)))]
    body: list[list[Child]] = [
        [f"Factor {place + 1}", *(two_decimals(float(each)) for each in line)] for place, line in enumerate(found)
    ]
    return table("How the factors are correlated", head, body, numbers=tuple(range(1, len(head))))


def _paths(factors: Factors) -> Html | None:
    """Which columns hang on which factor."""
    if len(factors.names) > DRAWN:
        return None
    sizes = np.abs(factors.loadings)
    order = np.lexsort((-sizes.max(1), sizes.argmax(1)))
    figure = plots.path_diagram(factors.loadings[order], [factors.names[each] for each in order], factors.correlations)
    how = "A line is a loading of 0.3 or more, thicker where it is larger: blue above 0, red below."
    return folded("Path diagram", framed(how, picture(figure, "paths", "Factors, and the columns that load on them")))


def _number(number: FactorCount | None) -> list[Child]:
    """How many factors there are, by methods that do not fit any."""
    if number is None:
        return []
    figure = plots.scree(
        number.components,
        number.factors,
        components_of_noise=number.components_of_noise,
        factors_of_noise=number.factors_of_noise,
        suggested=number.suggested,
        noise="tables of noise",
    )
    how = "What lies above the line of noise is more than chance would give (parallel analysis)."
    shown = framed(how, picture(figure, "scree", "Eigenvalues beside those of tables of noise"))
    return [tag("h3", "How many factors"), *(tag("p", text) for text in number.sentences), shown]


def _scores(factors: Factors) -> Html | None:
    if factors.scores is None or factors.deviations is None:
        return None
    kept = thin(len(factors.scores), DOTS)
    scores, deviations = factors.scores[kept], factors.deviations[kept]
    figure = plots.factor_scores(scores, deviations, factors.loadings, factors.names)
    how = "Each dot is a row"
    if factors.scores.shape[1] > 1:
        how += "; an arrow shows where rows lie that are high in a column"
    if (deviations > 0).any():
        how += "; whiskers are two standard deviations of a few scores"
    if len(factors.scores) > DOTS:
        how += f"; {short_number(DOTS, 12)} rows drawn at random are shown"
    return framed(f"{how}.", picture(figure, "scores", "Scores of the rows on the factors"))
