"""Sentences, word for word."""

import numpy as np
import pytest

from tacit.data.schema import Column
from tacit.report import sentences
from tacit.report.anomaly_section import anomaly_reasons
from tacit.report.effects import Effect

FLIPPER = Column("flipper_length_mm", "continuous")
MASS = Column("body_mass_g", "continuous")
VISITS = Column("visits", "count")
SPECIES = Column("species", "categorical", ("Adelie", "Gentoo", "Chinstrap"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flipper_length_mm", ("flipper_length_mm", "mm")),
        ("body.mass.g", ("body.mass.g", "g")),
        ("mm", ("mm", "")),
        ("Annual Income (k$)", ("“Annual Income (k$)”", "")),
        ("Dr. Smith", ("“Dr. Smith”", "")),
        ("a, b", ("“a, b”", "")),
        ("  ", ("(no name)", "")),
        ("x" * 100, ("“" + "x" * 40 + "…" + "x" * 19 + "”", "")),
    ],
)
def test_names_of_columns_as_words(name, expected):
    assert sentences.readable(name) == expected


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.004, "under 1 %"),
        (0.31, "31 %"),
        (0.993, "over 99 %"),
        (1.0, "100 %"),
        (np.nan, "–"),
    ],
)
def test_percent(share, text):
    assert sentences.percent(share) == text


def test_lists_and_counts():
    assert sentences.listed([]) == ""
    assert sentences.listed(["a"]) == "a"
    assert sentences.listed(["a", "b", "c"]) == "a, b and c"
    assert sentences.counted(1, "row") == "1 row"
    assert sentences.counted(1234, "row") == "1,234 rows"
    assert sentences.counted(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("pair", "texts"),
    [
        ((38.8, 48.0), ("38.8", "48.0")),
        ((217.2, 191.9), ("217", "192")),
        ((5076.0, 3711.0), ("5,076", "3,711")),
        ((1.0004, 1.0001), ("1.0004", "1.0001")),
        ((0.002, 900.0), ("0.002", "900")),
        ((2.0, 2.0), ("2", "2")),
    ],
)
def test_two_numbers_are_told_apart(pair, texts):
    assert sentences.told_apart(*pair) == texts


def test_a_group_by_its_amounts():
    found = [
        Effect(0, 2.1, 0.7, 217.2, 191.9),
        Effect(1, 1.9, 0.6, 5076.0, 3711.0),
        Effect(2, -0.4, 0.2, 1.5, 2.25),
    ]
    assert sentences.describe_group(1, 0.31, found, [FLIPPER, MASS, VISITS]) == (
        "Group 2 (31 % of rows) has longer flipper_length_mm (217 mm on average, against 192 mm in the rest), "
        "larger body_mass_g (5,076 g against 3,711 g) and lower visits (1.50 against 2.25)."
    )


@pytest.mark.parametrize("name", ["Spending Score (1-100)", "a) b (c", "x, y and z", "so: what; now", "Nr. of"])
def test_names_with_signs_of_their_own_do_not_break_the_sentence(name):
    found = [Effect(0, 1.0, 0.5, 19.4, 67.0), Effect(1, 0.9, 0.4, 2.0, 1.0)]
    said = sentences.describe_group(0, 0.5, found, [Column(name, "continuous"), Column(name + " 2", "continuous")])
    assert said == (
        f"Group 1 (50 % of rows) has lower “{name}” (19.4 on average, against 67.0 in the rest) and higher "
        f"“{name} 2” (2 against 1)."
    )


def test_no_average_is_told_as_nought_unless_it_is():
    for inside, outside in ((0.0004, 0.2), (0.2, 0.00049), (1e-3, 0.9), (-0.0002, 0.1)):
        said = sentences.describe_group(0, 0.5, [Effect(0, 1.0, 0.5, inside, outside)], [FLIPPER])
        assert "0.000" not in said.replace("0.0004", "").replace("0.0002", "")
    said = sentences.describe_group(0, 0.5, [Effect(0, -1.0, 0.5, 0.0, 0.2)], [FLIPPER])
    assert "(0 mm on average, against 0.2" in said


def test_medians_are_called_so():
    found = [Effect(0, 1.0, 0.5, 40.0, 30.0, median=True), Effect(1, 0.9, 0.4, 2.0, 1.0)]
    said = sentences.describe_group(0, 0.5, found, [FLIPPER, MASS])
    assert "(median 40 mm, against 30 mm in the rest)" in said
    assert "(2 g on average against 1 g)" in said


def test_a_group_by_its_levels():
    found = [Effect(0, 0.95, 0.95, 0.97, 0.02, 1)]
    assert sentences.describe_group(0, 0.5, found, [SPECIES]) == (
        "Group 1 (50 % of rows): species is nearly always Gentoo (97 %, elsewhere 2 %)."
    )


def test_a_group_by_both():
    found = [Effect(1, 0.5, 0.5, 0.6, 0.1, 0), Effect(0, -1.0, 0.4, 190.0, 210.0)]
    assert sentences.describe_group(2, 0.004, found, [FLIPPER, SPECIES]) == (
        "Group 3 (under 1 % of rows) has shorter flipper_length_mm (190 mm on average, against 210 mm in the rest); "
        "species is mostly Adelie (60 %, elsewhere 10 %)."
    )


def test_a_group_that_nothing_sets_apart():
    weak = [Effect(0, 0.1, 0.04, 1.0, 1.1)]
    assert sentences.describe_group(0, 0.5, weak, [FLIPPER, MASS], together=True) == (
        "Group 1 (50 % of rows) is not clearly apart from the rest in any column by itself; it differs in how "
        "the columns go together."
    )
    assert sentences.describe_group(0, 0.5, weak, [FLIPPER, MASS]).endswith("in any column by itself.")
    wide = [Effect(1, 0.1, 0.04, 1.0, 1.1, spread=0.9)]
    assert "more widely spread (most of all in body_mass_g)" in sentences.describe_group(0, 0.5, wide, [FLIPPER, MASS])
    assert sentences.describe_group(0, 0.5, [], [FLIPPER]) == (
        "Group 1 (50 % of rows) is not clearly apart from the rest."
    )


def test_at_most_four_columns_are_named():
    columns = [Column(f"c{j}", "continuous") for j in range(9)]
    text = sentences.describe_group(0, 0.5, [Effect(j, 1.0, 0.5, 2.0, 1.0) for j in range(9)], columns)
    assert text.count("higher") == 4
    assert "c4" not in text


@pytest.mark.parametrize(
    ("inside", "outside", "how"),
    [
        (0.93, 0.5, "is nearly always"),
        (0.6, 0.2, "is mostly"),
        (0.3, 0.1, "is more often"),
        (0.2, 0.6, "is less often"),
        (0.01, 0.6, "is hardly ever"),
    ],
)
def test_how_often_a_level_occurs(inside, outside, how):
    effect = Effect(0, inside - outside, 0.5, inside, outside, 2)
    assert f"species {how} Chinstrap" in sentences.describe_group(0, 0.5, [effect], [SPECIES])


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("bill_depth", ("deeper", "shallower")),
        ("Width", ("wider", "narrower")),
        ("weight_kg", ("larger", "smaller")),
        ("age", ("higher", "lower")),
    ],
)
def test_comparatives_suit_the_column(name, pair):
    assert (sentences.direction(name, True), sentences.direction(name, False)) == pair


@pytest.mark.parametrize(
    ("best", "text"),
    [
        ([0.95] * 10, "The groups are clearly apart: 100 % of the rows"),
        ([0.95] * 7 + [0.5] * 3, "The groups overlap somewhat: 70 % of the rows"),
        ([0.95] * 3 + [0.5] * 7, "The groups overlap strongly: 30 % of the rows"),
    ],
)
def test_certainty(best, text):
    share = np.array(best)[:, None] * [1.0, 0.0] + (1 - np.array(best))[:, None] * [0.0, 1.0]
    assert sentences.certainty(share).startswith(text)


def test_rows_of_noise_are_clearly_so():
    share = np.array([[0.95, 0.01], [0.0, 0.02], [0.0, 0.97], [0.4, 0.2]])  # the second is noise, the last unclear
    assert "75 % of the rows belong to one group or to noise with" in sentences.certainty(share, 0.3)
    assert sentences.noise(0.12).startswith("Noise: 12 % of rows")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("a.csv", 344, 7, 3, 0.0), "344 rows and 7 columns of a.csv, with no value missing, fall into 3 groups."),
        (("", 1, 1, 1, 0.5), "1 row and 1 column, with 50 % of the values missing: one group describes them all."),
        (("", 10, 2, 0, 0.0), "10 rows and 2 columns, with no value missing."),
        (
            ("", 9, 2, 2, 0.0, 0.12),
            "9 rows and 2 columns, with no value missing, fall into 2 groups and noise (12 % of rows).",
        ),
        (("", 9, 2, 1, 0.0, 0.2), "9 rows and 2 columns, with no value missing: one group and noise (20 % of rows)."),
    ],
)
def test_lead(arguments, text):
    assert sentences.lead(*arguments) == text


def test_rise():
    assert sentences.rise(-26069.0, -2248.0, 40, True, "converged") == (
        "In 40 steps the bound rose from −26,069 to −2,248 nats and then changed no more: the fit has converged."
    )
    assert sentences.rise(-2.0, -1.0, 1, False, "max_iter reached") == (
        "In 1 step the bound rose from −2 to −1 nats. The fit had not settled when it ended (the greatest number "
        "of steps was reached): allow more steps before relying on it."
    )


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (1.0, "hardly ahead of the next, with 4 groups, by 1; either would do."),
        (5.0, "somewhat ahead of the next, with 4 groups, by 5."),
        (9.0, "clearly ahead of the next, with 4 groups, by 9."),
        (50.0, "far ahead of the next, with 4 groups, by 50."),
    ],
)
def test_choice_is_graded(gap, text):
    said = sentences.choice(-100.0, -100.0 - gap, "3 groups", "4 groups", "BIC", 9)
    assert said == f"Of 9 candidates, the one with 3 groups has the highest BIC (−100), {text}"


def test_choice_tells_of_spurious_candidates_and_of_other_criteria():
    said = sentences.choice(-100.0, None, "3 groups", "", "BIC", 9, 2)
    assert "among those not resting on their floor (2 spurious ones would score higher)" in said
    said = sentences.choice(-9.5, -9.6, "3 groups", "4 groups", "Held-out score", 5)
    assert said.endswith("; next comes the one with 4 groups (−9.6).")
    said = sentences.choice(-100.0, -150.0, "3 groups", "4 groups", "BIC", 9, 0, 4)
    assert "4 candidates were left on the way" in said
    assert sentences.choice(-9.5, None, "3 groups", "", "BIC", 1) == "There was one candidate: 3 groups, BIC −9.5."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("VVV", "every group has its own size, its own shape and its own direction"),
        ("EEE", "all groups have the same size, the same shape and the same direction"),
        ("VEI", "every group has its own size, the same shape and lies along the columns"),
        ("EII", "every group is round and has the same size"),
        ("tied", "all groups have the same size, shape and direction"),
        ("E", "all groups have the same spread"),
        ("low-rank", ""),
        ("", ""),
    ],
)
def test_structures_in_words(name, text):
    assert sentences.structure(name) == text


def test_all_fourteen_structures_have_words():
    turned = [size + shape + way for way in "IEV" for size in "EV" for shape in "EV"]
    names = ["EII", "VII", *turned]
    assert len({sentences.structure(name) for name in names} - {""}) == 14


def test_held_out():
    text = sentences.held_out(-9.123, 0.2, 30, ("One group", -10.5))
    assert text == (
        "On 30 rows kept aside, the model gives −9.123 ± 0.2 nats per row (mean and standard error; higher is "
        "better). One group gives −10.5: the model is better by 1.38."
    )
    assert sentences.held_out(-9.1, 0.2, 30, ("One group", -9.0)).endswith("−9: no clear difference.")
    assert sentences.held_out(-9.1, 0.2, 30, None).endswith("higher is better).")


def test_cautions():
    said = sentences.cautions(np.array([0.9, 0.06, 0.04]), 60, 4, False, True)
    assert len(said) == 3
    assert said[0].startswith("The fit had not settled")
    assert "spike" in said[1]
    assert said[2] == "Group 2 and Group 3 are made of very few rows; read their description with care."
    assert sentences.cautions(np.array([0.5, 0.5]), 1000, 4, True, False) == ()
    assert sentences.cautions(None, 10, 5, None, False) == ("There are only 10 rows for 5 columns.",)
    assert "9 of the 10 groups are" in sentences.cautions(np.array([0.91] + [0.01] * 9), 100, 2, True, False)[0]


def test_a_row_is_odd_by_its_own_group():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 50)
    x = rng.normal(size=100) + 100 * group
    x[3] = 9.0
    levels = np.zeros(100)
    levels[60] = 1.0
    share = np.eye(2)[group]
    columns = [Column("bill_length_mm", "continuous"), Column("region", "categorical", ("north", "south"))]
    said = anomaly_reasons(np.column_stack([x, levels]), columns, share, np.array([3, 60, 70]))
    z = (x[3] - x[:50].mean()) / x[:50].std()
    assert said[0] == f"bill_length_mm 9 mm, {z:.2g} sd above its group"
    assert said[1] == "region south, rare in its group (2 %)"
    assert said[2] == "no column by itself stands out"
    assert "combination" not in said[2]


def test_a_row_is_odd_by_logarithms_where_the_column_is_skewed():
    x = np.exp(np.r_[np.linspace(-1, 1, 50), 9.0])
    said = anomaly_reasons(x[:, None], [Column("income", "positive")], None, np.array([50]))
    z = (9.0 - np.log(x).mean()) / np.log(x).std()
    assert said == [f"income 8,103, {z:.2g} sd above this table"]


def test_a_constant_column_makes_no_row_odd():
    assert anomaly_reasons(np.full((5, 1), 7.0), [VISITS], None, np.array([0])) == ["no column by itself stands out"]


def test_a_value_beside_a_constant_column_is_told():
    x = np.append(np.full(30, 7.0), 9.0)[:, None]
    (said,) = anomaly_reasons(x, [VISITS], None, np.array([30]))
    assert "visits 9, where all other rows have 7" in said or "visits 9, " in said


def test_a_total_of_everybody_is_set_beside_the_other_rows():
    """Such a row has a group of its own, in which nothing about it is surprising."""
    sales = np.random.default_rng(0).normal(100.0, 10.0, (60, 2))
    values = np.vstack([sales, sales.sum(axis=0)])
    share = np.eye(2)[np.r_[np.zeros(60, int), 1]]
    (said,) = anomaly_reasons(
        values, [Column("north", "continuous"), Column("south", "continuous")], share, np.array([60])
    )
    others = values[:60, 0]
    assert f"north {values[60, 0]:,.0f}, {(values[60, 0] - others.mean()) / others.std():.0f} sd above" in said
    assert "south" in said
    assert "combination" not in said


def test_a_combination_is_told_where_the_model_knows_how_columns_go_together():
    rng = np.random.default_rng(0)
    height = rng.normal(170.0, 10.0, 300)
    weight = 70.0 + (height - 170.0) + rng.normal(0.0, 1.0, 300)
    height[7], weight[7] = 185.0, 60.0  # neither is 2 sd off
    values = np.column_stack([height, weight])
    columns = [Column("height", "continuous"), Column("weight", "continuous")]
    (said,) = anomaly_reasons(values, columns, None, np.array([7]), dependent=frozenset({0, 1}))
    assert said.startswith("unusual only as a combination")
    assert "height 185" in said
    slope, middle = np.polyfit(height, weight, 1)
    assert f"weight 60 where its other columns let expect {slope * 185.0 + middle:.4g} " in said
    (alone,) = anomaly_reasons(values, columns, None, np.array([7]))
    assert alone.startswith("no column by itself stands out; farthest out: height 185, 1.5 sd above")


def test_a_row_between_two_groups_is_said_to_be_there():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 50), rng.normal(3, 1, 50), [1.5]])
    share = np.vstack([np.eye(2)[np.repeat([0, 1], 50)], [[0.5, 0.5]]])
    (said,) = anomaly_reasons(x[:, None], [Column("x", "continuous")], share, np.array([100]))
    assert said.startswith("lies between Group 1 and Group 2")
