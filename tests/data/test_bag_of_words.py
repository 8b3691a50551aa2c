"""Bags of words: four formats hold the same counts, and what is wrong with a file is said by its line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from tacit.data.bag_of_words import form_of, read_bag
from tacit.data.errors import DataError

COUNTS = np.array([[2, 0, 1, 0], [0, 0, 0, 0], [0, 3, 0, 1]])
WORDS = ["cat", "dog", "fish", "yak"]
LDA_C = "2 0:2 2:1\n0\n2 1:3 3:1\n"
UCI = "3\n4\n4\n1 1 2\n1 3 1\n3 2 3\n3 4 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same three documents in every format, with the words beside them."""
    (tmp_path / "pets.ldac").write_text(LDA_C)
    (tmp_path / "pets.tokens").write_text("\n".join(WORDS) + "\n")
    (tmp_path / "pets.titles").write_text("one\ntwo\nthree\n")
    (tmp_path / "docword.zoo.txt").write_text(UCI)
    (tmp_path / "vocab.zoo.txt").write_text("\n".join(WORDS) + "\n")
    scipy.io.mmwrite(tmp_path / "pets.mtx", sp.coo_array(COUNTS))
    scipy.io.mmwrite(tmp_path / "turned.mtx", sp.coo_array(COUNTS.T))
    (tmp_path / "turned.vocab").write_text("\n".join(WORDS))
    sp.save_npz(tmp_path / "bare.npz", sp.csr_array(COUNTS))
    parts = sp.csr_array(COUNTS)
    np.savez(
        tmp_path / "full.npz",
        data=parts.data,
        indices=parts.indices,
        indptr=parts.indptr,
        shape=np.array(parts.shape),
        format=np.array(b"csr"),
        vocab=np.array(WORDS),
        titles=np.array(["one", "two", "three"]),
    )
    return tmp_path


@pytest.mark.parametrize(
    ("name", "form", "named", "titled"),
    [
        ("pets.ldac", "lda-c", True, True),
        ("docword.zoo.txt", "uci", True, False),
        ("pets.mtx", "matrix-market", True, True),
        ("turned.mtx", "matrix-market", True, False),
        ("bare.npz", "sparse", False, False),
        ("full.npz", "sparse", True, True),
    ],
)
def test_every_format_gives_the_same_counts(folder: Path, name: str, form: str, named: bool, titled: bool) -> None:
    found = read_bag(folder / name)
    assert form_of(folder / name) == form
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS)
    assert found.vocabulary.tolist() == (WORDS if named else ["word 1", "word 2", "word 3", "word 4"])
    assert found.named is named
    assert (None if found.ids is None else found.ids.tolist()) == (["one", "two", "three"] if titled else None)
    assert any("words have numbers" in note for note in found.notes) is not named
    assert any("was turned" in note for note in found.notes) is (name == "turned.mtx")


def test_gzip_and_a_vocabulary_that_is_named(folder: Path) -> None:
    packed = folder / "packed.ldac.gz"
    packed.write_bytes(gzip.compress(LDA_C.encode()))
    longer = folder / "longer.words"
    longer.write_text("\n".join([*WORDS, "zebra"]))
    found = read_bag(packed, str(longer))
    np.testing.assert_array_equal(found.counts.toarray(), np.pad(COUNTS, ((0, 0), (0, 1))))
    assert found.vocabulary[-1] == "zebra"
    with pytest.raises(DataError, match=r"there is no vocabulary 'nowhere\.txt'"):
        read_bag(packed, "nowhere.txt")
    (folder / "five.ldac").write_text("1 4:1\n")
    with pytest.raises(DataError, match=r"vocab.zoo.txt has 4 words, and the counts have 5 columns"):
        read_bag(folder / "five.ldac", str(folder / "vocab.zoo.txt"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2 0:2 2:1\n2 1:3 x:1\n", r"line 2: 'x:1' is not id:count"),
        ("2 0:2 2:1\n\n3 1:3 3:1\n", r"line 3: it begins with 3 and has 2 pairs"),
        ("2 0:2 2:1\n2 1:-3 3:1\n", r"line 2: word 1 has the count -3"),
        ("1 0:2\n1 1:1.5\n", r"line 2: word 1 has the count 1.5; a count is a whole number"),
        ("1 0:2\n1 3:inf\n", r"line 2: word 3 has the count inf; a count is a whole number"),
        ("1 0:2\n1 1.5:2\n", r"line 2: 1.5 is not the number of a word \(whole, from 0 on\)"),
        ("1 0:2\n1 inf:1\n", r"line 2: inf is not the number of a word"),
        ("1 0:2\n1 -1:1\n", r"line 2: -1 is not the number of a word"),
    ],
)
def test_a_broken_lda_c_file_is_named_by_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.ldac").write_text(text)
    with pytest.raises(DataError, match=rf"a\.ldac, {said}"):
        read_bag(tmp_path / "a.ldac")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("1 1 2\n1 x 1\n3 2 3\n3 4 1", r", line 5: '1 x 1' is not document, word and count"),
        ("1 1 2\n1 5 1\n3 2 3\n3 4 1", r", line 5: document 1, word 5, count 1; it announces documents 1 to 3"),
        ("1 1 2\n1 3 -1\n3 2 3\n3 4 1", r", line 5: document 1, word 3, count -1"),
        ("1 1 2\n1 3 1\n3 2 3", r" announces 4 entries in line 3 and has 3: it is cut short"),
    ],
)
def test_a_broken_uci_file_is_named_by_line(tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "docword.a.txt").write_text(f"3\n4\n4\n{lines}\n")
    with pytest.raises(DataError, match=rf"docword\.a\.txt{said}"):
        read_bag(tmp_path / "docword.a.txt")


def test_a_broken_matrix_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 1\n5 1 1\n")
    with pytest.raises(DataError, match=r"a\.mtx is not a readable MatrixMarket file"):
        read_bag(tmp_path / "a.mtx")
    scipy.io.mmwrite(tmp_path / "b.mtx", sp.coo_array(np.array([[1.0, 0.5], [0.0, 2.0]])))
    with pytest.raises(DataError, match=r"b\.mtx: document 1 has 0\.5 of word 2"):
        read_bag(tmp_path / "b.mtx")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"indices": np.array([9, 1])}, r"a\.npz is not a readable NumPy file \(.*indices"),
        ({"vocab": np.array(["a", "b"], object)}, r"a\.npz holds Python objects"),
    ],
)
def test_a_broken_sparse_file_is_named(tmp_path: Path, changed: dict[str, np.ndarray], said: str) -> None:
    parts = {"data": np.ones(2), "indices": np.array([0, 1]), "indptr": np.array([0, 1, 2]), "shape": np.array([2, 2])}
    np.savez(tmp_path / "a.npz", **{**parts, "format": np.array(b"csr"), **changed})
    with pytest.raises(DataError, match=said):
        read_bag(tmp_path / "a.npz")


def test_lda_c_is_never_turned(tmp_path: Path) -> None:
    """Three documents, two words of three: documents are lines whatever the vocabulary."""
    (tmp_path / "a.ldac").write_text("1 0:2\n1 1:1\n1 0:3\n")
    (tmp_path / "a.vocab").write_text("cat\ndog\nfish\n")
    found = read_bag(tmp_path / "a.ldac")
    np.testing.assert_array_equal(found.counts.toarray(), [[2, 0, 0], [0, 1, 0], [3, 0, 0]])
    assert found.notes == ()


def test_words_end_where_their_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.ldac").write_text("2 0:2 1:1\n")
    (tmp_path / "a.vocab").write_bytes("one\ftwo\r\nthree\u2028four\r\n".encode())
    assert read_bag(tmp_path / "a.ldac").vocabulary.tolist() == ["one\ftwo", "three\u2028four"]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "1 2 3\n4 5 6\n7 8 9\n1 1 1\n", "word one two\n", ""])
def test_other_files_are_no_bags(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert form_of(tmp_path / "a.txt") is None
    with pytest.raises(DataError, match="is no bag of words"):
        read_bag(tmp_path / "a.txt")


def test_reuters_in_two_forms_is_the_same(shared_data: Path) -> None:
    one, other = (read_bag(shared_data / "text" / name) for name in ("reuters.ldac", "reuters.npz"))
    assert (one.counts != other.counts).nnz == 0
    assert one.vocabulary.tolist() == other.vocabulary.tolist()
    assert (one.tokens, len(one)) == (84_010, 395)
    assert one.ids is not None
    assert one.ids[0].startswith("0 UK: Prince Charles")
