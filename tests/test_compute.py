"""Work on several threads: in order, in the caller's precision, and an error ends it; a cache that threads share."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
import threadpoolctl

from tacit.compute import ahead, compilation_cache, cores, double_precision, eagerly, side_by_side, single_precision


def test_results_come_in_the_order_of_the_items() -> None:
    first, second = threading.Event(), threading.Event()

    def work(item: int) -> int:
        if item == 0:
            second.wait(2.0)
        second.set()
        first.set()
        return 10 * item

    assert side_by_side(work, range(7)) == [0, 10, 20, 30, 40, 50, 60]
    assert side_by_side(work, []) == []


def test_threads_have_the_callers_precision() -> None:
    kinds = [
        scope(lambda: side_by_side(lambda _: jnp.zeros(1).dtype.name, range(3)))()
        for scope in (double_precision, single_precision)
    ]
    assert kinds == [["float64"] * 3, ["float32"] * 3]


def test_an_error_ends_the_work_with_no_more_items_taken() -> None:
    taken = []

    def work(item: int) -> None:
        taken.append(item)
        if item == 2:
            raise ValueError("item 2")

    with pytest.raises(ValueError, match="item 2"):
        side_by_side(work, iter(range(100_000)))
    assert len(taken) < 100_000


def test_scopes_of_the_cache_that_overlap_in_threads_leave_the_setting_as_it_was(tmp_path: Path) -> None:
    """One thread leaves its scope while another is still inside: a plain save and restore would lose the folder."""
    before, seen = jax.config.jax_compilation_cache_dir, {}
    inside, left = threading.Event(), threading.Event()

    def outlasts() -> None:
        with compilation_cache(tmp_path / "other"):
            inside.set()
            assert left.wait(10.0)
            seen["alone"] = jax.config.jax_compilation_cache_dir

    thread = threading.Thread(target=outlasts)
    with compilation_cache(tmp_path / "first"):
        thread.start()
        assert inside.wait(10.0)
        seen["both"] = jax.config.jax_compilation_cache_dir
    left.set()
    thread.join()
    assert seen == {"both": str(tmp_path / "first"), "alone": str(tmp_path / "first")}
    assert jax.config.jax_compilation_cache_dir == before


def _blas_threads() -> set[int]:
    return {each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"}


@pytest.fixture
def _two_threads_of_blas() -> Iterator[None]:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


@pytest.mark.usefixtures("_two_threads_of_blas")
def test_small_products_have_one_thread_and_the_others_what_they_had() -> None:
    before, opened, ending = _blas_threads(), threading.Event(), threading.Event()
    seen = []
    assert before == {2}

    def other() -> None:
        with eagerly():
            seen.append(_blas_threads())
            opened.set()
            ending.wait(10.0)
        seen.append(_blas_threads())

    thread = threading.Thread(target=other)
    with eagerly():
        with eagerly():
            assert _blas_threads() == {1}
        assert _blas_threads() == {1}
        thread.start()
        opened.wait(10.0)
    assert _blas_threads() == before  # though the other thread's scope is open
    ending.set()
    thread.join()
    assert seen == [{1}, before]
    assert _blas_threads() == before
    with eagerly(False):
        assert _blas_threads() == before


def test_what_is_ahead_comes_in_order_and_is_not_far_ahead() -> None:
    given, taken = [], 0

    def items() -> Iterator[int]:
        for number in range(30):
            given.append(number)
            yield number

    for place, found in enumerate(ahead(lambda number: (time.sleep(0.001 * (number % 3)), 10 * number)[1], items())):
        assert found == 10 * place
        taken += 1
        assert len(given) <= taken + cores()
    assert taken == 30
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda number: 1 // (3 - number), range(9)))
