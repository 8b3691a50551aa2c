"""Latent variable models and variational inference: from a table to its groups, densities, gaps and odd rows.

The public names stand in ``__init__.pyi``; each is imported at its first use, so ``import tacit`` is quick.
"""

import lazy_loader

from tacit import late

__version__ = "0.1.0"
late.install()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
