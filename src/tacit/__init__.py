"""Latent variable models and variational inference: from a table to its groups, densities, gaps and odd rows.

The public names stand in ``__init__.pyi``; each is imported at its first use, so ``import tacit`` is quick.
"""

import difflib

import lazy_loader

from tacit import late

__version__ = "0.1.0"
late.install()

_found, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """A public name, imported at its first use; of one that there is not, the nearest that there is."""
    try:
        return _found(name)
    except AttributeError as error:
        if name in __all__ or name.startswith("_"):
            raise
        near = difflib.get_close_matches(name, __all__, n=1)
        lower = {known.lower(): known for known in __all__}
        near = near or [lower[each] for each in difflib.get_close_matches(name.lower(), lower, n=1)]
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"module 'tacit' has no {name!r}.{hint}", name=name) from error
