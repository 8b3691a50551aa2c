"""What a command loads: a refusal loads nothing that only a fit needs, and a small fit no compiler."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tacit import datasets

CODE = """
import json, sys
from tacit.cli import app, main
told, commands = [], app.registered_commands
for words in json.loads(sys.argv[1]):
    app.registered_commands = commands  # it has kept the one that was asked
    sys.argv = ["tacit", *words]
    try:
        main()
    except SystemExit as ended:
        told.append([ended.code, sorted(sys.modules)])
print(json.dumps(told))
"""
HEAVY = ("jax", "jaxlib", "equinox", "sklearn", "pandas", "scipy.sparse._base", "scipy.special._ufuncs")
"""What a refusal does without, and what tells that a module which is loaded late has been loaded."""
PICTURES = ("matplotlib", "PIL._imaging", "asyncio", "pyarrow._compute")


def loaded(folder: Path, *commands: tuple[str, ...]) -> list[tuple[int, set[str]]]:
    """The exit code of each command, one after the other in one process, and the modules that are loaded by then."""
    command = [sys.executable, "-c", CODE, json.dumps(commands)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert "No such command" not in done.stderr, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == len(commands)
    return [(code, set(modules)) for code, modules in told]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, and a place for runs."""
    place = tmp_path_factory.mktemp("loading")
    (place / "table.csv").write_bytes(datasets.path("penguins").read_bytes())
    return place


REFUSED = (
    *(("--help",), ("fit", "--help"), ("show",), ("fit", "nothing.csv"), ("fit", "table.csv", "--set", "colour=3")),
    ("fit", "table.csv", "--set", "components=none,"),
    ("fit", "table.csv", "--model", "nonsense"),
    *(("score", "table.csv", "table.csv"), ("assign", "nowhere", "table.csv"), ("sample", "nowhere")),
)
AT_ONCE = (("fit", "nothing.csv"), ("compare", "nothing.csv"), ("fit", "table.csv", "--set", "colour=3"))


def test_a_refusal_loads_nothing_that_only_a_fit_needs(folder: Path) -> None:
    for words, (code, modules) in zip(REFUSED, loaded(folder, *REFUSED), strict=True):
        assert (code == 0) == ("--help" in words), words
        assert not modules & {*HEAVY, *PICTURES}, words


def test_what_can_be_refused_at_once_loads_nothing_that_reads_rows(folder: Path) -> None:
    for words, (code, modules) in zip(AT_ONCE, loaded(folder, *AT_ONCE), strict=True):
        assert code, words
        assert not modules & {"numpy", "pyarrow", "scipy", "jaxtyping", "email"}, words


NEVER = (
    *("joblib.parallel", "narwhals.dataframe", "asyncio", "pyparsing.core", "fontTools", "matplotlib._mathtext"),
    *("scipy.linalg._basic", "scipy.sparse.csgraph._laplacian", "scipy.sparse.linalg._isolve"),
    *("scipy.spatial.transform", "scipy.cluster.vq"),
)
"""What scikit-learn, SciPy and matplotlib have loaded with them, and a fit of numbers with its report does not use."""


def test_a_fit_of_numbers_loads_no_more_of_other_packages_than_it_uses(folder: Path) -> None:
    rows = "\n".join(f"{place % 7}.5,{place * place % 11}.25" for place in range(60))
    (folder / "numbers.csv").write_text(f"a,b\n{rows}\n")
    ((code, modules),) = loaded(folder, ("fit", "numbers.csv", "--set", "components=1-3", "--out", "of-numbers"))
    assert code == 0
    assert not modules & set(NEVER), sorted(modules & set(NEVER))


def test_a_small_fit_with_its_report_and_its_answers_load_no_compiler(folder: Path) -> None:
    fit = ("fit", "table.csv", "--set", "components=1-3", "--out", "run")
    commands = (fit, ("score", "run", "table.csv"), ("assign", "run", "table.csv"), ("impute", "run", "table.csv"))
    for words, (code, modules) in zip(commands, loaded(folder, *commands), strict=True):
        assert code == 0, words
        assert not modules & {"jax", "jaxlib", "equinox", "pandas"}, words
