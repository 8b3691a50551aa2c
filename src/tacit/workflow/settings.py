"""``--set key=value``: from texts to the settings of an estimator."""

import dataclasses
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin

from tacit import registry
from tacit.data.errors import listed, nearest
from tacit.estimators.written import SettingLimits
from tacit.structures import SCIKIT_LEARN_NAMES, STRUCTURES
from tacit.workflow.errors import RequestError

PLAIN: dict[str, tuple[str, ...]] = {
    "components": ("n_components", "n_clusters"),
    "latent": ("n_components",),
    "groups": ("n_components", "n_clusters"),
    "topics": ("n_components",),
    "covariance": ("covariance_type",),
    "factors": ("n_factors", "n_components"),
}
"""Plain names, and the settings they stand for: the first that the model has."""

MODELS = {"topics": "latent-dirichlet-allocation", "best": "stacked-density"}
"""Plain names of models."""
NUMBER_OF_GROUPS = ("n_components", "n_clusters")
SEVERAL = ("n_factors", "constraints")
"""Settings of the planes of groups, of which several values may be tried."""
OWN_OPTIONS = {"random_state": "--seed"}
"""Settings that have an option of their own."""
OBJECTS = ("encoder", "decoder", "optimiser")
"""Settings that take objects, which a command line cannot write."""

_WORDS = {"true": True, "yes": True, "false": False, "no": False, "none": None, "null": None}


def parse(texts: Iterable[str]) -> dict[str, Any]:
    """``["components=3", "tol=1e-4"]`` as a mapping; a value is read as JSON where it is JSON, else as text.

    ``2-6`` is the list of whole numbers from 2 to 6, and ``EEE,VVV`` a list of words.

    Raises:
        RequestError: no ``=``, or a key given twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        key = key.strip()
        if not sign or not key:
            raise RequestError(f"--set {text!r} is not understood; write it as key=value, such as components=3.")
        if key in found:
            raise RequestError(f"--set gives {key!r} twice.")
        found[key] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if re.fullmatch(r"\d{1,6}-\d{1,6}", text):
        low, high = (int(part) for part in text.split("-"))
        return list(range(low, high + 1))
    try:
        return json.loads(text)
    except ValueError:
        return [_value(part.strip()) for part in text.split(",")] if "," in text else text


def named(model: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model under its own names.

    Raises:
        RequestError: the model, or a setting of it, does not exist; lists those that do. Or it takes widths, and these
            are none; or an object of Python.
    """
    known = known_settings(model)
    found: dict[str, Any] = {}
    for key, value in given.items():
        if key in OWN_OPTIONS:
            raise RequestError(f"--set {key} has an option of its own: {OWN_OPTIONS[key]}.")
        name = next((own for own in PLAIN.get(key, (key,)) if own in known), None)
        if name is None:
            plain = [word for word, own in PLAIN.items() if set(own) & set(known)]
            words = [*plain, *known]
            raise RequestError(f"{model} has no setting {key!r}; it has {listed(words, 40)}.{nearest(key, words)}")
        if name in found:
            raise RequestError(f"--set gives {name!r} twice, once under another name.")
        if name in OBJECTS and value is not None:
            raise RequestError(f"--set {key} takes an object of Python, not a text; use tacit in Python for it.")
        found[name] = _read(key, value, _written(model, name))
    number = group_setting(model)
    for key, value in given.items():
        if number in PLAIN.get(key, (key,)):
            check_number(key, value)
    for name, value in found.items():
        if name != number:
            for each in value if name in SEVERAL and isinstance(value, list) and value else [value]:
                _check_value(name, each, _written(model, name))
    return found


def check(model: str | None, texts: Iterable[str]) -> None:
    """Raise `RequestError` for settings, or a model, that can be refused before there are any rows."""
    given = parse(texts)
    if model is not None:
        check_model(model_name(model))
        named(model_name(model), given)
    elif given:
        check_names(given)


def check_names(given: Mapping[str, Any]) -> None:
    """Raise `RequestError` for a setting that no model has, or a value that none of those with it takes."""
    for key in given:
        if key in OWN_OPTIONS:
            raise RequestError(f"--set {key} has an option of its own: {OWN_OPTIONS[key]}.")
        if key not in PLAIN and not any(key in known_settings(model) for model in registry.names()):
            known = {name for model in registry.names() for name in known_settings(model)}
            near = nearest(key, [*PLAIN, *sorted(known)])
            raise RequestError(f"no model has a setting {key!r}.{near} With --model NAME those of one are listed.")
    for key, value in given.items():
        _check_for_any(key, value)


def _check_for_any(key: str, value: object) -> None:
    """Raise `RequestError` for a value that none of the models with the setting takes."""
    if set(PLAIN.get(key, (key,))) & set(NUMBER_OF_GROUPS):
        check_number(key, value)
        return
    first: RequestError | None = None
    for model in registry.names():
        name = next((own for own in PLAIN.get(key, (key,)) if own in known_settings(model)), None)
        if name is None:
            continue
        try:
            _check_value(name, _read(key, value, _written(model, name)), _written(model, name))
        except RequestError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first


def check_number(key: str, value: object) -> None:
    """Raise `RequestError` for what is neither a number of groups (or dimensions) nor several of them."""
    numbers = value if isinstance(value, list) else [value]
    if value is not None and not (numbers and all(type(n) is int and n >= 1 for n in numbers)):
        raise RequestError(f"--set {key}={value!r}: say a whole number from 1 on, or a range such as 2-6.")


def check_structures(value: object) -> None:
    """Raise `RequestError` for what is no covariance structure, nor several of them, nor "all"."""
    known = {*STRUCTURES, *SCIKIT_LEARN_NAMES}
    for each in value if isinstance(value, list) else [value]:
        if value not in (None, "all") and not {str(each).upper(), str(each).lower()} & known:
            words = ", ".join([*STRUCTURES, *SCIKIT_LEARN_NAMES])
            raise RequestError(
                f"--set covariance: covariance structure {str(each)!r} is unknown; choose one of {words}; or all."
            )


def _read(key: str, value: Any, written: SettingLimits) -> Any:
    """The value of a setting as the estimator takes it, from what was typed."""
    words = tuple(word for each in written.constraints for word in each.names)
    if isinstance(written.usual, float) and isinstance(value, str | list) and value not in words:
        raise RequestError(f"--set {key}={value}: say one number, such as {key}={written.usual}.")
    if not isinstance(written.usual, tuple):
        return value
    if any(isinstance(each, str) for each in written.usual):  # several words
        return value if isinstance(value, list) or value is None else [value]
    return _widths(key, value)


def _check_value(name: str, value: object, written: SettingLimits) -> None:
    """Raise `RequestError` for a value that a setting may not have, before any model is loaded."""
    if name == "covariance_type" and not written.constraints:
        check_structures(value)
    said = written.fault(name, value)
    if said is not None:
        raise RequestError(f"--set: {said}.")


def model_name(asked: str) -> str:
    """A model under its own name."""
    return MODELS.get(asked, asked) if MODELS.get(asked, asked) in registry.names() else asked


def _written(model: str, name: str) -> SettingLimits:
    """What is written of a setting; of a model without its source what the class itself says."""
    limits = registry.limits(model)
    if limits is not None:
        return limits[name]
    cls = registry.get(model)
    hint = next(field.type for field in dataclasses.fields(cls) if field.name == name)
    constraints = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return SettingLimits(constraints, "None" in str(hint), inspect.signature(cls).parameters[name].default)


def _widths(key: str, value: object) -> list[int]:
    """``8``, ``8,`` or ``[8, 4]`` as a list of whole numbers."""
    numbers: list[Any] = [each for each in value if each != ""] if isinstance(value, list) else [value]
    if not numbers or not all(type(each) is int and each >= 1 for each in numbers):
        raise RequestError(f"--set {key}={value}: say whole numbers from 1 on, such as {key}=64 or {key}=128,64.")
    return numbers


def check_model(model: str) -> None:
    """Raise `RequestError` where there is no such model."""
    if model not in registry.names():
        raise RequestError(
            f"no model {model!r}; there are {listed(registry.names(), 40)}.{nearest(model, registry.names())}"
        )


def known_settings(model: str) -> tuple[str, ...]:
    """The settings of a model that ``--set`` takes; raises `RequestError` where there is no such model."""
    check_model(model)
    return tuple(name for name in registry.settings(model) if name not in OWN_OPTIONS)


def group_setting(model: str) -> str | None:
    """What a model calls its number of groups; None where it has none."""
    return next((name for name in NUMBER_OF_GROUPS if name in registry.settings(model)), None)


def planes_of(chosen: dict[str, Any]) -> tuple[str, ...]:
    """The planes of groups to try where several constraints or numbers of factors are set, which are then taken out."""
    if not any(isinstance(chosen.get(name), list) for name in SEVERAL):
        return ()
    factors, constraints = (chosen.pop(name, None) for name in SEVERAL)
    numbers = factors if isinstance(factors, list) else [factors]
    words = constraints if isinstance(constraints, list) else [constraints or "UUU"]
    return tuple(word if number is None else f"{word}-{number}" for word in words for number in numbers)
