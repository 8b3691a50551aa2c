"""What reaches the terminal: clean text, tables that fit, progress."""

import io
import logging

import pyarrow as pa
import pytest
from rich.console import Console

from tacit.cli import console as terminal
from tacit.cli import progress, results
from tacit.cli.progress import Watch
from tacit.inference.watch import Progress
from tacit.workflow.answers import TableAnswer
from tacit.workflow.errors import RequestError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ≤ naïve 数", "plain ≤ naïve 数"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202eright to left", "\\u202eright to left"),
        ("1\u202f234\u202f567.5", "1,234,567.5"),
        ("12\u202fcm", "12\\u202fcm"),
    ],
)
def test_what_could_mislead_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert terminal.clean(text) == shown


def printed(width: int = 40) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def test_words_wrap_between_words_and_paths_stay_whole() -> None:
    console = printed(20)
    terminal.say("see /a/very/long/path/that/is/longer/than/a/line for [bold]more[/bold]", indent=1, console=console)
    lines = console.file.getvalue().splitlines()
    assert " /a/very/long/path/that/is/longer/than/a/line" in lines
    assert "[bold]more[/bold]" in console.file.getvalue()


def test_bullets_hang() -> None:
    console = printed(20)
    terminal.bullet("one two three four five six", console=console)
    assert console.file.getvalue() == " • one two three\n   four five six\n"


def test_a_wide_table_shows_the_columns_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    table = pa.table({f"column_{n}": [float(n)] * 25 for n in range(30)})
    results.give(TableAnswer(table), None, "table")
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[0].split() == [f"column_{n}" for n in range(7)]
    assert lines[-1].strip() == "and 5 more rows and 23 more columns: --out FILE writes all of it"


def test_cells_are_short_and_missing_ones_empty(capsys: pytest.CaptureFixture[str]) -> None:
    table = pa.table({"t": ["x" * 60, None], "n": [1.5, None], "yes": [True, False]})
    results.give(TableAnswer(table), None, "table")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["x" * 39 + "…", "1.5", "yes"]
    assert lines[3].split() == ["no"]


def test_binary_formats_are_not_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "on_terminal", lambda: True)
    with pytest.raises(RequestError, match=r"--out rows\.parquet"):
        results.check(None, "parquet")
    results.check("rows.parquet", "parquet")
    results.check(None, "csv")


def test_a_terminal_gets_a_table_and_a_pipe_gets_csv(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    table = pa.table({"a": [1, 2]})
    results.give(TableAnswer(table), None, None)
    assert capfdbinary.readouterr().out == b'"a"\n1\n2\n'
    monkeypatch.setattr(terminal, "on_terminal", lambda: True)
    results.give(TableAnswer(table), None, None)
    assert b"\xe2\x94\x80" in capfdbinary.readouterr().out


def test_progress_is_shown_on_a_terminal_and_cleared_away() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with Watch("Fitting", console) as looking:
        looking.stage("Trying 1 to 9 groups")
        looking.look(Progress("fit", 12, 100, -3.25, 4, 4, 1.0, None))
        looking._progress.refresh()
        shown = console.file.getvalue()
    assert "Trying 1 to 9 groups" in shown
    assert "-3.25 nats a row" in shown
    assert console.file.getvalue().rstrip("\n").endswith("\x1b[2K")


def test_elsewhere_a_line_now_and_then_says_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    console = printed()
    with Watch("Fitting", console) as looking:
        looking.stage("Trying 1 to 9 groups")
        looking.look(Progress("fit", 12, 100, -3.25, 4, 4, 1.0, None))  # too soon after the last line
        looking.done(Progress("fit", 12, 100, -3.25, 4, 4, 1.0, None))
        monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
        looking.look(Progress("fit", 13, 100, -3.125, 4, 4, 1.0, None))
        logging.getLogger("tacit").warning("still computing after 30 seconds")
    first, second, third = console.file.getvalue().splitlines()
    assert first.startswith("Trying 1 to 9 groups")
    assert "1 done" in second
    assert "-3.125 nats a row" in second
    assert "still computing" in third
    assert console.file.getvalue().replace("\n", "").isprintable()
    assert not logging.getLogger("tacit").handlers
