"""The peers of the VAE: an eager PyTorch loop, and pythae's trainer with the layers that it has by default."""

import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE as PythaeVAE
from pythae.models import VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import nn

LATENT = 20


def dense() -> Any:
    """784–400–20 and back."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 2 * LATENT))
    return encoder, nn.Sequential(nn.Linear(LATENT, 400), nn.ReLU(), nn.Linear(400, 784))


def conv() -> Any:
    """Two convolutions of every second pixel, and back by doubling."""
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


def torch_epoch(images: np.ndarray, networks: Callable[[], Any]) -> Callable[[], float]:
    """Seconds of one more epoch of a written-out loop."""
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


def pythae_epoch(images: np.ndarray) -> Callable[[], float]:
    """An epoch by pythae's trainer: the difference of a fit of three epochs and one of one."""
    data = torch.from_numpy(images[:, None])

    def fit(epochs: int) -> float:
        config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce")
        rows = BaseDataset(data, torch.zeros(len(data)))
        with tempfile.TemporaryDirectory() as folder:
            settings = BaseTrainerConfig(
                output_dir=folder, num_epochs=epochs, per_device_train_batch_size=128, learning_rate=1e-3, no_cuda=True
            )
            trainer = BaseTrainer(PythaeVAE(config), rows, training_config=settings)
            began = time.perf_counter()
            trainer.train()
            return time.perf_counter() - began

    return lambda: (fit(3) - fit(1)) / 2
