"""The harness itself: what it checks at every call, and the one thing it lets pass."""

from typing import Protocol, Self, runtime_checkable

import beartype.roar
import pytest

import runtime_types
from tacit import datasets


class Static(Protocol):
    name: str


@runtime_checkable
class Dynamic(Protocol):
    name: str


def test_wrong_types_are_refused() -> None:
    @runtime_types.checked
    def double(x: int, by: Dynamic | None = None) -> int:
        return 2 * x

    assert double(1) == 2
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        double("a")
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        double(1, "a")


def test_self_and_static_protocols_pass() -> None:
    class Chain:
        @runtime_types.checked
        def take(self, other: Static | None, more: list[Static]) -> Self:
            return self

    chain = Chain()
    assert chain.take("anything", ["at all"]) is chain


def test_tacit_is_checked() -> None:
    with pytest.raises(Exception, match="Type-check error"):
        datasets.path(3)
