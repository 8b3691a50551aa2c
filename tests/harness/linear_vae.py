"""A VAE whose likelihood and posterior are known: a linear decoder with orthogonal columns, and its exact encoder."""

import copy
import dataclasses
import warnings

import equinox as eqx
import numpy as np
import scipy.stats as st

from tacit import VAE
from tacit.models.vae.posteriors import Diagonal


@dataclasses.dataclass(frozen=True)
class LinearCase:
    """``p(z) = N(0, I)``, ``p(x|z) = N(W z, σ² I)`` in the units of the model, with ``Wᵀ W`` diagonal."""

    loading: np.ndarray
    noise: float
    rows: np.ndarray
    model: VAE

    @property
    def scales(self) -> np.ndarray:
        """σ of the exact posterior, which is diagonal and the same for every row."""
        return (1.0 + (self.loading**2).sum(axis=0) / self.noise**2) ** -0.5

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """The exact ``log p(x)`` of the observed entries, in the user's units."""
        covariance = self.loading @ self.loading.T + self.noise**2 * np.eye(len(self.loading))
        white = (rows - self.model.view_.shift) / self.model.view_.scale
        found = []
        for row in white.astype(float):
            seen = ~np.isnan(row)
            unit = np.log(self.model.view_.scale[seen]).sum()
            found.append(st.multivariate_normal(cov=covariance[np.ix_(seen, seen)]).logpdf(row[seen]) - unit)
        return np.array(found)

    def with_encoder(self, shift: float = 0.0, widened: float = 1.0) -> VAE:
        """The model with an encoder whose means are off by so many scales, and whose scales are wrong by a factor."""
        wrong = copy.deepcopy(self.model)
        bias = np.concatenate([shift * self.scales, outputs_of(self.scales * widened)]).astype(np.float32)
        wrong.model_ = eqx.tree_at(lambda m: m.encoder.layers[-1].bias, self.model.model_, bias)
        return wrong

    def loss(self, shift: float, widened: float) -> float:
        """``KL(q ‖ p(z|x))`` of that encoder, the same for every row."""
        return self.scales.size * (0.5 * (widened**2 + shift**2 - 1.0) - np.log(widened))


def outputs_of(scales: np.ndarray) -> np.ndarray:
    """What an encoder must say for a posterior of these scales, whose logarithms are kept within bounds."""
    wanted, found = np.log(scales), np.log(scales)
    for _ in range(50):
        read = Diagonal().read(np.concatenate([np.zeros_like(found), found])[None].astype(np.float32))
        found = found + wanted - np.log(np.asarray(read.scale[0], float))
    return found


def linear_case(dims: int = 6, latent: int = 2, noise: float = 0.3) -> LinearCase:
    """The case; the fit only makes the networks, and the units of rows that lie anywhere."""
    random = np.random.default_rng(0)
    loading = np.linalg.qr(random.normal(size=(dims, latent)))[0] * np.linspace(1.5, 0.7, latent)
    white = random.normal(size=(200, latent)) @ loading.T + noise * random.normal(size=(200, dims))
    rows = white * np.geomspace(0.1, 100.0, dims) + 3.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = VAE(latent, likelihood="normal", hidden=(), max_epochs=1, validation_fraction=0.0, random_state=0).fit(
            rows
        )
    scales = (1.0 + (loading**2).sum(axis=0) / noise**2) ** -0.5
    back = scales[:, None] ** 2 * loading.T / noise**2
    told = np.concatenate([np.zeros(latent), outputs_of(scales)])
    parts = {
        "decoder": (loading, np.zeros(dims)),
        "encoder": (
            np.concatenate([back, np.zeros_like(back)]),
            told,
        ),
    }
    deep = model.model_
    for name, (weight, bias) in parts.items():
        where = lambda m, name=name: (getattr(m, name).layers[-1].weight, getattr(m, name).layers[-1].bias)  # noqa: E731
        deep = eqx.tree_at(where, deep, (weight.astype(np.float32), bias.astype(np.float32)))
    model.model_ = eqx.tree_at(lambda m: m.likelihood.log_scale, deep, np.float32(np.log(noise)))
    return LinearCase(loading, noise, rows, model)
