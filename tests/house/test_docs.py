"""What README and docs show is run, and every public name has a line there."""

import inspect
import re
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import pytest

import tacit

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[int, str]]:
    """The Python blocks of a page, each with the number of its first line."""
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in FENCE.finditer(text)]


def run(text: str, name: str) -> dict[str, object]:
    """Run the blocks of one page in one namespace; a traceback names the page and the line."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks(text):
        exec(compile("\n" * (line - 1) + code, name, "exec"), namespace)
    return namespace


@pytest.mark.reuses_keys
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    run(page.read_text(encoding="utf-8"), str(page))


def test_a_page_shares_its_names_and_a_fault_is_seen() -> None:
    page = "text\n```python\na = 1\n```\n```console\n$ nothing\n```\n```python\nb = a + 1\nassert b == 2\n```\n"
    assert blocks(page)[1] == (9, "b = a + 1\nassert b == 2\n")
    assert run(page, "page.md")["b"] == 2
    with pytest.raises(ZeroDivisionError) as caught:
        run(page + "```python\n1 / 0\n```\n", "page.md")
    assert caught.traceback[-1].lineno == 12


def faults_of(name: str, value: object, listed: str) -> list[str]:
    """What is missing in the words about a public name: its line, its docstring, its methods' docstrings."""
    faults = [] if f"`{name}`" in listed else [f"{name} has no line in docs/api.md"]
    if (isinstance(value, ModuleType) or callable(value)) and not inspect.getdoc(value):
        faults.append(f"{name} has no docstring")
    if isinstance(value, ModuleType):
        for inner in value.__all__:
            faults += faults_of(f"{name}.{inner}", getattr(value, inner), listed)
    if inspect.isclass(value):
        methods = [key for key, member in vars(value).items() if not key.startswith("_") and callable(member)]
        faults += [f"{name}.{key} has no docstring" for key in methods if not inspect.getdoc(getattr(value, key))]
    return faults


@pytest.mark.parametrize("name", sorted({*tacit.__all__} - {"__version__"}))
def test_a_public_name_is_documented(name: str) -> None:
    listed = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert not faults_of(f"tacit.{name}", getattr(tacit, name), listed)


def test_what_is_undocumented_is_seen() -> None:
    class Bare:
        def method(self) -> None:
            pass

    module = ModuleType("things", "Some things.")
    module.__dict__.update(__all__=["Bare"], Bare=Bare)
    assert faults_of("things", module, "`things`") == [
        "things.Bare has no line in docs/api.md",
        "things.Bare has no docstring",
        "things.Bare.method has no docstring",
    ]
