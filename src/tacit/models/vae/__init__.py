"""Deep latent variable models: ``p(x|z)`` and ``q(z|x)`` are networks, and variants are choices of parts."""
