"""The harness itself: what it checks at every call, and the one thing it lets pass."""

import io
from typing import IO, BinaryIO, Protocol, Self, runtime_checkable

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
    def double(x: float, by: Dynamic | None = None) -> float:
        return 2 * x

    assert double(1) == 2
    assert double(0.5) == 1
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        double("a")
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        double(1, "a")


def test_self_and_static_protocols_pass() -> None:
    class Chain:
        @runtime_types.checked
        def take(self, other: Static | None, more: list[Static]) -> Self:
            return self

    @runtime_types.checked
    def read(binary: BinaryIO, any_kind: IO[bytes] | None) -> bytes:
        return binary.read()

    assert read(io.BytesIO(b"a"), io.BytesIO()) == b"a"
    chain = Chain()
    assert chain.take("anything", ["at all"]) is chain


def test_tacit_is_checked() -> None:
    with pytest.raises(Exception, match="Type-check error"):
        datasets.path(3)


@pytest.mark.wrong_types
def test_our_own_words_can_be_read() -> None:
    with pytest.raises(ValueError, match="no data set is called 3"):
        datasets.path(3)
