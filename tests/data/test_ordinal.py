"""Ordinal columns: numbers in their order, texts in the order that is written or declared, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from tacit.data.encode import decode, encode
from tacit.data.errors import DataError
from tacit.data.frames import from_frame
from tacit.data.kinds import infer
from tacit.data.schema import Column, Schema
from tacit.estimators.factors.items import ItemFactorAnalysis
from tacit.workflow.sources import _kinds

ORDER = ["never", "rarely", "often", "always"]


def frame() -> pd.DataFrame:
    codes = np.random.default_rng(0).integers(0, 4, 80)
    texts = np.array(ORDER, object)[codes]
    texts[3] = None
    return pd.DataFrame({"said": texts, "stars": codes + 1, "counted": codes, "size": np.linspace(-1.0, 1.0, 80)})


def test_the_order_of_texts_is_the_one_that_is_written() -> None:
    table = from_frame(frame())
    schema, _ = infer(table, {"said": "ordinal:never<rarely < often<always", "stars": "ordinal", "counted": "ordinal"})
    assert schema["said"].levels == tuple(ORDER)
    assert schema["stars"].levels == (1, 2, 3, 4)
    assert [column.word for column in schema.columns] == ["ordinal", "ordinal", "ordinal", "continuous"]
    codes = encode(table, schema)
    assert np.isnan(codes[3, 0])
    seen = np.arange(80) != 3
    assert (codes[seen, 0] == frame()["counted"][seen]).all()
    back = decode(codes, schema)
    assert back.column("said").to_pylist() == [
        None if place == 3 else word for place, word in enumerate(frame()["said"])
    ]
    assert Schema.from_json(schema.to_json()) == schema
    again, _ = infer(back)
    assert again["said"].levels == tuple(ORDER)


def test_a_level_that_nobody_chose_stays_a_level() -> None:
    table = from_frame(frame().assign(said="often").assign(said=lambda t: t["said"].where(t["counted"] > 1, "never")))
    schema, _ = infer(table, {"said": "ordinal:never<rarely<often"})
    assert schema["said"].levels == ("never", "rarely", "often")


def test_ordered_categories_of_a_frame_are_ordinal() -> None:
    given = frame().assign(said=lambda t: pd.Categorical(t["said"], ORDER, ordered=True))
    schema, _ = infer(from_frame(given))
    assert schema["said"].ordered
    assert schema["said"].levels == tuple(ORDER)
    found = ItemFactorAnalysis(max_iter=5, prior_scale=1.0)
    found.read(given, reset=True)
    found._settle_columns(found.read(given, reset=True))
    assert found.families_ == ["ordinal", "ordinal", "ordinal", "normal"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"said": "ordinal"}, r"whose order is not known: write it, 'said=ordinal:always<never<often<…'"),
        ({"said": "ordinal:never<always"}, r"lacks 'often', 'rarely'"),
        ({"said": "ordinal:never<rarely<often<always<never"}, r"has 'never' twice"),
        ({"stars": "ordinal:4<3<2<1"}, r"are numbers .* and stand in their own order"),
        ({"size": "ordinal:x<y"}, r"lacks"),
        ({"stars": "ordinary"}, r"Did you mean 'ordinal'"),
    ],
)
def test_what_has_no_order_is_told(kind: dict[str, str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        infer(from_frame(frame()), kind)


def test_too_many_levels_and_other_kinds_are_refused() -> None:
    with pytest.raises(DataError, match="more than 100"):
        infer(from_frame(pd.DataFrame({"x": np.arange(200)})), {"x": "ordinal"})
    with pytest.raises(DataError, match="only a categorical column has ordered levels"):
        Column("x", "binary", ("a", "b"), ordered=True)
    with pytest.raises(DataError, match="not true or false"):
        Schema.from_json({"columns": [{"name": "x", "kind": "categorical", "levels": ["a"], "ordered": 1}]})


def test_a_kind_is_cut_from_its_column_at_the_order() -> None:
    assert _kinds(("a=b=ordinal:x=1<y", "c=d=ordinal", "zip=categorical")) == {
        "a=b": "ordinal:x=1<y",
        "c=d": "ordinal",
        "zip": "categorical",
    }
