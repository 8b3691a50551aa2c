from . import gradient

__all__ = ["gradient"]
