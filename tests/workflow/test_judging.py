"""What is warned of beside a fit."""

from typing import Any

import numpy as np
import pytest

from tacit.data.schema import Column, Schema
from tacit.data.table import Table
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.vae.vae import VAE
from tacit.workflow import judging
from tacit.workflow.sources import Rows


@pytest.mark.parametrize(
    ("estimator", "reason", "warned"),
    [
        (GaussianMixture(), "max_iter reached", True),
        (VAE(), "max_iter reached", False),
        (VAE(), "interrupted", True),
    ],
)
def test_a_stochastic_fit_that_ran_to_its_end_has_settled(estimator: Any, reason: str, warned: bool) -> None:
    table = Table(np.zeros((40, 1)), Schema((Column("a", "continuous"),)), (), "a.csv", None, ())
    estimator.converged_, estimator.stop_reason_ = False, reason
    estimator.history_ = {} if isinstance(estimator, VAE) else None  # which fits by gradients leave
    said = judging._warnings(estimator, None, Rows.of(table), ())
    assert any("had not settled" in text for text in said) == warned
