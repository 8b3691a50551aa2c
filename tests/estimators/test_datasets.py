"""A data set in place of an array: the same numbers, whatever holds the rows, and whether or not they are streamed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tacit import (
    VAE,
    BayesianGaussianMixture,
    BayesianLinearRegression,
    BayesianLogisticRegression,
    GaussianMixture,
    KMeans,
    LeastAbsoluteDeviations,
    Mixture,
    PoissonMixture,
    StudentTRegression,
    bootstrap,
    compare,
    dataset,
    select,
)
from tacit.data import Column, DataError, Dataset, DenseRows, Schema, load, sources
from tacit.data.dataset import numbered
from tacit.estimators.base import weighted
from tacit.evaluation.anomalies import odd_columns

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(700, 2)) + 4.0 * RANDOM.integers(0, 2, (700, 1))
COUNTS = RANDOM.poisson(2.0 + 6.0 * RANDOM.integers(0, 2, (700, 1)), (700, 2)).astype(float)
NAMES = ("a", "b")


def file_of(path: Path, rows: np.ndarray) -> Path:
    parquet.write_table(pa.table(dict(zip(NAMES, rows.T, strict=True))), path, row_group_size=200)
    return path


def schema_of(kind: Any) -> Schema:
    return Schema(tuple(Column(name, kind) for name in NAMES))


def kinds_of(folder: Path, rows: np.ndarray, kind: Any = "continuous") -> dict[str, Dataset]:
    """The same rows as a file, as two files, and as a part of one."""
    two = [file_of(folder / "one.parquet", rows[:333]), file_of(folder / "two.parquet", rows[333:])]
    more = file_of(folder / "more.parquet", np.concatenate([rows[:200], rows]))
    return {
        "file": dataset(file_of(folder / "all.parquet", rows), schema=schema_of(kind)),
        "files": dataset(two, schema=schema_of(kind)),
        "range": dataset(more, schema=schema_of(kind)).take(slice(200, None)),
        "array": DenseRows(rows),
    }


@pytest.mark.parametrize(
    "model",
    [
        GaussianMixture(2, random_state=0, tol=1e-8),
        GaussianMixture(2, random_state=0, objective="map", inference="online-em", max_iter=3),
        BayesianGaussianMixture(n_components=3, random_state=0, max_iter=20),
    ],
    ids=str,
)
def test_mixtures_fit_a_data_set_as_its_array(model: GaussianMixture, tmp_path: Path) -> None:
    whole = model.fit(ROWS)
    means, scores, shares = whole.means_, whole.score_samples(ROWS), whole.predict_proba(ROWS)
    assert whole.weights_.max() < 0.9
    for data in kinds_of(tmp_path, ROWS).values():
        again = model.fit(data)
        np.testing.assert_array_equal(again.means_, means)
        np.testing.assert_array_equal(again.score_samples(data), scores)
        np.testing.assert_array_equal(again.predict_proba(data), shares)
        assert again.n_features_in_ == 2
    assert list(model.fit(kinds_of(tmp_path, ROWS)["files"]).feature_names_in_) == list(NAMES)


def test_counts_of_files(tmp_path: Path) -> None:
    model = PoissonMixture(2, random_state=0, n_init=1)
    rates = model.fit(COUNTS).rates_
    for data in kinds_of(tmp_path, COUNTS, "count").values():
        np.testing.assert_array_equal(model.fit(data).rates_, rates)
    with pytest.raises(ValueError, match="it takes counts"):
        model.fit(DenseRows(ROWS))


@pytest.mark.parametrize("stream", [False, True])
def test_k_means_of_files(tmp_path: Path, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = KMeans(3, random_state=0, n_init=1)
    centres, labels = model.fit(ROWS).cluster_centers_, model.labels_
    if stream:
        monkeypatch.setattr("tacit.models.kmeans.fitting.STREAM_BYTES", 0)
    for data in kinds_of(tmp_path, ROWS).values():
        np.testing.assert_allclose(model.fit(data).cluster_centers_, centres, rtol=1e-12)
        np.testing.assert_array_equal(model.labels_, labels)
        np.testing.assert_array_equal(model.predict(data), labels)


def test_regressions_of_files(tmp_path: Path) -> None:
    target = ROWS @ [1.0, -0.5] + RANDOM.normal(size=700)
    straight, curved = BayesianLinearRegression(), BayesianLogisticRegression(n_init=1, n_draws=0)
    whole = straight.fit(ROWS, target).coef_, curved.fit(ROWS, target > 1.0).coef_
    expected = straight.predict(ROWS), curved.predict_proba(ROWS)
    for data in kinds_of(tmp_path, ROWS).values():
        np.testing.assert_array_equal(straight.fit(data, target).coef_, whole[0])
        np.testing.assert_array_equal(curved.fit(data, target > 1.0).coef_, whole[1])
        np.testing.assert_array_equal(straight.predict(data), expected[0])
        np.testing.assert_array_equal(curved.predict_proba(data), expected[1])


@pytest.mark.parametrize("model", [StudentTRegression(), LeastAbsoluteDeviations()], ids=str)
def test_robust_regressions_of_files(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.arange(700) % 3.0
    target = ROWS @ [1.0, -0.5] + RANDOM.standard_t(2.0, size=700)
    coefficients, covariance = model.fit(ROWS, target, weights).coef_, model.covariance_
    told, likely = model.predict(ROWS), model.log_predictive(ROWS, target)
    kinds = kinds_of(tmp_path, ROWS)
    for data in kinds.values():
        np.testing.assert_array_equal(model.fit(data, target, weights).coef_, coefficients)
        np.testing.assert_array_equal(model.predict(data), told)
        np.testing.assert_array_equal(model.log_predictive(data, target), likely)
    assert list(model.fit(kinds["files"].weighted(weights), target).feature_names_in_) == list(NAMES)
    np.testing.assert_array_equal(model.coef_, coefficients)
    monkeypatch.setattr(Dataset.slices, "__defaults__", (128,))  # sums go from slice to slice
    np.testing.assert_allclose(model.fit(kinds["file"], target, weights).coef_, coefficients, rtol=1e-7)
    np.testing.assert_allclose(model.covariance_, covariance, rtol=1e-6)
    with pytest.raises(ValueError, match=r"Input X contains NaN, in column 'x1': .* needs complete rows"):
        model.fit(DenseRows(np.where(numbered(1400).reshape(700, 2) == 3, np.nan, ROWS)), target)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        model.fit(DenseRows(ROWS), np.where(numbered(700) == 3, np.nan, target))
    with pytest.raises(ValueError, match="y must be numbers, and has 'a'"):
        model.fit(DenseRows(ROWS), np.full(700, "a"))
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(DenseRows(ROWS), None)


def test_deep_models_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = VAE(1, hidden=(4,), max_epochs=2, random_state=0, n_samples=5)
    codes, scores = model.fit(ROWS).transform(ROWS), model.score_samples(ROWS)
    kinds = kinds_of(tmp_path, ROWS)
    for data in kinds.values():
        np.testing.assert_array_equal(model.fit(data).transform(data), codes)
        np.testing.assert_array_equal(model.score_samples(data), scores)
    assert list(model.fit(kinds["files"]).feature_names_in_) == list(NAMES)
    expected = model.fit(ROWS, sample_weight=np.arange(700) % 3.0).transform(ROWS)
    np.testing.assert_array_equal(model.fit(DenseRows(ROWS, np.arange(700) % 3.0)).transform(ROWS), expected)
    for module in ("tacit.estimators.vae.rows", "tacit.estimators.gradient_fit", "tacit.inference.rounds"):
        monkeypatch.setattr(f"{module}.RESIDENT_BYTES", 0)
    np.testing.assert_allclose(model.fit(kinds["files"]).transform(kinds["files"]), codes, rtol=0.2, atol=0.2)
    with pytest.raises(ValueError, match="contains infinity"):
        model.fit(DenseRows(np.where(numbered(700)[:, None] == 3, np.inf, ROWS)))


def test_streamed_files_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = GaussianMixture(2, random_state=0, tol=1e-9, max_iter=60)
    means = model.fit(ROWS).means_
    monkeypatch.setattr(sources, "STREAM_BYTES", 0)
    for data in kinds_of(tmp_path, ROWS).values():
        np.testing.assert_allclose(model.fit(data).means_, means, rtol=1e-9)


def test_weights_of_a_data_set_count_unless_others_are_given() -> None:
    weights = np.arange(700) % 3.0
    model = GaussianMixture(2, random_state=0)
    expected = model.fit(ROWS, sample_weight=weights).means_
    np.testing.assert_array_equal(model.fit(DenseRows(ROWS, weights)).means_, expected)
    np.testing.assert_array_equal(model.fit(DenseRows(ROWS, weights[::-1]), sample_weight=weights).means_, expected)
    assert weighted(DenseRows(ROWS, weights), None).total_weight == weights.sum()


def test_faults_are_those_of_an_array(tmp_path: Path) -> None:
    fit = GaussianMixture(1).fit(kinds_of(tmp_path, ROWS)["file"])
    with pytest.raises(ValueError, match="feature names should match"):
        fit.score_samples(DenseRows(ROWS[:, :1]).described(Schema(schema_of("continuous").columns[:1])))
    with pytest.raises(ValueError, match="feature names should match"):
        fit.score_samples(DenseRows(ROWS).described(Schema(schema_of("continuous").columns[::-1])))
    with pytest.raises(ValueError, match="contains infinity"):
        GaussianMixture(1).fit(DenseRows(np.where(numbered(700)[:, None] == 3, np.inf, ROWS)))
    with pytest.raises(ValueError, match="contains infinity"):
        GaussianMixture(1).fit(ROWS).predict(DenseRows(np.where(numbered(700)[:, None] == 3, -np.inf, ROWS)))
    with pytest.raises(ValueError, match="too large for dtype"):
        VAE(1, max_epochs=1).fit(DenseRows(np.where(numbered(700)[:, None] == 3, 1e39, ROWS)))
    with pytest.raises(ValueError, match=r"1 row\(s\) while a minimum of 2"):
        GaussianMixture(1).fit(DenseRows(ROWS[:1]))


def test_searches_and_comparisons_take_a_data_set() -> None:
    data, settings = DenseRows(ROWS), {"n_init": 2, "random_state": 0}
    one, other = (select(X, (1, 2), ["VVV"], "held-out", **settings) for X in (ROWS, data))
    assert one.table.to_pylist() == other.table.to_pylist()
    models = {"one": GaussianMixture(1), "two": GaussianMixture(2)}
    for name, scores in compare(ROWS, models, 2, random_state=0, baseline=False).scores.items():
        found = compare(data, models, 2, random_state=0, baseline=False).scores[name]
        np.testing.assert_array_equal(found, scores)
    fit = GaussianMixture(1).fit(ROWS)
    errors = [bootstrap(fit, X, 3, random_state=0).standard_errors["means"] for X in (ROWS, data)]
    np.testing.assert_array_equal(*errors)


def test_columns_of_any_kinds_are_those_of_the_table(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    town = np.array(["Ulm", "Bonn", None], object)[random.integers(0, 3, 700)]
    size = random.normal(size=700) + 5.0 * (town == "Ulm")
    table = pa.table({"town": pa.array(town).dictionary_encode(), "size": size, "visits": random.poisson(3.0, 700)})
    parts = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    parquet.write_table(table.slice(0, 300), parts[0])
    parquet.write_table(table.slice(300), parts[1], row_group_size=150)
    files = dataset(parts)
    assert files.schema == load(table).schema
    for families in ("auto", {"visits": "normal"}, {"size": "student-t"}):
        model = Mixture(2, random_state=0, n_init=1, families=families)
        whole = model.fit(table)
        weights, scores, schema = whole.weights_, whole.score_samples(table), whole.schema_
        again = model.fit(files)
        np.testing.assert_array_equal(again.weights_, weights)
        np.testing.assert_array_equal(again.score_samples(files), scores)
        np.testing.assert_array_equal(again.score_samples(table), scores)
        assert [column.kind for column in again.schema_.columns] == [column.kind for column in schema.columns]
        assert [column.levels for column in again.schema_.columns] == [column.levels for column in schema.columns]
    with pytest.raises(DataError, match="'size' cannot be continuous: every value is missing"):
        model.fit(DenseRows(np.where(np.arange(3) == 1, np.nan, files.rows())).described(files.schema))


def test_what_makes_a_row_odd_is_that_of_the_array() -> None:
    fit = GaussianMixture(2, random_state=0).fit(ROWS)
    np.testing.assert_array_equal(odd_columns(fit, DenseRows(ROWS)), odd_columns(fit, ROWS))


def test_online_fits_of_files_with_gaps_read_them_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "STREAM_BYTES", 0)
    monkeypatch.setattr(sources, "STREAM_ROWS", 1024)
    rows = np.concatenate([ROWS, ROWS + 0.5])
    rows[np.random.default_rng(2).random(rows.shape) < 0.2] = np.nan
    parquet.write_table(
        pa.table({name: pa.array(column, from_pandas=True) for name, column in zip(NAMES, rows.T, strict=True)}),
        tmp_path / "gaps.parquet",
    )
    data = dataset(tmp_path / "gaps.parquet").weighted(np.arange(1.0, 1401.0))
    batches = sources.shuffled(data, np.random.default_rng(0), chunk=256, tiles=True)
    assert not batches.resident
    found, weights = [], []
    for _ in range(2):
        blocks = list(batches.blocks())
        assert len(blocks) == 3
        for block in blocks:
            tiles = np.isnan(block.rows).reshape(-1, batches.tile, 2)
            assert (tiles == tiles[:, :1]).all()  # of one pattern each
        found.append(np.concatenate([block.rows[block.weights > 0] for block in blocks]))
        weights.append(np.concatenate([block.weights[block.weights > 0] for block in blocks]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(np.sort(weights[0]), data.weights)
    np.testing.assert_array_equal(found[0], rows[weights[0].astype(int) - 1])
    plain = dataset(tmp_path / "gaps.parquet")
    online = GaussianMixture(2, inference="online-em", max_iter=20, random_state=0).fit(plain)
    usual = GaussianMixture(2, random_state=0).fit(rows)
    np.testing.assert_allclose(np.sort(online.means_, axis=0), np.sort(usual.means_, axis=0), atol=0.1)
