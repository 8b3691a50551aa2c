"""The E-step in pieces of products is the E-step of one product, and in float32 nearly."""

import dataclasses
import warnings

import numpy as np
import pytest

from tacit import GaussianMixture
from tacit.compute import eagerly
from tacit.models.components.steps import LinearStep, Pairs
from tacit.models.mixture import fitting, products
from tacit.models.mixture.model import MixtureStep
from tacit.models.mixture.rules import PosteriorRule


def mixture_step(lead: tuple[int, ...], dims: int, random: np.random.Generator, *, single: bool = False) -> MixtureStep:
    factors = np.tril(0.3 * random.normal(size=(*lead, dims, dims)), -1) + np.eye(dims)
    precision = factors @ np.swapaxes(factors, -1, -2)
    i, j = np.triu_indices(dims)
    pairs = np.where(i == j, -0.5, -1.0) * precision[..., i, j]
    natural = np.concatenate([random.normal(size=(*lead, dims)), pairs], axis=-1)
    part = LinearStep(Pairs(single), natural, random.normal(size=lead), tuple(range(dims)))
    log_weights = np.log(random.dirichlet(np.ones(lead[-1]), size=lead[:-1]))
    log_weights[..., 1] = -np.inf  # padding
    return MixtureStep(log_weights, (part,), PosteriorRule())


@pytest.mark.parametrize("lead", [(5,), (1, 6), (3, 4)])
@pytest.mark.parametrize(("rows", "dims"), [(512, 3), (2048, 16), (1337, 7)])
def test_pieces_add_up_to_the_whole(lead: tuple[int, ...], rows: int, dims: int, monkeypatch) -> None:
    random = np.random.default_rng(rows)
    x, weights = random.normal(size=(rows, dims)), random.random(rows)
    step = mixture_step(lead, dims, random)
    with eagerly():
        monkeypatch.setattr(products, "MANY_NUMBERS", 0)
        found = step(x, weights, None)
        monkeypatch.setattr(products, "MANY_NUMBERS", np.inf)
        expected = dataclasses.replace(step)(x, weights, None)
    np.testing.assert_allclose(found.bound, expected.bound, rtol=1e-12)
    np.testing.assert_allclose(found.statistics[0], expected.statistics[0], rtol=1e-11, atol=1e-11)
    for one, other in zip(found.statistics[1][0], expected.statistics[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-10)


def test_float32_errs_by_less_than_it_says() -> None:
    random = np.random.default_rng(1)
    x, weights = random.normal(size=(4096, 12)), np.ones(4096)
    double, single = (mixture_step((4,), 12, np.random.default_rng(2), single=s) for s in (False, True))
    with eagerly():
        expected, found = double(x, weights, None), single(x, weights, None)
    assert found.statistics[0].dtype == np.float64
    assert abs(found.bound - expected.bound) / len(x) < products.SINGLE_ERROR


def rows_of(random: np.random.Generator, width: float = 1.0) -> np.ndarray:
    centres = 2.0 * random.normal(size=(4, 12))
    return centres[random.integers(4, size=40_000)] + width * random.normal(size=(40_000, 12))


def fitted(rows: np.ndarray, **settings) -> GaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return GaussianMixture(4, means_init=rows[:4], max_iter=30, tol=1e-4, random_state=0, **settings).fit(rows)


def test_a_fit_in_pieces_is_the_compiled_fit(monkeypatch) -> None:
    rows = rows_of(np.random.default_rng(3))
    monkeypatch.setattr(fitting, "small", lambda *_: False)
    found = fitted(rows)
    monkeypatch.setattr(fitting, "in_products", lambda *_: False)
    expected = fitted(rows)
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(found.means_, expected.means_, atol=1e-10)
    np.testing.assert_allclose(found.covariances_, expected.covariances_, atol=1e-10)
    np.testing.assert_allclose(found.lower_bound_, expected.lower_bound_, rtol=1e-12)


def test_rows_in_float32_take_products_in_float32(monkeypatch) -> None:
    rows = rows_of(np.random.default_rng(4)).astype(np.float32)
    seen: list[str] = []
    before = fitting.in_form
    monkeypatch.setattr(fitting, "small", lambda *_: False)
    monkeypatch.setattr(fitting, "in_form", lambda models, form: seen.append(form) or before(models, form))
    single, double = fitted(rows), fitted(rows.astype(float))
    assert seen == ["single", "product", "product"]  # the end of the first, and all of the second, in float64
    assert abs(single.lower_bound_ - double.lower_bound_) < 1e-4
    assert np.abs(single.score_samples(rows) - double.score_samples(rows)).max() < 1e-3
    assert single.means_.dtype == np.float32
    np.testing.assert_allclose(single.trace_.bound[-1] / len(rows), single.lower_bound_, rtol=1e-12)


def test_where_float32_would_lose_digits_it_is_said(monkeypatch) -> None:
    rows = rows_of(np.random.default_rng(5), width=0.03).astype(np.float32)
    monkeypatch.setattr(fitting, "small", lambda *_: False)
    with pytest.warns(RuntimeWarning, match="taken in float64"):
        fitted(rows, precisions_init=np.tile(1e3 * np.eye(12), (4, 1, 1)))
