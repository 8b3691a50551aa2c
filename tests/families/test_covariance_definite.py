"""Covariances that rounding has made singular."""

import jax.numpy as jnp
import numpy as np
import pytest

from tacit.compute import double_precision
from tacit.families.covariance import STRUCTURES, maximise_covariances
from tacit.families.covariance.definite import LIFTS, definite


def test_sound_matrices_stay_bit_for_bit() -> None:
    random = np.random.default_rng(0)
    root = random.normal(size=(5, 6, 9)) * np.logspace(-6, 6, 6)[:, None]
    matrices = root @ np.swapaxes(root, -1, -2)
    assert np.array_equal(definite(matrices), matrices)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_singular_matrix_is_lifted_in_its_own_units_and_the_others_are_left(scale: float) -> None:
    wide = np.full((3, 3), scale**2)
    sound = np.diag([1.0, 2.0, 3.0])
    found = definite(np.stack([wide, sound]))
    np.testing.assert_allclose(found[0], wide * (1 + LIFTS[0] * np.eye(3)), rtol=1e-15)
    assert np.array_equal(found[1], sound)
    for units in (1.0, 3.3, 1e-7):
        np.linalg.cholesky(found[0] * units**2)


def test_where_only_rounding_is_left_of_the_covariances_the_variances_stay() -> None:
    lost = np.array([[1e-20, 1e-16], [1e-16, 1e-20]])  # |ρ| of 10 000
    assert np.array_equal(definite(lost), np.diag([1e-20, 1e-20]))


@double_precision
def test_compiled_and_eager_agree() -> None:
    matrices = np.stack([np.ones((2, 2)), np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]])])
    np.testing.assert_allclose(np.asarray(definite(jnp.asarray(matrices))), definite(matrices), rtol=1e-15)


@pytest.mark.parametrize("name", [name for name in STRUCTURES if len(name) == 3])
@pytest.mark.parametrize("far", [1e6, 1e9, 1e12])
def test_every_structure_has_a_factor_for_rows_however_far(name: str, far: float) -> None:
    random = np.random.default_rng(1)
    near = random.normal(size=(20, 3))
    scatter = np.stack([near.T @ near, near.T @ near + far**2 * np.ones((3, 3))])
    found = maximise_covariances(name, scatter, np.array([20.0, 21.0]), np.tile(np.eye(3), (2, 1, 1)))
    for units in (1.0, 0.37):
        np.linalg.cholesky(np.asarray(found) * units)
