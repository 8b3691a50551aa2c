"""Texts on their way in: columns, folders, lines; which column is meant; settings as plain values."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tacit.data.errors import DataError
from tacit.data.texts import Vocabulary, Wording, holds_corpus, read_stop_words, read_texts

BODY = ["the cat sat on the mat", "a dog ran to the sea again", "fish swim in the deep sea", "the cat met a big dog"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Four texts with a short column, a number and an identifier."""
    path = tmp_path / "letters.csv"
    lines = [f'n{place},{place % 2},tag{place % 2},"{text}"' for place, text in enumerate(BODY)]
    path.write_text("\n".join(["letter_id,year,tag,body", *lines]) + "\n")
    return path


def test_the_column_of_sentences_is_found_and_said(table: Path) -> None:
    found = read_texts(str(table))
    assert found.documents == tuple(BODY)
    assert found.column == "body"
    assert found.ids is not None
    assert found.ids.tolist() == ["n0", "n1", "n2", "n3"]
    assert "the texts are those of column 'body'" in found.notes


def test_a_column_is_named(table: Path) -> None:
    assert read_texts(str(table), "tag").documents == ("tag0", "tag1", "tag0", "tag1")
    ids = read_texts(str(table), "body", "year").ids
    assert ids is not None
    assert ids.tolist() == [0, 1, 0, 1]
    with pytest.raises(DataError, match=r"no column 'boddy'.*Did you mean 'body'"):
        read_texts(str(table), "boddy")
    with pytest.raises(DataError, match=r"column 'year' holds no texts; columns of texts: 'letter_id', 'tag', 'body'"):
        read_texts(str(table), "year")
    with pytest.raises(DataError, match=r"no column 'who' to name the documents by"):
        read_texts(str(table), "body", "who")


def test_two_columns_of_sentences_must_be_told_apart(tmp_path: Path) -> None:
    both = {"one": BODY, "two": BODY[::-1]}
    parquet.write_table(pa.table(both), tmp_path / "two.parquet")
    with pytest.raises(DataError, match=r"several columns of sentences: 'one', 'two'. Name one: --text one"):
        read_texts(str(tmp_path / "two.parquet"))
    long = {"title": [text[:16] for text in BODY], "text": [" ".join([text] * 4) for text in BODY]}
    parquet.write_table(pa.table(long), tmp_path / "long.parquet")
    assert read_texts(str(tmp_path / "long.parquet")).column == "text"


def test_a_table_without_sentences_is_refused(tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(DataError, match=r"no column of sentences \(columns of text: 'b'\)"):
        read_texts(str(tmp_path / "numbers.csv"))


def test_absent_texts_are_empty_and_counted(tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text('n,body\n1,"one two three four"\n2,\n3,"five six seven eight nine"\n')
    found = read_texts(str(tmp_path / "gaps.csv"))
    assert found.documents[1] == ""
    assert "1 row without a text" in found.notes


def test_a_folder_of_texts_and_one_with_a_document_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    (folder / "old").mkdir(parents=True)
    (folder / "b.txt").write_text("second")
    (folder / "old" / "a.txt").write_bytes("caf\xe9".encode("cp1252"))
    assert holds_corpus(str(folder))
    found = read_texts(str(folder))
    assert found.documents == ("second", "café")
    assert found.ids is not None
    assert found.ids.tolist() == ["b", "old/a"]
    assert found.notes == ("1 file not in UTF-8, read as Windows-1252",)
    (tmp_path / "lines.txt").write_text("\n".join(BODY))
    assert read_texts(str(tmp_path / "lines.txt")).documents == tuple(BODY)
    (tmp_path / "feeds.txt").write_bytes("one\ftwo\u2028three\r\n\nfour\rfive".encode())
    assert read_texts(str(tmp_path / "feeds.txt")).documents == ("one\ftwo\u2028three", "", "four", "five")
    with pytest.raises(DataError, match="is a folder of texts, which has no columns"):
        read_texts(str(folder), "body")
    (tmp_path / "empty").mkdir()
    assert not holds_corpus(str(tmp_path / "empty"))
    with pytest.raises(DataError, match=r"holds no \.txt files"):
        read_texts(str(tmp_path / "empty"))
    (tmp_path / "blank.txt").write_text("\n")
    with pytest.raises(DataError, match="is empty"):
        read_texts(str(tmp_path / "blank.txt"))


def test_stop_words_by_name_or_file(tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_text("der die\ndas der\n")
    assert read_stop_words(str(tmp_path / "stop.txt")) == ("der", "die", "das")
    assert read_stop_words(None) == read_stop_words("english") == "english"
    assert read_stop_words("none") is None
    with pytest.raises(DataError, match="there is no file 'german'; say english, none, or a file"):
        read_stop_words("german")


def test_settings_and_words_come_back_from_json() -> None:
    wording = Wording(("der", "die"), 3, 0.8, False)
    known = Vocabulary(("haus", "baum"), True, wording, "text")
    assert Vocabulary.from_json(known.to_json()) == known
    assert Vocabulary.from_json(Vocabulary(("a",)).to_json()) == Vocabulary(("a",))
    for wrong, said in (
        ({"words": []}, "expected an object with a list 'words'"),
        ({"words": ["a"], "version": 99}, "version 99"),
        ({"words": ["a"], "version": 1, "wording": {"speed": 3}}, "no setting 'speed'"),
    ):
        with pytest.raises(DataError, match=said):
            Vocabulary.from_json(wrong)
    with pytest.raises(DataError, match="say a whole number from 1 on"):
        Wording(min_documents=0)
