"""Sentences on densities: how much better one is than another, in nats and in words."""

import math
from collections.abc import Sequence

from tacit.estimators.flow.capabilities import StackMember
from tacit.plots.style import short_number


def in_times(nats: float) -> str:
    """How much likelier a row is, for so many nats: "1.8 times as likely", "12 % likelier"."""
    if nats < math.log(1.5):
        return f"{short_number(100 * math.expm1(nats), 2)} % likelier"
    times = short_number(math.exp(nats), 2) if nats < 14 else f"e^{short_number(nats, 3)}"
    return f"{times} times as likely"


def against_mixture(score: float, reference: float, components: int, *, began: bool, held_out: bool = True) -> str:
    """How a flow does beside the mixture of the best held-out score.

    Args:
        score, reference: of the flow and of the mixture, in nats a row.
        components: of the mixture.
        began: whether nothing that was learned was better than the start.
        held_out: whether they are of rows that were held out.
    """
    groups = "1 component" if components == 1 else f"{components} components"
    mixture = f"a Gaussian mixture of {groups}"
    rows = "has not learned from" if held_out else "has learned from, for none was held out"
    scores = f"{short_number(score, 4)} against {short_number(reference, 4)} nats a row that it {rows}"
    gain = score - reference
    if began and abs(gain) < 1e-3:
        return f"No step was better than what the fit began with, {mixture}: the density is still that."
    if abs(gain) < 0.005:
        return f"It does as well as {mixture}: {scores}."
    size = f"{short_number(abs(gain), 3)} nats"
    if gain > 0:
        return f"It is {size} better than {mixture} ({scores}): a typical row is {in_times(gain)}."
    return f"It is {size} worse than {mixture} ({scores}): a mixture, or a stack of both, suits these rows better."


def of_members(members: Sequence[StackMember], gain: float, error: float) -> tuple[str, ...]:
    """Shares and scores of what is added, and whether the sum is better than its best part.

    Args:
        members: each, and last all together.
        gain, error: by how much the sum scores more than the best of them, and the standard error.
    """
    *parts, together = members
    shares = [f"{_percent(each.share)} {each.name}" for each in sorted(parts, key=lambda each: -each.share)]
    best = max(parts, key=lambda each: each.held_out)
    said = [f"The density is {' + '.join(shares)}."]
    sum_score = f"{short_number(together.held_out, 4)} ± {short_number(together.error, 2)}"
    own = f"{best.name} alone {short_number(best.held_out, 4)} ± {short_number(best.error, 2)}"
    text = f"Rows held out score {sum_score} nats together, {own}: "
    if best.share > 0.995:
        return said[0], f"{text}the others add nothing."
    if gain > 2.0 * error:
        return said[
            0
        ], f"{text}together they are clearly better, by {short_number(gain, 2)} ± {short_number(error, 2)}."
    if gain > error:
        what = f"by {short_number(gain, 2)} ± {short_number(error, 2)}, more than its error"
        return said[0], f"{text}together they are better, {what}."
    return said[0], f"{text}that is no clear difference; {best.name} alone would do."


def _percent(share: float) -> str:
    if 0 < share < 0.01:
        return "under 1 %"
    return f"{100 * share:.0f} %"
