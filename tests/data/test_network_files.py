"""Files of networks: what they mean, and that they come back as they went."""

import gzip
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.data.network_files import NetworkTables, read_network_tables, write_network_tables

FORMATS = [".bif", ".xml", ".net", ".uai"]
NETWORKS = """
alarm andes asia barley cancer child diabetes earthquake hailfinder hepar2 insurance link mildew munin munin1 munin2
munin3 munin4 pathfinder pigs sachs survey water win95pts
"""
LARGE = {"diabetes": [".bif"], "munin": [".net"], "link": [".xml"], "munin3": [], "munin2": [".uai"], "munin4": []}


def read(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_network_tables(path)


def assert_same(one, other, *, named=True):
    assert one.parents == other.parents
    assert one.cards == other.cards
    if named:
        assert one.names == other.names
        assert one.levels == other.levels
    for left, right in zip(one.tables, other.tables, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", NETWORKS.split())
def test_every_network_reads_and_goes_round_through_every_format(name, shared_data, tmp_path):
    network = read_network_tables(shared_data / "bif" / f"{name}.bif.gz")
    for table in network.tables:
        np.testing.assert_allclose(table.sum(axis=-1), 1, rtol=0, atol=1e-12)
    for ending in LARGE.get(name, FORMATS):
        path = tmp_path / f"it{ending}"
        write_network_tables(network, path)
        back = read_network_tables(path)
        assert_same(network, back, named=ending != ".uai")
        assert not [remark for remark in back.remarks if "divided" in remark]


def test_the_networks_have_the_sizes_that_their_source_states(shared_data):
    # nodes, arcs and free parameters as https://www.bnlearn.com/bnrepository states them
    for name, nodes, arcs, free in [("alarm", 37, 46, 509), ("munin1", 186, 273, 15622), ("water", 32, 66, 10083)]:
        network = read_network_tables(shared_data / "bif" / f"{name}.bif.gz")
        assert len(network.names) == nodes
        assert sum(map(len, network.parents)) == arcs
        assert sum(t.size // t.shape[-1] * (t.shape[-1] - 1) for t in network.tables) == free


def test_levels_keep_the_order_of_the_file(shared_data):
    network = read_network_tables(shared_data / "bif" / "alarm.bif.gz")
    node = network.names.index("CVP")
    assert network.levels[node] == ("LOW", "NORMAL", "HIGH")
    assert [network.names[p] for p in network.parents[node]] == ["LVEDVOLUME"]
    np.testing.assert_allclose(network.tables[node][2], [0.01, 0.29, 0.70])  # (HIGH) 0.01, 0.29, 0.70;


@pytest.mark.parametrize("name", ["munin", "diabetes"])
def test_large_files_read_in_time_that_grows_with_them(name, shared_data):
    before = time.process_time()
    read_network_tables(shared_data / "bif" / f"{name}.bif.gz")
    assert time.process_time() - before < 2  # alone 0.15 and 0.25 s; types are checked here and others are at work


THREE = NetworkTables(
    ("a", "b", "c"),
    (("x", "y"), ("p", "q", "r"), ("no", "yes")),
    ((), (), (0, 1)),
    (
        np.array([0.25, 0.75]),
        np.array([0.5, 0.3, 0.2]),
        np.array([[[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], [[0.4, 0.6], [0.5, 0.5], [1.0, 0.0]]]),
    ),
)
HEAD = """network n {}
variable a { type discrete [ 2 ] { x, y }; } variable b { type discrete [ 3 ] { p, q, r }; }
variable c { type discrete [ 2 ] { no, yes }; }
probability ( a ) { table .25, .75; } probability ( b ) { table .5, .3, .2; }
"""


@pytest.mark.parametrize(
    "body",
    [
        "probability (c|a, b) { (y, r) 1, 0; (x,p) .1, .9; (x, q) .2, .8; (x, r) .3, .7; (y,p) .4, .6; (y, q) .5,.5;}",
        "probability(c|a,b){table .1 .2 .3 .4 .5 1. .9 .8 .7 .6 .5 0;}",  # the node itself varies slowest
        "probability ( c a b ) { table .1, .2, .3, .4, .5, 1., .9, .8, .7, .6, .5, 0; }",
        "probability ( c | a, b ) { default .5 .5; (x p) .1 .9; (x q) .2 .8; (x r) .3 .7; (y p) .4 .6; (y r) 1 0; }",
        """probability ( c | a, b ) { // a comment; with }
           property "of }; any kind" ; (x, p) 1e-1, .9; /* (x, p) 0, 1; */ (x, q) .2, .8;
           (x, r) .3, .7; (y, p) .4, .6; (y, q) .5, .5; (y, "r") 1, 0; }""",
    ],
)
def test_every_way_in_which_bif_writes_a_table(body, tmp_path):
    network = read(tmp_path, "t.bif", HEAD + body)
    assert_same(network, THREE)
    assert not network.remarks


def test_bif_with_the_node_itself_fastest_is_read_where_only_that_sums_to_one_and_is_said(tmp_path):
    network = read(tmp_path, "t.bif", HEAD + "probability ( c | a, b ) { table .1 .9 .2 .8 .3 .7 .4 .6 .5 .5 1 0; }")
    assert_same(network, THREE)
    assert "'c' was read with the node itself varying fastest" in network.remarks[0]


def test_the_first_bif_files_had_neither_bars_nor_commas(tmp_path):
    # the dog problem as JavaBayes distributes it (Cozman 2001), abridged
    text = """network "Dog-Problem" { property "author Francisco" ; }
variable  "light-on" { //2 values
	type discrete[2] {  "true"  "false" };
	property "position = (218, 195)" ;
}
variable  "family-out" { type discrete[2] {  "true"  "false" }; property "position = (257, 99)" ; }
probability (  "light-on"  "family-out" ) { //2 variable(s) and 4 values
	table
		0.6 	// p(true | true evidence)
		0.05 	// p(true | false evidence)
		0.4	// p(false | true evidence)
		0.95;	// p(false | false evidence)
}
probability (  "family-out" ) { table 0.15 0.85 ; }
"""
    network = read(tmp_path, "dog.bif", text)
    assert network.parents == ((1,), ())
    np.testing.assert_array_equal(network.tables[0], [[0.6, 0.4], [0.05, 0.95]])


def test_hugin_writes_the_node_itself_fastest_and_its_last_parent_next(tmp_path):
    text = """% of the manual's kind
class Some { inputs = (); outputs = ();
net { node_size = (80 40); note = "a } b; %"; }
discrete node a { label = "A % }"; states = ("x" "y"); position = (1 2); HR_State_0 = ""; }
node b { states = ("p" "q" "r"); }
node c { states = ("no" "yes"); }
potential (c | a b) {
  data = (((.1 .9) % a comment; with marks }
           (.2 .8)(.3 .7))
          ((.4 .6)(.5 .5)(1 0)));
}
potential (a) { data = (.25 .75); experience = (12); }
potential (b) { data = (.5, .3, .2); }
}
"""
    assert_same(read(tmp_path, "t.net", text), THREE)


def test_a_potential_without_data_makes_its_levels_alike_and_says_so(tmp_path):
    network = read(tmp_path, "t.net", 'node a { states = ("x" "y"); } potential (a) { }')
    np.testing.assert_array_equal(network.tables[0], [0.5, 0.5])
    assert "no data" in network.remarks[0]


def test_xmlbif_with_its_document_type_comments_and_properties(tmp_path):
    text = """<?xml version="1.0"?>
<!DOCTYPE BIF [ <!ELEMENT BIF ( NETWORK )*> <!ATTLIST BIF VERSION CDATA #REQUIRED> ]>
<BIF VERSION="0.3"><NETWORK><NAME>N</NAME>
<VARIABLE TYPE="nature"><NAME> a </NAME>
<OUTCOME>x</OUTCOME><OUTCOME>y</OUTCOME><PROPERTY>p = (1,2)</PROPERTY></VARIABLE>
<VARIABLE><NAME>b</NAME><OUTCOME>p</OUTCOME><OUTCOME>q</OUTCOME><OUTCOME>r</OUTCOME></VARIABLE>
<VARIABLE TYPE="nature"><NAME>c</NAME><OUTCOME>no</OUTCOME><OUTCOME>yes</OUTCOME></VARIABLE>
<DEFINITION><FOR>c</FOR><GIVEN>a</GIVEN><GIVEN>b</GIVEN>
<TABLE>.1 .9 <!-- x q --> .2 .8 .3 .7
 .4 .6 .5 .5 1 0</TABLE></DEFINITION>
<DEFINITION><FOR>a</FOR><TABLE>.25 .75</TABLE></DEFINITION><DEFINITION><FOR>b</FOR><TABLE>.5 .3 .2</TABLE></DEFINITION>
</NETWORK></BIF>"""
    assert_same(read(tmp_path, "t.xml", text), THREE)


def test_xdsl_with_a_node_that_its_parents_determine(tmp_path):
    text = """<smile version="1.0" id="n"><nodes>
<cpt id="a"><state id="x"/><state id="y"/><probabilities>.25 .75</probabilities></cpt>
<cpt id="b"><state id="p"/><state id="q"/><state id="r"/><probabilities>.5 .3 .2</probabilities></cpt>
<deterministic id="c"><state id="no"/><state id="yes"/><parents>a b</parents>
<resultingstates>no no yes yes no yes</resultingstates></deterministic>
</nodes><extensions><genie version="1.0"/></extensions></smile>"""
    network = read(tmp_path, "t.xdsl", text)
    assert network.parents == ((), (), (0, 1))
    np.testing.assert_array_equal(network.tables[2][..., 1], [[0, 0, 1], [1, 0, 1]])


def test_uai_example_of_its_definition(tmp_path):
    # https://uaicompetition.github.io/uci-2022/file-formats/model-format/ (the BAYES form of the example there)
    text = """BAYES
3
2 2 3
3
1 0
2 0 1
2 1 2

2
 0.436 0.564

4
 0.128 0.872
 0.920 0.080

6
 0.210 0.333 0.457
 0.811 0.000 0.189
"""
    network = read(tmp_path, "t.uai", text)
    assert network.parents == ((), (0,), (1,))
    assert network.levels[2] == ("0", "1", "2")
    np.testing.assert_array_equal(network.tables[2][1], [0.811, 0.0, 0.189])
    assert "no names" in network.remarks[0]


BARE = (r"C:\dir\ a|b {x} (1) x;y 100% // /* a//b } &lt; <b> ]]> \ \" \n 3 -1e5 a_b #x &amp; ' inf nan", "NONE NA LOW")
ODD = ["", " ", "a b", 'say "hi"', "a,b", "é", "日本", "tab\there", "two\nlines", " a", "a ", "node", "type", "table"]
ODD += ["probability", "network", "default", "property", "variable", "states", "data", "\u00a0", "\r"]
WORDS = st.one_of(
    st.sampled_from([*" ".join(BARE).split(), *ODD]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"), max_size=6),
)


@st.composite
def networks(draw):
    nodes = draw(st.integers(1, 4))
    names = draw(st.lists(WORDS, min_size=nodes, max_size=nodes, unique=True))
    levels = [tuple(draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))) for _ in range(nodes)]
    order = draw(st.permutations(range(nodes)))
    parents, tables = [()] * nodes, [np.empty(0)] * nodes
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for place, node in enumerate(order):
        parents[node] = tuple(draw(st.lists(st.sampled_from(order[:place]), unique=True))) if place else ()
        axes = [len(levels[p]) for p in parents[node]] + [len(levels[node])]
        table = random.gamma(0.3, size=axes) + 1e-300
        tables[node] = table / table.sum(axis=-1, keepdims=True)
    return NetworkTables(tuple(names), tuple(levels), tuple(parents), tuple(tables))


@settings(max_examples=60, deadline=None)
@given(network=networks(), ending=st.sampled_from(FORMATS), packed=st.booleans())
def test_any_names_and_levels_come_back(network, ending, packed, tmp_path_factory):
    path = tmp_path_factory.mktemp("round") / f"any{ending}{'.gz' if packed else ''}"
    write_network_tables(network, path)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == packed
    assert_same(read_network_tables(path), network, named=ending != ".uai")


def test_packed_or_not_is_told_by_content_and_other_encodings_are_read(tmp_path):
    text = HEAD.replace("yes", "ja, sí").replace("[ 2 ] { no", "[ 3 ] { no") + "probability(c){table .5 .5 0;}"
    for data in (text.encode("utf-8-sig"), text.encode("cp1252"), text.encode("utf-16"), gzip.compress(text.encode())):
        assert read(tmp_path, "t.bif", data).levels[2] == ("no", "ja", "sí")
    assert read(tmp_path, "t.bif", text.replace("\n", "\r\n")).levels[2] == ("no", "ja", "sí")


def test_unquoted_names_of_several_words(tmp_path):
    text = """network n {} variable my node { type discrete [ 2 ] { very low, high }; }
variable b { type discrete [ 2 ] { 0, 1 }; }
probability ( my node ) { table .5, .5; }
probability ( b | my node ) { (very low) .1, .9; (high) .2, .8; }"""
    network = read(tmp_path, "t.bif", text)
    assert network.names == ("my node", "b")
    assert network.levels[0] == ("very low", "high")
    np.testing.assert_array_equal(network.tables[1], [[0.1, 0.9], [0.2, 0.8]])
