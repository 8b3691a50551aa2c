"""The harness itself: what it checks at every call, and what it lets pass."""

import io
import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import IO, Any, BinaryIO, Literal, Protocol, Self, TypeVar

import beartype.roar
import jax
import numpy as np
import pyarrow as pa
import pytest
from jaxtyping import Float, TypeCheckError

import runtime_types
from tacit import arrays
from tacit.engine import Array, JaxArray, PRNGKeyArray

Number = int | float | np.ndarray
"""What names an array is looked at."""


class Static(Protocol):
    name: str


def test_wrong_arrays_are_refused() -> None:
    @runtime_types.checked
    def double(x: np.ndarray, by: Float[Array, "2"] | None = None) -> np.ndarray:
        return 2 * x

    assert double(np.ones(1)) == 2
    assert double(np.ones(1), np.ones(2)) == 2
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        double([1.0])
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        double(np.ones(1), np.ones(3))


def test_self_and_static_protocols_pass() -> None:
    class Chain:
        @runtime_types.checked
        def take(self, other: tuple[Static | None, np.ndarray], more: np.ndarray) -> Self:
            return self

    @runtime_types.checked
    def read(binary: BinaryIO | np.ndarray, any_kind: IO[bytes] | None) -> np.ndarray:
        return np.frombuffer(binary.read(), np.uint8)

    assert read(io.BytesIO(b"a"), io.BytesIO()) == [ord("a")]
    chain = Chain()
    assert chain.take("anything", np.ones(1)) is chain
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        chain.take("anything", "at all")


def test_what_names_no_array_is_left_to_static_typing() -> None:
    def plain(x: float, how: Literal["a"], *many: Sequence[str], ask: Callable[[np.ndarray], pa.Array]) -> str:
        return how

    assert remembered(plain) is plain

    @remembered
    def mixed(x: float, y: np.ndarray) -> str:
        return x

    assert mixed("a", np.ones(1)) == "a"
    assert mixed(3, np.ones(1)) == 3
    with pytest.raises(TypeCheckError):
        mixed(1.0, "a")


Rows = TypeVar("Rows", bound=np.ndarray)
One = TypeVar("One", int, np.ndarray)


@pytest.mark.parametrize(
    "hint",
    [
        np.ndarray,
        np.float64,
        jax.Array,
        JaxArray,
        Array,
        Float[Array, "rows"],
        PRNGKeyArray,
        np.ndarray | None,
        dict[str, tuple[int, list[Float[np.ndarray, " rows"]]]],
        type[np.ndarray],
        Rows,
        One,
        "Table",
    ],
)
def test_every_kind_of_array_is_looked_at(hint: Any) -> None:
    def function(x: hint) -> int:
        return 1

    assert remembered(function) is not function


def remembered(target: Callable) -> Callable:
    return runtime_types.remembering(target, typechecker=runtime_types.checked)


def test_what_was_right_once_is_not_taken_for_right_again() -> None:
    calls, gives = [], [np.zeros(2)]

    @remembered
    def first(
        x: Float[Array, "rows dims"], y: Float[Array, " rows"], how: Literal["a", "b"] | np.ndarray = "a"
    ) -> Float[Array, ""]:
        calls.append(how)
        return x[0, 0] + y[0]

    @remembered
    def given(number: Number, parts: tuple[Number, str] = (1, "")) -> Float[Array, "2"]:
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
    def mixed(
        first: Any, second: Number, *rest: Number, key: str | np.ndarray = "", free: Any = None, **more: Number
    ) -> Any:
        return gives[0]

    @remembered
    def packed(first: Number, *rest: Any, **more: Any) -> str | np.ndarray:
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
    def divided(x: Number) -> Number:
        return 1.0 / x

    assert divided(2.0) == 0.5
    with pytest.raises(ZeroDivisionError):
        divided(0.0)
    assert divided(2.0) == 0.5


def test_what_may_matter_beyond_its_type_is_asked_every_time() -> None:
    @remembered
    def total(x: Mapping[str, Number], many: list[Number]) -> Number:
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
    with pytest.raises(TypeCheckError):
        arrays.filled(3.0)


@pytest.mark.wrong_types
def test_wrong_types_pass_where_a_test_says_so() -> None:
    with pytest.raises(AttributeError, match="'float' object has no attribute 'dtype'"):
        arrays.filled(3.0)


def test_a_check_leaves_the_state_of_random_as_it_is() -> None:
    @runtime_types.checked
    def first(values: list[Number]) -> Number:
        return values[0]

    before = random.getstate()
    assert first([1, 2, 3]) == 1
    assert random.getstate() == before
