"""The graph of a model: what it refuses, how it factorises, its DOT text."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tacit
from tacit import plots
from tacit.models.graph import Edge, Graph, GraphError, Node, Plate, mixture_graph

N = Plate("n", "n = 1…N")
TOPICS = Graph(
    (
        Node("alpha", "α", "hyperparameter"),
        Node("theta", "θ", "latent", ("m",)),
        Node("z", "z", "latent", ("m", "n")),
        Node("w", "w", "observed", ("m", "n")),
        Node("beta", "β", "parameter", ("k",)),
        Node("eta", "η", "hyperparameter"),
    ),
    tuple(itertools.starmap(Edge, [("alpha", "theta"), ("theta", "z"), ("z", "w"), ("beta", "w"), ("eta", "beta")])),
    (Plate("m", "m = 1…M"), N, Plate("k", "k = 1…K")),
)


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (mixture_graph([(("μ", "Σ"), "normal")]), "p(x,z; π,μ,Σ) = ∏ₙ p(zₙ; π) p(xₙ|zₙ; μ,Σ)"),
        (
            mixture_graph([(("μ", "Σ"), "normal")], priors=True, weights_prior=True),
            "p(x,z,π,μ,Σ; α,η) = p(π; α) ∏ₖ p(μₖ,Σₖ; η) ∏ₙ p(zₙ|π) p(xₙ|zₙ,μ,Σ)",
        ),
        (
            mixture_graph([(("μ", "Σ"), "normal"), (("λ",), "Poisson")]),
            "p(x₁,x₂,z; π,μ,Σ,λ) = ∏ₙ p(zₙ; π) p(x₁ₙ|zₙ; μ,Σ) p(x₂ₙ|zₙ; λ)",
        ),
        (
            mixture_graph([(("θ",), "categorical"), (("θ",), "binary")]),
            "p(x₁,x₂,z; π,θ₁,θ₂) = ∏ₙ p(zₙ; π) p(x₁ₙ|zₙ; θ₁) p(x₂ₙ|zₙ; θ₂)",
        ),
        (TOPICS, "p(w,θ,z,β; α,η) = ∏ₘ [p(θₘ; α) ∏ₙ p(zₘₙ|θₘ) p(wₘₙ|zₘₙ,β)] ∏ₖ p(βₖ; η)"),
        (
            Graph(
                (
                    Node("z", "z", "latent", ("n",)),
                    Node("x", "x", "observed", ("n",)),
                    Node("W", "W", "parameter"),
                ),
                (Edge("z", "x"), Edge("W", "x")),
                (N,),
            ),
            "p(x,z; W) = ∏ₙ p(zₙ) p(xₙ|zₙ; W)",
        ),
        (
            Graph((Node("a", "a", "observed"), Node("b", "b", "latent")), (Edge("b", "a"),)),
            "p(a,b) = p(b) p(a|b)",
        ),
        (
            Graph((Node("r", "r", "observed", ("d",)),), (), (Plate("d", "D times"),)),
            "p(r) = ∏_d p(r_d)",
        ),
    ],
)
def test_factorisation(graph, text):
    assert graph.factorisation() == text


def test_factorisation_without_fixed_values_is_the_one_of_the_textbooks():
    graph = mixture_graph([(("μ", "Σ"), "normal")], priors=True, weights_prior=True)
    assert graph.factorisation(fixed=False) == ("p(x,z,π,μ,Σ) = p(π) ∏ₖ p(μₖ,Σₖ) ∏ₙ p(zₙ|π) p(xₙ|zₙ,μ,Σ)")


def test_distributions_say_how_each_variable_arises():
    graph = mixture_graph([(("μ", "Σ"), "normal"), (("λ",), "Poisson")])
    assert graph.distributions() == (
        "zₙ ~ categorical(π)",
        "x₁ₙ | zₙ ~ normal(μ, Σ)",
        "x₂ₙ | zₙ ~ Poisson(λ)",
    )
    assert (
        mixture_graph([(("λ",), "Poisson")], priors=True, weights_prior=True).distributions()[0] == "π ~ Dirichlet(α)"
    )


@given(st.integers(1, 7), st.data())
def test_every_random_node_is_one_factor(count, data):
    pairs = list(itertools.combinations(range(count), 2))
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    plates = [data.draw(st.sampled_from([(), ("n",), ("k",), ("n", "m")])) for _ in range(count)]
    graph = Graph(
        tuple(Node(f"v{i}", f"V{i}", "latent", plates[i]) for i in range(count)),
        tuple(Edge(f"v{i}", f"v{j}") for i, j in chosen),
        (N, Plate("k", ""), Plate("m", "")),
    )
    right = graph.factorisation().split(" = ")[1]
    for i in range(count):
        assert right.count(f"p(V{i}") == 1
    assert right.count("[") == right.count("]")
    assert right.count("p(") == count
    assert "digraph" in graph.to_dot()


@pytest.mark.parametrize(
    ("nodes", "edges", "words"),
    [
        ([("a", "latent", ()), ("a", "latent", ())], [], "node 'a' stands twice"),
        ([("a", "latent", ())], [("a", "b")], "arrow a → b: there is no node 'b'"),
        ([("a", "latent", ("q",))], [], "node 'a' stands in plate 'q', which does not exist"),
        ([("a", "hidden", ())], [], "node 'a' has the role 'hidden'; choose from"),
        ([("a", "latent", ()), ("b", "latent", ())], [("a", "b"), ("b", "a")], "circle: a → b → a"),
        ([("a", "latent", ())], [("a", "a")], "circle: a → a"),
        ([("a", "latent", ()), ("b", "hyperparameter", ())], [("a", "b")], "a hyperparameter is fixed"),
        ([("a", "latent", ()), ("b", "latent", ())], [("a", "b"), ("a", "b")], "arrow 'a → b' stands twice"),
    ],
)
@pytest.mark.wrong_types
def test_what_is_no_graph_is_refused_by_name(nodes, edges, words):
    with pytest.raises(GraphError, match=words):
        Graph(
            tuple(Node(name, name, role, plates) for name, role, plates in nodes),
            tuple(itertools.starmap(Edge, edges)),
            (N,),
        )


def test_an_error_of_a_graph_is_a_value_error():
    assert issubclass(GraphError, ValueError)


def test_dot_text():
    graph = Graph(
        (Node("p", 'π "quoted"', "parameter"), Node("z", "z", "latent", ("n",))),
        (Edge("p", "z"),),
        (Plate("n", "n = 1…N"),),
    )
    assert graph.to_dot() == (
        "digraph {\n"
        "  rankdir=TB;\n"
        '  "p" [label="π \\"quoted\\"", shape=plaintext];\n'
        '  subgraph "cluster_n" {\n'
        '    label="n = 1…N";\n'
        '    labeljust="r"; labelloc="b"; color="#8a949c";\n'
        '    "z" [label="zₙ", shape=ellipse];\n'
        "  }\n"
        '  "p" -> "z";\n'
        "}\n"
    )


def test_nested_plates_are_nested_clusters():
    text = TOPICS.to_dot()
    outer = text[text.index('"cluster_m"') :]
    assert outer.index('"cluster_n"') < outer.index("\n  }\n") < outer.index('"cluster_k"')


def test_a_graph_draws_itself_with_the_numbers_it_was_given():
    figure = mixture_graph([(("μ",), "normal")], rows=344, components=3).draw()
    svg = plots.to_svg(figure)
    for text in ("n = 1…344", "k = 1…3", "zₙ", "xₙ", "μₖ", "π"):
        assert text in svg


def test_graphs_are_plain_values():
    assert mixture_graph([(("μ",), "normal")]) == mixture_graph([(("μ",), "normal")])
    assert hash(TOPICS) == hash(TOPICS)


def test_a_graph_needs_no_matplotlib_until_it_is_drawn():
    source = str(Path(tacit.__file__).parents[1])
    code = "import sys, tacit.models.graph; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": source}).returncode == 0
