"""``VAE``: what it answers, against exact likelihoods and plain expectations, and what it refuses."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
import scipy.stats as st
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris

import tacit
from tacit import VAE
from tacit.estimators.vae.vae import IWAE, VQVAE, AutoEncoder, BetaVAE
from tacit.inference.objectives import Elbo, ImportanceWeighted
from tacit.inference.watch import Progress, watch
from tacit.models.vae.discrete import QuantisedCodes
from tacit.models.vae.likelihoods import NormalLikelihood
from tacit.storage import Checkpoint

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]
QUICK: dict[str, Any] = {"hidden": (16,), "max_epochs": 3, "n_samples": 20, "random_state": 0}
PLAIN: dict[str, Any] = QUICK | {"network": "mlp", "validation_fraction": 0.0}
"""Where neither convolutions nor rows held out are what a test is about."""


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return (load_digits().images * (255 / 16)).astype(np.uint8)


@pytest.fixture(scope="module")
def quick(digits: np.ndarray) -> VAE:
    return VAE(2, binarize="threshold", **QUICK).fit(digits)


def linear_rows(count: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    loading, mean = random.normal(size=(2, 4)), np.array([10.0, -3.0, 0.0, 200.0])
    scale = np.array([1.0, 0.1, 5.0, 30.0])
    rows = (random.normal(size=(count, 2)) @ loading + 0.6 * random.normal(size=(count, 4))) * scale + mean
    return rows, mean, (loading.T @ loading + 0.36 * np.eye(4)) * np.outer(scale, scale)


@pytest.fixture(scope="module")
def line() -> VAE:
    """A linear model: its exact likelihood is that of a Gaussian."""
    return VAE(
        2,
        likelihood="normal",
        hidden=(),
        posterior="full",
        max_epochs=600,
        learning_rate=1e-2,
        warm_up=0.0,
        validation_fraction=0.0,
        random_state=0,
    ).fit(linear_rows()[0])


def exact(model: VAE, rows: np.ndarray) -> np.ndarray:
    """``log p(x)`` of a linear decoder: ``N(b, W Wᵀ + σ² I)``, in the user's units."""
    layer = model.model_.decoder.layers[0]
    noise = np.exp(2 * float(model.model_.likelihood.log_scale))
    covariance = layer.weight @ layer.weight.T + noise * np.eye(4)
    white = (rows - model.view_.shift) / model.view_.scale
    return st.multivariate_normal(layer.bias, covariance).logpdf(white) - np.log(model.view_.scale).sum()


def test_scores_are_the_exact_likelihood_in_the_users_units(line: VAE) -> None:
    rows = linear_rows()[0]
    wanted = exact(line, rows)
    score, error = line.score_samples(rows, n_samples=200, return_error=True)
    assert np.all(np.abs(score - wanted) < 5 * error + 1e-3)
    assert line.score(rows) == pytest.approx(wanted.mean(), abs=1e-3)
    assert line.elbo(rows)["elbo"] == pytest.approx(wanted.mean(), abs=0.02)
    assert line.lower_bound_ == pytest.approx(wanted.mean(), abs=0.05)


def test_a_rows_score_does_not_depend_on_its_company(line: VAE) -> None:
    rows = linear_rows()[0][:300]
    whole = line.score_samples(rows, n_samples=50)
    np.testing.assert_array_equal(line.score_samples(rows[130:131], n_samples=50), whole[130:131])
    np.testing.assert_array_equal(line.score_samples(rows[::-1], n_samples=50), whole[::-1])


def test_gaps_are_integrated_out_and_filled_as_a_gaussian_does(line: VAE) -> None:
    rows = linear_rows()[0][:60]
    gappy = rows.copy()
    gappy[:, 3] = np.nan
    layer = line.model_.decoder.layers[0]
    noise = np.exp(2 * float(line.model_.likelihood.log_scale))
    scale = line.view_.scale.astype(float)
    covariance = (layer.weight @ layer.weight.T + noise * np.eye(4)) * np.outer(scale, scale)
    mean = layer.bias * scale + line.view_.shift
    seen = st.multivariate_normal(mean[:3], covariance[:3, :3])
    score = line.score_samples(gappy, n_samples=1000)
    assert np.median(np.abs(score - seen.logpdf(rows[:, :3]))) < 0.05
    gain = covariance[3, :3] @ np.linalg.inv(covariance[:3, :3])
    wanted = mean[3] + (rows[:, :3] - mean[:3]) @ gain
    left = np.sqrt(covariance[3, 3] - gain @ covariance[:3, 3])
    filled = line.impute(gappy, n_samples=300)
    np.testing.assert_allclose(filled[:, :3], rows[:, :3], rtol=1e-5, atol=1e-4)
    assert np.median(np.abs(filled[:, 3] - wanted)) < 0.15 * left
    draws = line.impute(gappy, n_draws=100, n_samples=300)
    assert draws.shape == (100, 60, 4)
    assert np.median(draws[:, :, 3].std(axis=0)) == pytest.approx(left, rel=0.25)


def test_samples_have_the_models_moments(line: VAE) -> None:
    rows, _, covariance = linear_rows()
    drawn = line.sample(4000, random_state=1)
    deviation = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(drawn.mean(0) - rows.mean(0)) < 5 * deviation / np.sqrt(4000) + 0.05 * deviation)
    np.testing.assert_allclose(drawn.std(0), rows.std(0), rtol=0.1)
    cold = line.sample(500, temperature=0.0, mean=True)
    assert np.ptp(cold, axis=0).max() < 1e-3


def test_codes_and_the_way_back(quick: VAE, digits: np.ndarray) -> None:
    means, scales = quick.transform(digits[:200], return_std=True)
    assert means.shape == scales.shape == (200, 2)
    assert (scales > 0).all()
    assert quick.inverse_transform(means).shape == (200, 8, 8)
    np.testing.assert_allclose(quick.reconstruct(digits[:200]), quick.inverse_transform(means), atol=1e-6)
    path = quick.interpolate(digits[0], digits[1], 5)
    np.testing.assert_allclose(path[[0, -1]], quick.reconstruct(digits[:2]), atol=1e-6)
    assert quick.traverse(digits[0], 1).shape == (9, 8, 8)
    grid = quick.manifold(4)
    assert grid.shape == (4, 4, 8, 8)
    corner = quick.inverse_transform([[st.norm.ppf(0.875), st.norm.ppf(0.125)]])
    np.testing.assert_allclose(grid[0, 0], corner[0], atol=1e-6)
    assert set(np.unique(quick.sample(10))) <= {0.0, 1.0}
    assert quick.sample(3, mean=True).max() <= 1.0


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (np.array([[0, 1], [1, 1]], dtype=np.uint8), "BernoulliLikelihood"),
        (np.array([[0.0, 1.0], [np.nan, 1.0]]), "BernoulliLikelihood"),
        (np.array([[0, 200], [3, 1]], dtype=np.uint8), "DiscretisedLogisticLikelihood"),
        (np.array([[0.0, 0.25], [1.0, 0.5]]), "ContinuousBernoulliLikelihood"),
        (np.array([[0.0, 2.5], [1.0, 0.5]]), "PerEntryNormalLikelihood"),
    ],
)
def test_the_likelihood_suits_the_values(values: np.ndarray, name: str) -> None:
    model = VAE(1, **QUICK).fit(np.repeat(values, 8, axis=0))
    assert type(model.model_.likelihood).__name__ == name
    assert np.isfinite(model.score(values))


@pytest.mark.parametrize(
    "settings",
    [
        {"prior": "mixture"},
        {"prior": "vamp"},
        {"posterior": "full", "objective": "iwae"},
        {"objective": "renyi"},
        {"objective": "beta-tcvae"},
        {"objective": "infovae"},
        {"activation": "tanh"},
        {"network": "conv"},
        {"network": "residual", "channels": (3, 3)},
        {"likelihood": "discretised-logistic"},
    ],
    ids=str,
)
def test_any_choice_of_parts_learns(settings: dict[str, Any], digits: np.ndarray) -> None:
    binarize = None if "likelihood" in settings else "stochastic"
    quick = {"hidden": (16,), "network": "mlp", "channels": (3,), "max_epochs": 201, "n_samples": 20, "random_state": 0}
    model = VAE(3, binarize=binarize, batch_size=64, **(quick | settings)).fit(digits[:40])
    assert model.history_["reconstruction"][-1] > model.history_["reconstruction"][0]
    assert np.isfinite(model.score_samples(digits[:5])).all()
    assert model.sample(2).shape == (2, 8, 8)


def test_a_mixed_table_has_a_likelihood_a_column(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    group = random.integers(0, 2, 400)
    rows = np.column_stack([random.normal(6.0 * group, 1.0), random.poisson(1 + 9 * group), group * 2]).astype(float)
    rows[::7, 1] = np.nan
    kinds = ["normal", "poisson", ["categorical", 3]]
    model = VAE(2, likelihood=kinds, hidden=(32,), max_epochs=200, learning_rate=5e-3, random_state=0).fit(rows)
    assert model.score(rows) > -5.0  # independent columns, each at its own maximum, lie near −6.5
    filled = model.impute(rows)
    gaps = np.isnan(rows[:, 1])
    wanted = np.where(group == 1, 10.0, 1.0)
    assert np.abs(filled[gaps, 1] - wanted[gaps]).mean() < 0.5 * np.abs(np.nanmean(rows[:, 1]) - wanted[gaps]).mean()
    drawn = model.sample(300)
    assert set(np.unique(drawn[:, 2])) <= {0.0, 1.0, 2.0}
    tacit.save(model, tmp_path / "m.safetensors")
    again = tacit.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.score_samples(rows[:50]), model.score_samples(rows[:50]))


def test_a_conditional_model_draws_what_it_is_given() -> None:
    random = np.random.default_rng(0)
    label = np.repeat(["low", "high"], 200)
    rows = random.normal(size=(400, 2)) + np.where(label == "high", 8.0, 0.0)[:, None]
    model = VAE(1, hidden=(16,), max_epochs=150, learning_rate=5e-3, random_state=0).fit(rows, given=label)
    for name, centre in (("low", 0.0), ("high", 8.0)):
        assert np.abs(model.sample(200, given=name).mean() - centre) < 1.0
    own, other = (model.score_samples(rows[:20], given=np.full(20, name)) for name in ("low", "high"))
    assert (own > other).all()
    with pytest.raises(ValueError, match="is conditional: say given="):
        model.sample(1)
    with pytest.raises(ValueError, match="'middle', which was not among the labels"):
        model.sample(1, given="middle")


@pytest.mark.parametrize(
    ("preset", "plain"),
    [
        (AutoEncoder, {"posterior": "point"}),
        (VQVAE, {"posterior": QuantisedCodes(8, 2)}),
        (BetaVAE, {"objective": Elbo(beta=2.0)}),
        (IWAE, {"objective": ImportanceWeighted(3)}),
    ],
)
def test_presets_are_choices_of_parts(preset: type[VAE], plain: dict[str, Any], digits: np.ndarray) -> None:
    own = {AutoEncoder: {}, VQVAE: {"levels": 8, "length": 2}, BetaVAE: {"beta": 2.0}, IWAE: {"samples": 3}}[preset]
    model = clone(preset(2, **own, binarize="threshold", **PLAIN))
    assert model.get_params().items() >= own.items()
    assert not {"objective", "posterior"} & plain.keys() & model.get_params().keys()
    assert isinstance(model, VAE)
    found = model.fit(digits[:256])
    same = VAE(2, **plain, binarize="threshold", **PLAIN).fit(digits[:256])
    np.testing.assert_array_equal(found.trace_.bound, same.trace_.bound)
    np.testing.assert_array_equal(found.transform(digits[:9]), same.transform(digits[:9]))
    assert found.architecture() == same.architecture()
    if preset is AutoEncoder:
        assert np.all(found.history_["kl"] == 0)


def test_batch_after_batch_comes_to_learn(digits: np.ndarray) -> None:
    model = VAE(2, binarize="threshold", hidden=(32,), random_state=0, learning_rate=3e-3, network="mlp")
    bounds = [model.partial_fit(digits[start : start + 300]).history_["elbo"][-1] for start in [0, 300, 600] * 8]
    assert bounds[-1] > bounds[0] + 5.0


def test_a_model_saved_with_an_array_for_every_parameter_goes_on(digits: np.ndarray) -> None:
    """As models were saved before the state of the optimiser lay in one vector."""
    now, before = (VAE(2, binarize="threshold", **PLAIN).partial_fit(digits[:80]) for _ in range(2))
    count, *moments = before._optimiser
    leaves = jax.tree.leaves(eqx.filter(before.model_, eqx.is_inexact_array))
    cuts = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = [np.split(np.asarray(moment), cuts) for moment in moments]
    apart = [part.reshape(leaf.shape) for each in parts for part, leaf in zip(each, leaves, strict=True)]
    before._optimiser = [count, *apart]
    for model in (now, before):
        model.partial_fit(digits[80:160])
    np.testing.assert_array_equal(now.transform(digits[:9]), before.transform(digits[:9]))
    assert len(before._optimiser) == 2 * len(leaves) + 1


def test_rows_of_weight_0_are_never_looked_at(digits: np.ndarray) -> None:
    weights = np.ones(60)
    weights[[0, 7, 30]] = 0.0
    models = [VAE(2, binarize="threshold", **PLAIN).partial_fit(digits[:80]) for _ in range(2)]
    models[0].partial_fit(digits[80:140], sample_weight=weights)
    models[1].partial_fit(digits[80:140][weights > 0])
    np.testing.assert_array_equal(*(model.transform(digits[:5]) for model in models))


def test_a_weight_of_two_is_two_copies_in_the_trace_too(digits: np.ndarray) -> None:
    once, twice = (
        VAE(2, **(QUICK | {"network": "mlp"})).fit(digits[:80], sample_weight=np.full(80, weight))
        for weight in (1.0, 2.0)
    )
    np.testing.assert_allclose(twice.trace_.bound, 2.0 * once.trace_.bound, rtol=1e-5)
    assert twice.lower_bound_ == pytest.approx(once.lower_bound_, rel=1e-5)


def test_the_bound_of_rows_with_gaps_is_in_the_users_units() -> None:
    rows = linear_rows()[0]
    rows[np.random.default_rng(1).random(rows.shape) < 0.4] = np.nan
    model = VAE(2, hidden=(16,), max_epochs=60, validation_fraction=0.0, random_state=0).fit(rows)
    assert model.lower_bound_ == pytest.approx(model.elbo(rows)["elbo"], abs=0.2)


def test_a_saved_model_answers_the_same(quick: VAE, digits: np.ndarray, tmp_path: Path) -> None:
    tacit.save(quick, tmp_path / "vae.safetensors")
    again = tacit.load(tmp_path / "vae.safetensors")
    np.testing.assert_array_equal(again.score_samples(digits[:9]), quick.score_samples(digits[:9]))
    np.testing.assert_array_equal(again.sample(5, random_state=3), quick.sample(5, random_state=3))


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        (np.array([[0.0, np.inf], [1.0, 2.0]]), {}, "infinity"),
        (np.array([[0.0, 1.5], [1.0, 0.2]]), {"likelihood": "bernoulli"}, r"X\[0, 1\] is 1\.5.*Bernoulli.*binarize"),
        (np.array([[0.0, -1.0], [1.0, 2.0]]), {"likelihood": "poisson"}, r"X\[0, 1\] is -1"),
        (np.ones((4, 2)), {"likelihood": "gauss"}, "likelihood must be 'auto', one of 'bernoulli'"),
        (np.ones((4, 2)), {"objective": "eblo"}, "objective must be one of 'auto', 'elbo'"),
        (np.ones((4, 2)), {"prior": "flat"}, "prior must be one of"),
        (np.ones((4, 2)), {"posterior": "wide"}, "posterior must be one of"),
        (np.ones((4, 2)), {"learning_rate": -1.0}, "learning_rate must be a positive number"),
        (np.ones((4, 2)), {"network": "conv"}, "needs images"),
        (np.ones((4, 2)), {"n_components": 0}, "n_components must be a whole number"),
    ],
)
def test_what_is_wrong_is_said(rows: np.ndarray, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        VAE(**({"n_components": 1} | QUICK | settings)).fit(rows)


def test_odd_sizes_are_handled() -> None:
    one = VAE(5, **QUICK).fit(np.array([[1.0, 2.0]]))  # one row, and more latent dimensions than columns
    assert np.isfinite(one.score([[1.0, 2.0]]))
    flat = VAE(1, likelihood=NormalLikelihood(1.0), **QUICK).fit(np.column_stack([np.full(20, 7.0), np.arange(20.0)]))
    assert np.isfinite(flat.score_samples([[7.0, 3.0]])).all()
    only = np.zeros(60)
    only[7] = 1.0  # one row counts, whether or not it would have been held out
    assert np.isfinite(VAE(1, **QUICK).fit(np.arange(60.0)[:, None], sample_weight=only).score([[7.0]]))
    gappy = load_iris().data.copy()
    gappy[:, 2] = np.nan
    assert np.isfinite(VAE(2, **QUICK).fit(gappy).score(gappy))


def test_half_of_the_entries_missing_are_filled_better_than_by_the_mean() -> None:
    rows = load_iris().data
    gaps = np.random.default_rng(0).random(rows.shape) < 0.5
    gappy = np.where(gaps, np.nan, rows)
    model = VAE(2, objective="iwae", hidden=(32,), max_epochs=300, random_state=0).fit(gappy)
    scale = rows.std(axis=0)
    error = lambda filled: np.sqrt((((filled - rows) / scale)[gaps] ** 2).mean())  # noqa: E731
    mean = np.where(gaps, np.nanmean(gappy, axis=0), rows)
    assert error(model.impute(gappy)) < 0.8 * error(mean)


def test_densities_and_probabilities_are_not_compared(digits: np.ndarray) -> None:
    rows = (digits[:80].reshape(80, -1) > 100).astype(float)
    candidates = {"pixels": VAE(1, **QUICK), "reals": VAE(1, likelihood="normal", **QUICK)}
    with pytest.raises(ValueError, match=r"cannot be compared.*probability"):
        tacit.compare(rows, candidates)
    assert VAE(1, **QUICK).fit(rows).graph().factorisation().startswith("p(x,z")


SCRIPT = """
import os, signal, sys, warnings
import numpy as np
from tacit import VAE
from tacit.inference.watch import watch
from tacit.storage import Checkpoint
warnings.simplefilter("ignore")
class Killer:
    def resume(self, label, state): pass
    def done(self, progress): pass
    def look(self, progress):
        if progress.snapshot is not None and len(progress.snapshot.trace) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
rows = np.random.default_rng(0).normal(size=(300, 4))
with watch(Checkpoint(sys.argv[1], "x", every=0.0), Killer()):
    VAE(2, hidden=(8,), max_epochs=150, patience=None, random_state=1).fit(rows)
"""


def test_a_killed_fit_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """In another process than the one that died, as it must."""
    folder = tmp_path / "folder"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    assert list(folder.iterdir())

    def fit(*watchers: Any) -> VAE:
        with watch(*watchers):
            rows = np.random.default_rng(0).normal(size=(300, 4))
            return VAE(2, hidden=(8,), max_epochs=150, patience=None, random_state=1).fit(rows)

    log = Begun()
    broken, whole = fit(Checkpoint(folder, "x", every=0.0), log), fit()
    assert log.rounds[0] > 2  # it did not begin anew
    assert len(whole.history_["elbo"]) > 2
    for name in whole.history_:
        if name != "seconds":
            np.testing.assert_array_equal(broken.history_[name], whole.history_[name])
    for one, other in zip(jax.tree.leaves(whole.model_), jax.tree.leaves(broken.model_), strict=True):
        np.testing.assert_array_equal(one, other)


class Begun:
    """Remembers how long the trace was at every look."""

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def resume(self, label: str, state: object) -> None: ...

    def done(self, progress: Progress) -> None: ...

    def look(self, progress: Progress) -> None:
        if progress.snapshot is not None:
            self.rounds.append(len(progress.snapshot.trace))
