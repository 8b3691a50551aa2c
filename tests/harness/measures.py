"""The house in figures: ``python tests/harness/measures.py [SOURCE …]`` prints a column for every source folder.

Two folders, such as those of two checkouts, stand side by side.
"""

import ast
import functools
import io
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

WINDOW = 8
"""Lines of code that are the same in two places."""
ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def code_lines(path: Path) -> list[str]:
    """The lines of a file without blank ones, comments and docstrings."""
    return list(_code_lines(path.read_text(encoding="utf-8")))


@functools.cache
def _code_lines(text: str) -> tuple[str, ...]:
    kept: set[int] = set()
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            kept |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(_parsed(text)):
        # a bare string is a docstring, of a field or of what it stands in
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            kept -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = text.splitlines()
    return tuple(lines[number - 1].strip() for number in sorted(kept))


def trees(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every file below a folder, parsed."""
    for path in sorted(folder.rglob("*.py")):
        yield path, _parsed(path.read_text(encoding="utf-8"))


def guesses(folder: Path) -> int:
    """Calls of ``hasattr`` and ``getattr``."""
    calls = (node for _, tree in trees(folder) for node in ast.walk(tree) if isinstance(node, ast.Call))
    return sum(isinstance(call.func, ast.Name) and call.func.id in ("hasattr", "getattr") for call in calls)


def share_of_any(folder: Path) -> float:
    """The share of annotated arguments whose type says nothing: ``Any``, alone."""
    annotated = any_type = 0
    for _, tree in trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                found = [each.annotation for each in arguments if each.annotation is not None]
                annotated += len(found)
                any_type += sum(isinstance(each, ast.Name) and each.id == "Any" for each in found)
    return any_type / max(annotated, 1)


def private_imports(folder: Path) -> list[str]:
    """Imports of a private module or name of another package of the house."""
    found = []
    for path, tree in trees(folder):
        own = path.relative_to(folder).parts[0]
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("tacit."):
                continue
            parts = (node.module or "").split(".")[1:]
            names = [*parts, *(alias.name for alias in node.names)]
            if parts[0] != own and any(name.startswith("_") and not name.startswith("__") for name in names):
                found.append(f"{path.relative_to(folder)}:{node.lineno} {'.'.join(names)}")
    return found


def shared_class_names(folder: Path) -> list[str]:
    """Names that several classes of the top level bear, where none is the other's base."""
    owners: defaultdict[str, list[tuple[Path, ast.ClassDef]]] = defaultdict(list)
    for path, tree in trees(folder):
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners[node.name].append((path, node))
    return sorted(name for name, found in owners.items() if len(found) > 1 and not _related(name, found))


def _related(name: str, found: list[tuple[Path, ast.ClassDef]]) -> bool:
    bases = [ast.unparse(base).split(".")[-1] for _, node in found for base in node.bases]
    return sum(base == name for base in bases) >= len(found) - 1


def repeated_windows(folder: Path) -> int:
    """Windows of code lines that stand in more than one place, beyond their first."""
    seen: Counter[tuple[str, ...]] = Counter()
    for path in sorted(folder.rglob("*.py")):
        lines = [line for line in code_lines(path) if not line.startswith(("import ", "from "))]
        seen.update(tuple(lines[at : at + WINDOW]) for at in range(len(lines) - WINDOW + 1))
    return sum(count - 1 for count in seen.values() if count > 1)


def largest(folder: Path) -> tuple[int, int]:
    """Lines of the largest file and of the largest function."""
    files = max(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py"))
    functions = (
        (node.end_lineno or 0) - node.lineno + 1
        for _, tree in trees(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    )
    return files, max(functions, default=0)


def measures(folder: Path) -> dict[str, str]:
    """All figures of the package in a source folder, as they are printed."""
    package = folder / "tacit"
    files = list(package.rglob("*.py"))
    code = sum(len(code_lines(path)) for path in files)
    tests = sum(len(code_lines(path)) for path in (folder.parent / "tests").rglob("*.py"))
    file, function = largest(package)
    return {
        "files": str(len(files)),
        "lines": str(sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)),
        "code lines": str(code),
        "tests' code lines / source's": f"{tests / code:.2f}",
        "hasattr and getattr a thousand code lines": f"{1000 * guesses(package) / code:.1f}",
        "arguments annotated Any": f"{100 * share_of_any(package):.1f} %",
        "private imports across packages": str(len(private_imports(package))),
        "class names shared": str(len(shared_class_names(package))),
        f"repeated windows of {WINDOW} code lines": str(repeated_windows(package)),
        "largest file": str(file),
        "largest function": str(function),
    }


if __name__ == "__main__":
    columns = [measures(Path(name)) for name in sys.argv[1:] or [str(ROOT / "src")]]
    for what in columns[0]:
        print(f"{what:<44}" + "".join(f"{column[what]:>12}" for column in columns))
