"""What is told of fitted topics, and the local step for new documents, on the host: nothing has to be compiled."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, psi

from tacit.models.topics.local import DocumentStep
from tacit.models.topics.model import TopicModel


class TopicsSummary(NamedTuple):
    """What is told of topics."""

    means: Float[np.ndarray, "topics words"]
    """``E β``."""
    logs: Float[np.ndarray, "topics words"]
    """``E log β``."""
    divergence: float
    """``Σ_k KL(q(β_k) ‖ p(β_k))``, in nats."""


def summary(model: TopicModel) -> TopicsSummary:
    """What is told of topics."""
    found = np.asarray(model.concentrations)
    prior = np.broadcast_to(np.asarray(model.prior), found.shape)
    logs = psi(found) - psi(found.sum(0))
    parts = (found - prior) * logs - gammaln(found) + gammaln(prior)
    divergence = parts.sum() + gammaln(found.sum(0)).sum() - gammaln(prior.sum(0)).sum()
    return TopicsSummary((found / found.sum(0)).T, logs.T, float(divergence))


def local_step(model: TopicModel) -> DocumentStep:
    """The local step in double precision, as ``model.prepare`` makes it inside the engine."""
    told = summary(model)
    logs = np.log(told.means.T) if model.schedule.point else told.logs.T
    scale = logs.max(axis=1)
    return DocumentStep(np.exp(logs - scale[:, None]), scale, model.document_prior, model.schedule, single=False)
