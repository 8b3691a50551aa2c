"""The conditional log-density of an entry against scipy's, for arrays, frames with text, and rows with gaps."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse, stats
from sklearn import mixture as peer

from small_mixtures import log_density
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.counts import MultinomialMixture, PoissonMixture
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture
from tacit.evaluation.anomalies import odd_columns


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3)) @ np.array([[1.0, 0.9, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 1.0]])
    x[:25] += [6.0, 0.0, 3.0]
    return x


def by_scipy(estimator, row: np.ndarray) -> list[float]:
    """``log p(x) − log p(x without j)`` from scipy's marginal densities."""
    whole = log_density(estimator.model_, row)
    found = []
    for column in range(row.size):
        without = row.copy()
        without[column] = np.nan
        found.append(np.nan if np.isnan(row[column]) else whole - log_density(estimator.model_, without))
    return found


@pytest.mark.parametrize("gaps", [False, True])
def test_entries_of_a_gaussian_mixture(rows: np.ndarray, gaps: bool) -> None:
    fit = GaussianMixture(2, random_state=0).fit(rows)
    some = rows[20:30].copy()
    if gaps:
        some[0, 0] = some[3, 1:] = np.nan
    found = odd_columns(fit, some)
    np.testing.assert_allclose(found, [by_scipy(fit, row) for row in some], rtol=1e-9, atol=1e-9)
    assert np.isnan(found).sum() == 3 * gaps


def test_a_broken_correlation_is_odd_where_each_value_alone_is_not(rows: np.ndarray) -> None:
    fit = GaussianMixture(1).fit(rows[25:])
    ordinary, broken = np.array([1.0, 0.9, 0.0]), np.array([1.0, -0.9, 0.0])
    found = odd_columns(fit, np.stack([ordinary, broken]))
    assert found[1].argmin() in (0, 1)
    assert (found[1, :2] < found[0, :2] - 2.0).all()
    # given the two others, an entry of one Gaussian is normal with variance 1/Λ_jj
    precision = np.linalg.inv(fit.covariances_[0])
    centred = broken - fit.means_[0]
    mean = broken - (precision @ centred) / np.diag(precision)
    law = stats.norm(mean, 1 / np.sqrt(np.diag(precision)))
    np.testing.assert_allclose(found[1], law.logpdf(broken), rtol=1e-9)


def test_frames_of_every_make_are_read_by_name(rows: np.ndarray) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    fit = GaussianMixture(2, random_state=0).fit(frame)
    wanted = odd_columns(GaussianMixture(2, random_state=0).fit(rows), rows)
    for X in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        np.testing.assert_allclose(odd_columns(fit, X), wanted, rtol=1e-9)
    unnamed = GaussianMixture(2, random_state=0).fit(pd.DataFrame(rows))
    np.testing.assert_allclose(odd_columns(unnamed, pd.DataFrame(rows)), wanted, rtol=1e-9)


def test_text_and_gaps_in_a_frame(rows: np.ndarray) -> None:
    town = np.where(np.arange(60) < 25, "Ulm", "Bonn").astype(object)
    frame = pd.DataFrame({"size": rows[:, 0], "town": town})
    fit = Mixture(2, random_state=0, n_init=1).fit(frame)
    asked = frame.iloc[[0, 1, 30]].copy()
    asked.loc[0, "town"] = "Bonn"
    asked.loc[1, "size"] = np.nan
    found = odd_columns(fit, asked[["town", "size"]])  # any order of the columns
    codes = fit.read(asked, reset=False).rows()
    np.testing.assert_allclose(found, [by_scipy(fit, row) for row in codes], rtol=1e-9, atol=1e-12)
    assert np.isnan(found[1, 0])
    assert found[0, 1] < found[2, 1] - 2.0


def test_counts_in_a_sparse_matrix() -> None:
    counts = np.random.default_rng(0).poisson([1.0, 5.0], size=(30, 2)).astype(float)
    fit = PoissonMixture(1, objective="mle", n_init=1).fit(counts)
    from_sparse = odd_columns(fit, sparse.csr_array(counts))
    np.testing.assert_allclose(from_sparse, stats.poisson(counts.mean(axis=0)).logpmf(counts), rtol=1e-9)


def test_what_has_no_parts_is_said(rows: np.ndarray) -> None:
    counts = np.random.default_rng(0).poisson(4.0, size=(20, 3)).astype(float)
    with pytest.raises(ValueError, match="columns 0, 1, 2 are one row of counts given its total"):
        odd_columns(MultinomialMixture(n_init=1).fit(counts), counts)
    with pytest.raises(ValueError, match="KMeans has no score_samples"):
        odd_columns(KMeans(2).fit(rows), rows)
    with pytest.raises(ValueError, match="takes no missing entries"):
        odd_columns(peer.GaussianMixture(2).fit(rows), rows)
