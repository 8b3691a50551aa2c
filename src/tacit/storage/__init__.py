"""Floor 7: a fitted model on disk (safetensors and JSON, never pickle), run folders, checkpoints."""

from tacit.storage.errors import ModelFileError
from tacit.storage.model_file import Description, describe, load, save

__all__ = ["Description", "ModelFileError", "describe", "load", "save"]
