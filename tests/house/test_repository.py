"""What is under version control: nothing large, no path of one machine, no package registry."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 1_000_000
# The patterns are written so that this file does not hold what it looks for.
MACHINE = re.compile(r"(?<![\w.])/(?:root|home|Users|work|opt|mnt|tmp)/[\w.]|\.py" + "env/")
REGISTRY = re.compile("py" + r"pi\.org|python" + r"hosted|index" + "-url|find" + "-links|trusted" + "-host")
PACKAGING = ("pyproject.toml", "constraints.txt", "Makefile", ".ci/run", ".pre-commit-config.yaml")


def tracked() -> list[Path]:
    """The files under version control, or an empty list outside a checkout."""
    if not (ROOT / ".git").exists():
        return []
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


FILES = tracked()
in_checkout = pytest.mark.skipif(not FILES, reason="not a git checkout")


def text_of(path: Path) -> str:
    """The text of a file; of a binary one, what reads as text."""
    return path.read_text(encoding="utf-8", errors="ignore")


@in_checkout
def test_no_file_is_large() -> None:
    assert not [f"{path}: {path.stat().st_size} bytes" for path in FILES if path.stat().st_size > LARGEST]


@in_checkout
@pytest.mark.parametrize("pattern", [MACHINE, REGISTRY], ids=["machine", "registry"])
def test_no_file_names_a_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in FILES
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not faults


@pytest.mark.parametrize("name", PACKAGING)
def test_the_set_up_names_no_host(name: str) -> None:
    assert "://" not in text_of(ROOT / name)


@pytest.mark.parametrize("folder", ["root", "home", "Users", "tmp"])
def test_a_machine_path_is_seen(folder: str) -> None:
    assert MACHINE.search(f"open('/{folder}/someone/data.csv')")
    assert not MACHINE.search(f"runs/{folder}/data.csv")
