"""Two threads that load at once: a module half-way through its import hides no class for ever."""

import importlib
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import tacit.estimators
from tacit import registry
from tacit.storage import known

NAME, MODULE = "estimators.Slowly", "tacit.estimators.slowly"
BODY = """
import threading
from typing import NamedTuple
begun, go_on = threading.Event(), threading.Event()
begun.set()
assert go_on.wait(20.0)
class Slowly(NamedTuple):
    value: int = 1
"""


@pytest.fixture
def slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of an estimator, the only one listed, whose import takes as long as we like."""
    (tmp_path / "slowly.py").write_text(BODY)
    monkeypatch.setattr(tacit.estimators, "__path__", [*tacit.estimators.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "ESTIMATORS", {"slowly": registry.Entry("slowly:Slowly")})
    yield
    sys.modules.pop(MODULE, None)
    known._FOUND.pop(NAME, None)


def loading() -> types.ModuleType:
    """The module, once its import has begun."""
    while MODULE not in sys.modules or "begun" not in vars(sys.modules[MODULE]):
        threading.Event().wait(0.001)
    module = sys.modules[MODULE]
    assert module.begun.wait(20.0)
    return module


def test_a_class_that_another_thread_is_importing_is_waited_for(slowly: None) -> None:
    importing = threading.Thread(target=importlib.import_module, args=(MODULE,))
    importing.start()
    module, found = loading(), []
    assert not hasattr(module, "Slowly")
    asking = threading.Thread(target=lambda: found.append(known.class_of(NAME)))
    asking.start()
    asking.join(0.2)
    assert asking.is_alive()  # it waits for the import
    module.go_on.set()
    for thread in (importing, asking):
        thread.join(20.0)
    assert found == [module.Slowly]
    assert known.class_of(NAME) is module.Slowly


def test_what_was_seen_half_way_is_not_remembered(slowly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ESTIMATORS", {})  # nothing to wait for: the answer is that there is none
    importing = threading.Thread(target=importlib.import_module, args=(MODULE,))
    importing.start()
    module = loading()
    assert known.class_of(NAME) is None
    module.go_on.set()
    importing.join(20.0)
    assert known.class_of(NAME) is module.Slowly
