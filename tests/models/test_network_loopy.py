"""Loopy belief propagation: exact on trees, honest elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from bif_networks import bif_network, enumerated, evidence_of_a_draw, random_network, table_network
from tacit.models.network.approximate import loopy
from tacit.models.network.approximate.loopy import all_but_one, all_but_one_by_logs, consistent, loopy_beliefs
from tacit.models.network.approximate.products import TableProduct, exact_marginals, product_of
from tacit.models.network.contraction import Scope
from tacit.models.network.model import Network
from tacit.models.network.plan import planned


def exact(product: TableProduct) -> tuple[dict[int, np.ndarray], float]:
    """By elimination."""
    return exact_marginals(product, planned(product.scopes, product.sizes))


def polytree(seed: int, nodes: int = 14) -> Network:
    """Every new node is joined to one that is there, as its child or, where that has no parent yet, its parent."""
    random = np.random.default_rng(seed)
    above: list[list[int]] = [[]]
    for node in range(1, nodes):
        other = int(random.integers(node))
        above.append([])
        if random.random() < 0.5 and len(above[other]) < 3:
            above[other].append(node)
        else:
            above[node].append(other)
    sizes = random.integers(2, 5, nodes)
    tables = [random.dirichlet(np.ones(sizes[node]), tuple(sizes[parents])) for node, parents in enumerate(above)]
    return table_network(tuple(f"x{node}" for node in range(nodes)), tuple(map(tuple, above)), tables)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_exact_on_a_tree(seed: int) -> None:
    network = polytree(seed)
    product, factors = product_of(network, evidence_of_a_draw(network, 4, seed))
    marginals, log_z = exact(product)
    found = loopy_beliefs(product, tol=1e-14)
    assert found.converged
    assert found.damping == 0
    assert found.bethe == pytest.approx(log_z, abs=1e-12)
    for v, own in marginals.items():
        np.testing.assert_allclose(found.marginals[v], own, atol=1e-12)
    for scope, table in zip(product.scopes, found.tables, strict=True):  # family posteriors agree with the marginals
        for axis, v in enumerate(scope):
            others = tuple(at for at in range(len(scope)) if at != axis)
            np.testing.assert_allclose(table.sum(others), marginals[v], atol=1e-12)
    for v, own in marginals.items():  # what is heard from outside, times the node's own table, is the posterior
        scope, table = product.scopes[factors.owners[v]], product.tables[factors.owners[v]]
        heard = found.outside[factors.owners[v]]
        assert scope[-1] == v
        assert heard is not None
        joint = table * heard
        for axis, parent in enumerate(scope[:-1]):
            said = own_message(found.marginals, network, product, parent, factors.owners[v])
            joint = joint * said.reshape([-1 if at == axis else 1 for at in range(len(scope))])
        joint = joint.sum(tuple(range(len(scope) - 1)))
        np.testing.assert_allclose(joint / joint.sum(), own, atol=1e-12)


def own_message(
    marginals: dict[int, np.ndarray], network: Network, product: TableProduct, variable: int, without: int
) -> np.ndarray:
    """The posterior of a variable when one table of a tree is taken out."""
    del marginals, network
    left = product.restricted([at for at in range(len(product.tables)) if at != without])
    return exact(left)[0].get(variable, np.ones(product.sizes[variable]))


def test_a_tree_without_names_is_exact_too() -> None:
    random = np.random.default_rng(0)
    scopes: tuple[Scope, ...] = ((0, 1), (1, 2, 3), (3, 4), (5,), ())
    sizes = (2, 3, 2, 4, 2, 3)
    tables = tuple(random.random([sizes[v] for v in scope]) for scope in scopes)
    product = TableProduct(scopes, tables, sizes, log=-1.5)
    marginals, log_z = exact(product)
    found = loopy_beliefs(product)
    assert found.bethe == pytest.approx(log_z, abs=1e-12)
    for v, own in marginals.items():
        np.testing.assert_allclose(found.marginals[v], own, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_loops_with_zeros_give_posteriors_within_what_is_possible(seed: int) -> None:
    network = random_network(np.random.default_rng(seed), 8)
    row = evidence_of_a_draw(network, 3, seed)
    product, _ = product_of(network, row)
    joint = enumerated(network)[tuple(slice(None) if np.isnan(value) else int(value) for value in row)]
    found = loopy_beliefs(product)
    assert found.converged
    assert not found.note
    for axis, v in enumerate(product.variables):
        own = joint.sum(tuple(at for at in range(joint.ndim) if at != axis))
        assert found.marginals[v].sum() == pytest.approx(1.0)
        assert (own[found.marginals[v] == 0] == 0).all()
        assert np.abs(found.marginals[v] - own / own.sum()).max() < 0.2


def test_alarm_converges_with_bethe_zero_and_is_wrong(shared_data: Path) -> None:
    network = bif_network(shared_data / "bif" / "alarm.bif.gz")
    product, _ = product_of(network, np.full(37, np.nan))
    marginals, log_z = exact(product)
    found = loopy_beliefs(product)
    assert found.converged
    assert found.bethe == pytest.approx(0.0, abs=1e-9)
    assert log_z == pytest.approx(0.0, abs=1e-12)
    worst = max(float(np.abs(found.marginals[v] - own).max()) for v, own in marginals.items())
    assert worst == pytest.approx(0.24, abs=0.005)


def test_evidence_that_tables_rule_out_is_impossible() -> None:
    same = np.eye(2)
    scopes: tuple[Scope, ...] = ((0, 1), (1, 2), (0,), (2,))
    product = TableProduct(scopes, (same, same, np.array([1.0, 0.0]), np.array([0.0, 1.0])), (2, 2, 2))
    assert not consistent(product)
    found = loopy_beliefs(product)
    assert found.bethe == -np.inf
    assert not found.converged
    assert "impossible" in found.note
    assert all(np.isnan(own).all() for own in found.marginals.values())


def test_what_only_seems_impossible_to_messages_is_not_called_so() -> None:
    """Three that must all differ with two levels: every table alone has support, the whole has none."""
    differ = 1.0 - np.eye(2)
    scopes: tuple[Scope, ...] = ((0, 1), (1, 2), (0, 2))
    found = loopy_beliefs(TableProduct(scopes, (differ, differ, differ), (2, 2, 2)))
    assert "impossible" not in found.note


def test_a_scalar_zero_is_impossible() -> None:
    scopes: tuple[Scope, ...] = ((0,), ())
    found = loopy_beliefs(TableProduct(scopes, (np.ones(2), np.array(0.0)), (2,)))
    assert found.bethe == -np.inf
    assert "impossible" in found.note


def test_many_strong_messages_do_not_underflow() -> None:
    """Three hundred children each say 1 : 10⁻⁵, and three hundred and one the contrary."""
    says = np.array([1.0, 1e-5])
    tables = (*(says,) * 300, *(says[::-1],) * 301)
    product = TableProduct(((0,),) * 601, tables, (2,))
    found = loopy_beliefs(product)
    np.testing.assert_allclose(found.marginals[0], np.array([1e-5, 1.0]) / (1 + 1e-5), rtol=1e-9)
    assert found.bethe == pytest.approx(300 * np.log(1e-5) + np.log1p(1e-5), rel=1e-12)


def test_a_class_of_many_features_is_naive_bayes() -> None:
    """A hub of seven hundred tables: neither memory nor time by the square of what a hub holds."""
    random = np.random.default_rng(0)
    features = random.dirichlet(np.ones(2), (700, 3))
    scopes: tuple[Scope, ...] = ((0,), *((0,) for _ in range(640)), *((0, at) for at in range(1, 61)))
    tables = (np.array([0.2, 0.3, 0.5]), *features[:640, :, 0], *features[640:])
    product = TableProduct(scopes, tables, (3, *(2,) * 60))
    logs = np.log(tables[0]) + np.log(features[:640, :, 0]).sum(0)
    exact_class = np.exp(logs - logs.max())
    exact_class /= exact_class.sum()
    found = loopy_beliefs(product)
    np.testing.assert_allclose(found.marginals[0], exact_class, atol=1e-12)
    np.testing.assert_allclose(found.marginals[7], exact_class @ features[646], atol=1e-12)
    assert found.bethe == pytest.approx(logs.max() + np.log(np.exp(logs - logs.max()).sum()), rel=1e-12)


def test_nothing_hidden() -> None:
    found = loopy_beliefs(TableProduct(((), ()), (np.array(0.5), np.array(0.5)), (2, 2)))
    assert found.converged
    assert found.marginals == {}
    assert found.bethe == pytest.approx(np.log(0.25))


def test_sums_over_all_axes_but_one() -> None:
    random = np.random.default_rng(0)
    table = random.random((2, 3, 4, 2))
    vectors = [random.random((size,)) for size in table.shape]
    for found, by_logs, text in zip(
        all_but_one(table, vectors),
        all_but_one_by_logs(table, vectors),
        ("b,c,d->a", "a,c,d->b", "a,b,d->c", "a,b,c->d"),
        strict=True,
    ):
        others = [vector for letter, vector in zip("abcd", vectors, strict=True) if letter in text[:5]]
        expected = np.einsum(f"abcd,{text}", table, *others)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        np.testing.assert_allclose(by_logs / by_logs.sum(), expected / expected.sum(), rtol=1e-12)


def glass(seed: int, side: int, strength: float) -> TableProduct:
    """A grid of two-level variables that pull at their neighbours one way or the other."""
    random = np.random.default_rng(seed)
    scopes: list[Scope] = []
    tables = []
    for v in range(side * side):
        scopes.append((v,))
        tables.append(np.exp(0.1 * random.standard_normal(2)))
        for other in ([v + 1] if (v + 1) % side else []) + ([v + side] if v + side < side * side else []):
            pull = strength * random.standard_normal()
            scopes.append((v, other))
            tables.append(np.exp(np.array([[pull, -pull], [-pull, pull]])))
    return TableProduct(tuple(scopes), tuple(tables), (2,) * (side * side))


def test_damping_ends_what_goes_in_circles(monkeypatch: pytest.MonkeyPatch) -> None:
    product = glass(2, 3, 2.0)
    damped = loopy_beliefs(product, max_sweeps=120)
    assert damped.converged
    assert damped.damping > 0
    monkeypatch.setattr(loopy, "DAMPINGS", (0.0,))
    assert not loopy_beliefs(product, max_sweeps=120).converged


def test_what_does_not_converge_says_so() -> None:
    found = loopy_beliefs(glass(4, 3, 2.0), max_sweeps=60)
    assert not found.converged
    assert "still change" in found.note
    assert found.damping > 0
