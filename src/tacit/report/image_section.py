"""Images that the model makes: new ones, those it makes of real ones, and the real ones it expects least."""

import numpy as np

from tacit import plots
from tacit.plots.style import alike, short_number
from tacit.report import deep_sentences
from tacit.report.code_section import architecture, code_facts, code_section, curves, score_notes
from tacit.report.deep import Code, Images
from tacit.report.fit import FitFacts, closing, held_out_fact, told_held_out
from tacit.report.html import Child, tag
from tacit.report.page import Fact, Report
from tacit.report.parts import Section, framed, raster, section, those_there

_UNITS = "Pixels are shown from black to white over the range of the images; densities are in nats."

_ACROSS = 10
_SAMPLES_ACROSS = 12
_BETWEEN = 8
"""Pixels between two pairs of lines."""


def image_report(title: str, fit: FitFacts, images: Images, code: Code | None) -> Report:
    """The page of a model of images."""
    told = told_held_out(fit.held_out, "image")
    if told and fit.held_out is not None and fit.held_out.bits is not None:
        told.append(tag("p", deep_sentences.bits(fit.held_out, images)))
    told += score_notes(fit.held_out, code, "image") if told else []
    sections = those_there(
        section("images", "Images", "What the model makes", _pairs(images), _samples(images)),
        code_section(code, "image", images),
        _odd(images),
        section("fit", "Fit", "How well it fits", *told),
        *closing(
            fit,
            "Reading the images",
            model=[architecture(code, "image")],
            course=curves(code, fit.trace, "image"),
        ),
    )
    facts = [
        Fact("Images", short_number(images.count, 15)),
        Fact("Pixels", deep_sentences.size(images)),
        *code_facts(code),
        *held_out_fact(fit.held_out, "image"),
    ]
    return Report(title, facts, sections, deep_sentences.lead(images, code, fit.source), fit.warnings, units=_UNITS)


def _pairs(images: Images) -> Child:
    """Originals above reconstructions, ten in a line."""
    if images.originals is None or images.reconstructions is None or not len(images.originals):
        return None
    blocks = []
    for start in range(0, len(images.originals), _ACROSS):
        both = [each[start : start + _ACROSS] for each in (images.originals, images.reconstructions)]
        blocks.append(plots.tile(np.concatenate(both), len(both[0]), gap=1))
    says = f"{len(images.originals)} images, each above its reconstruction"
    how = (
        "Each picture in an upper line is a real one, drawn at random; the one below it is what the model makes of it: "
        "the mean image of the code that the model gives it. What the code does not hold is lost."
    )
    return [tag("h3", "Real images, and what comes back of them"), framed(how, raster(_stacked(blocks), says))]


def _stacked(blocks: list[np.ndarray]) -> np.ndarray:
    """Blocks one above the other on white, with room between them."""
    wide = max(block.shape[1] for block in blocks)
    high = sum(block.shape[0] for block in blocks) + _BETWEEN * (len(blocks) - 1)
    whole = np.full((high, wide, *blocks[0].shape[2:]), 255, np.uint8)
    top = 0
    for block in blocks:
        whole[top : top + block.shape[0], : block.shape[1]] = block
        top += block.shape[0] + _BETWEEN
    return whole


def _samples(images: Images) -> Child:
    """Mean images of codes drawn from the prior."""
    if images.samples is None or not len(images.samples):
        return None
    how = (
        "Each picture is what the model makes of a code drawn at random from the prior: the mean image of this code, "
        "so without the grain that a draw would have. If the model fits, they look like the real ones."
    )
    says = f"{len(images.samples)} images that the model makes up"
    drawn = raster(plots.tile(images.samples, _SAMPLES_ACROSS, gap=1), says)
    return [tag("h3", "Images made up"), framed(how, drawn)]


def _odd(images: Images) -> Section | None:
    """The least likely images with their log densities."""
    if images.odd is None or images.odd_density is None or not len(images.odd):
        return None
    about = (
        "The log density says how well the model expects an image, in nats: higher is more typical. Only differences "
        "count. Images of many strokes or strong contrasts are often less likely than others without being odd."
    )
    density = alike([float(value) for value in images.odd_density])
    names = images.odd_names or tuple("" for _ in density)
    cards = [
        tag(
            "li",
            raster(image, f"Image {name}, log density {value}", width=96),
            tag("span", name, class_="name") if name else None,
            tag("span", value),
        )
        for image, name, value in zip(images.odd, names, density, strict=True)
    ]
    how = "The least likely first; below each its name and its log density in nats, estimated from below."
    if images.scored < images.count:
        some = f"{short_number(images.scored, 15)} of the {short_number(images.count, 15)} images"
        how += f" {some}, drawn at random, were scored."
    return section("odd", "Odd images", "Odd images", tag("p", about), framed(how, tag("ul", cards, class_="cards")))
