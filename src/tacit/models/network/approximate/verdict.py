"""How far approximate posteriors are off, as far as that can be known; and in words.

That messages stand still, that a bound no longer rises, that the Bethe energy is right: none of it says how wrong a
posterior is (on the network ALARM without evidence all three hold, and one posterior is wrong by 0.24). What does say
it is a comparison with exact answers where they can be paid for, else with draws whose weights are not in the hands of
a few of them. Where there is neither, that is what is said.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tacit.models.network.approximate.weighted import Estimates, NetworkDraws

KnownBy = Literal["exact", "draws", "nothing"]

HEAVIEST = 0.1
"""The share of one draw in all weight from which nothing is concluded from them."""

FEWEST = 100.0
"""Effective draws below which nothing is concluded from them."""

MOST_MISSED = 0.5
"""Of the posterior, that draws which did not hear of the evidence may have missed."""

NOTABLE = 0.01
"""A difference of a posterior that is counted as wrong."""


@dataclasses.dataclass(frozen=True)
class PosteriorError:
    """The error of one node's posterior: the largest difference of a level's chance.

    Attributes:
        error: as estimated; NaN where nothing is known, and it can be anything up to 1.
        standard_error: of the estimate; 0 where the exact posterior is known.
        known_by: exact elimination of a part of the network, weighted draws, or nothing.
    """

    error: float
    standard_error: float
    known_by: KnownBy

    @property
    def most(self) -> float:
        """What it is unlikely to exceed: two standard errors above; 1 where nothing is known."""
        return 1.0 if self.known_by == "nothing" else min(1.0, self.error + 2.0 * self.standard_error)

    @property
    def surely_wrong(self) -> bool:
        """By more than `NOTABLE`, and than four standard errors: among a thousand nodes chance alone gives three."""
        return self.known_by != "nothing" and self.error > max(NOTABLE, 4.0 * self.standard_error)


UNKNOWN = PosteriorError(math.nan, math.nan, "nothing")


def reliable(drawn: NetworkDraws | None) -> bool:
    """Whether draws are enough to conclude from.

    Those that did not hear of the evidence can all miss what it points to, and look alike for that.
    """
    if drawn is None or drawn.effective < FEWEST or float(drawn.shares.max()) > HEAVIEST:
        return False
    return drawn.guided or drawn.missed <= MOST_MISSED


def missed_in_words(drawn: NetworkDraws) -> str:
    """What a region may hold that no draw met; nothing where that is little."""
    if not drawn.possible or drawn.missed <= NOTABLE:
        return ""
    return f"A region that none of them met can hold up to {100 * drawn.missed:.0f} % of a posterior."


def errors_against(
    marginals: Mapping[int, np.ndarray], exact: Mapping[int, np.ndarray], drawn: Mapping[int, Estimates]
) -> dict[int, PosteriorError]:
    """The error of every node, by the best that is known of it."""
    found = {}
    for v, own in marginals.items():
        if np.isnan(own).any():
            found[v] = UNKNOWN
        elif v in exact:
            found[v] = PosteriorError(float(np.abs(own - exact[v]).max()), 0.0, "exact")
        elif v in drawn:
            difference = np.abs(own - drawn[v].values)
            level = int(difference.argmax())
            found[v] = PosteriorError(float(difference[level]), float(drawn[v].errors[level]), "draws")
        else:
            found[v] = UNKNOWN
    return found


def errors_of_draws(
    drawn: Mapping[int, Estimates], exact: Mapping[int, np.ndarray], enough: bool
) -> dict[int, PosteriorError]:
    """The error of posteriors that are estimates: two of their standard errors where nothing better is known."""
    found = errors_against({v: estimates.values for v, estimates in drawn.items()}, exact, {})
    for v, estimates in drawn.items():
        if v not in exact and enough:
            found[v] = PosteriorError(2.0 * float(estimates.errors.max()), 0.0, "draws")
    return found


def worst(errors: Mapping[int, PosteriorError]) -> int | None:
    """The node whose error is the largest of those that are known."""
    known = [v for v, error in errors.items() if error.known_by != "nothing"]
    return max(known, key=lambda v: errors[v].error, default=None)


def compared_in_words(
    errors: Mapping[int, PosteriorError], names: Sequence[str], drawn: NetworkDraws | None, own: bool
) -> list[str]:
    """What is known of the errors.

    Args:
        errors: by node.
        names: of the nodes.
        drawn: weighted draws, if there are any.
        own: whether the posteriors are estimates from these draws.
    """
    said = []
    for known_by in ("exact", "draws"):
        some = {v: error for v, error in errors.items() if error.known_by == known_by}
        if not some:
            continue
        if known_by == "draws" and own:
            most = max(error.error for error in some.values())
            said.append(f"{_posteriors(len(some))} with twice a standard error of at most {most:.2g}.")
            continue
        against = "exact ones" if known_by == "exact" else draws_in_words(drawn)
        at = max(some, key=lambda v: some[v].error)
        largest = f"{some[at].error:.2g}"
        if some[at].standard_error:
            largest += f" ± {some[at].standard_error:.1g}"
        wrong = sum(error.surely_wrong for error in some.values())
        tail = f"; {wrong} off by more than {NOTABLE}" if wrong else ""
        said.append(f"{_posteriors(len(some))} compared with {against}: off by up to {largest} ({names[at]}){tail}.")
    unknown = sum(error.known_by == "nothing" for error in errors.values())
    if unknown:
        why = "" if drawn is None or reliable(drawn) else f" {draws_in_words(drawn)} are too few to tell."
        said.append(f"Nothing is known of the error of {_posteriors(unknown)}: they can be far off.{why}")
    if drawn is not None and (own or any(error.known_by == "draws" for error in errors.values())):
        said += [words] if (words := missed_in_words(drawn)) else []
    return said


def _posteriors(number: int) -> str:
    return "1 posterior" if number == 1 else f"{number} posteriors"


def draws_in_words(drawn: NetworkDraws | None) -> str:
    """How many they are, and what they are worth."""
    if drawn is None:
        return "draws"
    return f"{len(drawn.log_weights)} weighted draws (as good as {drawn.effective:.0f} without weights)"
