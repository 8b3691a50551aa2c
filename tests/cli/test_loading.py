"""What a command loads: a refusal loads nothing that only a fit needs, and a small fit no compiler."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tacit import datasets

CODE = """
import json, sys
from tacit.cli import main
sys.argv = ["tacit", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as ended:
    code = ended.code
print(json.dumps([code, sorted(sys.modules)]))
"""
HEAVY = ("jax", "jaxlib", "equinox", "sklearn", "pandas", "scipy.sparse._base", "scipy.special._ufuncs")
"""What a refusal does without, and what tells that a module which is loaded late has been loaded."""
PICTURES = ("matplotlib", "PIL._imaging", "asyncio", "pyarrow._compute")


def loaded(folder: Path, *words: str) -> tuple[int, set[str]]:
    """The exit code of a command, and the modules that it has loaded."""
    command = [sys.executable, "-c", CODE, json.dumps(words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, and a place for runs."""
    place = tmp_path_factory.mktemp("loading")
    (place / "table.csv").write_bytes(datasets.path("penguins").read_bytes())
    return place


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("fit", "--help"),
        ("show",),
        ("fit", "nothing.csv"),
        ("fit", "table.csv", "--set", "colour=3"),
        ("fit", "table.csv", "--set", "components=none,"),
        ("fit", "table.csv", "--model", "nonsense"),
        ("score", "table.csv", "table.csv"),
        ("assign", "nowhere", "table.csv"),
        ("sample", "nowhere"),
    ],
)
def test_a_refusal_loads_nothing_that_only_a_fit_needs(folder: Path, words: tuple[str, ...]) -> None:
    code, modules = loaded(folder, *words)
    assert (code == 0) == ("--help" in words)
    assert not modules & {*HEAVY, *PICTURES}


def test_a_small_fit_with_its_report_and_its_answers_load_no_compiler(folder: Path) -> None:
    fit = ("fit", "table.csv", "--set", "components=1-3", "--out", "run")
    for words in (fit, ("score", "run", "table.csv"), ("assign", "run", "table.csv"), ("impute", "run", "table.csv")):
        code, modules = loaded(folder, *words)
        assert code == 0
        assert not modules & {"jax", "jaxlib", "equinox", "pandas"}, words
