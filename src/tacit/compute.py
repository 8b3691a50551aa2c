"""Floor 0: precision scopes, compiled programs, row buckets, the compilation cache.

Nothing here runs at import: no device is touched and no JAX setting is changed.
"""

import collections
import contextlib
import contextvars
import functools
import math
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import threadpoolctl

from tacit import trees
from tacit.engine import Array as Array
from tacit.engine import PRNGKeyArray, eqx, is_array, is_double, is_loaded, jax, precision, tell_precision, when_loaded
from tacit.waiting import leave_running

if TYPE_CHECKING:
    HostArray = np.ndarray
else:  # what NumPy adds up is a number, which has a shape too
    HostArray = np.ndarray | np.generic
"""An array of NumPy's, of what is never compiled."""

LOG_2PI = math.log(2.0 * math.pi)
"""``log 2π`` as a plain float, so that it never decides a dtype inside compiled code."""

LEAVE_SECONDS = 1.0
"""How long threads that are broken off may take to end."""
QUICK_BUILD = {"xla_backend_optimization_level": 0}
"""Compiler options of programs that are run once a search: less polish, and two thirds of the time to compile."""

FEW_NUMBERS = 50_000
"""Numbers in the arguments of a program up to which its compiler hurries."""

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")


def double_precision(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a function with 64-bit JAX arrays, whatever the caller's setting is.

    Every public method of a closed-form estimator wears it. The scope is local to the thread and ends with
    the call, so the function must not be a generator.
    """

    @functools.wraps(function)
    def scoped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with precision(double=True):
            return function(*args, **kwargs)

    return scoped


def single_precision(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a function with 32-bit JAX arrays (gradient fits of networks)."""

    @functools.wraps(function)
    def scoped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with precision(double=False):
            return function(*args, **kwargs)

    return scoped


@functools.cache
def _blas() -> threadpoolctl.ThreadpoolController:
    """What sets the number of BLAS's threads; to look for the libraries takes some milliseconds."""
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


_SETTING = threading.Lock()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of BLAS: small products are done before a second one has begun.

    The number belongs to the thread or to the process, as the library has it. What is 1 already is left alone, so of
    scopes that overlap in several threads only one puts back what was before.
    """
    with _SETTING:
        several = any(library.num_threads > 1 for library in _blas().lib_controllers)
        limiter = _blas().limit(limits=1) if several else None
    try:
        yield
    finally:
        if limiter is not None:
            with _SETTING:
                limiter.restore_original_limits()


_EAGER = contextvars.ContextVar("_EAGER", default=False)


@contextlib.contextmanager
def eagerly(wanted: bool = True) -> Iterator[None]:
    """A scope in which nothing is compiled: what `compiled` makes runs as it is written, on NumPy arrays.

    It is for functions over `tacit.arrays`, where the problem is so small that compiling takes longer than computing.
    """
    single = _one_thread() if wanted and not _EAGER.get() else contextlib.nullcontext()
    token = _EAGER.set(wanted)
    try:
        with single, np.errstate(all="ignore") if wanted else contextlib.nullcontext():
            yield
    finally:
        _EAGER.reset(token)


is_eager = _EAGER.get
"""Whether the scope of `eagerly` is open: the variable's own method, for it is asked at every step of a small fit."""


def _few_numbers(arguments: Any) -> bool:
    """Whether a program would be run on few numbers, and by itself: inside another one it is a part of that."""
    leaves = [leaf for leaf in trees.leaves(arguments) if is_array(leaf)]
    return sum(leaf.size for leaf in leaves) <= FEW_NUMBERS and not any(
        isinstance(leaf, jax.core.Tracer) for leaf in leaves
    )


def compiled(
    function: Callable[_P, _R], options: dict[str, Any] | None = None, *, hurry: bool = False
) -> Callable[_P, _R]:
    """``function`` as a compiled program (`equinox.filter_jit`), for which the caller waits; as it is in `eagerly`.

    Ctrl-C is heard while it runs, but no program can be ended: what is left of it is known to `tacit.waiting`.
    ``options`` are the compiler's, of programs that no other one calls. With ``hurry`` the program for few numbers
    (`FEW_NUMBERS`) is one of less polish: it is run for less time than the polish would take.
    """

    @functools.cache
    def program(quick: bool) -> Callable[_P, _R]:
        build: Any = eqx.filter_jit
        chosen = QUICK_BUILD if quick else options
        return build(function) if chosen is None else build(function, compiler_options=chosen)

    @functools.wraps(function)
    def waited_for(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if _EAGER.get():
            return function(*args, **kwargs)
        chosen = program(hurry and _few_numbers((args, kwargs)))  # loads JAX, where that was not done before
        tell_precision()
        try:
            return chosen(*args, **kwargs)
        except KeyboardInterrupt:
            leave_running()
            raise

    return waited_for


def as_key(raw: Any) -> PRNGKeyArray:
    """The random key that raw key data stand for: plain numbers that can be stored and compared."""
    return jax.random.wrap_key_data(raw)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The same threads every time: new ones would each take, and keep, memory of their own. A fork has none of them."""
    return ThreadPoolExecutor(cores(), "tacit")


def side_by_side(function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    """``[function(item) for item in items]``, a thread a core, with no more items at hand than there are threads.

    The threads have the caller's precision. An error or Ctrl-C ends all of them after the items they hold.
    """
    if is_double():
        function = double_precision(function)
    left: Iterator[tuple[int, _T]] = enumerate(items)
    lock = threading.Lock()
    done: dict[int, _R] = {}

    def work() -> None:
        while True:
            with lock:
                taken = next(left, None)
            if taken is None:
                return
            done[taken[0]] = function(taken[1])

    running = [_pool(os.getpid()).submit(work) for _ in range(cores())]
    try:
        for thread in running:
            thread.result()
    except BaseException:
        left = iter(())
        if wait(running, LEAVE_SECONDS).not_done:
            _pool.cache_clear()  # these threads are lost to others until their programs end
            leave_running()
        raise
    return [done[number] for number in sorted(done)]


def ahead(function: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """``map(function, items)`` in the same order, with some more items in work than were asked for, a thread a core.

    No more items are held than there are threads, and one. The threads are none of `side_by_side`'s, which the
    function may use. Where nobody asks any more, what is in work is waited for.
    """
    pool = ThreadPoolExecutor(cores(), "tacit-ahead")
    waiting: collections.deque[Future[_R]] = collections.deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > cores():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def row_bucket(rows: int) -> int:
    """The padded number of rows, 64·4^k, so that few sizes are ever compiled."""
    bucket = 64
    while bucket < rows:
        bucket *= 4
    return bucket


def component_bucket(components: int) -> int:
    """The padded number of components: 4, 8 or 16 when small, exact beyond (padding a large K costs)."""
    return next((size for size in (4, 8, 16) if components <= size), components)


def cache_directory() -> Path:
    """The user's cache folder for compiled programs (``TACIT_CACHE_DIR`` or the XDG folder).

    A user without a home (a number that no account has, as in a container) has one among the temporary files.
    """
    own = os.environ.get("TACIT_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or str(_home() / ".cache")
    return Path(own) if own else Path(base) / "tacit" / "compiled"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an account says
        number = f"-{os.getuid()}" if sys.platform != "win32" else ""
        return Path(tempfile.gettempdir()) / f"tacit{number}"


class _OpenScopes:
    """The scopes of `compilation_cache` that are open in all threads: JAX's setting belongs to the process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._number = 0
        self._folder: Path | None = None
        self._before: dict[str, Any] = {}

    def enter(self, folder: Path | None) -> None:
        with self._lock:
            self._number += 1
            if self._number == 1:
                self._folder = folder
                if is_loaded():
                    self.tell()

    def tell(self) -> None:
        """Set JAX's folder, if a scope is open and JAX is there or has just come."""
        with self._lock:
            if not self._number or self._before:
                return
            folder = self._folder or cache_directory()
            wanted = {
                "jax_compilation_cache_dir": str(folder),
                "jax_persistent_cache_min_compile_time_secs": 0.0,
                "jax_persistent_cache_min_entry_size_bytes": -1,
            }
            self._before = {name: getattr(jax.config, name) for name in wanted}
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                for name, value in wanted.items():
                    jax.config.update(name, value)

    def leave(self) -> None:
        with self._lock:
            self._number -= 1
            if not self._number:
                for name, value in self._before.items():
                    jax.config.update(name, value)
                self._folder, self._before = None, {}


_OPEN = _OpenScopes()
when_loaded(_OPEN.tell)


@contextlib.contextmanager
def compilation_cache(directory: Path | None = None) -> Iterator[None]:
    """Keep compiled programs on disk inside the scope.

    The first scope of the process sets the folder, and the last to end, in whatever thread, puts back the setting that
    was before; scopes between them share the folder of the first.
    """
    _OPEN.enter(directory)
    try:
        yield
    finally:
        _OPEN.leave()
