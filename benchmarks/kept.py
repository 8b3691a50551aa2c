"""Answers of long benchmarks, kept as they come, so that a run that was cut off goes on where it was."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def kept(part: str, key: str, work: Callable[[], Any]) -> Any:
    """What ``work`` gives (plain JSON), or gave in an earlier run into the same folder.

    The folder is named by the variable TACIT_BENCHMARKS_KEPT; without it nothing is kept. Whoever changes what is
    measured takes another folder.
    """
    folder = os.environ.get("TACIT_BENCHMARKS_KEPT")
    if not folder:
        return work()
    file = Path(folder) / f"{part}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    known = dict(json.loads(line) for line in lines)
    if key not in known:
        known[key] = work()
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps([key, known[key]]) + "\n")
    return known[key]
