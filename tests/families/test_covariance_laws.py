"""Laws of the M-steps: monotone, equivariant, nested, and deaf to components that hold no row."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covariance_oracle as oracle
from tacit.compute import double_precision, single_precision
from tacit.families.covariance import STRUCTURES, maximise_covariances

EVERY = (*oracle.ALONG, *oracle.TILTED)
PRECISE = {"tolerance": 1e-14, "iterations": 2000}
# those whose axes may point anywhere, so that a turned problem has the turned answer
ROTATION_FREE = ("EII", "VII", *oracle.TILTED)
# those that a change of every column's unit leaves what they are
UNIT_FREE = ("EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVV", "VVV")
# (less general, more general): every member of the first is one of the second
NESTED = [
    *[("EII", "VII"), ("EII", "EEI"), ("VII", "VEI"), ("EEI", "VEI"), ("EEI", "EVI"), ("VEI", "VVI")],
    *[("EVI", "VVI"), ("EEI", "EEE"), ("EVI", "EVE"), ("VEI", "VEE"), ("VVI", "VVE"), ("EEE", "VEE")],
    *[("EEE", "EVE"), ("EEE", "EEV"), ("VEE", "VVE"), ("EVE", "VVE"), ("VEE", "VEV"), ("EEV", "VEV")],
    *[("EVE", "EVV"), ("EEV", "EVV"), ("VVE", "VVV"), ("VEV", "VVV"), ("EVV", "VVV")],
]


step = jax.jit(maximise_covariances, static_argnames=("structure", "tolerance", "iterations"))


@double_precision
def solve(structure, scatter, counts, previous=None, **options):
    start = np.broadcast_to(np.eye(scatter.shape[-1]), scatter.shape) if previous is None else previous
    return np.asarray(step(structure, scatter, counts, start, **(options or PRECISE)))


@pytest.mark.parametrize("structure", EVERY)
def test_one_inner_iteration_never_lowers_the_objective(structure):
    for seed in range(5):
        before = solve(structure, *oracle.problem(seed))
        scatter, counts = oracle.problem(seed + 50)
        value = oracle.objective(scatter, counts, before)
        for iterations in (1, 3):
            after = solve(structure, scatter, counts, before, iterations=iterations)
            assert oracle.belongs(structure, after) < 1e-9
            fresh = oracle.objective(scatter, counts, after)
            assert fresh >= value - 1e-11 * abs(value)
            value = fresh


@pytest.mark.parametrize("structure", EVERY)
def test_the_answer_is_a_fixed_point(structure):
    scatter, counts = oracle.problem(3)
    once = solve(structure, scatter, counts)
    again = solve(structure, scatter, counts, once, iterations=3)
    np.testing.assert_allclose(again, once, rtol=0, atol=1e-12 * np.abs(once).max())


@given(seed=st.integers(0, 999), logarithm=st.floats(-8.0, 8.0))
def test_scale_and_weight_equivariance(seed, logarithm):
    scatter, counts = oracle.problem(seed)
    factor = 10.0**logarithm
    for structure in ("VEI", "EVI", "VEE", "EVE", "VVE", "VEV"):
        plain = solve(structure, scatter, counts)
        size = np.abs(plain).max()
        scaled = solve(structure, factor * scatter, counts)
        weighed = solve(structure, factor * scatter, factor * counts)
        np.testing.assert_allclose(scaled, factor * plain, rtol=0, atol=1e-7 * factor * size)
        np.testing.assert_allclose(weighed, plain, rtol=0, atol=1e-7 * size)


@pytest.mark.parametrize("structure", UNIT_FREE)
def test_units_of_the_columns_do_not_matter(structure):
    scatter, counts = oracle.problem(4)
    units = np.array([1e-3, 1.0, 50.0])
    expected = solve(structure, scatter, counts) * units[:, None] * units
    found = solve(structure, scatter * units[:, None] * units, counts)
    np.testing.assert_allclose(found / (units[:, None] * units), expected / (units[:, None] * units), atol=1e-10)


@pytest.mark.parametrize("structure", ROTATION_FREE)
def test_rotation_equivariance(structure):
    scatter, counts = oracle.problem(5)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    expected = turn @ solve(structure, scatter, counts) @ turn.T
    found = solve(structure, turn @ scatter @ turn.T, counts)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("structure", EVERY)
def test_the_order_of_components_and_columns_does_not_matter(structure):
    scatter, counts = oracle.problem(6)
    plain = solve(structure, scatter, counts)
    order, columns = [2, 0, 1], [1, 2, 0]
    shuffled = solve(structure, scatter[order], counts[order])
    np.testing.assert_allclose(shuffled, plain[order], rtol=0, atol=1e-10 * np.abs(plain).max())
    turned = solve(structure, scatter[:, columns][:, :, columns], counts)
    np.testing.assert_allclose(turned, plain[:, columns][:, :, columns], rtol=0, atol=1e-10 * np.abs(plain).max())


def test_one_component_has_three_answers():
    scatter, counts = oracle.problem(8, components=1)
    mean = scatter / counts[:, None, None]
    for structure in EVERY:
        expected = mean
        if STRUCTURES[structure].diagonal:
            expected = mean * np.eye(3)
        if STRUCTURES[structure].round:
            expected = np.trace(mean[0]) / 3 * np.eye(3)[None]
        np.testing.assert_allclose(solve(structure, scatter, counts), expected, rtol=0, atol=1e-13 * mean.max())


def test_a_more_general_structure_is_no_worse():
    for seed in range(3):
        scatter, counts = oracle.problem(seed + 80)
        value = {s: oracle.objective(scatter, counts, solve(s, scatter, counts)) for s in EVERY}
        for less, more in NESTED:
            assert value[less] < value[more], (less, more)


@pytest.mark.parametrize("structure", EVERY)
def test_a_component_without_rows_keeps_its_covariance_and_moves_no_other(structure):
    scatter, counts = oracle.problem(11, components=5)
    counts[[1, 4]] = [0.0, 1e-320]
    scatter[1] = 0.0
    scatter[4] = np.nan
    previous = solve(structure, *oracle.problem(12, components=5))
    held = [0, 2, 3]
    found = solve(structure, scatter, counts, previous)
    np.testing.assert_array_equal(found[[1, 4]], previous[[1, 4]])
    without = solve(structure, scatter[held], counts[held], previous[held])
    np.testing.assert_allclose(found[held], without, rtol=0, atol=1e-10 * np.abs(without).max())
    nothing = solve(structure, scatter, np.zeros(5), previous)
    np.testing.assert_array_equal(nothing, previous)


@pytest.mark.parametrize("structure", ["VEI", "EVI", "VVE", "VEV"])
def test_many_problems_at_once_are_as_one_by_one(structure):
    """Under vmap the inner loops run on for all until the last one ends; the others must not drift."""
    problems = [oracle.problem(seed) for seed in range(4)]
    scatter, counts = (np.stack(part) for part in zip(*problems, strict=True))
    counts[2, 1] = 0.0
    before = np.broadcast_to(np.eye(3), scatter.shape)
    with jax.enable_x64(True):
        many = jax.jit(jax.vmap(lambda s, n, p: maximise_covariances(structure, s, n, p, **PRECISE)))
        together = np.asarray(many(scatter, counts, before))
    for row, s, n in zip(together, scatter, counts, strict=True):
        np.testing.assert_allclose(row, solve(structure, s, n), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("structure", EVERY)
def test_single_precision_comes_to_the_same(structure):
    scatter, counts = oracle.problem(13)

    @single_precision
    def coarse():
        start = np.broadcast_to(np.eye(3, dtype=np.float32), scatter.shape)
        small = scatter.astype(np.float32), counts.astype(np.float32)
        return np.asarray(step(structure, *small, start, **PRECISE))

    found = coarse()
    assert found.dtype == np.float32
    expected = solve(structure, scatter, counts)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-4 * np.abs(expected).max())


@pytest.mark.parametrize("structure", EVERY)
def test_columns_of_very_different_size_are_no_trouble(structure):
    scatter, counts = oracle.problem(14)
    units = np.array([1e-6, 1.0, 1e6])
    found = solve(structure, scatter * units[:, None] * units, counts)
    assert np.isfinite(found).all()
    np.linalg.cholesky(found / (units[:, None] * units))
