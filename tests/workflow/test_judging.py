"""What is warned of beside a fit."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tacit.data.schema import Column, Schema
from tacit.data.table import Table
from tacit.workflow import judging
from tacit.workflow.sources import Rows


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"stop_reason_": "max_iter reached"}, True),
        ({"stop_reason_": "max_iter reached", "latent_information": print}, False),
        ({"stop_reason_": "interrupted", "latent_information": print}, True),
    ],
)
def test_a_stochastic_fit_that_ran_to_its_end_has_settled(settings: dict[str, Any], warned: bool) -> None:
    table = Table(np.zeros((40, 1)), Schema((Column("a", "continuous"),)), (), "a.csv", None, ())
    estimator = SimpleNamespace(converged_=False, **settings)
    said = judging._warnings(estimator, None, Rows.of(table), ())
    assert any("had not settled" in text for text in said) == warned
