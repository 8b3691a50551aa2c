"""The most probable configuration and exact joint draws of networks."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bif_networks import bif_network, evidence_of_a_draw, random_network
from tacit.models.network.approximate.products import TableProduct, product_of
from tacit.models.network.buckets import draws, most_probable, needs
from tacit.models.network.contraction import ROWS, Scope
from tacit.models.network.plan import planned
from tacit.models.network.sweeps import forward


def value(scopes: Sequence[Scope], tables: Sequence[np.ndarray], configuration: np.ndarray, row: int = 0) -> float:
    """The product of all tables at a configuration."""
    parts = []
    for scope, table in zip(scopes, tables, strict=True):
        parts.append(table[tuple(row if v == ROWS else configuration[v] for v in scope)])
    return float(np.prod(parts))


def all_values(product: TableProduct, row: int = 0) -> dict[tuple[int, ...], float]:
    """Of every configuration of its variables, in their order."""
    found = {}
    for levels in itertools.product(*(range(product.sizes[v]) for v in product.variables)):
        whole = np.full(len(product.sizes), -1)
        whole[list(product.variables)] = levels
        found[levels] = value(product.scopes, product.tables, whole, row)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_most_probable_configuration_is_the_best_of_all(seed: int) -> None:
    network = random_network(np.random.default_rng(seed), 7)
    product, _ = product_of(network, evidence_of_a_draw(network, 2, seed))
    values = all_values(product)
    chosen, log = most_probable(planned(product.scopes, product.sizes), product.tables)
    assert np.exp(log) == pytest.approx(max(values.values()), rel=1e-12)
    assert value(product.scopes, product.tables, chosen) == pytest.approx(max(values.values()), rel=1e-12)
    assert (chosen == -1).sum() == 2  # what is seen is no variable of the tables


def test_draws_have_the_chances_of_configurations() -> None:
    network = random_network(np.random.default_rng(3), 6)
    product, _ = product_of(network, evidence_of_a_draw(network, 2, 3))
    values = all_values(product)
    total = sum(values.values())
    number = 40_000
    found = draws(planned(product.scopes, product.sizes), product.tables, number, np.random.default_rng(0))
    assert found.shape == (number, 6)
    seen, counts = np.unique(found[:, list(product.variables)], axis=0, return_counts=True)
    shares = {tuple(map(int, levels)): count / number for levels, count in zip(seen, counts, strict=True)}
    for levels, chance in values.items():
        exact = chance / total
        assert abs(shares.pop(levels, 0.0) - exact) < 5 * np.sqrt(exact * (1 - exact) / number) + 1e-9
    assert not shares


def rows_of_tables(rows: int) -> TableProduct:
    """A loop of three and a tail; some tables differ between rows."""
    random = np.random.default_rng(5)
    scopes: tuple[Scope, ...] = ((0, 1, ROWS), (1, 2), (2, 0), (2, 3, ROWS), (3,), (4, ROWS))
    sizes = (2, 3, 2, 3, 2)
    tables = tuple(random.random([rows if v == ROWS else sizes[v] for v in scope]) for scope in scopes)
    return TableProduct(scopes, tables, sizes)


def of_row(product: TableProduct, row: int) -> TableProduct:
    """The tables of one row."""
    pairs = list(zip(product.scopes, product.tables, strict=True))
    scopes = tuple(tuple(v for v in scope if v != ROWS) for scope, _ in pairs)
    tables = tuple(table[..., row] if ROWS in scope else table for scope, table in pairs)
    return TableProduct(scopes, tables, product.sizes)


def test_rows_have_their_own_configurations() -> None:
    product = rows_of_tables(4)
    product.tables[0][:, :, 2] = 0.0  # nothing is possible in one row
    plan = planned(product.scopes, product.sizes)
    chosen, logs = most_probable(plan, product.tables)
    swept = forward(plan, product.tables)
    found = draws(plan, product.tables, 5_000, np.random.default_rng(1), swept)
    assert chosen.shape == (4, 5)
    assert found.shape == (4, 5_000, 5)
    assert logs[2] == -np.inf
    assert (chosen[2] == -1).all()
    assert (found[2] == -1).all()
    for row in (0, 1, 3):
        values = all_values(of_row(product, row))
        assert np.exp(logs[row]) == pytest.approx(max(values.values()), rel=1e-12)
        assert values[tuple(map(int, chosen[row]))] == pytest.approx(max(values.values()), rel=1e-12)
        joint = np.array(list(values.values())).reshape(product.sizes) / sum(values.values())
        for pair in ((0, 2), (1, 3), (2, 4)):
            others = tuple(axis for axis in range(5) if axis not in pair)
            exact = joint.sum(others)
            share = np.zeros_like(exact)
            np.add.at(share, (found[row][:, pair[0]], found[row][:, pair[1]]), 1 / 5_000)
            assert np.abs(share - exact).max() < 0.04


def test_what_has_chances_below_the_smallest_number_is_still_compared() -> None:
    tiny = np.array([1e-200, 3e-200])
    scopes: tuple[Scope, ...] = ((0,), (0,), (0, 1))
    tables = [tiny, tiny[::-1] * np.array([1.0, 0.1]), np.ones((2, 2))]
    chosen, log = most_probable(planned(scopes, (2, 2)), tables)
    assert chosen[0] == 0
    assert log == pytest.approx(np.log(3.0) - 400 * np.log(10.0), rel=1e-12)


def test_everything_seen_leaves_nothing_to_choose() -> None:
    plan = planned(((), ()), (2, 2))
    tables = [np.array(0.5), np.array(0.25)]
    chosen, log = most_probable(plan, tables)
    assert chosen.tolist() == [-1, -1]
    assert np.exp(log) == pytest.approx(0.125)
    assert draws(plan, tables, 3, np.random.default_rng(0)).tolist() == [[-1, -1]] * 3


def test_a_plan_that_keeps_variables_is_refused() -> None:
    plan = planned(((0, 1),), (2, 2), frozenset({0}))
    with pytest.raises(ValueError, match="without `keep`"):
        most_probable(plan, [np.ones((2, 2))])


def test_what_is_held_is_known_before() -> None:
    product = rows_of_tables(3)
    plan = planned(product.scopes, product.sizes)
    found = needs(plan)
    assert found.kept == sum(
        table.size // 3 if scope[-1:] == (ROWS,) else table.size
        for table, scope in zip(
            forward(plan, product.tables).tables[plan.leaves :], plan.scopes[plan.leaves :], strict=True
        )
    )
    assert found.bytes(10, 100, 5) > 8 * 10 * 100 * 5


def test_alarm(shared_data: Path) -> None:
    network = bif_network(shared_data / "bif" / "alarm.bif.gz")
    row = evidence_of_a_draw(network, 10, 4)
    product, _ = product_of(network, row)
    plan = planned(product.scopes, product.sizes)
    chosen, log = most_probable(plan, product.tables)
    found = draws(plan, product.tables, 1_000, np.random.default_rng(0))
    seen = ~np.isnan(row)
    complete = np.where(seen, np.nan_to_num(row), np.vstack([chosen, found])).astype(float)
    logs = network.log_prob(complete)
    assert log + product.log == pytest.approx(logs[0], abs=1e-12)
    assert np.isfinite(logs).all()
    assert (logs[1:] <= logs[0] + 1e-12).all()
