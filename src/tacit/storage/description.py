"""What a model's file says of itself, read without loading the model."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from tacit.data.errors import DataError, listed
from tacit.data.schema import Schema
from tacit.storage import container

MODEL = "model.safetensors"
"""The name of a model's file where only its folder is given."""


class Description(NamedTuple):
    """What stands in a model's file beside its arrays."""

    name: str
    """The estimator, as `tacit.registry` lists it."""
    schema: Schema | None
    """The columns that the model was fitted on, where the writer gave them."""
    extra: Any
    """What the writer wanted kept beside the model."""
    versions: dict[str, str]
    """Of tacit, Python and the libraries that wrote the file."""


def describe(path: str | os.PathLike[str]) -> Description:
    """What a model's file says of itself: name, columns, extra, versions. Raises as `load` does."""
    source = file_of(path)
    body, _ = container.read(source, "model")
    node, written = body.get("estimator"), body.get("versions")
    if not isinstance(node, dict) or not isinstance(node.get("name"), str) or not isinstance(written, dict):
        raise container.damaged(source, "it lacks the name of its model or the versions that wrote it")
    try:
        schema = None if body.get("schema") is None else Schema.from_json(body["schema"])
    except DataError as error:
        raise container.damaged(source, str(error)) from None
    return Description(node["name"], schema, body.get("extra"), {str(k): str(v) for k, v in written.items()})


def file_of(path: str | os.PathLike[str]) -> Path:
    """The file of a model, named by itself or by its folder; raises `FileNotFoundError` naming those that are there."""
    target = Path(path).expanduser()
    source = target / MODEL if target.is_dir() else target
    if not source.exists():
        others = sorted(p.name for p in source.parent.glob("*.safetensors")) if source.parent.is_dir() else []
        there = f" In {str(source.parent)!r} there are {listed(others)}." if others else ""
        raise FileNotFoundError(f"there is no model {str(source)!r}.{there}")
    return source
