"""Files of networks that are wrong, that lie about their sizes, or that mean harm."""

import gzip
import itertools
import re
import time
import tracemalloc

import numpy as np
import pytest

from tacit.data.errors import DataError
from tacit.data.network_endings import is_network_file
from tacit.data.network_files import NetworkTables, read_network_tables, write_network_tables

A = "variable A { type discrete [ 2 ] { yes, no }; }\n"
B = "variable B { type discrete [ 3 ] { LOW, NORMAL, HIGH }; }\n"
PA = "probability ( A ) { table 0.5, 0.5; }\n"
ROWS = "probability ( B | A ) {\n  (yes) 0.2, 0.3, 0.5;\n  (no) 0.1, 0.1, 0.8;\n}\n"


def refusal(tmp_path, text, name="t.bif"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as caught:
        read_network_tables(path)
    assert repr(name) in str(caught.value)
    return str(caught.value)


def test_the_file_that_the_faults_are_made_from_is_right(tmp_path):
    path = tmp_path / "t.bif"
    path.write_text(A + B + PA + ROWS)
    assert read_network_tables(path).parents == ((), (0,))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "expected 'variable' blocks"),
        ("hello", 1, "expected 'network', 'variable' or 'probability', found 'hello'"),
        ("\n\nvariabel A {}", 3, "expected 'network', 'variable' or 'probability', found 'variabel'"),
        ("variable A {\n type discrete [ 2 ] { yes, no }\n}", 3, "expected ';' after the levels, found '}'"),
        ("variable A {\n type discrete 2 { yes, no };\n}", 2, "expected '[' and the number of levels"),
        ("variable A {\n type discrete [ two ] { yes, no };\n}", 2, "expected the number of levels of node 'A'"),
        ("variable A {\n type discrete [ 3 ] { yes, no };\n}", 2, "node 'A' declares 3 levels and lists 2"),
        ("variable A {\n type discrete [ 1000000000 ] { yes, no };\n}", 2, "1,000,000,000 levels and lists 2"),
        ("variable A {\n type continuous;\n}", 2, "node 'A' is continuous"),
        ("variable A {\n type discrete [ 2 ] { yes, yes };\n}", 1, "level 'yes' twice"),
        ("variable A {\n type discrete [ 2 ] { yes, no", 2, "a level of node 'A' or '}', found the end"),
        ("variable A {\n }", 2, "expected 'type discrete' in the block of node 'A'"),
        (A + A, 2, "node 'A' stands twice"),
        (A + B + PA + ROWS + PA, 8, "a second 'probability' block"),
        (A + "probability ( A ) { table 0.5, 0.5 }", 2, "';'"),
        (A + "probability ( A ) {\n table 0.5, half; }", 3, "expected a probability or ';'"),
        (
            A + "probability ( A ) {\n table 0.5, 0.2, 0.3; }",
            3,
            "expected 2 probabilities in the table of node 'A', found 3",
        ),
        (A + B + PA + ROWS.replace(" 0.8", ""), 6, "expected 3 probabilities in a row of node 'B', found 2"),
        (A + B + PA + ROWS.replace("0.8", "0.8e"), 6, "found '0.8e'"),
        (A + B + PA + ROWS.replace("0.8", "0_8"), 6, "found '0_8'"),
        (A + B + PA + ROWS.replace("(no)", "(on)"), 6, "parent 'A' level 'on' is not known"),
        (A + B + PA + ROWS.replace("(no)", "(yes)"), 6, "a second row given A = yes"),
        (
            A + B + PA + ROWS.replace("(no)", "(no, no)"),
            6,
            "expected a level for each of the 1 parent of node 'B', found 2",
        ),
        (A + B + PA + ROWS.replace("(no) 0.1, 0.1, 0.8;", ""), 4, "node 'B' has no row given A = no, and no 'default'"),
        (A + B + PA + ROWS.replace("| A", "| a"), 4, "node 'a' is not known. Did you mean 'A'?"),
        (A + B + PA + ROWS.replace("}", ""), 4, "'}' is missing"),
        (A + B + PA + "probability ( B | A ) {\n  (yes) 0.2, 0.3, 0.5;\nvariable C { }", 6, "expected '('"),
        (A + '\nvariable "B { type discrete', 3, "never ends"),
        (A + "\n/* no end", 3, "never ends"),
    ],
)
def test_faults_of_bif_are_told_by_line_with_what_was_expected(text, line, words, tmp_path):
    message = refusal(tmp_path, text)
    assert words in message
    assert f"line {line}:" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (A + B + PA, "node 'B' has no 'probability' block"),
        (A + B + PA + ROWS.replace("0.8", "0.9"), "node 'B' given A = no: the probabilities 0.1, 0.1, 0.9 sum to 1.1"),
        (A + B + PA + ROWS.replace("0.8", "0.80002"), "sum to 1.00002, not to 1"),
        (A + B + PA + ROWS.replace("0.8", "-0.8"), "the probability of HIGH is -0.8"),
        (A + B + PA + ROWS.replace("0.8", "nan"), "the probability of HIGH is nan"),
        (A + B + PA + ROWS.replace("0.8", "inf"), "the probability of HIGH is inf"),
        (A + B + PA + ROWS.replace("0.1, 0.1, 0.8", "0, 0, 0"), "sum to 0"),
        (A + B + PA + ROWS.replace("0.1, 0.1, 0.8", "1.1, 0, -0.1"), "the probability of HIGH is -0.1"),
        (A + "probability ( A | A ) { (yes) 1, 0; (no) 0, 1; }", "in a circle: A → A"),
        (A + B + ROWS + "probability ( A | B, B ) { table 1; }", "expected 18 probabilities"),
        (A + B + ROWS + "probability ( A | B ) { (LOW) 1, 0; (NORMAL) 1, 0; (HIGH) 1, 0; }", "in a circle: "),
    ],
)
def test_tables_that_are_wrong_name_the_node_and_the_configuration(text, words, tmp_path):
    assert words in refusal(tmp_path, text)


def test_a_circle_is_printed_along_its_arrows(tmp_path):
    names = "PQRS"
    text = "".join(f"variable {n} {{ type discrete [ 1 ] {{ v }}; }}\n" for n in names)
    text += "probability ( P ) { table 1; }"
    text += "".join(f"probability ( {child} | P, {parent} ) {{ (v, v) 1; }}" for child, parent in ("QR", "RS", "SQ"))
    message = refusal(tmp_path, text)
    path = re.search(r"circle: ([A-Z] → [A-Z] → [A-Z] → [A-Z])\.", message)[1].split(" → ")
    assert path[0] == path[-1]
    assert {tuple(each) for each in itertools.pairwise(path)} == {("R", "Q"), ("S", "R"), ("Q", "S")}


def test_the_nearest_level_is_offered(tmp_path):
    text = (
        A + B + PA + ROWS + "variable C { type discrete [ 2 ] { NONE, NA }; }\nprobability ( C | B ) {\n (LOWW) 1, 0; }"
    )
    assert "of its parent 'B' level 'LOWW' is not known. Did you mean 'LOW'?" in refusal(tmp_path, text)


def test_roundings_are_put_right_and_said_once(tmp_path):
    path = tmp_path / "t.bif"
    path.write_text(A + B + PA.replace("0.5, 0.5", "0.3333333, 0.6666666") + ROWS.replace("0.8", "0.800001"))
    network = read_network_tables(path)
    (remark,) = network.remarks
    assert remark == "2 rows of 2 tables missed the sum of one by up to 1e-06; each such row was divided by its sum."
    np.testing.assert_allclose(network.tables[1][1], np.array([0.1, 0.1, 0.800001]) / 1.000001, rtol=1e-15)
    np.testing.assert_array_equal(network.tables[1][0], [0.2, 0.3, 0.5])


def test_a_line_far_down_is_counted_in_linear_time(tmp_path):
    rows = "".join(f"variable v{i} {{\n type discrete [ 2 ] {{ a, b }};\n}}\n" for i in range(1_500))
    before = time.process_time()
    assert "line 4501:" in refusal(tmp_path, rows + "oops")
    many = rows + "".join(f"probability ( v{i} ) {{ default 0.5, 0.5; }}\n" for i in range(1_500))
    path = tmp_path / "many.bif"
    path.write_text(many)
    assert len(read_network_tables(path).names) == 1_500
    assert time.process_time() - before < 8


NET = 'node A { states = ("yes" "no"); }\nnode B { states = ("l" "m" "h"); }\npotential (A) { data = (.5 .5); }\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected 'node' blocks"),
        ("continuous node C\n{ }", "line 1: 'C' is a continuous node; only discrete ones are read"),
        (NET + "utility U { }", "line 4: 'U' is a utility node"),
        (NET + "decision D { }", "line 4: 'D' is a decision node"),
        (
            NET + "potential (B | A) { data = ((.1 .9)); }",
            "line 4: expected 6 probabilities in the data of node 'B', found 2",
        ),
        (NET + "potential (B | A)\n{ data = ((.1 .1 .8)(.1 .1 .x)); }", "line 5: expected a probability"),
        (
            NET + "potential (B | A) { data = ((.1 .9)(.5 .5)(1 0)); }",
            "expected 3 probabilities in each innermost bracket",
        ),
        (NET + "potential (B | A) { data = ((.1 .1 .8)(.1 .1 .8); }", "do not pair"),
        (NET + "potential (B | A) { model_data = (normal(0, 1)); }", "written as a formula"),
        (NET + "potential (B | C) { }", "node 'C' is not known"),
        (NET + "potential (B A) { }", "expected one node before '|'"),
        (NET + "potential (A) { data = (1 0); }", "second 'potential'"),
        (NET, "node 'B' has no 'potential'"),
        (NET + "potential (B | A) { data = ((.1 .1 .8)(.1 .1 .9)); }", "node 'B' given A = no: the probabilities"),
        ("node A { }", "expected 'states'"),
        ("node A { states = (", "found the end of the file"),
        ("node A { states", "expected '='"),
        ("what", "expected 'net', 'node' or 'potential', found 'what'"),
    ],
)
def test_faults_of_hugin_files(text, words, tmp_path):
    assert words in refusal(tmp_path, text, "t.net")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected BAYES"),
        ("MARKOV 1 2 1 1 0 2 1 1", "Markov network"),
        ("BAYES 1000000000 2 2", "number of nodes is said to be '1000000000'; the file has no room"),
        ("BAYES 1 1000000000 1 1 0 2 .5 .5", "number of levels of node 0 is said to be"),
        ("BAYES 1 2 1 1 0 1000000000 .5 .5", "size of the table"),
        ("BAYES 1 2 1 1 0 3 .5 .5 0", "announces 3 entries; its nodes have 2"),
        ("BAYES 1 2 1 1 0 2 .5 x", "no number"),
        ("BAYES 1 2 1 1 7 2 .5 .5", "the file has no room"),
        ("BAYES 1 2 1 1 0 2 .5 .5 .5", "expected the end of the file"),
        ("BAYES 2 2 2 2 1 0 1 0 2 .5 .5 2 .5 .5", "two tables end in node 0"),
        ("BAYES -1", "expected the number of nodes, found '-1'"),
        ("BAYES 1 2 1 1 0 2 .5 .6", "node 'x0': the probabilities 0.5, 0.6 sum to 1.1"),
    ],
)
def test_faults_of_uai_files(text, words, tmp_path):
    assert words in refusal(tmp_path, text, "t.uai")


XML = (
    "<BIF><NETWORK><VARIABLE><NAME>A</NAME><OUTCOME>y</OUTCOME><OUTCOME>n</OUTCOME></VARIABLE>\n"
    "<DEFINITION><FOR>A</FOR><TABLE>.5 .5</TABLE></DEFINITION></NETWORK></BIF>"
)
BOMB = (
    '<!DOCTYPE BIF [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>\n'
    "<BIF>&c;</BIF>"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no XML"),
        ("<BIF>", "line 1: this is no XML"),
        ("<html/>", "expected <BIF> or <smile>, found <html>"),
        (BOMB, "line 1: the entity 'a' is declared"),
        ('<!DOCTYPE BIF [<!ENTITY x SYSTEM "file:///etc/passwd">]><BIF>&x;</BIF>', "the entity 'x' is declared"),
        ("<BIF>" * 100_000, "nested more than"),
        (XML.replace(".5 .5", ".5 .5 0"), "line 2: expected 2 probabilities in the table of node 'A', found 3"),
        (XML.replace(".5 .5", ".5 .x"), "expected a probability in the table of node 'A', found '.x'"),
        (XML.replace(".5 .5", ".5 .6"), "node 'A': the probabilities 0.5, 0.6 sum to 1.1"),
        (XML.replace("<FOR>A</FOR>", "<FOR>A</FOR><GIVEN>a</GIVEN>"), "node 'a' is not known. Did you mean 'A'?"),
        (XML.replace("<VARIABLE>", '<VARIABLE TYPE="utility">'), "'A' is a utility node"),
        (XML.replace("<NAME>A</NAME>", ""), "expected one <NAME> in <VARIABLE>, found 0"),
        ("<BIF><NETWORK/></BIF>", "there is no network"),
        ('<smile><nodes><equation id="E"/></nodes></smile>', "'E' is a node of the kind <equation>"),
        ('<smile><nodes><cpt id="E"/></nodes></smile>', "'E' has no levels"),
        ('<?xml version="1.0" encoding="nonsense"?><BIF/>', "no XML"),
    ],
)
def test_faults_of_xml_files(text, words, tmp_path):
    assert words in refusal(tmp_path, text, "t.xml")


def test_what_is_declared_large_is_refused_before_it_is_made(tmp_path):
    levels = ", ".join(f"v{i}" for i in range(1000))
    text = "".join(f"variable n{i} {{ type discrete [ 1000 ] {{ {levels} }}; }}\n" for i in range(4))
    text += "probability ( n3 | n0, n1, n2 ) { default 1; }"
    states = " ".join(f'"v{i}"' for i in range(1000))
    net = "".join(f"node n{i} {{ states = ({states}); }}\n" for i in range(4)) + "potential (n3 | n0 n1 n2) { }"
    tracemalloc.start()
    try:
        for name, each in (("t.bif", text), ("t.net", net)):
            message = refusal(tmp_path, each, name)
            assert "the table of node 'n3' would have 1,000,000,000,000 probabilities" in message
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_few_words_fill_no_large_table(tmp_path):
    levels = ", ".join(f"v{i}" for i in range(200))
    text = "".join(f"variable n{i} {{ type discrete [ 200 ] {{ {levels} }}; }}\n" for i in range(3))
    text += f"probability ( n2 | n0, n1 ) {{ default 1{', 0' * 199}; }}"
    assert "8,000,000 probabilities that the file leaves to a default" in refusal(tmp_path, text)
    states = " ".join(f'"v{i}"' for i in range(200))
    net = "".join(f"node n{i} {{ states = ({states}); }}\n" for i in range(3)) + "potential (n2 | n0 n1) { }"
    assert "leaves to a default" in refusal(tmp_path, net, "t.net")


def test_elements_of_xml_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("tacit.data.network_files.xml_nodes._MOST", 100)
    assert "line 2: there are more than 100 elements" in refusal(tmp_path, "<BIF>\n" + "<a/>" * 100 + "</BIF>", "t.xml")


def test_many_tables_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr("tacit.data.network_files.tables.MOST_ENTRIES", 40)
    text = "".join(f"variable n{i} {{ type discrete [ 3 ] {{ a, b, c }}; }}\n" for i in range(5))
    text += "probability ( n0 ) { default 1, 0, 0; }\n"
    text += "".join(f"probability ( n{i} | n{i - 1} ) {{ default 1, 0, 0; }}\n" for i in range(1, 5))
    message = refusal(tmp_path, text + "probability ( n4 | n3 ) { default 1, 0, 0; }")
    assert "second 'probability' block" in message
    text = text.replace("n4 | n3", "n4 | n3, n2")
    assert "the table of node 'n4' would have 27 probabilities, after 30 of other nodes; at most 40" in refusal(
        tmp_path, text
    )


def test_too_many_parents_for_a_table(tmp_path):
    text = "".join(f"variable n{i} {{ type discrete [ 1 ] {{ v }}; }}\n" for i in range(70))
    text += f"probability ( n69 | {', '.join(f'n{i}' for i in range(69))} ) {{ default 1; }}"
    assert "node 'n69' has 69 parents" in refusal(tmp_path, text)


def test_deep_brackets_and_long_blanks_take_no_time(tmp_path):
    before = time.process_time()
    refusal(tmp_path, NET + "potential (B | A) { data = " + "(" * 300_000, "t.net")
    refusal(tmp_path, NET + "potential (B | A) { data = " + "(" * 300_000 + ")" * 300_000 + ";}", "t.net")
    refusal(tmp_path, A + " " * 300_000 + "/* x")
    refusal(tmp_path, A + "// x\n" * 100_000 + '"')
    assert time.process_time() - before < 5


def test_a_packed_file_that_is_cut_damaged_or_a_bomb(tmp_path, monkeypatch):
    whole = gzip.compress((A + PA).encode())
    assert "cut short or damaged" in refusal(tmp_path, whole[:-9], "t.bif.gz")
    assert "cut short or damaged" in refusal(tmp_path, whole[:20] + b"\x00\x00" + whole[22:], "t.bif.gz")
    assert "zero bytes" in refusal(tmp_path, b"\x00" * 100)
    monkeypatch.setattr("tacit.data.network_files.files.MOST_BYTES", 10_000)
    assert "holds more than 10,000 bytes of text" in refusal(tmp_path, gzip.compress(b" " * 5_000_000), "t.bif.gz")


def test_endings(tmp_path):
    assert is_network_file("a.BIF.gz")
    assert not is_network_file("a.csv")
    assert "Did you mean '.bif'?" in refusal(tmp_path, A, "t.biff")
    network = NetworkTables(("A",), (("x",),), ((),), (np.ones(1),))
    with pytest.raises(DataError, match=r"'.xdsl' is not one of a network file"):
        write_network_tables(network, tmp_path / "t.xdsl")
    with pytest.raises(FileNotFoundError):
        read_network_tables(tmp_path / "none.bif")


def test_what_xml_cannot_write_is_said_and_no_file_is_left(tmp_path):
    network = NetworkTables(("A\x01",), (("x",),), ((),), (np.ones(1),))
    with pytest.raises(DataError, match="XML has no way to write"):
        write_network_tables(network, tmp_path / "t.xml")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (((), (), (), ()), "at least one node"),
        ((("A",), ((),), ((),), (np.ones(0),)), "no levels"),
        ((("A", "A"), (("x",),) * 2, ((), ()), (np.ones(1),) * 2), "'A' stands twice"),
        ((("A",), (("x", "x"),), ((),), (np.ones(2) / 2,)), "level 'x' twice"),
        ((("A",), (("x", "y"),), ((1,),), (np.ones(2) / 2,)), "outside"),
        ((("A",), (("x", "y"),), ((),), (np.ones((1, 2)) / 2,)), "has shape"),
        ((("A",), (("x", "y"),), ((),), (np.array([1, 0]),)), "float64"),
        ((("A",), (("x", "y"),), ((), ()), (np.ones(2) / 2,)), "differ in length"),
        ((("A", "B"), (("x",),) * 2, ((), (0, 0)), (np.ones(1), np.ones((1, 1, 1)))), "parent 'A' twice"),
    ],
)
def test_values_that_are_no_network(values, words):
    with pytest.raises(DataError, match=words):
        NetworkTables(*values)
