"""Mixtures: a latent group for every row, and a density of each group of columns given it."""
