"""Burda, Grosse & Salakhutdinov's single-layer models on MNIST: 784–200–200–50, tanh, pixels drawn anew every time.

A script of its own, for it takes as long as it is given: ``python -m benchmarks.mnist --objective elbo --epochs 1200``.
It prints the held-out log-likelihood of all 10 000 test images, drawn once, by importance weighting.
"""

import argparse
import time

import numpy as np

from benchmarks.rows import TABLES
from tacit import VAE
from tacit.inference.objectives import Elbo, ImportanceWeighted


def main() -> None:
    """Fit, score, print."""
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--objective", choices=("elbo", "iwae"), default="elbo")
    parse.add_argument("--samples", type=int, default=5, help="draws of the importance-weighted objective")
    parse.add_argument("--epochs", type=int, default=600)
    parse.add_argument("--draws", type=int, default=1000, help="draws of z for the likelihood of a test image")
    parse.add_argument("--images", type=int, default=10_000, help="test images that are scored")
    asked = parse.parse_args()
    with np.load(TABLES.parent / "mnist.npz") as file:
        train, test = (file[name].reshape(len(file[name]), -1) for name in ("x_train", "x_test"))
    drawn = (np.random.default_rng(0).random(test.shape) < test / 255).astype(np.uint8) * np.uint8(255)
    model = VAE(
        50,
        objective=Elbo() if asked.objective == "elbo" else ImportanceWeighted(asked.samples),
        hidden=(200, 200),
        activation="tanh",
        binarize="stochastic",
        batch_size=100,
        max_epochs=asked.epochs,
        validation_fraction=0.0,
        n_samples=asked.draws,
        random_state=0,
    )
    began = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    print(f"{asked.objective}, {asked.epochs} epochs in {fitted - began:.0f} s; training ELBO {model.lower_bound_:.2f}")
    scores = model.score_samples(drawn[: asked.images])
    error = scores.std() / np.sqrt(scores.size)
    print(
        f"log p(x) >= {scores.mean():.2f} nats an image (± {error:.2f} over images), {asked.draws} draws, "
        f"{scores.size} images, in {time.perf_counter() - fitted:.0f} s"
    )


if __name__ == "__main__":
    main()
