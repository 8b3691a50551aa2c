"""Hierarchical groups: against mclust's, against brute force, and where rows are few or alike."""

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster import hierarchy as scipy_hierarchy

from tacit.models import hierarchy

MCLUST = {2: [32, 113], 4: [10, 22, 56, 57], 6: [10, 10, 12, 22, 35, 56], 9: [10, 10, 10, 12, 12, 17, 18, 19, 37]}
"""Sizes of ``hclass(hc(x, use = "SVD"), k)`` of mclust 6.0.0 on its diabetes data, which have no ties."""


def test_groups_of_gaussians_are_those_of_mclust(shared_data: Path) -> None:
    with (shared_data / "tables" / "diabetes_mclust.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    rows = np.array([[float(line[name]) for name in ("glucose", "insulin", "sspg")] for line in lines])
    found = hierarchy.gaussian(hierarchy.principal(rows), list(MCLUST))
    assert {number: sorted(np.bincount(labels).tolist()) for number, labels in found.items()} == MCLUST


def test_every_merge_is_the_cheapest() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 2))
    floor = ((rows - rows.mean(axis=0)) ** 2).mean()

    def cost(group: list[int]) -> float:
        scatter = np.cov(rows[group].T, bias=True) * len(group) if len(group) > 1 else np.zeros((2, 2))
        volume = max(np.linalg.det(scatter / len(group)), 0.0)
        return len(group) * np.log(volume + (np.trace(scatter) + floor) / len(group))

    groups = [[row] for row in range(9)]
    found = hierarchy.gaussian(rows, list(range(1, 10)))
    while groups:
        labels = found[len(groups)]
        assert {tuple(np.flatnonzero(labels == k)) for k in range(len(groups))} == {tuple(sorted(g)) for g in groups}
        if len(groups) == 1:
            break
        one, other = min(
            combinations(groups, 2), key=lambda pair: cost([*pair[0], *pair[1]]) - cost(pair[0]) - cost(pair[1])
        )
        groups = [g for g in groups if g not in (one, other)] + [one + other]


@pytest.mark.parametrize("grow", [hierarchy.ward, hierarchy.gaussian])
def test_few_rows_and_equal_rows_still_get_groups(grow) -> None:
    twins = np.repeat(np.random.default_rng(1).normal(size=(3, 2)), 4, axis=0)
    found = grow(twins, [1, 2, 3, 5])
    assert [found[number].max() + 1 for number in (1, 2, 3)] == [1, 2, 3]
    assert all(len(set(found[3][first : first + 4])) == 1 for first in (0, 4, 8))
    assert set(grow(np.zeros((4, 2)), [2])) == {2}
    assert hierarchy.principal(np.ones((4, 2))).shape == (4, 0)
    assert grow(np.zeros((4, 0)), [2])[2].tolist() == [0, 1, 0, 1]


def test_wards_groups_are_scipys() -> None:
    rows = np.random.default_rng(2).normal(size=(40, 3))
    found = hierarchy.ward(rows, [2, 5])
    tree = scipy_hierarchy.linkage(rows, method="ward")
    for number, labels in found.items():
        theirs = scipy_hierarchy.cut_tree(tree, number)[:, 0]
        assert len(set(zip(labels.tolist(), theirs.tolist(), strict=True))) == number


def test_wide_rows_are_merged_by_their_widest_columns() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 200)) * np.linspace(3.0, 0.1, 200)
    rows[:30, 0] += 40.0
    whole = hierarchy.gaussian(rows, [2, 5])
    first = hierarchy.gaussian(rows[:, : hierarchy.GAUSSIAN_DIMS], [2, 5])
    for number in (2, 5):
        np.testing.assert_array_equal(whole[number], first[number])
    assert len(set(whole[2][:30])) == len(set(whole[2][30:])) == 1
