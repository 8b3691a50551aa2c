"""What models declare that they can do, against what they have."""

import inspect

import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans as TheirKMeans
from sklearn.neighbors import KernelDensity

import tacit
from tacit import registry
from tacit.estimators import capabilities
from tacit.estimators.capabilities import (
    Capability,
    Codes,
    EmptiesItself,
    GivesConditionals,
    Imputes,
    PredictsClasses,
    ReadsOnce,
    Refines,
    Samples,
    Scores,
    Sweeps,
    Walks,
    can,
)

MODELS = {name: entry.load() for name, entry in (registry.ESTIMATORS | registry.VARIANTS).items()}
ALL = [
    value
    for value in vars(capabilities).values()
    if isinstance(value, type) and issubclass(value, Capability) and value is not Capability
]
READABLE = {"table", "counts", "images", "documents", "sequences"}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_has_the_methods_of_what_it_declares(name: str) -> None:
    kind = MODELS[name]
    model = kind()
    assert set(kind.reads) <= READABLE
    assert kind.reads
    assert any(can(model, what) for what in ALL)
    for what in ALL:
        assert can(kind, what) == issubclass(kind, what)
        if can(model, what):
            for method in what.__abstractmethods__:
                found = inspect.getattr_static(kind, method)
                assert isinstance(found, property) or callable(getattr(model, method)), method
        elif issubclass(kind, what):  # its settings take it away: then scikit-learn's users do not see a method either
            assert not all(hasattr(model, method) for method in what.__abstractmethods__)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_declares_what_it_has_methods_for(name: str) -> None:
    """No method of a capability stands on a class that does not declare it, but for words with two meanings."""
    kind = MODELS[name]
    meant = {"predict", "predict_proba", "transform", "summary"}
    meant |= {method for what in ALL if issubclass(kind, what) for method in what.__abstractmethods__}
    for what in ALL:
        own = what.__abstractmethods__ - meant
        assert not own or issubclass(kind, what) or not all(hasattr(kind, method) for method in own), what


def test_settings_take_capabilities_away() -> None:
    plain, discrete = tacit.AutoEncoder(2), tacit.VQVAE(2)
    assert not can(plain, Scores)
    assert not can(plain, GivesConditionals)
    assert can(plain, Walks)
    assert can(plain, Codes)
    assert can(discrete, Scores)
    assert not can(discrete, Walks)
    assert not can(tacit.VAE(2, posterior="point"), Scores)
    assert can(tacit.VAE, Scores)
    assert can(tacit.VAE(2), Refines)
    assert not can(tacit.SemiSupervisedVAE(2), Refines)
    over_kernels = tacit.GenerativeClassifier(KernelDensity())
    assert can(over_kernels, Samples)
    assert not can(over_kernels, Imputes)
    assert can(over_kernels, PredictsClasses)
    assert can(tacit.GenerativeClassifier(), Imputes)


def test_estimators_of_other_libraries_can_do_what_they_have_methods_for() -> None:
    assert can(KernelDensity(), Scores)
    assert not can(KernelDensity(), Imputes)
    assert not can(TheirKMeans(2), Scores)
    assert not can(BaseEstimator(), Samples)


def test_scores_are_exact_or_bounds() -> None:
    assert not tacit.GaussianMixture().scores_are_bounds
    for model in (tacit.VAE(), tacit.ProdLDA(), tacit.LatentDirichletAllocation()):
        assert model.scores_are_bounds
    assert tacit.GenerativeClassifier(tacit.VAE()).scores_are_bounds
    assert not tacit.GenerativeClassifier().scores_are_bounds


@pytest.mark.parametrize("name", [name for name, kind in MODELS.items() if can(kind, Sweeps)])
def test_what_is_swept_is_a_setting(name: str) -> None:
    assert MODELS[name].swept in registry.settings(name)


def test_mixtures_read_once_and_those_with_posteriors_empty_themselves() -> None:
    for name in registry.names():
        kind = registry.get(name)
        others = (
            "pca",
            "factor-analysis",
            "item-factor-analysis",
            "bayesian-network",
            "latent-class",
            "hidden-markov-model",
        )
        assert can(kind, ReadsOnce) == ("mixture" in name.replace("regression-mixture", "") or name in others)
        assert can(kind, EmptiesItself) == name.startswith("bayesian") * name.endswith("mixture")
