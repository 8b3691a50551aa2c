"""``tacit fit``: the model by the kinds of the columns, the choice, the split, what is written and what is said."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pytest
from scipy import stats
from typer.testing import Result

import tacit as library
from tacit.storage import RunFolder
from tacit.workflow.fitting import split

Command = Callable[..., Result]


def density(model: object, x: np.ndarray) -> np.ndarray:
    """The log-density of two columns under a fitted mixture with diagonal covariances; NaN is integrated out."""
    total = 0.0
    for weight, mean, spread in zip(model.weights_, model.means_, model.covariances_, strict=True):
        each = stats.norm.logpdf(x, mean, np.sqrt(np.diag(spread)))
        total = total + weight * np.exp(np.where(np.isnan(x), 0.0, each).sum(axis=1))
    return np.log(total)


@pytest.mark.parametrize(
    ("rows", "share", "kept"), [(100, 0.1, 10), (100, 0.0, 0), (5, 0.1, 1), (3, 0.9, 1), (2, 0.5, 0), (1, 0.5, 0)]
)
def test_the_split_leaves_two_rows_to_learn_from(rows: int, share: float, kept: int) -> None:
    seen, unseen = split(rows, share, 3)
    assert len(unseen) == kept
    assert sorted([*seen, *unseen]) == list(range(rows))
    assert (np.diff(seen) > 0).all()


def test_the_split_depends_on_the_seed_alone() -> None:
    assert (split(100, 0.2, 1)[1] == split(100, 0.2, 1)[1]).all()
    assert (split(100, 0.2, 1)[1] != split(100, 0.2, 2)[1]).any()


def test_the_held_out_score_and_the_calibration_are_those_of_the_rows_kept_aside(
    tables: Path, points_run: Path
) -> None:
    run = RunFolder(points_run)
    model = run.model()
    x = np.column_stack([c.to_numpy() for c in pacsv.read_csv(tables / "points.csv").columns])
    kept = run.calibration()["rows"] - 1
    assert len(kept) == 30
    expected = density(model, x[kept])
    np.testing.assert_allclose(run.calibration()["scores"], expected, rtol=1e-10)
    told = run.metrics()["held_out"]
    assert told["rows"] == 30
    assert told["nats"] == pytest.approx(expected.mean(), rel=1e-10)
    assert told["standard_error"] == pytest.approx(expected.std(ddof=1) / np.sqrt(30), rel=1e-10)
    fitted = np.setdiff1d(np.arange(120), kept)
    assert run.metrics()["fit"]["log_likelihood"] == pytest.approx(density(model, x[fitted]).sum(), rel=1e-10)


def test_the_fit_has_not_seen_the_rows_kept_aside(
    tacit: Command, tables: Path, points_run: Path, tmp_path: Path
) -> None:
    lines = (tables / "points.csv").read_text().splitlines()
    for row in RunFolder(points_run).calibration()["rows"]:
        lines[row] = "1000.5,-77.25"
    (tmp_path / "points.csv").write_text("\n".join(lines) + "\n")
    again = ("--set", "components=2", "--set", "covariance=VVI", "--holdout", "0.25")
    done = tacit("fit", tmp_path / "points.csv", *again, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    before, after = RunFolder(points_run).model(), RunFolder(tmp_path / "run").model()
    np.testing.assert_array_equal(before.means_, after.means_)
    np.testing.assert_array_equal(before.covariances_, after.covariances_)


def test_a_run_holds_everything_and_says_how_it_was_made(tables: Path, points_run: Path) -> None:
    run = RunFolder(points_run)
    assert set(run.files()) == {
        "config.toml",
        "model.safetensors",
        "schema.json",
        "trace.csv",
        "metrics.json",
        "calibration.safetensors",
        "columns.safetensors",
        "report.html",
    }
    assert not run.checkpoint_folder.exists()
    config = run.config()
    assert config.model == "gaussian-mixture"
    assert config.parameters["n_components"] == 2
    assert config.parameters["covariance_type"] == "VVI"
    assert config.data["source"] == str(tables / "points.csv")
    assert config.data["holdout"] == 0.25
    assert run.schema().names == ("left", "right")
    assert run.report().startswith("<!DOCTYPE html>")
    assert len(run.trace()["bound"]) == run.metrics()["fit"]["iterations"] + 1
    assert (np.diff(run.trace()["bound"]) > -1e-9).all()
    assert library.load(points_run).n_components == 2


def test_a_fit_repeats_to_the_bit(tacit: Command, tables: Path, points_run: Path, tmp_path: Path) -> None:
    config = RunFolder(points_run).config()
    estimator = config.estimator()
    assert estimator.get_params() == RunFolder(points_run).model().get_params()
    arguments = ("--set", "components=2", "--set", "covariance=VVI", "--holdout", "0.25", "--seed", config.seed)
    assert tacit("fit", config.data["source"], *arguments, "--out", tmp_path / "run").exit_code == 0
    one, other = RunFolder(points_run).model(), RunFolder(tmp_path / "run").model()
    np.testing.assert_array_equal(one.means_, other.means_)
    np.testing.assert_array_equal(
        RunFolder(points_run).calibration()["rows"], RunFolder(tmp_path / "run").calibration()["rows"]
    )


def test_numbers_get_a_gaussian_mixture_and_the_groups_and_shapes_are_chosen(
    tacit: Command, tables: Path, tmp_path: Path
) -> None:
    done = tacit(
        "fit", tables / "points.csv", "--set", "components=1-3", "--set", "covariance=VVI,EII", "--out", tmp_path / "r"
    )
    assert done.exit_code == 0, done.output
    assert "every column is continuous" in done.stdout
    told = RunFolder(tmp_path / "r").metrics()
    tried = {(row["n_components"], row["covariance"]) for row in told["choice"]["candidates"]}
    assert tried == {(k, s) for k in (1, 2, 3) for s in ("VVI", "EII")}
    best = max(told["choice"]["candidates"], key=lambda row: row["bic"])
    model = RunFolder(tmp_path / "r").model()
    assert (model.n_components, model.covariance_type) == (best["n_components"], best["covariance"]) == (2, "VVI")
    # 2 log L − ν log N of the rows that were fitted
    fit = told["fit"]
    bic = 2 * fit["log_likelihood"] - fit["parameters"] * np.log(told["fitted_rows"])
    assert best["bic"] == pytest.approx(bic, rel=1e-9)
    assert "Of 6 candidates, the one with 2 groups (VVI) has the highest BIC" in _plain(done.stdout)


def test_columns_of_many_kinds_get_a_mixture(mixed_run: Path) -> None:
    run = RunFolder(mixed_run)
    told = run.metrics()
    assert told["model"] == "mixture"
    assert told["why"] == "the columns are of different kinds"
    assert dict(zip(run.schema().names, run.schema().kinds, strict=True)) == {
        "spend": "continuous",
        "visits": "count",
        "city": "categorical",
        "member": "binary",
    }
    assert {entry["name"] for entry in told["left_out"]} == {"customer_id", "since"}
    assert list(run.model().families.values()) == ["normal", "poisson", "categorical", "bernoulli"]
    assert run.config().parameters["families"] == "auto"
    shares = [group["share"] for group in told["groups"]]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)


def test_what_was_read_and_found_is_said(tacit: Command, tables: Path, tmp_path: Path) -> None:
    done = tacit("fit", tables / "mixed.csv", "--set", "components=2", "--out", tmp_path / "run", "--holdout", 0.2)
    said = _plain(done.stdout)
    assert done.exit_code == 0
    assert "120 rows" in said
    assert "customer_id: " in said
    assert "since: dates or times" in said
    assert "96 rows to learn from, 24 kept aside" in said
    assert "Group 1 (" in said
    assert "Group 2 (" in said
    assert "Group 0" not in said
    assert "On 24 rows kept aside, the model gives" in said
    assert "Report" in said
    assert "report.html" in said
    assert max(len(line) for line in done.stdout.splitlines() if str(tmp_path) not in line) <= 80


def test_kinds_can_be_overridden_and_columns_left_out(tacit: Command, tables: Path, tmp_path: Path) -> None:
    done = tacit(
        "fit",
        tables / "mixed.csv",
        *("--kind", "visits=continuous", "--kind", "city=drop", "--kind", "member=drop"),
        *("--set", "components=2", "--set", "covariance=diag", "--holdout", "0", "--out", tmp_path / "run"),
    )
    assert done.exit_code == 0, done.output
    run = RunFolder(tmp_path / "run")
    assert run.config().model == "gaussian-mixture"
    assert run.schema().kinds == ("continuous", "continuous")
    assert run.metrics()["held_out"] is None
    assert not (run.path / "calibration.safetensors").exists()
    assert list(run.config().data["kinds"]) == ["visits=continuous", "city=drop", "member=drop"]


def test_a_purchase_log_becomes_groups_of_customers(log_run: Path) -> None:
    run = RunFolder(log_run)
    told = run.metrics()
    assert told["model"] == "poisson-mixture"
    assert run.schema().names == ("apples", "bread", "nails", "paint")
    assert run.model().n_components == 2
    assert told["rows"] == 80
    rates = run.model().rates_
    assert sorted(rates.argmax(axis=1)) == [0, 2]


def test_a_model_can_be_named_that_nothing_is_chosen_for(tacit: Command, tables: Path, tmp_path: Path) -> None:
    done = tacit("fit", tables / "points.csv", "--model", "k-means", "--set", "components=2", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    run = RunFolder(tmp_path / "run")
    assert run.model().cluster_centers_.shape == (2, 2)
    assert run.metrics()["held_out"] is None
    assert len(run.metrics()["groups"]) == 2
    assert "K-means. This model was asked for." in done.stdout


def test_a_level_that_only_the_rows_kept_aside_have_is_known_to_the_model(tacit: Command, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    kept = int(split(60, 0.1, 0)[1][0])
    lines = [f"{draw.normal():.4f},{'rare' if n == kept else 'ab'[n % 2]}" for n in range(60)]
    (tmp_path / "t.csv").write_text("x,level\n" + "\n".join(lines) + "\n")
    done = tacit("fit", tmp_path / "t.csv", "--set", "components=1", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    run = RunFolder(tmp_path / "run")
    assert run.schema()["level"].levels == ("a", "b", "rare")
    assert run.model().schema_["level"].levels == ("a", "b", "rare")
    assert np.isfinite(run.calibration()["scores"]).all()
    assert run.metrics()["fitted_rows"] == 54


def test_standard_input_and_the_default_folder(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("--set", "components=1", "--set", "covariance=EII", "--holdout", "0")
    text = (tables / "points.csv").read_text()
    assert tacit("fit", "-", *arguments, stdin=text).exit_code == 0
    assert tacit("fit", "-", *arguments, stdin=text).exit_code == 0
    assert RunFolder("table-tacit").finished
    assert RunFolder("table-tacit-2").finished
    assert tacit("fit", tables / "points.csv", *arguments).exit_code == 0
    assert RunFolder("points-tacit").finished


def test_metrics_are_plain_json(points_run: Path) -> None:
    told = json.loads((points_run / "metrics.json").read_text())
    assert told["rows"] == 120
    assert told["interrupted"] is False


HOSTILE = ["a=b", "[bold]x[/bold]", "unset", 'comma, "quoted"', "naïve ≤ 3", ":smile:", "\\n", "x" * 90, "{0}", "%s"]


def test_hostile_column_names_stay_what_they_are(tacit: Command, tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    heads = ",".join('"' + name.replace('"', '""') + '"' for name in HOSTILE)
    body = "\n".join(",".join(f"{v:.5f}" for v in draw.normal(size=len(HOSTILE))) for _ in range(40))
    (tmp_path / "t.csv").write_text(f"{heads}\n{body}\n", encoding="utf-8")
    done = tacit(
        "fit",
        tmp_path / "t.csv",
        *("--kind", "a=b=continuous", "--model", "mixture", "--set", "components=1", "--out", tmp_path / "run"),
    )
    assert done.exit_code == 0, done.output
    assert RunFolder(tmp_path / "run").schema().names == tuple(HOSTILE)
    assert "[bold]x[/bold]" in done.stdout
    assert ":smile:" in done.stdout
    shown = tacit("sample", tmp_path / "run", "-n", 2, "--given", "a=b=0.5", "--given", "unset=1", "--format", "json")
    assert shown.exit_code == 0, shown.output
    row = json.loads(shown.stdout.splitlines()[0])
    assert list(row) == HOSTILE
    assert row["a=b"] == 0.5
    assert row["unset"] == 1.0


def _plain(text: str) -> str:
    """Words without the line breaks of the terminal."""
    return " ".join(text.split())


def test_a_deep_model_of_a_table_is_fitted_scored_and_drawn_from(tacit: Command, tables: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    quick = ("--set", "latent=2", "--set", "max_epochs=20", "--set", "n_samples=20", "--set", "hidden=[8]")
    done = tacit("fit", tables / "points.csv", "--model", "vae", *quick, "--out", run)
    assert done.exit_code == 0, done.output
    assert "nats per row" in done.output
    assert RunFolder(run).trace().keys() >= {"epoch", "elbo", "reconstruction", "kl", "held_out"}
    drawn = tacit("sample", run, "-n", "4")
    assert len(drawn.output.splitlines()) == 5


def test_the_clusters_of_k_means_are_chosen(tacit: Command, tables: Path, tmp_path: Path) -> None:
    shown = tacit(
        "fit", tables / "points.csv", "--model", "k-means", "--set", "components=2-4", "--out", tmp_path / "run"
    )
    assert "silhouette" in shown.output
    told = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert [row["n_components"] for row in told["choice"]["candidates"]] == [2, 3, 4]
    best = max(told["choice"]["candidates"], key=lambda row: row["silhouette"])
    assert len(told["groups"]) == best["n_components"]
