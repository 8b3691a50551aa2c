from . import estimator_settings, model_file
from .checkpoint import Checkpoint, fingerprint
from .config import RunConfig
from .description import Description, describe
from .errors import ModelFileError
from .model_file import load, save
from .run import RunFolder, runs

__all__ = [
    "Checkpoint",
    "Description",
    "ModelFileError",
    "RunConfig",
    "RunFolder",
    "describe",
    "estimator_settings",
    "fingerprint",
    "load",
    "model_file",
    "runs",
    "save",
]
