"""Sums over the blocks of a source where an engine has them worked out, and how sums of parts come together."""

import itertools
from collections.abc import Iterable

import numpy as np

from tacit import distributed, trees
from tacit.data.sources import BlockSource, StreamSource
from tacit.data.sums import spans_of
from tacit.engine import is_double, precision
from tacit.inference import closed_form as cf
from tacit.inference.loop import on_host


def in_spans(parts: Iterable[cf.Sums], source: BlockSource) -> list[cf.Sums]:
    """The sums of spans of blocks: so they are the same digits however the spans come together in partitions."""
    if not isinstance(source, StreamSource):
        return list(parts)
    return [cf.total_sums(span) for span in spans_of(parts, source.span)]


def spread_sums(source: BlockSource, arguments: tuple) -> list[cf.Sums] | None:
    """The sums of spans of blocks as an engine has them worked out elsewhere; None where they are worked out here.

    Args:
        source: the blocks.
        arguments: the others of `closed_form.accumulate`.
    """
    engine = distributed.current()
    if engine is None or not isinstance(source, StreamSource) or not source.portable:
        return None
    found = engine.map(_sums_there, source.partitions(engine.partitions), (is_double(), on_host(arguments)))
    return list(itertools.chain.from_iterable(found))


def _sums_there(source: StreamSource, double: bool, arguments: tuple) -> list[cf.Sums]:
    """The sums of the spans of a partition, on a worker."""
    steps, view, key, iteration = arguments
    with precision(double=double):
        sums = (cf.accumulate(steps, block, view, key, iteration) for block in source.blocks())
        return in_spans((trees.map(np.asarray, each) for each in sums), source)
