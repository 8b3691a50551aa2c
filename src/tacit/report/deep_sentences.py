"""Sentences about deep models, for people who need not know what a variational bound is."""

import math

import numpy as np
from jaxtyping import Float

from tacit.estimators.stopping import in_plain_words, stop_reason
from tacit.inference.closed_form import STOPPED
from tacit.plots.style import short_number
from tacit.report.deep import Code, Images
from tacit.report.fit import BoundCurve, HeldOutFact
from tacit.report.sentences import Sentence, counted, told_apart

_FAR = 1.5
"""How much further out than the prior's codes may lie before it is told."""
_FULL = 0.95
"""Share of log N, the most that N rows can show, from which on the information counts as too much to be seen."""

DENSITY_NOTE = (
    "The score is of a density, which may be above 1, so the score may be above 0: compare it only with scores of the "
    "same values in the same units."
)


def an(what: str) -> str:
    """With its article."""
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def dimension(number: int) -> str:
    """What a dimension of the code is called: they are numbered from 1."""
    return f"z{number + 1}"


def size(images: Images) -> str:
    """Height × width; what lies beyond are channels."""
    return " × ".join(str(each) for each in images.size[:2])


def lead(images: Images, code: Code | None, source: str) -> Sentence:
    """What was looked at, and by how many numbers the model describes each image."""
    of = f" of {source}" if source else ""
    text = f"{counted(images.count, 'image')}{of}, {size(images)} pixels each"
    if code is None or code.means is None:
        return f"{text}."
    return f"{text}: the model describes every one of them by {counted(np.shape(code.means)[1], 'number')}, its code."


def scored(density: Float[np.ndarray, " rows"]) -> Sentence:
    """How rows were scored, to follow what a log density is."""
    text, some = " It is estimated from below, with codes drawn at random.", int((~np.isnan(density)).sum())
    if some == len(density):
        return text
    return (
        f"{text} {short_number(some, 15)} of the {short_number(len(density), 15)} rows, drawn at random, were scored."
    )


def use(code: Code, what: str) -> Sentence:
    """How much of the code is in use, and how much it tells."""
    if code.active is None:
        return ""
    dims, used = len(code.active), int(np.sum(code.active))
    own = f"The model describes each {what} by {counted(dims, 'number')}, its code"
    if used == dims:
        text = f"{own}."
    elif used == 0:
        text = f"{own}. None of them is in use: they are nearly the same for every {what}."
    else:
        idle = f"the other{' is' if dims - used == 1 else 's are'} nearly the same for every {what}"
        text = f"{own}. {used} of them {'is' if used == 1 else 'are'} in use; {idle}."
    if code.point:
        return f"{text} Codes are points (a plain auto-encoder): there is no density of {what}s, and no score."
    if code.information is None or used == 0 or code.means is None:
        return text
    nats, most = code.information, math.log(len(code.means))
    if nats > _FULL * most:
        looked = counted(len(code.means), what)
        return f"{text} The code tells each {what} from nearly all of the {looked} looked at ({_nats(nats)} or more)."
    if nats < math.log(2.0):
        return f"{text} It tells less of {an(what)} than a plain yes or no could ({_nats(nats)})."
    kinds = short_number(float(f"{math.exp(max(nats, 0.0)):.2g}"), 15)
    return f"{text} It tells as much of {an(what)} as a label with about {kinds} values could ({_nats(nats)})."


def far(code: Code, what: str) -> Sentence:
    """That the codes lie further out than a standard normal prior, of which the mean of z² is 1, or nothing.

    Only the means of the codes are looked at, so the true distance is a little larger.
    """
    if code.point or code.means is None or code.kl is None or len(code.kl) != np.shape(code.means)[1]:
        return ""
    times = math.sqrt(float(np.mean(np.square(code.means))))
    if times < _FAR:
        return ""
    return (
        f"The codes lie {short_number(times, 2)} times as far from the centre as those of the prior, from which new "
        f"{what}s are drawn: {what}s that are made up need not look like real ones."
    )


def _nats(value: float) -> str:
    return f"{short_number(value, 2)} nats"


def ends(code: Code, trace: BoundCurve | None, what: str) -> Sentence:
    """How the bound rose to that of the model that was kept, what its two terms are there, and how the fit ended."""
    history = {name: np.asarray(column, np.float64) for name, column in code.history.items()}
    held = history.get("held_out")
    bound = history["elbo"] if held is None else held
    seen = np.flatnonzero(np.isfinite(bound))
    last = int(seen[-1]) if seen.size else len(bound) - 1
    kept = last if held is None or not seen.size else int(np.nanargmax(held))
    name = "reconstruction" if code.point else "bound"
    where = f"on {what}s that the fit held out" if held is not None else f"on the {what}s learned from"
    first, best = told_apart(float(bound[0]), float(bound[kept]))
    epochs = counted(int(history["epoch"][kept]), "epoch")
    moved = f"went from {first} to {best}" if kept else f"was {best}"
    text = f"{'In' if kept else 'After'} {epochs} the {name} {where} {moved} nats per {what}"
    later = int(history["epoch"][-1] - history["epoch"][kept])
    text += f"; in the {counted(later, 'epoch')} after that it was no better, so this model was kept." if later else "."
    if held is not None:
        text += f" On the {what}s learned from it was {short_number(float(history['elbo'][kept]), 4)} then."
    if code.point:
        return f"{text}{_stopped(trace, held is not None)}"
    terms = [short_number(float(history[term][kept]), digits) for term, digits in (("reconstruction", 4), ("kl", 3))]
    text += (
        f" It is made of two terms: how well {what}s come back from their codes ({terms[0]} nats), less what the "
        f"codes cost (the KL, {terms[1]} nats)."
    )
    return f"{text}{_stopped(trace, held is not None)}"


def _stopped(trace: BoundCurve | None, held_out: bool) -> Sentence:
    """Why the fit ended, and how long it took."""
    if trace is None:
        return ""
    said = ""
    if trace.converged:
        said = " The fit ended by itself." if held_out else ""
    elif trace.stop_reason == stop_reason(STOPPED):
        said = " The fit made all the epochs that it was given: more may make it better yet."
    elif trace.stop_reason:
        said = f" The fit ended because {in_plain_words(trace.stop_reason)}."
    return said + ("" if trace.seconds is None else f" It took {short_number(trace.seconds, 2)} seconds.")


def bound_note(what: str) -> Sentence:
    """Why a score says "at least"."""
    return (
        f"Why “at least”: the density of {an(what)} is an integral over all codes it may have. It is estimated with "
        "codes drawn at random, and its logarithm comes out too low on average: a bound from below."
    )


def bits(held: HeldOutFact, images: Images) -> Sentence:
    """What an image costs to be written down."""
    if held.bits is None:
        return ""
    least = "at most " if held.bound else ""
    return (
        f"In other words, the model needs {least}{short_number(held.bits, 3)} bits for each of the "
        f"{short_number(math.prod(images.size), 15)} levels of an image, against 8 as it is stored (lower is better)."
    )


def moved(images: Images, code: Code | None) -> list[str]:
    """A name for every line of the traversals: the dimension, and what it is told."""
    nats = None if code is None or code.kl is None or code.means is None else np.asarray(code.kl)
    known = nats is not None and code is not None and code.means is not None and len(nats) == np.shape(code.means)[1]
    return [dimension(d) + (f", {_nats(float(nats[d]))}" if known and nats is not None else "") for d in images.moved]


def looked_at(some: int, rows: int, what: str) -> Sentence:
    """That only some of the rows were looked at, or nothing."""
    return f" Shown are {short_number(some, 15)} of {counted(rows, what)}, drawn at random." if some < rows else ""
