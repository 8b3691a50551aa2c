"""A file fits in the head: at most 400 lines, a function at most 60."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES, FUNCTION_LINES = 400, 60
FILES = sorted(path for folder in ("src", "tests", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py"))


def oversized(name: str, text: str) -> list[str]:
    """The file, if it is too long, and its functions that are."""
    lines = len(text.splitlines())
    faults = [f"{name}: {lines} lines"] if lines > FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES:
                faults.append(f"{name}:{node.lineno} {node.name}: {length} lines")
    return faults


def test_files_and_functions_are_short() -> None:
    assert FILES
    faults = [fault for path in FILES for fault in oversized(str(path.relative_to(ROOT)), path.read_text("utf-8"))]
    assert not faults


@pytest.mark.parametrize(("lines", "faults"), [(58, 0), (59, 0), (60, 1), (398, 1), (399, 1), (400, 2)])
def test_what_is_too_long_is_seen(lines: int, faults: int) -> None:
    text = "def f():\n" + "    pass\n" * lines
    assert len(oversized("a.py", text)) == faults
