"""SQL text, run by SQLite, against the models."""

import math
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import tacit
from served import fit
from tacit.cli import app

NAMES = ('left "most"', "select", "naïve; drop")


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """Three groups, with gaps."""
    draw = np.random.default_rng(0)
    rows = draw.normal(np.repeat([[0.0, 0, 0], [6, -3, 1], [-5, 2, 9]], 60, axis=0), 1.0)
    rows[draw.random(rows.shape) < 0.05] = np.nan
    return rows[~np.isnan(rows).all(axis=1)]


def run(text: str, rows: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns that a query gives."""
    with sqlite3.connect(":memory:") as base:
        quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        base.execute(f"CREATE TABLE data ({quoted})")
        values = [[None if np.isnan(value) else value for value in row] for row in rows.tolist()]
        base.executemany(f"INSERT INTO data VALUES ({', '.join('?' * len(names))})", values)
        found = base.execute(text)
        told = [column[0] for column in found.description]
        return {name: np.array(column) for name, column in zip(told, zip(*found.fetchall(), strict=True), strict=True)}


def named(rows: np.ndarray, names: tuple[str, ...]) -> pa.Table:
    """Rows under names."""
    return pa.table({name: rows[:, place] for place, name in enumerate(names)})


@pytest.mark.parametrize("names", [NAMES, ("x0", "x1", "x2")])
def test_clusters_are_those_of_k_means(points: np.ndarray, names: tuple[str, ...]) -> None:
    X = points if names[0] == "x0" else named(points, names)
    model = tacit.KMeans(3, random_state=0).fit(X)
    found = run(tacit.to_sql(model), points, names)
    np.testing.assert_array_equal(found["cluster"], model.predict(X))
    np.testing.assert_allclose(found["distance"], model.transform(X).min(axis=1), rtol=1e-12)


@pytest.mark.parametrize("kind", ["diag", "spherical", "VVI", "EII"])
def test_densities_are_those_of_the_mixture(points: np.ndarray, kind: str) -> None:
    X = named(points, NAMES)
    model = tacit.GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    found = run(tacit.to_sql(model), points, NAMES)
    np.testing.assert_allclose(found["log_density"], model.score_samples(X), rtol=1e-10)
    np.testing.assert_array_equal(found["cluster"], model.predict(X))
    shares = np.column_stack([found[f"p_{k}"] for k in range(3)])
    np.testing.assert_allclose(shares, model.predict_proba(X), atol=1e-10)


def test_predictions_are_those_of_regressions() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(150, 3))
    y = rows @ [1.0, -2.0, 0.5] + 3.0 + draw.normal(0.0, 0.1, 150)
    X, names = named(rows, NAMES), NAMES
    for model in (tacit.BayesianLinearRegression(), tacit.StudentTRegression()):
        model.fit(X, y)
        np.testing.assert_allclose(run(tacit.to_sql(model), rows, names)["prediction"], model.predict(X), rtol=1e-10)
    counts = tacit.PoissonRegression().fit(X, draw.poisson(np.exp(0.3 * rows[:, 0])))
    np.testing.assert_allclose(run(tacit.to_sql(counts), rows, names)["prediction"], counts.predict(X), rtol=1e-10)


@pytest.mark.parametrize("posterior", ["full", "mean-field"])
def test_probabilities_are_those_of_the_logistic_regression(posterior: str) -> None:
    draw = np.random.default_rng(4)
    rows = draw.normal(size=(60, 3)) * [1.0, 20.0, 0.1] + [0.0, 300.0, 5.0]
    chance = 1.0 / (1.0 + np.exp(-(rows[:, 0] - (rows[:, 1] - 300.0) / 10.0)))
    y = np.where(draw.random(60) < chance, "yes", "it's no")
    X = named(rows, NAMES)
    model = tacit.BayesianLogisticRegression(posterior=posterior, n_draws=0).fit(X, y)
    far = np.array([[0.0, 3000.0, 5.0], [0.0, -3000.0, 5.0], [1e5, 300.0, 5.0], [-1e5, 300.0, 5.0]])
    new = np.concatenate([rows, far])
    found = run(to_rows := tacit.to_sql(model), new, NAMES)
    assert to_rows.count("SELECT") == 5
    np.testing.assert_allclose(found["probability"], model.predict_proba(named(new, NAMES))[:, 1], atol=1e-12)
    np.testing.assert_array_equal(found["prediction"], model.predict(named(new, NAMES)))
    assert run(to_rows, np.array([[np.nan, 300.0, 5.0]]), NAMES)["prediction"][0] is None
    with pytest.raises(ValueError, match="two classes"):
        tacit.to_sql(tacit.BayesianLogisticRegression(n_draws=0).fit(X, np.arange(60) % 3))


def test_columns_of_the_table_are_not_mistaken_for_those_of_the_text(points: np.ndarray) -> None:
    names = ("l_0", "D_0", "log_density")
    X = named(points, names)
    for model in (
        tacit.GaussianMixture(3, covariance_type="diag", random_state=0).fit(X),
        tacit.KMeans(3, random_state=0).fit(X),
    ):
        np.testing.assert_array_equal(run(tacit.to_sql(model), points, names)["cluster"], model.predict(X))
    with pytest.raises(ValueError, match="Tacit_top"):
        tacit.to_sql(tacit.KMeans(3, random_state=0).fit(named(points, ("Tacit_top", "b", "c"))))


def test_nothing_underflows(points: np.ndarray) -> None:
    model = tacit.GaussianMixture(3, covariance_type="diag", random_state=0).fit(named(points, NAMES))

    def strict(value: float | None) -> float | None:
        """As PostgreSQL: what is not 0 has no exponential that is."""
        if value is not None and math.exp(value) == 0.0:
            raise ValueError("value out of range: underflow")
        return None if value is None else math.exp(value)

    with sqlite3.connect(":memory:") as base:
        base.create_function("EXP", 1, strict)
        base.execute("CREATE TABLE data (" + ", ".join('"' + name.replace('"', '""') + '"' for name in NAMES) + ")")
        base.execute("INSERT INTO data VALUES (1e4, -1e4, 1e4)")
        assert np.isfinite(base.execute(tacit.to_sql(model)).fetchone()[-1])


def test_many_columns_are_not_too_deep() -> None:
    rows = np.random.default_rng(2).normal(size=(1500, 1200))
    model = tacit.KMeans(2, random_state=0, n_init=1).fit(rows[:20])
    found = run(tacit.to_sql(model), rows[:5], tuple(f"x{place}" for place in range(1200)))
    np.testing.assert_array_equal(found["cluster"], model.predict(rows[:5]))


def test_what_has_no_sql_is_said(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match="without covariances"):
        tacit.to_sql(tacit.GaussianMixture(2, random_state=0).fit(points))
    with pytest.raises(TypeError, match="no SQL"):
        tacit.to_sql(tacit.PCA(1).fit(points))


def test_the_command_takes_the_columns_as_they_are(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    city = np.where(draw.random(200) < 0.4, "Rome", np.where(draw.random(200) < 0.5, "L'Aquila", "Oslo"))
    size = draw.normal(10.0, 3.0, 200)
    price = 2.0 * size + 5.0 * (city == "Rome") + draw.normal(0.0, 0.5, 200)
    folder = fit({"size": size, "city": city, "price": price}, tmp_path / "run", "--target", "price")
    done = CliRunner().invoke(app, ["sql", str(folder)])
    assert done.exit_code == 0, done.output
    with sqlite3.connect(":memory:") as base:
        base.execute("CREATE TABLE data (size, city)")
        new = [(9.0, "Rome"), (None, "L'Aquila"), (12.0, None), (8.0, "Atlantis")]
        base.executemany("INSERT INTO data VALUES (?, ?)", new)
        found = [row[-1] for row in base.execute(done.stdout)]
    (tmp_path / "new.csv").write_text('size,city\n9,Rome\n,"L\'Aquila"\n12,\n8,Atlantis\n')
    told = CliRunner().invoke(
        app, ["predict", str(folder), str(tmp_path / "new.csv"), "--unseen-as-missing", "--format", "csv"]
    )
    expected = [float(line.split(",")[1]) for line in told.stdout.splitlines()[1:]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
