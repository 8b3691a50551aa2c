"""VAE against an eager PyTorch loop and pythae's trainer on the same networks: time of an epoch of MNIST."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.frame import Row, in_turn, timed
from benchmarks.rows import TABLES
from tacit import VAE

TITLE = "VAE: time of an epoch, MNIST (60 000 images of 28 × 28, cut at ½), batch 128, Adam"
NOTE = (
    "Both sides have the same layers, one draw of z, the closed KL, and rows in a new order every epoch; two threads. "
    "Ours is the public estimator, from its trace, without the first epoch, which compiles. The PyTorch loop is written "
    "out and takes its batches by index from one tensor, without a DataLoader, after one epoch to warm up."
)
LATENT = 20


def run(quick: bool) -> Iterator[Row]:
    """A row for fully connected and for convolutional networks, and one against pythae where it is installed."""
    images = mnist("x_train")[: 1280 if quick else None]
    rounds = 1 if quick else 3
    yield _row("784–400–20, ReLU", _ours_dense(images), _torch(images, _dense), rounds, "eager PyTorch", 2.5)
    few = images[: 128 * 60]
    what = "convolutions (32, 64 channels, 3×3), 7 680 images"
    yield _row(what, _ours_conv(few), _torch(few[:, None], _conv), rounds, "eager PyTorch", 1.0)
    theirs = _pythae(images)
    if theirs is not None:
        yield _row("784–400–20, ReLU", _ours_dense(images), theirs, rounds, "pythae's trainer", 3.0)


def mnist(name: str) -> np.ndarray:
    """Images as 0 and 1."""
    with np.load(TABLES.parent / "mnist.npz") as file:
        return (file[name] > 127).astype(np.float32)


def _row(what: str, ours: Callable[[], float], peer: Callable[[], float], rounds: int, name: str, asked: float) -> Row:
    return timed(what, "s an epoch", in_turn(ours, peer, rounds, 120.0), name, asked)


def _epoch(model: VAE, rows: np.ndarray) -> float:
    seconds = model.fit(rows).trace_["seconds"]
    return float((seconds[-1] - seconds[0]) / (model.n_iter_ - model.trace_["epoch"][0]))


def _ours_dense(images: np.ndarray) -> Callable[[], float]:
    rows = images.reshape(len(images), -1)
    settings: dict[str, Any] = {"hidden": (400,), "activation": "relu", "validation_fraction": 0.0, "random_state": 0}
    return lambda: _epoch(VAE(LATENT, max_epochs=2 * _a_round(len(rows)), **settings), rows)


def _ours_conv(images: np.ndarray) -> Callable[[], float]:
    settings: dict[str, Any] = {"network": "conv", "channels": (32, 64, 64), "hidden": (), "activation": "relu"}
    settings |= {"validation_fraction": 0.0, "random_state": 0}
    return lambda: _epoch(VAE(LATENT, max_epochs=2 * _a_round(len(images)), **settings), images)


def _a_round(rows: int) -> int:
    """Epochs between two lines of the trace."""
    return max(1, 200 // -(-rows // 128))


def _dense() -> Any:
    from torch import nn

    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 2 * LATENT))
    return encoder, nn.Sequential(nn.Linear(LATENT, 400), nn.ReLU(), nn.Linear(400, 784))


def _conv() -> Any:
    from torch import nn

    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(64 * 49, 2 * LATENT),
    )  # fmt: skip
    up = lambda: nn.Upsample(scale_factor=2)  # noqa: E731
    decoder = nn.Sequential(
        nn.Linear(LATENT, 64 * 49), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)), up(), nn.Conv2d(64, 32, 3, 1, 1),
        nn.ReLU(), up(), nn.Conv2d(32, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 1, 3, 1, 1),
    )  # fmt: skip
    return encoder, decoder


def _torch(images: np.ndarray, networks: Callable[[], Any]) -> Callable[[], float]:
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)
    encoder, decoder = networks()
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
    rows = torch.from_numpy(np.ascontiguousarray(images))

    def epoch() -> float:
        began = time.perf_counter()
        for index in torch.randperm(len(rows)).split(128):
            x = rows[index]
            mean, log_scale = encoder(x).chunk(2, 1)
            z = mean + log_scale.exp() * torch.randn_like(mean)
            logits = decoder(z).reshape(x.shape)
            entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = 0.5 * (mean**2 + (2 * log_scale).exp() - 1 - 2 * log_scale).sum()
            adam.zero_grad()
            ((entropy + kl) / len(x)).backward()
            adam.step()
        return time.perf_counter() - began

    epoch()
    return epoch


def _pythae(images: np.ndarray) -> Callable[[], float] | None:
    """An epoch by pythae's trainer: the difference of a fit of three epochs and one of one; None without pythae."""
    try:
        from pythae.models import VAE as Theirs
        from pythae.models import VAEConfig
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
    except ImportError:
        return None
    import tempfile

    import torch

    data = torch.from_numpy(images[:, None])

    def fit(epochs: int) -> float:
        from pythae.data.datasets import BaseDataset

        config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce")
        with tempfile.TemporaryDirectory() as folder:
            settings = BaseTrainerConfig(
                output_dir=folder, num_epochs=epochs, per_device_train_batch_size=128, learning_rate=1e-3, no_cuda=True
            )
            trainer = BaseTrainer(Theirs(config), BaseDataset(data, torch.zeros(len(data))), training_config=settings)
            began = time.perf_counter()
            trainer.train()
            return time.perf_counter() - began

    return lambda: (fit(3) - fit(1)) / 2
