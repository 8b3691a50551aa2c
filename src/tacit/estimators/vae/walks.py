"""Walks through the codes of a fitted deep model: from row to row, along one dimension, over a grid."""

from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.utils.metaestimators import available_if

from tacit.estimators.base import check_whole, unmasked
from tacit.estimators.capabilities import Walks
from tacit.estimators.vae.answers import DeepAnswers


def _has_continuous_code(estimator: Any) -> bool:
    if Walks in estimator.lacks():
        raise AttributeError("only a continuous code can be moved along a line, and that of this model is discrete")
    return True


class DeepWalks(DeepAnswers, Walks):
    """The answers, and rows of codes that are moved."""

    @available_if(_has_continuous_code)
    def interpolate(self, a: Any, b: Any, n: int = 10, *, given: Any = None) -> np.ndarray:
        """Rows on the straight way from one row's code to another's, ``(n, …)``, both ends included."""
        check_whole("n", n, 1)
        ends = self.transform(np.stack([np.asarray(unmasked(end, gaps=True)) for end in (a, b)]), given=given)
        share = np.linspace(0.0, 1.0, n)[:, None]
        return self.inverse_transform((1.0 - share) * ends[0] + share * ends[1], given=given)

    @available_if(_has_continuous_code)
    def traverse(self, x: Any, dim: int, values: Any = None, *, given: Any = None) -> np.ndarray:
        """A row as one latent dimension is moved from −3 to 3 (or over ``values``) and the others stay."""
        self._check_dim(dim)
        steps = np.linspace(-3.0, 3.0, 9) if values is None else np.asarray(values, float)
        latent = np.repeat(self.transform(np.asarray(unmasked(x, gaps=True))[None], given=given), steps.size, axis=0)
        latent[:, dim] = steps
        return self.inverse_transform(latent, given=given)

    @available_if(_has_continuous_code)
    def manifold(self, grid: int = 20, dims: tuple[int, int] = (0, 1), *, given: Any = None) -> np.ndarray:
        """``E[x|z]`` for z on the grid of the prior's quantiles, ``(grid, grid, …)`` (Kingma & Welling 2014).

        The quantiles are those of a standard normal; dimensions other than ``dims`` stay at 0.
        """
        check_whole("grid", grid, 1)
        if self._width == 1:
            raise ValueError("a manifold needs two latent dimensions, and this model has one: use traverse")
        for dim in dims:
            self._check_dim(dim)
        quantiles = ndtri((np.arange(grid) + 0.5) / grid)
        latent = np.zeros((grid * grid, self._width))
        latent[:, dims[1]] = np.tile(quantiles, grid)
        latent[:, dims[0]] = np.repeat(-quantiles, grid)
        return self.inverse_transform(latent, given=given).reshape(grid, grid, *self.event_shape_)

    def _check_dim(self, dim: int) -> None:
        if not 0 <= dim < self.visible_dims:
            raise ValueError(f"a dimension of z that the decoder sees is from 0 to {self.visible_dims - 1}, got {dim}")
