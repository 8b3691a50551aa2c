"""Which model, how many groups, which structure: what the user leaves open is tried and chosen."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, clone

from tacit import registry, workflow
from tacit.data.dataset import Values, dataset_of, some
from tacit.data.erring import ErringRows
from tacit.data.errors import listed
from tacit.data.schema import Column, Schema
from tacit.data.sequenced import SequencedRows
from tacit.estimators.capabilities import Assigns, ChoosesItsNumber, MatrixLike, ReadsKinds, can
from tacit.estimators.factors.capabilities import HasFactors
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.sequence.reading import ReadsSequences
from tacit.estimators.settings import Estimator
from tacit.evaluation.parallel_choice import PARALLEL
from tacit.evaluation.select import FLOOR, Selection, select
from tacit.evaluation.sweeping import LIKELIHOODS, criteria_of
from tacit.families.covariance import STRUCTURES, canonical_name
from tacit.workflow.errors import RequestError
from tacit.workflow.events import Observer
from tacit.workflow.feeding import IMAGE_MODEL, check_kinds, feed_fit, settle_families
from tacit.workflow.settings import check_number, group_setting, named, planes_of
from tacit.workflow.summary import ASKED
from tacit.workflow.supervised import check_columns, check_target, usual_model

STATES = tuple(range(1, 7))
"""The numbers of states of a chain that are tried where none is set."""
GROUPS = tuple(range(1, 10))
"""The numbers of groups that are tried where none is set."""
FEW_GROUPS = tuple(range(1, 5))
"""The same of models that try them without racing."""
FEW_COLUMNS = range(3, 101)
"""How many columns parallel analysis is made of; of more it takes long."""
CHOICE_ROWS = 20_000
"""More rows than this are not needed to choose: a sample decides, and the choice is fitted to all rows."""
RELATED = ("VVI", "EEE")
"""The structures that are tried of the continuous columns of a mixed table: unrelated within a group, or related alike
in all groups; --set covariance=all tries the others too."""
NEAR = 1
"""How far from the best number of groups of the first of these the second is tried."""
STARTS = 6
DEFAULTS = {"tol": 1e-5, "max_iter": 500}
"""In place of scikit-learn's, which stop early."""
TOPIC_ITERATIONS = 100
"""In place of scikit-learn's ten, after which the bound of a topic model still rises."""
SEQUENCES = "hidden-markov-model"
EMPTIES = "weight_concentration_prior_type"
"""A setting of the models whose surplus groups empty themselves."""
ALLOWED = 10
"""The groups that these are allowed where none are set."""
IMAGE_DRAWS = 100
"""Draws of z for the score of an image: networks of images are slow, and the score of all rows is asked for."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be fitted, and what is left to be chosen.

    Attributes:
        model: its name in the registry.
        why: why it is this one, in plain words.
        estimator: unfitted, with all settings that are not chosen.
        groups: the numbers of groups to try; empty where the model itself has the last word.
        structures: the covariance structures to try; None keeps the estimator's.
        given: what the user set, under the model's names.
        criterion: what chooses.
        effort: how hard to look for the best.
        starts: of every candidate.
        seed: what everything random depends on.
    """

    model: str
    why: str
    estimator: Estimator
    groups: tuple[int, ...]
    structures: tuple[str | None, ...]
    given: Mapping[str, Any]
    criterion: str
    effort: str
    starts: int
    seed: int

    @property
    def candidates(self) -> int:
        """How many fits compete."""
        return max(1, len(self.groups) * len(self.structures))

    @property
    def what(self) -> str:
        """What there may be more or fewer of."""
        if can(self.estimator, HasFactors):
            return "factor"
        return "group" if can(self.estimator, Assigns) else "dimension"


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The fit that was chosen, and what it was chosen from.

    Attributes:
        estimator: fitted.
        candidates: a mapping per candidate, as `tacit.evaluation.select` lists them; empty where nothing was chosen.
        sampled: how many rows the choice was made on, or None for all.
    """

    estimator: Estimator
    candidates: tuple[Mapping[str, Any], ...]
    sampled: int | None = None


def plan(
    values: Values,
    schema: Schema | None,
    model: str | None,
    given: Mapping[str, Any],
    *,
    criterion: str | None,
    seed: int,
    effort: str = "usual",
    structures: bool = True,
    target: Column | None = None,
) -> Plan:
    """Settle what can be settled before the first fit.

    Args:
        values: the rows to be fitted.
        schema: their columns; None for images and documents.
        model: a name of the registry, or None to choose by what the rows are.
        given: settings by plain or own names, from `tacit.workflow.settings.parse`.
        criterion: what chooses among candidates; None takes BIC, or of topics the completion of documents.
        seed: what everything random depends on.
        effort: how hard to look for the best candidate, as `tacit.select` takes it.
        structures: whether structures that are not set are tried too.
        target: the column to be predicted, or None.

    Raises:
        RequestError: a model, setting or criterion that does not exist, or does not suit the table.
    """
    name, why = _named(model, values, schema, target)
    own_names = named(name, given)
    chosen, kind = dict(own_names), registry.get(name)
    documents = registry.entry(name).reads == "documents"
    _check_rows(name, bare := _made(name, {}), values, schema, target)
    number = chosen.pop(group_setting(name) or "", None) or _usual_numbers(bare, values.shape[1])
    covariance, planes = chosen.pop("covariance_type", None), planes_of(chosen)
    own = _with_defaults(name, chosen, values, images=schema is None and not documents, scaled=target is not None)
    if "random_state" in registry.settings(name):
        own["random_state"] = seed
    mixture = issubclass(kind, LikelihoodMixture)
    selectable = mixture and "init_params" not in chosen
    sweeps = isinstance(number, list) and (documents or (not mixture and bool(criteria_of(bare))))
    criterion = _criterion(criterion, bare, schema, documents=documents, sweeps=sweeps)
    groups = _numbers(number, selectable or sweeps or can(bare, ChoosesItsNumber), name)
    tried: tuple[str | None, ...] = (None,)
    if sweeps:
        estimator = _made(name, own | ({} if covariance is None else {"covariance_type": covariance}))
    elif not selectable:
        settled = list(groups) if len(groups) > 1 else groups[0] if groups else None
        fixed = {group_setting(name): settled, "covariance_type": covariance}
        estimator = _made(name, own | {key: value for key, value in fixed.items() if key and value is not None})
        groups = ()
    else:
        estimator = _made(name, own)
        if isinstance(values, ErringRows) and covariance is None:
            covariance = [*workflow.choosing_errors.TRIED]
        tried = planes or _structures(name, estimator, covariance, schema, all_of_them=structures)
    _check_values(estimator)
    settle_families(estimator, values, schema)
    starts = int(chosen.get("n_init", STARTS))
    return Plan(name, why, estimator, groups, tried, own_names, criterion, effort, starts, seed)


def _usual_numbers(bare: Estimator, columns: int) -> list[int] | None:
    """The numbers of factors that are tried where none is set; None of a model without factors."""
    if can(bare, ReadsSequences) and can(bare, Assigns):
        return list(STATES)
    if can(bare, ChoosesItsNumber):
        return list(FEW_GROUPS)
    if not can(bare, HasFactors):
        return None
    return list(range(1, min(bare.most_factors(columns), len(GROUPS)) + 1))


def _named(model: str | None, values: Values, schema: Schema | None, target: Column | None) -> tuple[str, str]:
    """The model, and why it is this one."""
    if isinstance(values, ErringRows):
        return workflow.choosing_errors.check(model, schema), workflow.choosing_errors.WHY
    if isinstance(values, SequencedRows):
        return _of_sequences(model)
    return (model, ASKED) if model is not None else _by_kinds(values, schema, target)


def _of_sequences(model: str | None) -> tuple[str, str]:
    """The model of rows that follow one another, and why; raises `RequestError` for one that forgets their order."""
    if model is None:
        return SEQUENCES, "the rows are sequences"
    if not issubclass(registry.get(model), ReadsSequences):
        known = [name for name in registry.names() if issubclass(registry.get(name), ReadsSequences)]
        raise RequestError(f"{model} knows no order of rows; with --sequence take {listed(known)}, or leave it out.")
    return model, ASKED


def _check_rows(name: str, bare: Estimator, values: Values, schema: Schema | None, target: Column | None) -> None:
    """Refuse rows, or a column to be predicted, that the model cannot take."""
    check_target(name, bare, target)
    if target is None:
        check_kinds(name, bare, values, schema)
    else:
        check_columns(name, bare, schema)


def choose(
    plan: Plan, values: Values, schema: Schema | None, observer: Observer, vocabulary: Sequence[str] | None = None
) -> Chosen:
    """Fit every candidate and keep the best; many rows are chosen on a sample first.

    Raises:
        KeyboardInterrupt: it was stopped before there was anything to keep.
        ValueError: what is wrong with the rows or a setting, or that no candidate is sound.
    """
    if not plan.groups:
        estimator = clone(plan.estimator)
        observer.stage("Fitting")
        if vocabulary is not None:
            return Chosen(estimator.fit(values, vocabulary=vocabulary), ())
        X, weights = feed_fit(estimator, values, schema)
        return Chosen(_fitted(estimator, X, weights), ())
    if registry.entry(plan.model).reads == "documents":
        return workflow.choosing_topics.choose_topics(plan, values, observer, vocabulary)
    if isinstance(values, ErringRows):
        return workflow.choosing_errors.choose(plan, values, schema, observer)
    rows = values.shape[0]
    if plan.candidates == 1 or rows <= CHOICE_ROWS or isinstance(values, SequencedRows):
        return _sweep(plan, values, schema, observer)
    sample = np.sort(np.random.default_rng(plan.seed).choice(rows, CHOICE_ROWS, replace=False))
    found = _sweep(plan, some(values, sample), schema, observer)
    if observer.stopped():
        return dataclasses.replace(found, sampled=CHOICE_ROWS)
    best = dataclasses.replace(
        plan,
        groups=(found.estimator.number,),
        structures=(found.estimator.structure or None,) if isinstance(found.estimator, LikelihoodMixture) else (None,),
    )
    observer.stage("Fitting the choice to all rows")
    final = _sweep(best, values, schema, observer)
    return Chosen(final.estimator, found.candidates, CHOICE_ROWS)


def _sweep(plan: Plan, values: Values, schema: Schema | None, observer: Observer) -> Chosen:
    """All structures with all numbers of groups; once stopped, each fit that is left ends at once."""
    X, weights = feed_fit(plan.estimator, values, schema)
    observer.stage(_stage(plan))

    def selected(groups: Sequence[int], structures: Sequence[str | None]) -> Selection:
        found = select(
            X,
            groups,
            None if structures == (None,) else [each for each in structures if each is not None],
            plan.criterion,
            estimator=plan.estimator,
            n_init=plan.starts,
            effort=plan.effort,
            sample_weight=weights,
            random_state=plan.seed,
        )
        assert isinstance(found, Selection)  # documents go another way
        return found

    if plan.structures != RELATED:
        found = selected(plan.groups, plan.structures)
        return Chosen(found.best, tuple(found.table.to_pylist()))
    first = selected(plan.groups, RELATED[:1])
    near = [number for number in plan.groups if abs(number - first.best.number) <= NEAR]
    if observer.stopped():
        return Chosen(first.best, tuple(first.table.to_pylist()))
    second = selected(near, RELATED[1:])
    best = max((first, second), key=lambda each: each.worth)
    return Chosen(best.best, (*first.table.to_pylist(), *second.table.to_pylist()))


def _criterion(asked: str | None, bare: Estimator, schema: Schema | None, *, documents: bool, sweeps: bool) -> str:
    """What chooses among candidates; raises `RequestError` where there is no such criterion for the model."""
    known = criteria_of(bare) if sweeps else LIKELIHOODS
    known = workflow.choosing_topics.CRITERIA if documents else known
    if asked is None:
        counted = sweeps and can(bare, HasFactors) and schema is not None and len(schema) in FEW_COLUMNS
        return PARALLEL if counted and bare.has_correlations(schema) else known[0]
    if asked not in known:
        raise RequestError(f"--criterion {asked!r} does not exist; say one of {listed(known)}.")
    return asked


def _stage(plan: Plan) -> str:
    low, high = plan.groups[0], plan.groups[-1]
    numbers = f"{low} to {high} {plan.what}s" if len(plan.groups) > 1 else f"{low} {plan.what}" + "s" * (low > 1)
    return f"Trying {numbers}" + (f", {len(plan.structures)} structures" if len(plan.structures) > 1 else "")


def _fitted(estimator: Estimator, X: MatrixLike, weights: np.ndarray | None) -> Any:
    return estimator.fit(X) if weights is None else estimator.fit(X, sample_weight=weights)


def _by_kinds(values: Values, schema: Schema | None, target: Column | None) -> tuple[str, str]:
    """The model that suits the rows, and why."""
    if target is not None:
        return usual_model(target)
    if schema is None and sparse.issparse(values):
        return next(
            name for name in registry.names() if registry.entry(name).reads == "documents"
        ), "the data are documents"
    if schema is None:
        return IMAGE_MODEL, "the data are images"
    if sparse.issparse(values):
        return "poisson-mixture", "the table is a purchase log"
    if set(schema.kinds) == {"continuous"}:
        return "gaussian-mixture", "every column is continuous"
    return "mixture", "the columns are of different kinds" if len(set(schema.kinds)) > 1 else (
        f"every column is {schema.kinds[0]}"
    )


def _with_defaults(
    name: str, given: Mapping[str, Any], values: Values, *, images: bool, scaled: bool
) -> dict[str, Any]:
    """Settings over tacit's own defaults for a fit that nobody minds; the floor is tied to the data's scale.

    Columns that are ``scaled`` already are not scaled again where there is no target to be scaled with them.
    """
    known = registry.settings(name)
    chosen = {
        key: value
        for key, value in DEFAULTS.items()
        if key in known and issubclass(registry.get(name), LikelihoodMixture)
    }
    if "reg_covar" in known and not sparse.issparse(values):
        chosen["reg_covar"] = FLOOR * dataset_of(values).moments().least_variance
    if EMPTIES in known:
        chosen |= {"max_iter": DEFAULTS["max_iter"], "n_init": STARTS}
    if registry.entry(name).reads == "documents" and "max_iter" in known:
        chosen["max_iter"] = TOPIC_ITERATIONS
    if images and "n_samples" in known:
        chosen["n_samples"] = IMAGE_DRAWS
    if scaled and "standardize" in known and issubclass(registry.get(name), ClassifierMixin):
        chosen["standardize"] = False
    return chosen | dict(given)


def _numbers(given: object, selectable: bool, name: str) -> tuple[int, ...]:
    """The numbers of groups to try."""
    if given is None:
        return GROUPS if selectable else (ALLOWED,) if EMPTIES in registry.settings(name) else ()
    check_number("components", given)
    numbers = given if isinstance(given, list) else [given]
    if len(numbers) > 1 and not selectable:
        what = ("dimensions; give --set latent=2", "groups; give --set components=3")[can(registry.get(name), Assigns)]
        raise RequestError(f"{name} is fitted with one number of {what}, say.")
    return tuple(sorted(set(numbers)))


def _structures(
    name: str, estimator: Estimator, given: str | list[str] | None, schema: Schema | None, *, all_of_them: bool
) -> tuple[str | None, ...]:
    """The structures to try: those given, or all fourteen for a model that has nothing but numbers."""
    if schema is None or "covariance_type" not in registry.settings(name):
        return (None,)
    if given is None and not all_of_them:
        return (None,)
    if given is None and can(estimator, ReadsKinds):
        related = sum(kind == "continuous" for kind in schema.kinds) > 1 and estimator.families == "auto"
        return RELATED if related else (None,)
    wanted = [s for s in STRUCTURES if len(s) == 3] if given in (None, "all") else given
    wanted = wanted if isinstance(wanted, list) else [wanted]
    dims = sum(kind == "continuous" for kind in schema.kinds) if can(estimator, ReadsKinds) else len(schema)
    try:
        return tuple(dict.fromkeys(canonical_name(str(each), dims) for each in wanted))
    except ValueError as error:
        raise RequestError(f"--set covariance: {error}; or all.") from None


def _check_values(estimator: Estimator) -> None:
    """Let the estimator refuse values of its settings before anything is fitted."""
    try:
        estimator.check_settings()
    except (ValueError, TypeError) as error:
        raise RequestError(f"--set: {error}") from None


def _made(name: str, values: Mapping[str, Any]) -> Any:
    try:
        return registry.create(name, **values)
    except ValueError as error:
        raise RequestError(str(error)) from None
