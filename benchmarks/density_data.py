"""Tables of measurements whose densities are learned, cut as by everyone: no package but NumPy is needed."""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "density"
SETS = ("power_plant", "oil_flow", "protein", "miniboone", "higgs")
FILES = {
    "power_plant": "power_plant.csv",
    "oil_flow": "oil_flow.npz",
    "protein": "protein.npz",
    "miniboone": "miniboone_first1523.npz",
    "higgs": "higgs_15k.npz",
}


def parts(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to learn from, to choose by and to test on; columns in the means and deviations of the first.

    Oil flow comes in these parts; of the others 80, 10 and 10 % are taken, mixed by a seed.
    """
    path = FOLDER / FILES[name]
    if path.suffix == ".csv":
        x = np.loadtxt(path, delimiter=",", skiprows=1)
    else:
        with np.load(path) as file:
            if "x" not in file:
                return _standardised(file["x_train"], file["x_valid"], file["x_test"])
            x = file["x"].astype(np.float64)
    x = x[np.random.default_rng(0).permutation(len(x))]
    return _standardised(*np.split(x, [int(0.8 * len(x)), int(0.9 * len(x))]))


def _standardised(learned: np.ndarray, chosen: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, ...]:
    mean, scale = learned.mean(0), learned.std(0)
    return tuple((each - mean) / scale for each in (learned, chosen, test))
