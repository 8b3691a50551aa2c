"""The networks of a deep model where the user brings none."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from tacit.models.vae.levels import Leading
from tacit.models.vae.networks import MLP, ConvDecoder, ConvEncoder
from tacit.models.vae.posteriors import EncoderPosterior

NETWORKS = ("auto", "mlp", "linear", "conv", "residual")
FLAT = ("mlp", "linear")
"""Those that take rows of any shape; a linear one is a single layer without activation."""
LEAST_SIDE = 8
"""Pixels of an image's shorter side from which on convolutions are taken."""


class NetworkPlan(NamedTuple):
    """What networks are asked for."""

    event: tuple[int, ...]
    latent: Any
    conditions: int
    outputs: tuple[int, ...]
    """The shape of the decoder's."""
    hidden: Sequence[int]
    channels: Sequence[int]
    activation: str
    network: str

    def kind(self) -> str:
        """ "mlp", "linear", "conv" or "residual"; images get convolutions unless they are tiny.

        Raises:
            ValueError: convolutions of what is no image.
        """
        image = len(self.event) > 1 and min(self.event[:2]) >= LEAST_SIDE
        if self.network == "auto":
            return "conv" if image else "mlp"
        if self.network not in FLAT and not image:
            raise ValueError(
                f"network={self.network!r} needs images (n, height, width[, channels]) of at least {LEAST_SIDE} "
                "pixels a side; take network='mlp'"
            )
        return self.network

    @property
    def image(self) -> Any:
        """The event with its channels."""
        return (*self.event, 1) if len(self.event) == 2 else self.event


def make_encoder(plan: NetworkPlan, outputs: int, key: PRNGKeyArray) -> Callable:
    """A network from a row, and what it is given, to so many numbers."""
    kind = plan.kind()
    if kind in FLAT:
        into, hidden = math.prod(plan.event) + plan.conditions, () if kind == "linear" else plan.hidden
        return MLP(into, hidden, outputs, key=key, activation=plan.activation)
    return ConvEncoder(
        plan.image,
        plan.channels,
        plan.hidden,
        outputs,
        key=key,
        activation=plan.activation,
        blocks=2 if kind == "residual" else 0,
        conditions=plan.conditions,
    )


def make_decoder(plan: NetworkPlan, posterior: EncoderPosterior, key: PRNGKeyArray) -> Callable:
    """A network from z, and what the row is given, to the likelihood's outputs."""
    kind, back, width = plan.kind(), tuple(reversed(plan.hidden)), posterior.width(plan.latent)
    seen, shape = posterior.visible(plan.latent), plan.outputs
    into = seen + plan.conditions
    if kind in FLAT:
        back = () if kind == "linear" else back
        network: Any = MLP(into, back, math.prod(shape), key=key, activation=plan.activation, shape=shape)
    else:
        network = ConvDecoder(
            into,
            plan.image,
            plan.channels,
            back,
            shape[-1],
            key=key,
            activation=plan.activation,
            blocks=2 if kind == "residual" else 0,
            event=shape,
        )
    return network if seen == width else Leading(network, seen, width)


def networks(
    plan: NetworkPlan,
    posterior: EncoderPosterior,
    encoder: Callable | None,
    decoder: Callable | None,
    key: PRNGKeyArray,
) -> tuple[Any, Any]:
    """Encoder and decoder: the user's, or made.

    Raises:
        ValueError: a network of the user's does not take what it is given, or gives another shape than is read.
    """
    row = (math.prod(plan.event) + plan.conditions,) if plan.conditions else plan.event
    if encoder is not None:
        _check("encoder", encoder, row, (posterior.outputs(plan.latent),))
    if decoder is not None:
        _check("decoder", decoder, (posterior.width(plan.latent) + plan.conditions,), plan.outputs)
    one, two = jax.random.split(key)
    return encoder or make_encoder(plan, posterior.outputs(plan.latent), one), decoder or make_decoder(
        plan, posterior, two
    )


def _check(name: str, network: Callable, into: tuple[int, ...], out: tuple[int, ...]) -> None:
    """Whether a network of the user's has the shapes that it needs; nothing is computed."""
    needed = f"{name} must make numbers of the shape {out} of one input of the shape {into}"
    try:
        said = eqx.filter_eval_shape(network, jax.ShapeDtypeStruct(into, jnp.float32))
    except Exception as error:
        raise ValueError(f"{needed}; it fails: {str(error).splitlines()[0]}") from error
    found = said.shape if isinstance(said, jax.ShapeDtypeStruct) else type(said).__name__
    if found != out:
        raise ValueError(f"{needed}; it gives {found}")
