"""Standard errors: closed forms for one component and for groups far apart, numerical derivatives for the rest."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import optimize, special

import small_mixtures as small
from tacit import families
from tacit.compute import double_precision
from tacit.data.dataset import DenseRows
from tacit.families.covariance import STRUCTURES
from tacit.families.student_t import StudentT
from tacit.models.components.coordinates import SHARED
from tacit.models.mixture.coordinates import coordinates
from tacit.models.mixture.information import observed_information

SEVERAL = [name for name in STRUCTURES if name not in ("E", "V")]


def covariances_of(name: str, components: int = 3, dims: int = 3, seed: int = 0) -> np.ndarray:
    """Covariances that obey a structure, from its volumes, shapes and orientations."""
    random, parts = np.random.default_rng(seed), STRUCTURES[name]

    def each(letter: str, draw: object) -> list:
        return [draw()] * components if letter == "E" else [draw() for _ in range(components)]

    def shape() -> np.ndarray:
        logs = random.normal(size=dims)
        return np.exp(logs - logs.mean())

    volumes = each(parts.volume, lambda: random.gamma(5.0, 0.3))
    shapes = [np.ones(dims)] * components if parts.shape == "I" else each(parts.shape, shape)
    if parts.orientation == "I":
        return np.array([v * a for v, a in zip(volumes, shapes, strict=True)])
    turns = each(parts.orientation, lambda: np.linalg.qr(random.normal(size=(dims, dims)))[0])
    return np.array([v * (d * a) @ d.T for v, a, d in zip(volumes, shapes, turns, strict=True)])


def structured(name: str, **fields: object) -> small.MixtureModel:
    means = 2.0 * np.random.default_rng(1).normal(size=(3, 3))
    return small.mixture([0.5, 0.3, 0.2], small.gaussian(means, covariances_of(name), structure=name, **fields))


def decomposed(covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Volumes, shapes (sorted eigenvalues of determinant 1) and covariances of determinant 1."""
    if covariances.ndim == 2:
        covariances = np.array([np.diag(row) for row in covariances])
    volumes = np.linalg.det(covariances) ** (1.0 / covariances.shape[1])
    unit = covariances / volumes[:, None, None]
    return volumes, np.linalg.eigvalsh(unit), unit


class TestCoordinates:
    @pytest.mark.parametrize("name", SEVERAL)
    @double_precision
    def test_there_are_as_many_as_free_parameters(self, name: str) -> None:
        model = structured(name)
        around = coordinates(model)
        assert around.owners.size == model.n_parameters()
        start = around.mixture(np.zeros(around.owners.size))
        np.testing.assert_allclose(start.groups[0].covariances, model.groups[0].covariances, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(start.groups[0].means, model.groups[0].means, rtol=1e-15)
        np.testing.assert_allclose(np.exp(start.log_weights), [0.5, 0.3, 0.2], rtol=1e-14)

    @pytest.mark.parametrize("name", SEVERAL)
    @double_precision
    def test_every_step_stays_in_the_structure(self, name: str) -> None:
        around, parts = coordinates(structured(name)), STRUCTURES[name]
        step = 0.3 * np.random.default_rng(2).normal(size=around.owners.size)
        moved = around.mixture(step)
        assert abs(np.exp(moved.log_weights).sum() - 1.0) < 1e-14
        volumes, shapes, unit = decomposed(np.asarray(moved.groups[0].covariances))
        before = decomposed(np.asarray(structured(name).groups[0].covariances))
        assert (np.ptp(volumes) < 1e-12) == (parts.volume == "E")
        assert (np.ptp(shapes, axis=0).max() < 1e-12) == (parts.shape in "EI")
        if parts.shape == "I":
            np.testing.assert_allclose(shapes, 1.0, rtol=1e-12)
        else:
            assert np.abs(shapes - before[1]).max() > 1e-3
        commute = np.abs(unit[0] @ unit[1] - unit[1] @ unit[0]).max() < 1e-12
        assert commute == (parts.orientation in "EI" or parts.shape == "I")
        if parts.orientation == "E":
            assert np.abs(unit[0] @ before[2][0] - before[2][0] @ unit[0]).max() > 1e-3

    @double_precision
    def test_steps_of_other_families_stay_valid(self) -> None:
        model = small.mixed()
        around = coordinates(model)
        assert around.owners.size == model.n_parameters()
        moved = around.mixture(np.random.default_rng(0).normal(size=around.owners.size))
        np.testing.assert_allclose(moved.groups[3].family.probabilities.sum(-1), 1.0, rtol=1e-14)
        assert ((moved.groups[4].family.probabilities > 0) & (moved.groups[4].family.probabilities < 1)).all()
        for number in (2, 5, 6, 7):
            assert all((leaf > 0).all() for leaf in small.leaves(moved.groups[number].family))


STENCIL = np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])
"""Second differences that are exact for polynomials of degree nine."""


class TestInformation:
    """The matrix against second differences of scipy's log-densities, along lines through the fit."""

    @double_precision
    def check(self, model: small.MixtureModel, rows: np.ndarray, weights: np.ndarray, step: float = 0.02) -> None:
        information = observed_information(model, DenseRows(rows, weights))
        around = information.coordinates
        size = around.owners.size
        directions = np.random.default_rng(0).normal(size=(size + 5, size))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        steps = step * directions[:, None] * np.arange(-4, 5)[:, None]
        moved = jax.tree.map(np.asarray, jax.jit(jax.vmap(around.mixture))(steps.reshape(-1, size)))
        models = [jax.tree.map(lambda leaf, t=t: leaf[t], moved) for t in range(steps.shape[0] * 9)]
        value = [weights @ [small.log_density(model, row) for row in rows] for model in models]
        curvature = np.reshape(value, (-1, 9)) @ STENCIL / step**2
        forms = np.einsum("ti,ij,tj->t", directions, information.matrix, directions)
        np.testing.assert_allclose(forms, -curvature, rtol=1e-7, atol=1e-7)

    def test_full_covariances_with_gaps(self) -> None:
        model = small.full_gaussian(components=2, dims=2)
        rows, _ = small.sampling.sample(model, 6, random=np.random.default_rng(0))
        rows[0, 0], rows[1, 1], rows[2] = np.nan, np.nan, np.nan
        self.check(model, rows, np.random.default_rng(1).uniform(size=6))

    @pytest.mark.parametrize("name", ["EVE", "VEV"])
    def test_structures(self, name: str) -> None:
        means = np.array([[0.0, 0.0], [1.0, 2.0]])
        group = small.gaussian(means, covariances_of(name, 2, 2), structure=name)
        rows = np.random.default_rng(0).normal(size=(4, 2))
        self.check(small.mixture([0.6, 0.4], group), rows, np.ones(4))

    def test_counts_and_categories(self) -> None:
        random = np.random.default_rng(0)
        model = small.mixture(
            [0.7, 0.3],
            small.family(families.NegativeBinomial(np.array([[2.0], [6.0]]), np.array([[1.5], [4.0]])), (0,), 2),
            small.family(families.Categorical(random.dirichlet(np.ones(3), size=(2, 1))), (1,), 2),
            small.family(StudentT(np.array([[0.0], [2.0]]), np.ones((2, 1)), np.array([[3.0], [8.0]])), (2,), 3),
        )
        rows, _ = small.sampling.sample(model, 5, random=random)
        self.check(model, rows, np.ones(5))


def one(group: object) -> small.Fitted:
    return small.Fitted(small.mixture([1.0], group))


class TestOneComponent:
    """At the maximum of the likelihood the errors of one component are known in closed form."""

    number = 40
    rows = np.random.default_rng(0).normal(size=(number, 3)) @ [[2.0, 0.3, 0.1], [0.0, 1.0, -0.5], [0.0, 0.0, 0.7]]
    mean = rows.mean(0)
    covariance = np.cov(rows.T, bias=True)

    @pytest.mark.parametrize("name", ["EII", "EVI", "EEE", "EVE", "VEV"])
    def test_gaussians_of_every_kind_of_structure(self, name: str) -> None:
        parts, n = STRUCTURES[name], self.number
        variances = np.diag(self.covariance)
        if parts.shape == "I":
            estimate = np.full((1, 3), variances.mean())
            expected = np.sqrt(2.0 / (3.0 * n)) * estimate
        elif parts.diagonal:
            estimate, expected = variances[None], np.sqrt(2.0 / n) * variances[None]
        else:
            estimate = self.covariance[None]
            expected = np.sqrt((np.outer(variances, variances) + self.covariance**2)[None] / n)
        found = one(small.gaussian(self.mean[None], estimate, structure=name)).standard_errors(self.rows)
        np.testing.assert_allclose(found["covariances"], expected, rtol=1e-9)
        spread = estimate if parts.diagonal else variances[None]
        np.testing.assert_allclose(found["means"], np.sqrt(spread / n), rtol=1e-9)
        np.testing.assert_array_equal(found["weights"], [0.0])

    def test_weights_count_rows(self) -> None:
        weights = np.random.default_rng(1).integers(1, 4, size=self.number)
        copies = np.repeat(self.rows, weights, axis=0)
        group = small.gaussian(copies.mean(0)[None], np.cov(copies.T, bias=True)[None])
        weighted = one(group).standard_errors(self.rows, sample_weight=weights)
        copied = one(group).standard_errors(copies)
        for name, errors in weighted.items():
            np.testing.assert_allclose(errors, copied[name], rtol=1e-10)

    @pytest.mark.parametrize(
        "kind", ["poisson", "exponential", "bernoulli", "categorical", "gamma", "log-normal", "normal"]
    )
    def test_scalar_families(self, kind: str) -> None:
        random, n = np.random.default_rng(0), 50
        if kind == "poisson":
            rows = random.poisson(3.0, size=(n, 1)).astype(float)
            rate = rows.mean()
            found = one(small.family(families.Poisson(np.full((1, 1), rate)), (0,))).standard_errors(rows)
            expected = {"rates": np.sqrt(rate / n)}
        elif kind == "exponential":
            rows = random.exponential(size=(n, 1))
            rate = 1.0 / rows.mean()
            found = one(small.family(families.Exponential(np.full((1, 1), rate)), (0,))).standard_errors(rows)
            expected = {"rates": rate / np.sqrt(n)}
        elif kind == "bernoulli":
            rows = random.integers(0, 2, size=(n, 1)).astype(float)
            p = rows.mean()
            found = one(small.family(families.Bernoulli(np.full((1, 1), p)), (0,))).standard_errors(rows)
            expected = {"probabilities": np.sqrt(p * (1 - p) / n)}
        elif kind == "categorical":
            rows = random.integers(0, 3, size=(n, 1)).astype(float)
            p = np.append(np.bincount(rows[:, 0].astype(int)) / n, 0.0)  # the last level never occurs
            found = one(small.family(families.Categorical(p[None, None]), (0,), 2)).standard_errors(rows)
            expected = {"probabilities": np.sqrt(p * (1 - p) / n)[None, None]}
        elif kind == "gamma":
            rows = random.gamma(3.0, 2.0, size=(n, 1))
            a, _, _ = small.stats.gamma.fit(rows[:, 0], floc=0)
            for _ in range(20):
                gap = np.log(rows.mean()) - np.log(rows).mean() - np.log(a) + special.digamma(a)
                a += gap / (1.0 / a - special.polygamma(1, a)) if abs(gap) > 1e-15 else 0.0
            b = a / rows.mean()
            group = small.family(families.Gamma(np.full((1, 1), a), np.full((1, 1), b)), (0,), 2)
            found = one(group).standard_errors(rows)
            fisher = n * np.array([[special.polygamma(1, a), -1.0 / b], [-1.0 / b, a / b**2]])
            inverse = np.sqrt(np.diag(np.linalg.inv(fisher)))
            expected = {"shapes": inverse[0], "rates": inverse[1]}
        else:
            rows = random.normal(1.0, 2.0, size=(n, 1))
            normal = families.Normal(np.full((1, 1), rows.mean()), np.full((1, 1), rows.var()))
            value = families.LogNormal(normal) if kind == "log-normal" else normal
            found = one(small.family(value, (0,), 2)).standard_errors(np.exp(rows) if kind == "log-normal" else rows)
            expected = {"means": np.sqrt(rows.var() / n), "variances": np.sqrt(2.0 / n) * rows.var()}
        assert set(found) == {"weights", *expected}
        for name, errors in expected.items():
            np.testing.assert_allclose(found[name], np.broadcast_to(errors, found[name].shape), rtol=1e-8, atol=1e-15)


class TestGroupsFarApart:
    """Groups that do not overlap are as good as labelled."""

    counts = np.array([30, 50])
    random = np.random.default_rng(3)
    parts = (random.normal(size=(30, 2)) @ [[1.0, 0.4], [0.0, 1.0]], 1000.0 + 2.0 * random.normal(size=(50, 2)))
    rows = np.concatenate(parts)
    means = np.array([part.mean(0) for part in parts])
    own = np.array([np.cov(part.T, bias=True) for part in parts])

    def test_weights_and_groups_of_their_own(self) -> None:
        model = small.mixture(self.counts / 80.0, small.gaussian(self.means, self.own))
        found = small.Fitted(model).standard_errors(self.rows)
        np.testing.assert_allclose(found["weights"], np.sqrt(3 / 8 * 5 / 8 / 80), rtol=1e-8)
        for k, n in enumerate(self.counts):
            variances = np.diag(self.own[k])
            np.testing.assert_allclose(found["means"][k], np.sqrt(variances / n), rtol=1e-7)
            square = np.outer(variances, variances) + self.own[k] ** 2
            np.testing.assert_allclose(found["covariances"][k], np.sqrt(square / n), rtol=1e-7)

    def test_a_shared_covariance_has_all_rows(self) -> None:
        pooled = np.tensordot(self.counts / 80.0, self.own, 1)
        group = small.gaussian(self.means, np.stack([pooled, pooled]), structure="EEE")
        found = small.Fitted(small.mixture(self.counts / 80.0, group)).standard_errors(self.rows)
        square = np.outer(np.diag(pooled), np.diag(pooled)) + pooled**2
        np.testing.assert_allclose(found["covariances"], [np.sqrt(square / 80)] * 2, rtol=1e-7)
        for k, n in enumerate(self.counts):
            np.testing.assert_allclose(found["means"][k], np.sqrt(np.diag(pooled) / n), rtol=1e-7)

    def test_what_is_fixed_has_no_error(self) -> None:
        fixed = np.array([True, False])
        group = small.gaussian(self.means, self.own, fixed_means=fixed, fixed_covariances=~fixed)
        model = small.mixture(self.counts / 80.0, group, fixed_weights=np.array([True, True]))
        found = small.Fitted(model).standard_errors(self.rows)
        np.testing.assert_array_equal(found["weights"], 0.0)
        np.testing.assert_array_equal(found["means"][0], 0.0)
        np.testing.assert_array_equal(found["covariances"][1], 0.0)
        np.testing.assert_allclose(found["means"][1], np.sqrt(np.diag(self.own[1]) / 50), rtol=1e-7)
        assert (found["covariances"][0] > 0).all()

    def test_groups_of_columns_have_names_of_their_own(self) -> None:
        model = small.mixture(
            self.counts / 80.0,
            small.gaussian(self.means[:, :1], self.own[:, :1, 0], (0,)),
            small.gaussian(self.means[:, 1:], self.own[:, 1:, 1], (1,)),
        )
        found = small.Fitted(model).standard_errors(self.rows)
        assert set(found) == {"weights", *(f"groups.{g}.{name}" for g in (0, 1) for name in ("means", "covariances"))}
        np.testing.assert_allclose(found["groups.1.means"][:, 0], np.sqrt(self.own[:, 1, 1] / self.counts), rtol=1e-7)


def test_overlapping_groups_against_the_derivatives_of_the_raw_parameters() -> None:
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=60), random.normal(3.5, 1.5, size=40)])
    start = np.array([0.6, 0.0, 3.0, 1.0, 2.0])

    def scores(at: np.ndarray) -> np.ndarray:
        """Gradient of log p(x) by hand in (π_1, μ_1, μ_2, v_1, v_2), summed over the rows."""
        weights, means, variances = np.array([at[0], 1.0 - at[0]]), at[1:3], at[3:5]
        density = small.stats.norm.pdf(x[:, None], means, np.sqrt(variances))
        share = weights * density / (density @ weights)[:, None]
        gap = (x[:, None] - means) / variances
        slopes = [share[:, 0] / at[0] - share[:, 1] / (1.0 - at[0])]
        slopes += [*(share * gap).T, *(0.5 * share * (gap**2 - 1.0 / variances)).T]
        return np.sum(slopes, axis=1)

    def information(at: np.ndarray) -> np.ndarray:
        step = 1e-3 * np.eye(5)
        nodes = zip((-1 / 60, 3 / 20, -3 / 4, 3 / 4, -3 / 20, 1 / 60), (-3, -2, -1, 1, 2, 3), strict=True)
        weighted = [(w, [scores(at + n * d) for d in step]) for w, n in nodes]
        return -sum(w * np.array(slopes) for w, slopes in weighted) / 1e-3

    at = optimize.root(scores, start, jac=lambda at: -information(at), tol=1e-14).x
    assert np.abs(scores(at)).max() < 1e-9
    errors = np.sqrt(np.diag(np.linalg.inv(information(at))))
    group = small.gaussian(at[1:3, None], at[3:5, None], structure="V")
    found = small.Fitted(small.mixture([at[0], 1.0 - at[0]], group)).standard_errors(x[:, None])
    np.testing.assert_allclose(found["weights"], errors[[0, 0]], rtol=1e-8)
    np.testing.assert_allclose(found["means"][:, 0], errors[1:3], rtol=1e-8)
    np.testing.assert_allclose(found["covariances"][:, 0], errors[3:5], rtol=1e-8)


class TestSingular:
    rows = np.random.default_rng(0).normal(size=(30, 1))

    def test_components_that_coincide_are_named(self) -> None:
        means, variances = np.array([[5.0], [0.0], [0.0]]), np.ones((3, 1))
        rows = np.concatenate([self.rows, 5.0 + self.rows])
        model = small.mixture([0.5, 0.25, 0.25], small.gaussian(means, variances))
        with pytest.raises(ValueError, match="singular: the rows do not determine the parameters of components 1, 2"):
            small.Fitted(model).standard_errors(rows)

    def test_a_component_without_rows_is_named(self) -> None:
        model = small.mixture([1.0, 0.0], small.gaussian([[0.0], [50.0]], np.ones((2, 1))))
        with pytest.raises(ValueError, match="the parameters of component 1"):
            small.Fitted(model).standard_errors(self.rows)

    def test_what_is_shared_is_named(self) -> None:
        model = small.mixture([0.5, 0.5], small.gaussian([[0.0], [50.0]], np.full((2, 1), 100.0), structure="E"))
        with pytest.raises(ValueError, match="shared by all"):
            small.Fitted(model).standard_errors(np.array([[0.0], [50.0]]))

    def test_impossible_values_of_a_group_have_no_error(self) -> None:
        """A group without a level, one that is always yes, one that never counts."""
        rows = np.array([[0.0, 0.0, 0.0]] * 6 + [[1.0, 0.0, 0.0]] * 4 + [[2.0, 1.0, 3.0]] * 4 + [[1.0, 1.0, 7.0]])
        model = small.mixture(
            [2 / 3, 1 / 3],
            small.family(families.Categorical(np.array([[[0.6, 0.4, 0.0]], [[0.0, 0.2, 0.8]]])), (0,), 2),
            small.family(families.Bernoulli(np.array([[0.0], [1.0]])), (1,)),
            small.family(families.Poisson(np.array([[0.0], [3.8]])), (2,)),
        )
        found = small.Fitted(model).standard_errors(rows)
        np.testing.assert_allclose(found["weights"], np.sqrt(2 / 9 / 15), rtol=1e-9)
        spread = np.sqrt([[[0.024, 0.024, 0.0]], [[0.0, 0.032, 0.032]]])
        np.testing.assert_allclose(found["groups.0.probabilities"], spread, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["groups.1.probabilities"], 0.0, atol=1e-12)
        np.testing.assert_allclose(found["groups.2.rates"], [[0.0], [np.sqrt(3.8 / 5)]], rtol=1e-9, atol=1e-12)

    def test_a_dispersion_at_its_bound_has_no_error(self) -> None:
        rows = np.random.default_rng(0).binomial(10, 0.9, size=(40, 1)).astype(float)
        nb = families.NegativeBinomial(np.full((1, 1), rows.mean()), np.full((1, 1), 1e10))
        found = one(small.family(nb, (0,), 2)).standard_errors(rows)
        assert np.isnan(found["dispersions"]).all()
        np.testing.assert_allclose(found["means"], np.sqrt(rows.mean() / 40), rtol=1e-6)


@double_precision
def test_owners_name_the_component_or_all() -> None:
    around = coordinates(structured("VEE"))
    owners = around.owners.tolist()
    assert owners[:2] == [1, 2]
    assert sorted(owners[2:]) == sorted([SHARED] * 5 + [0, 1, 2] + [0] * 3 + [1] * 3 + [2] * 3)
    kept = dataclasses.replace(structured("VEE").groups[0], fixed_covariances=np.array([True, False, True]))
    fixed = coordinates(small.mixture([0.5, 0.3, 0.2], kept))
    assert SHARED not in fixed.owners
    assert fixed.owners.size == 2 + 9 + 6
