"""How well a latent class model fits: G², X², entropies and criteria, as that field reports them."""

import dataclasses
import math

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int
from scipy.special import entr, gammaincc, logsumexp

from tacit.data.results import TableResult


@dataclasses.dataclass(frozen=True, eq=False)
class ClassFit(TableResult):
    """The fit of a latent class model.

    Attributes:
        log_likelihood: of all rows, in nats.
        n_parameters: free ones.
        n_rows: the sum of the weights.
        n_patterns: different complete rows that were seen.
        n_cells: rows that there could be; infinite where too many to be counted.
        degrees_of_freedom: the smaller of ``n_cells − 1`` and ``n_rows``, less the parameters; none are left below 1.
        g2, x2: likelihood ratio and Pearson's χ² of complete rows against expected ones; NaN without complete rows.
        g2_p, x2_p: the share of models that are right whose χ² is larger, where the expected counts are not small.
        entropy_r2: ``1 − Σ_n H(class | row n) / (N H(class))``: 1 where rows tell the classes, 0 where they do not.
        relative_entropy: the same beside ``log K`` in place of ``H(class)`` (Ramaswamy et al. 1993).
        bic, sabic, caic, aic: ``−2 log L`` plus ν times ``log N``, ``log((N + 2) / 24)`` (Sclove 1987),
            ``1 + log N`` (Bozdogan 1987), 2: lower is better.
    """

    log_likelihood: float
    n_parameters: int
    n_rows: float
    n_patterns: int
    n_cells: float
    degrees_of_freedom: float
    g2: float
    x2: float
    g2_p: float
    x2_p: float
    entropy_r2: float
    relative_entropy: float
    bic: float
    sabic: float
    caic: float
    aic: float

    def to_arrow(self) -> pa.Table:
        """A line a figure."""
        found = {field.name: float(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return pa.table({"figure": list(found), "value": list(found.values())})

    def headline(self) -> str:
        """The figures that are looked at first."""
        return (
            f"log-likelihood {self.log_likelihood:.3f}, G² {self.g2:.3f}, X² {self.x2:.3f}, "
            f"{self.degrees_of_freedom:.0f} degrees of freedom, BIC {self.bic:.2f}, entropy R² {self.entropy_r2:.3f}"
        )

    def __str__(self) -> str:
        return self.headline()


def class_fit(
    log_likelihood: float,
    n_parameters: int,
    items: Float[np.ndarray, "rows items"],
    weights: Float[np.ndarray, " rows"],
    levels: Int[np.ndarray, " items"],
    item_log_prob: Float[np.ndarray, "rows classes"],
    responsibilities: Float[np.ndarray, "rows classes"],
) -> ClassFit:
    """The figures.

    Complete rows are compared with those expected under the mean shares of the classes.

    Args:
        log_likelihood: of all rows.
        n_parameters: free ones.
        items: codes, NaN where missing.
        weights: of the rows.
        levels: of every item.
        item_log_prob: ``log p(items | class)``.
        responsibilities: ``p(class | row)``.
    """
    total = float(weights.sum())
    mean = weights @ responsibilities / total
    whole = ~np.isnan(items).any(1) & (weights > 0)
    cells = float(np.prod(levels.astype(np.float64))) if items.shape[1] < 1000 else math.inf
    patterns, g2, x2 = 0, math.nan, math.nan
    dof = min(cells - 1.0, total) - n_parameters
    if whole.any():
        different, first, place = np.unique(items[whole], axis=0, return_index=True, return_inverse=True)
        patterns = len(different)
        seen = np.bincount(place.ravel(), weights[whole])
        with np.errstate(divide="ignore", over="ignore"):  # a row may be impossible, or one of very many
            log_expected = np.log(seen.sum()) + logsumexp(item_log_prob[whole][first] + np.log(mean), axis=1)
            g2 = 2.0 * float((seen * (np.log(seen) - log_expected)).sum())
            expected = np.exp(log_expected)
            rest = max(float(seen.sum() - expected.sum()), 0.0)  # of cells where nothing was seen
            x2 = float((seen**2 / expected - 2.0 * seen + expected).sum()) + rest
    own = float(weights @ entr(responsibilities).sum(1))
    prior, classes = float(entr(mean).sum()), mean.size
    deviance, log_total = -2.0 * log_likelihood, math.log(total) if total > 0 else 0.0
    return ClassFit(
        log_likelihood,
        n_parameters,
        total,
        patterns,
        cells,
        dof,
        g2,
        x2,
        _tail(g2, dof),
        _tail(x2, dof),
        1.0 - own / (total * prior) if prior > 0 else math.nan,
        1.0 - own / (total * math.log(classes)) if classes > 1 else math.nan,
        deviance + n_parameters * log_total,
        deviance + n_parameters * math.log((total + 2.0) / 24.0),
        deviance + n_parameters * (log_total + 1.0),
        deviance + 2.0 * n_parameters,
    )


def _tail(value: float, dof: float) -> float:
    return float(gammaincc(0.5 * dof, 0.5 * value)) if dof > 0 and value >= 0 else math.nan
