"""``tacit.polychoric_correlations``: levels of every form in, names and words out."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tacit

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.multivariate_normal([0, 0, 0], [[1, 0.6, 0.3], [0.6, 1, 0.5], [0.3, 0.5, 1]], size=300)
CODES = np.stack([np.searchsorted([-0.5, 0.6], column) for column in NORMAL.T], axis=1).astype(float)
CODES[::17, 1] = np.nan
NAMES = ("a", "b", "c")
WORDS = ["never", "at times", "always"]
FOUND = tacit.polychoric_correlations(CODES)


def words(column: np.ndarray) -> list[str | None]:
    return [None if np.isnan(code) else WORDS[int(code)] for code in column]


FORMS = {
    "frame": pd.DataFrame(CODES, columns=NAMES),
    "whole numbers": pd.DataFrame(CODES, columns=NAMES).astype("Int64"),
    "mapping": dict(zip(NAMES, CODES.T, strict=True)),
    "polars": pl.from_numpy(CODES, schema=list(NAMES)),
    "categories of numbers": pd.DataFrame(CODES, columns=NAMES).astype("category"),
    "ordered": pd.DataFrame(
        {name: pd.Categorical(words(column), WORDS, ordered=True) for name, column in zip(NAMES, CODES.T, strict=True)}
    ),
    "enum": pl.DataFrame({name: words(column) for name, column in zip(NAMES, CODES.T, strict=True)}).cast(
        pl.Enum(WORDS)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_levels_of_every_form_have_their_names_and_the_same_correlations(form: str) -> None:
    found = tacit.polychoric_correlations(FORMS[form])
    np.testing.assert_allclose(found.correlations, FOUND.correlations, atol=1e-12)
    assert found.names == NAMES
    assert list(found.levels["a"]) == (WORDS if form in ("ordered", "enum") else [0, 1, 2])
    assert found.thresholds["b"].shape == (2,)
    frame = found.to_pandas()
    assert list(frame.columns) == ["column", *NAMES]
    assert frame["b"][2] == pytest.approx(found.correlations[1, 2])


def test_two_levels_of_any_kind_are_tetrachoric() -> None:
    yes = CODES[:, [0, 2]] > 0
    plain = tacit.polychoric_correlations(yes.astype(int))
    texts = tacit.polychoric_correlations({"one": np.where(yes[:, 0], "y", "n"), "other": yes[:, 1]})
    np.testing.assert_allclose(texts.correlations, plain.correlations)
    assert texts.levels == {"one": ("n", "y"), "other": (False, True)}
    assert str(texts) == "Tetrachoric correlations of 2 columns."
    assert "Tetrachoric" in texts._repr_html_()


def test_weights_are_copies() -> None:
    weights = RANDOM.integers(0, 3, 300)
    one = tacit.polychoric_correlations(CODES, sample_weight=weights)
    np.testing.assert_allclose(
        one.correlations, tacit.polychoric_correlations(np.repeat(CODES, weights, 0)).correlations
    )
    with pytest.raises(ValueError, match="Negative values"):
        tacit.polychoric_correlations(CODES, sample_weight=-np.ones(300))


def test_what_is_to_be_minded_is_told() -> None:
    half = np.repeat([0.0, 1.0], 10)
    found = tacit.polychoric_correlations({"x": half, "y": half})
    assert "A cell without rows was corrected for 'x' with 'y'." in str(found)
    found = tacit.polychoric_correlations({"x": half, "y": half}, correction=0)
    assert "rises to the end of the scale for 'x' with 'y'." in str(found)
    gaps = np.full((60, 3), np.nan)
    gaps[:20, 0] = gaps[:20, 1] = gaps[20:40, 1] = gaps[20:40, 2] = gaps[40:, 0] = half
    gaps[40:, 2] = 1 - half
    assert "positive_semidefinite=True puts that right." in str(tacit.polychoric_correlations(gaps))
    assert "that was put right." in str(tacit.polychoric_correlations(gaps, positive_semidefinite=True))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": ["x", "y", "z"], "b": [1, 2, 3]}, "column 'a' holds 3 values .* in no order"),
        ({"a": [None, None], "b": [1, 2]}, "'a' has no value"),
        ({"a": [1, 1], "b": [1, 2]}, "'a' has one level alone"),
        ({"a": [1.0, np.inf], "b": [1, 2]}, "column 'a' holds infinity"),
        ({"a": np.arange(100), "b": np.arange(100) % 3}, "'a' has 100 levels"),
        ({"a": [1, 2, None, None], "b": [None, None, 1, 2]}, "'a' and 'b' have no row in common"),
    ],
)
def test_columns_without_a_correlation_are_named(table: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tacit.polychoric_correlations(table)
