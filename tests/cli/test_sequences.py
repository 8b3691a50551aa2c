"""`tacit fit --sequence`, and what is asked of such a run."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

Command = Callable[..., Result]


def table(folder: Path, *, shuffled: bool = True) -> Path:
    """Twelve patients on twenty days, in any order, with gaps."""
    random = np.random.default_rng(0)
    rows = []
    for patient in range(12):
        state = random.integers(2)
        for day in range(20):
            state = state if random.random() < 0.9 else 1 - state
            pulse = "" if random.random() < 0.1 else f"{[60.0, 95.0][state] + 5 * random.normal():.1f}"
            mood = ["good", "bad"][state if random.random() < 0.9 else 1 - state]
            rows.append([f"p{patient}", f"2024-03-{day + 1:02d}", pulse, random.poisson([1, 6][state]), mood])
    if shuffled:
        random.shuffle(rows)
    path = folder / "visits.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["patient", "day", "pulse", "visits", "mood"], *rows])
    return path


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def visits(tacit: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    """The table, the folder of a run, and what the fit said."""
    place = tmp_path_factory.mktemp("visits")
    data, folder = table(place), place / "run"
    told = tacit("fit", data, "--sequence", "patient,day", "--set", "components=2", "--out", folder)
    assert told.exit_code == 0, told.output
    return data, folder, told


def test_from_a_fit_to_a_forecast(visits: tuple[Path, Path, Result], tacit: Command) -> None:
    data, folder, told = visits
    assert "Hidden markov model" in told.output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "How groups follow one another" in page
    assert "What comes next" in page
    assigned = lines(tacit("assign", folder, data).stdout)
    source = lines(data.read_text(encoding="utf-8"))
    assert len(assigned) == len(source) == 240
    high = [
        line["group"] for line, row in zip(assigned, source, strict=True) if row["pulse"] and float(row["pulse"]) > 80
    ]
    assert len(set(high)) == 1
    scores = np.array([float(line["log_density"]) for line in lines(tacit("score", folder, data).stdout)])
    assert np.isfinite(scores).all()
    filled = lines(tacit("impute", folder, data).stdout)
    assert all(line["pulse"] for line in filled)
    assert [line["day"] for line in filled] == [row["day"] for row in source]
    ahead = lines(tacit("forecast", folder, data, "--steps", "3").stdout)
    assert len(ahead) == 36
    assert all(float(line["pulse low"]) < float(line["pulse"]) < float(line["pulse high"]) for line in ahead)
    assert {line["mood"] for line in ahead} <= {"good", "bad"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("patient,when", "no column 'when'"),
        ("patient,patient", "is not understood"),
        ("mood,day", "have the same time"),
        ("patient,mood", "'mood', row"),
        (",day", "have the same time"),
    ],
)
def test_faults_are_told(tmp_path: Path, tacit: Command, said: str, why: str) -> None:
    told = tacit("fit", table(tmp_path), "--sequence", said, "--out", tmp_path / "run")
    assert told.exit_code != 0
    assert why in " ".join(told.output.split())


def test_a_model_that_forgets_order_is_refused(tmp_path: Path, tacit: Command) -> None:
    data = table(tmp_path)
    told = tacit("fit", data, "--sequence", "patient,day", "--model", "mixture", "--out", tmp_path / "run")
    assert told.exit_code != 0
    assert "knows no order of rows" in " ".join(told.output.split())


def test_models_of_sequences_are_compared_on_whole_ones(tacit: Command, tmp_path: Path) -> None:
    data = tmp_path / "two.csv"
    random = np.random.default_rng(0)
    with data.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["who", "day", "x"])
        for who in range(8):
            state = who % 2
            for day in range(15):
                state = state if random.random() < 0.9 else 1 - state
                writer.writerow([who, day, f"{4 * state + random.normal():.3f}"])
    models = "hidden-markov-model:components=2,hidden-markov-model:components=1"
    told = tacit("compare", data, "--sequence", "who,day", "--folds", "2", "--models", models, "--format", "csv")
    assert told.exit_code == 0, told.output
    assert [line["model"] for line in lines(told.stdout)] == models.split(",")
    refused = tacit("compare", data, "--sequence", "who,day", "--models", "mixture")
    assert refused.exit_code != 0
    assert "knows no order of rows" in refused.output
