"""Maps onto supports: round trips, Jacobians by differentiation, errors that name the parameter."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tacit.compute import double_precision
from tacit.inference.coordinates import SUPPORTS, Coordinates, Interval

pytestmark = pytest.mark.strict_ranks

VALUES = {
    "real": np.array([-1.3, 0.2, 5.0]),
    "positive": np.array([0.1, 2.0, 7.0]),
    "unit-interval": np.array([0.1, 0.5, 0.99]),
    "simplex": np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]),
    "ordered": np.array([-1.0, 0.5, 2.5]),
}


@double_precision
@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_come_back_and_the_determinant_is_that_of_the_map(name: str) -> None:
    support, value = SUPPORTS[name], VALUES[name]
    free = support.free(value)
    assert free.size == support.size(value.shape)
    back, log_det = jax.jit(lambda u: support.constrain(u, value.shape))(jnp.asarray(free))
    np.testing.assert_allclose(back, value, atol=1e-12)

    def independent(u):
        moved = support.constrain(u, value.shape)[0]
        return (moved[..., :-1] if name == "simplex" else moved).ravel()

    slope = np.asarray(jax.jit(jax.jacobian(independent))(jnp.asarray(free)))
    np.testing.assert_allclose(log_det, np.linalg.slogdet(slope)[1], atol=1e-10)


@double_precision
def test_nothing_known_of_a_simplex_is_equal_shares() -> None:
    shares, _ = SUPPORTS["simplex"].constrain(jnp.zeros(3), (4,))
    np.testing.assert_allclose(shares, 0.25)


class Pair(NamedTuple):
    mean: object
    scale: object


@double_precision
def test_supports_follow_the_parameters() -> None:
    own = {"p": Pair(np.zeros(2), np.ones(2)), "share": 0.25, "free": 3.0}
    at = Coordinates(own, {"p": Pair("real", "positive"), "share": (0.0, 0.5)})
    assert [place.name for place in at.places] == ["free", "p.mean", "p.scale", "share"]
    assert at.dims == 6
    back, _ = at.constrain(jnp.asarray(at.begin))
    assert isinstance(back["p"], Pair)
    np.testing.assert_allclose(back["p"].scale, 1.0)
    np.testing.assert_allclose(back["share"], 0.25)
    assert Coordinates({"a": np.ones(2), "b": {"c": 1.0}}, {"b": "positive"}).places[1].support is SUPPORTS["positive"]


@pytest.mark.parametrize(
    ("parameters", "supports", "words"),
    [
        ({"s": -1.0}, {"s": "positive"}, "start of parameter 's' must be above 0"),
        ({"s": 1.0}, {"t": "positive"}, "names 't', which is no parameter; there are s"),
        ({"s": 1.0}, {"s": "postive"}, "support of parameter 's' must be one of 'real'"),
        ({"s": 2.0}, {"s": (0, 1)}, "must lie between 0 and 1"),
        ({"s": np.array([1.0, 0.0])}, {"s": "ordered"}, "must increase"),
        ({"s": np.array([0.4, 0.4])}, {"s": "simplex"}, "sum to one"),
        ({}, None, "at least one"),
    ],
)
def test_what_does_not_fit_is_named(parameters: dict, supports: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Coordinates(parameters, supports)


def test_an_interval_has_two_ends() -> None:
    with pytest.raises(ValueError, match="low < high"):
        Interval(1.0, 1.0)
