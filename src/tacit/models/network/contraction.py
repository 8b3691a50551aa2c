"""Sums of products of two tables: ``c[out] = Σ a[left] b[right]`` over what is not in ``out``.

Axes are named by the numbers of variables. `ROWS` names the axis of rows, always the last: tables of many rows are
worked on side by side, whatever their size. Large tables without rows go through one matrix product.
"""

import math
import string
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tacit.compute import HostArray

ROWS = -1
"""The axis of rows."""

LARGE = 2_000
"""Multiplications from which a matrix product is faster than the plain loop."""

Scope = tuple[int, ...]


def size_of(scope: Sequence[int], sizes: Sequence[int]) -> int:
    """Entries of a table, for one row."""
    return math.prod([sizes[v] for v in scope if v != ROWS])


def letters(variables: Iterable[int]) -> dict[int, str]:
    """A letter for every axis of an Einstein sum; tables of more axes than letters are planned, never made."""
    return {v: _LETTERS[at] if at < len(_LETTERS) else chr(256 + at) for at, v in enumerate(variables)}


_LETTERS = string.ascii_letters


class _MatrixPlan(NamedTuple):
    """How two tables become stacks of matrices, and the product a table again."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    left_shape: tuple[int, ...]
    right_shape: tuple[int, ...]
    shape: tuple[int, ...]
    back: tuple[int, ...]


class Contraction:
    """One such sum, planned for tables of some axes.

    What occurs in one table alone and not in the result is summed out of it by the Einstein sum; an axis of the
    result that neither has is not in ``scope``, the axes that the result in fact has.

    Args:
        left: the axes of the one table.
        right: of the other.
        out: of the result.
        sizes: levels of every variable.
        named: a letter for every axis (`letters`).
        terms: multiplications.
    """

    __slots__ = ("_matrices", "_text", "scope")

    def __init__(
        self, left: Scope, right: Scope, out: Scope, sizes: Sequence[int], named: dict[int, str], terms: int
    ) -> None:
        self.scope = tuple([v for v in out if v in left or v in right])
        matrices = terms >= LARGE and ROWS not in left and ROWS not in right
        self._matrices = _matrix_plan(left, right, self.scope, sizes) if matrices else None
        self._text = ""
        if self._matrices is None:
            texts = ["".join([named[v] for v in scope]) for scope in (left, right, self.scope)]
            self._text = f"{texts[0]},{texts[1]}->{texts[2]}"

    def __call__(self, left: HostArray, right: HostArray) -> HostArray:
        plan = self._matrices
        if plan is None:
            return np.einsum(self._text, left, right)
        a = left.transpose(plan.left).reshape(plan.left_shape)
        b = right.transpose(plan.right).reshape(plan.right_shape)
        return np.matmul(a, b).reshape(plan.shape).transpose(plan.back)


def _matrix_plan(left: Scope, right: Scope, out: Scope, sizes: Sequence[int]) -> _MatrixPlan | None:
    """The plan of a matrix product; None where an axis of one table alone is summed out, or none of both."""
    both = [v for v in out if v in left and v in right]
    rows = [v for v in out if v in left and v not in right]
    columns = [v for v in out if v in right and v not in left]
    summed = [v for v in left if v in right and v not in out]
    if (
        not summed
        or len(both) + len(rows) + len(summed) < len(left)
        or len(both) + len(columns) + len(summed) < len(right)
    ):
        return None

    def extent(axes: Sequence[int]) -> int:
        return math.prod(sizes[v] for v in axes)

    stack = tuple(sizes[v] for v in both)
    result = both + rows + columns
    return _MatrixPlan(
        tuple(left.index(v) for v in both + rows + summed),
        tuple(right.index(v) for v in both + summed + columns),
        (*stack, extent(rows), extent(summed)),
        (*stack, extent(summed), extent(columns)),
        tuple(sizes[v] for v in result),
        tuple(result.index(v) for v in out),
    )


def spread(table: HostArray, have: Scope, want: Scope, shape: tuple[int, ...]) -> HostArray:
    """A table over more axes than it depends on, as a view of those that it has, in the order of ``want``."""
    if have == want:
        return table
    order = [have.index(v) for v in want if v in have]
    lacking = tuple(place for place, v in enumerate(want) if v not in have)
    return np.broadcast_to(np.expand_dims(table.transpose(order), lacking), shape)
