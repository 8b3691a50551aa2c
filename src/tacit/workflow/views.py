"""The two views of a purchase log: how much customers buy, and what they buy.

Counts of a Poisson mixture have groups that differ in amounts; shares of a multinomial mixture have groups that differ
in tastes, whatever the amounts. Their densities are of the same thing once the total of a row has one too:
``p(x) = p(total) · p(x | total)``, with a negative binomial for the total. So rows kept aside can choose.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import sklearn.metrics
from scipy import sparse

from tacit.data.long import CountTable
from tacit.estimators.mixture.mixed import Mixture
from tacit.workflow.choosing import Chosen, Plan, choose, plan
from tacit.workflow.events import Observer
from tacit.workflow.requests import Asked
from tacit.workflow.sources import Rows

MUCH, WHAT = "poisson-mixture", "multinomial-mixture"
QUESTIONS: Mapping[str, str] = {MUCH: "how much they buy", WHAT: "what they buy"}
_LEAST = 10
"""Rows kept aside below which they choose nothing."""


@dataclasses.dataclass(frozen=True, eq=False)
class LogView:
    """A fit under one view.

    Attributes:
        plan: what was to be fitted.
        chosen: the fit.
        nats: of a row kept aside, counts and total together.
    """

    plan: Plan
    chosen: Chosen
    nats: float


@dataclasses.dataclass(frozen=True, eq=False)
class Views:
    """Both views, the better one first.

    Attributes:
        best, other: these.
        agreement: of their groups, the adjusted Rand index.
        rows: kept aside, which chose.
    """

    best: LogView
    other: LogView
    agreement: float
    rows: int

    def told(self) -> dict[str, Any]:
        """What a run keeps of it."""
        each = [
            {
                "model": view.plan.model,
                "question": QUESTIONS[view.plan.model],
                "nats": view.nats,
                "groups": int(view.chosen.estimator.get_params(deep=False)["n_components"]),
            }
            for view in (self.best, self.other)
        ]
        return {"views": each, "agreement": self.agreement, "rows": self.rows}


def wanted(asked: Asked, todo: Plan, kept: Rows) -> bool:
    """Whether both views are to be tried: of a log whose model nobody named, with rows that can choose."""
    return asked.model is None and isinstance(kept.table, CountTable) and todo.model == MUCH and len(kept) >= _LEAST


def both(todo: Plan, much: Chosen, fitted: Rows, kept: Rows, observer: Observer) -> Views:
    """The other view beside that of counts, and which of them says more of the rows kept aside."""
    what = plan(
        fitted.data,
        fitted.schema,
        WHAT,
        todo.given,
        criterion=todo.criterion,
        effort=todo.effort,
        seed=todo.seed,
    )
    what = dataclasses.replace(what, why="the table is a purchase log, and what customers buy says more than how much")
    shares = choose(what, fitted.data, fitted.schema, observer)
    seen, aside = fitted.data, kept.data
    totals = Mixture(1, families="negative-binomial", random_state=todo.seed).fit(_totals(seen))
    found = [
        LogView(todo, much, float(np.mean(much.estimator.score_samples(aside)))),
        LogView(
            what,
            shares,
            float(np.mean(shares.estimator.score_samples(aside) + totals.score_samples(_totals(aside)))),
        ),
    ]
    found.sort(key=lambda view: -view.nats)
    groups = [view.chosen.estimator.predict(seen) for view in found]
    return Views(found[0], found[1], float(sklearn.metrics.adjusted_rand_score(*groups)), len(kept))


def _totals(counts: Any) -> np.ndarray:
    """Of every row, ``[rows, 1]``."""
    return np.asarray(sparse.csr_array(counts).sum(axis=1), np.float64).reshape(-1, 1)
