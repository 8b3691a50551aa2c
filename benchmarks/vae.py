"""VAE against an eager PyTorch loop and pythae's trainer on the same networks: time of an epoch of MNIST."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.frame import Row, in_turn, timed
from benchmarks.rows import TABLES
from benchmarks.vae_peers import LATENT, conv, dense, pythae_epoch, torch_epoch
from tacit import VAE

TITLE = "VAE: time of an epoch, MNIST (60 000 images of 28 × 28, cut at ½), batch 128, Adam"
NOTE = (
    "Both sides have the same layers, one draw of z, the closed KL, and rows in a new order every epoch; two threads. "
    "Ours is the public estimator, from its trace, without the first round, which compiles. The PyTorch loop is "
    "written out and takes its batches by index from one tensor, without a DataLoader, after one epoch to warm up."
)


def run(quick: bool) -> Iterator[Row]:
    """A row for fully connected and for convolutional networks, and one against pythae."""
    images = mnist("x_train")[: 1280 if quick else None]
    rounds = 1 if quick else 3
    yield _row("784–400–20, ReLU", _ours_dense(images), torch_epoch(images, dense), rounds, "eager PyTorch", 2.5)
    few = images[: 128 * 60]
    what = "convolutions (32, 64 channels, 3×3), 7 680 images"
    yield _row(what, _ours_conv(few), torch_epoch(few[:, None], conv), rounds, "eager PyTorch", 1.0)
    small = images[: 128 * 240]
    what = "784–512–20, ReLU (pythae's own layers), 30 720 images"
    yield _row(what, _ours_dense(small, 512), pythae_epoch(small), rounds, "pythae's trainer", 3.0)


def mnist(name: str) -> np.ndarray:
    """Images as 0 and 1."""
    with np.load(TABLES.parent / "mnist.npz") as file:
        return (file[name] > 127).astype(np.float32)


def _row(what: str, ours: Callable[[], float], peer: Callable[[], float], rounds: int, name: str, asked: float) -> Row:
    return timed(what, "s an epoch", in_turn(ours, peer, rounds, 120.0), name, asked)


def _epoch(model: VAE, rows: np.ndarray) -> float:
    seconds = model.fit(rows).history_["seconds"]
    return float((seconds[-1] - seconds[0]) / (model.n_iter_ - model.history_["epoch"][0]))


def _ours_dense(images: np.ndarray, hidden: int = 400) -> Callable[[], float]:
    rows = images.reshape(len(images), -1)
    settings: dict[str, Any] = {
        "hidden": (hidden,),
        "activation": "relu",
        "validation_fraction": 0.0,
        "random_state": 0,
    }
    return lambda: _epoch(VAE(LATENT, max_epochs=2 * _a_round(len(rows)), **settings), rows)


def _ours_conv(images: np.ndarray) -> Callable[[], float]:
    settings: dict[str, Any] = {"network": "conv", "channels": (32, 64, 64), "hidden": (), "activation": "relu"}
    settings |= {"validation_fraction": 0.0, "random_state": 0}
    return lambda: _epoch(VAE(LATENT, max_epochs=2 * _a_round(len(images)), **settings), images)


def _a_round(rows: int) -> int:
    """Epochs between two lines of the trace."""
    return max(1, 200 // -(-rows // 128))
