"""The commands, called in this process; small tables; runs that many tests ask."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from PIL import Image
from typer import testing
from typer.testing import CliRunner, Result

from tacit.cli import app
from tacit.workflow import fitting

# Built of all options of all commands, every time anew, the tree takes longer than most commands do.
testing._get_command = functools.cache(testing._get_command)
Command = Callable[..., Result]
QUICK = ("--set", "latent=2", "--set", "hidden=8", "--set", "network=mlp", "--set", "n_samples=10")
FEW = (*QUICK, "--set", "max_epochs=4", "--set", "validation_fraction=0", "--holdout", "0.2")
"""A deep model that is fitted at once."""


def call(*arguments: object, stdin: str | bytes | None = None) -> Result:
    """Run ``tacit`` with these arguments in this process."""
    return CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)


@pytest.fixture(scope="session")
def tacit() -> Command:
    """``tacit("fit", path, …)`` → exit code, stdout, stderr."""
    return call


@pytest.fixture(scope="session")
def rows_of() -> Callable[[str], list[dict[str, Any]]]:
    """Reads a CSV text back."""
    return lambda text: pacsv.read_csv(io.BytesIO(text.encode("utf-8"))).to_pylist()


@pytest.fixture(autouse=True)
def _bare_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits inside a test write an empty page; the runs that tests share were written with the real one."""
    monkeypatch.setattr(fitting, "write_report", lambda path, *_: path.write_text("<!DOCTYPE html>"))


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of numbers, a table of many kinds, a purchase log, and new rows for each."""
    folder = tmp_path_factory.mktemp("tables")
    draw = np.random.default_rng(0)
    group = np.arange(120) % 2
    x = np.column_stack([draw.normal(6.0 * group, 1.0), draw.normal(50.0 - 20.0 * group, 3.0)])
    x[5, 1] = x[40, 0] = np.nan
    _write(folder / "points.csv", {"left": x[:, 0], "right": x[:, 1]})
    _write(folder / "new.csv", {"left": [0.5, 6.2, 1.0, 0.0], "right": [49.0, 31.0, 61.0, None]})
    city = np.where(draw.random(120) < 0.9, np.where(group == 1, "Paris", "Rome"), "Oslo")
    mixed = {
        "customer_id": [f"c{row:03d}" for row in range(120)],
        "spend": np.round(draw.normal(20.0 + 30.0 * group, 4.0), 2),
        "visits": draw.poisson(2.0 + 2.0 * group),
        "city": [None if row == 7 else name for row, name in enumerate(city)],
        "member": np.where(draw.random(120) < np.where(group == 1, 0.9, 0.1), "yes", "no"),
        "since": [f"2024-01-{1 + row % 28:02d}" for row in range(120)],
    }
    _write(folder / "mixed.csv", mixed)
    _write(folder / "log.csv", _log(draw))
    return folder


def _log(draw: np.random.Generator) -> dict[str, object]:
    """Eighty customers of two habits, four items; a line a purchase."""
    items = np.array(["apples", "bread", "nails", "paint"])
    rates = np.array([[6.0, 4.0, 0.2, 0.3], [0.3, 0.5, 5.0, 3.0]])
    counts = draw.poisson(rates[np.arange(80) % 2]) + np.eye(4, dtype=int)[np.arange(80) % 4]
    who, what = np.nonzero(counts)
    return {"buyer": [f"b{n:02d}" for n in who], "thing": items[what], "many": counts[who, what]}


def _write(path: Path, columns: dict[str, object]) -> None:
    pacsv.write_csv(pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()}), path)


def _fitted(folder: Path, *arguments: object) -> Path:
    done = call("fit", *arguments, "--out", folder)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def points_run(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two groups of points with free, axis-parallel spreads; 30 of 120 rows kept aside."""
    folder = tmp_path_factory.mktemp("runs") / "points"
    return _fitted(folder, tables / "points.csv", "--set", "components=2", "--set", "covariance=VVI", "--holdout", 0.25)


@pytest.fixture(scope="session")
def mixed_run(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the table of many kinds."""
    return _fitted(tmp_path_factory.mktemp("runs") / "mixed", tables / "mixed.csv", "--set", "components=2")


@pytest.fixture(scope="session")
def log_run(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the purchase log."""
    folder = tmp_path_factory.mktemp("runs") / "log"
    return _fitted(folder, tables / "log.csv", "--long", "buyer,thing,many", "--set", "components=1-2")


@pytest.fixture(scope="session")
def few() -> tuple[str, ...]:
    """Settings of a deep model that is fitted at once."""
    return FEW


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Forty images of 8 × 8 pixels: a bright upper or lower half, and noise."""
    draw = np.random.default_rng(0)
    bright = np.zeros((40, 8, 8))
    bright[::2, :4] = bright[1::2, 4:] = 200.0
    return np.clip(bright + draw.normal(20.0, 10.0, bright.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def image_files(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
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


@pytest.fixture(scope="session")
def image_run(image_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the levels, 8 of 40 images kept aside."""
    path = tmp_path_factory.mktemp("runs") / "images"
    done = call("fit", image_files / "levels.npz", *FEW, "--out", path)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "40 images of 8 × 8 pixels" in said
    assert "2 labels, which no model sees: 0 (20), 1 (20)" in said
    assert "32 images to learn from, 8 kept aside" in said
    assert "taken because the data are images" in said
    assert "nats per image" in said
    assert f"tacit score {path} NEW.npz" in said
    assert "assign" not in said
    return path


@pytest.fixture(scope="session")
def drawn_run(image_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the levels drawn to black and white."""
    path = tmp_path_factory.mktemp("runs") / "drawn"
    done = call("fit", image_files / "levels.npz", *FEW, "--set", "binarize=stochastic", "--out", path)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="session")
def deep_table_run(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deep model of a table."""
    path = tmp_path_factory.mktemp("runs") / "table"
    done = call("fit", tables / "points.csv", "--model", "vae", *FEW, "--out", path)
    assert done.exit_code == 0, done.output
    return path
