"""Sets of values against membership, number by number."""

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.data.value_sets import Box, ValueSet, both, either, neither, pointwise

GRID = np.arange(-1.0, 5.5, 0.5)
ENDS = st.sampled_from([-math.inf, 0.0, 1.0, 2.0, 3.0, 4.0, math.inf])


@st.composite
def sets(draw: st.DrawFn) -> ValueSet:
    """Ranges with open and closed ends, single values, and what they make together."""
    found = ValueSet.of(draw(st.lists(st.sampled_from([0.0, 1.0, 2.5]), max_size=2)))
    for _ in range(draw(st.integers(0, 2))):
        low, high, a, b = draw(st.tuples(ENDS, ENDS, st.booleans(), st.booleans()))
        found = found.union(ValueSet.range(low, high, closed_low=a, closed_high=b))
    return found


@given(sets(), sets())
@settings(max_examples=200, deadline=None)
def test_sets_are_put_together_as_their_members_are(a: ValueSet, b: ValueSet) -> None:
    x, y = a.contains(GRID), b.contains(GRID)
    assert np.array_equal(a.union(b).contains(GRID), x | y)
    assert np.array_equal(a.intersect(b).contains(GRID), x & y)
    assert np.array_equal(a.complement().contains(GRID), ~x)
    assert a.complement().complement() == a
    points, wide = a.split()
    assert np.array_equal(ValueSet.of(points).union(wide).contains(GRID), x)
    assert a.cuts == tuple(sorted(a.cuts))


def test_ends_are_open_and_closed() -> None:
    half = ValueSet.range(0, 1, closed_high=False)
    assert half.contains(np.array([0.0, 0.5, 1.0, np.nan])).tolist() == [True, True, False, False]
    assert ValueSet.range(2, 1).empty
    assert ValueSet.range(1, 1).point == 1
    assert ValueSet.range(1, 1, closed_low=False).empty
    assert ValueSet.everything().complement().empty
    assert ValueSet.of([3]).point == 3
    assert ValueSet.of([3, 4]).point is None
    assert half.below(0.5).contains(np.array([0.5, 0.75])).tolist() == [True, False]


boxes = st.dictionaries(st.integers(0, 2), sets().filter(lambda each: not each.empty), max_size=2)


@given(st.lists(boxes, max_size=3), st.lists(boxes, max_size=2))
@settings(max_examples=60, deadline=None)
def test_boxes_do_not_overlap_and_hold_what_they_should(a: list[Box], b: list[Box]) -> None:
    rows = np.array(list(itertools.product(GRID[::2], repeat=3)))

    def times(parts: list[Box]) -> np.ndarray:
        inside = [
            np.all([v.contains(rows[:, j]) for j, v in box.items()] or [np.ones(len(rows), bool)], 0) for box in parts
        ]
        return np.sum(inside, axis=0) if inside else np.zeros(len(rows), int)

    whole = either(a, either(b, []))
    first = either(a[:1], [])
    for each in a[1:]:
        first = either(first, [each])
    second: list[Box] = []
    for each in b:
        second = either(second, [each])
    assert np.array_equal(times(first) > 0, times(a) > 0)
    assert times(first).max(initial=0) <= 1
    assert np.array_equal(times(neither(first)), 1 - times(first))
    assert np.array_equal(times(both(first, second)), times(first) * times(second))
    assert np.array_equal(times(pointwise(first, [0, 1, 2])) > 0, times(first) > 0)
    assert np.array_equal(times(whole) > 0, (times(a) > 0) | (times(b) > 0))
