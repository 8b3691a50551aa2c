"""``tacit compare``: models side by side on rows that none of them has seen."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import get_tags

from tacit import registry
from tacit.cli import corpora, results, talk
from tacit.cli import settings as words
from tacit.cli.choosing import Plan, choose, plan
from tacit.cli.failures import UsageFault
from tacit.cli.feeding import feed, reads_kinds
from tacit.cli.progress import Watch
from tacit.cli.sources import Rows, Source, tell
from tacit.cli.targets import foretells
from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.schema import Schema
from tacit.evaluation.baseline import INDEPENDENT
from tacit.evaluation.compare import Comparison
from tacit.evaluation.compare import compare as cross_validated
from tacit.evaluation.measure import Measure, measure
from tacit.inference.watch import watch
from tacit.plots.style import alike, short_number

ONE_GROUP = ("mixture", ["components=1"])
"""Every column by itself: what "independent" means of a table with columns of many kinds."""


class Candidate(DensityMixin, BaseEstimator):
    """A plan as an estimator: what it leaves open is chosen at every fit, from the rows of that fit alone.

    Args:
        plan: what to fit, and what to choose.
        schema: the columns of the rows; None for images.
        looking: where to tell how it goes.
    """

    def __init__(self, plan: Plan, schema: Schema | None, looking: Watch) -> None:
        self.plan = plan
        self.schema = schema
        self.looking = looking

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose and fit; raises `KeyboardInterrupt` where Ctrl-C was pressed, for a part of a fold is no result."""
        chosen = choose(self.plan, X, self.schema, self.looking)
        if self.looking.stopped:
            raise KeyboardInterrupt
        self.best_ = chosen.estimator
        self.n_features_in_ = X.shape[1]
        if hasattr(self.best_, "model_"):
            self.model_ = self.best_.model_
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-density of rows, in nats."""
        return np.asarray(self.best_.score_samples(feed(self.best_, X, self.schema)), np.float64)

    def base_measure(self) -> Measure:
        """What ``score_samples`` is of each column: a density or a probability."""
        return measure(self.best_)

    def __sklearn_clone__(self) -> Self:
        return type(self)(self.plan, self.schema, self.looking)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags


@compilation_cache()
def compare(
    source: Source,
    models: str | None,
    settings: Sequence[str],
    *,
    folds: int,
    seed: int,
    out: str | None,
    form: str | None,
) -> None:
    """Cross-validate models on one table, and give how each did."""
    results.check(out, form)
    common = words.parse(settings)
    asked = None if models is None else _asked(models)
    rows = source.load(corpus=_of_documents(source, asked))
    drawn = out is None and (form == "table" or (form is None and talk.on_terminal()))
    if drawn:
        tell(rows)
    plans = (
        _suitable(rows, common, seed)
        if asked is None
        else {label: _plan(rows, name, common | own, seed) for label, (name, own) in asked.items()}
    )
    _check_pixels(plans)
    with Watch("Comparing") as looking, watch(looking):
        candidates = {label: Candidate(each, rows.schema, looking) for label, each in plans.items()}
        found = cross_validated(rows.values, candidates, folds, random_state=seed)
    if drawn:
        _draw(found, folds, len(rows), rows.what)
    else:
        results.give(found.table, out, form, what="model")


def _of_documents(source: Source, asked: Mapping[str, tuple[str, Any]] | None) -> bool:
    """Whether the models compared, all or none of them topic models, read documents."""
    kinds = [registry.get(name) for name, _ in (asked or {}).values()]
    if len({corpora.reads_corpora(kind) for kind in kinds}) > 1:
        raise UsageFault("topic models read documents and the others do not: they cannot be compared on the same rows.")
    return corpora.wanted(source.path, source.words, kinds[0] if kinds else None)


def _asked(text: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """``mixture,mixture:components=3`` as names and settings, by the words that were typed."""
    found = {}
    for part in (part.strip() for part in text.split(",")):
        if "=" in part and ":" not in part:
            raise UsageFault(f"--models {part!r} is not understood; settings follow a name: mixture:components=3.")
        name, *own = part.split(":")
        name = words.model_name(name)
        if part == INDEPENDENT:
            name, own = ONE_GROUP
        words.known_settings(name)
        if part in found:
            raise UsageFault(f"--models names {part!r} twice.")
        found[part] = (name, words.parse(own))
        words.named(*found[part])
    return found


def _plan(rows: Rows, name: str, given: Mapping[str, Any], seed: int) -> Plan:
    found = None
    if foretells(registry.get(name)):
        raise UsageFault(
            f"{name} learns one column from the others, and densities of whole rows are what is compared. Fit each "
            "such model with --target and the same --seed: their scores on the rows kept aside can be compared."
        )
    if hasattr(registry.get(name), "score_samples"):
        found = plan(rows.values, rows.schema, name, given, criterion=None, seed=seed, structures=False)
    if found is None or not hasattr(found.estimator, "score_samples"):
        raise UsageFault(f"{name} gives rows no density, and nats are all that is compared.")
    return found


def _check_pixels(plans: Mapping[str, Plan]) -> None:
    """Refuse models of which some see black and white and others grey."""
    seen = {label: each.estimator.get_params(deep=False).get("binarize") for label, each in plans.items()}
    (first, one), *others = seen.items()
    for second, other in others:
        if (one is None) != (other is None):
            grey, black = (first, second) if one is None else (second, first)
            raise UsageFault(
                f"{black!r} is fitted to black and white pixels and {grey!r} to grey ones: their nats are not of "
                "the same thing. Set binarize for all: --set binarize=stochastic."
            )


def _suitable(rows: Rows, common: Mapping[str, Any], seed: int) -> dict[str, Plan]:
    """Every model with densities that can take the table; those given a row's total are another thing.

    A deep model is put beside one in which every column stands by itself.
    """
    found = {}
    for name in registry.names():
        if name == "multinomial-mixture":
            continue
        try:
            asked = _plan(rows, name, common, seed)
        except UsageFault:
            continue
        if rows.schema is None or _suits(asked.estimator, rows.schema):
            found[name] = asked
    if rows.schema is not None and any(hasattr(registry.get(name), "elbo") for name in found):
        name, own = ONE_GROUP
        found[INDEPENDENT] = _plan(rows, name, words.parse(own), seed)
    if not found:
        raise UsageFault("no model of `tacit models` suits this table with these settings.")
    return found


def _suits(estimator: Any, schema: Schema) -> bool:
    """Whether a model gives every column what its kind has: a density, or the probability of a count.

    One that does not look at kinds takes counts alone, or gives densities to all.
    """
    counts = [kind == "count" for kind in schema.kinds]
    if reads_kinds(estimator):
        return True
    return all(counts) if get_tags(estimator).input_tags.positive_only else not any(counts)


def _draw(found: Comparison, folds: int, rows: int, what: str) -> None:
    """The comparison for a person: best first, differences to the best."""
    lines = found.table.to_pylist()
    talk.heading(f"Held-out nats per {what}, {counted(folds, 'fold')} of {counted(rows, what)}; higher is better")
    held = alike([line["held_out"] for line in lines], 5)
    cells = []
    for place, (line, text) in enumerate(zip(lines, held, strict=True)):
        score = f"{text} ± {short_number(line['standard_error'], 2)}"
        gap, error = short_number(line["difference"], 3), short_number(line["difference_error"], 2)
        behind = f"{gap} ± {error}" if place else ""
        cells.append((line["model"], score, behind, f"{short_number(line['seconds'], 2)} s"))
    talk.table(["model", "held-out", "to the best", "took"], cells, right=[1, 2, 3], strong=0)
    if len(lines) > 1:
        talk.say(_verdict(lines), indent=1)


def _verdict(lines: Sequence[Mapping[str, Any]]) -> str:
    best, second = lines[0], lines[1]
    gap, error = -second["difference"], second["difference_error"]
    if gap <= 2 * error:
        pair = f"{best['model']} and {second['model']}"
        return f"{pair} are not clearly apart: they differ by at most two standard errors."
    return f"{best['model']} is clearly ahead, by more than two standard errors."
