"""The set-up: plain words for a wrong Python, a pin for every dependency, all data files in the package."""

import fnmatch
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
REQUIRED = [
    Requirement(text)
    for text in [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["test"],
        *PROJECT["project"]["optional-dependencies"]["lint"],
    ]
]
PYTHONS = [text.rsplit(" ", 1)[1] for text in PROJECT["project"]["classifiers"] if "Python :: 3." in text]


def pins_for(name: str, python: str) -> list[Requirement]:
    """The constraints on one package under one version of Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    return [
        pin
        for pin in PINS
        if canonicalize_name(pin.name) == canonicalize_name(name)
        and (pin.marker is None or pin.marker.evaluate(environment))
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_has_one_pin_within_its_bounds(python: str) -> None:
    for required in REQUIRED:
        (pin,) = pins_for(required.name, python)
        (specifier,) = pin.specifier
        assert specifier.operator == "=="
        assert specifier.version in required.specifier, f"{pin} against {required}"


@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_is_pinned_twice(python: str) -> None:
    assert all(len(pins_for(pin.name, python)) == 1 for pin in PINS if not pin.marker)


def test_every_data_file_is_in_the_package() -> None:
    package = ROOT / "src" / "tacit"
    patterns = [pattern.removeprefix("**/") for pattern in PROJECT["tool"]["setuptools"]["package-data"]["tacit"]]
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert files
    assert not [path for path in files if not any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)]


def words_of_make(folder: Path, python: str) -> str:
    """What ``make demo`` says in a copy of the set-up when it fails; no environment may have been made."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PYTHON"))}
    command = ["make", "demo", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert not (folder / ".venv").exists()
    return done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('case "$*" in *-V*) echo "Python 3.9.6";; *version_info*) exit 1;; esac', "is Python 3.9.6"),
        ('case "$*" in *ensurepip*) exit 1;; esac', "has no venv or no pip"),
        ('case "$*" in *Darwin*) exit 1;; esac', "Intel Macs"),
        (None, "there is no"),
    ],
    ids=["too old", "no venv", "Intel Mac", "absent"],
)
def test_make_says_what_is_wrong_with_a_python(tmp_path: Path, script: str | None, words: str) -> None:
    python = tmp_path / "fake-python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    assert words in words_of_make(tmp_path, str(python))


def test_a_sample_of_the_tests_is_compiled_as_users_have_it() -> None:
    """The harness asks the compiler for less polish, unless the environment says what to ask for."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    files = makefile.split("SAMPLE :=")[1].split("\n\n")[0].replace("\\", " ").split()
    assert files
    assert all((ROOT / name).is_file() for name in files)
    assert "XLA_FLAGS= $(RUN) -m pytest" in makefile
    assert all(f"make {part} " in (ROOT / ".ci" / "run").read_text("utf-8") for part in ("sample", "test"))
    code = "import os, runpy; runpy.run_path('tests/conftest.py'); print(repr(os.environ['XLA_FLAGS']))"
    bare = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    bare["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests" / "harness")])
    for given, wanted in (({}, "optimization_level=0"), ({"XLA_FLAGS": ""}, "''")):
        found = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=bare | given, capture_output=True, text=True, check=True
        )
        assert wanted in found.stdout
