"""What is tried and chosen where the user leaves it open."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from typer.testing import Result

from tacit.data.schema import Column, Schema
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture
from tacit.storage import RunFolder
from tacit.workflow import choosing
from tacit.workflow.choosing import GROUPS, plan
from tacit.workflow.errors import RequestError
from tacit.workflow.feeding import feed, feed_fit

Command = Callable[..., Result]
NUMBERS = Schema((Column("a", "continuous"), Column("b", "continuous")))
MIXED = Schema((Column("a", "continuous"), Column("b", "categorical", ("x", "y", "z"))))
VALUES = np.column_stack([np.linspace(0.0, 1.0, 30), np.arange(30) % 3])


def planned(
    values: object = VALUES, schema: Schema = NUMBERS, model: str | None = None, **given: object
) -> choosing.Plan:
    return plan(values, schema, model, given, criterion="bic", seed=4)


def test_numbers_alone_try_nine_groups_and_fourteen_structures() -> None:
    found = planned()
    assert found.model == "gaussian-mixture"
    assert found.groups == GROUPS == tuple(range(1, 10))
    assert len(found.structures) == 14
    assert found.estimator.random_state == 4


def test_one_column_has_two_structures() -> None:
    found = planned(VALUES[:, :1], Schema(NUMBERS.columns[:1]))
    assert found.structures == ("E", "V")


@pytest.mark.parametrize("kind", ["positive", "count"])
def test_skewed_columns_and_counts_get_a_mixture_of_their_families(kind: str) -> None:
    found = planned(VALUES + 1, Schema((Column("a", kind), Column("b", kind))))
    assert found.model == "mixture"
    assert found.structures == (None,)


def test_levels_get_a_mixture_whose_families_are_settled() -> None:
    found = planned(VALUES, MIXED)
    assert found.model == "mixture"
    assert found.estimator.families == {"a": "normal", "b": "categorical"}
    assert planned(VALUES, MIXED, families={"b": "categorical"}).estimator.families == {"b": "categorical"}


def test_a_log_gets_a_mixture_of_counts() -> None:
    found = planned(sparse.csr_array(np.eye(30)), Schema(tuple(Column(f"i{n}", "count") for n in range(30))))
    assert found.model == "poisson-mixture"


def test_what_is_set_is_not_tried() -> None:
    found = planned(components=[4, 2], covariance=["vve", "diag"])
    assert found.groups == (2, 4)
    assert found.structures == ("VVE", "VVI")
    assert found.candidates == 4
    single = planned(components=3, covariance="VVV")
    assert single.candidates == 1


def test_a_start_of_ones_own_leaves_nothing_to_choose() -> None:
    found = planned(components=2, covariance="VVI", init_params="random")
    assert found.groups == ()
    assert found.estimator.n_components == 2
    assert found.estimator.covariance_type == "VVI"
    with pytest.raises(RequestError, match="one number of groups"):
        planned(components=[2, 3], init_params="random")


def test_the_floor_follows_the_narrowest_column() -> None:
    found = planned(VALUES * [1e6, 1e-3])
    assert found.estimator.reg_covar == pytest.approx(1e-8 * np.var(VALUES[:, 1] * 1e-3))
    assert planned(reg_covar=0.5).estimator.reg_covar == 0.5


def test_levels_and_gaps_reach_each_estimator_in_its_own_form() -> None:
    values = np.array([[1.5, 0.0], [np.nan, 2.0], [2.5, np.nan]])
    table = feed(GaussianMixture(), values, NUMBERS)
    np.testing.assert_array_equal(table.rows(), values)
    assert table.names == NUMBERS.names
    table = feed(Mixture(), values, MIXED)
    np.testing.assert_array_equal(table.rows(), values)
    assert table.schema == MIXED
    whole, weights = feed_fit(Mixture(), values, MIXED)
    assert whole.column("b").to_pylist() == ["x", "z", None, "y"]
    assert whole.column("a").to_pylist() == [1.5, None, 2.5, None]
    assert weights.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert feed_fit(GaussianMixture(), values, NUMBERS)[1] is None


def test_many_rows_are_chosen_on_a_sample_and_fitted_whole(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "CHOICE_ROWS", 60)
    done = tacit(
        "fit",
        tables / "points.csv",
        *("--set", "components=1-2", "--set", "covariance=VVI,EII", "--holdout", "0", "--out", tmp_path / "run"),
    )
    assert done.exit_code == 0, done.output
    assert "The choice was made on 60 rows drawn at random" in " ".join(done.stdout.split())
    told = RunFolder(tmp_path / "run").metrics()
    assert len(told["choice"]["candidates"]) == 4
    best = max(told["choice"]["candidates"], key=lambda row: row["bic"])
    model = RunFolder(tmp_path / "run").model()
    assert (model.n_components, model.covariance_type) == (best["n_components"], best["covariance"])
    # the sample's likelihood is about half of that of all rows, which the fit has
    assert told["fit"]["log_likelihood"] < 1.8 * best["log_likelihood"]


def test_the_choice_does_not_depend_on_the_units(tacit: Command, tables: Path, tmp_path: Path) -> None:
    lines = [line.split(",") for line in (tables / "points.csv").read_text().splitlines()]
    scaled = [
        [str(float(cell) * unit) if cell else "" for cell, unit in zip(line, (1e7, 1e-5), strict=True)]
        for line in lines[1:]
    ]
    (tmp_path / "scaled.csv").write_text("\n".join(",".join(line) for line in [lines[0], *scaled]) + "\n")
    told = []
    for name, path in (("plain", tables / "points.csv"), ("scaled", tmp_path / "scaled.csv")):
        few = ("--set", "components=1-2", "--set", "covariance=VVI,EEI", "--out", tmp_path / name)
        assert tacit("fit", path, *few).exit_code == 0
        told.append(RunFolder(tmp_path / name).metrics())
    one, other = ([row["bic"] for row in each["choice"]["candidates"]] for each in told)
    kept = set(RunFolder(tmp_path / "plain").calibration()["rows"].tolist())
    seen = np.sum([[cell != "" for cell in line] for row, line in enumerate(lines) if row and row not in kept], axis=0)
    # a column of values multiplied by u has its log-density lowered by log u
    expected = -2 * seen @ np.log([1e7, 1e-5])
    np.testing.assert_allclose(np.array(other) - np.array(one), expected, atol=1e-5)
    assert [group["words"].split(" has ")[0] for group in told[0]["groups"]] == [
        group["words"].split(" has ")[0] for group in told[1]["groups"]
    ]


def test_whatever_has_a_number_is_swept() -> None:
    def swept(model: str, criterion: str | None = None, **given: object) -> choosing.Plan:
        return plan(VALUES, NUMBERS, model, given, criterion=criterion, seed=4)

    found = swept("k-means", components=[2, 3, 4])
    assert (found.groups, found.criterion, found.what) == ((2, 3, 4), "silhouette", "group")
    found = swept("bayesian-gaussian-mixture", components=[2, 3])
    assert (found.groups, found.criterion) == ((2, 3), "bound")
    found = swept("vae", latent=[2, 3])
    assert (found.groups, found.criterion, found.what) == ((2, 3), "held-out", "dimension")
    assert swept("k-means", components=3).groups == ()
    with pytest.raises(RequestError, match=r"'bic' does not exist; say one of .*silhouette"):
        swept("k-means", "bic", components=[2, 3])
