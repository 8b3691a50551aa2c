"""What is said where images, tables, models and commands do not go together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

Command = Callable[..., Result]

FAULTS = [
    (("fit", "{}/two.npz"), 3, "several arrays of images: x_train [40, 8, 8] and x_test [5, 8, 8]"),
    (("fit", "{}/levels.npz", "--model", "mixture"), 2, "mixture takes tables, and this is a stack of images"),
    (("fit", "{}/levels.npz", "--kind", "a=drop"), 2, "images, which have no columns"),
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
    image_files: Path,
    image_run: Path,
    deep_table_run: Path,
    points_run: Path,
    tables: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    (image_files / "sizes").mkdir(exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(image_files / "sizes" / "small.png")
    places = {"RUN": image_run, "POINTS": points_run, "TABLES": deep_table_run, "TABLE": tables / "points.csv"}
    done = tacit(*(places.get(each, each.replace("{}", str(image_files))) for each in arguments))
    assert done.exit_code == code, done.output
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.output
