"""One M-step from given responsibilities against R's mclust (the figures and calls: mclust.R, beside this file)."""

import json
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import covariance_oracle as oracle
from tacit.families.covariance import default_prior, maximise_covariances, n_covariance_parameters

HERE = Path(__file__).resolve().parent
STEPS = json.loads((HERE / "mclust_msteps.json").read_text(encoding="utf-8"))["steps"]
step = jax.jit(maximise_covariances, static_argnames=("structure", "tolerance", "iterations"))


def rows_of(name: str, tables: Path) -> tuple[np.ndarray, np.ndarray]:
    """The rows and the centres of the soft assignment."""
    if name == "iris":
        rows = load_iris().data
        return rows, rows[[0, 50, 100]]
    column = np.genfromtxt(tables / "faithful.csv", delimiter=",", skip_header=1)[:, :1]
    return column, np.array([[2.0], [4.5]])


@pytest.mark.parametrize("case", STEPS, ids=lambda case: "-".join(case[k] for k in ("data", "structure", "prior")))
def test_an_m_step_is_that_of_mclust(case: dict, shared_data: Path) -> None:
    rows, centres = rows_of(case["data"], shared_data / "tables")
    logs = -0.5 * ((rows[:, None] - centres) ** 2).sum(-1)
    share = np.exp(logs - logs.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    counts = share.sum(0)
    means = share.T @ rows / counts[:, None]
    centred = rows[:, None] - means
    scatter = np.einsum("nk,nki,nkj->kij", share, centred, centred)
    structure = case["structure"]
    with jax.enable_x64(True):
        if case["prior"] == "default":
            covariance = np.atleast_2d(np.cov(rows.T))
            prior = default_prior(structure, rows.mean(0), covariance, len(counts))
            means, scatter, counts = prior.posterior_mode(structure, counts, means, scatter)
        start = np.broadcast_to(np.eye(rows.shape[1]), scatter.shape)
        found = np.asarray(step(structure, scatter, counts, start, tolerance=1e-15, iterations=2000))
    np.testing.assert_allclose(means, np.array(case["means"]), rtol=1e-12)
    expected = np.array(case["covariances"])
    if structure == "VVE":  # there mclust's iteration ends well before the maximum: its slope is still 6 nats
        assert oracle.objective(scatter, counts, found) > oracle.objective(scatter, counts, expected) + 0.1
        return
    # for VEE and EVE it ends a little before
    slack = {"VEE": 1e-7, "EVE": 1e-6}.get(structure, 1e-11)
    np.testing.assert_allclose(found, expected, rtol=0, atol=slack * np.abs(expected).max())


def test_the_numbers_of_parameters_are_those_of_mclust() -> None:
    dims = {"faithful": 2, "iris": 4, "diabetes": 3, "eruptions": 1}
    table = pd.read_csv(HERE / "mclust_bic.csv")
    assert len(table) == 9 * (3 * 14 + 2) + 9 * (3 * 10 + 2)  # mclust has a prior for ten of fourteen
    for row in table.itertuples():
        d, k = dims[row.data], row.n_components
        assert row.n_parameters == n_covariance_parameters(row.structure, k, d) + k * d + k - 1
