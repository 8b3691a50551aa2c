"""The M-steps are maxima: members of their structure, stationary in it, and no general optimiser finds better."""

import jax
import numpy as np
import pytest
import scipy.optimize

import covariance_oracle as oracle
from tacit.compute import double_precision
from tacit.families.covariance import maximise_covariances, maximise_variances

EVERY = (*oracle.ALONG, *oracle.TILTED)
PRECISE = {"tolerance": 1e-15, "iterations": 2000}


STATIC = ("structure", "tolerance", "iterations")
whole_step = jax.jit(maximise_covariances, static_argnames=STATIC)
axis_step = jax.jit(maximise_variances, static_argnames=STATIC)


@double_precision
def covariances_of(structure, scatter, counts, previous, **options):
    return np.asarray(whole_step(structure, scatter, counts, previous, **options))


@double_precision
def variances_of(structure, scatter, counts, previous, **options):
    return np.asarray(axis_step(structure, scatter, counts, previous, **options))


def identity(components=3, dims=3):
    return np.broadcast_to(np.eye(dims), (components, dims, dims)).copy()


@pytest.mark.parametrize("structure", EVERY)
def test_a_step_is_a_stationary_member_of_its_structure(structure):
    for seed in range(4):
        scatter, counts = oracle.problem(seed)
        found = covariances_of(structure, scatter, counts, identity(), **PRECISE)
        assert oracle.belongs(structure, found) < 1e-12
        slope = oracle.steepest(structure, found, oracle.gradient(scatter, counts, found))
        assert slope < 1e-10 * counts.sum()


@pytest.mark.parametrize("structure", EVERY)
def test_no_general_optimiser_finds_better(structure):
    scatter, counts = oracle.problem(7)
    found = oracle.objective(scatter, counts, covariances_of(structure, scatter, counts, identity(), **PRECISE))
    best = oracle.best_found(structure, scatter, counts, starts=3)
    assert found == pytest.approx(best, abs=1e-7)
    assert found >= best - 1e-9


@pytest.mark.parametrize("structure", ["EVE", "VVE"])
def test_a_common_orientation_is_seldom_missed(structure):
    """There may be many maxima: the two starts find the best that ten random ones do, but for one problem."""
    missed = 0
    for seed in range(20, 26):
        scatter, counts = oracle.problem(seed)
        found = covariances_of(structure, scatter, counts, identity(), **PRECISE)
        turns = np.linalg.qr(np.random.default_rng(seed).normal(size=(10, 3, 3)))[0]
        others = [turn @ np.diag([1.0, 2.0, 4.0]) @ turn.T + np.zeros((3, 1, 1)) for turn in turns]
        best = max(
            oracle.objective(scatter, counts, covariances_of(structure, scatter, counts, other, **PRECISE))
            for other in others
        )
        missed += oracle.objective(scatter, counts, found) < best - 1e-6
    assert missed <= 1


@pytest.mark.parametrize("structure", ["EVE", "VVE"])
@pytest.mark.parametrize("dims", [2, 5])
def test_a_common_orientation_is_recovered_in_other_dimensions(structure, dims):
    """Scatter that shares its axes exactly: the objective then has a known maximum, the scatter's own."""
    rng = np.random.default_rng(dims)
    axes = np.linalg.qr(rng.normal(size=(dims, dims)))[0]
    logs = rng.normal(size=(4, dims)) * 1.5
    if structure == "EVE":
        logs -= logs.mean(1, keepdims=True)
    counts = rng.uniform(5.0, 50.0, 4)
    truth = np.einsum("ia,ka,ja->kij", axes, np.exp(logs), axes)
    found = covariances_of(structure, counts[:, None, None] * truth, counts, identity(4, dims), **PRECISE)
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-11 * np.abs(truth).max())


def unequal_counts(seed, hole=False):
    rng = np.random.default_rng(seed)
    counts = rng.uniform(1.0, 30.0, (3, 4))
    if hole:
        counts[1, 2] = 0.0
    return counts * np.exp(rng.normal(size=(3, 4))), counts, np.exp(rng.normal(size=(3, 4)))


def slope_of_variances(structure, scatter, counts, variances):
    """The steepest slope, in log v, of −½ Σ [n log v + S / v] along the structure."""
    gradient = -0.5 * (counts - scatter / variances)
    if structure[0] == "E" and structure[1] == "V":  # shapes of each, and one volume
        contrasts = gradient - gradient.mean(1, keepdims=True)
        return max(np.abs(contrasts).max(), abs(gradient.sum()))
    sums = {"EII": (), "VII": (1,), "EEI": (0,), "VVI": None}
    if structure == "VEI":
        return max(np.abs(gradient.sum(0)).max(), np.abs(gradient.sum(1)).max())
    if structure == "VVI":
        return np.abs(gradient).max()
    return np.abs(gradient.sum(sums[structure] or None)).max()


@pytest.mark.parametrize("structure", oracle.ALONG)
def test_variances_with_a_count_for_every_column(structure):
    """A missing entry does not count: the maximum is stationary, and the structure kept."""
    for seed in range(4):
        scatter, counts, previous = unequal_counts(seed)
        found = variances_of(structure, scatter, counts, previous, **PRECISE)
        assert slope_of_variances(structure, scatter, counts, found) < 1e-11 * counts.sum()
        assert oracle.belongs(structure, found[:, :, None] * np.eye(4)) < 1e-12


def test_equal_volumes_with_unequal_counts_are_the_best_found():
    scatter, counts, previous = unequal_counts(9)
    found = variances_of("EVI", scatter, counts, previous)

    def cost(parameters):
        free = parameters[1:].reshape(3, 3)
        logs = parameters[0] + np.concatenate([free, -free.sum(1, keepdims=True)], axis=1)
        return 0.5 * (counts * logs + scatter * np.exp(-logs)).sum()

    best = scipy.optimize.minimize(cost, np.zeros(10), method="BFGS", options={"gtol": 1e-8})
    value = 0.5 * (counts * np.log(found) + scatter / found).sum()
    assert value == pytest.approx(best.fun, abs=1e-9)


def test_a_column_a_component_never_saw():
    """EVI: that component's unseen variance keeps the volume, and the others are as if it were not there."""
    scatter, counts, previous = unequal_counts(3, hole=True)
    scatter[1, 2] = 0.0
    found = variances_of("EVI", scatter, counts, previous, **PRECISE)
    without = variances_of("EVI", scatter[[0, 2]], counts[[0, 2]], previous[[0, 2]], **PRECISE)
    np.testing.assert_allclose(found[[0, 2]], without, rtol=1e-12)
    seen = [0, 1, 3]
    np.testing.assert_allclose(found[1, seen], scatter[1, seen] / counts[1, seen], rtol=1e-13)
    assert np.prod(found[1]) == pytest.approx(np.prod(found[0]), rel=1e-12)
    own = variances_of("VVI", scatter, counts, previous)
    assert own[1, 2] == previous[1, 2]


def test_equal_counts_in_all_columns_give_the_step_of_whole_matrices():
    scatter, counts = oracle.problem(1)
    squares = np.diagonal(scatter, axis1=1, axis2=2)
    columns = np.broadcast_to(counts[:, None], squares.shape)
    for structure in oracle.ALONG:
        whole = covariances_of(structure, scatter, counts, identity(), **PRECISE)
        diagonal = variances_of(structure, squares, columns, np.ones((3, 3)), **PRECISE)
        np.testing.assert_allclose(whole, diagonal[:, :, None] * np.eye(3), rtol=1e-13)


def test_a_tilted_structure_is_not_described_by_variances():
    with pytest.raises(ValueError, match="VEV"):
        variances_of("VEV", np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))
