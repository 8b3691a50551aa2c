"""Flows: densities that are a simple one seen through a bijection."""
