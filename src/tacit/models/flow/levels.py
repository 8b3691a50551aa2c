"""Which columns of numbers have levels, without what flows are made of: pictures of other models ask it too."""

import numpy as np

FEW_LEVELS = 20
"""A column of no more different values than this, five rows to each, has levels; so has one of whole numbers that come
twice each."""


def has_levels(values: np.ndarray, seen: np.ndarray) -> bool:
    """Whether values are of a column of levels; ``seen`` are the different ones."""
    if values.size < 5 * seen.size and not (values.size >= 50 and seen.size <= 2):
        return bool((seen == np.round(seen)).all() and 2 * seen.size <= values.size)
    return seen.size <= FEW_LEVELS or bool((seen == np.round(seen)).all())
