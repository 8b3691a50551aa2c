"""The stochastic driver: against probabilistic PCA, broken off and resumed, and driven into numbers that are none."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tacit.inference.closed_form import CONVERGED, INTERRUPTED, NAN, STOPPED
from tacit.inference.objectives import Elbo
from tacit.inference.stochastic import padded
from tacit.inference.train import TrainConfig, Trained, train
from tacit.inference.watch import watch
from tacit.models.vae.likelihoods import NormalLikelihood
from tacit.models.vae.model import DeepLatent, Rows, importance_log_prob
from tacit.models.vae.networks import MLP
from tacit.models.vae.posteriors import Full
from tacit.models.vae.priors import StandardNormal
from tacit.storage import Checkpoint

pytestmark = pytest.mark.reuses_keys
LATENT, DIMS, COUNT = 2, 5, 512


class Plain(eqx.Module):
    def __call__(self, rows: Rows, key: Any) -> Rows:
        return rows


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    loading = random.normal(size=(LATENT, DIMS))
    return (random.normal(size=(COUNT, LATENT)) @ loading + 0.5 * random.normal(size=(COUNT, DIMS))).astype("f4")


def linear(seed: int = 0) -> DeepLatent:
    """No hidden layer: the model is probabilistic PCA, and its posterior is in reach of the encoder."""
    one, two = jax.random.split(jax.random.key(seed))
    kind = Full()
    return DeepLatent(
        MLP(DIMS, (), kind.outputs(LATENT), key=one),
        MLP(LATENT, (), DIMS, key=two, shape=(DIMS, 1)),
        StandardNormal(LATENT),
        kind,
        NormalLikelihood(1.0),
        None,
    )


def fitted(
    rows: np.ndarray, config: TrainConfig, held: int = 0, seed: int = 1, model: DeepLatent | None = None
) -> Trained:
    parts = [padded(Rows(part), np.ones(len(part)), len(part)) for part in (rows[held:], rows[:held]) if len(part)]
    return train(model or linear(), parts[0], parts[1] if held else None, config, seed=seed)


def same(a: Trained, b: Trained) -> bool:
    leaves = zip(jax.tree.leaves(a.model), jax.tree.leaves(b.model), strict=True)
    traces = all(np.array_equal(a.trace[name], b.trace[name]) for name in a.trace if name != "seconds")
    return traces and all(np.array_equal(x, y) for x, y in leaves)


def test_a_linear_model_reaches_the_maximum_of_probabilistic_pca(rows: np.ndarray) -> None:
    """Tipping & Bishop 1999: σ² is the mean of the discarded eigenvalues; there the ELBO is the likelihood."""
    found = fitted(rows, TrainConfig(Elbo(), Plain(), max_epochs=400, batch_size=256, learning_rate=2e-2))
    centred = rows - rows.mean(0)
    values = np.linalg.eigvalsh(centred.T @ centred / COUNT)[::-1]
    noise = values[LATENT:].mean()
    logs = np.log(values[:LATENT]).sum() + (DIMS - LATENT) * np.log(noise)
    best = -0.5 * (DIMS * np.log(2 * np.pi) + logs + DIMS)
    assert found.trace["elbo"][-1] == pytest.approx(best, abs=0.03)
    score = importance_log_prob(found.model, Rows(rows), np.array([0, 1], np.uint32), 64, 64)
    assert float(np.mean(score)) == pytest.approx(best, abs=0.01)
    assert np.exp(2 * found.model.likelihood.log_scale) == pytest.approx(noise, rel=0.05)


SHORT = TrainConfig(Elbo(), Plain(), max_epochs=60, batch_size=64, learning_rate=1e-2, label="vae")


def test_the_same_seed_gives_the_same_bits_and_another_does_not(rows: np.ndarray) -> None:
    assert same(fitted(rows, SHORT), fitted(rows, SHORT))
    assert not same(fitted(rows, SHORT), fitted(rows, SHORT, seed=2))


class Stop:
    """Ctrl-C after some rounds."""

    def __init__(self, rounds: int) -> None:
        self.left = rounds

    def resume(self, label: str, state: Any) -> None: ...

    def done(self, progress: Any) -> None: ...

    def look(self, progress: Any) -> None:
        self.left -= progress.snapshot is not None
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_fit_that_is_broken_off_goes_on_to_the_same_end(rows: np.ndarray, rounds: int, tmp_path: Path) -> None:
    whole = fitted(rows, SHORT, held=64)
    assert len(whole.trace["epoch"]) == 3
    with watch(Checkpoint(tmp_path, "x", every=0.0), Stop(rounds)):
        broken = fitted(rows, SHORT, held=64)
    assert broken.status == INTERRUPTED
    assert len(broken.trace["epoch"]) == rounds
    with watch(Checkpoint(tmp_path, "x", every=0.0)):
        assert same(fitted(rows, SHORT, held=64), whole)


class AtOnce(Stop):
    """Ctrl-C in the middle of the first round."""

    def look(self, progress: Any) -> None:
        assert progress.iteration < 20
        raise KeyboardInterrupt


def test_a_first_round_that_is_broken_off_keeps_what_it_learned_and_is_not_gone_on_from(
    rows: np.ndarray, tmp_path: Path
) -> None:
    with watch(Checkpoint(tmp_path, "x", every=0.0), AtOnce(0)):
        broken = fitted(rows, SHORT, held=64)
    assert (broken.status, broken.steps, broken.trace["epoch"].tolist()) == (INTERRUPTED, 64, [9])
    assert np.isfinite(broken.trace["held_out"]).all()
    assert not np.array_equal(broken.model.likelihood.log_scale, linear().likelihood.log_scale)
    assert not list(tmp_path.glob("*.safetensors"))
    whole = fitted(rows, SHORT, held=64)
    with watch(Checkpoint(tmp_path, "x", every=0.0)):
        assert same(fitted(rows, SHORT, held=64), whole)


def test_patience_ends_a_fit_with_its_best_parameters(rows: np.ndarray) -> None:
    config = TrainConfig(Elbo(), Plain(), max_epochs=3000, batch_size=64, learning_rate=3e-2, cosine=False, patience=3)
    found = fitted(rows[:80], config, held=40)
    assert found.status == CONVERGED
    assert found.steps > found.best_step
    held = found.trace["held_out"]
    assert held[found.trace["step"] == found.best_step][0] == held.max()


class Seen(Stop):
    """All looks."""

    def __init__(self) -> None:
        super().__init__(0)
        self.looks: list[Any] = []

    def look(self, progress: Any) -> None:
        self.looks.append(progress)

    def done(self, progress: Any) -> None:
        self.look(progress)


def test_a_look_in_the_middle_of_the_first_round_knows_what_was_measured_and_no_more(
    rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tacit.inference.rounds.LOOK_SECONDS", 0.0)
    seen = Seen()
    with watch(seen):
        found = fitted(rows, SHORT._replace(max_epochs=20), held=64)
    first, last = seen.looks[0].figures, seen.looks[-1].figures
    assert seen.looks[0].snapshot is None
    assert first["step"] == 64
    assert np.isnan(first["held_out"])
    assert np.isfinite([first["elbo"], first["reconstruction"], first["kl"]]).all()
    assert last["held_out"] == found.trace["held_out"][-1]


def test_a_fit_that_learned_nothing_says_so(rows: np.ndarray) -> None:
    seen = Seen()
    with watch(seen), pytest.warns(UserWarning, match="no number"):
        fitted(1e18 * rows, TrainConfig(Elbo(), Plain(), max_epochs=40, batch_size=64, learning_rate=1e3))
    assert np.isnan(seen.looks[-1].bound_per_weight)
    assert seen.looks[-1].words == ""


class Bomb(eqx.Module):
    """A likelihood that is no number once its scale has grown, or always."""

    inner: NormalLikelihood
    at: float = eqx.field(static=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def log_prob(self, outputs: Any, x: Any) -> Any:
        value = self.inner.log_prob(outputs, x)
        return jnp.where(self.inner.log_scale < self.at, jnp.nan, value)


def test_a_number_that_is_none_is_named_and_undone_once(rows: np.ndarray) -> None:
    model = eqx.tree_at(lambda m: m.likelihood, linear(), Bomb(NormalLikelihood(1.0), -0.4))
    with pytest.warns(UserWarning, match=r"no number at step \d+: going back \d+ steps, with half"):
        found = fitted(
            rows, TrainConfig(Elbo(), Plain(), max_epochs=200, batch_size=64, learning_rate=1e-2), model=model
        )
    assert found.status == NAN
    assert found.rate == 0.5
    assert np.isfinite(found.trace["elbo"]).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(eqx.filter(found.model, eqx.is_inexact_array)))


def test_a_rate_that_explodes_is_survived(rows: np.ndarray) -> None:
    model = linear()
    scaled = 1e18 * rows
    with pytest.warns(UserWarning, match="no number"):
        found = fitted(
            scaled, TrainConfig(Elbo(), Plain(), max_epochs=40, batch_size=64, learning_rate=1e3), model=model
        )
    assert found.status == NAN
    assert len(found.trace["epoch"]) == 0
    for before, after in zip(jax.tree.leaves(model), jax.tree.leaves(found.model), strict=True):
        assert np.array_equal(before, after)


def test_weights_count_rows(rows: np.ndarray) -> None:
    """Rows of weight 0 teach nothing; the trace's bound is the weighted one."""
    few = rows[:64]
    strange = np.concatenate([few, 100.0 + few])
    weights = np.repeat([1.0, 0.0], 64)
    config = TrainConfig(Elbo(), Plain(), max_epochs=30, batch_size=64, learning_rate=1e-2)
    plain = train(linear(), padded(Rows(few), np.ones(64), 64), None, config, seed=1)
    told = train(linear(), padded(Rows(strange), weights, 128), None, config, seed=1)
    assert same(plain, told)
    assert plain.status == STOPPED
