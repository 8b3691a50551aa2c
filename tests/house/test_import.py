"""Importing tacit is quick and leaves everything as it was: JAX, devices, logging, NumPy, warnings."""

import json
import subprocess
import sys
from pathlib import Path

import import_graph

SOURCE = Path(__file__).resolve().parents[2] / "src"
MODULES = import_graph.modules_of(SOURCE / "tacit")

SNAPSHOT = """
import importlib, json, logging, sys, warnings
def everything():
    import jax, numpy
    from jax._src import xla_bridge
    loggers = [logging.root, *(logging.getLogger(n) for n in sorted(logging.root.manager.loggerDict))]
    return {
        "jax settings": {k: str(v) for k, v in sorted(jax.config.values.items())},
        "devices in use": xla_bridge.backends_are_initialized(),
        "loggers": [(x.name, x.level, x.disabled, [str(h) for h in x.handlers]) for x in loggers
                    if x is logging.root or x.handlers or x.level or x.name.startswith("tacit")],
        "numpy errors": numpy.geterr(),
        "numpy random": numpy.random.get_state()[1].tolist(),
        "warning filters": [str(f) for f in warnings.filters],
        "hooks": [str(sys.excepthook), str(sys.displayhook)],
    }
"""


def python(code: str) -> str:
    """The output of a fresh interpreter, whose path begins with the source folder."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{code}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_no_heavy_library() -> None:
    code = "before = set(sys.modules); import tacit; print(*sorted(set(sys.modules) - before))"
    loaded = python(code).split()
    third_party = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert third_party == {"tacit", "lazy_loader"}


def test_import_takes_no_time() -> None:
    code = "import time; t = time.perf_counter(); import tacit; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.25


def test_importing_every_module_changes_nothing() -> None:
    libraries = "\n".join(line for line in import_graph.foreign_statements(MODULES) if "__future__" not in line)
    ours = f"for name in {sorted(MODULES)!r}: importlib.import_module(name)"
    code = f"{SNAPSHOT}{libraries}\nbefore = everything()\n{ours}\nprint(json.dumps([before, everything()]))"
    before, after = json.loads(python(code))
    assert before["devices in use"] is False
    for what, value in before.items():
        assert after[what] == value, f"importing tacit changed: {what}"


def test_public_names_resolve_and_are_listed() -> None:
    code = "import tacit, json; print(json.dumps([[n, getattr(tacit, n) is not None] for n in dir(tacit)]))"
    names = dict(json.loads(python(code)))
    assert names
    assert all(names.values())
