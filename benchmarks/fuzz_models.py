"""Model files for `benchmarks.fuzz`: one of every listed model, damaged, or forged under a right checksum; loaded, and
asked about rows."""

import contextlib
import functools
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as to_bytes

from benchmarks.fuzz_tables import damaged
from tacit import registry
from tacit.estimators.capabilities import Mixes, PredictsClasses, PredictsNumbers, Samples, Transforms, can
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.storage import ModelFileError, container, load, save

GROUP = np.repeat([0, 1], [26, 18])
QUICK = {
    "n_components": 2,
    "n_clusters": 2,
    "n_draws": 0,
    "estimator": GaussianMixture(1),
    "max_epochs": 2,
    "hidden": (4,),
    "n_samples": 2,
    "random_state": 0,
}
WRONG: list[Any] = [
    None,
    "",
    "os.system",
    [],
    {},
    -1,
    0,
    2**70,
    1e308,
    0.5,
    True,
    [[[]]],
    {"$": "float", "value": "nan"},
]


@functools.cache
def rows(reads: str) -> np.ndarray:
    """Two groups of rows, of counts where they are wanted."""
    random = np.random.default_rng(0)
    if reads == "documents":
        return random.poisson(np.where(GROUP[:, None], [9, 9, 9, 0.3, 0.3, 0.3], [0.3, 0.3, 0.3, 9, 9, 9])).astype(
            float
        )
    return random.poisson(np.where(GROUP[:, None], [2, 9, 5], [8, 3, 5])).astype(float)


@functools.cache
def fitted(name: str, folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], bytes]:
    """What a file of a fitted model holds, and its bytes; it is kept for the children that follow."""
    path = folder.parent / f"{name}.safetensors"
    if not path.exists():
        known = registry.settings(name)
        usual = registry.create(name).get_params(deep=False)
        quick = {key: value for key, value in QUICK.items() if key in known}
        if not isinstance(usual.get("hidden", ()), tuple):  # of a network: which nodes nobody sees
            quick.pop("hidden")
        model = registry.create(name, **quick)
        x = rows(registry.get(name).reads[0])
        if can(model, PredictsNumbers):
            model.fit(x, x @ np.arange(1.0, x.shape[1] + 1) + np.random.default_rng(1).normal(size=len(x)))
        else:
            classes = np.array(["a", "b"])[GROUP ^ np.isin(np.arange(GROUP.size), [3, 7, 30, 41])]
            model.fit(x, classes) if can(model, PredictsClasses) or registry.entry(name).supervised else model.fit(x)
        save(model, path)
    body, arrays = container.read(path, "model")
    return body, arrays, path.read_bytes()


def seconds(case: int) -> int:
    """That a case may take; the first of every model is fitted, and a forged one may have to be compiled anew."""
    return 300


def tried(case: int, seed: int, folder: Path) -> tuple[str, str]:
    """What came of a case, and a word about it."""
    warnings.simplefilter("ignore")
    random = np.random.default_rng([seed, 1, case])
    name = registry.names()[case % len(registry.names())]
    body, arrays, whole = fitted(name, folder)
    path = folder / "forged.safetensors"
    if random.random() < 0.2:
        path.write_bytes(damaged(whole, random))
        told = f"{name}: damaged"
    else:
        told = f"{name}: {forge(path, json.loads(json.dumps(body)), dict(arrays), random)}"
    try:
        model = load(path)
    except ModelFileError:
        return "refused", told
    try:
        with np.errstate(all="ignore"):
            finite = _asked(model)
    except Exception as error:
        return "fails later", f"{told}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ("read", told) if finite else ("not finite", told)


def forge(path: Path, body: dict[str, Any], arrays: dict[str, np.ndarray], random: np.random.Generator) -> str:
    """Write a file with something wrong in it, and a checksum that says that all is well."""
    if random.random() < 0.65:
        name = str(random.choice(sorted(arrays)))
        arrays[name], told = wrong_array(arrays[name], random)
        told = f"{name} {told}"
        if arrays[name] is None:
            del arrays[name]
    else:
        told = _wrong_node(body, random)
    full = json.dumps({"body": body, "sha256": container._checksum(body, arrays)})
    native = {key: np.ascontiguousarray(value) if value.ndim else value for key, value in arrays.items()}
    path.write_bytes(to_bytes(native, metadata={"tacit": full}))
    return told


def wrong_array(array: np.ndarray, random: np.random.Generator) -> tuple[Any, str]:
    """Another array in the place of one: of another shape, or with values that it cannot have."""
    made = np.array(array)
    way = int(random.integers(14))
    place = tuple(int(random.integers(side)) for side in made.shape) if made.size else None
    values = {0: np.nan, 1: np.inf, 2: -np.inf, 3: -1.0, 4: 0.0, 5: 1e300, 6: -1e300}
    if way in values:
        if place is not None and made.dtype.kind == "f":
            with np.errstate(all="ignore"):
                made[place] = values[way]
        return made, f"{values[way]} at {place}"
    match way:
        case 7:
            return np.zeros((*made.shape, 1), made.dtype), "one axis more"
        case 8:
            return made.reshape(-1), "flat"
        case 9:
            return made[:-1] if made.ndim else made, "one less"
        case 10:
            return np.concatenate([made, made]) if made.ndim else made, "twice"
        case 11:
            return made.T.copy(), "turned"
        case 12:
            return made.astype(str(random.choice(["float32", "int64", "bool", "float16"]))), "another type"
        case _:
            return np.zeros((0, *made.shape[1:]), made.dtype), "empty"


def _wrong_node(body: dict[str, Any], random: np.random.Generator) -> str:
    """Something else in the place of some node of the document."""
    node: Any = body.get("estimator")
    place = ["estimator"]
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[int(random.integers(len(keys)))]
        inner = node[key]
        place.append(str(key))
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.15:
            break
        node = inner
    if random.random() < 0.2 and isinstance(node, dict):
        del node[key]
        return f"without {'.'.join(place)}"
    wrong = WRONG[int(random.integers(len(WRONG)))]
    node[key] = wrong
    return f"{'.'.join(place)} = {wrong!r}"


def _asked(model: Any) -> bool:
    """Whether what a model says of rows is finite (infinite where a density is 0 is no fault)."""
    x = rows(type(model).reads[0])
    said = []
    if can(model, PredictsClasses):
        said.append(model.predict_proba(x))
    elif can(model, PredictsNumbers):
        said.append(model.predict(x))
    elif can(model, Mixes):
        said.append(model.score_samples(x))
        said.append(model.predict_proba(x))
    elif can(model, Transforms):
        said.append(np.asarray(model.transform(x)))
    else:
        said.append(model.score_samples(x))
    if can(model, Samples):
        with contextlib.suppress(ValueError):  # such as of a rate that nothing can be drawn from
            model.sample(2)
    return not any(np.isnan(np.asarray(each, float)).any() for each in said)
