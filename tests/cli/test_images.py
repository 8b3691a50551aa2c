"""Images from end to end: fit, score, sample, codes, pictures."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from scipy.stats import norm
from typer.testing import Result

from tacit.cli.progress import Watch
from tacit.storage import RunFolder
from tacit.workflow import pictures

Command = Callable[..., Result]


def plain(text: str) -> str:
    """Words without the line breaks of the terminal."""
    return " ".join(text.split())


def archive(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return {name: found[name] for name in found.files}


def png(path: Path) -> np.ndarray:
    with Image.open(path) as found:
        return np.asarray(found)


class TestFit:
    def test_the_run_keeps_what_a_table_s_does_but_columns(self, tacit: Command, image_run: Path) -> None:
        files = RunFolder(image_run).files()
        assert set(files) == {
            *("config.toml", "model.safetensors", "trace.csv", "metrics.json", "calibration.safetensors"),
            "report.html",
        }
        told = json.loads((image_run / "metrics.json").read_text())
        assert (told["rows"], told["fitted_rows"], told["columns"], told["image"]) == (40, 32, 64, [8, 8])
        assert told["held_out"]["rows"] == 8
        config = RunFolder(image_run).config()
        assert config.data["pixels"] == "levels"
        assert config.parameters["hidden"] == [8]
        model = RunFolder(image_run).model()
        assert model.event_shape_ == (8, 8)
        shown = plain(tacit("show", image_run).output)
        assert "Fitted to 32 images of 8 × 8 pixels of" in shown
        assert "column" not in shown

    def test_the_held_out_score_is_that_of_the_images_kept_aside(self, image_run: Path, images: np.ndarray) -> None:
        kept = RunFolder(image_run).calibration()
        scores = RunFolder(image_run).model().score_samples(images[kept["rows"] - 1])
        np.testing.assert_allclose(kept["scores"], scores, rtol=1e-5)
        assert RunFolder(image_run).metrics()["held_out"]["nats"] == pytest.approx(scores.mean(), rel=1e-5)

    def test_a_broken_off_fit_goes_on_to_the_same_bits(
        self,
        tacit: Command,
        image_files: Path,
        image_run: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        few: tuple[str, ...],
    ) -> None:
        own, seen = Watch.look, []

        def look(watch: Watch, progress: Any) -> None:
            seen.append(progress)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            own(watch, progress)

        with monkeypatch.context() as patched:
            patched.setattr(Watch, "look", look)
            stopped = tacit("fit", image_files / "levels.npz", *few, "--out", tmp_path / "run")
        assert stopped.exit_code == 130, stopped.output
        assert RunFolder(tmp_path / "run").metrics()["interrupted"] is True
        resumed = tacit("fit", image_files / "levels.npz", *few, "--out", tmp_path / "run", "--resume")
        assert resumed.exit_code == 0, resumed.output
        one, other = RunFolder(tmp_path / "run"), RunFolder(image_run)
        for mine, its in zip(jax.tree.leaves(one.model().model_), jax.tree.leaves(other.model().model_), strict=True):
            np.testing.assert_array_equal(mine, its)
        np.testing.assert_array_equal(one.trace()["elbo"], other.trace()["elbo"])
        np.testing.assert_array_equal(one.calibration()["scores"], other.calibration()["scores"])

    def test_the_report_is_written_again_from_the_same_images_only(
        self, tacit: Command, image_files: Path, image_run: Path, tmp_path: Path
    ) -> None:
        done = tacit("report", image_run, "--out", tmp_path / "again.html")
        assert done.exit_code == 0, done.output
        assert (tmp_path / "again.html").is_file()
        fewer = tacit("report", image_run, image_files / "files", "--out", tmp_path / "no.html")
        assert "has 6 rows, and the run was fitted to 40" in plain(fewer.stderr)
        wider = tacit("report", image_run, image_files / "wide.npy", "--out", tmp_path / "no.html")
        assert "or the size of its images, are others" in plain(wider.stderr)


class TestScore:
    def test_images_are_scored_as_wholes(
        self, tacit: Command, rows_of: Callable, image_files: Path, image_run: Path, images: np.ndarray
    ) -> None:
        rows = rows_of(tacit("score", image_run, image_files / "levels.npz").stdout)
        scores = RunFolder(image_run).model().score_samples(images)
        np.testing.assert_allclose([row["log_density"] for row in rows], scores, rtol=1e-5)
        kept = RunFolder(image_run).calibration()["scores"]
        values = [(1 + np.sum(kept <= score)) / (1 + kept.size) for score in scores]
        np.testing.assert_allclose([row["p_value"] for row in rows], values)
        assert set(rows[0]) == {"row", "label", "log_density", "p_value"}

    def test_files_and_shares_score_as_the_levels_do(
        self, tacit: Command, rows_of: Callable, image_files: Path, image_run: Path
    ) -> None:
        whole = [row["log_density"] for row in rows_of(tacit("score", image_run, image_files / "levels.npz").stdout)]
        shares = tacit("score", image_run, image_files / "shares.npy")
        assert "multiplied by 255" in plain(shares.stderr)
        np.testing.assert_allclose([row["log_density"] for row in rows_of(shares.stdout)], whole, rtol=1e-4)
        files = rows_of(tacit("score", image_run, image_files / "files").stdout)
        np.testing.assert_allclose([row["log_density"] for row in files], whole[:6], rtol=1e-5)
        assert [row["id"] for row in files] == [f"{place}.png" for place in range(6)]

    def test_one_file_alone(self, tacit: Command, rows_of: Callable, image_files: Path, image_run: Path) -> None:
        assert len(rows_of(tacit("score", image_run, image_files / "files" / "0.png").stdout)) == 1


class TestSample:
    def test_a_picture_shows_the_arrays(self, tacit: Command, image_run: Path, tmp_path: Path) -> None:
        for name in ("a.npz", "a.npy", "a.png"):
            done = tacit("sample", image_run, 5, "--seed", 3, "--out", tmp_path / name)
            assert done.exit_code == 0, done.output
        drawn = archive(tmp_path / "a.npz")["images"]
        assert (drawn.shape, drawn.dtype) == ((5, 8, 8), np.uint8)
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), drawn)
        picture = png(tmp_path / "a.png")
        assert picture.shape == (2 * 64 + 2, 3 * 64 + 2 * 2)  # 8 pixels enlarged to 64, a gap of 2
        for place, image in enumerate(drawn):
            top, left = place // 3 * 66, place % 3 * 66
            np.testing.assert_array_equal(picture[top : top + 64 : 8, left : left + 64 : 8], image)
        assert (picture[66:, 2 * 66 :] == 255).all()

    def test_temperature_0_is_the_middle_of_the_codes(self, tacit: Command, image_run: Path, tmp_path: Path) -> None:
        done = tacit("sample", image_run, "-n", 3, "--mean", "--temperature", 0, "--out", tmp_path / "a.npy")
        assert done.exit_code == 0, done.output
        middle = RunFolder(image_run).model().inverse_transform(np.zeros((1, 2)))
        np.testing.assert_allclose(np.load(tmp_path / "a.npy"), np.repeat(middle, 3, axis=0), rtol=1e-5)

    def test_drawn_pixels_are_black_or_white_levels_again(
        self, tacit: Command, rows_of: Callable, drawn_run: Path, tmp_path: Path
    ) -> None:
        assert tacit("sample", drawn_run, 6, "--out", tmp_path / "a.npz").exit_code == 0
        drawn = archive(tmp_path / "a.npz")["images"]
        assert drawn.dtype == np.uint8
        assert set(np.unique(drawn)) == {0, 255}
        scored = rows_of(tacit("score", drawn_run, tmp_path / "a.npz").stdout)
        expected = RunFolder(drawn_run).model().score_samples(drawn)
        np.testing.assert_allclose([row["log_density"] for row in scored], expected, rtol=1e-5)


class TestCodes:
    def test_encode_gives_means_and_deviations(
        self, tacit: Command, image_files: Path, image_run: Path, images: np.ndarray, tmp_path: Path
    ) -> None:
        done = tacit("encode", image_run, image_files / "levels.npz", "--out", tmp_path / "codes.parquet")
        assert done.exit_code == 0, done.output
        table = parquet.read_table(tmp_path / "codes.parquet")
        assert table.column_names == ["row", "label", "z1", "z2", "sd1", "sd2"]
        means, scales = RunFolder(image_run).model().transform(images, return_std=True)
        columns = np.column_stack([table.column(name).to_numpy() for name in table.column_names[2:]])
        np.testing.assert_allclose(columns, np.column_stack([means, scales]), rtol=1e-5)

    def test_originals_stand_above_their_reconstructions(
        self, tacit: Command, image_files: Path, image_run: Path, images: np.ndarray, tmp_path: Path
    ) -> None:
        for name in ("a.npz", "a.png"):
            done = tacit("reconstruct", image_run, image_files / "levels.npz", "-n", 12, "--out", tmp_path / name)
            assert done.exit_code == 0, done.output
        found = archive(tmp_path / "a.npz")
        np.testing.assert_array_equal(found["originals"], images[:12])
        np.testing.assert_allclose(found["images"], RunFolder(image_run).model().reconstruct(images[:12]), rtol=1e-5)
        picture = png(tmp_path / "a.png")
        assert picture.shape == (4 * 64 + 1 + 2 + 1, 10 * 64 + 9 * 2)
        again = np.round(np.clip(found["images"], 0, 255))
        for place in (0, 11):
            top, left = place // 10 * (2 * 64 + 1 + 2), place % 10 * 66
            np.testing.assert_array_equal(picture[top : top + 64 : 8, left : left + 64 : 8], images[place])
            below = picture[top + 65 : top + 129 : 8, left : left + 64 : 8]
            np.testing.assert_allclose(below, again[place], atol=1)

    def test_a_picture_takes_images_from_all_over(
        self, tacit: Command, image_files: Path, image_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pictures, "SHOWN", 3)
        done = tacit("reconstruct", image_run, image_files / "levels.npz", "--out", tmp_path / "a.png")
        assert "3 of 40 images, spread evenly" in done.stderr
        assert png(tmp_path / "a.png").shape == (2 * 64 + 1, 3 * 64 + 2 * 2)

    def test_the_way_begins_and_ends_at_the_two_reconstructions(
        self, tacit: Command, image_files: Path, image_run: Path, images: np.ndarray, tmp_path: Path
    ) -> None:
        done = tacit(
            "interpolate", image_run, image_files / "levels.npz", 1, 40, "--steps", 5, "--out", tmp_path / "a.npy"
        )
        assert done.exit_code == 0, done.output
        model, way = RunFolder(image_run).model(), np.load(tmp_path / "a.npy")
        assert way.shape == (5, 8, 8)
        np.testing.assert_allclose(way[[0, -1]], model.reconstruct(images[[0, 39]]), rtol=1e-4)
        middle = model.inverse_transform(model.transform(images[[0, 39]]).mean(axis=0, keepdims=True))
        np.testing.assert_allclose(way[2:3], middle, rtol=1e-4)
        strip = tacit("interpolate", image_run, image_files / "levels.npz", 1, 40, "--out", tmp_path / "a.png")
        assert strip.exit_code == 0, strip.output
        assert png(tmp_path / "a.png").shape == (64, 10 * 64 + 9 * 2)

    def test_the_manifold_is_the_grid_of_quantiles(self, tacit: Command, image_run: Path, tmp_path: Path) -> None:
        assert tacit("manifold", image_run, "--grid", 2, "--out", tmp_path / "a.npy").exit_code == 0
        q = norm.ppf(0.75)
        corners = np.array([[q, -q], [q, q], [-q, -q], [-q, q]])
        expected = RunFolder(image_run).model().inverse_transform(corners)
        np.testing.assert_allclose(np.load(tmp_path / "a.npy"), expected, rtol=1e-4)
        assert tacit("manifold", image_run, "--grid", 3, "--dims", "2,1", "--out", tmp_path / "a.png").exit_code == 0
        assert png(tmp_path / "a.png").shape == (3 * 64 + 2, 3 * 64 + 2)

    def test_gaps_are_filled_and_the_rest_is_left(
        self, tacit: Command, image_files: Path, drawn_run: Path, tmp_path: Path
    ) -> None:
        done = tacit("impute", drawn_run, image_files / "gaps.npy", "--out", tmp_path / "a.npz")
        assert done.exit_code == 0, done.output
        found = archive(tmp_path / "a.npz")
        gaps = np.isnan(found["originals"])
        assert gaps.sum() == 3 * 2 * 8
        assert np.isfinite(found["images"]).all()
        np.testing.assert_array_equal(found["images"][~gaps], found["originals"][~gaps])
        several = tacit("impute", drawn_run, image_files / "gaps.npy", "--draws", 2, "--out", tmp_path / "b.npz")
        assert several.exit_code == 0, several.output
        drawn = archive(tmp_path / "b.npz")
        assert set(drawn) == {"originals", "draw_1", "draw_2"}
        assert set(np.unique(drawn["draw_1"][gaps])) <= {0.0, 255.0}


class TestTables:
    def test_the_commands_about_codes_take_tables(
        self, tacit: Command, rows_of: Callable, tables: Path, deep_table_run: Path
    ) -> None:
        codes = rows_of(tacit("encode", deep_table_run, tables / "new.csv").stdout)
        assert [set(row) for row in codes] == [{"row", "z1", "z2", "sd1", "sd2"}] * 4
        again = rows_of(tacit("reconstruct", deep_table_run, tables / "new.csv").stdout)
        way = rows_of(tacit("interpolate", deep_table_run, tables / "new.csv", 1, 2, "--steps", 3).stdout)
        assert [row["step"] for row in way] == [1, 2, 3]
        for place, end in ((0, way[0]), (1, way[2])):
            np.testing.assert_allclose([end["left"], end["right"]], list(again[place].values()), rtol=1e-4)

    def test_gaps_are_drawn_and_means_sampled(
        self, tacit: Command, rows_of: Callable, tables: Path, deep_table_run: Path
    ) -> None:
        rows = rows_of(tacit("impute", deep_table_run, tables / "new.csv", "--draws", 2).stdout)
        assert [row["draw"] for row in rows] == [1] * 4 + [2] * 4
        assert rows[3]["right"] != rows[7]["right"]
        assert rows[0]["right"] == 49.0
        means = rows_of(tacit("sample", deep_table_run, 3, "--mean", "--temperature", 0).stdout)
        assert means[0] == means[1] == means[2]
        given = tacit("sample", deep_table_run, 3, "--given", "left=1.5")
        assert [row["left"] for row in rows_of(given.stdout)] == [1.5] * 3
        assert given.stderr == ""

    def test_parquet_is_fitted_as_csv_is(
        self, tacit: Command, tables: Path, deep_table_run: Path, tmp_path: Path, few: tuple[str, ...]
    ) -> None:
        assert tacit("impute", deep_table_run, tables / "points.csv", "--out", tmp_path / "t.parquet").exit_code == 0
        done = tacit("fit", tmp_path / "t.parquet", "--model", "vae", *few, "--out", tmp_path / "run")
        assert done.exit_code == 0, done.output
        assert RunFolder(tmp_path / "run").model().event_shape_ == (2,)


class TestCompare:
    def test_deep_models_of_images(self, tacit: Command, rows_of: Callable, image_files: Path) -> None:
        few = ("--set", "hidden=8", "--set", "network=mlp", "--set", "n_samples=5", "--set", "max_epochs=2")
        few += ("--set", "validation_fraction=0")
        done = tacit(
            "compare", image_files / "levels.npz", *few, "--folds", 2, "--models", "vae:latent=1,vae:likelihood=poisson"
        )
        assert done.exit_code == 0, done.output
        rows = rows_of(done.stdout)
        assert {row["model"] for row in rows} == {"vae:latent=1", "vae:likelihood=poisson", "independent"}
        assert rows[0]["held_out"] >= rows[1]["held_out"]
        apart = tacit(
            "compare", image_files / "levels.npz", *few, "--folds", 2, "--models", "vae,vae:likelihood=normal"
        )
        assert apart.exit_code == 3
        assert "density of continuous values" in plain(apart.stderr)

    def test_grey_and_drawn_pixels_are_not_compared(self, tacit: Command, image_files: Path) -> None:
        done = tacit("compare", image_files / "levels.npz", "--models", "vae,vae:binarize=threshold")
        assert done.exit_code == 2
        assert "'vae:binarize=threshold' is fitted to black and white pixels" in plain(done.stderr)


def test_a_code_of_one_dimension_has_no_manifold(tacit: Command, image_files: Path, tmp_path: Path) -> None:
    few = ("--set", "latent=1", "--set", "hidden=4", "--set", "network=mlp", "--set", "max_epochs=1")
    few += ("--set", "validation_fraction=0")
    done = tacit("fit", image_files / "shares.npy", *few, "--holdout", 0, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    refused = tacit("manifold", tmp_path / "run", "--out", tmp_path / "a.png")
    assert refused.exit_code == 4
    assert "has one dimension, and a manifold needs two" in plain(refused.stderr)
    scored = tacit("score", tmp_path / "run", image_files / "levels.npz")
    assert "divided by 255" in plain(scored.stderr)
    assert "No p-values" in plain(scored.stderr)
