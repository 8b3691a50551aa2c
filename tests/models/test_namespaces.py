"""The same step of EM by NumPy, for all starts at once, and by a compiled program, start by start."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import small_mixtures as small
from tacit import families
from tacit.compute import double_precision
from tacit.families import BetaBernoulli, Dirichlet, DirichletCategorical, GammaPoisson
from tacit.families.covariance import STRUCTURES, default_prior
from tacit.families.priors import NormalGamma
from tacit.models.components.base import Stack
from tacit.models.components.concatenated import ConcatenatedComponent
from tacit.models.components.conjugate import ConjugateComponent
from tacit.models.components.factor_analytic import FactorComponent, Shared
from tacit.models.components.normal_wishart import NormalWishartComponent
from tacit.models.components.student import StudentComponent
from tacit.models.components.wishart import NormalWishartPrior
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rules import Mode, PosteriorRule
from tacit.models.mixture.stick_breaking import DirichletWeights, StickWeights

K, DIMS, ROWS = 3, 3, 60
ONES, FIRST = np.ones(2), np.array([True, False, False])
Make = Callable[[np.random.Generator], Stack]


def gaussian(structure: str, form: str = "product", **fields: Any) -> Make:
    def make(random: np.random.Generator) -> Stack:
        diagonal = STRUCTURES[structure].diagonal
        spread = random.gamma(3.0, 0.3, (K, DIMS)) if diagonal else small.random_covariances(random, K, DIMS)
        stack = small.gaussian(random.normal(size=(K, DIMS)), spread, structure=structure, form=form, **fields)
        return dataclasses.replace(stack, noise_floor=np.full(DIMS, 1e-6))

    return make


def with_prior(structure: str) -> Make:
    prior = default_prior(structure, np.zeros(DIMS), np.eye(DIMS), K)
    return gaussian(structure, prior=prior)


def family(draw: Callable[[np.random.Generator], Any], columns: tuple[int, ...], **fields: Any) -> Make:
    return lambda random: dataclasses.replace(small.family(draw(random), columns), **fields)


def normal_wishart(kind: Any, form: Any = "product", **fields: Any) -> Make:
    def make(random: np.random.Generator) -> Stack:
        diagonal = kind in ("diag", "spherical")
        scale = np.ones(DIMS) if diagonal else np.eye(DIMS)
        prior = NormalWishartPrior(np.zeros(DIMS), np.asarray(1.0), scale, np.asarray(DIMS + 2.0))
        stack = NormalWishartComponent.template(
            prior, K, tuple(range(DIMS)), kind, noise=np.full(DIMS, 1e-6), complete=True
        )
        return dataclasses.replace(stack, means=random.normal(size=(K, DIMS)), form=form, **fields)

    return make


def conjugate(prior: Any, like: Any, columns: tuple[int, ...], complete: bool = True) -> Make:
    def make(random: np.random.Generator) -> Stack:
        stack = ConjugateComponent.template(prior, K, like, columns, 2, complete=complete)
        grown = jax.tree.map(lambda leaf: leaf * random.uniform(0.5, 2.0, size=leaf.shape), stack.posterior)
        return dataclasses.replace(stack, posterior=grown)

    return make


def noisy(structure: str, form: str = "product", **fields: Any) -> Make:
    """Two Gaussians, and noise over a box from which some rows stick out."""

    def make(random: np.random.Generator) -> Stack:
        group = gaussian(structure, form, **fields)(random).take(np.arange(2))
        low = -random.uniform(1.0, 4.0, (1, DIMS))
        box = small.family(families.Uniform(low, low + 5.0), tuple(range(DIMS)))
        parts = group, dataclasses.replace(box, complete=group.complete)
        return ConcatenatedComponent(parts, (2, 1))

    return make


def student(random: np.random.Generator) -> Stack:
    covariances = small.random_covariances(random, K, DIMS)
    return StudentComponent(random.normal(size=(K, DIMS)), covariances, random.gamma(4.0, 2.0, K), (0, 1, 2))


def factors(number: int = 2, **fields: Any) -> Make:
    def make(random: np.random.Generator) -> Stack:
        means, loadings = random.normal(size=(K, DIMS)), random.normal(size=(K, DIMS, number))
        noise = random.gamma(3.0, 0.3, (K, DIMS))
        return FactorComponent(means, loadings, noise, np.full(DIMS, 1e-6), tuple(range(DIMS)), **fields)

    return make


def gamma(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.gamma(4.0, 1.0, size=shape)


def normal(random: np.random.Generator, columns: int) -> families.Normal:
    return families.Normal(random.normal(size=(K, columns)), gamma(random, K, columns))


def codes(random: np.random.Generator) -> families.Categorical:
    return families.Categorical(random.dirichlet(np.ones(3), size=(K, 1)))


def student_t(random: np.random.Generator) -> families.StudentT:
    return families.StudentT(random.normal(size=(K, 2)), gamma(random, K, 2), gamma(random, K, 2))


LIKELIHOODS: dict[str, Make] = (
    {f"gaussian-{name}": gaussian(name) for name in STRUCTURES if len(name) == 3}
    | {f"whitened-{name}": gaussian(name, "whitened") for name in ("VVV", "VEI")}
    | {f"prior-{name}": with_prior(name) for name in ("VVV", "EEE", "VVI", "EII", "VEV")}
    | {
        "fixed": gaussian("VVV", fixed_means=FIRST, fixed_covariances=np.array([False, True, False])),
        "gaps-tiles": gaussian("VVV", "tiles", complete=False, tile=4),
        "gaps-diagonal": gaussian("VVI", complete=False),
        "gaps-diagonal-whitened": gaussian("VEI", "whitened", complete=False),
        "noise": noisy("VVV"),
        "noise-shared": noisy("EEE", "whitened"),
        "noise-diagonal": noisy("VEI"),
        "noise-gaps-tiles": noisy("VVV", "tiles", complete=False, tile=4),
        "noise-gaps-diagonal": noisy("VVI", complete=False),
        "student-vectors": student,
        "factors": factors(),
        "factors-isotropic": factors(shared=Shared(isotropic=True)),
        "factors-gaps": factors(complete=False),
        "factors-gaps-none": factors(0, complete=False),
        "factors-gaps-shared": factors(1, complete=False, shared=Shared(True, True, False)),
        "factors-gaps-many": factors(13, complete=False),
        "poisson": family(lambda r: families.Poisson(gamma(r, K, 2)), (3, 4)),
        "poisson-prior": family(lambda r: families.Poisson(gamma(r, K, 2)), (3, 4), prior=GammaPoisson(ONES, ONES)),
        "poisson-fixed": family(lambda r: families.Poisson(gamma(r, K, 2)), (3, 4), fixed=FIRST),
        "multinomial": family(lambda r: families.Multinomial(r.dirichlet(np.ones(2), size=(K, 1))), (3, 4)),
        "bernoulli": family(lambda r: families.Bernoulli(r.uniform(0.2, 0.8, (K, 1))), (5,)),
        "categorical": family(codes, (6,)),
        "categorical-gaps": family(codes, (6,), complete=False),
        "negative-binomial": family(lambda r: families.NegativeBinomial(gamma(r, K, 2), gamma(r, K, 2)), (3, 4)),
        "gamma": family(lambda r: families.Gamma(gamma(r, K, 1), gamma(r, K, 1)), (7,), noise_floor=np.full(1, 1e-4)),
        "exponential": family(lambda r: families.Exponential(gamma(r, K, 1)), (7,)),
        "log-normal": family(lambda r: families.LogNormal(normal(r, 1)), (7,)),
        "normal": family(lambda r: normal(r, 2), (0, 1)),
        "student-t": family(student_t, (0, 1), noise_floor=np.full(2, 1e-4)),
        "von-mises": family(lambda r: families.VonMises(r.uniform(-3, 3, (K, 2)), gamma(r, K, 2)), (0, 1)),
    }
)  # fmt: skip
POSTERIORS: dict[str, Make] = {
    **{f"normal-wishart-{kind}": normal_wishart(kind) for kind in ("full", "tied", "diag", "spherical")},
    "normal-wishart-whitened": normal_wishart("full", "whitened"),
    "normal-wishart-tiles": normal_wishart("full", "tiles", complete=False, tile=4),
    "gamma-poisson": conjugate(GammaPoisson(np.ones(2), np.ones(2)), families.Poisson(np.ones(2)), (3, 4)),
    "beta-bernoulli": conjugate(BetaBernoulli(np.ones(1), np.ones(1)), families.Bernoulli(np.ones(1)), (5,)),
    "dirichlet-categorical": conjugate(
        DirichletCategorical(Dirichlet(np.ones((1, 3)))), families.Categorical(np.ones((1, 3))), (6,), complete=False
    ),
    "normal-gamma": conjugate(
        NormalGamma(0.0 * ONES, ONES, 2.0 * ONES, ONES), families.Normal(0.0 * ONES, ONES), (0, 1)
    ),
}  # fmt: skip


def rows_of(random: np.random.Generator, gaps: bool) -> np.ndarray:
    rows = np.column_stack([
        random.normal(size=(ROWS, DIMS)),
        random.poisson(3.0, (ROWS, 2)) + 1.0,
        random.integers(0, 2, ROWS),
        random.integers(0, 3, ROWS),
        random.gamma(2.0, 1.0, ROWS),
    ])  # fmt: skip
    if gaps:  # tiles of four rows share their pattern
        rows[:20, 1] = rows[40:52, 0] = rows[8:32, 6] = np.nan
    return rows


def stacked(models: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0], *models)


def one_map(model: Any, rows: Any, weights: Any) -> tuple[Any, Any, Any]:
    """A step of EM and what the bound holds beside the rows' share."""
    sums = model.prepare()(rows, weights, jax.random.key(0))
    after = model.m_step(sums.statistics)
    return sums, after, after.global_bound()


@double_precision
def both(models: list[Any], rows: np.ndarray, weights: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        found = one_map(stacked(models), rows, weights)
    assert not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(found)), "it left NumPy"
    for start, model in enumerate(models):
        expected = jax.tree.leaves(eqx.filter_jit(one_map)(model, jnp.asarray(rows), jnp.asarray(weights)))
        mine = [np.asarray(leaf)[start] for leaf in jax.tree.leaves(found) if eqx.is_array(leaf)]
        expected = [np.asarray(leaf) for leaf in expected if eqx.is_array(leaf)]
        assert len(mine) == len(expected)
        for a, b in zip(mine, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_mixture_is_the_same_by_both(name: str) -> None:
    random = np.random.default_rng(sorted(LIKELIHOODS).index(name))
    rows = rows_of(random, "gaps" in name)
    weights = random.integers(0, 3, ROWS).astype(float)
    models = [small.mixture(random.dirichlet(np.ones(K)), LIKELIHOODS[name](random)) for _ in range(2)]
    both(models, rows, weights)


@pytest.mark.parametrize("name", POSTERIORS)
def test_a_bayesian_mixture_is_the_same_by_both(name: str) -> None:
    random = np.random.default_rng(sorted(POSTERIORS).index(name))
    rows = rows_of(random, "tiles" in name or "categorical" in name)
    models = []
    for _ in range(2):
        counts = random.gamma(4.0, 2.0, K)
        sticks = StickWeights(1.0 + counts, 2.0 + counts[::-1], np.asarray(1.0))
        weights = sticks if "gamma" in name else DirichletWeights(counts, np.asarray(0.5))
        models.append(MixturePosterior(weights, (POSTERIORS[name](random),), np.ones(K, bool)))
    both(models, rows, np.ones(ROWS))


def test_groups_rules_and_padding_are_the_same_by_both() -> None:
    random = np.random.default_rng(7)
    rows = rows_of(random, gaps=False)
    for rule in (PosteriorRule(), Mode()):
        models = []
        for active in ([True, True, True], [True, True, False]):
            parts = tuple(LIKELIHOODS[name](random) for name in ("gaussian-VVV", "poisson", "categorical"))
            mixture = small.mixture(random.dirichlet(np.ones(K)), *parts, rule=rule, concentration=np.asarray(1.5))
            with np.errstate(divide="ignore"):
                weights = np.log(np.where(active, mixture.weights, 0.0) / mixture.weights[active].sum())
            models.append(dataclasses.replace(mixture, active=np.array(active), log_weights=weights))
        both(models, rows, np.ones(ROWS))
        assert isinstance(models[0], MixtureModel)
