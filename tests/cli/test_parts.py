"""Commands on Parquet files that are read in parts say what they say of the whole, however the files are laid."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

Command = Callable[..., Result]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Has every Parquet file read in parts of fifty rows, or whole."""

    def choose(parts: bool) -> None:
        monkeypatch.setattr("tacit.workflow.streams.STREAM_BYTES", 0 if parts else 10**12)

    monkeypatch.setattr("tacit.data.table_batches.BATCH_ROWS", 50)
    return choose


def laid(table: pa.Table, folder: Path, edges: list[int], group: int) -> Path:
    """A table in files that end at these rows."""
    folder.mkdir()
    for number, (first, last) in enumerate(zip([0, *edges], [*edges, len(table)], strict=True)):
        pq.write_table(table.slice(first, last - first), folder / f"{number}.parquet", row_group_size=group)
    return folder


def alike(one: pa.Table, other: pa.Table) -> None:
    """The same cells; numbers to rounding, for the products of few rows and of many are summed in other orders."""
    for name in other.column_names:
        if pa.types.is_floating(other.schema.field(name).type):
            numbers = [table.column(name).to_numpy() for table in (one, other)]
            np.testing.assert_allclose(*numbers, rtol=1e-12, atol=1e-13, err_msg=name)
        else:
            assert one.column(name).to_pylist() == other.column(name).to_pylist(), name


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """More points with gaps, some of them far out, with a name each and a column that no model knows."""
    draw = np.random.default_rng(1)
    group = draw.integers(0, 2, 333)
    x = np.column_stack([draw.normal(6.0 * group, 1.0), draw.normal(50.0 - 20.0 * group, 3.0)])
    x[::40] += draw.normal(0.0, 20.0, (9, 2))
    x[draw.random(x.shape) < 0.1] = np.nan
    names = [f"p{n:03d}" for n in range(333)]
    left, right = (pa.array(column, from_pandas=True) for column in x.T)
    return pa.table({"name": names, "right": right, "extra": draw.normal(size=333), "left": left})


@pytest.mark.parametrize(
    "arguments",
    [
        "score",
        "score --explain 0",
        "score --explain 40",
        "score --alarm 0.05",
        "score --id extra",
        "assign",
        "impute",
        "impute --exact",
    ],
)
def test_parts_say_what_the_whole_says(
    tacit: Command,
    points_run: Path,
    points: pa.Table,
    tmp_path: Path,
    in_parts: Callable[[bool], None],
    arguments: str,
) -> None:
    one = laid(points, tmp_path / "one", [], 1000)
    command, *more = arguments.split()
    found = {}
    for name, parts, folder in (
        ("whole", False, one),
        ("parts", True, one),
        ("other", True, laid(points, tmp_path / "several", [70, 71, 200], 33)),
    ):
        in_parts(parts)
        done = tacit(command, points_run, folder, *more, "--out", tmp_path / f"{name}.parquet")
        assert done.exit_code == 0, done.output
        assert ("are read as needed" in " ".join(done.output.split())) == parts
        found[name] = pq.read_table(tmp_path / f"{name}.parquet")
    for name in ("parts", "other"):
        assert found[name].schema.equals(found["whole"].schema)
        alike(found[name], found["whole"])
    if command == "score":
        assert found["whole"].column_names[:2] == ["row", "id"]
        assert "--explain 0" in arguments or pc.count(found["parts"].column("why")).as_py() >= 5
    if command == "impute":
        assert found["parts"].column("left").null_count == 0 < points.column("left").null_count
        there = points.column("left").is_valid()  # what was seen stays as it is, however far out
        assert found["parts"].column("left").filter(there).to_pylist() == points.column("left").drop_null().to_pylist()


def test_levels_and_names_in_parts_and_what_is_shown(
    tacit: Command, mixed_run: Path, tables: Path, tmp_path: Path, in_parts: Callable[[bool], None]
) -> None:
    table = pacsv.read_csv(tables / "mixed.csv").drop_columns(["since"])
    folder, texts = laid(table, tmp_path / "rows", [45, 90], 1000), {}
    for parts in (False, True):
        in_parts(parts)
        done = tacit("score", mixed_run, folder, "--format", "table")
        assert done.exit_code == 0, done.output
        texts[parts] = done.stdout
        texts[parts] += tacit("impute", mixed_run, folder, "--format", "json").stdout
        assert tacit("assign", mixed_run, folder, "--out", tmp_path / f"{parts}.csv").exit_code == 0
    assert texts[True] == texts[False]
    alike(*(pacsv.read_csv(tmp_path / f"{parts}.csv") for parts in (True, False)))
    assert "and 100 more rows" in texts[True]
    strange = table.set_column(3, "city", pa.array([*table.column("city").to_pylist()[:-5], "Atlantis", *["Oslo"] * 4]))
    folder = laid(strange, tmp_path / "strange", [60], 1000)
    done = tacit("assign", mixed_run, folder, "--out", tmp_path / "a.csv")
    assert done.exit_code == 3
    assert "column 'city', row 116: 'Atlantis' is none of its levels" in " ".join(done.output.split())
    assert not (tmp_path / "a.csv").exists()
    assert tacit("assign", mixed_run, folder, "--unseen-as-missing", "--out", tmp_path / "a.csv").exit_code == 0
    assert len(pacsv.read_csv(tmp_path / "a.csv")) == 120


def test_predictions_and_their_scores_in_parts(
    tacit: Command, tmp_path: Path, in_parts: Callable[[bool], None]
) -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"size": draw.normal(100.0, 30.0, 200), "age": draw.normal(20.0, 5.0, 200)})
    frame["price"] = 3.0 * frame["size"] - frame["age"] + draw.normal(size=200)
    frame.loc[50:120, "price"] = np.nan
    frame.loc[3, "size"] = np.nan
    frame.to_parquet(tmp_path / "a.parquet")
    run, found = tmp_path / "run", {}
    model = ("--target", "price", "--model", "bayesian-linear-regression")
    done = tacit("fit", tmp_path / "a.parquet", *model, "--out", run)
    assert done.exit_code == 0, done.output
    for parts in (False, True):
        in_parts(parts)
        for command in ("predict", "score"):
            done = tacit(command, run, tmp_path / "a.parquet", "--out", tmp_path / "b.parquet")
            assert done.exit_code == 0, done.output
            found[command, parts] = pq.read_table(tmp_path / "b.parquet")
            if command == "score":
                assert "129 rows: off by" in done.output
                assert "71 rows without price left out" in " ".join(done.output.split())
    for command in ("predict", "score"):
        assert found[command, True].schema == found[command, False].schema
        assert found[command, True].to_pydict() == found[command, False].to_pydict()


def test_very_many_new_rows_are_drawn_in_parts(
    tacit: Command, mixed_run: Path, tmp_path: Path, in_parts: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tacit.cli.asking.MANY_NUMBERS", 100)
    in_parts(True)
    tables = []
    for name in ("a", "b"):
        assert tacit("sample", mixed_run, 230, "--seed", 3, "--out", tmp_path / f"{name}.parquet").exit_code == 0
        tables.append(pq.read_table(tmp_path / f"{name}.parquet"))
    assert tables[0].num_rows == 230
    assert tables[0].equals(tables[1])
    assert tables[0].schema == pq.read_schema(_few(tacit, mixed_run, tmp_path))
    spend = tables[0].column("spend").to_numpy()
    assert len(np.unique(spend.round(2))) > 200  # no part repeats another
    assert spend.mean() == pytest.approx(35.0, abs=5.0)


def _few(tacit: Command, run: Path, folder: Path) -> Path:
    assert tacit("sample", run, 5, "--out", folder / "few.parquet").exit_code == 0
    return folder / "few.parquet"


def test_files_that_do_not_go_together_leave_nothing(
    tacit: Command, points_run: Path, points: pa.Table, tmp_path: Path, in_parts: Callable[[bool], None]
) -> None:
    in_parts(True)
    folder = laid(points, tmp_path / "rows", [100, 200], 40)
    (tmp_path / "out.parquet").write_bytes(b"before")
    pq.write_table(points.slice(200).drop_columns(["left"]), folder / "2.parquet")
    done = tacit("score", points_run, folder, "--out", tmp_path / "out.parquet")
    assert done.exit_code != 0
    assert "2.parquet has other columns than" in " ".join(done.output.split())
    content = bytearray((folder / "1.parquet").read_bytes())
    content[100:400] = bytes(300)
    (folder / "1.parquet").write_bytes(content)
    (folder / "2.parquet").unlink()
    done = tacit("score", points_run, folder, "--out", tmp_path / "out.parquet")
    assert done.exit_code != 0
    assert "1.parquet is not a readable Parquet file" in " ".join(done.output.split())
    assert (tmp_path / "out.parquet").read_bytes() == b"before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.parquet", "rows"]


KILLED = """
import os, signal, sys
import pyarrow as pa
from tacit.data.write import writing
with writing(sys.argv[1]) as put:
    for number in range(40):
        put(pa.table({"a": list(range(100_000))}))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_who_is_killed_half_way_leaves_no_file_that_looks_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"before")
    done = subprocess.run([sys.executable, "-c", KILLED, path], env=os.environ, check=False)
    assert done.returncode == -9
    assert path.read_bytes() == b"before"
    left = [each for each in tmp_path.iterdir() if each != path]
    assert len(left) == 1
    assert left[0].name.startswith(".")
    assert left[0].name.endswith(".part")
    assert left[0].stat().st_size > 100_000  # it was half-way
