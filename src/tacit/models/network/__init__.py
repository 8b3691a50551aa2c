"""Directed graphical models: ``p(x) = ∏ p(x_k | parents)``, exact inference by elimination, and what to do without it."""
