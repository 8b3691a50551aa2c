"""What flows and stacks answer where it is easy to be wrong: gaps, levels, tails, ends, rows kept aside, odd steps."""

import warnings

import jax
import numpy as np
import pytest
from scipy import stats

import tacit
from tacit import GaussianMixture, StackedDensity, TriangularFlow
from tacit.estimators.gradient_fit import Split
from tacit.estimators.stacked.members import made
from tacit.families.bijections import DiagonalAffine
from tacit.inference.importance import UncertainWeights
from tacit.models.flow.columns import ColumnPlan
from tacit.models.flow.model import Dequantise, FlowRows
from tacit.models.flow.points import points

SMALL = {"hidden": (8,), "bins": 3, "steps": 1, "max_epochs": 3, "random_state": 0}
pytestmark = [pytest.mark.reuses_keys, pytest.mark.filterwarnings("ignore::UserWarning")]


def leaning(number: int = 300) -> np.ndarray:
    """A positive column, and one that leans on it."""
    random = np.random.default_rng(0)
    a = random.normal(size=number)
    return np.column_stack([np.exp(1.5 * a), a + 0.5 * random.normal(size=number)])


def holed() -> np.ndarray:
    """The same, the second column by itself and half of it missing."""
    x, random = leaning(), np.random.default_rng(1)
    x[:, 1] = np.where(random.random(len(x)) < 0.5, np.nan, random.normal(size=len(x)))
    return x


@pytest.fixture(scope="module")
def flow() -> TriangularFlow:
    return TriangularFlow(**SMALL).fit(holed())


@pytest.fixture(scope="module")
def kept() -> TriangularFlow:
    return TriangularFlow(order="kept", **SMALL).fit(leaning())


def test_the_held_out_score_is_that_of_what_is_seen_of_a_row(flow: TriangularFlow) -> None:
    x = holed()
    order = np.random.default_rng(0).spawn(5)[0].permutation(len(x))
    held = Split.of(order, flow.validation_fraction, np.ones(len(x))).held
    exact = flow.integrated(x[held], n_samples=1000).log_prob.mean()
    # the fit measures a bound of it by a few draws of each gap
    assert flow.lower_bound_ == pytest.approx(exact, abs=0.15)
    assert flow.trace_.bound[-1] / len(x) == pytest.approx(exact, abs=0.3)
    reference = flow.reference_score_
    assert abs(flow.lower_bound_ - reference) < 0.5


def test_rows_too_far_out_have_no_mass_and_no_crash(flow: TriangularFlow) -> None:
    found = flow.integrated([[1e300, np.nan], [np.nan, 1e200], [np.nan, 1e6]])
    assert not np.isnan(found.log_prob).any()
    assert np.isneginf(found.log_prob[1])
    assert (found.khat[1:] > 0.7).all()


def test_a_row_scores_the_same_by_itself_and_among_others(flow: TriangularFlow) -> None:
    x = np.concatenate([holed()[:37], [[np.nan, 0.3], [0.7, np.nan], [np.nan, np.nan]]])
    levels = np.column_stack([np.random.default_rng(0).integers(0, 4, len(x)).astype(float), x[:, 1]])
    levels[::5, 0] = np.nan
    for model, rows in ((flow, x), (TriangularFlow(**SMALL | {"max_epochs": 1}).fit(levels), levels)):
        together, turned = model.integrated(rows), model.integrated(rows[::-1])
        for name in ("log_prob", "effective", "khat"):
            found = getattr(together, name)
            np.testing.assert_allclose(getattr(turned, name)[::-1], found, rtol=1e-9)
            np.testing.assert_allclose(getattr(model.integrated(rows[37:38]), name), found[37:38], rtol=1e-9)


def test_points_of_rows_lie_evenly_and_follow_from_the_rows_alone() -> None:
    rows = np.array([[1.0, np.nan], [-0.0, 2.0], [0.0, 2.0], [np.nan, 1.0]])
    found = points(rows, 100, 3)
    assert found.shape == (4, 100, 3)
    assert ((found > 0) & (found < 1)).all()
    assert max(stats.kstest(column, "uniform").statistic for row in found for column in row.T) < 0.06
    np.testing.assert_array_equal(found[1], found[2])
    assert np.abs(found[0] - found[3]).min() > 0
    shifts = points(np.random.default_rng(0).normal(size=(2000, 1)), 1, 2)[:, 0]
    assert max(stats.kstest(column, "uniform").statistic for column in shifts.T) < 0.04
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.06


def test_what_lies_beyond_the_ends_is_refused_wherever_it_is_asked(flow: TriangularFlow) -> None:
    for ask in (
        lambda: flow.condition({0: -1.0}),
        lambda: flow.condition({1: 0.0}).score_samples([[-1.0]]),
        lambda: flow.marginal_density([0]).score_samples([[0.0]]),
        lambda: flow.explain([-1.0, 0.0]),
        lambda: flow.impute([[-1.0, np.nan]]),
        lambda: flow.transform([[0.0, 1.0]]),
    ):
        with pytest.raises(ValueError, match=r"'x0', row 0: .* is not between 0 and inf"):
            ask()


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_columns_of_any_size_have_a_density(size: float) -> None:
    x = leaning()[:, [1, 1]] * [1.0, size]
    x[:, 0] += np.random.default_rng(1).normal(size=len(x))
    plain, sized = (TriangularFlow(**SMALL).fit(rows) for rows in (x / [1.0, size], x))
    expected = plain.score_samples(x / [1.0, size]) - np.log(size)
    np.testing.assert_allclose(sized.score_samples(x), expected, rtol=1e-4)


def test_gaps_of_one_column_are_filled() -> None:
    x = leaning()[:, 1:]
    model = TriangularFlow(**SMALL).fit(np.where(np.arange(300)[:, None] % 5 == 0, np.nan, x))
    filled = model.impute([[np.nan], [1.0]], 20, random_state=0)
    assert np.ptp(filled[:, 0]) > 0.5
    assert (filled[:, 1] == 1.0).all()
    assert model.score_samples([[np.nan]])[0] == 0.0


def test_filling_by_bad_weights_is_said(flow: TriangularFlow) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UncertainWeights)
        with pytest.raises(UncertainWeights, match="what fills their gaps may be far off"):
            flow.impute([[np.nan, 1e6]], random_state=0)


def test_of_a_kept_order_gaps_at_the_end_are_filled_exactly_whatever_the_other_rows_are(kept: TriangularFlow) -> None:
    alone = kept.impute([[1.0, np.nan]], 50, random_state=0)[:, 0]
    beside = kept.impute([[1.0, np.nan], [np.nan, 1.0]], 50, random_state=0)[:, 0]
    np.testing.assert_array_equal(alone, beside)
    many = kept.condition({0: 1.0}).sample(3000, random_state=0)
    assert len(np.unique(many)) == 3000  # no draw comes twice


def test_without_rows_held_out_none_is_spoken_of() -> None:
    model = TriangularFlow(**SMALL, validation_fraction=0).fit(leaning())
    (said,) = model.told()
    assert "none was held out" in said
    u = model.fitted_flow.inward(leaning())
    level = model.reference_.score(u) + model.fitted_flow.slopes(leaning()).sum(1).mean()
    assert model.reference_score_ == pytest.approx(level, abs=1e-5)


def test_rows_without_a_weight_are_as_if_they_were_not_there() -> None:
    x, weights = leaning(120), np.ones(120)
    x[:60], weights[:60] = [-1e3, 1e9], 0.0
    weighed = TriangularFlow(**SMALL).fit(x, sample_weight=weights)
    without = TriangularFlow(**SMALL).fit(x[60:])
    np.testing.assert_array_equal(weighed.score_samples(x[60:]), without.score_samples(x[60:]))


def test_a_level_seen_once_is_in_the_tail_and_no_level_is_refused() -> None:
    random = np.random.default_rng(0)
    x = np.column_stack([random.poisson(3, 400), random.integers(1, 6, 400) / 2.0, random.normal(size=400)])
    model = TriangularFlow(**SMALL | {"order": "kept"}).fit(x)
    far = x[:1].copy()
    far[0, 0] = x[:, 0].max() + 3
    assert np.isfinite(model.score_samples(far)).all()  # larger counts than those seen are to be expected
    with pytest.raises(ValueError, match=r"column 'x0', row 0: 2.5 is none of its \d+ levels, from 0 to"):
        model.score_samples([[2.5, 0.5, 0.0]])
    with pytest.raises(ValueError, match=r"column 'x1', row 1: 0.7 is none of its 5 levels, from 0.5 to 2.5"):
        model.score_samples([[2.0, 0.5, 0.0], [2.0, 0.7, 0.0]])
    found = model.integrated(x[:5])
    assert not found.exact.any()  # masses are means over draws
    assert (found.effective <= 64).all()
    assert (found.khat == -np.inf).all()
    order = np.random.default_rng(0).spawn(5)[0].permutation(len(x))
    held = Split.of(order, 0.1, np.ones(len(x))).held
    assert model.lower_bound_ == pytest.approx(model.score(x[held]), abs=0.1)


def test_a_value_that_comes_again_and_again_is_said() -> None:
    x = leaning(100)
    x[:30, 1] = 0.0
    plan = ColumnPlan.of(x, None, ["a", "b"])
    with pytest.warns(UserWarning, match="column 'b' holds 0 in 30 of 100 rows"):
        plan.tell(x, ["a", "b"])


@pytest.mark.parametrize("edges", [np.arange(1989.5, 2021.0), np.arange(-0.5, 50_001.0), 1e8 + np.arange(5.0)])
def test_levels_are_spread_in_single_precision_and_none_lies_at_an_end(edges: np.ndarray) -> None:
    units = DiagonalAffine(np.zeros(1), np.zeros(1))
    read, rows = Dequantise.of(units, (edges,)), 200_000
    last = np.full((rows, 1), len(edges) - 2, np.float32)
    for cell in (0.0 * last, last):
        u = np.asarray(jax.jit(lambda rows: read(rows, jax.random.key(0)))(FlowRows(cell)).x, np.float64)
        assert np.isfinite(u).all()
        size = (edges[1] - edges[0]) / (edges[-1] - edges[0])
        share = 1.0 / (1.0 + np.exp(u[:, 0] if cell[0, 0] else -u[:, 0])) / size  # from the end
        assert stats.kstest(share, "uniform").statistic < 0.01


def test_an_odd_number_of_steps_leaves_columns_where_they_are() -> None:
    random = np.random.default_rng(0)
    x = np.column_stack([random.normal(size=300), random.standard_t(2, size=300), random.gamma(1.0, size=300)])
    x[:150, 1] += 20.0  # columns that are far from alike
    model = TriangularFlow(base="mixture", **SMALL | {"max_epochs": 1, "learning_rate": 1e-6, "supports": "real"}).fit(
        x
    )
    assert model.lower_bound_ == pytest.approx(model.reference_score_, abs=0.01)  # the fit begins with the mixture
    white = model.transform(x)
    assert all(abs(stats.spearmanr(white[:, j], x[:, j]).statistic) > 0.5 for j in range(3))


def test_a_stack_learns_what_columns_are_from_all_rows() -> None:
    x = leaning(200)
    x[7, 0] = 0.0  # the one row by which the column is not positive may be held out
    members = ("gaussian-mixture", "triangular-flow")
    flow = made(members, x, np.ones(200), ["a", "b"], np.random.default_rng(0))[1]
    assert flow.get_params()["supports"] == ["real", "real"]
    flow = made(members, leaning(200), np.ones(200), ["a", "b"], np.random.default_rng(0))[1]
    assert flow.get_params()["supports"] == ["positive", "real"]
    x[:, 0] = np.round(x[:, 0])
    with pytest.raises(ValueError, match=r"'a' has levels .*no density that could be added"):
        made(members, x, np.ones(200), ["a", "b"], np.random.default_rng(0))


def test_a_stack_of_few_weighted_rows_has_shares() -> None:
    x, weights = leaning(2100), np.zeros(2100)
    weights[:40] = 1.0
    model = StackedDensity((GaussianMixture(1), GaussianMixture(2, random_state=0)), random_state=0)
    model.fit(x, sample_weight=weights)
    assert model.weights_.sum() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="HiddenMarkovModel has no density of rows"):
        StackedDensity((GaussianMixture(1), tacit.HiddenMarkovModel(2))).fit(x)


def test_sampling_leaves_the_members_alone() -> None:
    model = StackedDensity((GaussianMixture(1, random_state=5), GaussianMixture(2, random_state=6)), random_state=0)
    model.fit(leaning(100))
    seeds = []

    class Watched(GaussianMixture):
        def __setattr__(self, name: str, value: object) -> None:
            if name == "random_state" and vars(self).get("fixed"):
                seeds.append(value)
            super().__setattr__(name, value)

    for member in model.members_:
        member.__class__ = Watched
        vars(member)["fixed"] = True
    before = [member.random_state for member in model.members_]
    first = model.sample(50, random_state=1)
    assert [member.random_state for member in model.members_] == before
    np.testing.assert_array_equal(first, model.sample(50, random_state=1))
