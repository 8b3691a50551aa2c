"""``select``: how many components, and which covariance structure."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from tacit import plots
from tacit.compute import double_precision
from tacit.data.dataset import Dataset
from tacit.data.results import TableResult
from tacit.estimators.base import Seed, check_choice, check_whole, seed_of, weighted
from tacit.estimators.capabilities import EmptiesItself, HasTopics, MatrixLike, Restarts, can
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.factors import CONSTRAINTS, MixtureOfFactorAnalysers
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.parameters import NATIVE
from tacit.estimators.mixture.variational import VariationalMixture
from tacit.evaluation import race
from tacit.evaluation.race import EFFORTS
from tacit.evaluation.rows import fit_rows, fresh, score_rows, weights_at
from tacit.evaluation.spreading import every, read_if_few
from tacit.evaluation.sweeping import BOUNDS, LIKELIHOODS, one_of, sweep
from tacit.evaluation.topic_selection import TopicSelection, select_topics
from tacit.families.covariance import STRUCTURES, canonical_name

FOLDS = 5
FLOOR = 1e-8
"""Variance of the noise floor in units of that of the narrowest column, where no estimator is given."""


@dataclasses.dataclass(frozen=True)
class Selection(TableResult):
    """The chosen fit and all that it was chosen from.

    Attributes:
        best: the fitted estimator with the largest criterion of those that do not rest on their floor (where all do,
            the likeliest of one component, which warns).
        table: a data frame, a row per candidate (of Bayesian mixtures n_components_used and bound stand in place of
            likelihood and criteria): n_components, covariance, log_likelihood, n_parameters, bic, icl, aic, held_out
            (nats a row; null unless asked for), converged, at_floor, outpaced (left on the way, because it could no
            longer win: it has no criteria, but in log_likelihood_so_far what it had come to). Here
            ``bic = 2 log L − ν log N``, ``icl`` and ``aic = 2 log L − 2 ν`` are of the sign where larger is better; the
            estimators' own ``bic()`` and ``aic()`` have scikit-learn's, the opposite one. N is the sum of the weights.
        criterion: what was maximised.
    """

    best: Any
    table: pa.Table
    criterion: str

    def to_arrow(self) -> pa.Table:
        """The candidates."""
        return self.table

    def headline(self) -> str:
        """What was chosen."""
        kind = vars(self.best).get("covariance_type")
        chosen = f"n_components={self.best.n_components}" if "n_components" in vars(self.best) else str(self.best)
        return f"Selection by {self.criterion}: {chosen}{'' if kind is None else f', {kind}'}"

    @property
    def worth(self) -> float:
        """The criterion of the chosen fit; −∞ where all rest on their floor."""
        column, floored = self.criterion.replace("-", "_"), self.table.column("at_floor").to_pylist()
        values = zip(self.table.column(column).to_pylist(), floored, strict=True)
        return max((value for value, floor in values if value is not None and not floor), default=-np.inf)

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
            chosen=None if np.isnan(sound := np.where(floored, np.nan, values)).all() else int(np.nanargmax(sound)),
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
    effort: str = "usual",
    sample_weight: ArrayLike | None = None,
    random_state: Seed = None,
) -> Selection | TopicSelection:
    """Fit every number of components with every covariance structure, by an engine if there is one, and choose.

    A candidate's starts are made from the rows: three are hierarchical (Ward's on scaled principal components and on
    scaled columns, and one by the likelihood of Gaussians, as mclust's), the others k-means'. Half as many are what the
    best candidates of other structures and as many components say of the rows. (With ``effort="thorough"`` both halves
    together are ``n_init``; with one structure there are none of others.) Candidates race: see ``effort``. Fits that
    rest on their floor are listed and not chosen (but where all do). Ctrl-C ends the search with what there is by then.

    Other models that have a number of components (clusters, dimensions of a code, topics) are fitted with each of them
    from one seed, and the best once more to all rows. Rows to fit are taken as they are, and there are no structures.

    Args:
        X: rows ``(n, d)``, as the estimator takes them.
        components: the numbers of components to try.
        covariance: "all" fourteen structures, a list of them (of planes: "UUU", "UCU-2"), or None for the estimator's.
        criterion: "bic", "icl", "aic" or "held-out" (log-likelihood a row over five folds); of a Bayesian mixture
            "bound" (on the log evidence, in nats) or "held-out"; of k-means "silhouette" (the simplified one, −1 to
            1); of factors "bic", "aic", "held-out" or "parallel" (eigenvalues above those of noise, summed; one fit),
            of other densities "held-out" (a tenth of the rows); of topics as in `tacit.select_topics`. First if None.
        estimator: any mixture, or another model that has a number of components; its other settings stay. A
            ``GaussianMixture`` with a floor relative to the data if None.
        n_init: starts of every candidate of a mixture, 1 or more.
        effort: how hard to look among mixtures. "usual": all candidates are fitted some iterations, and only those that
            can still win go on, with all of the structure that wins; the others are marked as ``outpaced``. "quick":
            fewer iterations, no starts from what others found; the best maximum is missed more often. "thorough": every
            start goes to its end, as it always does where held-out rows decide.
        sample_weight: a weight a row.
        random_state: seed.

    Raises:
        ValueError: no candidate, or each rests on its floor (and none has one component) or has failed; a model without
            a number of components.
    """
    numbers = _numbers(components)
    if estimator is not None and not _raced(estimator):
        return _of_others(read_if_few(X), numbers.tolist(), criterion, estimator, sample_weight, random_state)
    check_choice("effort", effort, tuple(EFFORTS))
    criterion = one_of(BOUNDS if isinstance(estimator, EmptiesItself) else LIKELIHOODS, criterion)
    base = clone(estimator) if estimator is not None else GaussianMixture(tol=1e-5, max_iter=500)
    base.set_params(random_state=random_state, n_components=int(numbers[0]))
    rows = weighted(base.read(read_if_few(X), reset=True, minimum=2), sample_weight)
    numbers = _at_most(numbers, len(rows))
    if estimator is None:
        base.set_params(reg_covar=FLOOR * rows.moments().least_variance)
    base.check_settings()
    if isinstance(base, VariationalMixture):
        return _by_bound(base, covariance, rows, numbers, n_init, criterion)
    return _by_likelihood(base, covariance, rows, numbers.tolist(), n_init, criterion, effort)


def _raced(estimator: BaseEstimator) -> bool:
    """Whether it is a mixture that fits many candidates side by side."""
    known = isinstance(estimator, LikelihoodMixture) and can(estimator, Restarts)
    return known or isinstance(estimator, VariationalMixture)


def _numbers(components: Iterable[int]) -> np.ndarray:
    """The numbers of components in increasing order."""
    numbers = np.array(sorted({int(k) for k in components}))
    if numbers.size == 0 or numbers[0] < 1:
        raise ValueError(f"components must be whole numbers of at least 1, got {list(numbers)}")
    return numbers


def _at_most(numbers: np.ndarray, rows: int) -> np.ndarray:
    """Those that so many rows can have."""
    if numbers[0] > rows:
        raise ValueError(f"components begins at {numbers[0]}, and there are only {rows} rows")
    return numbers[numbers <= rows]


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


def _by_likelihood(
    base: LikelihoodMixture,
    covariance: str | Sequence[str] | None,
    rows: Dataset,
    numbers: Sequence[int],
    n_init: int,
    criterion: str,
    effort: str,
) -> Selection:
    """The fit of the largest criterion; they race where exact steps are taken, and unseen rows do not decide."""
    check_whole("n_init", n_init, 1)
    held_out = criterion == "held-out"
    whole = held_out or base.inference not in ("em", "hard-em")
    hard = EFFORTS["thorough" if whole else effort]
    structures = _structures(base, covariance, rows.shape[1])
    candidates = race.candidates(base, structures, rows, numbers, n_init, hard, "bic" if held_out else criterion)
    if held_out:
        found = _held_outs([candidate.unfitted() for candidate in candidates], rows)
        for candidate, value in zip(candidates, found, strict=True):
            candidate.row["held_out"] = value
    return _choose(candidates, criterion)


def _by_bound(
    base: VariationalMixture,
    covariance: str | Sequence[str] | None,
    rows: Dataset,
    numbers: np.ndarray,
    n_init: int,
    criterion: str,
) -> Selection:
    """The fit whose bound on the log evidence, or held-out score, is the largest."""
    found = _by_bounds(base, covariance, rows, numbers, n_init)
    if criterion == "held-out":
        for (row, _), value in zip(found, _held_outs([model for _, model in found], rows), strict=True):
            row["held_out"] = value
    values = [row[criterion.replace("-", "_")] for row, _ in found]
    return Selection(
        found[int(np.argmax(np.nan_to_num(values, nan=-np.inf)))][1],
        pa.Table.from_pylist([row for row, _ in found]),
        criterion,
    )


def _choose(candidates: list[race.FittedCandidate], criterion: str) -> Selection:
    """The candidate of the largest criterion that does not rest on its floor, fitted, beside the table of all.

    Where all rest on it, one component among them, the rows lie in a plane: the floor is then what makes a density of
    them. The likeliest fit of one component is taken, and warns.
    """
    column = criterion.replace("-", "_")
    table = pa.Table.from_pylist([c.row for c in candidates])
    values = [np.nan if c.row["at_floor"] or c.row[column] is None else c.row[column] for c in candidates]
    if np.isnan(values).all():
        best = _at_floor(candidates).unfitted()
        best.fit_read(candidates[0].search.rows)
        return Selection(best, table, criterion)
    chosen = candidates[int(np.nanargmax(values))]
    best = chosen.unfitted()
    best.keep(chosen.search, chosen.fit)
    return Selection(best, table, criterion)


def _at_floor(candidates: list[race.FittedCandidate]) -> race.FittedCandidate:
    """Of fits that all rest on their floor, the likeliest of one component."""
    found = []
    for candidate in candidates:
        row = candidate.row
        value = row["log_likelihood_so_far"] if row["log_likelihood"] is None else row["log_likelihood"]
        if row["n_components"] == 1 and value is not None and np.isfinite(value):
            found.append((value, candidate))
    if not found:
        raise ValueError(
            "no candidate is sound: all rest on the floor of their variances or failed; try fewer components"
        )
    return max(found, key=lambda each: each[0])[1]


def _structures(base: LikelihoodMixture, covariance: str | Sequence[str] | None, dims: int) -> list[str | None]:
    if isinstance(base, MixtureOfFactorAnalysers):
        return _planes(base, covariance)
    if covariance is None or "covariance_type" not in base.get_params(deep=False):
        return [None]
    wanted = [name for name in STRUCTURES if len(name) == 3] if covariance == "all" else covariance
    wanted = [wanted] if isinstance(wanted, str) else wanted
    distinct = dict.fromkeys(canonical_name(name, dims) for name in wanted)
    return list(distinct)


def _planes(base: MixtureOfFactorAnalysers, given: str | Sequence[str] | None) -> list[str | None]:
    """Constraints of planes, each with a number of factors or with that of the estimator."""
    if given is None or given == "all":
        return [None]
    wanted = [given] if isinstance(given, str) else list(given)
    for name in wanted:
        constraints, sign, factors = name.partition("-")
        if constraints not in CONSTRAINTS or (sign and not factors.isdigit()):
            raise ValueError(
                f"{name!r} is no structure of a mixture of factor analysers: say one of {', '.join(CONSTRAINTS)}, and "
                "perhaps how many factors, as in 'UUC-3'"
            )
    return list(dict.fromkeys(wanted))


def _held_outs(candidates: Sequence[LikelihoodMixture | VariationalMixture], rows: Dataset) -> list[float]:
    """Mean log-likelihood a row of each, every fold scored by the fit of the others."""
    folds = [seed_of(candidate.random_state).permutation(len(rows)) % FOLDS for candidate in candidates]
    tasks = [
        (candidate, fold, number) for candidate, fold in zip(candidates, folds, strict=True) for number in range(FOLDS)
    ]
    found = np.array([*every(_fold_sum, tasks, (rows,), rows)]).reshape(len(candidates), FOLDS)
    return [float(sum(each) / rows.total_weight) for each in found.tolist()]


def _fold_sum(task: tuple[LikelihoodMixture | VariationalMixture, np.ndarray, int], rows: Dataset) -> float:
    """``Σ w log p`` of the rows of a fold under the fit to the others."""
    candidate, fold, number = task
    model, weights = fresh(candidate), rows.weights
    fit_rows(model, rows.take(fold != number), weights_at(weights, fold != number))
    return float(weights_at(weights, fold == number) @ score_rows(model, rows.take(fold == number)))


def _by_bounds(
    base: VariationalMixture,
    covariance: str | Sequence[str] | None,
    rows: Dataset,
    numbers: np.ndarray,
    n_init: int,
) -> list[tuple[dict[str, Any], VariationalMixture]]:
    """A line of the table and the fit of every structure with every number of components."""
    structures: list[str | None] = [None]
    if covariance is not None:
        named = [covariance] if isinstance(covariance, str) else covariance
        structures = [*NATIVE] if covariance == "all" else [*named]
    found: list[tuple[dict[str, Any], VariationalMixture]] = []
    models = []
    for structure in structures:
        for number in numbers:
            model = fresh(base).set_params(n_components=int(number), n_init=n_init)
            models.append(model if structure is None else model.set_params(covariance_type=structure))
    try:
        found.extend((_bound_row(model), model) for model in every(_fitted, models, (rows,), rows))
    except KeyboardInterrupt:
        if not found:
            raise
    return found


def _fitted(model: VariationalMixture, rows: Dataset) -> VariationalMixture:
    fit_rows(model, rows, rows.weights)
    return model


def _bound_row(model: VariationalMixture) -> dict[str, Any]:
    return {
        "n_components": int(model.n_components),
        "covariance": str(model.covariance_type),
        "bound": model.lower_bound_,
        "n_components_used": model.n_components_used_,
        "n_parameters": model.n_parameters_,
        "held_out": None,
        "converged": model.converged_,
        "at_floor": False,
    }
