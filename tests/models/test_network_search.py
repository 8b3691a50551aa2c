"""Searches for structures: against all graphs of four nodes, and against what others found."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import small_graphs
from tacit.data.network_files import read_network_tables
from tacit.models.graph import GraphError
from tacit.models.network.graph import topological_order
from tacit.models.network.learning import (
    Constraints,
    DiscreteScore,
    ExpectedCounts,
    GaussianScore,
    MixedScore,
    Options,
    RowCounts,
    augmented,
    averaged,
    bootstrap,
    equivalence_class,
    hamming_distance,
    learn,
    moments_of,
    naive,
    strengths_of,
    threshold_of,
    tree,
)
from tacit.models.network.learning.graphs import arrows_of, parents_of


def total(score, parents) -> float:
    return float(sum(score.local(node, own) for node, own in enumerate(parents)))


@pytest.mark.parametrize("kind", ["bic", "aic", "bdeu", "k2", "loglik"])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_graphs_of_four_nodes_is_found(kind: str, seed: int) -> None:
    cards = ((2, 2, 2, 2), (3, 2, 4, 2), (2, 3, 3, 2), (5, 2, 2, 3))[seed]
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(150, cards, seed), cards), kind)
    best = max(total(score, graph) for graph in small_graphs.all_graphs(4))
    found = learn(score, Options(restarts=12))
    assert found.score == pytest.approx(best, rel=1e-12)
    assert total(score, found.parents) == pytest.approx(found.score, rel=1e-12)


@pytest.mark.parametrize("kind", ["bic", "bge"])
def test_the_best_of_all_gaussian_graphs_is_found(kind: str) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(100, 4)) @ (np.eye(4) + np.triu(random.normal(size=(4, 4)), 1))
    score = GaussianScore(moments_of(rows), kind)
    assert learn(score).score == pytest.approx(max(total(score, g) for g in small_graphs.all_graphs(4)), rel=1e-12)


@functools.cache
def scored_graphs() -> tuple[DiscreteScore, dict]:
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(150, (2, 3, 2, 2), 7), (2, 3, 2, 2)), "aic")
    return score, {graph: total(score, graph) for graph in small_graphs.all_graphs(4)}


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_the_best_of_all_graphs_that_keep_to_the_demands_is_found(data: st.DataObject) -> None:
    pairs = list(itertools.permutations(range(4), 2))
    kept = data.draw(st.sampled_from(small_graphs.all_graphs(4)))  # so that the demands can be met
    required = data.draw(st.sets(st.sampled_from(arrows_of(kept)), max_size=2)) if arrows_of(kept) else set()
    free = [pair for pair in pairs if pair not in arrows_of(kept)]
    forbidden = data.draw(st.sets(st.sampled_from(free), max_size=6)) if free else set()
    most = data.draw(st.sampled_from([None, max(map(len, kept))]))
    order = topological_order(kept)
    tiers = tuple(order.index(node) // 2 for node in range(4)) if data.draw(st.booleans()) else ()
    rules = Constraints(frozenset(required), frozenset(forbidden), tiers, most)

    def meets(graph) -> bool:
        arrows = set(arrows_of(graph))
        in_order = not tiers or all(tiers[source] <= tiers[target] for source, target in arrows)
        few = most is None or max(map(len, graph)) <= most
        return required <= arrows and not arrows & forbidden and in_order and few

    score, totals = scored_graphs()
    found = learn(score, Options(rules, restarts=6))
    assert meets(found.parents)
    best = max(worth for graph, worth in totals.items() if meets(graph))
    assert found.score == pytest.approx(best, rel=1e-12)


def test_the_trace_leads_from_the_start_to_what_was_found() -> None:
    cards = (2, 3, 2, 2, 3, 2)
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(400, cards, 3), cards))
    for walk in (0, 5):
        found = learn(score, Options(walk=walk, restarts=0))
        arrows: set[tuple[int, int]] = set()
        for move in found.trace:
            end = (move.source, move.target)
            if move.kind == "add":
                assert end not in arrows
                arrows.add(end)
            else:
                arrows.remove(end)
                if move.kind == "turn":
                    arrows.add(end[::-1])
            assert move.score == pytest.approx(total(score, parents_of(6, arrows)), rel=1e-12)
        assert parents_of(6, arrows) == found.parents
        assert len(found.searches) == 1
    again = learn(score, Options(seed=4, restarts=3))
    assert again == learn(score, Options(seed=4, restarts=3))
    assert len(again.searches) == 4
    assert learn(score, start=again.parents).score >= again.score
    assert again.families < 2 * 6 * 2**5  # each family once, or once alone and once among candidates


def test_plain_hill_climbing_ends_where_no_move_gains() -> None:
    cards = (2, 3, 2, 2, 3)
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(200, cards, 5), cards))
    found = learn(score, Options(walk=0, tabu=0, patience=0, restarts=0))
    arrows = set(arrows_of(found.parents))
    assert "maximum" in found.reason or "no better" in found.reason
    for pair in itertools.permutations(range(5), 2):
        near = [arrows | {pair}, arrows - {pair}, (arrows - {pair}) | {pair[::-1]} if pair in arrows else arrows]
        for graph in (parents_of(5, each) for each in near):
            try:
                topological_order(graph)
            except GraphError:
                continue
            assert total(score, graph) <= found.score + 1e-6


def test_no_columns_one_column_and_columns_that_never_change() -> None:
    assert learn(DiscreteScore(RowCounts(np.zeros((5, 1), int), (2,)))).parents == ((),)
    constant = np.column_stack([np.zeros(50, int), np.arange(50) % 2])
    assert learn(DiscreteScore(RowCounts(constant))).parents == ((), ())
    assert learn(DiscreteScore(RowCounts(np.zeros((5, 0), int), ()))).parents == ()


def test_expected_counts_are_learned_from_as_rows_are() -> None:
    cards = (2, 3, 2)
    codes = small_graphs.drawn_codes(200, cards, 0)

    def counts(node: int, parents: tuple[int, ...]) -> np.ndarray:
        table = np.zeros([cards[each] for each in (*parents, node)])
        np.add.at(table, tuple(codes[:, each] for each in (*parents, node)), 1.0)
        return table

    one = learn(DiscreteScore(ExpectedCounts(counts, cards, 200.0)))
    assert one.score == pytest.approx(learn(DiscreteScore(RowCounts(codes, cards))).score, rel=1e-12)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            Constraints(required=frozenset({(0, 1)}), forbidden=frozenset({(0, 1)})),
            "a → b cannot be: it is forbidden too",
        ),
        (Constraints(required=frozenset({(0, 1)}), tiers=(1, 0, 0)), "a → b cannot be: its parent is in a later tier"),
        (Constraints(required=frozenset({(0, 1), (1, 2), (2, 0)})), "circle: "),
        (Constraints(required=frozenset({(0, 2), (1, 2)}), max_parents=1), "node c has 2 required parents"),
        (
            Constraints(forbidden=frozenset({(0, 3)})),
            r"forbidden arrow \(0, 3\): its ends must be two of the nodes 0…2",
        ),
        (Constraints(required=frozenset({(1, 1)})), r"required arrow \(1, 1\)"),
        (Constraints(tiers=(0, 1)), "2 tiers for 3 nodes"),
        (Constraints(max_parents=-1), "max_parents is -1"),
    ],
)
def test_demands_that_cannot_be_met(rules: Constraints, words: str) -> None:
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(20, (2, 2, 2), 0)))
    with pytest.raises(ValueError, match=words):
        learn(score, Options(rules), names=["a", "b", "c"])


def test_starts_that_cannot_be_and_options_that_are_none() -> None:
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(20, (2, 2, 2), 0)))
    with pytest.raises(ValueError, match="differ about 0 → 1"):
        learn(score, Options(Constraints(required=frozenset({(0, 1)}))), start=((), (), ()))
    with pytest.raises(ValueError, match="2 nodes and the data 3"):
        learn(score, start=((), ()))
    with pytest.raises(ValueError, match="restarts is -1"):
        Options(restarts=-1)


def test_changes_lead_to_no_graph_without_a_score() -> None:
    random = np.random.default_rng(0)
    levels = random.integers(0, 4, size=(40, 3))
    rows = np.column_stack([levels, random.normal(size=(40, 2)) + levels[:, :2]])
    score = MixedScore(rows, np.array([True, True, True, False, False]))
    found = learn(score, Options(restarts=12, changes=8))
    assert np.all(np.isfinite(found.searches))
    assert found.score == pytest.approx(max(found.searches), rel=1e-9)


def test_a_required_arrow_that_cannot_be_scored_is_named() -> None:
    rows = np.column_stack([np.arange(12.0) ** 2, np.arange(12) % 6])
    score = MixedScore(rows, np.array([False, True]))
    assert learn(score).parents == ((), ())
    few = MixedScore(rows[:8], np.array([False, True]))
    with pytest.raises(ValueError, match="node 'x' cannot be scored given its parents 'group': there are too few rows"):
        learn(few, Options(Constraints(required=frozenset({(1, 0)}))), names=["x", "group"])
    with pytest.raises(ValueError, match="a column with levels cannot depend on one of numbers"):
        learn(score, Options(Constraints(required=frozenset({(0, 1)}))))


def test_what_others_found_in_bnlearn_s_samples(shared_data) -> None:
    names, columns = small_graphs.sample_of(shared_data, "learning_test.csv.gz")
    rows = RowCounts(small_graphs.coded(columns))
    truth = parents_of(6, [(names.index(a), names.index(b)) for a, b in ("AB", "AD", "CD", "BE", "FE")])
    # bnlearn: hc(learning.test) scores −24006.734232498; GOBNILP proves −24028.0947783535 optimal for BDeu
    for kind, expected in [("bic", -24006.734232498), ("bdeu", -24028.0947783535)]:
        found = learn(DiscreteScore(rows, kind))
        assert found.score == pytest.approx(expected, abs=1e-8)
        assert hamming_distance(found.parents, truth) == 0
    names, columns = small_graphs.sample_of(shared_data, "gaussian_test.csv.gz")
    truth = parents_of(7, [(names.index(a), names.index(b)) for a, b in ("AC", "BC", "BD", "AF", "DF", "EF", "GF")])
    moments = moments_of(np.array(columns, float).T)
    # GOBNILP's tests: optima for BGe and the Gaussian BIC of gaussian.test (that file has a digit more than ours)
    for kind, expected in [("bge", -53258.94161814058), ("bic", -53221.34568733569)]:
        found = learn(GaussianScore(moments, kind))
        assert found.score == pytest.approx(expected, abs=2e-4)
        assert hamming_distance(found.parents, truth) == 0


def test_mixed_columns_of_bnlearn_s_sample(shared_data) -> None:
    names, columns = small_graphs.sample_of(shared_data, "clgaussian_test.csv.gz")
    levelled = np.array([name in "ABCF" for name in names])
    rows = np.column_stack(
        [
            np.unique(c, return_inverse=True)[1] if level else np.array(c, float)
            for c, level in zip(columns, levelled, strict=True)
        ]
    )
    found = learn(MixedScore(rows, levelled), names=names)
    # the network that the sample was drawn from, as bnlearn's manual draws it
    truth = [(names.index(a), names.index(b)) for a, b in ("AD", "HD", "BE", "DE", "BF", "CF", "AG", "DG", "EG", "FG")]
    assert sorted(arrows_of(found.parents)) == sorted(truth)


def test_alarm_is_learned_better_than_by_plain_hill_climbing(shared_data) -> None:
    network = read_network_tables(shared_data / "bif" / "alarm.bif.gz")
    random = np.random.default_rng(0)
    codes = np.zeros((5000, 37), np.int64)
    for node in topological_order(network.parents):
        table = network.tables[node][tuple(codes[:, parent] for parent in network.parents[node])]
        table = np.broadcast_to(table, (5000, table.shape[-1]))
        codes[:, node] = (random.random(5000)[:, None] > table.cumsum(axis=1)[:, :-1]).sum(axis=1)
    score = DiscreteScore(RowCounts(codes, network.cards))
    plain = learn(score, Options(walk=0, tabu=0, patience=0, restarts=0))
    found = learn(score)
    assert found.score > plain.score + 20
    assert hamming_distance(found.parents, network.parents) <= 20 < hamming_distance(plain.parents, network.parents)


def spanning_trees(nodes: int):
    edges = list(itertools.combinations(range(nodes), 2))
    for chosen in itertools.combinations(edges, nodes - 1):
        reach, grew = {0}, True
        parents: list[tuple[int, ...]] = [()] * nodes
        while grew:
            grew = False
            for one, other in chosen:
                for source, target in ((one, other), (other, one)):
                    if source in reach and target not in reach:
                        parents[target], grew = (source,), True
                        reach.add(target)
        if len(reach) == nodes:
            yield tuple(parents)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_all_trees_is_found(seed: int) -> None:
    cards = (2, 3, 2, 4, 2)
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(200, cards, seed), cards), "loglik")
    found = [total(score, tree(score, root)) for root in range(5)]
    trees = list(spanning_trees(5))
    assert len(trees) == 125  # Cayley: 5³
    best = max(total(score, each) for each in trees)
    np.testing.assert_allclose(found, best, rtol=1e-12)
    rows = np.random.default_rng(seed).normal(size=(50, 5)) @ np.random.default_rng(seed + 9).normal(size=(5, 5))
    gaussian = GaussianScore(moments_of(rows), "loglik")
    assert total(gaussian, tree(gaussian, 2)) == pytest.approx(max(total(gaussian, each) for each in trees), rel=1e-12)


def test_weak_arrows_are_no_part_of_a_tree_that_pays_for_them() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 2, size=(2, 500))
    codes = np.column_stack(
        [a, b, np.where(random.random(500) < 0.9, a, 1 - a), np.where(random.random(500) < 0.9, b, 1 - b)]
    )
    assert tree(DiscreteScore(RowCounts(codes), "bic")) == ((), (), (0,), (1,))


def test_naive_and_augmented_structures() -> None:
    cards = (2, 3, 2, 2)
    score = DiscreteScore(RowCounts(small_graphs.drawn_codes(200, cards, 2), cards), "loglik")
    assert naive(score, 1) == ((1,), (), (1,), (1,))
    others = [0, 2, 3]
    best = max(
        total(
            score,
            parents_of(4, [*((1, each) for each in others), *((others[a], others[b]) for a, b in arrows_of(each))]),
        )
        for each in spanning_trees(3)
    )
    for root in others:
        found = augmented(score, 1, root)
        assert found[root] == (1,)
        assert total(score, found) == pytest.approx(best, rel=1e-12)
    mixed = MixedScore(
        np.column_stack([np.arange(30) % 2, np.random.default_rng(0).normal(size=30)]), np.array([True, False])
    )
    assert naive(mixed, 0) == ((), (0,))
    for call, words in [(lambda: naive(score, 4), "target is 4"), (lambda: augmented(score, 1, 1), "must be another")]:
        with pytest.raises(ValueError, match=words):
            call()


def test_arrows_that_are_sure_and_those_that_are_not(shared_data) -> None:
    names, columns = small_graphs.sample_of(shared_data, "learning_test.csv.gz")
    codes = small_graphs.coded(columns)[:1000]
    cards = tuple(codes.max(axis=0) + 1)

    def learned(weights: np.ndarray, seed: int):
        return learn(DiscreteScore(RowCounts(codes, cards, weights)), Options(seed=seed, restarts=0)).parents

    found = bootstrap(learned, 1000, 20, seed=1)
    assert found.samples == 20
    truth = parents_of(6, [(names.index(a), names.index(b)) for a, b in ("AB", "AD", "CD", "BE", "FE")])
    assert hamming_distance(averaged(found), truth) == 0
    np.testing.assert_allclose(found.arrows + found.arrows.T, found.neighbours)
    a, b = names.index("A"), names.index("B")
    assert found.neighbours[a, b] == 1
    assert 0.2 <= found.directions[a, b] <= 0.8  # data cannot tell
    assert found.directions[names.index("C"), names.index("D")] == 1
    with pytest.raises(ValueError, match="0 samples"):
        bootstrap(learned, 1000, 0)
    with pytest.raises(ValueError, match="threshold is 2"):
        averaged(found, 2.0)


@given(
    st.lists(st.sampled_from(small_graphs.all_graphs(4)), min_size=1, max_size=6),
    st.sampled_from([None, 0.0, 0.3, 0.5]),
)
def test_an_averaged_network_has_no_circle_and_the_threshold_is_nearest(graphs: list, threshold: float | None) -> None:
    found = strengths_of([equivalence_class(each) for each in graphs])
    topological_order(averaged(found, threshold))
    if len(set(graphs)) == 1:
        assert hamming_distance(averaged(found), graphs[0]) == 0
    values = np.sort(found.neighbours[np.triu_indices(4, 1)])
    grid = np.linspace(0, 1, 2001)[:-1]
    heights = (values[None, :] <= grid[:, None]).mean(axis=1)
    areas = np.array([np.abs(heights - share).mean() for share in np.arange(7) / 6])
    chosen = np.searchsorted(values, threshold_of(found), side="right") / 6
    if threshold_of(found) > 0:
        assert np.abs(heights - chosen).mean() <= areas.min() + 2e-3
