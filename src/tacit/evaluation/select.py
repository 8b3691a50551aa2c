"""``select``: how many components, and which covariance structure."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from tacit import plots
from tacit.compute import double_precision
from tacit.data.dataset import Dataset
from tacit.estimators.base import Seed, seed_of, weighted
from tacit.estimators.capabilities import EmptiesItself, HasTopics, MatrixLike, can
from tacit.estimators.mixture.base import Search
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.starts import HIERARCHIES, Begin
from tacit.estimators.mixture.variational import VariationalMixture
from tacit.evaluation import _bounds
from tacit.evaluation.rows import fit_rows, fresh, score_rows
from tacit.evaluation.sweeping import BOUNDS, LIKELIHOODS, one_of, sweep
from tacit.evaluation.topic_selection import TopicSelection, select_topics
from tacit.families.covariance import STRUCTURES, canonical_name
from tacit.inference.closed_form import CONVERGED, INTERRUPTED
from tacit.inference.fit import Fit
from tacit.models.mixture.fitting import finished, floored, log_likelihoods, stacked

FOLDS = 5
FLOOR = 1e-8
"""Variance of the noise floor in units of that of the narrowest column, where no estimator is given."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """The chosen fit and all that it was chosen from.

    Attributes:
        best: the fitted estimator with the largest criterion of those that do not rest on their floor.
        table: a data frame, a row per candidate (of Bayesian mixtures n_components_used and bound stand in place of
            likelihood and criteria): n_components, covariance, log_likelihood, n_parameters, bic, icl,
            aic, held_out (nats a row; null unless asked for), converged, at_floor. Here ``bic = 2 log L − ν log N``,
            ``icl`` and ``aic = 2 log L − 2 ν`` are of the sign where larger is better; the estimators' own
            ``bic()`` and ``aic()`` have scikit-learn's, the opposite one. N is the sum of the weights.
        criterion: what was maximised.
    """

    best: Any
    table: pa.Table
    criterion: str

    def plot(self) -> Any:
        """A matplotlib ``Figure``: the criterion against the number of components, a line for every structure."""
        column = self.table.column(self.criterion.replace("-", "_"))
        values = np.array([np.nan if v is None else v for v in column.to_pylist()], float)
        floored = self.table.column("at_floor").to_numpy()
        return plots.candidates(
            self.table.column("n_components").to_numpy(),
            self.table.column("covariance").to_pylist(),
            values,
            at_floor=floored,
            chosen=int(np.nanargmax(np.where(floored, np.nan, values))),
            name=self.criterion.upper() if len(self.criterion) == 3 else self.criterion,
        )


@double_precision
def select(
    X: MatrixLike,
    components: Iterable[int] = range(1, 10),
    covariance: str | Sequence[str] | None = "all",
    criterion: str | None = None,
    *,
    estimator: BaseEstimator | None = None,
    n_init: int = 10,
    sample_weight: ArrayLike | None = None,
    random_state: Seed = None,
) -> Selection | TopicSelection:
    """Fit every number of components with every covariance structure, and choose.

    Half of a candidate's starts are made from the rows: three are hierarchical (Ward's on scaled principal components
    and on scaled columns, and one by the likelihood of Gaussians, as mclust's), the others k-means'. Half are what the
    best candidates of other structures and as many components say of the rows; with one structure there is no such
    half. Fits that rest on their floor are listed and never chosen. Ctrl-C ends the search with what has been fitted
    so far.

    Other models that have a number of components (clusters, dimensions of a code, topics) are fitted with each of them
    from one seed, and the best once more to all rows. Rows to fit are taken as they are, and there are no structures.

    Args:
        X: rows ``(n, d)``, as the estimator takes them.
        components: the numbers of components to try.
        covariance: "all" fourteen structures, a list of them, or None to keep the estimator's.
        criterion: "bic", "icl", "aic" or "held-out" (log-likelihood a row over five folds); of a Bayesian mixture
            "bound" (on the log evidence, in nats) or "held-out"; of k-means "silhouette" (the simplified one, −1 to
            1), of other densities "held-out" (a tenth of the rows), of topics as in `tacit.select_topics`. The first
            of these if None.
        estimator: any mixture, or another model that has a number of components; its other settings stay. A
            ``GaussianMixture`` with a floor relative to the data if None.
        n_init: starts of every candidate of a mixture, of both halves together.
        sample_weight: a weight a row.
        random_state: seed.

    Raises:
        ValueError: no candidate, or each rests on its floor or has failed; a model without a number of components.
    """
    numbers = _numbers(components)
    if estimator is not None and not isinstance(estimator, LikelihoodMixture | VariationalMixture):
        return _of_others(X, numbers.tolist(), criterion, estimator, sample_weight, random_state)
    criterion = one_of(BOUNDS if isinstance(estimator, EmptiesItself) else LIKELIHOODS, criterion)
    base = clone(estimator) if estimator is not None else GaussianMixture(tol=1e-5, max_iter=500)
    base.set_params(random_state=random_state, n_components=int(numbers[0]))
    rows = weighted(base.read(X, reset=True, minimum=2), sample_weight)
    if numbers[0] > len(rows):
        raise ValueError(f"components begins at {numbers[0]}, and there are only {len(rows)} rows")
    numbers = numbers[numbers <= len(rows)]
    if estimator is None:
        base.set_params(reg_covar=FLOOR * rows.moments().least_variance)
    base.check_settings()
    if isinstance(base, VariationalMixture):
        return _by_bound(base, covariance, rows, numbers, n_init, criterion)
    candidates = _searched(base, _structures(base, covariance, rows.shape[1]), rows, numbers, n_init)
    if criterion == "held-out":
        for candidate in candidates:
            candidate.row["held_out"] = _held_out(candidate.unfitted(), rows)
    return _choose(candidates, criterion)


def _numbers(components: Iterable[int]) -> np.ndarray:
    """The numbers of components in increasing order."""
    numbers = np.array(sorted({int(k) for k in components}))
    if numbers.size == 0 or numbers[0] < 1:
        raise ValueError(f"components must be whole numbers of at least 1, got {list(numbers)}")
    return numbers


def _of_others(
    X: MatrixLike,
    numbers: list[int],
    criterion: str | None,
    estimator: BaseEstimator,
    sample_weight: ArrayLike | None,
    random_state: Seed,
) -> Selection | TopicSelection:
    """The choice among fits of what is no mixture."""
    if not can(estimator, HasTopics):
        best, lines, chosen = sweep(X, numbers, criterion, estimator, sample_weight, random_state)
        return Selection(best, pa.Table.from_pylist(lines), chosen)
    if sample_weight is not None:
        raise ValueError("documents of a topic model have no weights")
    return select_topics(X, numbers, criterion or "completion", estimator=estimator, random_state=random_state)


def _by_bound(
    base: VariationalMixture,
    covariance: str | Sequence[str] | None,
    rows: Dataset,
    numbers: np.ndarray,
    n_init: int,
    criterion: str,
) -> Selection:
    """The fit whose bound on the log evidence, or held-out score, is the largest."""
    found = _bounds.candidates(base, covariance, rows, numbers, n_init)
    if criterion == "held-out":
        for row, model in found:
            row["held_out"] = _held_out(model, rows)
    values = [row[criterion.replace("-", "_")] for row, _ in found]
    return Selection(
        found[int(np.argmax(np.nan_to_num(values, nan=-np.inf)))][1],
        pa.Table.from_pylist([row for row, _ in found]),
        criterion,
    )


class FittedCandidate(NamedTuple):
    """A row of the table and what its estimator is made from, if it is chosen."""

    row: dict[str, Any]
    searcher: LikelihoodMixture
    """The estimator that searched: this structure, the most components."""
    search: Search
    fit: Fit

    def unfitted(self) -> LikelihoodMixture:
        """The estimator of this candidate, which has seen the rows' names and kinds."""
        return fresh(self.searcher).set_params(n_components=self.row["n_components"])


def _choose(candidates: list[FittedCandidate], criterion: str) -> Selection:
    """The candidate of the largest criterion that does not rest on its floor, fitted, beside the table of all."""
    column = criterion.replace("-", "_")
    values = [c.row[column] if not c.row["at_floor"] else np.nan for c in candidates]
    if np.isnan(values).all():
        raise ValueError(
            "no candidate is sound: all rest on the floor of their variances or failed; try fewer components"
        )
    chosen = candidates[int(np.nanargmax(values))]
    best = chosen.unfitted()
    best.keep(chosen.search, chosen.fit)
    return Selection(best, pa.Table.from_pylist([c.row for c in candidates]), criterion)


def _structures(base: LikelihoodMixture, covariance: str | Sequence[str] | None, dims: int) -> list[str | None]:
    if covariance is None or "covariance_type" not in base.get_params(deep=False):
        return [None]
    wanted = [name for name in STRUCTURES if len(name) == 3] if covariance == "all" else covariance
    wanted = [wanted] if isinstance(wanted, str) else wanted
    distinct = dict.fromkeys(canonical_name(name, dims) for name in wanted)
    return list(distinct)


def _searched(
    base: LikelihoodMixture,
    structures: list[str | None],
    rows: Dataset,
    numbers: np.ndarray,
    n_init: int,
) -> list[FittedCandidate]:
    """Every candidate, from starts of its own and then from what the others found."""
    first = n_init if len(structures) == 1 else -(-n_init // 2)
    methods: list[Begin] = [*HIERARCHIES, *["kmeans"] * n_init]
    candidates: list[FittedCandidate] = []
    for structure in structures:
        candidates += _candidates(base, structure, rows, numbers, [methods[:first]] * numbers.size)
        if _interrupted(candidates):
            return candidates
    return candidates if n_init == first else _crossed(base, candidates, rows, numbers, n_init - first)


def _interrupted(candidates: list[FittedCandidate]) -> bool:
    return any(candidate.fit.status == INTERRUPTED for candidate in candidates)


def _crossed(
    base: LikelihoodMixture,
    candidates: list[FittedCandidate],
    rows: Dataset,
    numbers: np.ndarray,
    n_init: int,
) -> list[FittedCandidate]:
    """Every structure begun again from what the best others of as many components say of the rows.

    A structure's own starts may all end in a poor maximum; that of another is seldom poor in the same way.
    """
    ranked = sorted(candidates, key=_worth, reverse=True)
    best = {(c.row["covariance"], c.row["n_components"]): c for c in candidates}
    for structure in dict.fromkeys(c.row["covariance"] for c in candidates):
        methods: list[Sequence[Begin]] = []
        for number in numbers:
            others = [c for c in ranked if c.row["n_components"] == number and c.row["covariance"] != structure]
            models = [finished(c.fit.model, c.search.view) for c in others[:n_init]]
            methods.append([*models, *["kmeans"] * (n_init - len(models))])
        again = _candidates(base, structure, rows, numbers, methods)
        for candidate in again:
            key = structure, candidate.row["n_components"]
            best[key] = max(best[key], candidate, key=_worth)
        if _interrupted(again):
            break
    return list(best.values())


def _worth(candidate: FittedCandidate) -> tuple[bool, float]:
    """A sound fit is worth more than one on its floor; then the likelihood counts."""
    value = candidate.row["log_likelihood"]
    return not candidate.row["at_floor"], -np.inf if np.isnan(value) else value


def _candidates(
    base: LikelihoodMixture,
    structure: str | None,
    rows: Dataset,
    numbers: np.ndarray,
    methods: Sequence[Sequence[Begin]],
) -> list[FittedCandidate]:
    """The candidates of one structure, one for every number of components, each with its own starts."""
    widest = fresh(base).set_params(n_components=int(numbers[-1]))
    if structure is not None:
        widest.set_params(covariance_type=structure)
    starts = np.repeat(numbers, [len(each) for each in methods])
    search = widest.search(rows, int(numbers[-1]), starts, [one for each in methods for one in each])
    totals, assigned = log_likelihoods(stacked([f.model for f in search.fits]), search.data, search.view)
    name = widest.get_params(deep=False).get("covariance_type", "")
    return [
        FittedCandidate(_row(search, fit, int(number), name, float(total), float(hard - total)), widest, search, fit)
        for number, fit, total, hard in zip(numbers, search.fits, totals, assigned, strict=True)
    ]


def _row(search: Search, fit: Fit, number: int, structure: str, total: float, assigned: float) -> dict[str, Any]:
    """A line of the table; ``total`` is Σ log p in the view, ``assigned`` is Σ log max_k r."""
    model = finished(fit.model, search.view)
    log_likelihood, parameters = total + search.jacobian(), model.n_parameters()
    bic = 2.0 * log_likelihood - parameters * float(np.log(search.data.total_weight))
    return {
        "n_components": number,
        "covariance": structure,
        "log_likelihood": log_likelihood,
        "n_parameters": parameters,
        "bic": bic,
        "icl": bic + 2.0 * assigned,
        "aic": 2.0 * log_likelihood - 2.0 * parameters,
        "held_out": None,
        "converged": fit.status == CONVERGED,
        "at_floor": bool(floored(model)),
    }


def _held_out(candidate: LikelihoodMixture | VariationalMixture, rows: Dataset) -> float:
    """Mean log-likelihood a row, each fold scored by the fit of the others."""
    fold = seed_of(candidate.random_state).permutation(len(rows)) % FOLDS
    total, weights = 0.0, rows.weights
    for number in range(FOLDS):
        model = fresh(candidate)
        fit_rows(model, rows.take(fold != number), weights[fold != number])
        total += float(weights[fold == number] @ score_rows(model, rows.take(fold == number)))
    return total / float(weights.sum())
