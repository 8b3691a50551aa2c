"""Correlations, copies and how sure a grouping is, against pandas and counting."""

import numpy as np
import pandas as pd
import pytest

from tacit.data.schema import Column, Schema
from tacit.report.data_section import copies, correlations, told_copies, told_correlations
from tacit.report.html import escape
from tacit.report.sureness_section import mixed_up, sureness
from tacit.report.table import FittedTable

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(80, 4))
VALUES[:, 1] = np.exp(VALUES[:, 0] + 0.1 * VALUES[:, 1])
VALUES[:, 3] = RNG.integers(0, 2, 80)
VALUES[5, 0] = VALUES[9, 1] = np.nan
SCHEMA = Schema(
    (
        Column("a", "continuous"),
        Column("b", "positive"),
        Column("c", "continuous"),
        Column("d", "binary", ("no", "yes")),
    )
)


def test_correlations_are_those_of_pandas():
    found = correlations(VALUES, SCHEMA)
    frame = pd.DataFrame(VALUES[:, :3])
    assert (found[0].one, found[0].other) == (0, 1)
    assert len(found) == 3  # levels have none
    for pair in found:
        assert pair.linear == pytest.approx(frame.corr().iloc[pair.one, pair.other], rel=1e-12)
        assert pair.ranks == pytest.approx(frame.corr("spearman").iloc[pair.one, pair.other], rel=1e-12)
    assert "a and b" in escape(told_correlations(FittedTable(SCHEMA, VALUES)))


def test_columns_that_do_not_vary_have_none():
    assert correlations(np.ones((30, 2)), Schema((Column("a", "continuous"), Column("b", "continuous")))) == []


def test_copies_are_rows_that_agree_in_everything_also_in_gaps():
    values = np.vstack([VALUES, VALUES[5], VALUES[5], VALUES[70]])
    found = copies(values)
    assert [rows.tolist() for rows in found] == [[5, 80, 81], [70, 82]]
    said = escape(told_copies(FittedTable(SCHEMA, values, [f"r{i}" for i in range(83)])))
    assert "3 rows are the same" in said
    assert "r5, r80, r81" in said
    assert told_copies(FittedTable(SCHEMA, VALUES)) == []


def test_how_groups_run_into_one_another():
    share = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    np.testing.assert_allclose(mixed_up(share), [[0.75, 0.25], [0.2, 0.8]])
    said = escape(sureness(share, ["x", "y", "z"]))
    assert said.index(">y<") < said.index(">z<")
    assert ">x<" not in said
    assert "Every row belongs" in escape(sureness(np.eye(2), None))
