"""Types of what people hand to estimators."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

TableLike = ArrayLike | sparse.sparray | sparse.spmatrix
"""Rows: an array, a frame, a list of lists, or a sparse matrix."""
Weights = ArrayLike | None
"""A weight a row; None: all alike."""
Given = ArrayLike | None
"""What rows are given, a line a row or one value for all; None: nothing."""
Seed = int | np.integer | np.random.Generator | np.random.RandomState | None
"""What all that is random follows from; None: another one every time."""
