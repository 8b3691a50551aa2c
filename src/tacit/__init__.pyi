# The public names. To add one: import it here from the module that defines it, add it to __all__,
# and give it a line in docs/api.md.
from . import datasets as datasets

__all__ = ["__version__", "datasets"]

__version__: str
