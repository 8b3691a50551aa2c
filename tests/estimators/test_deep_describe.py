"""``architecture``: sizes and numbers of parameters against those counted by hand."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

import tacit
from tacit.estimators.vae.describe import Architecture
from tacit.inference.objectives import Elbo, TotalCorrelation
from untrained import untrained

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]


def built(event: tuple[int, ...], latent: int, **settings: Any) -> tuple[Architecture, Any]:
    """A model that was put together, not trained, and what is said of it."""
    rows = np.random.default_rng(0).random((9, *event)).astype(np.float32)
    if isinstance(settings.get("likelihood"), list):
        rows[..., -1] = np.arange(9) % 3  # levels of the last column
    asked: dict[str, Any] = {"hidden": (3,), "channels": (2, 3), "activation": "relu", "max_epochs": 1} | settings
    with untrained():
        model = tacit.VAE(latent, validation_fraction=0.0, random_state=0, **asked).fit(rows)
    return model.architecture(), model.model_


def counted(model: Any) -> int:
    leaves = jax.tree.leaves((model.encoder, model.decoder))
    return sum(leaf.size for leaf in leaves if eqx.is_inexact_array(leaf))


def test_fully_connected_layers() -> None:
    told, _ = built((6,), 2, hidden=(5, 4))
    assert [tuple(layer) for layer in told.layers] == [
        ("Encoder", "fully connected, relu", "6 → 5", 35),
        ("Encoder", "fully connected, relu", "5 → 4", 24),
        ("Encoder", "fully connected", "4 → 4", 20),
        ("Decoder", "fully connected, relu", "2 → 4", 12),
        ("Decoder", "fully connected, relu", "4 → 5", 25),
        ("Decoder", "fully connected", "5 → 6", 36),
    ]
    assert told.parameters == 152
    words = dict(told.parts)
    assert words["Code z"] == "2 numbers a row"
    assert words["Prior p(z)"] == "normal(0, I)"
    assert words["Likelihood p(x|z)"].startswith("continuous Bernoulli")
    assert words["Objective"] == "the evidence lower bound (ELBO)"


@pytest.mark.parametrize("network", ["conv", "residual"])
def test_convolutions_of_images_of_odd_size(network: str) -> None:
    told, model = built((9, 8, 3), 3, network=network, hidden=(6,))
    first, last = told.layers[0], told.layers[-1]
    assert (first.network, first.size, first.parameters) == ("Encoder", "5 × 4 × 2", 9 * 3 * 2 + 2)
    blocks = [layer for layer in told.layers if "residual" in layer.what]
    assert len(blocks) == (4 if network == "residual" else 0)
    assert all(block.parameters == 2 * (9 * 2 * 2 + 2) for block in blocks)
    assert (last.network, last.what, last.size) == ("Decoder", "3 × 3 convolution", "9 × 8 × 3")
    assert told.parameters == sum(layer.parameters for layer in told.layers) == counted(model)


def test_a_network_of_the_users_own() -> None:
    encoder = eqx.nn.MLP(5, 4, 7, 1, key=jax.random.key(0))
    told, model = built((5,), 2, encoder=encoder, prior="mixture", likelihood="normal")
    own = [layer for layer in told.layers if layer.network == "Encoder"]
    assert [layer.parameters for layer in own] == [5 * 7 + 7, 7 * 4 + 4]
    # 32 components: logits, means, log-scales; one scale of the noise
    assert told.parameters == counted(model) + 32 * (1 + 2 + 2) + 1
    assert dict(told.parts)["Prior p(z)"] == "a mixture of 32 Gaussians, learned"


def test_a_function_without_weights_is_named() -> None:
    def halves(row: np.ndarray) -> np.ndarray:
        return row[:4]

    own: Callable = halves
    first = built((5,), 2, encoder=own)[0].layers[0]
    assert (first.network, first.parameters) == ("Encoder", 0)
    assert "halves" in first.what


@pytest.mark.parametrize(
    ("settings", "part", "words"),
    [
        ({"objective": Elbo(beta=4.0)}, "Objective", "4 times (β-VAE)"),
        ({"objective": Elbo(free_bits=0.25)}, "Objective", "0.25 free nats"),
        ({"objective": "iwae"}, "Objective", "5 draws (IWAE)"),
        ({"objective": TotalCorrelation(beta=6.0)}, "Objective", "6 times (β-TCVAE)"),
        ({"posterior": "point"}, "Posterior q(z|x)", "plain auto-encoder"),
        ({"posterior": "full"}, "Posterior q(z|x)", "full covariance"),
        ({"prior": "vamp"}, "Prior p(z)", "32 learned pseudo-rows"),
        (
            {"likelihood": ["normal"] * 2 + ["continuous-bernoulli", ("categorical", 3)]},
            "Likelihood",
            "normal (2), continuous Bernoulli (1), categorical with 3 levels (1)",
        ),
    ],
)
def test_parts_in_words(settings: dict[str, Any], part: str, words: str) -> None:
    (found,) = [text for name, text in built((4,), 2, **settings)[0].parts if name.startswith(part)]
    assert words in found


def test_a_fitted_model_says_it() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4))
    model = tacit.VAE(2, hidden=(3,), max_epochs=1, random_state=0).fit(rows)
    told = model.architecture()
    assert model.graph().distributions() == ("zₙ ~ normal(0, I)", "xₙ | zₙ ~ normal(θ)")
    assert dict(told.parts)["Likelihood p(x|z)"] == "normal, with a scale for every entry, from the decoder"
    assert told.parameters == counted(model.model_) == (4 * 3 + 3) + (3 * 4 + 4) + (2 * 3 + 3) + (3 * 8 + 8)


def test_the_graph_names_the_prior_that_was_fitted() -> None:
    rows = (np.random.default_rng(0).random((20, 4)) > 0.5).astype(float)
    model = tacit.VAE(2, hidden=(3,), max_epochs=1, prior="mixture", random_state=0).fit(rows)
    assert model.graph().distributions() == ("zₙ ~ a mixture of 32 Gaussians", "xₙ | zₙ ~ Bernoulli(θ)")
