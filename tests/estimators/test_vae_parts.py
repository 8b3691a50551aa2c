"""Parts of `VAE` beyond the first: two levels, discrete codes, tied noise, conditions, classes, rows on disk."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
import scipy.stats as st
from scipy.special import logsumexp
from sklearn.datasets import load_digits

import tacit
from tacit import VAE, SemiSupervisedVAE
from tacit.inference import rounds
from tacit.inference.objectives import Elbo

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]
TINY: dict[str, Any] = {"hidden": (12,), "network": "mlp", "batch_size": 64, "n_samples": 20, "random_state": 0}
ALL: dict[str, Any] = TINY | {"validation_fraction": 0.0}
"""Where rows held out are not what a test is about."""


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return (load_digits().images[:140] > 7).astype(np.float32)


@pytest.mark.parametrize(
    ("latent", "settings", "width"),
    [
        (3, {"posterior": "inverse-autoregressive", "prior": "flow"}, 3),
        ((3, 2), {"objective": "iwae"}, 5),
        (3, {"posterior": "categorical"}, 30),
        (2, {"posterior": "categorical", "objective": "score-function"}, 20),
        (3, {"posterior": "quantised"}, 12),
        (2, {"likelihood": "normal-low-rank", "posterior": "full"}, 2),
    ],
    ids=str,
)
def test_any_code_learns_and_answers(
    latent: Any, settings: dict[str, Any], width: int, digits: np.ndarray, tmp_path: Path
) -> None:
    model = VAE(latent, max_epochs=201, learning_rate=3e-3, **(ALL | settings)).fit(digits[:64])
    history = model.history_
    assert history["elbo"][-1] > history["elbo"][0]
    rows = digits[:9]
    codes = model.transform(rows)
    assert codes.shape == (9, width)
    assert model.inverse_transform(codes).shape == (9, 8, 8)
    # every bound lies below the likelihood, and so below its estimate by many draws
    assert model.elbo(rows)["elbo"] < model.score(rows) + 0.5
    assert np.isfinite(tacit.latent_health(model, rows).kl).all()
    assert np.isfinite(model.sample(3, mean=True)).all()
    gappy = rows.copy()
    gappy[:, 4:] = np.nan
    assert np.isfinite(model.impute(gappy)).all()
    again = tacit.load(tacit.save(model, tmp_path))
    np.testing.assert_array_equal(again.score_samples(rows), model.score_samples(rows))


def test_what_does_not_go_together_is_said(digits: np.ndarray) -> None:
    cases = [
        ({"posterior": "categorical", "prior": "normal"}, "comes with a prior of its own"),
        ({"posterior": "quantised", "objective": "elbo"}, "learned by objective='vector-quantised' alone"),
        ({"objective": "vector-quantised"}, "needs posterior='quantised'"),
        ({"posterior": "full", "objective": "beta-tcvae"}, "posterior that factorises"),
        ({"n_components": (2, 2), "posterior": "full"}, "makes two levels, which need posterior='diagonal'"),
        ({"n_components": (2, 2, 2)}, "a number, or two of them"),
        ({"hidden": 8}, "hidden must be a list of widths"),
        ({"hidden": (0,)}, "each of hidden must be a whole number"),
        ({"warm_up": -1.0}, "warm_up must be a number from 0"),
        ({"patience": 0}, "patience must be a whole number"),
        ({"clip": "no"}, "clip must be a number"),
    ]
    for settings, words in cases:
        with pytest.raises(ValueError, match=words):
            VAE(**({"n_components": 2, "max_epochs": 1} | TINY | settings)).fit(digits)
    with pytest.raises(ValueError, match="no pseudo-rows for what is given"):
        VAE(2, prior="vamp", max_epochs=1, **TINY).fit(digits, given=np.arange(140) % 2)
    discrete = VAE(2, posterior="categorical", max_epochs=1, **ALL).fit(digits)
    assert not hasattr(discrete, "manifold")
    assert not hasattr(discrete, "traverse")


def test_networks_of_ones_own_are_taken_and_checked(digits: np.ndarray, tmp_path: Path) -> None:
    rows = digits[:40].reshape(40, 64)
    key = jax.random.key(0)
    own = eqx.nn.MLP(64, 4, 8, 1, key=key)
    model = VAE(2, encoder=own, max_epochs=2, **ALL).fit(rows)
    path = tacit.save(model, tmp_path)
    again = tacit.load(path, network=eqx.nn.MLP(64, 4, 8, 1, key=jax.random.key(1)))
    np.testing.assert_array_equal(again.transform(rows), model.transform(rows))
    with pytest.raises(ValueError, match="is a network of your own"):
        tacit.load(path)
    for settings, words in [
        ({"encoder": eqx.nn.MLP(64, 5, 8, 1, key=key)}, r"encoder must make numbers of the shape \(4,\).*gives \(5,\)"),
        ({"encoder": eqx.nn.MLP(9, 4, 8, 1, key=key)}, r"one input of the shape \(64,\); it fails"),
        ({"decoder": lambda z: [z]}, r"decoder must make numbers of the shape \(64, 1\)"),
    ]:
        with pytest.raises(ValueError, match=words):
            VAE(2, max_epochs=2, **(TINY | settings)).fit(rows)


def test_a_plain_auto_encoder_has_no_likelihood(digits: np.ndarray) -> None:
    model = tacit.AutoEncoder(2, max_epochs=2, **ALL).fit(digits)
    assert model.reconstruct(digits[:2]).shape == (2, 8, 8)
    for name in ("score_samples", "score", "elbo"):
        assert not hasattr(model, name)


def test_half_a_digit_is_drawn_given_the_other() -> None:
    """The lower half given the upper: nearer to the truth than the mean of all lower halves."""
    digits = (load_digits().images[:400] > 7).astype(np.float32)
    upper, lower = digits[:, :4], digits[:, 4:]
    model = VAE(2, max_epochs=60, learning_rate=3e-3, **TINY).fit(lower[:380], given=upper[:380])
    drawn = np.mean([model.sample(20, given=upper[380:], mean=True, random_state=seed) for seed in range(20)], axis=0)
    error = ((drawn - lower[380:]) ** 2).mean()
    assert error < 0.9 * ((lower[:380].mean(axis=0) - lower[380:]) ** 2).mean()
    with pytest.raises(ValueError, match="8 numbers a row, and the model was fitted with 32"):
        model.sample(3, given=upper[:3, :1])


@pytest.mark.parametrize("network", ["conv", "residual"])
def test_convolutions_take_conditions(network: str, digits: np.ndarray) -> None:
    label = load_digits().target[:140]
    settings = ALL | {"network": network, "channels": (3,)}
    model = VAE(2, max_epochs=2, **settings).fit(digits, given=label)
    assert model.sample(3, given=label[:3]).shape == (3, 8, 8)
    assert model.manifold(2, given=4).shape == (2, 2, 8, 8)


def test_rows_without_labels_are_summed_over_classes(tmp_path: Path) -> None:
    """Two clouds, one label in each: the rest is sorted, and ``log p(x) = log Σ_y p(y) p(x|y)``."""
    random = np.random.default_rng(0)
    truth = np.repeat(["a", "b"], 100)
    rows = random.normal(size=(200, 2)) + np.where(truth == "b", 6.0, 0.0)[:, None]
    labels = np.full(200, None, object)
    labels[[0, 1, 100, 101]] = truth[[0, 1, 100, 101]]
    model = SemiSupervisedVAE(1, hidden=(16,), max_epochs=250, learning_rate=5e-3, random_state=0, n_samples=50)
    model.fit(rows, labels)
    assert (model.predict(rows) == truth).mean() > 0.97
    np.testing.assert_allclose(model.predict_proba(rows[:5]).sum(axis=1), 1.0, rtol=1e-6)
    shares = np.exp(model.model_.logits) / np.exp(model.model_.logits).sum()
    inner = VAE(1).set_params(n_samples=50)
    inner.model_, inner.conditions_, inner.view_ = model.model_.latent, model.conditions_, model.view_
    inner._levels, inner.event_shape_, inner.n_features_in_ = False, (2,), 2
    each = [inner.score_samples(rows[:9], given=np.full(9, name)) for name in model.classes_]
    np.testing.assert_allclose(
        model.score_samples(rows[:9]), logsumexp(np.stack(each) + np.log(shares)[:, None], axis=0), rtol=1e-5
    )
    assert model.elbo(rows)["elbo"] < model.score(rows) + 0.05
    assert np.abs(model.sample(50, given="b").mean() - 6.0) < 1.0
    assert set(model.predict(model.sample(60))) == {"a", "b"}
    assert model.transform(rows[:3]).shape == (3, 1)
    np.testing.assert_array_equal(tacit.load(tacit.save(model, tmp_path)).predict(rows), model.predict(rows))
    with pytest.raises(ValueError, match="two classes at least"):
        SemiSupervisedVAE(1).fit(rows, np.full(200, -1))
    with pytest.raises(ValueError, match="requires y to be passed"):
        SemiSupervisedVAE(1).fit(rows)


def test_rows_that_stay_on_disk_give_the_same_bits(
    digits: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.float32, (140, 64))
    rows[:] = digits.reshape(140, -1) * 3.0 + 1.0
    settings = TINY | {"max_epochs": 60, "likelihood": "normal", "validation_fraction": 0.0}
    plain = VAE(2, **settings).fit(np.array(rows))
    monkeypatch.setattr(rounds, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(rounds, "PIECE_STEPS", 7)  # rounds end within a piece
    streamed = VAE(2, **settings).fit(rows)
    np.testing.assert_array_equal(streamed.transform(rows), plain.transform(rows))
    np.testing.assert_array_equal(streamed.history_["elbo"], plain.history_["elbo"])


def test_black_and_white_bytes_are_not_taken_for_grey_levels(digits: np.ndarray) -> None:
    settings = ALL | {"max_epochs": 3}
    plain = VAE(2, **settings).fit(digits)
    bytes_ = VAE(2, binarize="threshold", **settings).fit(digits.astype(np.uint8))
    np.testing.assert_array_equal(bytes_.transform(digits.astype(np.uint8)), plain.transform(digits))


def test_free_bits_keep_a_code_in_use(digits: np.ndarray) -> None:
    heavy = {"max_epochs": 150, "learning_rate": 3e-3, "validation_fraction": 0.0}
    kl = {
        bits: VAE(2, objective=Elbo(beta=20.0, free_bits=bits), **(TINY | heavy)).fit(digits).history_["kl"][-1]
        for bits in (0.0, 0.5)
    }
    assert kl[0.0] < 0.1
    assert kl[0.5] > 0.6


def test_some_columns_given_others_are_those_of_a_gaussian(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear model: its conditional density is that of ``N(b, W Wᵀ + σ² I)``."""
    monkeypatch.setattr("tacit.estimators.vae.condition.DRAWS", 500)
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 1)) @ np.array([[1.0, -2.0, 0.5]]) + 0.4 * random.normal(size=(400, 3))
    settings: dict[str, Any] = {"hidden": (), "likelihood": "normal", "posterior": "full", "warm_up": 0.0}
    model = VAE(1, max_epochs=250, learning_rate=1e-2, random_state=0, n_samples=200, **settings).fit(rows)
    layer, scale = model.model_.decoder.layers[0], model.view_.scale.astype(float)
    noise = np.exp(2 * float(model.model_.likelihood.log_scale))
    covariance = (layer.weight @ layer.weight.T + noise * np.eye(3)) * np.outer(scale, scale)
    mean = layer.bias * scale + model.view_.shift
    density = model.condition({0: 1.5})
    gain = covariance[1:, 0] / covariance[0, 0]
    wanted = mean[1:] + gain * (1.5 - mean[0])
    left = covariance[1:, 1:] - np.outer(gain, covariance[0, 1:])
    assert density.columns == (1, 2)
    assert np.all(np.abs(density.mean() - wanted) < 0.1 * np.sqrt(np.diag(left)))
    drawn = density.sample(300, random_state=1)
    np.testing.assert_allclose(drawn.std(axis=0), np.sqrt(np.diag(left)), rtol=0.2)
    exact = st.multivariate_normal(wanted, left).logpdf(drawn[:50])
    assert np.median(np.abs(density.score_samples(drawn[:50]) - exact)) < 0.1
    for values, words in [({3: 1.0}, "there is no column 3"), ({0: np.nan}, "needs one number")]:
        with pytest.raises(ValueError, match=words):
            model.condition(values)
    with pytest.raises(ValueError, match="every column is given"):
        model.condition({0: 1.0, 1: 1.0, 2: 1.0})
