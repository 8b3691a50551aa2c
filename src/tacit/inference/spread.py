"""Sums over the blocks of a source where an engine has them worked out, and how sums of parts come together."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tacit import distributed, trees
from tacit.compute import eagerly, is_eager, side_by_side
from tacit.data.blocks import Block, trimmed
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
    shared = is_double(), is_eager(), on_host(arguments)
    found = engine.map(_sums_there, source.partitions(engine.partitions), shared)
    return list(itertools.chain.from_iterable(found))


def of_blocks(source: BlockSource, function: Callable[..., Any], *shared: Any) -> Iterator[Any]:
    """What a function gives of every block and ``shared``, in order, as NumPy arrays; elsewhere, if an engine can."""
    engine = distributed.current()
    if engine is None or not isinstance(source, StreamSource) or not source.portable:
        yield from (on_host(function(block, *shared)) for block in source.blocks())
        return
    there = function, is_double(), on_host(shared)
    yield from itertools.chain.from_iterable(engine.map(_blocks_there, source.partitions(engine.partitions), there))


def _blocks_there(source: StreamSource, function: Callable[..., Any], double: bool, shared: tuple) -> list[Any]:
    with precision(double=double):
        return [on_host(function(block, *shared)) for block in source.blocks()]


def eager_sums(source: BlockSource, arguments: tuple) -> list[cf.Sums]:
    """The sums of spans of blocks that are read as needed, by NumPy: elsewhere, or here several side by side."""
    if (there := spread_sums(source, arguments)) is not None:
        return there
    blocks = (trimmed(block, source.tile) for block in source.blocks())
    return in_spans(side_by_side(functools.partial(eager_block, arguments), blocks), source)


def eager_block(arguments: tuple, block: Block) -> cf.Sums:
    """The sums over a block, worked out by NumPy; ``arguments`` are the others of `closed_form.accumulate`."""
    steps, view, key, iteration = arguments
    with eagerly():  # a thread has scopes of its own
        return cf.accumulate(steps, block, view, key, iteration)


def _sums_there(source: StreamSource, double: bool, eager: bool, arguments: tuple) -> list[cf.Sums]:
    """The sums of the spans of a partition, on a worker."""
    steps, view, key, iteration = arguments
    if eager:
        blocks = (trimmed(block, source.tile) for block in source.blocks())
        return in_spans((eager_block(arguments, block) for block in blocks), source)
    with precision(double=double):
        sums = (cf.accumulate(steps, block, view, key, iteration) for block in source.blocks())
        return in_spans((trees.map(np.asarray, each) for each in sums), source)
