"""Fits in another process that ends itself by SIGKILL, as the system does where memory is short."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2] / "src"
SCRIPT = """
import sys
sys.path.insert(0, {source!r})
import os, signal, warnings
import numpy as np
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.inference import loop
from tacit.inference.watch import watch
from tacit.storage import Checkpoint, save
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "Best performing")
folder, out, victim, length = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
loop.ADVANCE_SECONDS = 0.0  # a look after every iteration
rows = np.random.default_rng(0).normal(size=(3000, 4)) * np.repeat([[1.0], [4.0]], 1500, axis=0)
class Killer:
    fits = 0
    def resume(self, label, state):
        self.first, self.fits = None, self.fits + 1
    def done(self, progress): print(f"{{self.fits}} {{self.first}} {{len(progress.snapshot.trace)}}", flush=True)
    def look(self, progress):
        self.first = self.first or len(progress.snapshot.trace)
        if self.fits == victim and len(progress.snapshot.trace) == length:
            print(f"killed {{self.first}} {{len(progress.snapshot.trace)}}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
with watch(Checkpoint(folder, "x", every=0.0), Killer()):
    for name, settings in {fits!r}.items():
        save(GaussianMixture(**settings).fit(rows), os.path.join(out, name))
"""
FITS: dict[str, dict[str, Any]] = {
    name: {"n_components": 6, "n_init": 3, "max_iter": 150, "tol": 0.0, "random_state": 1, "accelerate": accelerate}
    for name, accelerate in (("plain", False), ("accelerated", True))
}


def killed(*arguments: object) -> dict[str, list[int]]:
    """For every fit of a script that kills itself, by number, the first and the last length of its trace."""
    cache = {"JAX_COMPILATION_CACHE_DIR": os.environ["TACIT_CACHE_DIR"]}
    command = [sys.executable, "-c", SCRIPT.format(source=str(SOURCE), fits=FITS), *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | cache)
    assert found.returncode == -signal.SIGKILL, found.stderr
    said = (line.split() for line in found.stdout.splitlines())
    return {name: [int(n) for n in rest if n != "None"] for name, *rest in said}
