"""Who imports whom inside tacit, read from the source text alone: nothing is run."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FLOORS: dict[str, float] = {
    "late": -3,
    "waiting": -3,
    "engine": -2,
    "trees": -1,
    "compute": 0,
    "files": 0,
    "arrays": 1,
    "distributed": 1,
    "spaces": 1,
    "structures": 1,
    "plots": 1,
    "families": 2,
    "data": 2,
    "datasets": 2,
    "inference": 3,
    "models": 4,
    "estimators": 5,
    "registry": 6,
    "evaluation": 7,
    "export": 7,
    "storage": 7,
    "report": 8,
    "workflow": 9,
    "serve": 9.5,
    "mlflow": 9.7,
    "cli": 10,
    "studio": 10,
    "__main__": 11,
}
ROOF = 11  # tacit/__init__.py, which only names what lies below


class Edge(NamedTuple):
    """One import statement: the module that imports, what it imports, and the line."""

    source: str
    target: str
    line: int


def modules_of(package: Path) -> dict[str, Path]:
    """Every module under a package folder, by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _targets(node: ast.AST, module: str, is_package: bool) -> Iterator[tuple[str, str | None]]:
    """The (module, name) pairs that one import statement asks for."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, None) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = module.split(".")
            kept = parts[: len(parts) - node.level + is_package]
            base = ".".join([*kept, base] if base else kept)
        yield from ((base, alias.name) for alias in node.names)


def edges_of(modules: dict[str, Path]) -> list[Edge]:
    """Every import of every module; a name that is itself a module counts as that module."""
    edges = []
    for module, path in modules.items():
        is_package = path.name == "__init__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for base, name in _targets(node, module, is_package):
                if (base, name) == ("tacit", "__version__"):
                    continue  # a constant, whatever lies above it
                target = f"{base}.{name}" if f"{base}.{name}" in modules else base
                edges.append(Edge(module, target, node.lineno))
    return edges


def floor_of(module: str) -> float:
    """The floor of a module; KeyError where its package has none."""
    parts = module.split(".")
    return ROOF if len(parts) == 1 else FLOORS[parts[1]]


def floor_faults(edges: list[Edge]) -> list[str]:
    """Imports that go up, or sideways into another package of the same floor."""
    faults = []
    for source, target, line in edges:
        if target.split(".")[0] != "tacit" or source == "tacit":
            continue
        same_package = source.split(".")[1:2] == target.split(".")[1:2]
        if not same_package and floor_of(target) >= floor_of(source):
            faults.append(f"{source}:{line} (floor {floor_of(source)}) imports {target} ({floor_of(target)})")
    return faults


def foreign_faults(edges: list[Edge], library: str, lowest: int) -> list[str]:
    """Imports of a library from below the lowest floor that may know it."""
    return [
        f"{source}:{line} imports {target}"
        for source, target, line in edges
        if target.split(".")[0] == library and floor_of(source) < lowest
    ]


def cycle_in(edges: list[Edge]) -> list[str]:
    """One cycle of imports as a list of modules, or an empty list."""
    following: dict[str, set[str]] = {}
    for source, target, _ in edges:
        if target.split(".")[0] == "tacit":
            following.setdefault(source, set()).add(target)
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module not in done:
            for target in sorted(following.get(module, ())):
                if cycle := visit(target, [*trail, module]):
                    return cycle
            done.add(module)
        return []

    for module in sorted(following):
        if cycle := visit(module, []):
            return cycle
    return []


def foreign_statements(modules: dict[str, Path]) -> list[str]:
    """The import statements that ask for something outside tacit."""
    nodes = [node for path in modules.values() for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    statements = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            ours = any(alias.name.split(".")[0] == "tacit" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            ours = node.level > 0 or (node.module or "").split(".")[0] == "tacit"
        else:
            continue
        if not ours:
            statements.add(ast.unparse(node))
    return sorted(statements)


def hidden_imports(modules: dict[str, Path]) -> list[str]:
    """Imports inside a function, and those made by name."""
    faults = set()
    for module, path in modules.items():
        for outer in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = [node for node in ast.walk(outer) if isinstance(node, ast.Import | ast.ImportFrom)]
                faults |= {f"{module}:{node.lineno} imports inside a function" for node in inner}
            if isinstance(outer, ast.Name | ast.Attribute):
                name = outer.id if isinstance(outer, ast.Name) else outer.attr
                if name in ("import_module", "__import__"):
                    faults.add(f"{module}:{outer.lineno} imports by name ({name})")
    return sorted(faults)


def printing(modules: dict[str, Path]) -> list[str]:
    """Where something is printed, or written to the terminal."""
    faults = []
    for module, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            stream = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr")
            if said or (stream and isinstance(node.value, ast.Name) and node.value.id == "sys"):
                faults.append(f"{module}:{node.lineno}")
    return faults
