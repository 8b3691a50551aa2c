"""Settings as fields: every one of every model has a text in its help, and is checked by the table it stands in."""

from dataclasses import KW_ONLY, fields
from typing import Annotated, Any

import numpy as np
import pytest
from sklearn.base import clone

from tacit import registry
from tacit.estimators.settings import (
    NOT_NEGATIVE,
    POSITIVE,
    Choice,
    Estimator,
    Flag,
    Number,
    Whole,
    Widths,
    settings,
)

MODELS = {name: entry.load() for name, entry in (registry.ESTIMATORS | registry.VARIANTS).items()}


@settings
class Toy(Estimator):
    """A toy.

    Attributes:
        found_: something.
    """

    n_components: Annotated[int, Whole(1)] = 2
    """K,
    in words."""
    _: KW_ONLY
    tol: Annotated[float, NOT_NEGATIVE] = 1e-3
    """when it ends."""
    dof: Annotated[float | None, POSITIVE] = None
    """ν."""
    kind: Annotated[str, Choice(("a", "b"))] = "a"
    """"a" or "b"."""
    share: Annotated[float | str, Number("below 1, or 'auto'", below=1.0, names=("auto",))] = "auto"
    """of the rows."""
    hidden: Annotated[Any, Widths(fewest=1)] = (3,)
    """widths."""
    quick: Annotated[bool, Flag()] = True
    """or slow."""


@settings
class OtherToy(Toy):
    """Another."""

    tol: Annotated[float, NOT_NEGATIVE] = 1e-5
    more: Any = None
    """of it."""


def test_a_docstring_has_the_settings_where_arguments_stand() -> None:
    assert Toy.__doc__ is not None
    assert "Args:\n    n_components: K,\n        in words.\n    tol: when it ends.\n" in Toy.__doc__
    assert Toy.__doc__.index("Args:") < Toy.__doc__.index("Attributes:")
    assert "    tol: when it ends.\n" in (OtherToy.__doc__ or "")
    assert Toy(3).__doc__ == Toy.__doc__


def test_settings_are_those_of_scikit_learn() -> None:
    assert OtherToy(5).get_params() | {"tol": 0} == Toy(5).get_params() | {"more": None, "tol": 0}
    assert OtherToy().tol == 1e-5
    assert clone(OtherToy(more=3, tol=0.5)).set_params(dof=2.0).get_params()["dof"] == 2.0
    with pytest.raises(TypeError):
        Toy(3, 1e-3)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_components": 0}, "n_components must be a whole number of at least 1, got 0"),
        ({"n_components": True}, "n_components must be a whole number"),
        ({"n_components": 2.0}, "n_components must be a whole number"),
        ({"n_components": None}, "n_components must be a whole number"),
        ({"tol": -1.0}, "tol must be at least 0, got -1.0"),
        ({"tol": np.nan}, "tol must be at least 0, got nan"),
        ({"tol": "x"}, "tol must be at least 0, got 'x'"),
        ({"dof": 0.0}, "dof must be above 0, got 0.0"),
        ({"kind": "c"}, "kind must be one of 'a', 'b'; got 'c'"),
        ({"kind": None}, "kind must be one of 'a', 'b'; got None"),
        ({"share": 1.0}, "share must be below 1, or 'auto', got 1.0"),
        ({"share": "all"}, "share must be below 1, or 'auto', got 'all'"),
        ({"hidden": 3}, "hidden must be a list of widths"),
        ({"hidden": "33"}, "hidden must be a list of widths"),
        ({"hidden": ()}, "hidden must name one width at least"),
        ({"hidden": (3, 0)}, "each of hidden must be a whole number of at least 1, got 0"),
        ({"quick": 1}, "quick must be True or False, got 1"),
    ],
)
def test_what_a_setting_does_not_take_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        OtherToy(**given).check_settings()


def test_what_a_setting_takes_is_taken() -> None:
    Toy(np.int64(3), tol=np.inf, dof=np.float32(2), hidden=np.array([2, 3]), quick=np.False_, share=0).check_settings()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_setting_of_a_model_has_a_text(name: str) -> None:
    cls = MODELS[name]
    words = cls.__doc__ or ""
    if name == "semi-supervised-vae":  # its words point to those of `VAE`
        cls, words = MODELS["vae"], MODELS["vae"].__doc__ or ""
    own = [each.name for each in fields(cls) if each.init]  # type: ignore[arg-type]
    assert sorted(own) == sorted(cls._get_param_names())
    arguments = words[words.index("Args:") :].partition("\n\n")[0].split("\n")
    told = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in arguments[1:] if line[4:5].strip()}
    assert list(told) == own
    assert all(told.values())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_defaults_of_a_model_are_values_it_takes(name: str) -> None:
    MODELS[name]().check_settings()
