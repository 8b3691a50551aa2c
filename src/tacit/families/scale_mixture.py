"""An expectation under Student's t that has no closed form: E log(1 + δ/ν) of another t's squared distance δ."""

from jaxtyping import Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.engine import jax

_INNER, _OUTER = 384, 192
"""Nodes in log s and in log u."""
_TAIL = 38.0
"""Beyond e^(−38) of its peak an integrand is left out."""


def expected_log_excess(
    dof: Float[Array, "*batch"],
    other_dof: Float[Array, "*batch"],
    lengths: Float[Array, "*batch dims"],
    shifts: Float[Array, "*batch dims"],
) -> Float[Array, "*batch"]:
    r"""``E log(1 + δ/ν')`` with ``δ = Σ_j (m_j + √λ_j z_j / √u)²``, z standard Normal, u ~ Gamma(ν/2, ν/2).

    ``log(1 + y) = ∫₀^∞ e^{−s} (1 − e^{−sy}) ds/s``, and given u the mean of e^{−sδ/ν'} is the closed product
    ``∏_j (1 + 2t λ_j/u)^(−½) exp(−t m_j² / (1 + 2t λ_j/u))``, t = s/ν'. What is left are integrals over log s and
    log u of positive functions, analytic in strips about the real axis, by the trapezoidal rule: exact to about
    1e-12 of the result.

    Args:
        dof: ν of the expectation.
        other_dof: ν'.
        lengths: λ_j > 0.
        shifts: m_j.
    """
    batch = xp.broadcast_shapes(dof.shape, other_dof.shape, lengths.shape[:-1], shifts.shape[:-1])
    dims = lengths.shape[-1]
    scalars = [xp.broadcast_to(part, batch).reshape(-1) for part in (dof, other_dof)]
    vectors = [xp.broadcast_to(part, (*batch, dims)).reshape(-1, dims) for part in (lengths, shifts)]
    return jax.lax.map(lambda one: _integral(*one), (*scalars, *vectors)).reshape(batch)


def _integral(
    dof: Float[Array, ""],
    other_dof: Float[Array, ""],
    lengths: Float[Array, " dims"],
    shifts: Float[Array, " dims"],
) -> Float[Array, ""]:
    log_u, share = _precision_nodes(dof)
    # the inner integrand falls to the right as e^{−s}, and to the left as s^min(1, ν/2) from where s δ/ν' is about 1:
    # log s = τ − e^{−(τ + size)} takes even steps between the two and growing ones down the tail
    size = xp.log1p((lengths.sum() + (shifts**2).sum()) / other_dof)
    low = -size - xp.log1p(_TAIL / xp.minimum(1.0, 0.5 * dof))
    tau = xp.linspace(low, xp.log(_TAIL + 2.0), _INNER)
    stretch = xp.exp(-(tau + size))
    s = xp.exp(tau - stretch)
    damped = xp.exp(-s) * (1.0 + stretch) * (tau[1] - tau[0])
    t = s[:, None] / other_dof

    def inner(log_u):
        widened = 2.0 * t * lengths * xp.exp(-log_u)
        log_mean = -(0.5 * xp.log1p(widened) + t * shifts**2 / (1.0 + widened)).sum(-1)
        return (damped * -xp.expm1(log_mean)).sum()

    return (share * jax.vmap(inner)(log_u)).sum()


def _precision_nodes(dof: Float[Array, ""]) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
    """Nodes in log u and their weights under u ~ Gamma(ν/2, rate ν/2): density ∝ exp(½ν (log u − u)) in log u."""
    half = 0.5 * dof
    x = _TAIL / half
    # where u − 1 − log u exceeds x on either side of its zero at log u = 0
    low, high = xp.sqrt(2.0 * x) + x, xp.minimum(xp.sqrt(2.0 * x), xp.log(2.0 + 2.0 * x) + 1.0)
    tau = xp.linspace(-xp.arcsinh(0.5 * low), xp.arcsinh(0.5 * high), _OUTER)
    log_u = 2.0 * xp.sinh(tau)
    density = xp.exp(-half * (xp.expm1(log_u) - log_u)) * xp.cosh(tau)
    return log_u, density / density.sum()
