"""Flows: densities that integrate to one, prefixes that are exact, gaps, levels, ends, and what is refused."""

import warnings

import numpy as np
import pytest
from scipy import stats

import tacit
from tacit import TriangularFlow
from tacit.estimators.flow import triangular_flow

ROWS = 1100
"""Of which those learned from, and those of a smaller table with draws for its gaps, have room in one program."""
QUICK = {"hidden": (16, 16), "max_epochs": 20, "learning_rate": 5e-3, "random_state": 0}
pytestmark = pytest.mark.reuses_keys


def moons(number: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    angle, upper = np.pi * random.random(number), random.random(number) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], 1) + 0.1 * random.normal(size=(number, 2))


def bent(number: int, seed: int = 0) -> np.ndarray:
    """Three columns, each bent by those before it."""
    random = np.random.default_rng(seed)
    a = random.normal(size=number)
    b = a**2 + 0.5 * random.normal(size=number)
    return np.stack([a, b, np.sin(2 * b) + 0.3 * random.normal(size=number)], 1)


@pytest.fixture(autouse=True)
def _as_users_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triangular_flow, "FEWEST", 50)


@pytest.fixture(scope="module")
def turned() -> TriangularFlow:
    return TriangularFlow(**QUICK).fit(moons(ROWS))


@pytest.fixture(scope="module")
def kept() -> TriangularFlow:
    return TriangularFlow(order="kept", **QUICK).fit(bent(ROWS))


def test_a_density_of_two_columns_integrates_to_one_and_beats_one_normal(turned: TriangularFlow) -> None:
    side = np.linspace(-9.0, 9.0, 301)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    total = np.exp(turned.score_samples(grid)).sum() * (side[1] - side[0]) ** 2
    assert total == pytest.approx(1.0, abs=1e-3)
    test = moons(500, seed=1)
    assert turned.score(test) > tacit.GaussianMixture(1).fit(moons(ROWS)).score(test) + 0.2


def test_rows_go_to_white_noise_and_back(turned: TriangularFlow) -> None:
    far = stats.t(2).rvs((300, 2), random_state=0) * 3
    z = turned.transform(far)
    np.testing.assert_allclose(turned.inverse_transform(z), far, rtol=1e-6, atol=1e-6)
    uniform = turned.transform(moons(1000, seed=2), uniform=True)
    assert stats.kstest(uniform[:, 0], "uniform").statistic < 0.1
    np.testing.assert_allclose(turned.inverse_transform(uniform, uniform=True), moons(1000, seed=2), atol=1e-5)


def test_the_log_density_is_that_of_the_map(turned: TriangularFlow) -> None:
    x = moons(4, seed=3)
    step, rows = 1e-5, []
    for row in x:
        ends = [turned.transform(row + step * np.array([e, -e])[:, None] * np.eye(2)[j]) for j in range(2) for e in [1]]
        jacobian = np.stack([(pair[0] - pair[1]) / (2 * step) for pair in ends], 1)
        rows.append(stats.norm.logpdf(turned.transform(row[None])[0]).sum() + np.linalg.slogdet(jacobian)[1])
    np.testing.assert_allclose(turned.score_samples(x), rows, atol=1e-5)


def test_of_a_kept_order_the_first_columns_are_exact(kept: TriangularFlow) -> None:
    x = bent(40, seed=1)
    first = np.where(np.arange(3) < 2, x, np.nan)
    found = kept.integrated(first)
    assert found.exact.all()
    # p(x₁, x₂) is the integral of the joint density over x₃
    side = np.linspace(-6.0, 6.0, 801)
    for row, score in list(zip(first, found.log_prob, strict=True))[:4]:
        line = np.column_stack([np.tile(row[:2], (side.size, 1)), side])
        assert np.log(np.exp(kept.score_samples(line)).sum() * (side[1] - side[0])) == pytest.approx(score, abs=1e-4)
    density = kept.condition({0: 1.0, 1: 1.0})
    assert density.exact
    difference = kept.score_samples(np.array([[1.0, 1.0, 0.5]])) - kept.integrated([[1.0, 1.0, np.nan]]).log_prob
    assert density.score_samples([[0.5]])[0] == pytest.approx(float(difference[0]), abs=1e-10)
    draws = density.sample(4000, random_state=0)[:, 0]
    cdf = np.cumsum(np.exp(density.score_samples(side[:, None]))) * (side[1] - side[0])
    assert np.abs(np.searchsorted(np.sort(draws), side) / 4000 - cdf).max() < 0.04


def test_other_gaps_are_integrated_by_draws_that_say_what_they_are_worth(kept: TriangularFlow) -> None:
    x = bent(6, seed=1)
    x[:, 0] = np.nan
    found = kept.integrated(x, n_samples=3000)
    assert not found.exact.any()
    side = np.linspace(-5.0, 5.0, 801)
    for row, score in zip(x, found.log_prob, strict=True):
        line = np.column_stack([side, np.tile(row[1:], (side.size, 1))])
        exact = np.log(np.exp(kept.score_samples(line)).sum() * (side[1] - side[0]))
        assert score == pytest.approx(exact, abs=0.15)
    assert (found.effective > 10).all()
    density = kept.condition({1: 4.0})
    assert not density.exact
    assert 1.0 < density.effective_size <= 2000
    draws = density.sample(500, random_state=0)[:, 0]
    assert 0.3 < (draws > 0).mean() < 0.7  # x₁ is 2 or −2


@pytest.mark.filterwarnings("ignore::tacit.inference.importance.UncertainWeights")
def test_gaps_are_filled_and_learned_from(kept: TriangularFlow) -> None:
    x = bent(480)
    gaps = np.random.default_rng(1).random(x.shape) < 0.1
    holed = np.where(gaps, np.nan, x)
    model = TriangularFlow(order="kept", **QUICK).fit(holed)
    assert model.score(bent(500, seed=2)) > kept.score(bent(500, seed=2)) - 0.3
    filled = model.impute(holed[:50])
    np.testing.assert_array_equal(filled[~gaps[:50]], x[:50][~gaps[:50]])
    assert np.isfinite(filled).all()
    unwatched = TriangularFlow(order="kept", **QUICK | {"max_epochs": 1}, validation_fraction=0.0).fit(holed)
    assert np.isfinite(unwatched.integrated(holed[:20]).log_prob).all()
    z = model.transform(holed[:50])
    np.testing.assert_array_equal(np.isnan(z), np.maximum.accumulate(gaps[:50], axis=1))  # the order is kept
    draws = model.impute(holed[:50], 3, random_state=0)
    assert draws.shape == (3, 50, 3)
    assert model.score_samples(np.full((1, 3), np.nan))[0] == 0.0


def test_scores_follow_the_units_of_the_columns() -> None:
    x, scale = bent(400), np.array([100.0, 1e-3, 7.0])
    plain, scaled = TriangularFlow(**QUICK).fit(x), TriangularFlow(**QUICK).fit(x * scale + 5.0)
    expected = plain.score_samples(x[:50]) - np.log(scale).sum()
    np.testing.assert_allclose(scaled.score_samples(x[:50] * scale + 5.0), expected, atol=0.02)


def test_columns_with_ends_stay_between_them() -> None:
    random = np.random.default_rng(0)
    x = np.column_stack([random.lognormal(0, 1.5, 500), random.beta(0.5, 0.5, 500), random.normal(size=500)])
    model = TriangularFlow(**QUICK).fit(x)
    drawn = model.sample(2000, random_state=1)
    assert (drawn[:, 0] > 0).all()
    assert ((drawn[:, 1] > 0) & (drawn[:, 1] < 1)).all()
    assert model.score(x) > tacit.GaussianMixture(1).fit(x).score(x)
    with pytest.raises(ValueError, match=r"column 'x0', row 0: -1 is not between 0 and inf"):
        model.score_samples([[-1.0, 0.5, 0.0]])
    with pytest.raises(ValueError, match="not strictly between the ends 0 and 1"):
        TriangularFlow(supports=[(0, 1), "real", "real"]).fit(x)


def test_levels_get_masses_and_are_said() -> None:
    random = np.random.default_rng(0)
    level = random.choice([0.0, 1.0, 2.0, 3.0, 4.0], 600, p=[0.1, 0.2, 0.4, 0.2, 0.1])
    x = np.column_stack([level, level + random.normal(size=600)])
    with pytest.warns(UserWarning, match="'x0' has only a few different values"):
        model = TriangularFlow(**QUICK | {"max_epochs": 120}).fit(x)
    assert model.base_measure() == ("mass", "density")
    assert model.scores_are_bounds
    # over the levels and the line the masses sum to one
    side = np.linspace(-12.0, 16.0, 281)
    grid = np.stack(np.meshgrid(np.arange(5.0), side, indexing="ij"), -1).reshape(-1, 2)
    assert np.exp(model.score_samples(grid)).sum() * (side[1] - side[0]) == pytest.approx(1.0, abs=0.02)
    shares = np.bincount(model.sample(3000, random_state=0)[:, 0].astype(int), minlength=5) / 3000
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.4, 0.2, 0.1], atol=0.06)


def test_a_density_may_be_conditional() -> None:
    label = np.random.default_rng(0).integers(0, 2, 800)
    x = moons(800) + 4.0 * label[:, None]
    model = TriangularFlow(**QUICK).fit(x, given=label)
    right, wrong = model.score_samples(x, given=label), model.score_samples(x, given=1 - label)
    assert (right > wrong).mean() > 0.9
    assert np.abs(model.sample(500, given=1, random_state=0).mean(0) - x[label == 1].mean(0)).max() < 0.6


@pytest.mark.parametrize(("map", "base"), [("affine", "mixture"), ("polynomial", "mixture"), ("mixture", "normal")])
def test_every_map_and_base_is_a_density(map: str, base: str) -> None:
    x = moons(600)
    model = TriangularFlow(map=map, base=base, bins=4, **QUICK | {"max_epochs": 3}).fit(x)
    side = np.linspace(-8.0, 8.0, 201)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    assert np.exp(model.score_samples(grid)).sum() * (side[1] - side[0]) ** 2 == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_allclose(model.inverse_transform(model.transform(x[:20])), x[:20], atol=1e-6)
    if (map, base) == ("affine", "mixture"):  # which begins at the identity
        assert model.lower_bound_ >= model.reference_score_ - 1e-4


def test_few_rows_are_a_mixture_and_that_is_said() -> None:
    x = moons(40)
    with pytest.warns(UserWarning, match="40 rows are too few to learn a flow from"):
        model = TriangularFlow(random_state=0).fit(x)
    inner = (x - x.mean(0)) / x.std(0)
    expected = model.reference_.score_samples(inner) - np.log(x.std(0)).sum()
    np.testing.assert_allclose(model.score_samples(x), expected, atol=1e-6)


def test_one_column_works() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(size=300), np.random.default_rng(1).normal(6, 1, 300)])[:, None]
    model = TriangularFlow(**QUICK).fit(x)
    side = np.linspace(-10, 16, 2001)[:, None]
    assert np.exp(model.score_samples(side)).sum() * 26 / 2000 == pytest.approx(1.0, abs=1e-3)
    assert model.score(x) > tacit.GaussianMixture(1).fit(x).score(x) + 0.1


def test_columns_without_a_density_are_named() -> None:
    x = bent(100)
    with pytest.raises(ValueError, match=r"column 'x1' is constant \(3\)"):
        TriangularFlow().fit(np.column_stack([x[:, 0], np.full(100, 3.0)]))
    with pytest.raises(ValueError, match="'x0', 'x3' depend on each other exactly"):
        TriangularFlow().fit(np.column_stack([x, 2.0 * x[:, 0] + 1.0]))
    with pytest.raises(ValueError, match="contains infinity"):
        TriangularFlow().fit(np.where(np.arange(3) == 1, np.inf, x))
    with pytest.raises(ValueError, match="column 'x2' holds no value"):
        TriangularFlow().fit(np.where(np.arange(3) == 2, np.nan, x))


def test_a_flow_is_saved_and_loaded(kept: TriangularFlow, tmp_path: object) -> None:
    tacit.save(kept, f"{tmp_path}/flow.safetensors")
    again, x = tacit.load(f"{tmp_path}/flow.safetensors"), bent(20, seed=4)
    np.testing.assert_array_equal(again.score_samples(x), kept.score_samples(x))
    x[:, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(again.score_samples(x), kept.score_samples(x))


def test_a_row_is_explained_and_asked(kept: TriangularFlow) -> None:
    told = kept.explain(np.array([0.0, 6.0, 0.0]))
    assert told.first_surprise is not None
    assert told.first_surprise.column == "x1"
    answer = kept.query("P(x1 > 0 | x0 = 2)")
    assert float(answer) > 0.8


@pytest.mark.parametrize("base", ["normal", "mixture"])
def test_heavy_tails_leave_no_number_out(base: str) -> None:
    x = stats.t(1.5).rvs((400, 3), random_state=1)
    x[:4] = 50.0 * np.sign(x[:4])
    flow = TriangularFlow(base=base, hidden=(8,), max_epochs=5, learning_rate=0.05, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # nothing is rolled back
        flow.fit(x)
    far = np.concatenate([x, 1e3 * x, -1e4 * np.ones((1, 3))])
    assert np.isfinite(flow.score_samples(far)).all()
    assert np.isfinite(flow.transform(x)).all()
    assert np.isfinite(flow.history_["elbo"]).all()


def test_sixty_columns_of_few_rows_are_learned() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 6)) @ random.normal(size=(6, 60)) + 0.3 * random.normal(size=(400, 60))
    flow = TriangularFlow(hidden=(16,), max_epochs=2, random_state=0).fit(x)
    assert np.isfinite(flow.score_samples(x[:5])).all()
    assert flow.sample(3, random_state=0).shape == (3, 60)


def test_the_number_of_components_beside_it_may_be_asked_for() -> None:
    with pytest.warns(UserWarning, match="too few to learn a flow"):
        flow = TriangularFlow(n_components=3, random_state=0).fit(moons(40))
    assert flow.reference_.n_components == 3
