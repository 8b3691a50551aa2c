"""Directed networks: p(x) = ∏ p(x_i | parents of x_i)."""
