"""Replicates of rows: the same rows counted anew, or new rows from the fit with the same gaps."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from tacit.data.dataset import Dataset, DenseRows
from tacit.estimators.capabilities import Samples, can
from tacit.models.mixture.model import MixtureModel


class Replicator:
    """Draws rows and weights of one replicate after another, all of one shape, so that nothing is compiled twice."""

    def __init__(self, estimator: BaseEstimator, rows: Dataset, method: str, random: np.random.Generator) -> None:
        self.rows, self.weights, self.random = rows, rows.weights, random
        self.number = round(rows.total_weight)
        if self.number < 1:
            raise ValueError(f"sample_weight sums to {rows.total_weight:g}: a replicate needs at least one row")
        self.sampler = _sampler(estimator, random) if method == "parametric" else None

    def draw(self) -> tuple[Dataset, np.ndarray]:
        """Rows and weights of a replicate."""
        if self.sampler is None:
            total = self.weights.sum()
            counts = self.random.multinomial(self.number, self.weights / total)
            return self.rows, counts * (total / self.number)
        model: MixtureModel = self.sampler.model_
        like = self.random.permutation(copies(self.weights, self.number))
        totals = _totals(model, self.rows, like)
        drawn, _ = self.sampler.sample(self.number, **({} if totals is None else {"totals": totals}))
        if not self.rows.complete:
            drawn = np.where(np.isnan(self.rows.rows(like)), np.nan, drawn)
        return DenseRows(np.asarray(drawn, np.float64)), np.ones(self.number)


def _sampler(estimator: BaseEstimator, random: np.random.Generator) -> Any:
    able = can(estimator, Samples)
    if not able:
        raise ValueError(f"{type(estimator).__name__} has no sample: method='parametric' draws rows from the fit")
    return estimator.set_params(random_state=random)


def copies(weights: np.ndarray, number: int) -> np.ndarray:
    """``number`` rows by their weights, as evenly as whole numbers allow: each row once where all weights are 1."""
    ends = np.round(np.cumsum(weights) * (number / weights.sum()), 6)
    return np.minimum(np.searchsorted(ends, np.arange(number) + 0.5), weights.size - 1)


def _totals(model: MixtureModel, rows: Dataset, like: np.ndarray) -> np.ndarray | None:
    """The totals of every multinomial group, ``[number, groups]``, as some rows have them; 0 where one is missing."""
    found = []
    for group in model.groups:
        if group.given_total:
            index = list(group.columns)
            total = np.concatenate([part[:, index].sum(axis=1) for _, part in rows.slices()])
            found.append(np.nan_to_num(total)[like])
    return np.stack(found, axis=1) if found else None
