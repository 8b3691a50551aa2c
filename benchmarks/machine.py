"""What the figures were measured on, and with which versions."""

import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = (
    *("tacit", "jax", "jaxlib", "numpy", "scipy", "scikit-learn", "stepmix", "gensim", "tomotopy", "numpyro"),
    *("pyagrum", "pgmpy", "hmmlearn", "statsmodels", "dynamax", "zuko", "flowjax"),
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS", "JAX_PLATFORMS")


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, str]:
    """Processor, cores, memory, system and the thread settings in force, in words."""
    found = {name: os.environ[name] for name in THREADS if name in os.environ}
    return {
        "processor": _processor(),
        "cores": str(cores()),
        "memory": f"{_memory() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "threads": ", ".join(f"{k}={v}" for k, v in found.items()) or "as they come, no variable set",
    }


def versions() -> dict[str, str]:
    """Python's and the packages'; a package that is not there is said so."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "from the source tree" if name == "tacit" else "not installed"
    return found


def load() -> float:
    """Processes waiting for a core over the last minute; a quiet machine is near 0."""
    return os.getloadavg()[0]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [row.split(":", 1)[1].strip() for row in text.splitlines() if row.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
