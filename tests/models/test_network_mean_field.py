"""Mean field on networks: a bound that is never above log p, and never falls."""

from pathlib import Path

import numpy as np
import pytest

from bif_networks import bif_network, enumerated, evidence_of_a_draw, random_network, table_network
from tacit.models.network.approximate.mean_field import MeanField, mean_field
from tacit.models.network.approximate.products import TableProduct, exact_marginals, product_of
from tacit.models.network.approximate.weighted import weighted_draws
from tacit.models.network.contraction import Scope
from tacit.models.network.model import Network
from tacit.models.network.plan import planned


def elbo(product: TableProduct, marginals: dict[int, np.ndarray]) -> float:
    """``Σ_x q(x) log (∏ t(x) / q(x))`` over all configurations."""
    letters = dict(zip(product.variables, "abcdefghij", strict=False))
    whole = "".join(letters.values())
    q = np.einsum(",".join(whole) + "->" + whole, *marginals.values())
    joint = np.full_like(q, product.log)
    for scope, table in zip(product.scopes, product.tables, strict=True):
        order = np.argsort([product.variables.index(v) for v in scope])
        shape = [product.sizes[v] if v in scope else 1 for v in product.variables]
        with np.errstate(divide="ignore"):
            joint = joint + np.log(table.transpose(order).reshape(shape))
    here = q > 0
    return float((q[here] * (joint[here] - np.log(q[here]))).sum())


def fitted(network: Network, row: np.ndarray, seed: int = 0) -> tuple[TableProduct, MeanField]:
    product, _ = product_of(network, row)
    drawn = weighted_draws(network, row, 100, np.random.default_rng(seed))
    possible = drawn.rows[drawn.log_weights > -np.inf][:4].astype(int)
    found = mean_field(product, np.random.default_rng(seed), configurations=possible if len(possible) else None)
    return product, found


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_is_complete_and_below_the_evidence(seed: int) -> None:
    network = random_network(np.random.default_rng(seed), 8)
    row = evidence_of_a_draw(network, 2, seed)
    product, found = fitted(network, row)
    seen = tuple(slice(None) if np.isnan(value) else int(value) for value in row)
    assert found.converged
    assert found.bound <= np.log(enumerated(network)[seen].sum()) + 1e-12
    assert found.bound == pytest.approx(elbo(product, found.marginals), abs=1e-10)
    assert found.bound == found.bounds.max()
    assert found.trace[-1] == found.bound or found.trace[-1] == pytest.approx(found.bound, abs=1e-4)
    possible = found.trace[found.trace > -np.inf]
    assert (np.diff(possible) >= -1e-10).all()


def test_it_is_exact_where_variables_are_independent() -> None:
    scopes: tuple[Scope, ...] = ((0,), (1,), (1,), (2,))
    random = np.random.default_rng(1)
    tables = tuple(random.random(3) for _ in scopes)
    product = TableProduct(scopes, tables, (3, 3, 3), log=0.7)
    marginals, log_z = exact_marginals(product, planned(scopes, product.sizes))
    found = mean_field(product, np.random.default_rng(0), starts=2)
    assert found.bound == pytest.approx(log_z, abs=1e-12)
    for v, own in marginals.items():
        np.testing.assert_allclose(found.marginals[v], own, atol=1e-12)


@pytest.mark.parametrize(("name", "number"), [("asia", 0), ("asia", 2), ("alarm", 0), ("alarm", 10)])
def test_known_networks(shared_data: Path, name: str, number: int) -> None:
    network = bif_network(shared_data / "bif" / f"{name}.bif.gz")
    row = evidence_of_a_draw(network, number, 11)
    _, found = fitted(network, row)
    log_p = float(network.log_prob(row[None])[0])
    assert found.converged
    assert log_p - 6.0 < found.bound <= log_p + 1e-12


def test_two_that_must_be_alike_take_one_side() -> None:
    """With ``q(a) q(b)`` of copies the best is one of the two levels, at a loss of log 2: a zero is never paid for."""
    alike = table_network(("a", "b"), ((), (0,)), [np.array([0.5, 0.5]), np.eye(2)])
    product, _ = product_of(alike, np.full(2, np.nan))
    found = mean_field(product, np.random.default_rng(0), starts=3)
    assert found.bound == pytest.approx(-np.log(2.0), abs=1e-12)
    assert sorted(found.marginals[0].tolist()) == [0.0, 1.0]


def test_impossible_evidence_has_no_bound() -> None:
    scopes: tuple[Scope, ...] = ((0, 1), (0,), (1,))
    tables = (np.eye(2), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    found = mean_field(TableProduct(scopes, tables, (2, 2)), np.random.default_rng(0))
    assert found.bound == -np.inf
    assert not found.converged
    assert np.isnan(found.marginals[0]).all()


def test_nothing_hidden() -> None:
    product = TableProduct(((), ()), (np.array(0.5), np.array(0.25)), (2, 2))
    found = mean_field(product, np.random.default_rng(0))
    assert found.bound == pytest.approx(np.log(0.125))
    assert found.marginals == {}
