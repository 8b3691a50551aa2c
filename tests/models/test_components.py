"""Stacks of components: statistics of given responsibilities, Student's t fitted, and how classes may inherit."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import small_mixtures as small
from tacit import families, registry
from tacit.compute import double_precision
from tacit.families.base import Distribution
from tacit.families.priors import ConjugatePrior
from tacit.models.components.base import Component, ComponentPosterior, Stack
from tacit.models.components.concatenated import ConcatenatedComponent
from tacit.models.components.coordinates import Chart
from tacit.models.components.student import StudentComponent


def below(base: type) -> list[type]:
    """All classes of tacit under one."""
    assert registry.names()  # every module is loaded
    found = [each for child in base.__subclasses__() for each in (child, *below(child))]
    return [cls for cls in dict.fromkeys(found) if cls.__module__.startswith("tacit.")]


@pytest.mark.parametrize("base", [Stack, Distribution, Chart, ConjugatePrior])
def test_a_class_is_abstract_or_final(base: type) -> None:
    classes = below(base)
    assert len(classes) > 2 or base is Chart
    assert [cls.__name__ for cls in classes if not inspect.isabstract(cls) and below(cls)] == []


@pytest.mark.parametrize("base", [Stack, Distribution, Chart])
def test_no_method_is_overridden_twice(base: type) -> None:
    for cls in below(base):
        if inspect.isabstract(cls):
            continue
        line = [each for each in cls.__mro__ if issubclass(each, base)]
        for name in {name for each in line for name in vars(each) if not name.startswith("__")}:
            made = [vars(each)[name] for each in line if name in vars(each)]
            made = [member.fget if isinstance(member, property) else member for member in made]
            bodies = [f for f in made if inspect.isfunction(f) and not getattr(f, "__isabstractmethod__", False)]
            assert len(bodies) <= 2, f"{cls.__name__}.{name}"


@double_precision
def test_statistics_of_given_responsibilities_are_weighted_sums() -> None:
    model = small.full_gaussian(dims=3)
    (group,) = model.groups
    random = np.random.default_rng(1)
    rows, shares = random.normal(size=(20, 3)), random.dirichlet(np.ones(3), size=20)
    counts, packed = group.statistics(jnp.asarray(rows), jnp.asarray(shares))
    np.testing.assert_allclose(counts, shares.sum(0), rtol=1e-13)
    upper = np.triu_indices(3)
    products = np.einsum("nk,nd,ne->kde", shares, rows, rows)[:, upper[0], upper[1]]
    np.testing.assert_allclose(packed, np.concatenate([shares.T @ rows, products], axis=1), rtol=1e-12, atol=1e-13)
    poisson = small.family(families.Poisson(np.array([[2.0, 3.0], [5.0, 1.0]])), (0, 2))
    _, sums = poisson.statistics(jnp.asarray(np.floor(np.abs(rows) * 3)), jnp.asarray(shares[:, :2]))
    np.testing.assert_allclose(sums, shares[:, :2].T @ np.floor(np.abs(rows) * 3)[:, [0, 2]], rtol=1e-13)


@double_precision
def test_student_vectors_are_fitted_and_the_likelihood_never_falls() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(size=(600, 2)) / np.sqrt(random.chisquare(5.0, size=(600, 1)) / 5.0)
    rows = jnp.asarray(noise @ np.array([[1.0, 0.0], [0.8, 0.6]]).T + np.array([1.0, -2.0]))
    weights = jnp.ones((600, 1))
    stack = StudentComponent(np.zeros((1, 2)), np.eye(2)[None], np.array([20.0]), (0, 1))
    step = jax.jit(lambda s: (s.m_step(s.statistics(rows, weights)), s.log_prob(rows).sum()))
    course = []
    for _ in range(200):
        stack, total = step(stack)
        course.append(float(total))
    assert (np.diff(course) > -1e-8).all()
    expected = families.MultivariateStudentT(stack.means, np.linalg.cholesky(stack.covariances), stack.dofs)
    np.testing.assert_allclose(stack.log_prob(rows)[:, 0], expected.log_prob(rows), rtol=1e-10)
    np.testing.assert_allclose(stack.means[0], [1.0, -2.0], atol=0.15)
    assert 3.0 < float(stack.dofs[0]) < 9.0
    # at a maximum the derivatives by every parameter vanish
    slope = jax.grad(lambda m, d: StudentComponent(m, stack.covariances, d, (0, 1)).log_prob(rows).mean(), (0, 1))
    for part in jax.jit(slope)(stack.means, stack.dofs):
        np.testing.assert_allclose(part, 0.0, atol=1e-5)
    with pytest.raises(ValueError, match="complete rows"):
        stack.with_rows(complete=False, tile=1).prepare()


def test_what_holds_for_independent_columns_is_there_for_every_component() -> None:
    """The defaults, which a new kind of component need not write."""
    group = small.family(families.Poisson(np.array([[2.0, 3.0], [5.0, 1.0]])), (0, 1))
    rows = np.array([[np.nan, 4.0]])
    with jax.enable_x64(True):
        means, variances, _ = group.given(jnp.asarray(rows))
    np.testing.assert_allclose(means[0], [[2.0, 4.0], [5.0, 4.0]])
    np.testing.assert_allclose(variances[0], [[2.0, 0.0], [5.0, 0.0]])
    assert not group.joint
    assert not group.hidden_variable
    assert group.chart() is None
    assert group.covariance_matrices() is None
    labels = np.zeros((3, 2), int)
    fresh = group.redraw(None, labels, np.random.default_rng(0))
    assert fresh.shape == (3, 2, 2)
    np.testing.assert_array_equal(group.correction(jnp.asarray(rows), jnp.asarray(fresh[:1]), labels[:1]), 0.0)


def concatenated() -> ConcatenatedComponent:
    """Two Gaussians, three Student's t and a box, over the same columns."""
    random = np.random.default_rng(5)
    group = small.gaussian(random.normal(size=(2, 2)), small.random_covariances(random, 2, 2))
    student = StudentComponent(
        random.normal(size=(3, 2)), small.random_covariances(random, 3, 2), np.array([4.0, 9.0, 20.0]), (0, 1)
    )
    box = small.family(families.Uniform(np.array([[-3.0, -4.0]]), np.array([[3.0, 5.0]])), (0, 1))
    return ConcatenatedComponent((group, student, box), (2, 3, 1))


@double_precision
def test_a_concatenated_stack_is_its_parts_one_after_another() -> None:
    stack = concatenated()
    random = np.random.default_rng(6)
    rows = random.normal(scale=2.0, size=(40, 2))
    apart = np.concatenate([part.log_prob(rows) for part in stack.parts], axis=1)
    np.testing.assert_allclose(stack.log_prob(rows), apart, rtol=1e-14)
    assert np.isneginf(stack.log_prob(np.array([[3.5, 0.0]]))[0, -1])
    shares = random.dirichlet(np.ones(6), size=40)
    found = stack.statistics(rows, shares)
    for part, own, here in zip(stack.parts, found, [slice(0, 2), slice(2, 5), slice(5, 6)], strict=True):
        for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(part.statistics(rows, shares[:, here])), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)
    stepped = stack.m_step(found)
    np.testing.assert_allclose(stepped.parts[1].means, stack.parts[1].m_step(found[1]).means)
    assert stepped.parts[2].family.low[0, 0] == -3.0
    assert (stack.noise, stack.joint, stack.name) == (1, True, "normal or uniform")
    assert [kind.background for kind in stack.kinds] == [False, False, True]
    means, variances = stack.moments()
    np.testing.assert_allclose(means[-1], [0.0, 0.5])
    np.testing.assert_allclose(variances[-1], np.array([36.0, 81.0]) / 12.0)
    assert np.shape(stack.covariance_matrices()) == (6, 2, 2)


def test_components_keep_their_part_when_they_are_ordered() -> None:
    stack = concatenated()
    ordered = stack.take(np.array([1, 4, 2, 5]))
    assert ordered.sizes == (1, 2, 1)
    np.testing.assert_array_equal(ordered.parts[0].means[0], stack.parts[0].means[1])
    np.testing.assert_array_equal(ordered.parts[1].dofs, [20.0, 4.0])
    with pytest.raises(ValueError, match="stand together"):
        stack.take(np.array([5, 0]))


@double_precision
def test_a_column_of_a_concatenated_stack_has_a_density_and_a_conditional_one() -> None:
    stack = concatenated()
    column, points = stack.column(1), np.linspace(-6.0, 6.0, 12_001)
    density, cdf = np.exp(column.log_prob(points[:, None])), column.cdf(points[:, None])
    assert density.shape == cdf.shape == (12_001, 6)
    steps = np.concatenate([np.zeros((1, 6)), np.cumsum(0.0005 * (density[1:] + density[:-1]), axis=0)])
    np.testing.assert_allclose(cdf - cdf[0], steps, atol=1e-3)
    np.testing.assert_allclose(column.mean(), stack.moments()[0][:, 1])
    np.testing.assert_allclose(column.variance(), stack.moments()[1][:, 1])
    rows = np.array([[0.7, np.nan], [-1.0, np.nan]])
    holed = stack.with_rows(complete=False, tile=2)
    found = holed.given(rows)
    given = stack.column_given(1, [found])
    for k in range(6):
        for row in range(2):
            pair = np.column_stack([np.full(points.size, rows[row, 0]), points])
            joint = np.exp(stack.log_prob(pair)[:, k])
            own = np.exp(given.log_prob(points[:, None, None])[:, row, k])
            np.testing.assert_allclose(own, joint / np.trapezoid(joint, points), rtol=2e-2, atol=1e-3)
            if k in (0, 1, 5):
                assert found.variances()[row, k, 1] == pytest.approx(given.variance()[row, k])


def test_draws_of_a_concatenated_stack_follow_its_components() -> None:
    stack = concatenated()
    random = np.random.default_rng(8)
    labels = np.repeat(np.arange(6), 600)
    drawn = stack.draw(labels, random)
    for k in range(6):
        column = jax.tree.map(lambda leaf, k=k: leaf, stack.column(0))
        points = np.sort(drawn[labels == k, 0])
        theory = column.cdf(points[:, None])[:, k]
        assert np.abs(theory - (np.arange(600) + 0.5) / 600).max() * np.sqrt(600) < 2.2
    rows = np.tile([[1.0, np.nan]], (600, 1))
    holed, some = stack.with_rows(complete=False, tile=600), np.tile([[1, 3, 5]], (600, 1))
    fresh = holed.redraw(holed.hidden(rows), some, random)
    exact = fresh + holed.correction(rows, fresh, some)
    given = stack.column_given(1, [holed.given(rows)])
    for draw, k in enumerate(some[0]):
        points = np.sort(exact[:, draw, 1])
        theory = given.cdf(points[:, None, None])[:, 0, k]
        assert np.abs(theory - (np.arange(600) + 0.5) / 600).max() * np.sqrt(600) < 2.2


def test_the_two_kinds_of_stacks_are_what_mixtures_hold() -> None:
    kinds = {cls.__name__ for cls in below(Stack) if not inspect.isabstract(cls)}
    assert {"GaussianComponent", "FamilyComponent", "StudentComponent"} <= kinds
    assert {cls.__name__ for cls in below(ComponentPosterior)} == {"NormalWishartComponent", "ConjugateComponent"}
    assert issubclass(StudentComponent, Component)
