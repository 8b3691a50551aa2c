"""The harness: arrays and their shapes are checked at run time, compiled programs are kept, keys are spent once."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jax
import jaxtyping
import pytest
import threadpoolctl
from jaxtyping import config as jaxtyping_config
from jaxtyping import install_import_hook

import lowering
import runtime_types
from import_graph import FLOORS

ROOT = Path(__file__).resolve().parent.parent
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
MOST_BYTES = max(2_500_000_000, 3 * MEMORY // (5 * max(WORKERS, 2)))
"""What one test process may hold before it lets its compiled programs go, which are then traced again."""
WORTH_KEEPING = 0.2
"""Seconds of compiling from which on a program is written to the folder: to write a small one takes as long as to make
it, and most are asked for by one process only."""
SHARED_DATA = ROOT.parent / "shared" / "data"
# There is a test process to a core: a second thread of BLAS would wait for its turn by turning in circles. What the
# tests start has one too; what is imported already is told by `pytest_configure`.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TACIT_CACHE_DIR", str(ROOT / ".pytest_cache" / "compiled"))
# Most of the time of a test is compiling: the programs are the same, less polished.
FLAGS = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
# One piece: a program cut in pieces for several threads costs a third more, and there is a test process to a core.
FLAGS += ["--xla_cpu_parallel_codegen_split_count=1"]
# This flag is gone in newer versions, which end the process where they meet a flag that they do not know.
FLAGS += ["--xla_cpu_use_fusion_emitters=false"] if jax.__version_info__ < (0, 11) else []
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))

# Before the first import of tacit: annotated arrays are checked at every call during the tests.
# What users call takes anything and checks it in its own words, as scikit-learn and typer ask.
DOORS = ("cli", "estimators", "studio")
# Where keys are made, split and spent; the tests above these floors go through the same code, and checking costs a
# sixth of their time.
SPENDERS = tuple(ROOT / "tests" / name for name in ("families", "inference", "models", "estimators"))
jaxtyping.jaxtyped = runtime_types.remembering
install_import_hook([f"tacit.{name}" for name in FLOORS if name not in DOORS], "runtime_types.checked")

hypothesis.settings.register_profile(
    "tacit",
    deadline=None,  # the first example compiles
    max_examples=20,
    derandomize=bool(os.environ.get("CI") or os.environ.get("TACIT_REQUIRE_DATA")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tacit")


def pytest_configure() -> None:
    """Keep compiled programs in one folder that all test processes, and later runs, share; one thread of BLAS."""
    threadpoolctl.threadpool_limits(int(os.environ["OPENBLAS_NUM_THREADS"]), user_api="blas")
    folder = Path(os.environ["TACIT_CACHE_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    lowering.keep_contexts()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)


def pytest_collection_finish() -> None:
    """What has been imported stays: it is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True, scope="module")
def _bounded_memory() -> Iterator[None]:
    """Compiled programs are let go when a process has gathered many: those that come again lie in the folder."""
    yield
    if _resident_bytes() > MOST_BYTES:
        jax.clear_caches()
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to the system


def _resident_bytes() -> int:
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


@pytest.fixture(autouse=True)
def _strictness(request: pytest.FixtureRequest) -> Iterator[None]:
    """Random keys are spent once and arrays are checked, unless the test's place or its markers say otherwise."""
    spends = any(request.path.is_relative_to(folder) for folder in SPENDERS)
    reuse = not spends or request.node.get_closest_marker("reuses_keys") is not None
    ranks = request.node.get_closest_marker("strict_ranks") is not None
    wrong = request.node.get_closest_marker("wrong_types") is not None
    jaxtyping_config.update("jaxtyping_disable", wrong)
    with (
        jax.debug_key_reuse(not reuse),
        jax.numpy_rank_promotion("raise" if ranks else "allow"),
    ):
        yield
    jaxtyping_config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data that lies beside the repository; CI demands it, elsewhere the test is skipped."""
    if not SHARED_DATA.is_dir():
        message = f"no data folder at {SHARED_DATA}"
        if os.environ.get("TACIT_REQUIRE_DATA") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED_DATA
