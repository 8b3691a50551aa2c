"""What the report of a fit tells of sequences."""

from typing import TYPE_CHECKING

import numpy as np

from tacit import late
from tacit.data.sequenced import SequencedRows, order_of
from tacit.estimators.capabilities import can
from tacit.estimators.sequence.reading import Forecasts
from tacit.estimators.settings import Estimator
from tacit.models.mixture.model import MixtureModel
from tacit.report.sequence_section import SHOWN, SequenceFacts

if TYPE_CHECKING:
    from tacit.estimators.sequence.hidden_markov import HiddenMarkovModel
else:  # every report asks whether its model is one
    HiddenMarkovModel = late.class_of("tacit.estimators.sequence.hidden_markov", "HiddenMarkovModel")

AHEAD = 12
"""Steps of the forecast that is drawn."""
LONGEST = 400
"""Steps of a sequence that are drawn at most, the last ones."""


def emissions_of(estimator: Estimator) -> MixtureModel | None:
    """The densities of the states, as the mixture that rows are of when time is forgotten."""
    return estimator.model_.emissions if isinstance(estimator, HiddenMarkovModel) else None


def sequence_facts(estimator: Estimator, data: object) -> SequenceFacts | None:
    """How the rows of a fit follow one another; None of a model that knows no order."""
    if not can(estimator, Forecasts) or not isinstance(data, SequencedRows):
        return None
    order = order_of(len(data), data.groups, time=data.time)
    ends = np.cumsum(order.lengths)
    first = [order.order[e - n : e] for e, n in zip(ends[:SHOWN], order.lengths[:SHOWN], strict=True)]
    names = () if order.names is None else tuple(str(name) for name in order.names[:SHOWN])
    one = data.take(first[0])
    forecast = estimator.forecast(min(AHEAD, max(3, len(first[0]))), one, level=0.9)
    if not isinstance(estimator, HiddenMarkovModel):
        return SequenceFacts(None, None, None, (), (), names, len(order.lengths), forecast)
    paths, shares = estimator.predict(data), estimator.predict_proba(data)
    kept = [places[-LONGEST:] for places in first]
    return SequenceFacts(
        estimator.transmat_,
        estimator.startprob_,
        estimator.weights_,
        tuple(paths[places] for places in kept),
        tuple(shares[places] for places in kept),
        names or tuple(str(place + 1) for place in range(len(kept))),
        len(order.lengths),
        forecast,
    )
