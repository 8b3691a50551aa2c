"""JAX, loaded when this file is."""

import jax as jax
import jax.numpy as jnp
import jax.scipy.special as jax_special

__all__ = ["jax", "jax_special", "jnp"]
