"""What `VAE` refuses and keeps apart: values without a density, units, classes given, and which parameters are kept."""

import warnings
from typing import Any

import jax
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

import tacit
from tacit import VAE, BetaVAE, SemiSupervisedVAE

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]
TINY: dict[str, Any] = {"hidden": (8,), "network": "mlp", "batch_size": 64, "n_samples": 10, "random_state": 0}
ONCE: dict[str, Any] = TINY | {"max_epochs": 1, "validation_fraction": 0.0}
"""A model that was hardly fitted."""


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    return (load_digits().images[:120] * (255 / 16)).astype(np.uint8)


def test_values_without_a_density_have_no_score(levels: np.ndarray) -> None:
    black = VAE(1, **ONCE).fit((levels > 127).astype(float))
    for wrong, words in [(levels, "is 79, which the likelihood Bernoulli"), (levels / 255, "is 0.309804")]:
        with pytest.raises(ValueError, match=words):
            black.score_samples(wrong)
    with pytest.raises(ValueError, match="binarize takes shares from 0 to 1, or 8-bit"):
        VAE(1, binarize="stochastic", max_epochs=1, **TINY).fit(levels.astype(float))
    grey = VAE(1, **ONCE).fit(levels)
    with pytest.raises(ValueError, match="fitted to 8-bit levels: multiply by 255"):
        grey.transform(levels / 255)
    drawn = grey.sample(3)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(grey.score_samples(drawn.astype(float)), grey.score_samples(drawn))


def test_cut_pixels_are_compared_with_cut_pixels_alone(levels: np.ndarray) -> None:
    few = ONCE
    cut = VAE(1, binarize="threshold", **few)
    with pytest.raises(ValueError, match="easier than to say how grey"):
        tacit.compare(levels, {"cut": cut, "grey": VAE(1, **few)}, folds=2)
    alone = tacit.compare(levels, {"cut": cut}, folds=2, random_state=0).scores["independent"]
    black = tacit.compare((levels > 127).astype(float), {"cut": VAE(1, **few)}, folds=2, random_state=0).scores[
        "independent"
    ]
    np.testing.assert_allclose(alone, black)


def test_a_missing_level_is_filled_by_a_level() -> None:
    random = np.random.default_rng(0)
    group = random.integers(0, 3, 300)
    rows = np.column_stack([4.0 * group + random.normal(size=300), group]).astype(float)
    gappy = rows.copy()
    gappy[::6, 1] = np.nan
    model = VAE(1, likelihood=["normal", ("categorical", 3)], max_epochs=150, learning_rate=1e-2, **TINY).fit(gappy)
    assert (model.impute(gappy)[::6, 1] == rows[::6, 1]).mean() > 0.8
    for names, words in [(["normal", ("poison", 3)], "must be a name"), (["normal"], "names 1 columns")]:
        with pytest.raises(ValueError, match=words):
            VAE(1, likelihood=names, max_epochs=1, **TINY).fit(rows)


def test_a_class_that_is_given_is_the_class_that_is_scored() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(120, 2)) * [1.0, 50.0] + np.repeat([[0.0, 0.0], [6.0, 300.0]], 60, axis=0)
    labels = np.full(120, -1)
    labels[[0, 1, 60, 61]] = [0, 0, 1, 1]
    model = SemiSupervisedVAE(1, max_epochs=80, learning_rate=5e-3, **TINY).fit(rows, labels)
    own, other = (model.score_samples(rows[:20], given=np.full(20, label)) for label in (0, 1))
    assert (own > other).all()
    assert (
        model.elbo(rows[:20], given=np.zeros(20, int))["elbo"] > model.elbo(rows[:20], given=np.ones(20, int))["elbo"]
    )
    assert model.elbo(rows)["classification"] == 0.0  # no label was given, whatever the unit of the columns


def test_what_beta_asks_for_is_kept_and_not_what_the_warm_up_passed(levels: np.ndarray) -> None:
    rows = (load_digits().images[:400] > 7).astype(float)
    settings = TINY | {"max_epochs": 120, "learning_rate": 3e-3, "warm_up": 0.3}
    kl = {beta: BetaVAE(3, beta=beta, **settings).fit(rows).elbo(rows)["kl"] for beta in (1.0, 10.0)}
    assert kl[10.0] < 0.3 * kl[1.0]


def test_units_of_a_bound_of_many_rows_with_gaps_at_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tacit.estimators.vae.fit.CHECKED", 50)
    rows = np.random.default_rng(0).normal(size=(200, 2)) * [1.0, 1000.0]
    rows[120:, 1] = np.nan
    weights = np.r_[np.zeros(60), np.ones(140)]
    model = VAE(1, max_epochs=2, validation_fraction=0.0, **TINY).fit(rows, sample_weight=weights)
    scale = np.log(model.view_.scale.astype(float))
    change = model.trace_.bound / 140 - model.history_["elbo"]
    assert change == pytest.approx(-(scale[0] + scale[1] * 60 / 140), rel=1e-6)


def test_parameters_that_are_no_numbers_are_never_kept() -> None:
    def poison(updates: Any, state: Any, params: Any = None) -> Any:
        return jax.tree.map(lambda update: np.nan * update, updates), state

    bad = optax.GradientTransformation(lambda params: np.zeros((), np.float32), poison)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = VAE(1, optimiser=bad, max_epochs=1, validation_fraction=0.0, **TINY).fit(np.arange(50.0)[:, None])
    assert "no number" in " ".join(str(each.message) for each in caught)
    assert np.isfinite(model.transform([[1.0]])).all()


def test_small_slips_are_told(levels: np.ndarray) -> None:
    model = VAE(1, **ONCE).fit(levels)
    for call in (
        lambda: model.score_samples(levels, n_samples=0),
        lambda: model.impute(levels, n_samples=0),
        lambda: model.elbo(levels, n_samples=0),
        lambda: model.interpolate(levels[0], levels[1], 0),
    ):
        with pytest.raises(ValueError, match="must be a whole number of at least 1"):
            call()
    two = VAE((2, 1), **ONCE).fit(levels)
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        two.traverse(levels[0], 2)
    given = VAE(1, **ONCE).fit(levels, given=np.arange(120) % 2)
    with pytest.raises(ValueError, match="holds 'c', which was not among the labels"):
        given.transform(levels[:1], given=np.array(["c"], object))
    assert tacit.held_out(given, levels, given=np.arange(120) % 2).rows == 120
