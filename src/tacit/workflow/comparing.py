"""Models side by side on rows that none of them has seen."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import get_tags

from tacit import registry
from tacit.compute import compilation_cache
from tacit.data.dataset import Values
from tacit.data.schema import Schema
from tacit.data.sequenced import SequencedRows
from tacit.estimators.capabilities import MatrixLike, Measures, ReadsKinds, Scores, TakesDatasets, can
from tacit.estimators.measure import Measure
from tacit.estimators.sequence.reading import ReadsSequences
from tacit.estimators.settings import Estimator
from tacit.evaluation.baseline import INDEPENDENT
from tacit.evaluation.compare import Comparison
from tacit.evaluation.compare import compare as cross_validated
from tacit.evaluation.measure import measure
from tacit.inference.watch import watch
from tacit.workflow.choosing import Plan, choose, plan
from tacit.workflow.errors import RequestError
from tacit.workflow.events import SILENT, DataRead, Observer
from tacit.workflow.feeding import feed
from tacit.workflow.settings import known_settings, model_name, named, parse
from tacit.workflow.sources import DataSource, Rows
from tacit.workflow.texts import wanted

ONE_GROUP = ("mixture", ["components=1"])
"""Every column by itself: what "independent" means of a table with columns of many kinds."""


class PlannedEstimator(Measures, TakesDatasets, DensityMixin, BaseEstimator):
    """A plan as an estimator: what it leaves open is chosen at every fit, from the rows of that fit alone.

    Args:
        plan: what to fit, and what to choose.
        schema: the columns of the rows; None for images.
        observer: who is told how it goes.
    """

    def __init__(self, plan: Plan, schema: Schema | None, observer: Observer) -> None:
        self.plan = plan
        self.schema = schema
        self.observer = observer

    def fit(self, X: Values, y: object = None) -> Self:
        """Choose and fit; raises `KeyboardInterrupt` where it is stopped, for a part of a fold is no result."""
        chosen = choose(self.plan, X, self.schema, self.observer)
        if self.observer.stopped():
            raise KeyboardInterrupt
        self.best_ = chosen.estimator
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """Log-density of rows, in nats."""
        return np.asarray(self.best_.score_samples(feed(self.best_, X, self.schema)), np.float64)

    def base_measure(self) -> Measure:
        """What ``score_samples`` is of each column: a density or a probability."""
        return measure(self.best_)

    def __sklearn_clone__(self) -> Self:
        return type(self)(self.plan, self.schema, self.observer)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags


@dataclasses.dataclass(frozen=True)
class CompareRequest:
    """What is to be compared on what.

    Attributes:
        source: where the rows are.
        models: names with settings, such as ``mixture,mixture:components=3``; None for all that suit the rows.
        settings: of all of them, texts such as ``tol=1e-4``.
        folds: how many parts the rows are cut into.
        seed: what everything random depends on.
    """

    source: DataSource
    models: str | None = None
    settings: tuple[str, ...] = ()
    folds: int = 5
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Contest:
    """Models that are ready to be compared on rows.

    Attributes:
        request: what was asked.
        rows: those that are cut into folds.
        plans: what competes, by the words that were typed.
    """

    request: CompareRequest
    rows: Rows
    plans: Mapping[str, Plan]


@compilation_cache()
def prepare(request: CompareRequest, observer: Observer) -> Contest:
    """Read the rows and settle which models are compared."""
    common = parse(request.settings)
    asked = None if request.models is None else _asked(request.models)
    source = request.source
    rows = source.load(corpus=_of_documents(source, asked))
    observer.tell(DataRead(rows))
    plans = (
        _suitable(rows, common, request.seed)
        if asked is None
        else {label: _plan(rows, name, common | own, request.seed) for label, (name, own) in asked.items()}
    )
    _check_pixels(plans)
    return Contest(request, rows, plans)


@compilation_cache()
def run(contest: Contest, observer: Observer) -> Comparison:
    """Cross-validate the models; raises `KeyboardInterrupt` where it is stopped."""
    with watch(observer):
        candidates = {
            label: PlannedEstimator(each, contest.rows.schema, observer) for label, each in contest.plans.items()
        }
        return cross_validated(contest.rows.data, candidates, contest.request.folds, random_state=contest.request.seed)


def compare(request: CompareRequest, observer: Observer = SILENT) -> Comparison:
    """Cross-validate models on the same rows, and give how each did."""
    return run(prepare(request, observer), observer)


def _of_documents(source: DataSource, asked: Mapping[str, tuple[str, Any]] | None) -> bool:
    """Whether the models compared, all or none of them topic models, read documents."""
    models = [name for name, _ in (asked or {}).values()]
    if len({registry.entry(name).reads for name in models}) > 1:
        raise RequestError(
            "topic models read documents and the others do not: they cannot be compared on the same rows."
        )
    return wanted(source.path, source.text_options, models[0] if models else None)


def _asked(text: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """``mixture,mixture:components=3`` as names and settings, by the words that were typed."""
    found = {}
    for part in (part.strip() for part in text.split(",")):
        if "=" in part and ":" not in part:
            raise RequestError(f"--models {part!r} is not understood; settings follow a name: mixture:components=3.")
        name, *own = part.split(":")
        name = model_name(name)
        if part == INDEPENDENT:
            name, own = ONE_GROUP
        known_settings(name)
        if part in found:
            raise RequestError(f"--models names {part!r} twice.")
        found[part] = (name, parse(own))
        named(*found[part])
    return found


def _plan(rows: Rows, name: str, given: Mapping[str, Any], seed: int) -> Plan:
    found = None
    if registry.entry(name).supervised:
        raise RequestError(
            f"{name} learns one column from the others, and densities of whole rows are what is compared. Fit each "
            "such model with --target and the same --seed: their scores on the rows kept aside can be compared."
        )
    if can(registry.get(name), Scores):
        found = plan(rows.data, rows.schema, name, given, criterion=None, seed=seed, structures=False)
    if found is None or not can(found.estimator, Scores):
        raise RequestError(f"{name} gives rows no density, and nats are all that is compared.")
    return found


def _check_pixels(plans: Mapping[str, Plan]) -> None:
    """Refuse models of which some see black and white and others grey."""
    seen = {label: each.estimator.get_params(deep=False).get("binarize") for label, each in plans.items()}
    (first, one), *others = seen.items()
    for second, other in others:
        if (one is None) != (other is None):
            grey, black = (first, second) if one is None else (second, first)
            raise RequestError(
                f"{black!r} is fitted to black and white pixels and {grey!r} to grey ones: their nats are not of "
                "the same thing. Set binarize for all: --set binarize=stochastic."
            )


def _suitable(rows: Rows, common: Mapping[str, Any], seed: int) -> dict[str, Plan]:
    """Every model with densities that can take the table; those given a row's total are another thing.

    A deep model is put beside one in which every column stands by itself.
    """
    found = {}
    for name in registry.names():
        if name in ("multinomial-mixture", "latent-class"):  # the latter is the mixture under another name
            continue
        if issubclass(registry.get(name), ReadsSequences) != isinstance(rows.data, SequencedRows):
            continue  # rows of a table have no order, and those of sequences have one
        try:
            asked = _plan(rows, name, common, seed)
        except RequestError:
            continue
        if rows.schema is None or _suits(asked.estimator, rows.schema):
            found[name] = asked
    if rows.schema is not None and any(each.estimator.scores_are_bounds for each in found.values()):
        name, own = ONE_GROUP
        found[INDEPENDENT] = _plan(rows, name, parse(own), seed)
    if not found:
        raise RequestError("no model of `tacit models` suits this table with these settings.")
    return found


def _suits(estimator: Estimator, schema: Schema) -> bool:
    """Whether a model gives every column what its kind has: a density, or the probability of a count.

    One that does not look at kinds takes counts alone, or gives densities to all.
    """
    counts = [kind == "count" for kind in schema.kinds]
    if can(estimator, ReadsKinds):
        return True
    return all(counts) if get_tags(estimator).input_tags.positive_only else not any(counts)
