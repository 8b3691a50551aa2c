"""Factor models: what is linear in the latent variables, and the classical tools round them."""
