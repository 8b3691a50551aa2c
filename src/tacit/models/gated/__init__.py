"""Mixtures whose shares depend on covariates, and whose components may be regressions."""
