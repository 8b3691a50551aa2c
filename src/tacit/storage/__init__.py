"""Floor 7: a fitted model on disk (safetensors and JSON, never pickle), run folders, checkpoints."""

from tacit.storage.checkpoint import Checkpoint, fingerprint
from tacit.storage.config import RunConfig
from tacit.storage.errors import ModelFileError
from tacit.storage.model_file import Description, describe, load, save
from tacit.storage.run import RunFolder, runs

__all__ = [
    "Checkpoint",
    "Description",
    "ModelFileError",
    "RunConfig",
    "RunFolder",
    "describe",
    "fingerprint",
    "load",
    "runs",
    "save",
]
