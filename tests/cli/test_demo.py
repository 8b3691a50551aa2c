"""``tacit demo``: the embedded penguins from end to end."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tacit.cli import demo
from tacit.storage import RunFolder

Command = Callable[..., Result]


def test_the_demo_finds_the_species_that_nobody_told_it(
    tacit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "TRIED", "components=6")  # what it chooses of 1 to 8
    done = tacit("demo")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert "310 rows to learn from, 34 kept aside" in said
    assert "What nobody had told it" in said
    assert "over 99 % of the penguins are of their group's main species" in said
    assert done.stdout.splitlines()[-1].split() == ["Report", "tacit-demo/report.html"]
    run = RunFolder("tacit-demo")
    assert "species" not in run.schema().names
    assert run.config().command == ("tacit", "demo", "--out", "tacit-demo")
    assert tacit("demo").exit_code == 0  # again, over the first
