"""Purchase logs: summed like a dense cross table, and what is left out or refused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.data import CountTable, DataError, count_table, parse_long

LOG = pa.table(
    {
        "who": ["b", "a", "b", "b", "c"],
        "what": ["tea", "tea", "milk", "tea", "jam"],
        "many": [1, 2, 3, 4, -1],
    }
)


def dense(counts: CountTable) -> list[list[float]]:
    return counts.counts.toarray().tolist()


def test_a_log_is_added_up() -> None:
    found = count_table(LOG, "who", "what", "many")
    assert found.row_ids.tolist() == ["a", "b"]
    assert found.names == ("milk", "tea")
    assert dense(found) == [[0, 2], [3, 5]]
    assert found.notes == ("1 line with a quantity of 0 or less left out (returns?)",)
    assert found.schema.kinds == ("count", "count")
    assert found.schema.names == found.names


def test_without_quantities_lines_are_counted() -> None:
    found = count_table(LOG, "who", "what")
    assert found.names == ("jam", "milk", "tea")
    assert dense(found) == [[0, 0, 1], [0, 1, 2], [1, 0, 0]]
    assert found.notes == ()


lines = st.tuples(st.integers(-3, 3), st.sampled_from("xyz"), st.integers(1, 4))


@given(st.lists(lines, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(log: list[tuple], random: object) -> None:
    """The oracle adds up in a dictionary."""
    sums: dict[tuple, int] = {}
    for who, what, many in log:
        sums[who, what] = sums.get((who, what), 0) + many
    random.shuffle(log)
    who, what, many = (list(part) for part in zip(*log, strict=True))
    found = count_table(pa.table({"w": who, "i": what, "q": many}), "w", "i", "q")
    assert found.row_ids.tolist() == sorted(set(who))
    assert found.names == tuple(sorted(set(what)))
    expected = [[sums.get((row, item), 0) for item in found.names] for row in found.row_ids.tolist()]
    assert dense(found) == expected
    assert found.counts.nnz == len(sums)


def test_a_model_knows_its_items() -> None:
    found = count_table(LOG, "who", "what", "many", items=["tea", "cake", "milk"])
    assert found.names == ("tea", "cake", "milk")
    assert dense(found) == [[2, 0, 0], [5, 0, 3]]
    only = count_table(LOG, "who", "what", "many", items=["tea"])
    assert dense(only) == [[2], [5]]
    assert "1 line about items the model does not know left out" in only.notes


def test_numbers_and_texts_as_names() -> None:
    log = pa.table({"w": [17850.0, 12347.0], "i": [22423, 85123], "q": ["6", "1,200"]})
    found = count_table(log, "w", "i", "q")
    assert found.row_ids.tolist() == [12347, 17850]
    assert found.names == ("22423", "85123")
    assert dense(found) == [[0, 1200], [6, 0]]
    known = count_table(log, "w", "i", "q", items=["85123", "22423"])
    assert dense(known) == [[1200, 0], [0, 6]]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("who,what,many", ("who", "what", "many")),
        (" who , what ", ("who", "what", None)),
        (["a,b", "c"], ("a,b", "c", None)),
    ],
)
def test_the_description_of_a_log(text: object, parts: tuple) -> None:
    assert parse_long(text) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("who", "write customer,item or customer,item,quantity"),
        ("who,,many", "write customer,item"),
        ("a,b,c,d", "write customer,item"),
        ("who,who", "names a column of the log twice"),
    ],
)
def test_a_description_that_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_long(text)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"whom": ["a"]}, r"the log has no column 'w'; there are 'whom', 'i', 'q'"),
        (
            {"w": ["a", None, None]},
            r"column 'w', row 2: nothing there \(2 such lines in all\). Each line of a log says",
        ),
        ({"i": [1.0, None, 2.0]}, "column 'i', row 2: nothing there. Each"),
        ({"w": [None, None, None]}, "column 'w' is empty in every row"),
        ({"q": [1, None, 2]}, "column 'q', row 2: nothing there, where a whole number is expected"),
        (
            {"q": [1.0, 0.5, 0.5]},
            r"column 'q', row 2: 0.5, where a whole number is expected \(2 such lines in all\)",
        ),
        ({"q": ["1", "two", "3"]}, "column 'q', row 2: 'two', where a whole number is expected"),
        ({"q": [1.0, np.inf, 1.0]}, "column 'q', row 2: inf, where"),
        ({"q": [[1], [1], [1]]}, "column 'q' holds no numbers"),
        ({"w": pa.array([1, 2, 3], pa.date32())}, "column 'w' holds dates, lists or raw bytes"),
        ({"q": [0, -1, -2]}, r"no line of the log is left \(3 lines with a quantity of 0 or less left out"),
    ],
)
def test_what_is_wrong_with_a_log(columns: dict, message: str) -> None:
    held = {"w": ["a", "b", "c"], "i": ["x", "y", "z"], "q": [1, 1, 1]}
    held = ({} if "whom" in columns else held) | columns | ({"i": ["x"], "q": [1]} if "whom" in columns else {})
    with pytest.raises(DataError, match=message):
        count_table(pa.table(held), "w", "i", "q")
