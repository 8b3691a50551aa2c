"""Angles: the von Mises family against scipy, and a mixture of it that no other file of the library knows of."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats
from sklearn.exceptions import ConvergenceWarning

from tacit.compute import double_precision
from tacit.estimators.mixture.mixed import Mixture
from tacit.families.von_mises import VonMises
from tacit.storage import load, save

pytestmark = pytest.mark.strict_ranks

DIRECTIONS = np.array([0.0, 2.5, -1.0, 3.1])
CONCENTRATIONS = np.array([0.3, 4.0, 60.0, 2e4])
FAMILY = VonMises(DIRECTIONS, CONCENTRATIONS)


def law(k: int) -> stats.rv_continuous:
    return stats.vonmises(CONCENTRATIONS[k], loc=DIRECTIONS[k])


@double_precision
def test_densities_and_moments() -> None:
    x = np.linspace(-np.pi, np.pi, 41)[:, None]
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(
            FAMILY.log_prob(x), stats.vonmises(CONCENTRATIONS, loc=DIRECTIONS).logpdf(x), rtol=1e-9, atol=1e-9
        )
    np.testing.assert_allclose(FAMILY.log_prob(x + 2 * np.pi), FAMILY.log_prob(x), rtol=1e-9, atol=1e-9)
    terms = FAMILY.sufficient_statistics(x) * np.asarray(FAMILY.natural)
    np.testing.assert_allclose(terms.sum(-1) - FAMILY.log_normalizer, FAMILY.log_prob(x), rtol=1e-9, atol=1e-8)
    for k in range(3):
        found = [
            integrate.quad(lambda t, f=f, k=k: f(t) * law(k).pdf(t), -np.pi, np.pi, points=[DIRECTIONS[k]])[0]
            for f in (np.cos, np.sin)
        ]
        np.testing.assert_allclose(FAMILY.mean_parameters[k], found, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(FAMILY.entropy(), stats.vonmises(CONCENTRATIONS).entropy(), rtol=1e-9)


@double_precision
def test_maximum_likelihood_is_undone_by_the_mean() -> None:
    weight = np.full(4, 7.0)
    found = VonMises.template((4,)).maximise(weight[:, None] * np.asarray(FAMILY.mean_parameters), jnp.asarray(weight))
    np.testing.assert_allclose(found.directions, DIRECTIONS, atol=1e-12)
    np.testing.assert_allclose(found.concentrations, CONCENTRATIONS, rtol=1e-7)
    still = FAMILY.maximise(jnp.zeros((4, 2)), jnp.zeros(4))
    np.testing.assert_array_equal(still.concentrations, CONCENTRATIONS)


@double_precision
def test_maximum_likelihood_ends_at_the_largest_concentration() -> None:
    """Within the ball |η| ≤ 10⁶ no direction and no κ is better, wherever the statistics lie."""
    coinciding = np.array([1.0, 1.0 - 1e-13, 1.0 - 2e-7, 1.0 - 8e-7])
    statistics = coinciding[:, None] * np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], axis=-1)
    found = VonMises.template((4,)).maximise(jnp.asarray(statistics), jnp.ones(4))
    np.testing.assert_allclose(found.directions, DIRECTIONS, atol=1e-12)
    np.testing.assert_allclose(found.concentrations, [1e6, 1e6, 1e6, 1.0 / (2 * 8e-7)], rtol=1e-5)

    def likelihood(member: VonMises) -> np.ndarray:
        # about its own direction, where the digits are: ⟨η, T⟩ − A = −κ (1 − R cos Δ) − log 2π I₀(κ) e^−κ
        turned = coinciding * np.cos(member.directions - DIRECTIONS)
        return -member.concentrations * (1.0 - turned) - np.log(2 * np.pi * special.i0e(member.concentrations))

    best = likelihood(found)
    for turn in (-1e-4, 0.0, 1e-4):
        for share in (0.9, 0.99, 1.0, 1.01):
            other = VonMises(DIRECTIONS + turn, np.minimum(share * np.asarray(found.concentrations), 1e6))
            assert (likelihood(other) <= best + 1e-9).all()


def test_a_component_that_collapses_onto_one_angle_is_named() -> None:
    rows = np.concatenate([np.random.default_rng(0).vonmises(2.0, 2.0, 60), np.full(30, 0.7)])[:, None]
    with pytest.warns(ConvergenceWarning, match="component 1 rests on the floor of the variance along column 0"):
        model = Mixture(2, families="von-mises", objective="mle", n_init=2, random_state=0).fit(rows)
    assert model.at_floor_
    assert np.diff(model.trace_.bound).min() > -1e-8
    largest = np.asarray(model.model_.groups[0].family.concentrations).max()
    assert largest == pytest.approx(1e6, rel=1e-6)
    assert np.isfinite(model.score_samples(rows)).all()
    assert not Mixture(1, families="von-mises", random_state=0).fit(rows[:60]).at_floor_


def test_the_distribution_function_and_draws() -> None:
    x = np.linspace(-3.0, 3.1, 9)[:, None]
    for k in range(3):
        whole = [integrate.quad(law(k).pdf, -np.pi, t, points=[DIRECTIONS[k]])[0] for t in x[:, 0]]
        np.testing.assert_allclose(FAMILY.cdf(x)[:, k], whole, atol=1e-11)
    np.testing.assert_array_equal(FAMILY.cdf(np.array([[-9.0], [9.0]])), [[0.0] * 4, [1.0] * 4])
    many = jax.tree.map(lambda leaf: np.repeat(leaf[None, :3], 4000, axis=0), FAMILY)
    on_device = jax.jit(lambda key: VonMises(DIRECTIONS[:3], CONCENTRATIONS[:3]).sample(key=key, shape=(4000,)))
    for draws in (many.draw(np.random.default_rng(0)), np.asarray(on_device(jax.random.key(0)))):
        assert np.abs(draws).max() <= np.pi + 1e-6
        for k in range(3):
            assert stats.kstest(draws[:, k], lambda t, k=k: FAMILY.cdf(t[:, None])[:, k]).pvalue > 1e-3


def angles() -> tuple[np.ndarray, np.ndarray]:
    """Two groups of an angle, one on either side of the cut at π, and a length."""
    random = np.random.default_rng(3)
    groups = np.repeat([0, 1], [150, 100])
    angle = random.vonmises(np.array([np.pi, 0.5])[groups], np.array([8.0, 4.0])[groups])
    return np.column_stack([angle, random.normal(3.0 * groups, 1.0)]), groups


@pytest.fixture(scope="module")
def fitted() -> Mixture:
    return Mixture(2, families={0: "von-mises"}, n_init=1, random_state=0, objective="mle").fit(angles()[0])


def test_a_mixture_of_angles_finds_the_groups(fitted: Mixture) -> None:
    rows, groups = angles()
    labels = fitted.predict(rows)
    assert max(np.mean(labels == groups), np.mean(labels != groups)) > 0.97
    family = next(group.family for group in fitted.model_.groups if group.columns == (0,))
    order = np.argsort(np.abs(family.directions[:, 0]))
    assert abs(family.directions[order[0], 0] - 0.5) < 0.2
    assert np.pi - abs(family.directions[order[1], 0]) < 0.1
    np.testing.assert_allclose(family.concentrations[order, 0], [4.0, 8.0], rtol=0.4)
    # around the circle nothing changes
    np.testing.assert_allclose(
        fitted.score_samples(rows + np.array([2 * np.pi, 0.0])), fitted.score_samples(rows), rtol=1e-9
    )
    assert fitted.n_parameters_ == 1 + 2 * 2 + 2 * 2


def test_it_answers_what_every_mixture_answers(fitted: Mixture, tmp_path: Path) -> None:
    rows = angles()[0]
    holed = rows[:20].copy()
    holed[:, 0] = np.nan
    sides = np.sign(np.cos(fitted.impute(holed)[:, 0]))
    assert np.mean(sides == -1.0) > 0.9  # the first rows lie about π
    assert np.abs(fitted.impute(holed, 3, 0)[:, :, 0]).max() <= np.pi
    drawn, _ = fitted.sample(500)
    assert np.abs(drawn[:, 0]).max() <= np.pi
    density = fitted.marginal([0])
    x = density.quantile([0.2, 0.6])
    np.testing.assert_allclose(density.cdf(x), [0.2, 0.6], rtol=1e-9)
    errors = fitted.standard_errors(rows)
    assert any((np.asarray(value) > 0).all() for name, value in errors.items() if name.endswith("directions"))
    assert "von-mises" in [node.family for node in fitted.graph().nodes]
    assert [column.family for column in fitted.summary().columns] == ["von-mises", "normal"]
    again = load(save(fitted, tmp_path / "angles"))
    np.testing.assert_array_equal(again.score_samples(rows), fitted.score_samples(rows))
