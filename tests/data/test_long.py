"""Purchase logs: summed like a dense cross table, and what is left out or refused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.data import CountTable, DataError, Table, count_table, load, parse_long

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
        ("who,what,many", ("who", "what", "many", None, None)),
        (" who , what ", ("who", "what", None, None, None)),
        (["a,b", "c"], ("a,b", "c", None, None, None)),
        ("who,what,many,day,price", ("who", "what", "many", "day", "price")),
        ("who,what,,,price", ("who", "what", None, None, "price")),
    ],
)
def test_the_description_of_a_log(text: object, parts: tuple) -> None:
    assert parse_long(text) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("who", "write customer,item or customer,item,quantity"),
        ("who,,many", "write customer,item"),
        ("a,b,c,d,e,f", "write customer,item"),
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
        ({"w": [None, None, None]}, "column 'w' is empty in every row"),
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


def test_lines_that_lack_something_are_left_out_and_counted() -> None:
    log = pa.table(
        {
            "w": ["a", None, "b", "b", "", "c"],
            "i": ["x", "x", None, "y", "x", "x"],
            "q": [1, 2, 3, 4, 5, None],
        }
    )
    found = count_table(log, "w", "i", "q")
    assert dense(found) == [[1, 0], [0, 4]]
    assert found.row_ids.tolist() == ["a", "b"]
    assert found.notes == (
        "2 lines without a customer left out",
        "1 line without an item left out",
        "1 line without a quantity left out",
    )
    numbers = pa.table({"w": [7.0, None, 9.0], "i": ["x", "x", "y"], "q": [1, 1, 1]})
    assert count_table(numbers, "w", "i", "q").row_ids.tolist() == [7, 9]


def test_returns_are_dropped_or_taken_off() -> None:
    log = pa.table(
        {
            "w": ["a", "a", "b", "b", "c", "c", "d"],
            "i": ["x", "x", "x", "y", "z", "z", "x"],
            "q": [5, -2, 1, -3, 2, -2, 0],
        }
    )
    dropped = count_table(log, "w", "i", "q")
    assert dense(dropped) == [[5, 0], [1, 0], [0, 2]]
    net = count_table(log, "w", "i", "q", net=True)
    assert dense(net) == [[3], [1]]
    assert (net.row_ids.tolist(), net.names) == (["a", "b"], ("x",))
    assert net.notes == (
        "1 line with a quantity of 0 left out",
        "3 returns taken off what was bought",
        "1 count below 0 (returned before the log begins?) taken as 0",
        "1 customer who returned everything left out",
    )
    assert count_table(log, "w", "i", "q", net=True, items=["z", "x"]).names == ("z", "x")
    with pytest.raises(DataError, match="all that was bought was returned"):
        count_table(pa.table({"w": ["c", "c"], "i": ["z", "z"], "q": [2, -2]}), "w", "i", "q", net=True)


def test_dates_and_prices_give_recency_frequency_and_monetary_value() -> None:
    log = pa.table(
        {
            "who": ["a", "a", "a", "b", "b", None, "c"],
            "what": ["x", "y", "x", "x", "x", "x", "y"],
            "many": [1, 2, 3, 4, -1, 9, 2],
            "day": ["2024-01-01", "2024-01-01", "2024-01-11", "2024-01-21", "2024-01-22", "2024-01-25", "2024-01-31"],
            "price": [2.0, 1.5, 2.0, 2.0, 2.0, 2.0, 10.0],
        }
    )
    found = load(log, long="who,what,many,day,price", kinds={"monetary": "continuous"})
    assert isinstance(found, Table)
    assert found.row_ids is not None
    assert found.row_ids.tolist() == ["a", "b", "c"]
    assert found.names == ("recency", "frequency", "monetary", "items")
    assert found.values.tolist() == [[20, 2, 11, 6], [10, 1, 8, 4], [0, 1, 20, 2]]
    assert "1 line without a customer left out" in found.notes
    net = load(log, long="who,what,many,day,price", returns="net", kinds={"monetary": "continuous"})
    assert isinstance(net, Table)
    assert net.values[1].tolist() == [10, 1, 6, 3]
    again = load(log, long="who,what,many,day,price", schema=found.schema)
    assert isinstance(again, Table)
    np.testing.assert_array_equal(again.values, found.values)
    plain = load(log, long="who,what,,,price", kinds={"monetary": "continuous"})
    assert isinstance(plain, Table)
    assert plain.names == ("frequency", "monetary", "items")
    with pytest.raises(DataError, match="column 'what', row 1: no date"):
        load(log, long="who,day,many,what")
