"""Whatever a fitted estimator may hold comes back as it was: types, shapes, bits and memory order."""

import json
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from jaxtyping import Float
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes
from sklearn.base import BaseEstimator

from tacit import registry
from tacit.data.schema import Column, Schema
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.verdict import judged
from tacit.families import FAMILIES, Normal, Poisson, Product
from tacit.inference.loop import Trace
from tacit.models.mixture.rules import PosteriorRule
from tacit.storage import container, hints, known
from tacit.storage.decode import Wrong, decode
from tacit.storage.encode import DEPTH, encode


class Holder(BaseEstimator):
    """An estimator that learns whatever it is given."""

    def __init__(self, setting=None, other=None):
        self.setting = setting
        self.other = other

    def learn(self, **values):
        vars(self).update(values)
        return self


@pytest.fixture(autouse=True, scope="module")
def _listed():
    registry.ESTIMATORS["holder"] = registry.Entry(Holder)
    yield
    del registry.ESTIMATORS["holder"]


def same(a: Any, b: Any) -> bool:
    """Equal in type, value, bits and order of memory, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        if a.dtype == object:
            return a.shape == b.shape and same(a.ravel().tolist(), b.ravel().tolist())
        flags = a.flags.c_contiguous, a.flags.f_contiguous
        ordered = flags == (b.flags.c_contiguous, b.flags.f_contiguous)
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() and ordered
    if isinstance(a, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes() or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(k, m) and same(v, w) for (k, v), (m, w) in zip(a.items(), b.items(), strict=True)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, eqx.Module) or hasattr(a, "__dataclass_fields__"):
        return all(same(getattr(a, f), getattr(b, f)) for f in known.fields_of(type(a)))
    return a == b


def through(value: Any, **network: Any) -> Any:
    """A fitted attribute after writing its document as text, its arrays as bytes, and reading both again."""
    encoded = encode(Holder().learn(value_=value))
    node = json.loads(json.dumps(encoded.node, allow_nan=False))
    stored = to_bytes({name: container._native(array) for name, array in encoded.arrays.items()})
    return decode(node, from_bytes(stored), **network).value_


TREE = {"means": np.arange(6.0).reshape(2, 3), 3: (1, [None, "x"]), "deep": {"er": np.array(["a", "bc"])}}
VALUES = [
    None, True, 0, -(2**80), 1.5, -0.0, 5e-324, math.nan, math.inf, -math.inf, "", "Größe \x00 \ud800 \U0001f600",
    (), [], {}, (1, (2.0, [3])), {1: "a", "1": "b", 2.5: "c", False: None, None: 0}, TREE,
    np.float32(0.1), np.float64(-0.0), np.int8(-3), np.bool_(True), np.str_("köln"), np.dtype("float32"),
    np.array(3.0), np.array(7), np.zeros((0, 3)), np.array([True, False]), np.arange(3, dtype=np.uint16),
    np.float32([[1.5, np.nan], [-np.inf, 0.1]]), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(12.0).reshape(3, 4)[:, ::2].copy(), np.array(["setosa", "", "virginica"]), np.array([["a"], ["ü"]]),
    [0.1, -0.0, math.nan, math.inf] * 9, (*range(-9, 9), 2**63 - 1), [*range(20), 2**63], [*range(20), 0.5],
    [*range(20), True], [True] * 20, [1.5] * 16, [np.float64(0.1), np.float64(math.nan)], (np.int32(1),) * 3,
    [np.float32(1), np.float64(1)], [np.float64(1), 1.0] * 9, [np.bool_(True)] * 3, [np.str_("a")] * 3, [np.float64(1)],
    np.array(["a", None, 3, 2.5, True, math.nan], dtype=object), np.array("text"), np.array([], dtype="U4"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{value!r:.20}")
def test_a_value_comes_back(value: Any) -> None:
    assert same(through(value), value)


def test_the_oracle_of_sameness_sees_differences() -> None:
    pairs = [(1, True), (1, 1.0), (0.0, -0.0), ((1,), [1]), ({1: 2, 3: 4}, {3: 4, 1: 2})]
    pairs += [(np.float32(1), np.float64(1)), (np.zeros(2), np.zeros((2, 1))), (np.zeros(1), 0.0)]
    pairs += [(np.ones((2, 2)), np.asfortranarray(np.ones((2, 2)))), (np.array(["a"]), np.array(["a"], dtype="U2"))]
    assert not any(same(a, b) for a, b in pairs)


LISTS = st.one_of(
    *(st.lists(numbers, min_size=2, max_size=40) for numbers in (st.integers(), st.floats())),
    *(st.lists(st.floats(width=32).map(kind), min_size=2, max_size=4) for kind in (np.float32, np.float64)),
)


@given(LISTS, st.sampled_from([list, tuple]))
def test_any_numbers_come_back(values: list, outer: type) -> None:
    assert same(through(outer(values)), outer(values))


@pytest.mark.parametrize("outer", [list, tuple])
@pytest.mark.parametrize("kind", [float, np.float64, int, np.int64])
def test_many_numbers_are_one_array(kind: type, outer: type) -> None:
    values = outer(kind(number) for number in range(500))
    encoded = encode(Holder().learn(lower_bounds_=values))
    assert {name: array.shape for name, array in encoded.arrays.items()} == {"lower_bounds_": (500,)}
    assert len(json.dumps(encoded.node)) < 300


def test_a_file_with_an_array_a_number_is_read() -> None:
    """As they were written before numbers were put together."""
    node = encode(Holder()).node
    node["state"]["bounds_"] = [{"$": "scalar", "at": f"bounds_.{number}"} for number in range(3)]
    found = decode(node, {f"bounds_.{number}": np.array(number / 2) for number in range(3)})
    assert same(found.bounds_, [np.float64(0.0), np.float64(0.5), np.float64(1.0)])


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
ARRAYS = arrays_of.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.bool_, np.uint8, "U3"]),
    arrays_of.array_shapes(min_dims=0, max_dims=3, max_side=3, min_side=0),
)
KEYS = st.one_of(st.text(max_size=3), st.integers(-3, 3), st.none(), st.booleans())
TREES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda part: st.one_of(
        st.lists(part, max_size=3),
        st.lists(part, max_size=3).map(tuple),
        st.dictionaries(KEYS, part, max_size=3),
    ),
    max_leaves=6,
)


@given(TREES)
def test_any_tree_comes_back(tree: Any) -> None:
    assert same(through(tree), tree)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_comes_back(name: str) -> None:
    sizes = {"categorical": {"levels": 3}, "multinomial": {"categories": 3}}.get(name, {})
    with jax.enable_x64(True):
        family = FAMILIES[name].template((2, 4), **sizes)
        shift = 0.0 if sizes else 0.25  # shares sum to 1
        family = jax.tree.map(lambda leaf: np.asarray(leaf) * np.float64(1.0) + shift, family)
    assert same(through(family), family)


def test_models_named_tuples_and_schemas_come_back() -> None:
    product = Product(
        columns=((0,), (2, 1)), families=(Normal(np.zeros((2, 1)), np.ones((2, 1))), Poisson(np.ones((2, 2))))
    )
    schema = Schema((Column("a", "count"), Column("b", "categorical", ("x", "y"), "text")))
    trace = Trace(np.arange(3), np.zeros(3), np.ones(3))
    for value in (product, schema, trace, PosteriorRule(), {4: (trace, product)}):
        assert same(through(value), value)
    # static fields are the same values, so a compiled program is found again
    assert jax.tree.structure(through(product)) == jax.tree.structure(product)


def test_jax_arrays_become_numpy_arrays() -> None:
    with jax.enable_x64(True):
        found = through(Normal(jnp.ones((2, 1)), jnp.full((2, 1), 1 / 3)))
    assert type(found.means) is np.ndarray
    assert found.variances.dtype == np.float64
    assert found.variances[0, 0] == 1 / 3


def test_estimators_hold_estimators() -> None:
    inner = GaussianMixture(3, means_init=np.eye(3), random_state=4)
    outer = Holder(setting=inner, other=[0.5, None]).learn(classes_=np.array(["a", "b"]), each_={"a": Holder(7)})
    encoded = encode(outer)
    found = decode(encoded.node, encoded.arrays)
    assert same(found.setting.means_init, np.eye(3))
    assert found.setting.get_params()["n_components"] == 3
    assert same(found.other, [0.5, None])
    assert found.each_["a"].setting == 7


def test_a_random_generator_becomes_none_and_the_file_says_so() -> None:
    for generator in (np.random.RandomState(0), np.random.default_rng(0)):
        encoded = encode(Holder(setting=generator))
        assert encoded.node["parameters"]["setting"] == {"$": "random", "class": type(generator).__name__}
        assert decode(encoded.node, encoded.arrays).setting is None


def test_a_verdict_in_an_older_file_is_read() -> None:
    verdict = judged(why_not="nothing", stop="it settled")
    node = encode(Holder().learn(verdict_=verdict)).node
    assert node["state"]["verdict_"]["class"] == "estimators.Verdict"
    node["state"]["verdict_"]["class"] = "inference.Verdict"
    assert str(decode(node, {}).verdict_) == str(verdict)


def test_what_is_set_beside_the_fit_is_kept() -> None:
    holder = Holder().learn(_counts=np.arange(3), _sklearn_output_config={"transform": "pandas"}, a_=1)
    encoded = encode(holder)
    found = decode(encoded.node, encoded.arrays)
    assert same(found._counts, np.arange(3))
    assert found._sklearn_output_config == {"transform": "pandas"}


class Mine(eqx.Module):
    """A network that only its user knows."""

    weight: Any
    layers: tuple
    width: int = eqx.field(static=True)


def mine(value: float, width: int = 3) -> Mine:
    return Mine(jnp.full((width, 2), value), (jnp.full(width, -value), jax.nn.relu), width)


def test_a_network_of_ones_own_is_given_again() -> None:
    trained, fresh = mine(1.5), mine(0.0)
    encoded = encode(Holder().learn(net_=trained))
    for network in (fresh, {"Mine": fresh}, {"net_": fresh}, eqx.filter_eval_shape(mine, 0.0)):
        found = decode(encoded.node, encoded.arrays, network).net_
        assert same(found.weight, np.asarray(trained.weight))
        assert same(found.layers[0], np.asarray(trained.layers[0]))
        assert found.layers[1] is jax.nn.relu
    with pytest.raises(Wrong, match=r"net_ is a network of your own .'Mine'.*network=") as caught:
        decode(encoded.node, encoded.arrays)
    assert type(caught.value).__name__ == "NetworkFault"
    with pytest.raises(Wrong, match=r"given network's \.weight is float32 of shape \(4, 2\).*\(3, 2\)"):
        decode(encoded.node, encoded.arrays, mine(0.0, width=4))
    with pytest.raises(Wrong, match="given network has 1 arrays, and the file 2"):
        decode(encoded.node, encoded.arrays, Mine(jnp.zeros((3, 2)), (), 3))


def nested(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (print, "value_ cannot be saved: builtins.builtin_function_or_method"),
        ({"a": [object()]}, r"value_\.a\.0 cannot be saved: builtins.object"),
        ({(1, 2): 3}, r"the key \(1, 2\) of value_"),
        (np.array([object()], dtype=object), "value_, an array that holds <object"),
        (np.zeros(2, dtype=complex), "value_, an array of complex128"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "value_, an array of datetime64"),
        (np.ma.masked_array([1.0], [True]), "value_ cannot be saved: numpy.ma"),
        (nested(DEPTH + 1), "nested deeper than"),
        (GaussianMixture, "value_ cannot be saved: abc.ABCMeta"),
    ],
    ids=lambda value: f"{value!r:.15}",
)
def test_what_cannot_be_stored_is_named(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        encode(Holder().learn(value_=value))


def test_random_keys_and_foreign_estimators_are_refused() -> None:
    with pytest.raises(TypeError, match="value_ is a random key"):
        encode(Holder().learn(value_=jax.random.key(0)))

    class Stranger(BaseEstimator):
        pass

    with pytest.raises(TypeError, match=r"setting cannot be saved: .*Stranger is not a listed model"):
        encode(Holder(setting=Stranger()))


def test_a_list_that_holds_itself_is_refused() -> None:
    loop: list = []
    loop.append(loop)
    with pytest.raises(TypeError, match="or holds itself"):
        encode(Holder().learn(value_=loop))


def test_every_known_class_is_ours_and_found_by_its_name() -> None:
    for name in registry.names():
        registry.get(name)
    classes = known._loaded()
    assert {"models.mixture.MixtureModel", "families.Poisson", "inference.Trace", "data.Schema"} <= set(classes)
    for name, cls in classes.items():
        assert cls.__module__.startswith("tacit.")
        assert known.name_of(cls) == name
        assert known.class_of(name) is cls
    for name in ("os.system", "builtins.eval", "storage.Description", "tacit.models.mixture.Mixture", "", "Mixture"):
        assert known.class_of(name) is None


def test_a_class_that_moved_is_found_under_its_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(known.MOVED, "models.old.Counts", "families.Poisson")
    assert known.class_of("models.old.Counts") is Poisson


@pytest.mark.parametrize(
    ("value", "hint", "fits"),
    [
        (1, int, True), (True, int, False), (np.int64(3), int, True), (1.5, int, False), ("a", str, True),
        (1, float, True), (True, float, False), (True, bool, True), (None, int | None, True), ("a", int | None, False),
        ((1, 2), tuple[int, ...], True), ((1, "a"), tuple[int, ...], False), ([1], tuple[int, ...], False),
        ((1, "a"), tuple[int, str], True), ((1,), tuple[int, str], False), ({1: "a"}, dict[int, str], True),
        ({"a": 1}, dict[int, str], False), ([1], list[int], True), (["a"], list[int], False), (object(), Any, True),
        (np.zeros(2), np.ndarray, True), ("zeros", np.ndarray, False), (np.zeros(2), jax.Array, True),
    ],
)  # fmt: skip
def test_values_are_held_against_annotations(value: Any, hint: Any, fits: bool) -> None:
    assert hints.fits(value, hint, {}) is fits


@pytest.mark.parametrize(
    ("shape", "words", "fits"),
    [
        ((), "", True), ((2,), "", False), ((2, 3), "k d", True), ((2,), "k d", False), ((5, 3), "k d", False),
        ((2, 3, 3), "k d ...", True), ((2, 3), "k d ...", True), ((2,), "k d ...", False), ((7, 3), "... d", True),
        ((7, 4), "... d", False), ((9, 9, 2), "*batch k", True), ((2, 4), "k 4", True), ((2, 4), "k 3", False),
        ((8, 2), "_ k", True), ((3, 8, 9, 2), "d ... k", True), ((3, 8, 9, 3), "d ... k", False),
    ],
)  # fmt: skip
def test_shapes_are_held_against_words(shape: tuple[int, ...], words: str, fits: bool) -> None:
    assert hints.fits(np.zeros(shape), Float[np.ndarray, words], {"k": 2, "d": 3}) is fits


def test_shapes_agree_within_a_class() -> None:
    good = {"means": np.zeros((2, 3)), "covariances": np.zeros((2, 3, 3)), "noise_floor": np.zeros(3)}
    group = known.class_of("models.components.GaussianComponent")
    assert hints.misfit(group, good) is None
    assert hints.components(group, good) == 2
    assert "GaussianComponent.noise_floor" in hints.misfit(group, good | {"noise_floor": np.zeros(4)})
    assert "GaussianComponent.covariances" in hints.misfit(group, good | {"covariances": np.zeros((5, 3, 3))})
    assert "GaussianComponent.means" in hints.misfit(group, good | {"means": np.zeros((2, 3), dtype=int)})
    assert "GaussianComponent.form" in hints.misfit(group, good | {"form": "exact"})


def test_the_types_of_arrays_are_those_of_the_library() -> None:
    assert all(np.dtype(name).name == name for name in container.DTYPES.values())
