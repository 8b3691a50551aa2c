"""``--target``: a column is predicted, told about, predicted and scored; and what cannot be is refused plainly."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import QuantileRegressor
from typer.testing import Result

from tacit import load
from tacit.report.page import Report, build
from tacit.workflow.fitting import split
from tacit.workflow.opened import Opened

Command = Callable[..., Result]
LAD = ("--model", "least-absolute-deviations")


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred houses with gaps in a column, three without a price, and whether each was sold."""
    random = np.random.default_rng(0)
    size, town = random.normal(100.0, 30.0, 100), random.choice(["Oslo", "Paris", "Rome"], 100, p=[0.2, 0.5, 0.3])
    price = 3.0 * size + np.where(town == "Paris", 100.0, 0.0) + random.laplace(scale=20.0, size=100)
    sold = np.where(random.random(100) < 1 / (1 + np.exp(-(size - 100.0) / 15.0)), "yes", "no")
    frame = pd.DataFrame({"size_m": size, "town": town, "price": price, "sold": sold})
    frame.loc[:2, "price"] = np.nan
    frame.loc[[10, 20], "size_m"] = np.nan
    frame["name"] = [f"house {n}" for n in range(100)]
    frame.to_csv(tmp_path_factory.mktemp("houses") / "houses.csv", index=False)
    return Path(tmp_path_factory.getbasetemp() / "houses0" / "houses.csv")


@pytest.fixture(scope="module")
def run(tacit: Command, houses: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prices by least absolute deviations; sold is left out."""
    path = tmp_path_factory.mktemp("runs") / "price"
    done = tacit("fit", houses, "--target", "price", *LAD, "--kind", "sold=drop", "--out", path)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "To be predicted: price, continuous" in said
    assert "3 rows without price left out" in said
    assert "87 rows to learn from, 10 kept aside" in said
    assert "With town Paris instead of" not in said  # it is the commonest
    assert "With town Rome instead of Paris, price is lower by" in said
    assert "With size_m higher by 10 m, price is higher by" in said
    assert "Of 10 rows kept aside, price was predicted to within" in said
    assert "Gaps were filled with the column's mean, or its commonest level: size_m (2)" in said
    assert f"tacit predict {path} NEW.csv (also score)" in said
    return path


def test_the_fit_is_that_of_the_encoded_columns(run: Path, houses: Path) -> None:
    opened = Opened.at(run)
    frame = pd.read_csv(houses).dropna(subset="price")
    seen, _ = split(len(frame), 0.1, 0)
    fitted = frame.iloc[seen]
    X = pd.DataFrame({"size_m": fitted["size_m"].fillna(fitted["size_m"].mean())})
    X["town = Oslo"], X["town = Rome"] = fitted["town"] == "Oslo", fitted["town"] == "Rome"
    theirs = QuantileRegressor(alpha=0.0).fit(X.astype(float), fitted["price"])
    np.testing.assert_allclose(opened.estimator.coef_, theirs.coef_, atol=1e-6)
    assert list(opened.estimator.feature_names_in_) == list(X)
    told = opened.run.metrics()["target"]
    assert [line["term"] for line in told["coefficients"]] == list(X)
    for line, spread in zip(told["coefficients"], X.astype(float).std(ddof=0), strict=True):
        assert line["standard_mean"] == pytest.approx(line["mean"] * spread / fitted["price"].std(ddof=0))


def test_a_regression_does_not_mind_the_unit_and_the_origin_of_its_target(
    tacit: Command, houses: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(houses)[["size_m", "price"]].dropna()
    found = []
    for number, (times, shift) in enumerate([(1.0, 0.0), (1e-3, 2000.0)]):
        path = tmp_path / f"{number}.csv"
        frame.assign(price=frame["price"] * times + shift).to_csv(path, index=False)
        done = tacit("fit", path, "--target", "price", "--model", "bayesian-linear-regression", "--out", tmp_path / "r")
        assert done.exit_code == 0, done.output
        (line,) = Opened.at(tmp_path / "r").run.metrics()["target"]["coefficients"]
        found.append(line["mean"] / times)
        shutil.rmtree(tmp_path / "r")
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_predict_adds_the_number_and_its_interval(tacit: Command, rows_of: Callable, run: Path, houses: Path) -> None:
    done = tacit("predict", run, houses, "--level", "0.5", "--format", "csv")
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert len(rows) == 100
    assert list(rows[0]) == ["row", "id", "price", "from", "to"]
    model, frame = load(run), pd.read_csv(houses)
    place = 50
    design = [frame["size_m"][place], frame["town"][place] == "Oslo", frame["town"][place] == "Rome"]
    expected = np.array(design, float) @ model.coef_ + model.intercept_
    assert rows[place]["price"] == pytest.approx(expected)
    reach = -2.0 * model.scale_ * np.log(0.5)  # the quartile of Laplace's distribution
    assert rows[place]["to"] - rows[place]["price"] == pytest.approx(reach)
    assert "Gaps were filled" in " ".join(done.stderr.split())


def test_score_gives_the_density_of_the_known_target(
    tacit: Command, rows_of: Callable, run: Path, houses: Path, tmp_path: Path
) -> None:
    done = tacit("score", run, houses, "--format", "csv")
    assert done.exit_code == 0, done.output
    rows, model = rows_of(done.stdout), load(run)
    assert len(rows) == 97
    assert rows[0]["row"] == 4
    gap = abs(rows[0]["known price"] - rows[0]["predicted price"])
    assert rows[0]["log_density"] == pytest.approx(np.log(0.25 / model.scale_) - 0.5 * gap / model.scale_)
    assert 0 < rows[0]["p_value"] <= 1
    assert "3 rows without price left out" in " ".join(done.stderr.split())
    without = tmp_path / "new.csv"
    pd.read_csv(houses).drop(columns="price").to_csv(without, index=False)
    assert tacit("predict", run, without).exit_code == 0
    lacking = tacit("score", run, without)
    assert lacking.exit_code == 3
    assert "has no column 'price'" in " ".join(lacking.output.split())


def test_show_tells_it_again_and_report_is_written_again(
    tacit: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = " ".join(tacit("show", run).output.split())
    assert "What goes with price" in said
    assert "How good is it?" in said
    told: list[Report] = []
    monkeypatch.setattr("tacit.workflow.reporting.write", lambda path, report: told.append(report) or path)
    done = tacit("report", run)
    assert done.exit_code == 0, done.output
    (report,) = told
    text = build(report)
    for words in ("What goes with price", "Of 10 rows kept aside", "What came against what was predicted"):
        assert words in text


@pytest.fixture(scope="module")
def sold_run(tacit: Command, houses: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whether each is sold; the model is chosen by the column."""
    path = tmp_path_factory.mktemp("runs") / "sold"
    more = ("--kind", "price=drop", "--set", "method=laplace", "--set", "n_draws=0")
    done = tacit("fit", houses, "--target", "sold", *more, "--out", path)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "It was taken because sold has 2 classes" in said
    assert "What goes with the log odds of sold = yes" in said
    assert "were put into the right class; always to say the commonest" in said
    assert "How far to trust it" in said
    return path


def test_classes_come_with_their_chances(tacit: Command, rows_of: Callable, sold_run: Path, houses: Path) -> None:
    done = tacit("predict", sold_run, houses, "--format", "csv")
    rows = rows_of(done.stdout)
    assert list(rows[0]) == ["row", "id", "sold", "probability", "p(no)", "p(yes)"]
    for row in rows[:10]:
        assert row["p(no)"] + row["p(yes)"] == pytest.approx(1.0)
        assert row["probability"] == pytest.approx(max(row["p(no)"], row["p(yes)"]))
        assert row["sold"] == ("yes" if row["p(yes)"] > 0.5 else "no")
    target = json.loads((sold_run / "target.json").read_text())
    assert target["column"]["columns"][0]["name"] == "sold"
    # numbers are seen in standard deviations, and told in the user's units
    lines = {line["term"]: line for line in Opened.at(sold_run).run.metrics()["target"]["coefficients"]}
    assert target["terms"][0]["scale"] > 10
    assert lines["size_m"]["mean"] * target["terms"][0]["scale"] == pytest.approx(load(sold_run).coef_[0, 0])
    assert lines["size_m"]["standard_mean"] == pytest.approx(load(sold_run).coef_[0, 0], rel=0.02)


def test_classes_are_kept_aside_in_equal_shares_and_never_wholly() -> None:
    classes = np.repeat([0, 1, 2], [80, 19, 1])
    seen, kept = split(100, 0.2, 3, classes)
    assert np.bincount(classes[kept], minlength=3).tolist() == [16, 4, 0]
    assert np.union1d(seen, kept).size == 100
    seen, kept = split(6, 0.9, 0, np.array([0, 0, 1, 1, 2, 2]))
    assert set(np.array([0, 0, 1, 1, 2, 2])[seen]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--target", "prise"), 3, "Did you mean 'price'?"),
        (("--target", "name"), 3, "'name' cannot be predicted: an identifier"),
        (("--target", "always"), 3, "'always' cannot be predicted: always 'a'"),
        (("--target", "sold", *LAD), 2, "predicts a number, and sold holds words (no, yes)"),
        (
            ("--target", "price", "--model", "bayesian-logistic-regression"),
            2,
            "tells classes apart, and price",
        ),
        (("--target", "price", "--model", "k-means"), 2, "k-means learns without a target: leave out --target"),
        (LAD, 2, "learns a column from the others: say which, --target COLUMN"),
        (("--target", "sold", "--model", "generative-classifier"), 2, "'town' has levels"),
        (("--target", "sold", "--model", "semi-supervised-vae"), 2, "learns labels in Python only"),
        (("--target", "name", "--kind", "name=categorical"), 3, "every row has a name of its own"),
        (("--target", "price", *LAD, "--set", "quantile=2"), 2, "quantile must be"),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    tacit: Command, houses: Path, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    table = tmp_path / "houses.csv"
    pd.read_csv(houses).assign(always="a").to_csv(table, index=False)
    done = tacit("fit", table, *words, "--out", tmp_path / "run")
    assert done.exit_code == code, done.output
    assert said in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert not (tmp_path / "run").exists()


def test_commands_that_do_not_go_with_the_run_say_what_does(
    tacit: Command, run: Path, points_run: Path, houses: Path, tables: Path
) -> None:
    for words, said in (
        (("assign", run, houses), "predicts 'price': use `tacit predict`"),
        (("predict", points_run, tables / "new.csv"), "predicts no column (fit --target): use `tacit assign`"),
        (("score", run, houses, "--alarm", "0.1"), "--alarm is about odd rows"),
        (("compare", houses, "--models", "student-t-regression"), "learns one column from the others"),
    ):
        done = tacit(*words)
        assert done.exit_code in (2, 4), done.output
        assert said in " ".join(done.output.split())
    assert "fit --target, predict, score" in " ".join(tacit("models", "--format", "table").output.split())


def test_a_count_is_predicted_as_a_count(tacit: Command, rows_of: Callable, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    age, days = random.uniform(20, 70, 300), random.integers(30, 365, 300)
    visits = random.poisson(np.exp(-4 + 0.03 * age) * days * random.gamma(2.0, 0.5, 300))
    pd.DataFrame({"age": age, "days": days, "visits": visits}).to_csv(tmp_path / "v.csv", index=False)
    done = tacit("fit", tmp_path / "v.csv", "--target", "visits", "--set", "exposure=days", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "Negative binomial regression. It was taken because visits is a count" in said
    assert "With age higher by 10, the expected visits is multiplied by 1.28 (1.2 to 1.36)" in said
    rows = rows_of(tacit("predict", tmp_path / "run", tmp_path / "v.csv").stdout)
    assert all(row["from"] == int(row["from"]) <= row["to"] for row in rows)
    refused = tacit("fit", tmp_path / "v.csv", "--target", "age", "--model", "poisson-regression")
    assert refused.exit_code == 2
    assert "predicts counts" in refused.output
