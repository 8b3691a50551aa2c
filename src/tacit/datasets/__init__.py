"""Small real data sets that travel with tacit, for the demo, the documentation and first steps; and drawn pictures.

Each data set is a CSV file with one header line, commas, and nothing where a value is missing. ``sprites`` draws
pictures whose factors are known.
"""

from pathlib import Path
from typing import NamedTuple

from tacit.datasets.shapes import Sprites, sprites

__all__ = ["SOURCES", "Provenance", "Sprites", "path", "sprites"]


class Provenance(NamedTuple):
    """Where a data set comes from and on what terms it may be passed on."""

    title: str
    reference: str
    terms: str


SOURCES: dict[str, Provenance] = {
    "penguins": Provenance(
        title="Size measurements of 344 penguins of three species near Palmer Station, Antarctica, "
        "2007-2009: species, island, bill length and depth (mm), flipper length (mm), body mass (g), sex, "
        "year; 19 values missing.",
        reference="Horst AM, Hill AP, Gorman KB (2020). palmerpenguins: Palmer Archipelago (Antarctica) "
        "penguin data. Collected by K. Gorman and the Palmer Station Long Term Ecological Research "
        "programme: Gorman KB, Williams TD, Fraser WR (2014), PLoS ONE 9(3): e90081.",
        terms="CC0 1.0 (public domain dedication)",
    ),
}
"""What there is, by name."""


def path(name: str) -> Path:
    """The CSV file of an embedded data set.

    Args:
        name: One of the keys of ``SOURCES``: ``"penguins"``.

    Returns:
        The file's path, for ``tacit fit``, pandas, polars or whatever reads CSV.

    Raises:
        ValueError: If there is no data set of that name.
    """
    if name not in SOURCES:
        raise ValueError(f"no data set is called {name!r}; there is {', '.join(sorted(SOURCES))}")
    return Path(__file__).parent / f"{name}.csv"
