"""Equinox, loaded when this file is."""

import equinox as eqx

__all__ = ["eqx"]
