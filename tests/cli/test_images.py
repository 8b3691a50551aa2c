"""Images from end to end: fit, score, sample, codes, pictures; and what is said when something does not go together."""

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

from tacit.cli import pictures, settings
from tacit.cli.failures import UsageFault
from tacit.cli.progress import Watch
from tacit.storage import RunFolder

Command = Callable[..., Result]
QUICK = ("--set", "latent=2", "--set", "hidden=8", "--set", "network=mlp", "--set", "n_samples=10")
FEW = (*QUICK, "--set", "max_epochs=4", "--set", "validation_fraction=0", "--holdout", "0.2")


def plain(text: str) -> str:
    """Words without the line breaks of the terminal."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Forty images of 8 × 8 pixels: a bright upper or lower half, and noise."""
    draw = np.random.default_rng(0)
    bright = np.zeros((40, 8, 8))
    bright[::2, :4] = bright[1::2, 4:] = 200.0
    return np.clip(bright + draw.normal(20.0, 10.0, bright.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images as levels with labels, as shares, with gaps, in colour, and as PNG files."""
    path = tmp_path_factory.mktemp("images")
    np.savez(path / "levels.npz", x=images, y=np.arange(40) % 2)
    shares = (images / 255.0).astype(np.float32)
    np.save(path / "shares.npy", shares)
    shares[:3, :2] = np.nan
    np.save(path / "gaps.npy", shares)
    np.save(path / "wide.npy", np.zeros((3, 8, 9), np.uint8))
    np.savez(path / "two.npz", x_train=images, x_test=images[:5])
    for place in range(6):
        (path / "files").mkdir(exist_ok=True)
        Image.fromarray(images[place]).save(path / "files" / f"{place}.png")
    return path


@pytest.fixture(scope="module")
def run(tacit: Command, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the levels, 8 of 40 images kept aside."""
    path = tmp_path_factory.mktemp("runs") / "images"
    done = tacit("fit", folder / "levels.npz", *FEW, "--out", path)
    assert done.exit_code == 0, done.output
    said = plain(done.output)
    assert "40 images of 8 × 8 pixels" in said
    assert "2 labels: 0 (20), 1 (20)" in said
    assert "32 images to learn from, 8 kept aside" in said
    assert "taken because the data are images" in said
    assert "nats per image" in said
    assert f"tacit score {path} NEW.npz" in said
    assert "assign" not in said
    return path


@pytest.fixture(scope="module")
def drawn_run(tacit: Command, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the levels drawn to black and white."""
    path = tmp_path_factory.mktemp("runs") / "drawn"
    done = tacit("fit", folder / "levels.npz", *FEW, "--set", "binarize=stochastic", "--out", path)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def table_run(tacit: Command, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deep model of a table."""
    path = tmp_path_factory.mktemp("runs") / "table"
    done = tacit("fit", tables / "points.csv", "--model", "vae", *FEW, "--out", path)
    assert done.exit_code == 0, done.output
    return path


def archive(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return {name: found[name] for name in found.files}


def png(path: Path) -> np.ndarray:
    with Image.open(path) as found:
        return np.asarray(found)


class TestFit:
    def test_the_run_keeps_what_a_table_s_does_but_columns(self, tacit: Command, run: Path) -> None:
        files = RunFolder(run).files()
        assert set(files) == {
            *("config.toml", "model.safetensors", "trace.csv", "metrics.json", "calibration.safetensors"),
            "report.html",
        }
        told = json.loads((run / "metrics.json").read_text())
        assert (told["rows"], told["fitted_rows"], told["columns"], told["image"]) == (40, 32, 64, [8, 8])
        assert told["held_out"]["rows"] == 8
        config = RunFolder(run).config()
        assert config.data["pixels"] == "levels"
        assert config.parameters["hidden"] == [8]
        model = RunFolder(run).model()
        assert model.event_shape_ == (8, 8)
        shown = plain(tacit("show", run).output)
        assert "Fitted to 32 images of 8 × 8 pixels of" in shown
        assert "column" not in shown

    def test_the_held_out_score_is_that_of_the_images_kept_aside(self, run: Path, images: np.ndarray) -> None:
        kept = RunFolder(run).calibration()
        scores = RunFolder(run).model().score_samples(images[kept["rows"] - 1])
        np.testing.assert_allclose(kept["scores"], scores, rtol=1e-5)
        assert RunFolder(run).metrics()["held_out"]["nats"] == pytest.approx(scores.mean(), rel=1e-5)

    def test_a_broken_off_fit_goes_on_to_the_same_bits(
        self, tacit: Command, folder: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own, seen = Watch.look, []

        def look(watch: Watch, moment: Any) -> None:
            seen.append(moment)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            own(watch, moment)

        with monkeypatch.context() as patched:
            patched.setattr(Watch, "look", look)
            stopped = tacit("fit", folder / "levels.npz", *FEW, "--out", tmp_path / "run")
        assert stopped.exit_code == 130, stopped.output
        assert RunFolder(tmp_path / "run").metrics()["interrupted"] is True
        resumed = tacit("fit", folder / "levels.npz", *FEW, "--out", tmp_path / "run", "--resume")
        assert resumed.exit_code == 0, resumed.output
        one, other = RunFolder(tmp_path / "run"), RunFolder(run)
        for mine, its in zip(jax.tree.leaves(one.model().model_), jax.tree.leaves(other.model().model_), strict=True):
            np.testing.assert_array_equal(mine, its)
        np.testing.assert_array_equal(one.trace()["elbo"], other.trace()["elbo"])
        np.testing.assert_array_equal(one.calibration()["scores"], other.calibration()["scores"])

    def test_the_report_is_written_again_from_the_same_images_only(
        self, tacit: Command, folder: Path, run: Path, tmp_path: Path
    ) -> None:
        done = tacit("report", run, "--out", tmp_path / "again.html")
        assert done.exit_code == 0, done.output
        assert (tmp_path / "again.html").is_file()
        fewer = tacit("report", run, folder / "files", "--out", tmp_path / "no.html")
        assert "has 6 rows, and the run was fitted to 40" in plain(fewer.stderr)
        wider = tacit("report", run, folder / "wide.npy", "--out", tmp_path / "no.html")
        assert "or the size of its images, are others" in plain(wider.stderr)


class TestScore:
    def test_images_are_scored_as_wholes(
        self, tacit: Command, rows_of: Callable, folder: Path, run: Path, images: np.ndarray
    ) -> None:
        rows = rows_of(tacit("score", run, folder / "levels.npz").stdout)
        scores = RunFolder(run).model().score_samples(images)
        np.testing.assert_allclose([row["log_density"] for row in rows], scores, rtol=1e-5)
        kept = RunFolder(run).calibration()["scores"]
        values = [(1 + np.sum(kept <= score)) / (1 + kept.size) for score in scores]
        np.testing.assert_allclose([row["p_value"] for row in rows], values)
        assert set(rows[0]) == {"row", "label", "log_density", "p_value"}

    def test_files_and_shares_score_as_the_levels_do(
        self, tacit: Command, rows_of: Callable, folder: Path, run: Path
    ) -> None:
        whole = [row["log_density"] for row in rows_of(tacit("score", run, folder / "levels.npz").stdout)]
        shares = tacit("score", run, folder / "shares.npy")
        assert "multiplied by 255" in plain(shares.stderr)
        np.testing.assert_allclose([row["log_density"] for row in rows_of(shares.stdout)], whole, rtol=1e-4)
        files = rows_of(tacit("score", run, folder / "files").stdout)
        np.testing.assert_allclose([row["log_density"] for row in files], whole[:6], rtol=1e-5)
        assert [row["id"] for row in files] == [f"{place}.png" for place in range(6)]

    def test_one_file_alone(self, tacit: Command, rows_of: Callable, folder: Path, run: Path) -> None:
        assert len(rows_of(tacit("score", run, folder / "files" / "0.png").stdout)) == 1


class TestSample:
    def test_a_picture_shows_the_arrays(self, tacit: Command, run: Path, tmp_path: Path) -> None:
        for name in ("a.npz", "a.npy", "a.png"):
            done = tacit("sample", run, 5, "--seed", 3, "--out", tmp_path / name)
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

    def test_temperature_0_is_the_middle_of_the_codes(self, tacit: Command, run: Path, tmp_path: Path) -> None:
        done = tacit("sample", run, "-n", 3, "--mean", "--temperature", 0, "--out", tmp_path / "a.npy")
        assert done.exit_code == 0, done.output
        middle = RunFolder(run).model().inverse_transform(np.zeros((1, 2)))
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
        self, tacit: Command, folder: Path, run: Path, images: np.ndarray, tmp_path: Path
    ) -> None:
        done = tacit("encode", run, folder / "levels.npz", "--out", tmp_path / "codes.parquet")
        assert done.exit_code == 0, done.output
        table = parquet.read_table(tmp_path / "codes.parquet")
        assert table.column_names == ["row", "label", "z1", "z2", "sd1", "sd2"]
        means, scales = RunFolder(run).model().transform(images, return_std=True)
        columns = np.column_stack([table.column(name).to_numpy() for name in table.column_names[2:]])
        np.testing.assert_allclose(columns, np.column_stack([means, scales]), rtol=1e-5)

    def test_originals_stand_above_their_reconstructions(
        self, tacit: Command, folder: Path, run: Path, images: np.ndarray, tmp_path: Path
    ) -> None:
        for name in ("a.npz", "a.png"):
            done = tacit("reconstruct", run, folder / "levels.npz", "-n", 12, "--out", tmp_path / name)
            assert done.exit_code == 0, done.output
        found = archive(tmp_path / "a.npz")
        np.testing.assert_array_equal(found["originals"], images[:12])
        np.testing.assert_allclose(found["images"], RunFolder(run).model().reconstruct(images[:12]), rtol=1e-5)
        picture = png(tmp_path / "a.png")
        assert picture.shape == (4 * 64 + 1 + 2 + 1, 10 * 64 + 9 * 2)
        again = np.round(np.clip(found["images"], 0, 255))
        for place in (0, 11):
            top, left = place // 10 * (2 * 64 + 1 + 2), place % 10 * 66
            np.testing.assert_array_equal(picture[top : top + 64 : 8, left : left + 64 : 8], images[place])
            below = picture[top + 65 : top + 129 : 8, left : left + 64 : 8]
            np.testing.assert_allclose(below, again[place], atol=1)

    def test_a_picture_takes_images_from_all_over(
        self, tacit: Command, folder: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pictures, "SHOWN", 3)
        done = tacit("reconstruct", run, folder / "levels.npz", "--out", tmp_path / "a.png")
        assert "3 of 40 images, spread evenly" in done.stderr
        assert png(tmp_path / "a.png").shape == (2 * 64 + 1, 3 * 64 + 2 * 2)

    def test_the_way_begins_and_ends_at_the_two_reconstructions(
        self, tacit: Command, folder: Path, run: Path, images: np.ndarray, tmp_path: Path
    ) -> None:
        done = tacit("interpolate", run, folder / "levels.npz", 1, 40, "--steps", 5, "--out", tmp_path / "a.npy")
        assert done.exit_code == 0, done.output
        model, way = RunFolder(run).model(), np.load(tmp_path / "a.npy")
        assert way.shape == (5, 8, 8)
        np.testing.assert_allclose(way[[0, -1]], model.reconstruct(images[[0, 39]]), rtol=1e-4)
        middle = model.inverse_transform(model.transform(images[[0, 39]]).mean(axis=0, keepdims=True))
        np.testing.assert_allclose(way[2:3], middle, rtol=1e-4)
        strip = tacit("interpolate", run, folder / "levels.npz", 1, 40, "--out", tmp_path / "a.png")
        assert strip.exit_code == 0, strip.output
        assert png(tmp_path / "a.png").shape == (64, 10 * 64 + 9 * 2)

    def test_the_manifold_is_the_grid_of_quantiles(self, tacit: Command, run: Path, tmp_path: Path) -> None:
        assert tacit("manifold", run, "--grid", 2, "--out", tmp_path / "a.npy").exit_code == 0
        q = norm.ppf(0.75)
        corners = np.array([[q, -q], [q, q], [-q, -q], [-q, q]])
        expected = RunFolder(run).model().inverse_transform(corners)
        np.testing.assert_allclose(np.load(tmp_path / "a.npy"), expected, rtol=1e-4)
        assert tacit("manifold", run, "--grid", 3, "--dims", "2,1", "--out", tmp_path / "a.png").exit_code == 0
        assert png(tmp_path / "a.png").shape == (3 * 64, 3 * 64)

    def test_gaps_are_filled_and_the_rest_is_left(
        self, tacit: Command, folder: Path, drawn_run: Path, tmp_path: Path
    ) -> None:
        done = tacit("impute", drawn_run, folder / "gaps.npy", "--out", tmp_path / "a.npz")
        assert done.exit_code == 0, done.output
        found = archive(tmp_path / "a.npz")
        gaps = np.isnan(found["originals"])
        assert gaps.sum() == 3 * 2 * 8
        assert np.isfinite(found["images"]).all()
        np.testing.assert_array_equal(found["images"][~gaps], found["originals"][~gaps])
        several = tacit("impute", drawn_run, folder / "gaps.npy", "--draws", 2, "--out", tmp_path / "b.npz")
        assert several.exit_code == 0, several.output
        drawn = archive(tmp_path / "b.npz")
        assert set(drawn) == {"originals", "draw_1", "draw_2"}
        assert set(np.unique(drawn["draw_1"][gaps])) <= {0.0, 255.0}


class TestTables:
    def test_the_commands_about_codes_take_tables(
        self, tacit: Command, rows_of: Callable, tables: Path, table_run: Path
    ) -> None:
        codes = rows_of(tacit("encode", table_run, tables / "new.csv").stdout)
        assert [set(row) for row in codes] == [{"row", "z1", "z2", "sd1", "sd2"}] * 4
        again = rows_of(tacit("reconstruct", table_run, tables / "new.csv").stdout)
        way = rows_of(tacit("interpolate", table_run, tables / "new.csv", 1, 2, "--steps", 3).stdout)
        assert [row["step"] for row in way] == [1, 2, 3]
        for place, end in ((0, way[0]), (1, way[2])):
            np.testing.assert_allclose([end["left"], end["right"]], list(again[place].values()), rtol=1e-4)

    def test_gaps_are_drawn_and_means_sampled(
        self, tacit: Command, rows_of: Callable, tables: Path, table_run: Path
    ) -> None:
        rows = rows_of(tacit("impute", table_run, tables / "new.csv", "--draws", 2).stdout)
        assert [row["draw"] for row in rows] == [1] * 4 + [2] * 4
        assert rows[3]["right"] != rows[7]["right"]
        assert rows[0]["right"] == 49.0
        means = rows_of(tacit("sample", table_run, 3, "--mean", "--temperature", 0).stdout)
        assert means[0] == means[1] == means[2]

    def test_parquet_is_fitted_as_csv_is(self, tacit: Command, tables: Path, table_run: Path, tmp_path: Path) -> None:
        assert tacit("impute", table_run, tables / "points.csv", "--out", tmp_path / "t.parquet").exit_code == 0
        done = tacit("fit", tmp_path / "t.parquet", "--model", "vae", *FEW, "--out", tmp_path / "run")
        assert done.exit_code == 0, done.output
        assert RunFolder(tmp_path / "run").model().event_shape_ == (2,)


class TestCompare:
    def test_deep_models_of_images(self, tacit: Command, rows_of: Callable, folder: Path) -> None:
        few = ("--set", "hidden=8", "--set", "network=mlp", "--set", "n_samples=5", "--set", "max_epochs=2")
        done = tacit(
            "compare", folder / "levels.npz", *few, "--folds", 2, "--models", "vae:latent=1,vae:likelihood=poisson"
        )
        assert done.exit_code == 0, done.output
        rows = rows_of(done.stdout)
        assert {row["model"] for row in rows} == {"vae:latent=1", "vae:likelihood=poisson"}
        assert rows[0]["held_out"] >= rows[1]["held_out"]
        apart = tacit("compare", folder / "levels.npz", *few, "--folds", 2, "--models", "vae,vae:likelihood=normal")
        assert apart.exit_code == 3
        assert "density of continuous values" in plain(apart.stderr)

    def test_grey_and_drawn_pixels_are_not_compared(self, tacit: Command, folder: Path) -> None:
        done = tacit("compare", folder / "levels.npz", "--models", "vae,vae:binarize=threshold")
        assert done.exit_code == 2
        assert "'vae:binarize=threshold' is fitted to black and white pixels" in plain(done.stderr)


FAULTS = [
    (("fit", "{}/two.npz"), 3, "several arrays of images: x_train [40, 8, 8] and x_test [5, 8, 8]"),
    (("fit", "{}/levels.npz", "--model", "mixture"), 2, "mixture takes tables, and this is a stack of images"),
    (("fit", "{}/levels.npz", "--kind", "a=drop"), 2, "images, which have no columns"),
    (("fit", "{}/levels.npz", "--set", "latent=2-4"), 2, "one number of dimensions; give --set latent=2"),
    (("fit", "{}/levels.npz", "--set", "encoder=mine"), 2, "takes an object of Python"),
    (("fit", "{}"), 3, "images must be of one size"),
    (("compare", "{}/levels.npz", "--models", "k-means"), 2, "no density"),
    (("score", "RUN", "{}/wide.npy"), 3, "images of 8 × 9 pixels, and the run was fitted to 8 × 8 pixels"),
    (("score", "RUN", "TABLE"), 3, "is a table, and the run was fitted to images of 8 × 8 pixels"),
    (("score", "RUN", "-"), 3, "not from standard input"),
    (("score", "RUN", "{}/levels.npz", "--id", "a"), 2, "leave out the options about them"),
    (("score", "POINTS", "{}/levels.npz"), 3, "holds images, and the run was fitted to a table"),
    (("assign", "RUN", "{}/levels.npz"), 4, "has no groups"),
    (("sample", "RUN"), 2, "images need a file: --out new.png"),
    (("sample", "RUN", "--out", "{}/a.csv"), 2, "cannot be written to"),
    (("sample", "RUN", "--out", "{}/a.png", "--format", "csv"), 2, "--format is for tables"),
    (("sample", "RUN", "--out", "{}/a.png", "--given", "a=1"), 2, "images have none of"),
    (("sample", "RUN", "3", "-n", "4", "--out", "{}/a.png"), 2, "3 rows and --number 4"),
    (("sample", "RUN", "4", "--out", "{}/no/a.png"), 3, "cannot write"),
    (("sample", "RUN", "1000000", "--out", "{}/a.png"), 2, "is too large"),
    (("sample", "POINTS", "--mean"), 4, "cannot draw with --mean"),
    (("sample", "POINTS", "--temperature", "2"), 4, "cannot draw with --temperature"),
    (("sample", "TABLES", "--total", "2"), 2, "totals are for multinomial columns"),
    (("sample", "TABLES", "--given", "left=1"), 4, "cannot be asked for rows with given values"),
    (("encode", "POINTS", "TABLE"), 4, "gives rows no codes"),
    (("reconstruct", "POINTS", "TABLE"), 4, "cannot give rows back"),
    (("reconstruct", "TABLES", "TABLE", "--out", "{}/a.png"), 2, "was fitted to a table"),
    (("interpolate", "POINTS", "TABLE", "1", "2"), 4, "cannot go from one row to another"),
    (("interpolate", "RUN", "{}/levels.npz", "1", "41", "--out", "{}/a.png"), 2, "no image 41: "),
    (("interpolate", "RUN", "{}/levels.npz", "0", "1", "--out", "{}/a.png"), 2, "40 images, counted from 1"),
    (("interpolate", "RUN", "{}/levels.npz", "1", "2", "--steps", "1", "--out", "{}/a.png"), 2, "from 2 to 1000"),
    (("manifold", "POINTS", "--out", "{}/a.png"), 4, "no codes to draw"),
    (("manifold", "TABLES", "--out", "{}/a.png"), 4, "a manifold is a picture of images"),
    (("manifold", "RUN"), 2, "images need a file: --out manifold.png"),
    (("manifold", "RUN", "--grid", "1", "--out", "{}/a.png"), 2, "from 2 to 200"),
    (("manifold", "RUN", "--dims", "1,3", "--out", "{}/a.png"), 2, "2 dimensions, counted from 1"),
    (("manifold", "RUN", "--dims", "1", "--out", "{}/a.png"), 2, "two different numbers"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), FAULTS)
def test_what_does_not_go_together_is_said(
    tacit: Command,
    folder: Path,
    run: Path,
    table_run: Path,
    points_run: Path,
    tables: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    (folder / "sizes").mkdir(exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "sizes" / "small.png")
    places = {"RUN": run, "POINTS": points_run, "TABLES": table_run, "TABLE": tables / "points.csv"}
    done = tacit(*(places.get(each, each.replace("{}", str(folder))) for each in arguments))
    assert done.exit_code == code, done.output
    assert words in plain(done.stderr)
    assert "Traceback" not in done.output


def test_a_code_of_one_dimension_has_no_manifold(
    tacit: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("--set", "latent=1", "--set", "hidden=4", "--set", "network=mlp", "--set", "max_epochs=1")
    done = tacit("fit", folder / "shares.npy", *few, "--holdout", 0, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    refused = tacit("manifold", tmp_path / "run", "--out", tmp_path / "a.png")
    assert refused.exit_code == 4
    assert "has one dimension, and a manifold needs two" in plain(refused.stderr)
    scored = tacit("score", tmp_path / "run", folder / "levels.npz")
    assert "divided by 255" in plain(scored.stderr)
    assert "No p-values" in plain(scored.stderr)


@pytest.mark.parametrize(
    ("text", "found"), [("8", [8]), ("8,", [8]), ("8,4", [8, 4]), ("[8]", [8]), ("[8, 4]", [8, 4])]
)
def test_widths_may_be_written_in_many_ways(text: str, found: list[int]) -> None:
    assert settings.named("vae", settings.parse([f"hidden={text}"])) == {"hidden": found}


@pytest.mark.parametrize("text", ["hidden=a", "hidden=0", "hidden=2.5", "hidden=[]", "channels=8,b", "warm_up=abc"])
def test_widths_and_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageFault, match=r"say (whole numbers|one number)"):
        settings.named("vae", settings.parse([text]))
