"""The floors of the house: a file imports only from below, or, without cycles, from its own package."""

from pathlib import Path

import pytest

import import_graph

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "tacit"
MODULES = import_graph.modules_of(PACKAGE)


@pytest.fixture(scope="module")
def edges() -> list[import_graph.Edge]:
    """All imports of the package."""
    return import_graph.edges_of(MODULES)


def graph(tmp_path: Path, files: dict[str, str]) -> tuple[dict[str, Path], list[import_graph.Edge]]:
    """A small package called tacit with the given files."""
    for name, text in files.items():
        path = tmp_path / "tacit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    modules = import_graph.modules_of(tmp_path / "tacit")
    return modules, import_graph.edges_of(modules)


def test_every_module_has_a_floor() -> None:
    unknown = {module for module in MODULES if module.count(".") and module.split(".")[1] not in import_graph.FLOORS}
    assert not unknown, f"give these a floor in import_graph.FLOORS: {sorted(unknown)}"


def test_the_graph_was_read(edges: list[import_graph.Edge]) -> None:
    assert import_graph.Edge("tacit.families.base", "tacit.compute", 0)[:2] in {edge[:2] for edge in edges}


def test_imports_only_go_down(edges: list[import_graph.Edge]) -> None:
    assert not import_graph.floor_faults(edges)


def test_imports_have_no_cycles(edges: list[import_graph.Edge]) -> None:
    assert not import_graph.cycle_in(edges)


def test_nothing_is_imported_inside_functions_or_by_name() -> None:
    assert not import_graph.hidden_imports(MODULES)


def test_only_the_command_line_writes_to_the_terminal() -> None:
    """Lower floors do so where their caller asks: ``verbose`` of a fit, and ``-`` as the place of a table."""
    quiet = {"workflow", "report", "storage", "evaluation", "models", "families", "plots", "datasets", "registry"}
    assert not import_graph.printing({name: path for name, path in MODULES.items() if {*name.split(".")[1:2]} & quiet})


@pytest.mark.parametrize(
    ("library", "lowest"), [("sklearn", 5), ("typer", 10), ("rich", 10), ("pickle", 11), ("torch", 11)]
)
def test_libraries_stay_on_their_floor(edges: list[import_graph.Edge], library: str, lowest: int) -> None:
    assert not import_graph.foreign_faults(edges, library, lowest)


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("inference/a.py", "import tacit.models.b", "tacit.models.b"),
        ("inference/a.py", "from tacit.models import b", "tacit.models.b"),
        ("inference/a.py", "from ..models.b import B", "tacit.models.b"),
        ("inference/a.py", "from .. import models", "tacit.models"),
        ("data/a.py", "from tacit.families import Poisson", "tacit.families"),
        ("evaluation/a.py", "from tacit.storage import load", "tacit.storage"),
        ("models/a.py", "from tacit import GaussianMixture", "tacit (11)"),
        ("models/a.py", "if True:\n    import tacit.estimators", "tacit.estimators"),
    ],
)
def test_a_wrong_import_is_seen(tmp_path: Path, file: str, text: str, found: str) -> None:
    others = {"models/b.py": "", "models/__init__.py": "", "__init__.py": ""}
    faults = import_graph.floor_faults(graph(tmp_path, others | {file: text})[1])
    assert len(faults) == 1
    assert found in faults[0]


def test_a_right_import_passes(tmp_path: Path) -> None:
    files = {
        "__init__.py": "from tacit import cli",
        "cli/__init__.py": "from tacit import __version__\nfrom .tables import table\nimport sklearn",
        "cli/tables.py": "from tacit.compute import Array",
        "compute.py": "import jax",
    }
    modules, edges = graph(tmp_path, files)
    assert not import_graph.floor_faults(edges)
    assert not import_graph.cycle_in(edges)
    assert not import_graph.hidden_imports(modules)
    assert not import_graph.foreign_faults(edges, "sklearn", 5)


def test_what_is_printed_is_seen(tmp_path: Path) -> None:
    text = "import sys\n\ndef f(out):\n    print(1)\n    sys.stderr.write('a')\n    out.stdout\n"
    assert import_graph.printing(graph(tmp_path, {"a.py": text})[0]) == ["tacit.a:4", "tacit.a:5"]


def test_faults_within_a_package_are_seen(tmp_path: Path) -> None:
    files = {
        "data/a.py": "from tacit.data import b\nimport sklearn.base",
        "data/b.py": "from .c import x",
        "data/c.py": "def f():\n    from tacit.data import a\n    importlib.import_module('x')",
    }
    modules, edges = graph(tmp_path, files)
    assert import_graph.cycle_in(edges) == ["tacit.data.a", "tacit.data.b", "tacit.data.c", "tacit.data.a"]
    assert len(import_graph.hidden_imports(modules)) == 2
    assert import_graph.foreign_faults(edges, "sklearn", 5) == ["tacit.data.a:2 imports sklearn.base"]
