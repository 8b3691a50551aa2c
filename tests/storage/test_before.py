"""Files written before components had classes of their own: they load, and answer as they did."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacit.models.components.student import StudentComponent
from tacit.storage import load

FOLDER = Path(__file__).with_name("before")
CONJUGATE = [0, 1, 2, 3, 4, 5, 9]


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "answers.npz") as file:
        return dict(file)


def rows_of(name: str, answers: dict[str, np.ndarray]) -> np.ndarray:
    rows = answers["rows"]
    match name:
        case "gaussian" | "bayesian-gaussian":
            return answers["gaps"]
        case "gaussian-map" | "classifier":
            return rows[:, :2]
        case "bayesian" | "bayesian-diag":
            return rows[:, CONJUGATE]
        case "poisson" | "multinomial":
            return np.round(np.abs(rows[:, [3, 5, 8]]))
    return rows


def found(name: str, model: Any, rows: np.ndarray) -> dict[str, np.ndarray]:
    if name == "classifier":
        return {"scores": model.predict_proba(rows)}
    drawn = model.sample(5, totals=9) if name == "multinomial" else model.sample(5)
    said = {"scores": model.score_samples(rows), "sample": drawn[0]}
    if name != "multinomial":
        holed = rows[:6].copy()
        holed[:, 1] = np.nan
        said |= {"imputed": model.impute(holed), "drawn": model.impute(holed, 2, 3)}
        said |= {"means": model.condition({0: rows[0, 0]}).mean()}
        said |= {"quantile": model.marginal([1]).quantile([0.1, 0.7])}
    return said


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # log-normal predictives have no mean
@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if not path.suffix))
def test_an_older_file_answers_as_it_did(name: str, answers: dict[str, np.ndarray]) -> None:
    said = found(name, load(FOLDER / name), rows_of(name, answers))
    assert said
    for what, value in said.items():
        np.testing.assert_allclose(value, answers[f"{name}.{what}"], rtol=1e-10, atol=1e-12, err_msg=what)


def test_degrees_of_freedom_became_a_kind_of_its_own() -> None:
    (group,) = load(FOLDER / "bayesian-gaussian").model_.groups
    assert isinstance(group, StudentComponent)
    assert group.dofs.shape == (2,)
