"""Flows of zuko and of flowjax, fitted for so many seconds of the processor; run by the interpreter that has them.

python -m benchmarks.density_peers PEER SET SECONDS      prints one line of JSON
"""

import importlib
import json
import sys
import time

import numpy as np

from benchmarks.density_data import parts

PATIENCE = 20
"""Epochs without a better score of the rows to choose by."""


def main() -> None:
    """Fit, and print what the test rows score."""
    peer, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    package, kind = peer.split("-")
    module = importlib.import_module(f"benchmarks.density_{package}")
    if kind == "epoch":
        print(json.dumps({"seconds": module.epoch_seconds(parts(name)[0])}))
        return
    fitting = module.fitting(kind)
    learned, chosen, test = (part.astype(np.float32) for part in parts(name))
    epoch, score, keep, back = fitting(learned)
    score(chosen), epoch()  # compiles
    best, worse, epochs, spent = -np.inf, 0, 0, 0.0
    while spent < seconds and worse < PATIENCE:
        began = time.process_time()
        epoch()
        level = float(score(chosen).mean())
        spent += time.process_time() - began
        epochs, worse = epochs + 1, worse + 1
        if level > best:
            best, worse = level, 0
            keep()
    back()
    found = np.asarray(score(test), np.float64)
    print(json.dumps({"score": float(found.mean()), "seconds": spent, "epochs": epochs, "ended": worse >= PATIENCE}))


if __name__ == "__main__":
    main()
