"""Items behind factors: every family against SciPy and finite differences, the quadrature, and EM."""

import dataclasses

import numpy as np
import pytest
import scipy.special
import scipy.stats

from tacit.models.factors.item_blocks import Counts, ItemBlock, Normals
from tacit.models.factors.item_fitting import ItemSchedule, fit_items
from tacit.models.factors.item_levels import Graded, Nominal
from tacit.models.factors.item_starts import ItemShape, first_items
from tacit.models.factors.item_variational import curves, row_gradients, row_points, settled
from tacit.models.factors.items import ItemModel, grid

FAMILIES = ("binary", "ordinal", "count", "categorical", "normal", "ordinal", "normal")
LEVELS = (2, 4, 0, 3, 0, 4, 0)


def mixed(rows: int = 300, factors: int = 1, seed: int = 0) -> np.ndarray:
    """Rows of all families, a fifth of the entries missing."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, factors)) @ np.ones(factors) / np.sqrt(factors)
    own = random.logistic(size=(rows, 7))
    columns = [
        (1.2 * z + own[:, 0] > 0.3).astype(float),
        np.digitize(1.5 * z + own[:, 1], [-1.0, 0.5, 2.0]).astype(float),
        random.poisson(np.exp(0.4 + 0.6 * z)).astype(float),
        np.argmax(np.stack([0 * z, z, -z]) + random.gumbel(size=(3, rows)), axis=0).astype(float),
        3.0 + 2.0 * z + random.normal(size=rows) * 2.0,
        np.digitize(0.8 * z + own[:, 5], [-1.5, 0.0, 1.0]).astype(float),
        -z + random.normal(size=rows),
    ]
    found = np.stack(columns, 1)
    return np.where(random.random(found.shape) < 0.2, np.nan, found)


def started(rows: np.ndarray, factors: int = 1, link: str = "logit", nodes: int | None = None) -> ItemModel:
    return first_items(rows, np.ones(len(rows)), FAMILIES, LEVELS, ItemShape(factors, link, nodes))


def log_density(block: ItemBlock, row: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Of the columns of a block at every z ``[points, factors]``, by SciPy; missing ones say nothing."""
    total = np.zeros(len(z))
    for place, value in enumerate(row):
        if np.isnan(value):
            continue
        heights = block.intercepts[place] + z @ block.slopes[place].T
        if isinstance(block, Graded):
            law = scipy.stats.norm if block.link == "probit" else scipy.stats.logistic
            ends = np.pad(law.cdf(heights), ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
            total += np.log(np.maximum(ends[:, int(value)] - ends[:, int(value) + 1], 1e-300))
        elif isinstance(block, Nominal):
            total += scipy.special.log_softmax(np.pad(heights, ((0, 0), (1, 0))), axis=1)[:, int(value)]
        elif isinstance(block, Counts):
            total += scipy.stats.poisson.logpmf(value, np.exp(heights[:, 0]))
        elif isinstance(block, Normals):
            mean = block.shift[place] + block.scale[place] * heights[:, 0]
            total += scipy.stats.norm.logpdf(value, mean, block.scale[place] * np.sqrt(block.noise[place]))
    return total


@pytest.mark.parametrize("link", ["probit", "logit"])
@pytest.mark.parametrize("factors", [1, 2])
def test_the_density_of_a_row_is_its_integral(link: str, factors: int) -> None:
    rows = mixed(20, factors)
    model = started(rows, factors, link)
    model = dataclasses.replace(model, per_factor=81 if factors == 1 else 51)
    axis = np.linspace(-8.0, 8.0, 801 if factors == 1 else 161)
    points = np.stack(np.meshgrid(*[axis] * factors), -1).reshape(-1, factors)
    prior = scipy.stats.norm.pdf(points).prod(1) * (axis[1] - axis[0]) ** factors
    logs, mean, _ = model.scores(model.coded(rows))
    for row, log, middle in zip(rows[:5], logs, mean, strict=False):
        each = sum(log_density(block, row[list(block.columns)], points) for block in model.blocks)
        heights = np.exp(each) * prior
        assert log == pytest.approx(np.log(heights.sum()), abs=1e-6)
        np.testing.assert_allclose(middle, heights @ points / heights.sum(), atol=1e-5)


@pytest.mark.parametrize("link", ["probit", "logit"])
def test_gradients_are_finite_differences(link: str) -> None:
    rows = mixed(40, 2)
    model = started(rows, 2, link, 9)
    coded, at = model.coded(rows), model.flat()
    exact = model.gradients(coded)
    for place in range(at.size):
        ends = []
        for step in (1e-5, -1e-5):
            moved = at.copy()
            moved[place] += step
            ends.append(model.with_flat(moved).scores(coded)[0])
        np.testing.assert_allclose(exact[:, place], (ends[0] - ends[1]) / 2e-5, atol=2e-6)


@pytest.mark.parametrize("factors", [1, 2])
@pytest.mark.parametrize("precision", [0.0, 0.25])
def test_the_bound_never_falls_and_ends_where_its_gradient_is_nothing(factors: int, precision: float) -> None:
    rows = mixed(250, factors)
    start = started(rows, factors, nodes=21 if factors == 1 else 11)
    coded = start.coded(rows)
    found = fit_items(start, coded, ItemSchedule(3000, 1e-10, precision))
    assert np.diff(found.trace.bound).min() > -1e-8
    slope = found.model.gradients(coded).sum(0)
    slope -= (
        np.concatenate([np.tile(b.held(precision), len(b.columns)) for b in found.model.blocks]) * found.model.flat()
    )
    assert np.abs(slope).max() < 2e-2
    other = found.model.with_flat(found.model.flat())
    assert other.expected(coded, other.grid()).log_likelihood == pytest.approx(
        found.model.scores(coded)[0].sum(), rel=1e-12
    )


def test_nodes_have_the_moments_of_a_normal() -> None:
    for factors, digits in ((1, 1e-12), (2, 1e-10), (3, 1e-10), (4, 0.02)):
        rule = grid(factors)
        weights = np.exp(rule.log_weights)
        assert weights.sum() == pytest.approx(1.0, rel=1e-12)
        np.testing.assert_allclose(weights @ rule.nodes, 0.0, atol=1e-12)
        np.testing.assert_allclose((rule.nodes * weights[:, None]).T @ rule.nodes, np.eye(factors), atol=digits)


def test_probabilities_sum_to_one_however_far() -> None:
    nodes = np.array([[-40.0], [0.0], [3.0], [40.0]])
    for link in ("probit", "logit"):
        block = Graded((0,), np.array([[2.0, 0.0, -3.0]]), np.array([[[4.0]]]), link)
        table = block.table(nodes)
        assert np.isfinite(table).all()
        assert np.isfinite(block.slope(nodes)).all()
        np.testing.assert_allclose(np.exp(table).sum(1), 1.0, rtol=1e-12)


def test_drawn_columns_have_the_probabilities_of_their_z() -> None:
    random = np.random.default_rng(0)
    codes = np.full((20_000, 1), 0.7)
    model = started(mixed(300))
    for block in model.blocks:
        drawn, means = block.drawn(codes, random), block.means(codes[:1])[..., 0]
        for column, mean in zip(drawn.T, means, strict=True):
            if mean.size == 1:
                assert column.mean() == pytest.approx(mean[0], abs=5 * column.std() / np.sqrt(20_000))
            else:
                np.testing.assert_allclose(
                    np.bincount(column.astype(int), minlength=mean.size) / 20_000, mean, atol=0.02
                )


@pytest.mark.parametrize("link", ["probit", "logit"])
def test_the_variational_bound_lies_below_the_likelihood_and_near_it(link: str) -> None:
    """Of all families, with gaps, where quadrature knows the likelihood; of no value it is 0."""
    rows = mixed(80, 2)
    rows[0] = np.nan
    model = started(rows, 2, link, 41)
    coded = model.coded(rows)
    exact, mean, covariance = model.scores(coded)
    codes = settled(model.blocks, rows, 2)
    gap = exact - codes.bound - coded.base
    assert gap.min() > -1e-7
    assert gap.mean() < 0.02
    assert codes.bound[0] == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(codes.mean, mean, atol=0.1)
    np.testing.assert_allclose(np.linalg.inv(codes.precision), covariance, atol=0.1)
    points = np.random.default_rng(0).normal(size=(4000, 2))
    drawn = row_points(model.blocks, rows, codes, points)
    np.testing.assert_allclose(drawn.log_density + coded.base, exact, atol=0.02)
    again = settled(model.blocks, rows, 2, codes)
    np.testing.assert_allclose(again.bound, codes.bound, atol=1e-8)


@pytest.mark.parametrize("link", ["probit", "logit"])
def test_gradients_of_the_bound_are_finite_differences(link: str) -> None:
    rows = mixed(12, 2)
    model = started(rows, 2, link)
    codes, at, weights = settled(model.blocks, rows, 2), model.flat(), np.arange(12) % 3 + 0.5
    exact = row_gradients(model.blocks, rows, codes)
    for place in range(at.size):
        ends = []
        for step in (1e-5, -1e-5):
            moved = at.copy()
            moved[place] += step
            ends.append(settled(model.with_flat(moved).blocks, rows, 2, codes).bound)
        np.testing.assert_allclose(exact[:, place], (ends[0] - ends[1]) / 2e-5, atol=2e-5)
    parts = curves(model.blocks, rows, weights, codes)
    np.testing.assert_allclose(np.concatenate([part.gradient.ravel() for part in parts]), weights @ exact, atol=1e-9)
    for part in parts:
        assert np.linalg.eigvalsh(part.information).min() > -1e-9
