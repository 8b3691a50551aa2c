"""Triangular maps: increasing maps whose j-th coordinate sees only those up to the j-th.

Of two densities there is one such map alone that moves the one to the other (Rosenblatt 1952; Knothe 1957; Bogachev,
Kolesnikov & Medvedev 2005). Masked networks make flexible ones; that of a mixture of normals is known exactly.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array
from tacit.families.bijections import Bijection, Composed, Given, Moved, Reverse, Vectors
from tacit.families.masked import MaskedLayers, Turned
from tacit.families.normal_scores import NormalMixture, log_normal, mixed_score, mixed_value
from tacit.families.scalar_maps import GatedMap, ScalarMap

MovedInTurn = tuple[Float[Array, "*moved dims"], Float[Array, "..."]]
"""Images, and the logarithms of the slope of every coordinate."""


class Autoregressive(Bijection):
    """``y_j = T(x_j; θ_j)``, θ_j a masked network of the x before the j-th, and of what is given.

    Forwards it is one pass of the network; backwards it goes from dimension to dimension.
    """

    network: MaskedLayers
    map: ScalarMap

    def turned(self, x: Turned, given: Given = None) -> tuple[Turned, Turned]:
        """y, and ``log ∂y_j/∂x_j`` of every coordinate; rows come last."""
        return self.map.forward(x, self.network(x, given))

    def forward(self, x: Vectors, given: Given = None) -> Moved:
        y, log_slopes = self.turned(_with_rows(x, given), given)
        return jnp.moveaxis(y, 0, -1), log_slopes.sum(0)

    def inverse(self, y: Vectors, given: Given = None) -> Moved:
        y = _with_rows(y, given)

        def settle(x, _):
            return self.map.inverse(y, self.network(x, given))[0], None

        # after pass j the first j dimensions are right, and stay
        x, _ = jax.lax.scan(settle, jnp.zeros_like(y), None, length=y.shape[0])
        return jnp.moveaxis(x, 0, -1), self.map.inverse(y, self.network(x, given))[1].sum(0)


def _with_rows(x: Vectors, given: Given) -> Turned:
    """Coordinates first, and as many rows as what is given has."""
    rows = () if given is None else given.shape[:-1]
    return jnp.moveaxis(jnp.broadcast_to(x, (*jnp.broadcast_shapes(x.shape[:-1], rows), x.shape[-1])), -1, 0)


class AutoregressiveFlow(Composed):
    """Gated steps, and the order turned round after each: inverse autoregressive flow (Kingma et al. 2016)."""

    steps: tuple[MaskedLayers, ...]

    def __init__(self, dims: int, hidden: Sequence[int], number: int, *, key: PRNGKeyArray, context: int = 0) -> None:
        keys = jax.random.split(key, number)
        self.steps = tuple(MaskedLayers(dims, hidden, 2, key=k, context=context) for k in keys)

    @property
    def parts(self) -> tuple[Bijection, ...]:
        return tuple(part for network in self.steps for part in (Autoregressive(network, GatedMap()), Reverse()))


class TriangularSteps(Composed):
    """Steps that begin at the identity, in the order of the columns or turned round between them.

    Args:
        dims: coordinates.
        map: what is done to each.
        number: steps.
        hidden: widths of the networks' layers.
        key: for their weights; of NumPy's nothing is compiled.
        turned: whether the order is turned round between steps: denser maps, of which no part is triangular. At the
            end it is that of the columns again.
        context: numbers that a row is given.
    """

    steps: tuple[Autoregressive, ...]
    turned: bool = eqx.field(static=True)

    def __init__(
        self,
        dims: int,
        map: ScalarMap,
        number: int,
        hidden: Sequence[int],
        *,
        key: PRNGKeyArray | np.random.Generator,
        turned: bool,
        context: int = 0,
    ) -> None:
        if isinstance(key, np.random.Generator):
            random = key
        else:
            random = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
        steps = []
        for _ in range(number):
            network = MaskedLayers(
                dims, hidden, map.outs, key=random, context=context, last=0.0, activation="silu", residual=True
            )
            begun = np.repeat(map.begin(random), dims).astype(network.biases[-1].dtype)
            steps.append(Autoregressive(eqx.tree_at(lambda n: n.biases[-1], network, begun), map))
        self.steps, self.turned = tuple(steps), turned

    @property
    def parts(self) -> tuple[Bijection, ...]:
        if not self.turned:
            return self.steps
        parts = [part for step in self.steps for part in (step, Reverse())]
        return tuple(parts if len(self.steps) % 2 == 0 else parts[:-1])

    def forward(self, x: Vectors, given: Given = None) -> Moved:
        # all the way with the rows last, as the steps see them
        z, total, turns = _with_rows(x, given), jnp.zeros((), x.dtype), len(self.steps) // 2 * 2
        for place, step in enumerate(self.steps):
            z, more = step.turned(z, given)
            total = total + more.sum(0)
            if self.turned and place < turns:
                z = jnp.flip(z, 0)
        return jnp.moveaxis(z, 0, -1), total

    def in_turn(self, x: Vectors, given: Given = None) -> MovedInTurn:
        """y, and ``log ∂y_j/∂x_j`` of every coordinate, where the order is kept."""
        z, total = _with_rows(x, given), jnp.zeros((), x.dtype)
        for step in self.steps:
            z, more = step.turned(z, given)
            total = total + more
        return jnp.moveaxis(z, 0, -1), jnp.moveaxis(total, 0, -1)


class MixtureScores(Bijection):
    """The triangular map of a mixture of normals to white noise, exactly: ``z_j = Φ⁻¹(F(x_j | x_1, …, x_{j−1}))``.

    It is the Knothe–Rosenblatt map; of one normal, the inverse of its Cholesky factor. ``log |∂z/∂x|`` is made of the
    conditional densities, so that with ``log N(z; 0, I)`` it gives the log-density of the mixture.
    """

    of: NormalMixture

    def forward(self, x: Vectors, given: Given = None) -> Moved:
        log_weights, white = self._conditionals(x)
        z, density = mixed_score(log_weights, white, self.of.log_scales.T)
        return z, jnp.sum(density - log_normal(z), -1)

    def densities(self, x: Vectors) -> Vectors:
        """``log p(x_j | x_1, …, x_{j−1})`` of every column."""
        log_weights, white = self._conditionals(x)
        return jax.nn.logsumexp(log_weights + log_normal(white) - self.of.log_scales.T, axis=-1)

    def inverse(self, y: Vectors, given: Given = None) -> Moved:
        dims = y.shape[-1]

        def settle(x, place):
            log_weights, white = self._conditionals(x)
            own = self.of.log_scales.T[place]
            # the mean of a component at this place, given those before it
            means = x[..., place, None] - jnp.exp(own) * white[..., place, :]
            value, density = mixed_value(y[..., place], log_weights[..., place, :], means, own)
            return x.at[..., place].set(value), log_normal(y[..., place]) - density

        x, log_det = jax.lax.scan(settle, jnp.zeros_like(y), jnp.arange(dims))
        return x, log_det.sum(0)

    def _conditionals(self, x: Vectors) -> tuple[Float[Array, "... dims components"], Array]:
        """Of every column, the weights given those before it, and its deviations from each component's mean."""
        white = jnp.swapaxes(self.of.white(x), -1, -2)
        each = log_normal(white) - self.of.log_scales.T
        before = jnp.cumsum(each, axis=-2) - each
        return jax.nn.log_softmax(self.of.log_weights + before, axis=-1), white
