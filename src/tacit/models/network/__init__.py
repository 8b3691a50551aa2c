"""Directed graphical models: ``p(x) = ∏ p(x_k | parents)``, inference by elimination, and what to do without it."""
