"""A fit from its rows to a run folder: what tells one from another."""

import dataclasses

import numpy as np

from tacit.data.schema import Column, Schema
from tacit.data.table import Table
from tacit.workflow import fitting
from tacit.workflow.choosing import plan
from tacit.workflow.sources import Rows


def test_a_fit_that_looks_harder_is_another_one() -> None:
    """Else `--resume` would go on with starts that another search had dropped."""
    schema = Schema((Column("a", "continuous"),))
    rows = Rows.of(Table(np.arange(40.0)[:, None], schema, (), "a.csv", None, ()))
    usual = plan(rows.data, schema, "gaussian-mixture", {}, criterion=None, seed=0)
    marks = {
        fitting._fingerprint(dataclasses.replace(usual, effort=effort), rows)
        for effort in ("quick", "usual", "thorough")
    }
    assert len(marks) == 3
    assert fitting._fingerprint(usual, rows) in marks
