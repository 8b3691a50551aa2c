"""What is said of the error of approximate posteriors: never more than is known."""

from pathlib import Path

import numpy as np
import pytest

from bif_networks import bif_network, evidence_of_a_draw, random_network, table_network
from tacit.models.network.approximate.approximation import Approximation, Method, approximate, comparison
from tacit.models.network.approximate.case import ApproximationSettings
from tacit.models.network.approximate.exact_parts import exact_part
from tacit.models.network.approximate.products import exact_marginals, product_of
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.poisson import PoissonNode
from tacit.models.network.nodes.softmax import SoftmaxNode
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.plan import planned

ONLY_DRAWS = ApproximationSettings(max_bytes=0)
NOTHING = ApproximationSettings(max_bytes=0, draws=0)


@pytest.fixture(scope="module")
def alarm(request: pytest.FixtureRequest) -> Network:
    folder: Path = request.getfixturevalue("shared_data")
    return bif_network(folder / "bif" / "alarm.bif.gz")


def node(network: Network, name: str) -> int:
    return network.graph.number(name)


def exact(network: Network, row: np.ndarray) -> dict[int, np.ndarray]:
    product, _ = product_of(network, row)
    return exact_marginals(product, planned(product.scopes, product.sizes))[0]


def test_the_verdict_finds_what_convergence_and_bethe_hide(alarm: Network) -> None:
    """Messages stand still, Bethe's energy is 0 as it should be, and one posterior is wrong by 0.24."""
    for settings, known_by in ((ApproximationSettings(), "exact"), (ONLY_DRAWS, "draws")):
        found = approximate(alarm, np.full(37, np.nan), settings=settings)
        assert found.converged
        assert found.kind == "Bethe"
        assert found.log_value == pytest.approx(0.0, abs=1e-9)
        error = found.errors[node(alarm, "EXPCO2")]
        assert error.known_by == known_by
        assert error.error == pytest.approx(0.239, abs=0.01)
        assert error.surely_wrong
        assert found.largest_error > 0.23
        assert "says nothing of the error" in found.words
        assert "off by up to 0.24" in found.words
        assert "EXPCO2" in found.words


def test_where_nothing_is_known_that_is_what_is_said(alarm: Network) -> None:
    found = approximate(alarm, np.full(37, np.nan), settings=NOTHING)
    assert found.converged
    assert all(error.known_by == "nothing" for error in found.errors.values())
    assert found.largest_error == 1.0
    assert "37 posteriors: they can be far off" in found.words
    assert np.isnan(found.effective)


def test_draws_that_are_too_few_are_not_believed(alarm: Network) -> None:
    row = evidence_of_a_draw(alarm, 10, 7)
    few = ApproximationSettings(max_bytes=0, draws=60)
    methods: tuple[Method, ...] = ("loopy", "mean-field", "weighted")
    for method in methods:
        found = approximate(alarm, row, method, settings=few)
        assert found.largest_error == 1.0
        assert "too few to tell" in found.words
        assert "far off" in found.words


@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.parametrize("method", ["loopy", "mean-field", "weighted"])
def test_errors_are_seldom_above_what_is_estimated(alarm: Network, method: Method, seed: int) -> None:
    row = evidence_of_a_draw(alarm, 10, seed)
    found = approximate(alarm, row, method, settings=ONLY_DRAWS)
    away = {v: float(np.abs(found.marginals[v] - own).max()) for v, own in exact(alarm, row).items()}
    above = [v for v, error in away.items() if error > found.errors[v].most]
    assert len(above) <= 4
    assert all(away[v] < 2 * found.errors[v].most for v in above)


def test_exact_answers_are_used_as_far_as_they_reach(alarm: Network) -> None:
    row = np.full(37, np.nan)
    found = approximate(alarm, row, settings=ApproximationSettings(max_bytes=10_000))
    kinds = {error.known_by for error in found.errors.values()}
    assert kinds == {"exact", "draws"}
    whole = exact(alarm, row)
    for v, error in found.errors.items():
        if error.known_by == "exact":
            assert error.error == pytest.approx(float(np.abs(found.marginals[v] - whole[v]).max()), abs=1e-12)


@pytest.mark.parametrize("number", [0, 4, 10])
def test_parts_of_a_network_are_exact(alarm: Network, number: int) -> None:
    row = evidence_of_a_draw(alarm, number, 3)
    product, factors = product_of(alarm, row)
    whole, log_p = exact(alarm, row), float(alarm.log_prob(row[None])[0])
    sizes = []
    for max_bytes in (500, 2_500, 2.0**28):
        part = exact_part(alarm, row, product, factors, max_bytes=max_bytes, seconds=1.0)
        sizes.append(len(part.marginals))
        for v, own in part.marginals.items():
            np.testing.assert_allclose(own, whole[v], atol=1e-12)
        if part.log_evidence is not None:
            assert part.log_evidence == pytest.approx(log_p, abs=1e-12)
    assert sizes == sorted(sizes)
    assert sizes[-1] == 37 - number
    assert 0 < sizes[0] < sizes[-1]


def test_a_part_that_hangs_together_with_no_evidence_is_exact_though_the_evidence_is_too_dear() -> None:
    """Two chains apart; the evidence is in the one whose tables are large."""
    random = np.random.default_rng(0)
    big = [random.dirichlet(np.ones(40), () if at == 0 else (40,)) for at in range(3)]
    small = [random.dirichlet(np.ones(2), () if at == 0 else (2,)) for at in range(3)]
    network = table_network(tuple("abcxyz"), ((), (0,), (1,), (), (3,), (4,)), [*big, *small])
    row = np.full(6, np.nan)
    row[2] = 5.0
    product, factors = product_of(network, row)
    part = exact_part(network, row, product, factors, max_bytes=2_000, seconds=1.0)
    assert set(part.marginals) == {3, 4, 5}
    assert part.log_evidence is None
    for v, own in part.marginals.items():
        np.testing.assert_allclose(own, exact(network, row)[v], atol=1e-12)


def test_methods_side_by_side(alarm: Network) -> None:
    row = evidence_of_a_draw(alarm, 10, 7)
    found = comparison(alarm, row)
    rows = {each.method: each for each in found.rows}
    assert list(rows) == ["exact", "loopy", "mean-field", "weighted"]
    assert rows["exact"].log_value == pytest.approx(float(alarm.log_prob(row[None])[0]), abs=1e-12)
    assert rows["mean-field"].kind == "lower bound"
    assert rows["mean-field"].log_value < rows["exact"].log_value
    assert abs(rows["weighted"].log_value - rows["exact"].log_value) < 4 * rows["weighted"].log_error
    assert rows["mean-field"].largest_error > rows["loopy"].largest_error > rows["weighted"].largest_error
    assert all(each.unknown == 0 for each in found.rows)
    lines = found.text().splitlines()
    assert len(lines) == 5
    assert lines[0].split()[0] == "method"


def hidden_dose() -> Network:
    """A hidden number above a node with levels: no table can say it."""
    prior, floor = (0.0, 0.0, 0.0, 0.0), 0.0
    nodes = (
        TableNode(0, (), (), np.array([0.3, 0.7]), 0.0, 2),
        NormalNode(1, (0,), (), np.array([[-1.0], [1.0]]), np.ones(2), prior, floor),
        SoftmaxNode(2, (), (1,), np.array([[0.0, 2.0]]), 0.0, 1.0, 2),
    )
    return Network(nodes, DirectedGraph(("group", "dose", "effect"), ((), (0,), (1,))))


def test_draws_answer_what_has_no_exact_answer() -> None:
    network = hidden_dose()
    row = np.array([np.nan, np.nan, 1.0])
    with pytest.raises(NotExact, match="method='weighted'"):
        approximate(network, row)
    found = approximate(network, row, "weighted")
    assert set(found.marginals) == {0}
    assert set(found.numbers) == {1}
    assert found.marginals[0][1] > 0.8
    assert found.errors[0].known_by == "draws"
    assert found.errors[0].most < 0.03
    assert [each.method for each in comparison(network, row).rows] == ["weighted"]


def test_hidden_numbers_that_tables_can_say_are_compared_too() -> None:
    network = hidden_dose()
    row = np.array([np.nan, 0.4, np.nan])
    for found in (approximate(network, row), approximate(network, row, "weighted")):
        odds = 0.7 * np.exp(-0.5 * 0.6**2) / (0.3 * np.exp(-0.5 * 1.4**2))
        assert found.marginals[0][1] == pytest.approx(odds / (1 + odds), abs=0.02)
        assert found.largest_error < 0.02


def test_a_count_that_is_seen_and_a_number_that_is_not() -> None:
    """The log-evidence of a part is given only where what was left out is known to sum to one."""
    prior, floor = (0.0, 0.0, 0.0, 0.0), 0.0
    count = PoissonNode(1, (0,), (), np.array([[0.0], [2.0]]), 0.0, 1.0)
    number = NormalNode(2, (0,), (), np.array([[0.0], [1.0]]), np.ones(2), prior, floor)
    nodes = (TableNode(0, (), (), np.array([0.5, 0.5]), 0.0, 2), count, number)
    network = Network(nodes, DirectedGraph(("kind", "count", "size"), ((), (0,), (0,))))
    row = np.array([np.nan, 3.0, np.nan])
    found = comparison(network, row)
    exactly = float(network.log_prob(row[None])[0])
    assert found.rows[0].log_value == pytest.approx(exactly, abs=1e-12)
    assert found.rows[1].log_value == pytest.approx(exactly, abs=1e-9)


def test_soft_evidence() -> None:
    network = random_network(np.random.default_rng(3), 6)
    soft = {4: np.linspace(1.0, 0.1, network.sizes[4])}
    rows = comparison(network, np.full(6, np.nan), likelihoods=soft).rows
    assert rows[0].method == "exact"
    assert abs(rows[-1].log_value - rows[0].log_value) < 4 * rows[-1].log_error


def test_hidden_numbers_are_by_draws_whatever_the_method() -> None:
    network = hidden_dose()
    row = np.full(3, np.nan)
    prior = NormalNode(1, (0,), (), np.array([[-1.0], [1.0]]), np.ones(2), (0.0, 0.0, 0.0, 0.0), 0.0)
    simple = Network((network.nodes[0], prior), DirectedGraph(("group", "dose"), ((), (0,))))
    found = approximate(simple, row[:2])
    mean, deviation = 0.4, np.sqrt(1.0 + 1.0 - 0.4**2)
    assert (np.abs(found.numbers[1].values - [mean, deviation]) < 4 * found.numbers[1].errors).all()
    assert "Numbers are by 10000 weighted draws" in found.words
    assert approximate(simple, row[:2], settings=NOTHING).numbers == {}


def test_soft_evidence_on_what_is_seen_is_no_posterior() -> None:
    network = random_network(np.random.default_rng(3), 4)
    row = np.array([0.0, np.nan, np.nan, np.nan])
    soft = {0: np.linspace(0.5, 1.0, network.sizes[0])}
    methods: tuple[Method, ...] = ("loopy", "mean-field", "weighted")
    for method in methods:
        found = approximate(network, row, method, likelihoods=soft)
        assert set(found.marginals) == {1, 2, 3}
        assert found.log_value == pytest.approx(float(np.log(0.5) + network.log_prob(row[None])[0]), abs=0.3)


def test_impossible_evidence_is_called_so_where_that_is_known() -> None:
    table = np.array([[1.0, 0.0], [1.0, 0.0]])
    network = table_network(("a", "b"), ((), (0,)), [np.array([0.5, 0.5]), table])
    row = np.array([np.nan, 1.0])
    loopy: Approximation = approximate(network, row)
    assert "impossible" in loopy.words
    assert "'a'" in loopy.words
    assert loopy.log_value == -np.inf
    assert "can be far off" in loopy.words
    assert approximate(network, row, "mean-field").log_value == -np.inf
    weighted = approximate(network, row, "weighted")
    assert "it is impossible, or so improbable" in weighted.words
    assert weighted.largest_error == 1.0


def test_everything_seen() -> None:
    network = table_network(("a", "b"), ((), (0,)), [np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])])
    methods: tuple[Method, ...] = ("loopy", "mean-field", "weighted")
    for method in methods:
        found = approximate(network, np.array([0.0, 1.0]), method)
        assert found.log_value == pytest.approx(np.log(0.05))
        assert found.marginals == {}
        assert found.largest_error == 0.0


def test_a_network_that_has_no_exact_answer_within_any_memory() -> None:
    """Each pair of thirty causes has an effect that is seen: a clique of thirty; approximations still answer."""
    random = np.random.default_rng(0)
    causes = 30
    pairs = [(a, b) for a in range(causes) for b in range(a)]
    parents: tuple[tuple[int, ...], ...] = (*((),) * causes, *pairs)
    tables = [random.dirichlet(np.ones(2)) for _ in range(causes)]
    tables += [random.dirichlet(np.full(2, 5.0), (2, 2)) for _ in pairs]
    network = table_network(tuple(f"x{at}" for at in range(len(parents))), parents, tables)
    row = np.full(len(parents), np.nan)
    row[causes:] = 0.0
    found = approximate(network, row, settings=ApproximationSettings(draws=2_000))
    assert found.converged or found.words
    assert all(error.known_by != "exact" for error in found.errors.values())
