"""``tacit.number_of_factors``: the planted number, every door in, words, refusals."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

import tacit

RANDOM = np.random.default_rng(0)
LOADINGS = np.kron(np.eye(3), np.array([[0.8], [0.7], [0.75], [0.6]]))
ROWS = RANDOM.normal(size=(400, 3)) @ LOADINGS.T + 0.6 * RANDOM.normal(size=(400, 12))
NAMES = [f"test {j}" for j in range(12)]
FRAME = pd.DataFrame(ROWS, columns=NAMES)
GAPS = FRAME.mask(RANDOM.random(ROWS.shape) < 0.2)
FOUND = tacit.number_of_factors(FRAME)
FIVE = ("parallel_factors", "parallel_components", "map", "map_fourth_power", "kaiser")


@pytest.mark.parametrize("table", [FRAME, GAPS], ids=["complete", "gaps"])
@pytest.mark.parametrize("communalities", ["one-factor", "smc"])
def test_the_planted_number_is_found(table: pd.DataFrame, communalities: str) -> None:
    found = tacit.number_of_factors(table, communalities=communalities)
    assert {name: found.suggested[name] for name in FIVE} == dict.fromkeys(FIVE, 3)
    assert found.suggested["bic"] == 3
    assert found.kmo > 0.6
    assert found.bartlett.p_value < 1e-6


def test_independent_columns_have_no_factor() -> None:
    found = tacit.number_of_factors(RANDOM.normal(size=(300, 8)), draws=500)
    assert [found.suggested[name] for name in FIVE[:4]] == [0, 0, 0, 0]
    assert "Parallel analysis suggests 0 factors and 0 principal components" in str(found)
    assert "unacceptable" in str(found) or "miserable" in str(found)


def test_the_table_the_sentence_and_the_picture() -> None:
    frame = FOUND.to_pandas()
    assert list(frame["number"]) == list(range(1, 13))
    np.testing.assert_allclose(frame["eigenvalue"], FOUND.eigenvalues)
    np.testing.assert_allclose(frame["map"][:11], FOUND.map[1:])
    assert frame["map"].isna().sum() == 1
    assert (frame["parallel_components"] > frame["parallel_components_mean"]).all()
    first, likelihood, second = str(FOUND).splitlines()
    assert "BIC prefers 3" in likelihood
    assert first == (
        "Parallel analysis suggests 3 factors and 3 principal components (200 draws, quantile 0.95, seed 0). "
        "Velicer's MAP suggests 3, with fourth powers 3. Kaiser's rule, a convention, counts 3 eigenvalues above 1."
    )
    assert second.startswith(f"KMO {FOUND.kmo:.2f} (")
    assert "Bartlett's test that no columns correlate: χ²" in second
    assert "Parallel analysis suggests 3 factors" in FOUND._repr_html_()
    figure = FOUND.plot()
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 2


FORMS = {
    "array": ROWS,
    "polars": pl.from_pandas(FRAME),
    "arrow": pa.table(FRAME),
    "mapping": dict(FRAME),
    "lists": ROWS.tolist(),
    "masked": np.ma.masked_invalid(ROWS),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_every_form(form: str) -> None:
    found = tacit.number_of_factors(FORMS[form], draws=20)
    np.testing.assert_allclose(found.correlation, FOUND.correlation, atol=1e-12)
    assert found.names == tuple(NAMES if form in ("polars", "arrow", "mapping") else (f"column {j}" for j in range(12)))


def test_a_matrix_stands_for_its_rows() -> None:
    for given in (FRAME.corr(), FRAME.cov().to_numpy() * 7):
        found = tacit.number_of_factors(correlation=given, n=400)
        np.testing.assert_allclose(found.parallel_factors, FOUND.parallel_factors, atol=1e-12)
        np.testing.assert_allclose(found.eigenvalues, FOUND.eigenvalues, atol=1e-12)
        assert np.isclose(found.bartlett.statistic, FOUND.bartlett.statistic)
    assert tacit.number_of_factors(correlation=FRAME.corr(), n=400).names == tuple(NAMES)
    items = tacit.polychoric_correlations((FRAME > 0).astype(int))
    assert tacit.number_of_factors(correlation=items.correlations, n=400).suggested["map"] == 3


@pytest.mark.parametrize("table", [FRAME, GAPS], ids=["complete", "gaps"])
def test_weights_are_copies(table: pd.DataFrame) -> None:
    weights = RANDOM.integers(0, 3, 400)
    one = tacit.number_of_factors(table, sample_weight=weights, draws=30)
    other = tacit.number_of_factors(table.loc[table.index.repeat(weights)], draws=30)
    assert one.n == pytest.approx(other.n)
    np.testing.assert_allclose(one.correlation, other.correlation, atol=1e-12)
    np.testing.assert_allclose(one.parallel_factors, other.parallel_factors, atol=1e-9)
    np.testing.assert_allclose(one.kmo_columns, other.kmo_columns, atol=1e-9)
    parts = tacit.number_of_factors(table, sample_weight=weights + 0.3, draws=30)  # no whole numbers
    assert parts.suggested["parallel_factors"] == 3


def test_units_and_order_do_not_matter_and_the_seed_is_told() -> None:
    order = RANDOM.permutation(12)
    found = tacit.number_of_factors(FRAME.iloc[:, order] * 1e6 + 1e9)
    np.testing.assert_allclose(found.eigenvalues, FOUND.eigenvalues, atol=1e-6)
    np.testing.assert_allclose(found.kmo_columns, FOUND.kmo_columns[order], atol=1e-5)
    new = tacit.number_of_factors(FRAME, random_state=None, draws=10)
    again = tacit.number_of_factors(FRAME, random_state=new.seed, draws=10)
    np.testing.assert_array_equal(again.parallel_factors, new.parallel_factors)
    wide = tacit.number_of_factors(FRAME, quantile=0.5)
    assert (wide.parallel_components < FOUND.parallel_components).all()


def test_what_has_no_inverse_is_told_and_the_rest_is_found() -> None:
    found = tacit.number_of_factors(FRAME.assign(again=FRAME["test 3"]))
    assert np.isnan(found.kmo)
    assert np.isnan(found.bartlett.statistic)
    assert "has no inverse ('test 3' and 'again' are copies)" in str(found)
    assert found.suggested["parallel_components"] == 3
    wide = tacit.number_of_factors(ROWS[:8])
    assert "fewer rows than columns" in str(wide)
    assert np.isfinite(wide.parallel_factors).all()
    assert np.isfinite(tacit.number_of_factors(ROWS[:3]).eigenvalues).all()


def test_gaps_are_told_and_many_rows_are_not_drawn_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    gappy = tacit.number_of_factors(GAPS)
    assert 240 < gappy.n < 270  # pairs have 0.64 of 400 rows
    assert "cells are missing: each correlation is from the rows that have both." in str(gappy)
    monkeypatch.setattr("tacit.evaluation.number_of_factors.DRAWN", 100)
    other = tacit.number_of_factors(GAPS)
    np.testing.assert_allclose(other.parallel_components, gappy.parallel_components, atol=0.06)


HALF = np.arange(50) < 25
SOME = RANDOM.normal(size=(50, 3))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give either rows X, or correlation= and n="),
        ({"X": SOME, "correlation": np.eye(3)}, "give either rows X"),
        ({"X": SOME, "n": 50}, "rows count themselves"),
        ({"X": np.c_[SOME, np.ones(50)]}, "'column 3' is constant \\(1\\)"),
        ({"X": np.c_[SOME, np.full(50, np.nan)]}, "'column 3' has no value"),
        ({"X": pd.DataFrame({"a": SOME[:, 0], "b": np.where(HALF, np.inf, 1)})}, "infinity, in column 'b'"),
        ({"X": np.c_[SOME, np.where(HALF, 0.0, np.inf)]}, "column 3 holds infinity in row 25"),
        ({"X": pd.DataFrame({"a": ["x", "y", "z"], "b": [1, 2, 3]})}, "column 'a' holds texts"),
        ({"X": SOME[:2]}, "minimum of 3 is required"),
        ({"X": SOME[:, :1]}, "one column correlates with nothing"),
        (
            {"X": np.c_[SOME, np.where(HALF, SOME[:, 0], np.nan), np.where(HALF, np.nan, SOME[:, 0])]},
            "'column 3' and 'column 4' have 0 rows in common",
        ),
        (
            {"X": np.c_[np.where(HALF, 1.0, SOME[:, 0]), np.where(HALF, SOME[:, 1], np.nan)]},
            "'column 0' and 'column 1' vary in no row that has both",
        ),
        ({"X": SOME, "sample_weight": np.full(50, 0.02)}, "weights sum to 1; they count rows"),
        ({"correlation": np.eye(3)}, "correlation= needs n="),
        ({"correlation": np.eye(3), "n": 1}, "n must be the number of rows, at least 3; got 1"),
        ({"correlation": np.eye(3), "n": 9, "sample_weight": [1, 2, 3]}, "sample_weight goes with rows X"),
        ({"correlation": SOME, "n": 9}, "must be square"),
        ({"correlation": [[1, 0.5], [0.4, 1]], "n": 9}, "not symmetric: 'column 0' with 'column 1' is 0.5, and 0.4"),
        ({"correlation": [[1, np.nan], [np.nan, 1]], "n": 9}, "'column 0' with 'column 1' is nan"),
        ({"correlation": [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], "n": 9}, "an eigenvalue is -0.8"),
        ({"correlation": [[1, 0], [0, -1]], "n": 9}, "the variance of 'column 1' is -1"),
        ({"correlation": pd.DataFrame({"t": ["a", "b"], "a": [1, 0], "b": [0, 1]}), "n": 9}, "what is no number"),
        ({"X": SOME, "draws": 0}, "draws must be a whole number of at least 1"),
        ({"X": SOME, "quantile": 95}, "quantile must lie between 0 and 1"),
        ({"X": SOME, "communalities": "pca"}, "communalities must be one of"),
    ],
)
def test_what_has_no_answer_is_refused_by_name(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tacit.number_of_factors(**given)
