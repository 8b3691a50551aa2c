"""The harness itself: what it checks at every call, and the one thing it lets pass."""

import io
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import IO, Any, BinaryIO, Literal, Protocol, Self, runtime_checkable

import beartype.roar
import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError

import runtime_types
from tacit import datasets
from tacit.compute import Array


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


def remembered(target: Callable) -> Callable:
    return runtime_types.remembering(target, typechecker=runtime_types.checked)


def test_what_was_right_once_is_not_taken_for_right_again() -> None:
    calls, gives = [], [np.zeros(2)]

    @remembered
    def first(x: Float[Array, "rows dims"], y: Float[Array, " rows"], how: Literal["a", "b"] = "a") -> Float[Array, ""]:
        calls.append(how)
        return x[0, 0] + y[0]

    @remembered
    def given(number: int, parts: tuple[int, str] = (1, "")) -> Float[Array, "2"]:
        return gives[0]

    for _ in range(3):
        assert first(np.zeros((2, 3)), np.zeros(2)) == 0.0
        assert given(1) is gives[0]
    assert len(calls) == 3  # it is called once a call
    wrong = [
        lambda: first(np.zeros((2, 3)), np.zeros(3)),  # rows differ
        lambda: first(np.zeros((2, 3), int), np.zeros(2)),
        lambda: first(np.zeros(2), np.zeros(2)),
        lambda: first(np.zeros((2, 3)), np.zeros(2), "c"),
        lambda: first(np.zeros((2, 3)), np.zeros(2), how="c"),
        lambda: given("a"),
        lambda: given(1, (1, 2)),
        lambda: given(1, parts=(1, "", 2)),
    ]
    for each in wrong:
        for _ in range(2):
            with pytest.raises(TypeCheckError):
                each()
    for other in (np.zeros(3), np.zeros(2, int), "no array"):
        gives[0] = other
        for _ in range(2):
            with pytest.raises(TypeCheckError, match="return value"):
                given(1)
    gives[0] = np.ones(2)
    assert given(1) is gives[0]
    assert len(calls) == 3  # wrong arguments are refused before the function is run


def test_only_what_can_be_wrong_is_looked_at_wherever_it_stands() -> None:
    gives: list = ["a"]

    @remembered
    def mixed(first: Any, second: int, *rest: float, key: str = "", free: Any = None, **more: int) -> Any:
        return gives[0]

    @remembered
    def packed(first: int, *rest: Any, **more: Any) -> str:
        return gives[0]

    for anything in (object(), 1, [[]] * 40):
        assert mixed(anything, 1) == mixed(anything, 1, 2.0, key="", free=anything, five=5) == "a"
        assert mixed(anything, second=1) == packed(1, anything, anything, some=anything) == "a"
    wrong = [
        lambda: mixed(1, "a"),
        lambda: mixed(1, second="a"),
        lambda: mixed(1, 1, 2.0, "a"),
        lambda: mixed(1, 1, key=1),
        lambda: mixed(1, 1, 2.0, five="a"),
        lambda: packed("a", 1, 2, some=1),
        lambda: packed(first="a", some=1),
    ]
    for each in wrong:
        for _ in range(2):
            with pytest.raises(TypeCheckError):
                each()
    gives[0] = 1
    assert mixed(1, 1) == 1
    with pytest.raises(TypeCheckError, match="return value"):
        packed(1, 2)
    with pytest.raises(TypeError):
        mixed(1)
    with pytest.raises(TypeError):
        packed(1, first=2)

    def free(one: Any, *, two: object = None) -> Any:
        return one

    assert remembered(free) is free


def test_errors_of_the_function_itself_are_its_own() -> None:
    @remembered
    def divided(x: float) -> float:
        return 1.0 / x

    assert divided(2.0) == 0.5
    with pytest.raises(ZeroDivisionError):
        divided(0.0)
    assert divided(2.0) == 0.5


def test_what_may_matter_beyond_its_type_is_asked_every_time() -> None:
    @remembered
    def total(x: Mapping[str, int], many: list[int]) -> int:
        return sum(x.values()) + sum(many)

    many = [1] * 40
    assert total(MappingProxyType({"a": 1}), many) == 41
    with pytest.raises(TypeCheckError):
        total(MappingProxyType({1: 1}), many)
    with pytest.raises(TypeCheckError):
        total(MappingProxyType({"a": 1}), ["a"] * 40)
    loop: list = []
    loop.append(loop)
    with pytest.raises(TypeCheckError):
        total({}, loop)


def test_tacit_is_checked() -> None:
    with pytest.raises(Exception, match="Type-check error"):
        datasets.path(3)


@pytest.mark.wrong_types
def test_our_own_words_can_be_read() -> None:
    with pytest.raises(ValueError, match="no data set is called 3"):
        datasets.path(3)


def test_a_check_leaves_the_state_of_random_as_it_is() -> None:
    @runtime_types.checked
    def first(values: list[int]) -> int:
        return values[0]

    before = random.getstate()
    assert first([1, 2, 3]) == 1
    assert random.getstate() == before
