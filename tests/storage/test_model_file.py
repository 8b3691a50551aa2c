"""``save`` and ``load``: what was saved answers bit for bit the same, here and in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import safetensors
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

import tacit
from tacit import registry
from tacit.data.schema import Column, Schema
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.storage import ModelFileError, container, describe, load, save

SOURCE = Path(__file__).resolve().parents[2] / "src"


def answers(model: GaussianMixture, rows: np.ndarray) -> list[np.ndarray]:
    return [model.score_samples(rows), model.predict(rows), model.predict_proba(rows)]


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical", "VEV"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_answers_are_the_same_bit_for_bit(covariance: str, dtype: type, rows: np.ndarray, tmp_path: Path) -> None:
    rows = rows.astype(dtype)
    model = GaussianMixture(2, covariance_type=covariance, random_state=1, max_iter=500, tol=1e-2).fit(rows)
    found = load(save(model, tmp_path / "a.safetensors"))
    check_is_fitted(found)
    for mine, stored in zip(answers(model, rows), answers(found, rows), strict=True):
        assert mine.dtype == stored.dtype
        assert mine.tobytes() == stored.tobytes()


def test_every_attribute_is_kept(fitted: GaussianMixture, file: Path) -> None:
    found = load(file)
    assert type(found) is GaussianMixture
    assert found.get_params() == fitted.get_params()
    assert list(vars(found)) == list(vars(fitted))
    assert found.converged_ is fitted.converged_
    assert found.n_iter_ == fitted.n_iter_
    assert type(found.lower_bound_) is type(fitted.lower_bound_)
    assert found.lower_bound_ == fitted.lower_bound_
    assert found.snapshots_.keys() == fitted.snapshots_.keys()
    for mine, stored in zip(fitted.trace_, found.trace_, strict=True):
        assert mine.tobytes() == stored.tobytes()
    np.testing.assert_array_equal(found.covariances_, fitted.covariances_, strict=True)


def test_missing_values_weights_and_names_survive(rows: np.ndarray, tmp_path: Path) -> None:
    holes = rows.copy()
    holes[np.random.default_rng(0).uniform(size=rows.shape) < 0.2] = np.nan
    frame = pd.DataFrame(holes, columns=["width", "länge", "Höhe in cm"])
    model = GaussianMixture(2, random_state=1, max_iter=500, tol=1e-2).fit(frame)
    found = load(save(model, tmp_path / "a.safetensors"))
    np.testing.assert_array_equal(found.feature_names_in_, frame.columns.to_numpy(), strict=True)
    assert found.score_samples(frame).tobytes() == model.score_samples(frame).tobytes()
    assert found.score_samples(pl.from_pandas(frame)).tobytes() == model.score_samples(frame).tobytes()
    with pytest.raises(ValueError, match="feature names"):
        found.score_samples(frame.rename(columns={"width": "depth"}))


def test_a_loaded_model_goes_on_like_the_first(fitted: GaussianMixture, file: Path, rows: np.ndarray) -> None:
    found = load(file)
    again = clone(found).fit(rows)
    assert again.score_samples(rows).tobytes() == fitted.score_samples(rows).tobytes()
    assert save(found, file.with_name("b.safetensors")).read_bytes() == file.read_bytes()


def test_the_same_model_gives_the_same_bytes(fitted: GaussianMixture, tmp_path: Path) -> None:
    paths = [save(fitted, tmp_path / name, extra={"b": 1, "a": 2}) for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_unfitted_estimator_stays_unfitted(rows: np.ndarray, tmp_path: Path) -> None:
    start = GaussianMixture(2, weights_init=np.array([0.25, 0.75]), means_init=rows[:2], random_state=3)
    found = load(save(start, tmp_path / "a.safetensors"))
    np.testing.assert_array_equal(found.means_init, rows[:2], strict=True)
    with pytest.raises(NotFittedError):
        found.predict(rows)


def test_another_process_loads_it_and_answers_the_same(
    fitted: GaussianMixture, file: Path, rows: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "rows.npy", rows)
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r})\nimport numpy as np\n"
        "from tacit.storage import load\nfrom sklearn.utils.validation import check_is_fitted\n"
        f"model = load({str(file)!r}); check_is_fitted(model)\nrows = np.load({str(tmp_path / 'rows.npy')!r})\n"
        f"np.save({str(tmp_path / 'scores.npy')!r}, model.score_samples(rows))\n"
    )
    cache = {"JAX_COMPILATION_CACHE_DIR": os.environ["TACIT_CACHE_DIR"]}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, env=os.environ | cache)
    assert np.load(tmp_path / "scores.npy").tobytes() == fitted.score_samples(rows).tobytes()


def test_any_reader_of_safetensors_sees_the_arrays(fitted: GaussianMixture, file: Path) -> None:
    with safetensors.safe_open(file, "numpy") as handle:
        assert set(handle.metadata()) == {"tacit"}
        assert json.loads(handle.metadata()["tacit"])["body"]["versions"]["numpy"] == np.__version__
        np.testing.assert_array_equal(handle.get_tensor("model_.groups.0.means"), fitted.means_, strict=True)


def test_the_file_describes_itself(fitted: GaussianMixture, tmp_path: Path) -> None:
    schema = Schema((Column("a", "continuous"), Column("b", "count"), Column("c", "binary", (0, 1), "why")))
    path = save(fitted, tmp_path / "a.safetensors", schema=schema, extra={"rows": 100, "note": ["ü", None]})
    found = describe(path)
    assert found.name == "gaussian-mixture"
    assert found.schema == schema
    assert found.extra == {"rows": 100, "note": ["ü", None]}
    assert found.versions["tacit"] == tacit.__version__
    assert describe(save(fitted, tmp_path / "b")).schema is None
    with pytest.raises(TypeError, match="extra holds something that JSON cannot"):
        save(fitted, tmp_path / "c", extra={"a": np.nan})
    with pytest.raises(TypeError, match="extra holds something that JSON cannot"):
        save(fitted, tmp_path / "c", extra={"a": np.zeros(2)})
    assert not (tmp_path / "c").exists()


def test_a_folder_holds_one_model_by_default_and_many_by_name(fitted: GaussianMixture, tmp_path: Path) -> None:
    assert save(fitted, tmp_path) == tmp_path / "model.safetensors"
    assert save(fitted, f"{tmp_path}/new/") == tmp_path / "new" / "model.safetensors"
    assert save(fitted, tmp_path / "two.safetensors") == tmp_path / "two.safetensors"
    for path in (tmp_path, str(tmp_path), f"{tmp_path}/new/", tmp_path / "two.safetensors"):
        assert load(path).n_iter_ == fitted.n_iter_
    with pytest.raises(FileNotFoundError, match=r"no model .*three.*'model.safetensors', 'two.safetensors'"):
        load(tmp_path / "three")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        save(fitted, tmp_path / "absent" / "a.safetensors")


def test_a_failed_save_leaves_the_old_model(
    fitted: GaussianMixture, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("tacit.files.os.replace", fails)
    with pytest.raises(OSError, match="disk full"):
        save(clone(fitted), file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_one_estimator_a_class_is_stored_whole(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PerClass(BaseEstimator):
        """One density a class, as a generative classifier has."""

        def __init__(self, estimator=None):
            self.estimator = estimator

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.estimators_ = [clone(self.estimator).fit(X[y == label]) for label in self.classes_]
            return self

        def predict(self, X):
            return self.classes_[np.argmax([e.score_samples(X) for e in self.estimators_], axis=0)]

    monkeypatch.setitem(registry.ESTIMATORS, "per-class", registry.Entry(PerClass))
    labels = np.where(np.arange(len(rows)) < 60, "small", "large")
    model = PerClass(GaussianMixture(1, random_state=0)).fit(rows, labels)
    found = load(save(model, tmp_path / "a"))
    assert found.estimator.get_params() == model.estimator.get_params()
    assert (found.predict(rows) == model.predict(rows)).all()
    assert found.classes_.dtype == model.classes_.dtype


def test_what_would_not_load_is_not_saved(fitted: GaussianMixture, tmp_path: Path) -> None:
    model = clone(fitted)
    vars(model).update(vars(fitted))
    model.predict_proba = 3
    with pytest.raises(TypeError, match="GaussianMixture cannot be saved as it is: 'predict_proba' is a method"):
        save(model, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_description_that_is_too_long_is_refused(
    fitted: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "HEADER_LIMIT", 1000)
    with pytest.raises(ValueError, match="description is longer than 1,000 bytes"):
        save(fitted, tmp_path / "a")


def test_a_field_that_came_later_has_its_default(fitted: GaussianMixture, forge, rows: np.ndarray) -> None:
    def older(body, _):
        fields = body["estimator"]["state"]["model_"]["fields"]["groups"]["items"][0]["fields"]
        assert fields.pop("tile") == 1
        assert body["estimator"]["parameters"].pop("accelerate") is False

    found = load(forge(older))
    assert found.accelerate is False
    assert found.score_samples(rows).tobytes() == fitted.score_samples(rows).tobytes()


def test_the_errors_are_value_errors() -> None:
    assert issubclass(ModelFileError, ValueError)
    assert not issubclass(ModelFileError, ConvergenceWarning)
