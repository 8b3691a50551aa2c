"""``infer`` against posteriors and evidences in closed form, and against what a wrong model should be told."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats as st

from tacit.estimators.infer import infer
from tacit.inference import begin
from tacit.inference.watch import watch

DRAW = np.random.default_rng(0)
A = DRAW.normal(size=(40, 3))
X = A @ np.array([1.0, -0.5, 0.0]) + DRAW.normal(size=40)
COVARIANCE = np.linalg.inv(np.eye(3) + A.T @ A)
MEAN = COVARIANCE @ A.T @ X
EVIDENCE = st.multivariate_normal(np.zeros(40), np.eye(40) + A @ A.T).logpdf(X)


def linear(own, rows):
    """``w ~ N(0, I)``, ``x ~ N(a w, 1)``."""
    a, x = rows
    log_prior = -0.5 * (own["w"] ** 2 + np.log(2 * np.pi)).sum()
    return log_prior, -0.5 * ((x - a @ own["w"]) ** 2 + np.log(2 * np.pi))


def test_a_normal_posterior_is_found_exactly_by_full_rank() -> None:
    found = infer(linear, (A, X), {"w": np.zeros(3)}, guide="full-rank", samples=2, restarts=2, n_draws=1000)
    assert abs(found.elbo - EVIDENCE) < 1e-3
    assert abs(found.verdict.log_evidence - EVIDENCE) < 1e-3
    assert found.khat < 0.7
    np.testing.assert_allclose(found.posterior.mean["w"], MEAN, atol=4.0 * np.sqrt(COVARIANCE.max() / 1000))
    np.testing.assert_allclose(np.cov(found.posterior.draws["w"].T), COVARIANCE, atol=0.005)
    assert found.converged
    assert "independent starts ended alike" in str(found)
    assert "found no other mode that matters" in str(found)
    assert found.sample(7)["w"].shape == (7, 3)
    assert found.corrected().draws["w"].shape == (1000, 3)


def test_mean_field_has_the_conditional_variances_and_the_bound_that_goes_with_them() -> None:
    found = infer(linear, (A, X), {"w": np.zeros(3)}, samples=4, restarts=1, n_draws=1000)
    narrow = 1.0 / np.sqrt(np.diagonal(np.linalg.inv(COVARIANCE)))
    np.testing.assert_allclose(found.posterior.sd["w"], narrow, rtol=0.1)
    exact = np.log(narrow).sum() - 0.5 * np.linalg.slogdet(COVARIANCE)[1]  # −KL of the best factorised normal
    assert abs(found.elbo - (EVIDENCE + exact)) < 4.0 * found.elbo_error + 1e-3
    assert abs(found.verdict.log_evidence - EVIDENCE) < 4.0 * found.verdict.log_evidence_error
    assert "One start only" in str(found)


def test_batches_of_rows_are_scaled_to_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin, "CHUNK_ROWS", 16)  # 40 rows: two chunks and a half
    found = infer(linear, (A, X), {"w": np.zeros(3)}, guide="full-rank", samples=2, batch_size=8, restarts=1)
    assert abs(found.elbo - EVIDENCE) < 0.02


def test_a_log_joint_of_one_number_and_a_support_with_its_jacobian() -> None:
    # τ ~ Gamma(3, 2), x ~ N(0, 1/τ): the evidence is a Student-t's
    x = np.array([0.4, -1.1, 2.0])

    def joint(own, x):
        tau = own["tau"]
        return 2.0 * jnp.log(tau) - 2.0 * tau + jnp.log(4.0) + 0.5 * (jnp.log(tau) - tau * x**2).sum()

    found = infer(joint, x, {"tau": 1.0}, {"tau": "positive"}, restarts=1, samples=4)
    shape, rate = 3.0 + 1.5, 2.0 + 0.5 * (x**2).sum()
    exact = st.gamma(shape, scale=1.0 / rate)
    assert abs(found.verdict.corrected["tau"][0] - exact.mean()) < 0.1
    assert abs(found.verdict.corrected["tau"][1] - exact.std()) < 0.1
    assert (found.posterior.draws["tau"] > 0).all()


def test_the_score_function_needs_no_gradient_of_the_model() -> None:
    def looped(own, rows):
        """The same, by a loop of unknown length, of which JAX cannot tell the gradient."""
        log_prior, each = linear(own, rows)
        start = (0, jnp.zeros_like(each))
        return log_prior, jax.lax.while_loop(lambda at: at[0] < 1, lambda at: (at[0] + 1, at[1] + each), start)[1]

    settings = {"estimator": "score-function-leave-one-out", "restarts": 1, "n_draws": 500}
    found = infer(looped, (A, X), {"w": np.zeros(3)}, **settings)
    assert found.elbo < EVIDENCE + 3.0 * found.elbo_error
    np.testing.assert_allclose(found.posterior.mean["w"], MEAN, atol=0.1)


def test_the_same_seed_gives_the_same_posterior() -> None:
    same = [infer(linear, (A, X), {"w": np.zeros(3)}, restarts=1, n_draws=200) for _ in range(2)]
    np.testing.assert_array_equal(same[0].posterior.draws["w"], same[1].posterior.draws["w"])


def test_a_fit_that_is_broken_off_gives_its_best_so_far_and_begins_no_other() -> None:
    class Impatient:
        looks = 0

        def look(self, progress):
            self.looks += 1
            if self.looks == 6:
                raise KeyboardInterrupt

        def done(self, progress):
            pass

        def resume(self, label, state):
            return None

    with watch(Impatient()):
        found = infer(linear, (A, X), {"w": np.zeros(3)}, n_draws=200)
    assert not found.converged
    assert len(found.verdict.bounds) == 1
    assert "it was interrupted" in str(found)


def normal_model(a, number, x=None):
    w = numpyro.sample("w", dist.Normal(jnp.zeros(3), 1.0).to_event(1))
    numpyro.deterministic("first", w[0])
    with numpyro.plate("rows", number):
        numpyro.sample("x", dist.Normal(a @ w, 1.0), obs=x)


def test_numpyro_models_are_taken_as_they_are() -> None:
    found = infer(normal_model, {"a": A, "number": 40, "x": X}, guide="full-rank", samples=2, restarts=1)
    assert abs(found.elbo - EVIDENCE) < 2e-3
    np.testing.assert_array_equal(found.posterior.draws["first"], found.posterior.draws["w"][:, 0])
    assert found.to_arviz().posterior["w"].shape == (1, 4000, 3)


def test_numpyro_models_that_a_guide_cannot_move_are_refused() -> None:
    def discrete():
        numpyro.sample("z", dist.Bernoulli(0.5))

    def seen():
        numpyro.sample("x", dist.Normal(), obs=1.0)

    with pytest.raises(ValueError, match="site 'z' is discrete"):
        infer(discrete)
    with pytest.raises(ValueError, match="no latent variable"):
        infer(seen)


@pytest.mark.wrong_types
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"guide": "full"}, "guide must be one of 'mean-field'"),
        ({"estimator": "score"}, "estimator must be one of"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size must be a whole number of at least 1"),
        ({"data": (A, np.full(40, np.nan))}, "log-joint is nan at the start"),
        ({"data": (A, np.full(40, "no"))}, "data must hold numbers only"),
        ({"log_joint": lambda own, rows: own["w"]}, "must give one number"),
        ({"log_joint": lambda own, rows: (own["w"].sum(), own["w"])}, "a number and one a row"),
        ({"log_joint": lambda own, rows: None}, "must give one number.*got NoneType"),
        ({"log_joint": lambda own, rows: [own["w"].sum()]}, "must give one number.*got list"),
        ({"log_joint": lambda own, rows: (own["w"].sum(), None)}, "a number and one a row.*NoneType"),
    ],
)
def test_what_does_not_make_sense_is_said(change: dict, words: str) -> None:
    given = {"log_joint": linear, "data": (A, X), "parameters": {"w": np.zeros(3)}} | change
    with pytest.raises(ValueError, match=words):
        infer(**given)


def test_a_restart_where_the_log_joint_has_no_value_comes_nearer() -> None:
    def narrow(own, x):
        return jnp.where(jnp.abs(own["w"]) < 0.3, -0.5 * (own["w"] / 0.05) ** 2, jnp.nan)

    found = infer(narrow, None, {"w": 0.0}, restarts=3, max_steps=50, samples=2, n_draws=20)
    assert len(found.verdict.bounds) == 3
    assert found.posterior.draws["w"].shape == (20,)  # as many as were asked for
