"""What is worth knowing of a density without groups: what it is made of, and whether it is right."""

from typing import Any

import numpy as np

from tacit.estimators.capabilities import can
from tacit.estimators.flow.capabilities import TellsDensity
from tacit.estimators.settings import Estimator
from tacit.report.flow_sentences import calibration_sentences
from tacit.workflow.feeding import feed
from tacit.workflow.sources import Rows

MOST_ROWS = 2000
"""Rows whose values are looked for in the model at most."""


def judge_density(estimator: Estimator, fitted: Rows, kept: Rows) -> tuple[dict[str, Any] | None, np.ndarray | None]:
    """Sentences, and where the values of rows lie in the model ``[rows, columns]``; None of other models.

    The rows are those kept aside, or those of the fit where none were.
    """
    if not can(estimator, TellsDensity) or fitted.schema is None:
        return None, None
    rows = kept if len(kept) else fitted
    if len(rows) > MOST_ROWS:
        rows = rows.pick(np.sort(np.random.default_rng(0).choice(len(rows), MOST_ROWS, replace=False)))
    found = estimator.calibration(feed(estimator, rows.data, fitted.schema))
    said = calibration_sentences(fitted.schema.names, found.ranks, held_out=len(kept) > 0)
    told = {"sentences": list(estimator.told()), "calibration": said, "how": found.how}
    return told, found.ranks
