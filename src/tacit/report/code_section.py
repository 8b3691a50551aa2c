"""The code of a deep model: where rows lie in it, how much of it is in use, what moving it does; and its networks."""

import numpy as np

from tacit import plots
from tacit.plots.latent import LABELS
from tacit.plots.style import short_number, thin
from tacit.report import deep_sentences
from tacit.report.deep import Code, Images
from tacit.report.fit import BoundCurve, HeldOutFact
from tacit.report.html import Child, Html, table, tag
from tacit.report.page import Fact
from tacit.report.parts import Section, framed, picture, raster, section

_BARS = 32
_POINTS = 2000


def code_section(code: Code | None, what: str, images: Images | None = None) -> Section | None:
    """Words first, then the map beside the bars, then the pictures that codes give.

    Args:
        code: What the model says of each row.
        what: What a row is called.
        images: Where the rows are images.
    """
    if code is None:
        return None
    parts: list[Child] = []
    if code.active is not None:
        said = (deep_sentences.use(code, what), code.verdict, deep_sentences.far(code, what))
        parts.append(tag("p", " ".join(each for each in said if each)))
    drawn = [_map(code, what), _use(code, what)]
    if any(drawn):
        parts.append(tag("div", [each for each in drawn if each], class_="pair"))
    if images is not None:
        parts += [_manifold(images), _traversals(images, code)]
    return section("code", "Code", "The code", *parts)


def code_facts(code: Code | None) -> list[Fact]:
    """How many numbers a code has."""
    if code is None or code.active is None:
        return []
    return [Fact("Numbers in a code", str(len(code.active)), f"{int(np.sum(code.active))} in use")]


def score_notes(held: HeldOutFact | None, code: Code | None, what: str) -> list[Child]:
    """Why a score says "at least", and what it may be compared with."""
    said = [deep_sentences.bound_note(what)] if held is not None and held.bound else []
    said += [deep_sentences.DENSITY_NOTE] if code is not None and code.measure == "density" else []
    return [tag("p", each, class_="note") for each in said]


def _map(code: Code, what: str) -> Html | None:
    """Rows by the two numbers of their code that carry most."""
    if code.means is None or not len(code.means):
        return None
    means = np.asarray(code.means, dtype=np.float64)
    dims, known = means.shape[1], code.kl is not None and len(code.kl) == means.shape[1]
    some = thin(len(means), _POINTS)
    drawn = deep_sentences.looked_at(min(len(some), len(means)), max(code.rows, len(means)), what)
    if dims == 1:
        figure = plots.density_plot(means[:, 0], deep_sentences.dimension(0), logarithm=False, size=(3.6, 1.6))
        return framed(
            f"The {what}s by their code.{drawn}", picture(figure, "latent", f"Histogram of the {what}s' codes")
        )
    use = np.asarray(code.kl) if known else means.var(axis=0)
    pair = sorted(np.argsort(-use, kind="stable")[:2].tolist())
    names = [deep_sentences.dimension(j) for j in pair]
    labels = None if code.labels is None else np.asarray(code.labels)[some]
    told = labels is not None and 1 < len(np.unique(labels)) <= LABELS
    figure = plots.latent_map(means[some][:, pair], names, labels, rings=known and not code.point)
    how = f"Each dot is one {what}, placed by the mean of its code"
    how += "." if dims == 2 else f": the two of its {dims} numbers that carry most."
    how += " Colours and names: its label, which the fit has not seen." if told else ""
    if known and not code.point:
        how += f" The rings hold a half and nine tenths of the codes from which new {what}s are drawn."
    says = f"Map of the {what}s by {names[0]} and {names[1]} of their codes" + (", by label" if told else "")
    return framed(f"{how}{drawn}", picture(figure, "latent", says))


def _use(code: Code, what: str) -> Html | None:
    """What each dimension is told, the most told first."""
    if code.kl is None or code.active is None or code.point:
        return None
    nats = np.asarray(code.kl, dtype=np.float64)
    if len(nats) != len(code.active):
        text = f"All numbers of the code together are told {short_number(float(nats.sum()), 3)} nats"
        more = f"of {deep_sentences.an(what)}; under this prior that cannot be said of each by itself."
        return tag("p", f"{text} {more}", class_="note")
    order = np.argsort(-nats, kind="stable")
    shown = order[:_BARS]
    figure = plots.latent_use(
        nats[shown], np.asarray(code.active)[shown], [deep_sentences.dimension(j) for j in shown.tolist()]
    )
    how = f"What each number of the code is told of {deep_sentences.an(what)}: its KL from the prior."
    how += " Blue ones are in use, grey ones idle."
    rest = order[_BARS:]
    if len(rest):
        how += f" The {len(rest)} least told have {short_number(float(nats[rest].sum()), 2)} nats together."
    how += f" In all: {short_number(float(nats.sum()), 3)} nats. In Python, z1 is column 0."
    return framed(how, picture(figure, "use", "Bars: nats that each number of the code is told"))


def _manifold(images: Images) -> Child:
    """Images of the codes on a grid."""
    if images.manifold is None:
        return None
    down, across = images.manifold.shape[:2]
    flat = images.manifold.reshape(down * across, *images.manifold.shape[2:])
    how = (
        f"What the model makes of {down} × {across} codes, at equal steps of the prior's probability. As in the map, "
        "z1 grows to the right and z2 upwards (Kingma & Welling 2014)."
    )
    drawn = raster(plots.tile(flat, across, gap=0), f"{down * across} images made of codes on a grid")
    return [tag("h3", "All that it can make"), framed(how, drawn)]


def _traversals(images: Images, code: Code) -> Child:
    """A line of images for each dimension that is moved."""
    if images.traversals is None or not len(images.traversals):
        return None
    lines = []
    for name, line, number in zip(deep_sentences.moved(images, code), images.traversals, images.moved, strict=True):
        says = f"The image as {deep_sentences.dimension(number)} is moved"
        lines.append(tag("li", tag("span", name), raster(plots.tile(line, len(line), gap=1), says, width=560)))
    low, high = (short_number(each) for each in images.reach)
    steps = f"from {low} on the left to {high} on the right"
    many = len(lines) > 1
    how = (
        f"The most ordinary image as one number of its code is moved {steps}, the others staying"
        + (", the number that is told most first." if many else ".")
        + " What changes along a line is what this number stands for."
    )
    return [tag("h3", "What the numbers stand for"), framed(how, tag("ul", lines, class_="lines"))]


def architecture(code: Code | None, what: str) -> Html | None:
    """The parts of the model in words, and its networks layer by layer."""
    if code is None or not (code.parts or code.layers):
        return None
    listed = [[tag("dt", name), tag("dd", value)] for name, value in code.parts]
    parts: list[Child] = [tag("h3", "Its parts"), tag("dl", listed, class_="settings") if listed else None]
    if code.layers:
        body: list[list[Child]] = [
            [network, what, tag("td", size or "–", class_="tight"), short_number(count, 15)]
            for network, what, size, count in code.layers
        ]
        guess = f"the encoder guesses the code of {deep_sentences.an(what)}, the decoder makes one of it"
        caption = f"The networks, layer by layer: {guess}."
        head: list[Child] = ["Network", "Layer", "Size", "Parameters"]
        parts.append(table(caption, head, body, numbers=(3,)))
    return tag("div", parts)


def curves(code: Code | None, trace: BoundCurve | None, what: str) -> list[Child]:
    """How the two terms of the bound went."""
    if code is None or not code.history:
        return []
    history = code.history
    said = deep_sentences.ends(code, trace, what)
    figure = plots.two_terms(
        history["epoch"], history["reconstruction"], history["kl"], history["elbo"], history.get("held_out")
    )
    why = (
        "Above, higher is better; the bound lies below the reconstruction by the KL, which is drawn below. Codes are "
        "drawn at random, so the lines tremble. At first codes cost less than their KL (the fit warms up), so it may "
        "rise and fall again."
    )
    why = "Higher is better." if code.point else why
    why += " The open dot marks the model that was kept." if "held_out" in history else ""
    return [tag("p", said), framed(why, picture(figure, "terms", said))]
