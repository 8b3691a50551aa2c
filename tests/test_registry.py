"""The one list of estimators."""

import dataclasses
import subprocess
import sys
from typing import Annotated, get_args, get_origin

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from tacit import registry
from tacit.estimators.mixture.gaussian import GaussianMixture


def test_every_listed_name_makes_its_estimator_and_is_found_again() -> None:
    assert registry.names()
    for name in registry.names():
        estimator = registry.create(name)
        assert type(estimator) is registry.get(name)
        assert isinstance(estimator, BaseEstimator)
        assert registry.name_of(estimator) == name
        assert set(registry.settings(name)) == set(estimator.get_params(deep=False))


def test_what_is_known_of_a_model_before_it_is_imported_is_true_of_it() -> None:
    for name in registry.names():
        cls, known = registry.get(name), registry.entry(name)
        assert known.supervised == bool(get_tags(cls()).target_tags.required), name
        assert (known.reads == "documents") == hasattr(cls, "completion_score"), name


def test_a_model_is_imported_alone() -> None:
    code = "from tacit import registry; registry.get('gaussian-mixture'); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "tacit.estimators.mixture.gaussian" in loaded
    assert not [name for name in loaded if name.startswith(("tacit.models.vae", "tacit.models.topics"))]


def test_names_are_words_for_a_command_line() -> None:
    assert all(name.replace("-", "").isalnum() and name == name.lower() for name in registry.names())
    assert len({registry.get(name) for name in registry.names()}) == len(registry.names())


def test_settings_are_passed_on() -> None:
    made = registry.create("gaussian-mixture", n_components=7, covariance_type="diag")
    assert (made.n_components, made.covariance_type) == (7, "diag")


def test_wrong_names_are_met_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"no model 'gausian-mixture'.*Did you mean 'gaussian-mixture'\?"):
        registry.get("gausian-mixture")
    with pytest.raises(ValueError, match=r"no setting 'n_component'.*Did you mean 'n_components'\?"):
        registry.create("gaussian-mixture", n_component=3)


def test_what_a_class_needs_and_does_not_get_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Needy(BaseEstimator):
        def __init__(self, base):
            self.base = base

    monkeypatch.setitem(registry.ESTIMATORS, "needy", registry.Entry(Needy))
    with pytest.raises(ValueError, match=r"needy cannot be made.*base"):
        registry.create("needy")


def test_a_subclass_or_a_stranger_has_no_name() -> None:
    class Mine(GaussianMixture):
        pass

    with pytest.raises(ValueError, match="Mine is not a listed model"):
        registry.name_of(Mine())


@pytest.mark.parametrize("name", registry.names())
def test_settings_are_known_without_importing_the_model(name: str) -> None:
    assert registry.settings(name) == tuple(registry.get(name)._get_param_names())


@pytest.mark.parametrize("name", registry.names())
def test_what_is_written_of_settings_is_what_they_may_be(name: str) -> None:
    written = registry.limits(name)
    assert written is not None
    cls = registry.get(name)
    assert sorted(written) == cls._get_param_names()
    for field in dataclasses.fields(cls):
        said = get_args(field.type)[1:] if get_origin(field.type) is Annotated else ()
        assert written[field.name].constraints == tuple(said), field.name
        if isinstance(field.default, int | float | str | tuple):
            assert written[field.name].usual == field.default, field.name
