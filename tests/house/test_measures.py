"""The figures that the house has agreed on, which may only fall: ``python tests/harness/measures.py`` prints them."""

from pathlib import Path

import pytest

import measures

SOURCE = Path(__file__).resolve().parents[2] / "src"
PACKAGE = SOURCE / "tacit"
GUESSES = 1.0
"""``hasattr`` and ``getattr`` a thousand code lines; agreed: 1."""
ANY = 0.03
"""Arguments annotated ``Any``; agreed: 0.05."""
SHARED = 0
"""Public class names of several classes; agreed: none but a class and its base."""
REPEATED = 20
"""Windows of eight code lines that stand twice."""


def test_no_package_imports_what_is_private_to_another() -> None:
    assert measures.private_imports(PACKAGE) == []


def test_the_figures_do_not_rise() -> None:
    code = sum(len(measures.code_lines(path)) for path in PACKAGE.rglob("*.py"))
    assert 1000 * measures.guesses(PACKAGE) / code <= GUESSES
    assert measures.share_of_any(PACKAGE) <= ANY
    assert len(measures.shared_class_names(PACKAGE)) <= SHARED
    assert measures.repeated_windows(PACKAGE) <= REPEATED


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A package in which everything that is counted occurs once."""
    for name, text in {
        "a/one.py": '"""Words.\n\nMore."""\n\n# a remark\nclass Thing:\n    """Words."""\n\n    x = 1\n',
        "b/two.py": "from typing import Any\n\nfrom tacit.a._hidden import thing\n\n\nclass Thing:\n    x = 2\n\n\n"
        "def f(x: Any, y: int) -> int:\n    return getattr(x, 'y', y)\n",
    }.items():
        path = tmp_path / "tacit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "tacit"


def test_what_is_counted_is_seen(small: Path) -> None:
    assert measures.code_lines(small / "a" / "one.py") == ["class Thing:", "x = 1"]
    assert measures.guesses(small) == 1
    assert measures.share_of_any(small) == 0.5
    assert measures.private_imports(small) == ["b/two.py:3 a._hidden.thing"]
    assert measures.shared_class_names(small) == ["Thing"]
    assert measures.largest(small) == (11, 2)
    assert measures.repeated_windows(small) == 0
