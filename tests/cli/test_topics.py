"""Documents on the command line: every way in, what is told, new documents, and bad input."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp
from typer.testing import Result

from tacit.storage import RunFolder

Command = Callable[..., Result]
SMALL = ("--set", "start_iter=4", "--set", "max_iter=4")
THEMES = (
    "ship harbour captain sailor anchor wave mast crew",
    "bread butter oven flour baker dough yeast crust",
    "violin concert piano melody opera singer flute chorus",
)


def plain(text: str) -> str:
    return " ".join(text.split())


def texts(number: int = 45) -> list[str]:
    """Documents of one of three themes in turn."""
    random = np.random.default_rng(0)
    return ["The " + " ".join(random.choice(THEMES[place % 3].split(), 25)) + "." for place in range(number)]


def quoted(column: list[str], ids: str = "letter") -> str:
    return "\n".join([f"{ids},theme,body", *(f'n{i:02d},{i % 3},"{text}"' for i, text in enumerate(column))]) + "\n"


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the documents as a CSV, a folder of files, LDA-C and MatrixMarket."""
    folder = tmp_path_factory.mktemp("letters")
    (folder / "letters.csv").write_text(quoted(texts()))
    (folder / "files").mkdir()
    for place, text in enumerate(texts(12)):
        (folder / "files" / f"n{place:02d}.txt").write_text(text)
    words = sorted({word for theme in THEMES for word in theme.split()})
    counts = np.array([[text.strip(".").split().count(word) for word in words] for text in texts()])
    lines = [" ".join([str(np.count_nonzero(row)), *(f"{w}:{row[w]}" for w in np.flatnonzero(row))]) for row in counts]
    (folder / "bag.ldac").write_text("\n".join(lines) + "\n")
    (folder / "bag.tokens").write_text("\n".join(words) + "\n")
    scipy.io.mmwrite(folder / "bag.mtx", sp.coo_array(counts))
    return folder


@pytest.fixture(scope="module")
def run(tacit: Command, letters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three topics; five of forty-five letters kept aside. Its report is the real one."""
    path = tmp_path_factory.mktemp("runs") / "letters"
    done = tacit("fit", letters / "letters.csv", "--model", "topics", "--set", "components=3", *SMALL, "--out", path)
    assert done.exit_code == 0, done.output
    said = plain(done.output)
    assert "45 documents" in said
    assert "the texts are those of column 'body'" in said
    assert "24 words kept: in 2 documents or more and in at most 50 % of the documents and no English stop word" in said
    assert "41 documents to learn from, 4 kept aside" in said
    assert "Latent Dirichlet allocation. This model was asked for" in said
    assert "perplexity" in said
    assert "nats a word" in said
    assert "NPMI" in said
    assert f"tacit score {path} NEW.csv (also transform, sample)" in said
    return path


class TestFit:
    def test_the_three_themes_are_found(self, run: Path) -> None:
        told = RunFolder(run).metrics()["topics"]
        found = [set(topic["words"][:8]) for topic in told["each"]]
        assert all(set(theme.split()) in found for theme in THEMES)
        np.testing.assert_allclose(sum(topic["share"] for topic in told["each"]), 1.0)
        assert told["coherence"]["npmi"] > 0.2  # the ninth and the tenth word of a theme of eight are strangers
        # eight equally likely words of a known theme: the perplexity of an oracle is 8
        assert 7.5 < told["completion"]["perplexity"] < 11
        assert len(told["trace"]["perplexity"]) == len(told["trace"]["iteration"]) >= 2

    def test_the_words_are_kept_as_text(self, run: Path) -> None:
        kept = json.loads((run / "vocabulary.json").read_text())
        assert kept["words"] == sorted({word for theme in THEMES for word in theme.split()})
        assert (kept["column"], kept["wording"]["stop_words"], kept["wording"]["min_documents"]) == (
            "body",
            "english",
            2,
        )
        assert RunFolder(run).model().vocabulary_ == tuple(kept["words"])

    def test_the_report_shows_topics_and_documents(self, run: Path) -> None:
        page = (run / "report.html").read_text()
        for heading in (
            "The topics",
            "The map of the topics",
            "Read these to name a topic",
            "What documents are made of",
        ):
            assert heading in page
        assert "n00" in page or "n03" in page  # names of documents
        assert "Coherence, NPMI" in page

    @pytest.mark.parametrize("name", ["bag.ldac", "bag.mtx", "files"])
    def test_every_way_in_gives_topics_without_being_asked(
        self, tacit: Command, letters: Path, tmp_path: Path, name: str
    ) -> None:
        more = ("--min-documents", "1") if name == "files" else ()
        more += ("--vocabulary", letters / "bag.tokens") if name == "bag.mtx" else ()
        done = tacit("fit", letters / name, "--set", "components=3", *SMALL, *more, "--out", tmp_path / "run")
        assert done.exit_code == 0, done.output
        assert "taken because the data are documents" in plain(done.output)
        assert "harbour" in done.output

    def test_a_range_is_swept_and_the_best_is_kept(
        self, tacit: Command, letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = tacit("fit", letters / "bag.ldac", "--set", "components=1,3", *SMALL, "--out", tmp_path / "run")
        assert done.exit_code == 0, done.output
        assert "3 topics came out with the highest completion" in plain(done.output)
        choice = RunFolder(tmp_path / "run").metrics()["choice"]
        assert [row["n_components"] for row in choice["candidates"]] == [1, 3]
        assert RunFolder(tmp_path / "run").model().n_components == 3
        shown = tacit("show", tmp_path / "run")
        assert "41 documents and 24 words" in plain(shown.output)
        assert "The topics" in shown.output

    def test_stop_words_of_a_file(self, tacit: Command, letters: Path, tmp_path: Path) -> None:
        (tmp_path / "stop.txt").write_text("the\nship\n")
        arguments = ("--text", "body", "--stop-words", tmp_path / "stop.txt", "--set", "components=2", *SMALL)
        done = tacit("fit", letters / "letters.csv", *arguments, "--out", tmp_path / "run")
        assert done.exit_code == 0, done.output
        kept = RunFolder(tmp_path / "run").vocabulary()
        assert "ship" not in kept.words
        assert len(kept.words) == 23
        assert kept.wording is not None
        assert kept.wording.stop_words == ("the", "ship")


class TestNewDocuments:
    def test_shares_are_those_of_the_model_and_unknown_words_are_said(
        self, tacit: Command, rows_of: Callable, run: Path, tmp_path: Path
    ) -> None:
        new = ["captain captain sailor", "zebra zebra", "oven piano zebra flour crust"]
        (tmp_path / "new.csv").write_text(quoted(new, "who"))
        done = tacit("transform", run, tmp_path / "new.csv")
        assert done.exit_code == 0, done.output
        rows = rows_of(done.stdout)
        words = list(RunFolder(run).vocabulary().words)
        counts = np.array([[text.split().count(word) for word in words] for text in new], float)
        shares = RunFolder(run).model().transform(counts)
        np.testing.assert_allclose([[row[f"topic_{k}"] for k in (1, 2, 3)] for row in rows], shares, rtol=1e-6)
        assert [row["words"] for row in rows] == [3, 0, 4]
        assert [row["topic"] for row in rows] == (shares.argmax(axis=1) + 1).tolist()
        assert "3 words of 10 (30 %) are not in the vocabulary" in plain(done.stderr)

    def test_scores_are_nats_a_word_with_p_values(
        self, tacit: Command, rows_of: Callable, run: Path, letters: Path
    ) -> None:
        done = tacit("score", run, letters / "letters.csv")
        assert done.exit_code == 0, done.output
        rows = rows_of(done.stdout)
        kept = RunFolder(run).calibration()
        assert len(kept["scores"]) == 4
        by_row = {row["row"]: row for row in rows}
        np.testing.assert_allclose([by_row[int(row)]["nats_a_word"] for row in kept["rows"]], kept["scores"], rtol=1e-6)
        for row in rows:
            assert row["log_probability"] == pytest.approx(row["nats_a_word"] * row["words"])
            expected = (1 + np.sum(kept["scores"] <= row["nats_a_word"] + 1e-12)) / 5
            assert row["p_value"] == pytest.approx(expected)

    def test_a_document_without_known_words_has_no_score(
        self, tacit: Command, rows_of: Callable, run: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "new.csv").write_text(quoted(["zebra and yak are here", "ship ship wave wave"], "who"))
        done = tacit("score", run, tmp_path / "new.csv", "--alarm", "0.5")
        assert done.exit_code == 0, done.output
        first, second = rows_of(done.stdout)
        assert (first["nats_a_word"], first["p_value"], first["odd"]) == (None, None, False)
        assert second["nats_a_word"] < 0
        assert "1 document without any word that the model knows" in plain(done.stderr)

    def test_new_documents_are_drawn(self, tacit: Command, rows_of: Callable, run: Path) -> None:
        rows = rows_of(tacit("sample", run, "-n", 4, "--seed", 2).stdout)
        assert {row["document"] for row in rows} == {1, 2, 3, 4}
        totals = [sum(row["count"] for row in rows if row["document"] == number) for number in (1, 2, 3, 4)]
        assert totals == [25, 25, 25, 25]  # the usual length

    def test_the_report_is_written_again(self, tacit: Command, run: Path, tmp_path: Path) -> None:
        done = tacit("report", run, "--out", tmp_path / "again.html")
        assert done.exit_code == 0, done.output
        assert (tmp_path / "again.html").read_text() == (run / "report.html").read_text()


class TestFaults:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("bag.ldac", "--model", "k-means"), "holds documents, which take --model topics"),
            (("letters.csv", "--model", "mixture", "--text", "body"), "go with --model topics"),
            (("letters.csv", "--model", "topics", "--text", "boddy"), "Did you mean 'body'"),
            (("letters.csv", "--model", "topics", "--text", "theme"), "holds no texts"),
            (("letters.csv", "--model", "topics", "--kind", "a=count"), "leave out --kind"),
            (("letters.csv", "--text", "body", "--min-documents", "50"), "no word is left of 45 documents"),
            (("letters.csv", "--text", "body", "--max-share", "2"), "a share above 0 and up to 1"),
            (("letters.csv", "--text", "body", "--stop-words", "nofile"), "there is no file 'nofile'"),
            (("bag.ldac", "--text", "body"), "is a bag of words, which has no columns"),
            (("bag.ldac", "--criterion", "bic"), "say one of 'completion', 'coherence', 'stability'"),
            (("bag.ldac", "--set", "components=0"), "components=0"),
            (("bag.ldac", "--set", "component=3"), "Did you mean 'components'"),
        ],
    )
    def test_what_cannot_be_is_said(
        self, tacit: Command, letters: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
    ) -> None:
        name, *rest = arguments
        done = tacit("fit", letters / name, *rest, "--out", tmp_path / "run")
        assert done.exit_code in (2, 3), done.output
        assert said in plain(done.output)
        assert not (tmp_path / "run").exists()

    def test_a_broken_bag_is_named_by_file_and_line(self, tacit: Command, tmp_path: Path) -> None:
        (tmp_path / "bad.ldac").write_text("2 0:1 1:2\n2 0:1 1:-2\n")
        done = tacit("fit", tmp_path / "bad.ldac", "--out", tmp_path / "run")
        assert done.exit_code == 3
        assert "bad.ldac, line 2: word 1 has the count -2" in plain(done.output)

    def test_empty_documents_are_left_out_and_named(self, tacit: Command, tmp_path: Path, letters: Path) -> None:
        lines = (letters / "bag.ldac").read_text().splitlines()
        (tmp_path / "gaps.ldac").write_text("\n".join([*lines[:20], "0", *lines[20:], "0"]) + "\n")
        done = tacit("fit", tmp_path / "gaps.ldac", "--set", "components=2", *SMALL, "--out", tmp_path / "run")
        assert done.exit_code == 0, done.output
        assert "2 documents without any word left out (number 21, 47)" in plain(done.output)

    def test_a_run_without_its_words_is_refused(self, tacit: Command, run: Path, letters: Path, tmp_path: Path) -> None:
        for path in run.iterdir():
            if path.name != "vocabulary.json":
                (tmp_path / path.name).write_bytes(path.read_bytes())
        done = tacit("transform", tmp_path, letters / "bag.ldac")
        assert done.exit_code != 0
        assert "has no vocabulary.json" in plain(done.output)
        (tmp_path / "vocabulary.json").write_text('{"words": 3}')
        done = tacit("transform", tmp_path, letters / "bag.ldac")
        assert done.exit_code == 4
        assert "not a vocabulary" in plain(done.output)


def test_topic_models_are_compared_on_documents(tacit: Command, rows_of: Callable, letters: Path) -> None:
    both = "topics:components=3:start_iter=4:max_iter=4,topics:components=1:start_iter=4:max_iter=4"
    done = tacit("compare", letters / "bag.ldac", "--models", both, "--folds", 2)
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert rows[0]["model"].startswith("topics:components=3")
    assert rows[0]["held_out"] > rows[1]["held_out"]
    mixed = tacit("compare", letters / "bag.ldac", "--models", "topics,k-means", "--folds", 2)
    assert "cannot be compared on the same rows" in plain(mixed.output)
