"""Networks of slices in time: tied tables, and the hidden Markov model as the chain that it is."""

import numpy as np
import pandas as pd
import pytest

import tacit
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.model import Network
from tacit.models.network.nodes.table import TableNode

SLICES = 20


@pytest.fixture(scope="module")
def words() -> np.ndarray:
    """Sequences of three levels from a chain of two states."""
    random = np.random.default_rng(0)
    move, says = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.8, 0.15, 0.05], [0.1, 0.2, 0.7]])
    state = np.zeros((120, SLICES), int)
    state[:, 0] = random.random(120) < 0.4
    for t in range(1, SLICES):
        state[:, t] = random.random(120) < move[state[:, t - 1], 1]
    return (says[state].cumsum(-1) < random.random((120, SLICES, 1))).sum(-1)


def test_a_chain_network_has_the_likelihood_of_the_hidden_markov_model(words: np.ndarray) -> None:
    frame = pd.DataFrame({"x": np.array(list("abc"))[words.ravel()]})
    chain = tacit.HiddenMarkovModel(2, families="categorical", max_iter=20, random_state=0)
    with pytest.warns(match="converge"):
        chain.fit(frame, lengths=[SLICES] * len(words))
    says = np.asarray(chain.model_.emissions.groups[0].code_probabilities())[:, 0]
    parents = [() if t == 0 else (t - 1,) for t in range(SLICES)] + [(t,) for t in range(SLICES)]
    tables = [chain.startprob_, *[chain.transmat_] * (SLICES - 1), *[says] * SLICES]
    nodes = tuple(
        TableNode(place, above, (), np.asarray(table), 0.0, table.shape[-1])
        for place, (above, table) in enumerate(zip(parents, tables, strict=True))
    )
    network = Network(nodes, DirectedGraph(tuple(map(str, range(2 * SLICES))), tuple(parents)))
    rows = np.concatenate([np.full(words.shape, np.nan), words], axis=1)
    scores = chain.score_samples(frame, lengths=[SLICES] * len(words)).reshape(words.shape).sum(1)
    np.testing.assert_allclose(network.log_prob(rows), scores, rtol=1e-12)


def test_repeated_nodes_share_one_table(words: np.ndarray) -> None:
    slices = 5
    table = pd.DataFrame({f"x{t}": np.array(list("abc"))[words[:, t]] for t in range(slices)})
    arrows = [(f"z{t}", f"x{t}") for t in range(slices)] + [(f"z{t}", f"z{t + 1}") for t in range(slices - 1)]
    repeat = [[f"x{t}" for t in range(slices)], [f"z{t}" for t in range(1, slices)]]
    hidden = {f"z{t}": 2 for t in range(slices)}
    model = tacit.BayesianNetwork(arrows, hidden=hidden, repeat=repeat, prior=0.0, n_init=2, tol=1e-6).fit(table)
    assert model.n_parameters_ == 1 + 2 + 4
    assert (np.diff(model.trace_.bound) > -1e-8).all()
    nodes = model.model_.nodes
    for t in range(1, slices):
        np.testing.assert_array_equal(nodes[t].table, nodes[0].table)
    np.testing.assert_array_equal(nodes[slices + 1].table, nodes[slices + 4].table)
    assert model.score(table) * len(table) == pytest.approx(model.lower_bound_)
    with pytest.raises(ValueError, match=r"repeat: .*x0.*z3.*shapes"):
        tacit.BayesianNetwork(arrows, hidden=hidden, repeat=[["x0", "z3"]]).fit(table)
    with pytest.raises(ValueError, match="two lists"):
        tacit.BayesianNetwork(arrows, hidden=hidden, repeat=[["x0", "x1"], ["x1", "x2"]]).fit(table)
