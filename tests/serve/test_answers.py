"""What a server answers, against what the models say in this process."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

import tacit
from served import Client, rows_of
from tacit.serve.bodies import ARROW


@pytest.fixture(scope="module")
def model(points_run: Path) -> tacit.GaussianMixture:
    """The model that is served."""
    return tacit.load(points_run)


def named(rows: object) -> pa.Table:
    """Rows under the names of the columns."""
    left, right = np.array(rows, float).T
    return pa.table({"left": left, "right": right})


def test_runs_and_their_schemas_are_told(call: Client) -> None:
    status, told = call("GET", "/")
    assert status == 200
    assert {each["name"]: each["can"] for each in told["runs"]}["cost"] == ["predict", "score"]
    status, told = call("GET", "/people")
    assert told["columns"][2] == {"name": "city", "kind": "categorical", "levels": ["Oslo", "Paris", "Rome"]}
    for what in ("score", "assign", "impute"):
        status, answer = call("POST", f"/people/{what}", told["example"])
        assert status == 200, answer
    assert call("GET", "/healthz") == (200, {"status": "ok", "runs": 3})


def test_openapi_names_every_path_with_an_example_that_works(call: Client) -> None:
    status, told = call("GET", "/openapi.json")
    assert status == 200
    assert told["openapi"].startswith("3.")
    posts = {path: found["post"] for path, found in told["paths"].items() if "post" in found}
    assert {"/people/score", "/people/query", "/points/sample", "/cost/predict"} <= set(posts)
    for path, found in posts.items():
        example = found["requestBody"]["content"]["application/json"]["example"]
        status, answer = call("POST", path, example)
        assert status == 200, (path, answer)
    assert "security" not in told


def test_scores_are_those_of_the_model(call: Client, model: tacit.GaussianMixture) -> None:
    X = [[0.5, 48.0], [6.0, None], [100.0, -3.0]]
    status, told = call("POST", "/points/score", {"columns": ["left", "right"], "rows": X})
    assert status == 200
    expected = model.score_samples(named(X))
    np.testing.assert_allclose([row["log_density"] for row in told["rows"]], expected, rtol=1e-12)
    status, told = call("POST", "/points/score?explain=1", [{"right": 48, "left": 60.5}])
    assert "left" in told["rows"][0]["why"]


def test_arrow_goes_in_and_out(call: Client, model: tacit.GaussianMixture) -> None:
    table = pa.table({"left": [0.5, 6.0], "right": [48.0, 31.0]})
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body = sink.getvalue().to_pybytes()
    status, told = call("POST", "/points/assign", body, Content_Type=ARROW)
    assert status == 200
    found = ipc.open_stream(told).read_all()
    shares = np.column_stack([found.column("group_1"), found.column("group_2")])
    np.testing.assert_allclose(shares, model.predict_proba(table), rtol=1e-12)
    assert json.loads(found.schema.metadata[b"notes"]) == []
    status, told = call("POST", "/points/assign", body, Content_Type=ARROW, Accept="application/json")
    assert [row["group"] for row in told["rows"]] == found.column("group").to_pylist()


def test_gaps_are_filled_and_rows_drawn(call: Client) -> None:
    status, told = call("POST", "/people/impute", {"rows": [{"spend": None, "visits": 8, "city": "Paris"}]})
    assert status == 200
    assert told["rows"][0]["spend"] > 35
    assert "1 gap" in told["notes"][0]
    wanted = {"number": 5, "given": {"city": "Rome"}, "seed": 3}
    status, told = call("POST", "/people/sample", wanted)
    assert [row["city"] for row in told["rows"]] == ["Rome"] * 5
    assert call("POST", "/people/sample", wanted)[1] == told
    assert call("POST", "/people/sample", wanted | {"seed": 4})[1] != told


def test_questions_are_answered(call: Client) -> None:
    status, told = call("POST", "/people/query", {"questions": ["P(city = Paris | visits > 7)"]})
    assert status == 200
    assert told["rows"][0]["value"] > 0.7
    status, told = call("POST", "/people/query", {"rows": [{"city": "Paris"}]})
    assert told["rows"][0]["spend mean"] > 40


def test_targets_are_predicted(call: Client) -> None:
    status, told = call("POST", "/cost/predict", {"rows": [{"left": 2.0, "right": 40.0}], "level": 0.5})
    assert status == 200
    row = told["rows"][0]
    assert row["price"] == pytest.approx(6.0, abs=0.5)
    assert row["from"] < row["price"] < row["to"]
    status, told = call("POST", "/cost/score", {"rows": [{"left": 2.0, "right": 40.0, "price": 6.0}]})
    assert math.isfinite(told["rows"][0]["log_density"])


def test_many_at_once_get_their_own_answers(call: Client, model: tacit.GaussianMixture) -> None:
    places = np.random.default_rng(5).normal([[3.0, 40.0]], 4.0, (60, 1, 2))

    def ask(rows: np.ndarray) -> tuple[float, list[float]]:
        body = {"columns": ["left", "right"], "rows": rows.tolist()}
        score = call("POST", "/points/score", body)[1]["rows"][0]["log_density"]
        drawn = call("POST", "/points/sample", {"number": 2, "seed": int(abs(rows[0, 0] * 1000))})[1]["rows"]
        return score, [row["left"] for row in drawn]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, places))
    np.testing.assert_allclose([score for score, _ in found], model.score_samples(named(places[:, 0])), rtol=1e-12)
    assert [ask(rows)[1] for rows in places[:5]] == [drawn for _, drawn in found[:5]]


def test_what_is_counted_is_told_to_prometheus(call: Client) -> None:
    def figure(line: str) -> float:
        text = call("GET", "/metrics")[1].decode()
        return next((float(each.split()[-1]) for each in text.splitlines() if each.startswith(line)), 0.0)

    names = (
        'tacit_requests_total{run="points",path="score",code="200"}',
        'tacit_rows_total{run="points",path="score"}',
    )
    errors = 'tacit_errors_total{run="points",path="score"}'
    before = [figure(name) for name in (*names, errors)]
    call("POST", "/points/score", rows_of(3))
    call("POST", "/points/score", {"rows": [{"left": "x", "right": 1.0}]})
    call("POST", "/points/score-of-my-own", rows_of(3))
    after = [figure(name) for name in (*names, errors)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1.0, 3.0, 1.0]
    text = call("GET", "/metrics")[1].decode()
    assert 'tacit_request_seconds_bucket{run="points",path="score",le="+Inf"}' in text
    assert "of-my-own" not in text
