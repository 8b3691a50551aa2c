"""What the bound loses, against the KL of an encoder that is wrong by a known amount."""

import equinox as eqx
import numpy as np
import pytest

from linear_vae import LinearCase, linear_case
from tacit import GaussianMixture, inference_gap, latent_health

CHEAP = {"chains": 8, "steps": 40}


@pytest.fixture(scope="module")
def case() -> LinearCase:
    return linear_case()


def test_an_exact_encoder_leaves_no_gap(case: LinearCase) -> None:
    rows = case.rows[:16]
    found = inference_gap(case.model, rows, **CHEAP)
    np.testing.assert_allclose(found.elbo, case.log_prob(rows), atol=2e-3)
    np.testing.assert_allclose(found.best_elbo, case.log_prob(rows), atol=0.02)
    np.testing.assert_allclose(found.log_prob, case.log_prob(rows), atol=2e-3)
    assert abs(found.total[0]) < 2e-3
    health = latent_health(case.model, rows, gap_rows=16)
    assert health.gap is not None
    assert abs(health.gap.total[0]) < 2e-3


@pytest.mark.parametrize(("shift", "widened"), [(2.0, 1.0), (0.5, 0.5), (0.0, 2.0)])
def test_what_a_wrong_encoder_loses_is_its_divergence(case: LinearCase, shift: float, widened: float) -> None:
    found = inference_gap(case.with_encoder(shift, widened), case.rows, rows=32, **CHEAP)
    mean, error = found.amortisation
    assert found.elbo.size == 32
    assert mean == pytest.approx(case.loss(shift, widened), rel=0.03)
    assert abs(found.approximation[0]) < 0.01
    assert found.total[0] == pytest.approx(found.approximation[0] + mean, abs=1e-9)
    assert error == pytest.approx(np.std(found.best_elbo - found.elbo, ddof=1) / np.sqrt(32), rel=1e-9)
    assert "The encoder is the weaker part" in str(found)


def test_a_posterior_that_leans_is_out_of_a_diagonal_gaussians_reach() -> None:
    case = linear_case()
    turned = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2.0)
    loading = (case.loading @ turned).astype(np.float32)
    # the same p(x), and another p(z|x)
    case.model.model_ = eqx.tree_at(lambda m: m.decoder.layers[-1].weight, case.model.model_, loading)
    precision = np.eye(2) + loading.T @ loading / case.noise**2
    # the best diagonal Gaussian has the diagonal of the precision
    wanted = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    found = inference_gap(case.model, case.rows[:24], **CHEAP)
    np.testing.assert_allclose(found.log_prob.mean(), case.log_prob(case.rows[:24]).mean(), atol=0.03)
    assert wanted > 0.1
    assert found.approximation[0] == pytest.approx(wanted, rel=0.1)


def test_a_model_without_an_encoder_is_refused(case: LinearCase) -> None:
    with pytest.raises(ValueError, match="GaussianMixture has no encoder"):
        inference_gap(GaussianMixture().fit(case.rows), case.rows)
    with pytest.raises(ValueError, match="rows must be a whole number of at least 2"):
        inference_gap(case.model, case.rows, rows=1)
