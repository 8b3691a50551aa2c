"""Trees without JAX are JAX's trees: the same leaves, in the same order, by the same names."""

from collections import OrderedDict
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import pytest

import tacit
from tacit import trees
from tacit.trees import Pytree, static


class Pair(NamedTuple):
    first: Any
    second: Any


class Record(Pytree):
    value: Any
    name: str = static(default="r")
    parts: tuple = ()


class Foreign(eqx.Module):
    value: Any
    label: str = eqx.field(static=True)


TREES = [
    1.0,
    None,
    (),
    (1.0, [2, {"b": np.ones(2), "a": (None, 3)}]),
    Pair(np.zeros(3), Pair(1, "text")),
    Record(np.arange(3), "x", (Record(None), {"z": 1.0, "y": Pair(1, 2)})),
    [Foreign(Record(np.ones(1)), "l"), Foreign([1, 2], "m")],
    OrderedDict(b=1, a=[2]),
    (np.float64(1.0), np.int32(2), True, 1j),
    {"f": print, "s": {1, 2}},
]


@pytest.mark.parametrize("tree", TREES, ids=range(len(TREES)))
def test_leaves_names_and_maps_are_those_of_jax(tree: Any) -> None:
    assert list(map(id, trees.leaves(tree))) == list(map(id, jax.tree.leaves(tree)))
    named = [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]]
    assert [name for name, _ in trees.named(tree)] == [name for name, _ in named]
    ours, theirs = trees.map(lambda leaf, _: [leaf], tree, tree), jax.tree.map(lambda leaf, _: [leaf], tree, tree)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    assert list(map(id, jax.tree.leaves(ours))) == list(map(id, jax.tree.leaves(theirs)))


def test_what_counts_as_a_leaf_can_be_said() -> None:
    tree = [Pair(1, 2), {"a": Pair(3, 4)}]

    def whole(part: object) -> bool:
        return isinstance(part, Pair)

    assert trees.leaves(tree, is_leaf=whole) == jax.tree.leaves(tree, is_leaf=whole)
    assert trees.map(sum, tree, is_leaf=whole) == jax.tree.map(sum, tree, is_leaf=whole)


@pytest.mark.parametrize(
    ("one", "other"),
    [((1, 2), (1,)), ((1, 2), [1, 2]), ({"a": 1}, {"b": 1}), (None, ()), (Record(1), Pair(1, 2)), ([1], None)],
)
def test_trees_of_other_forms_do_not_go_together(one: Any, other: Any) -> None:
    with pytest.raises(ValueError, match=r"trees of different|zip\(\)"):
        trees.map(lambda a, b: a, one, other)


def test_leaves_are_put_where_they_are_asked_for() -> None:
    shared = np.ones(2)
    tree = Record(shared, "n", (shared, Pair(shared, 2)))
    found = trees.put(lambda record: (record.parts[1].first, record.value), tree, (5.0, 6.0))
    assert (found.value, found.parts[1].first, found.parts[1].second, found.name) == (6.0, 5.0, 2, "n")
    assert found.parts[0] is shared
    with pytest.raises(ValueError, match=r"zip\(\)"):
        trees.put(lambda record: record.value, tree, (1, 2))


def test_a_fitted_model_is_the_same_tree() -> None:
    model = tacit.GaussianMixture(2).fit(np.random.default_rng(0).normal(size=(40, 2))).model_
    assert list(map(id, trees.leaves(model))) == list(map(id, jax.tree.leaves(model)))
