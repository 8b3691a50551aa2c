"""A masked entry is a gap where a model takes gaps, and is refused, by name, where it takes none: it is never read."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils import get_tags

from tacit import VAE, BayesianLinearRegression, GaussianMixture, Mixture, SemiSupervisedVAE, registry
from tacit.estimators.base import read_weights, unmasked

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]
QUICK = {"n_components": 2, "n_clusters": 2, "random_state": 0, "n_init": 1, "max_iter": 5, "max_epochs": 1}
QUICK |= {"hidden": (4,), "n_samples": 2, "validation_fraction": 0.0}
QUICK |= {"members": (GaussianMixture(1), GaussianMixture(2))}


def made(name: str) -> BaseEstimator:
    known = registry.settings(name)
    if name == "bayesian-network":  # whose hidden nodes are no widths of layers
        return registry.create(name)
    return registry.create(name, **{setting: value for setting, value in QUICK.items() if setting in known})


def counts() -> tuple[np.ma.MaskedArray, np.ndarray]:
    """Counts, of which some are masked over values that would stand out."""
    random = np.random.default_rng(0)
    rows = np.ma.masked_array(random.poisson(4.0, (40, 3)), mask=random.random((40, 3)) < 0.1)
    rows.data[rows.mask] = 99_999
    return rows, np.repeat([0, 1], 20)


@pytest.mark.parametrize("name", registry.names())
def test_a_masked_entry_is_a_gap_or_is_refused(name: str) -> None:
    rows, y = counts()
    target = rows.data[:, 0].astype(float) if is_regressor(made(name)) else y
    if not get_tags(made(name)).input_tags.allow_nan:
        with pytest.raises(ValueError, match=r"X is a masked array with 1\d masked entries"):
            made(name).fit(rows, target)
        return
    asked, gaps = made(name).fit(rows, target), made(name).fit(rows.astype(float).filled(np.nan), target)
    found: list[Any] = [
        model.score_samples(X) if hasattr(model, "score_samples") else model.transform(X)
        for model, X in ((asked, rows), (gaps, rows.astype(float).filled(np.nan)))
    ]
    np.testing.assert_array_equal(*found)


def test_nothing_masked_is_an_array() -> None:
    assert unmasked(np.ma.masked_array([1, 2])).dtype == int
    assert unmasked([[1.0]]) == [[1.0]]
    single = unmasked(np.ma.masked_array(np.ones(2, np.float32), mask=[True, False]), gaps=True)
    assert single.dtype == np.float32
    assert np.isnan(single).tolist() == [True, False]


def test_masked_weights_and_targets_are_refused() -> None:
    masked = np.ma.masked_array(np.ones(3), mask=[True, False, False])
    with pytest.raises(ValueError, match="sample_weight is a masked array with 1 masked entries"):
        read_weights(np.ones((3, 1)), masked)
    with pytest.raises(ValueError, match="y is a masked array"):
        BayesianLinearRegression().fit(np.arange(3.0)[:, None], masked)


def test_masked_text_is_missing() -> None:
    rows = np.ma.masked_array([["a", 1.0], ["b", 2.0], ["a", 3.0], ["b", 4.5]] * 5, dtype=object)
    rows[0, 0] = np.ma.masked
    assert Mixture(1, n_init=1).fit(rows).schema_.columns[0].levels == ("a", "b")


def test_masked_labels_are_no_labels() -> None:
    rows, y = counts()
    labels = np.ma.masked_array(y, mask=np.arange(40) % 4 > 0)
    fits = [
        SemiSupervisedVAE(1, hidden=(4,), max_epochs=1, random_state=0).fit(rows.data.astype(float), each)
        for each in (labels, labels.filled(-1))
    ]
    np.testing.assert_array_equal(fits[0].trace_.bound, fits[1].trace_.bound)


MASKED = np.ma.masked_array(np.full(4, 99_999.0), mask=[True, False, True, False])
MASKED.data[[1, 3]] = [0.5, -0.5]


def test_masked_entries_of_what_a_density_is_asked_are_gaps() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3)) @ [[1.0, 0.5, 0.2], [0.0, 1.0, -0.4], [0.0, 0.0, 1.0]]
    fit = GaussianMixture(2, random_state=0).fit(rows)
    gaps = MASKED.filled(np.nan)
    asked = np.ma.column_stack([MASKED, MASKED[::-1]])
    density = fit.marginal([0, 2])
    np.testing.assert_array_equal(density.log_prob(asked), density.log_prob(asked.filled(np.nan)))
    np.testing.assert_array_equal(fit.marginal(1).cdf(MASKED), fit.marginal(1).cdf(gaps))
    np.testing.assert_array_equal(fit.condition({1: MASKED}).mean(), fit.condition({1: gaps}).mean())
    np.testing.assert_array_equal(density.condition({0: MASKED}).mean(), density.condition({0: gaps}).mean())
    np.testing.assert_array_equal(fit.condition({1: np.ma.masked}).mean(), fit.marginal([0, 2]).mean())
    with pytest.raises(ValueError, match="q is a masked array"):
        fit.marginal(1).quantile(np.ma.masked_array([0.1, 0.5], mask=[True, False]))


def test_masked_entries_of_what_a_deep_model_is_asked() -> None:
    rows, labels = counts()
    fit = VAE(1, hidden=(4,), max_epochs=1, n_samples=2, random_state=0, likelihood="normal")
    fit = fit.fit(rows.data.astype(float), given=labels)
    for given in (np.ma.masked_array(labels, mask=labels == 1), np.ma.masked_array(labels * 0.3, mask=labels == 1)):
        with pytest.raises(ValueError, match="given is a masked array with 20 masked entries"):
            VAE(1, hidden=(4,), max_epochs=1).fit(rows.data.astype(float), given=given)
        with pytest.raises(ValueError, match="given is a masked array with 20 masked entries"):
            fit.score_samples(rows, given=given)
    with pytest.raises(ValueError, match="given is a masked array with 1 masked entries"):
        fit.sample(3, given=np.ma.masked)
    plain = VAE(1, hidden=(4,), max_epochs=1, n_samples=2, random_state=0, likelihood="normal").fit(rows)
    ends = rows[:2].astype(float)
    np.testing.assert_array_equal(plain.interpolate(*ends), plain.interpolate(*ends.filled(np.nan)))
    np.testing.assert_array_equal(plain.traverse(ends[0], 0), plain.traverse(ends[0].filled(np.nan), 0))


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score", "bic", "icl", "standard_errors"])
def test_a_masked_weight_is_refused(method: str) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 2))
    weights = np.ma.masked_array(np.ones(40), mask=np.arange(40) == 7)
    with pytest.raises(ValueError, match=r"1 masked entries, and the weight of a row must be known: .* weight 0"):
        getattr(GaussianMixture(1).fit(rows), method)(rows, sample_weight=weights)


def test_a_masked_weight_is_refused_by_a_deep_model() -> None:
    rows, _ = counts()
    fit = VAE(1, hidden=(4,), max_epochs=1, n_samples=2, random_state=0).fit(rows)
    weights = np.ma.masked_array(np.ones(40), mask=np.arange(40) == 7)
    for ask in (fit.fit, fit.score):
        with pytest.raises(ValueError, match="the weight of a row must be known"):
            ask(rows, sample_weight=weights)
