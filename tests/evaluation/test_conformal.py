"""Conformal p-values against enumeration, against their own guarantee, and at their edges."""

from fractions import Fraction

import numpy as np
import pytest

from tacit.evaluation.conformal import Calibration


def test_p_values_count_what_is_at_most_as_likely() -> None:
    random = np.random.default_rng(0)
    calibration = random.integers(0, 5, size=40).astype(float)  # many ties
    rows = np.array([-1.0, 0.0, 0.5, 3.0, 4.0, 9.0])
    counted = [Fraction(1 + sum(c <= row for c in calibration), 41) for row in rows]
    found = Calibration.from_scores(calibration).p_values(rows)
    np.testing.assert_allclose(found, [float(p) for p in counted], rtol=1e-15)


def test_impossible_rows_have_the_least_p_value_unless_others_were_impossible_too() -> None:
    calibration = Calibration.from_scores([-np.inf, -2.0, -1.0])
    np.testing.assert_allclose(calibration.p_values([-np.inf, -3.0, np.inf]), [0.5, 0.5, 1.0])


@pytest.mark.parametrize("ties", [False, True])
def test_at_most_the_alarms_share_of_ordinary_rows_is_flagged(ties: bool) -> None:
    """Exact for continuous scores: P(p ≤ α) = ⌊α(n+1)⌋/(n+1); with ties it is no more."""
    random = np.random.default_rng(1)
    n, alarm, repeats = 59, 0.1, 20_000
    scores = random.standard_t(3, size=(repeats, n + 1))
    scores = np.round(scores) if ties else scores
    flagged = [Calibration.from_scores(s[1:]).flag(s[:1], alarm)[0] for s in scores]
    expected = 0.0 if ties else 6 / 60
    error = np.sqrt(0.1 * 0.9 / repeats)
    share = np.mean(flagged)
    assert share < 0.1 + 4 * error
    assert share > expected - 4 * error


@pytest.mark.parametrize("alarm", [1.0, 0.5, 0.3, 0.05, 0.01, 0.001, 0.07, 1 / 3, 1 / 49, 1 / 98, 1 / 107])
def test_the_rows_needed_are_the_least_that_can_flag(alarm: float) -> None:
    needed = Calibration.rows_needed(alarm)
    least = next(n for n in range(2000) if 1.0 / (n + 1.0) <= alarm)
    assert needed == least
    if needed > 1:
        assert Calibration.from_scores(np.zeros(needed)).flag([-1.0], alarm).all()
        with pytest.raises(ValueError, match=rf"at least {needed} rows?, and there (is|are) {needed - 1}"):
            Calibration.from_scores(np.zeros(needed - 1)).flag([-1.0], alarm)


def test_what_is_wrong_is_said() -> None:
    calibration = Calibration.from_scores(np.arange(20.0))
    for alarm in (0.0, 1.5, -0.1, float("nan")):
        with pytest.raises(ValueError, match="alarm must be above 0 and at most 1"):
            calibration.flag([0.0], alarm)
    with pytest.raises(ValueError, match="not a number in row 2"):
        calibration.p_values([0.0, np.nan])
    with pytest.raises(ValueError, match="at least one row"):
        Calibration.from_scores([])
    with pytest.raises(ValueError, match="one log density a row"):
        calibration.p_values([[0.0]])
