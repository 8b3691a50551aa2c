"""The endings of files that hold networks, known before anything that reads them is loaded."""

from pathlib import Path

ENDINGS = (".bif", ".net", ".uai", ".xml", ".xmlbif", ".bifxml", ".xdsl")
"""Each also with ``.gz``."""


def ending_of(path: str | Path) -> str:
    """The ending of a file's name, that of a packed file too."""
    return Path(Path(path).name.lower().removesuffix(".gz")).suffix


def is_network_file(path: str | Path) -> bool:
    """Whether a file holds a network, by the ending of its name."""
    return ending_of(path) in ENDINGS
