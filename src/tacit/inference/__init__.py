"""Floor 3: the two drivers. Those modules that need an optimiser are imported when they are first asked for here."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
