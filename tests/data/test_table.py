"""What `load` gives for a first table, for new data, for a log."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tacit.data import CountTable, DataError, Table, TableReading, describe, load, read
from tacit.data.table import _short

TEXT = b"""CustomerID,sex,age,income,visits,since
C1,f,31,1200.5,0,2020-01-02
C2,m,45,,2,2020-02-03
C3,f,28,900.25,1,2021-03-04
C4,?,67,3000.75,0,2021-05-06
C5,m,51,1500.5,5,2022-07-08
C6,f,39,1100.5,3,2023-09-10
"""


def table(**options: object) -> Table:
    found = load(TEXT, **({"dates": "drop"} | options))
    assert isinstance(found, Table)
    return found


def test_a_first_table() -> None:
    found = table()
    assert found.names == ("sex", "age", "income", "visits")
    assert found.schema.kinds == ("binary", "continuous", "continuous", "continuous")
    assert [(entry.name, entry.role) for entry in found.left_out] == [
        ("CustomerID", "identifier"),
        ("since", "date"),
    ]
    assert found.row_ids.tolist() == ["C1", "C2", "C3", "C4", "C5", "C6"]
    assert len(found) == 6
    np.testing.assert_array_equal(found.values[:, 0], [0, 1, 0, np.nan, 1, 0])
    np.testing.assert_array_equal(found.values[:, 2], [1200.5, np.nan, 900.25, 3000.75, 1500.5, 1100.5])
    assert found.source == "the data"
    assert found.notes == ()
    assert table(dates="days").names == ("sex", "age", "income", "visits", "since: days since 2020-01-01")


def test_kinds_and_ids_as_asked() -> None:
    found = table(kinds={"visits": "count", "income": "drop"}, id_column="age")
    assert found.names == ("sex", "visits")
    assert found.schema["visits"].kind == "count"
    assert found.row_ids.tolist() == [31, 45, 28, 67, 51, 39]
    kept = table(kinds={"age": "continuous"}, id_column="age")
    assert "age" in kept.names
    with pytest.raises(DataError, match=r"no column 'ages' to name the rows by; .*Did you mean 'age'\?"):
        table(id_column="ages")


def test_new_data_is_read_as_the_model_says() -> None:
    schema = table().schema
    new = load(b"visits;age;sex;income;CustomerID;more\n1;20;m;1,5;C9;2\n0;30;f;2;C8;1\n", schema=schema)
    assert isinstance(new, Table)
    np.testing.assert_array_equal(new.values, [[1, 20, 1.5, 1], [0, 30, 2.0, 0]])
    assert new.schema is schema
    assert new.row_ids.tolist() == ["C9", "C8"]
    assert new.notes[-1] == "2 columns the model does not know ignored: 'CustomerID', 'more'"
    assert "decimal commas" in new.notes
    assert load(b"visits,age,sex,income\n1,20,m,1\n", schema=schema, id_column="visits").row_ids.tolist() == [1]


def test_new_data_that_does_not_fit() -> None:
    schema = table().schema
    with pytest.raises(DataError, match="lacks 1 column the model was fitted on: 'income'"):
        load(b"visits,age,sex\n1,20,m\n", schema=schema)
    text = b"visits,age,sex,income\n1,20,x,1\n"
    with pytest.raises(DataError, match="column 'sex', row 1: 'x' is none of its levels f, m"):
        load(text, schema=schema)
    assert np.isnan(load(text, schema=schema, unseen="missing").values[0, 0])
    with pytest.raises(DataError, match="the kinds were settled when the model was fitted"):
        load(text, schema=schema, kinds={"sex": "binary"})
    with pytest.raises(DataError, match="no column 'who' to name the rows by"):
        load(text, schema=schema, id_column="who", unseen="missing")


def test_a_log() -> None:
    text = b"who;what;many\na;x;2\nb;y;1\na;x;-1\n"
    found = load(text, long="who,what,many")
    assert isinstance(found, CountTable)
    assert found.counts.toarray().tolist() == [[2, 0], [0, 1]]
    assert found.notes[0] == "cells are separated by a semicolon"
    assert found.notes[1].startswith("1 line")
    again = load(b"who,what\na,y\n", long="who,what", schema=found.schema, id_column="who")
    assert again.counts.toarray().tolist() == [[0, 1]]
    with pytest.raises(DataError, match="it takes no kinds"):
        load(text, long="who,what", kinds={"many": "count"})


def test_whatever_holds_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(TEXT)
    frame = pd.read_csv(path, na_values="?")
    for source in (path, str(path), path.open("rb"), read(path), frame, pa.Table.from_pandas(frame)):
        found = load(source, dates="drop")
        np.testing.assert_array_equal(found.values, table().values)
        assert found.schema == table().schema
        if not isinstance(source, pd.DataFrame | pa.Table | TableReading | str | Path):
            source.close()


def test_options_reach_the_reader() -> None:
    found = load(b"1~x\n2~-\n3~y\n4~x\n", delimiter="~", header=False, missing=["-"], kinds={"column_1": "count"})
    np.testing.assert_array_equal(found.values, [[1, 0], [2, np.nan], [3, 1], [4, 0]])


def test_ids_must_differ_and_may_be_declared() -> None:
    text = b"id,x\n" + b"".join(b"%d,%d.5\n" % (n // 2, n * n % 31) for n in range(60))
    assert load(text).row_ids is None
    assert load(text, id_column="id").row_ids.tolist() == [n // 2 for n in range(60)]
    frame = pa.table({"k": pa.array(["a", None, "b"]).dictionary_encode(), "l": [[1], [2], [3]], "x": [0.5, 1.5, 9.5]})
    assert load(frame, id_column="k").row_ids.tolist() == ["a", None, "b"]
    with pytest.raises(DataError, match="column 'l' holds lists or records and cannot name rows"):
        load(frame, id_column="l")


def test_a_summary_in_plain_words() -> None:
    found = load(
        {
            "c": ["b"] * 5 + ["a"] * 3 + [None, "c"] * 2,
            "x": [0.5, 1.5, None, *range(2, 11)],
            "t": [True, False] * 6,
            "k": ["same"] * 12,
        }
    )
    lines = {line.name: line for line in describe(found)}
    assert list(lines) == ["c", "x", "t", "k"]
    assert lines["c"].values == "b 50%, a 30%, c 20%"
    assert lines["c"].missing == pytest.approx(2 / 12)
    assert lines["x"].values == "0.5 to 10, mean 5.091"
    assert lines["t"].values == "false 50%, true 50%"
    assert lines["k"].kind == "left out"
    assert lines["k"].note == "always 'same'"
    assert np.isnan(lines["k"].missing)
    many = load({"g": [f"g{n % 7}" for n in range(70)], "x": [float(n % 9) + 0.5 for n in range(70)]})
    assert describe(many)[0].values == "g0 14%, g1 14%, g2 14%, g3 14% and 3 more"
    empty = Table(np.full((2, 1), np.nan), load({"x": [0.5, 1.5, 2.5]}).schema)
    assert describe(empty)[0].values == "nothing"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.025136, "0.02514"),
        (-3.5, "-3.5"),
        (100.0, "100"),
        (39275.0, "39,275"),
        (3927.6, "3,928"),
        (120512.4, "120,512"),
        (1.5e9, "1.5e+09"),
        (2e-7, "2e-07"),
    ],
)
def test_numbers_in_a_summary_are_short(value: float, text: str) -> None:
    assert _short(value) == text
