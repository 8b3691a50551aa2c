"""Bayesian regression: a target given rows, with a posterior over the coefficients."""
