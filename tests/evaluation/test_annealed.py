"""log p(x) by annealing, against the exact likelihood of a linear model."""

import numpy as np
import pytest

from linear_vae import LinearCase, linear_case
from tacit import VAE, GaussianMixture, annealed_log_prob
from tacit.estimators.vae.vae import AutoEncoder
from tacit.evaluation.gap import summed

CHEAP = {"chains": 8, "steps": 40}


@pytest.fixture(scope="module")
def case() -> LinearCase:
    return linear_case()


@pytest.mark.parametrize("start", ["refined", "posterior", "prior"])
def test_annealed_and_importance_weighted_scores_are_the_exact_ones(case: LinearCase, start: str) -> None:
    rows = case.rows[:16].copy()
    rows[::3, 2] = np.nan
    wanted = case.log_prob(rows)
    chains, steps = (16, 200) if start == "prior" else (8, 40)
    found = annealed_log_prob(case.model, rows, chains=chains, steps=steps, start=start)
    assert np.all(np.abs(found.values - wanted) < 5 * found.error + 2e-3)
    assert abs(found.mean - wanted.mean()) < 4 * found.mean_error + 1e-3
    assert found.acceptance.mean() == pytest.approx(0.65, abs=0.15)
    whole = ~np.isnan(rows).any(axis=1)  # of rows with gaps the encoder knows less
    np.testing.assert_allclose(case.model.score_samples(rows, n_samples=300)[whole], wanted[whole], atol=2e-3)
    assert f"log p(x) ≥ {found.mean:.3f}" in str(found)


def test_the_weights_are_unbiased_however_few_the_bridges(case: LinearCase) -> None:
    rows = case.rows[:64]
    settings = {"chains": 64, "steps": 8, "leaps": 2, "start": "posterior"}
    log_weights, _ = case.with_encoder(0.5, 1.3).annealed_weights(rows, **settings)
    ratios = np.exp(log_weights - case.log_prob(rows)[:, None])
    error = ratios.std() / np.sqrt(ratios.size)
    assert 0.003 < error < 0.05  # they do vary
    assert ratios.mean() == pytest.approx(1.0, abs=4 * error)


def test_a_poor_encoder_harms_importance_weights_and_not_the_chains(case: LinearCase) -> None:
    poor, rows = case.with_encoder(5.0, 0.6), case.rows[:16]
    wanted = case.log_prob(rows)
    annealed = annealed_log_prob(poor, rows, **CHEAP)
    weighted = poor.score_samples(rows, n_samples=300).mean()
    assert abs(annealed.mean - wanted.mean()) < 0.02
    assert weighted < wanted.mean() - 1.0


def test_a_rows_chains_are_its_own_and_follow_the_seed(case: LinearCase) -> None:
    rows = case.rows[:7]
    values = [annealed_log_prob(case.model, part, **CHEAP).values for part in (rows, rows[:3])]
    np.testing.assert_allclose(values[0][:3], values[1], rtol=1e-5)
    np.testing.assert_array_equal(annealed_log_prob(case.model, rows, **CHEAP).values, values[0])
    other = annealed_log_prob(case.model, rows, random_state=1, **CHEAP).values
    assert not np.array_equal(other, values[0])


def test_the_mean_weight_and_its_error_are_those_of_the_weights() -> None:
    weights = np.array([[1.0, 2.0, 3.0, 6.0], [1.0, 1.0, 1.0, 1.0]])
    values, error = summed(np.log(weights) - 900.0)
    np.testing.assert_allclose(values, np.log([3.0, 1.0]) - 900.0, rtol=1e-12)
    np.testing.assert_allclose(error, [weights[0].std(ddof=1) / 2 / 3, 0.0], atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_what_has_no_chains_is_refused(case: LinearCase) -> None:
    rows = case.rows
    with pytest.raises(ValueError, match="GaussianMixture has no chains"):
        annealed_log_prob(GaussianMixture().fit(rows), rows)
    plain = AutoEncoder(1, hidden=(), max_epochs=1, random_state=0).fit(rows)
    with pytest.raises(ValueError, match="posterior is a point"):
        annealed_log_prob(plain, rows)
    with pytest.raises(ValueError, match="chains must be a whole number of at least 2"):
        annealed_log_prob(case.model, rows, chains=1)
    with pytest.raises(ValueError, match="start must be one of 'refined'"):
        annealed_log_prob(case.model, rows, start="here")


@pytest.mark.filterwarnings("ignore")
def test_images_that_are_given_a_label_have_chains_too() -> None:
    random = np.random.default_rng(0)
    label = np.repeat([0, 1], 30)
    images = (random.random((60, 3, 3)) < np.where(label == 1, 0.8, 0.2)[:, None, None]).astype(np.uint8)
    model = VAE(1, hidden=(4,), max_epochs=60, learning_rate=1e-2, random_state=0).fit(images, given=label)
    found = annealed_log_prob(model, images[::8], given=label[::8], **CHEAP)
    score = model.score_samples(images[::8], given=label[::8], n_samples=500)
    np.testing.assert_allclose(found.values, score, atol=0.1)
