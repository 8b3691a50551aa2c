"""A masked entry is a gap where a model takes gaps, and is refused, by name, where it takes none: it is never read."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils import get_tags

from tacit import BayesianLinearRegression, Mixture, SemiSupervisedVAE, registry
from tacit.estimators.base import read_weights, unmasked

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]
QUICK = {"n_components": 2, "n_clusters": 2, "random_state": 0, "n_init": 1, "max_iter": 5, "max_epochs": 1}


def made(name: str) -> BaseEstimator:
    known = registry.settings(name)
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
