"""The section on a density without groups."""

import numpy as np
import pytest

from tacit.estimators.flow.capabilities import StackMember
from tacit.estimators.flow.words import against_mixture, in_times, of_members
from tacit.report.flow_section import DensityFacts, MemberRows, PlaneFacts, drawn_lines, flow_section
from tacit.report.flow_sentences import calibration_sentences

RANDOM = np.random.default_rng(0)
EVEN = (np.arange(200) + 0.5) / 200


def test_even_values_are_called_even() -> None:
    (said,) = calibration_sentences(["a", "b"], np.column_stack([EVEN, EVEN[::-1]]), held_out=True)
    assert said == (
        "The values of 200 rows kept aside lie as evenly in the model as those of a right one would, in every column."
    )


def test_columns_that_cannot_be_judged_are_not_called_even() -> None:
    (said,) = calibration_sentences(["a", "levels"], np.column_stack([EVEN, np.full(200, np.nan)]), held_out=True)
    assert said.endswith("in 1 column of 2.")


def test_how_values_are_off_is_told() -> None:
    ranks = np.column_stack([EVEN, EVEN**2, 0.25 + EVEN / 2, np.full(200, np.nan)])
    said = calibration_sentences(["a", "low", "narrow", "levels"], ranks, held_out=False)
    assert said[0] == "The values of 200 rows that it was fitted to do not lie evenly in the model in low and narrow."
    assert said[1] == "low is smaller than the model has it: 70 % lie beyond its middle."
    assert said[2] == "narrow lies closer together than the model has it: over 99 % within its middle half." or (
        "100 % within" in said[2]
    )
    assert calibration_sentences(["a"], EVEN[:5, None], held_out=True)[0].startswith("5 rows kept aside: too few")


def test_nats_are_put_into_words() -> None:
    assert in_times(np.log(2.0)) == "2 times as likely"
    assert in_times(0.0953) == "10 % likelier"
    better = against_mixture(-1.0, -1.7, 5, began=False)
    assert better.startswith("It is 0.7 nats better than a Gaussian mixture of 5 components (−1 against −1.7 nats")
    assert better.endswith("a typical row is 2 times as likely.")
    assert "worse" in against_mixture(-1.7, -1.0, 1, began=False)
    assert "as well as" in against_mixture(-1.0, -1.001, 1, began=False)
    assert "that it has learned from" in against_mixture(-1.0, -1.7, 5, began=False, held_out=False)
    assert "No step was better" in against_mixture(-1.0, -1.0, 2, began=True)


@pytest.mark.parametrize(
    ("gain", "said"), [(0.3, "clearly better"), (0.15, "more than its error"), (0.01, "no clear difference")]
)
def test_members_are_put_into_words(gain: float, said: str) -> None:
    members = (
        StackMember("m", 0.7, -2.0, 0.1),
        StackMember("f", 0.3, -2.5, 0.1),
        StackMember("together", 1.0, -2.0 + gain, 0.1),
    )
    first, second = of_members(members, gain, 0.1)
    assert first == "The density is 70 % m + 30 % f."
    assert said in second


def test_the_section_has_pictures_of_everything() -> None:
    x = RANDOM.normal(size=(50, 2))
    grid = np.linspace(-2, 2, 9)
    plane = PlaneFacts(grid, grid, -0.5 * (grid[None] ** 2 + grid[:, None] ** 2), tuple(drawn_lines()))
    members = (
        StackMember("m", 0.98, -2.0, 0.1),
        StackMember("f", 0.02, -2.5, 0.1),
        StackMember("together", 1.0, -1.9, 0.1),
    )
    rows = MemberRows("f", ("7",), (0.9,), ("a", "b"), (("1", "2"),))
    ranks = RANDOM.random((50, 2))
    facts = DensityFacts(("One.",), ("a", "b"), x, x, plane, ranks, "how", ("Two.",), members, rows)
    section = flow_section(facts)
    assert section is not None
    for name in ("density-map", "map", "members", "ranks0", "ranks1"):
        assert f'id="{name}' in section.body or name in section.body
    assert "Rows that the smallest member, f, explains best" in section.body
    wide = DensityFacts(
        ("One.",),
        tuple("abcde"),
        RANDOM.normal(size=(50, 5)),
        RANDOM.normal(size=(9, 5)),
        None,
        np.full((1, 5), np.nan),
        "how",
        (),
    )
    section = flow_section(wide)
    assert section is not None
    assert "The first 4 of 5 columns are drawn." in section.body
    assert "Is it right?" not in section.body
    assert flow_section(None) is None
