"""The covariance structures as values in a table: Σ_k = λ_k D_k A_k D_kᵀ.

λ_k is the volume (a scalar, |Σ_k|^(1/D)), A_k the shape (a diagonal of determinant one) and D_k the
orientation (an orthogonal matrix). Each of the three is equal over the components (E), varies (V), or is the
identity (I): Banfield & Raftery 1993; Celeux & Govaert 1995; the names are mclust's (Scrucca et al. 2016,
table 3).
"""

from typing import NamedTuple


class Structure(NamedTuple):
    """One parameterisation of the K covariances.

    Attributes:
        name: mclust's name: three letters for volume, shape and orientation; one letter for a single column.
        volume: "E" (equal over the components) or "V" (varying).
        shape: "I" (round), "E" or "V".
        orientation: "I" (along the columns' axes), "E" or "V".
        description: the same in plain words.
    """

    name: str
    volume: str
    shape: str
    orientation: str
    description: str

    @property
    def diagonal(self) -> bool:
        """True where every covariance is a diagonal matrix, so that variances say everything."""
        return self.orientation == "I"

    @property
    def round(self) -> bool:
        """True where every covariance is a multiple of the identity."""
        return self.shape == "I"

    @property
    def tied(self) -> bool:
        """True where all components have one and the same covariance."""
        return "V" not in (self.volume, self.shape, self.orientation)


_TABLE = (
    Structure("E", "E", "I", "I", "one column, the same variance in every group"),
    Structure("V", "V", "I", "I", "one column, each group with its own variance"),
    Structure("EII", "E", "I", "I", "round groups, all of one size"),
    Structure("VII", "V", "I", "I", "round groups, each of its own size"),
    Structure("EEI", "E", "E", "I", "groups along the axes, all of one size and shape"),
    Structure("VEI", "V", "E", "I", "groups along the axes, of one shape, each of its own size"),
    Structure("EVI", "E", "V", "I", "groups along the axes, of one size, each of its own shape"),
    Structure("VVI", "V", "V", "I", "groups along the axes, each of its own size and shape"),
    Structure("EEE", "E", "E", "E", "tilted groups, all of one size, shape and direction"),
    Structure("VEE", "V", "E", "E", "tilted groups of one shape and direction, each of its own size"),
    Structure("EVE", "E", "V", "E", "tilted groups of one size and direction, each of its own shape"),
    Structure("VVE", "V", "V", "E", "tilted groups of one direction, each of its own size and shape"),
    Structure("EEV", "E", "E", "V", "tilted groups of one size and shape, each in its own direction"),
    Structure("VEV", "V", "E", "V", "tilted groups of one shape, each of its own size and direction"),
    Structure("EVV", "E", "V", "V", "tilted groups of one size, each of its own shape and direction"),
    Structure("VVV", "V", "V", "V", "tilted groups, each of its own size, shape and direction"),
)

STRUCTURES: dict[str, Structure] = {structure.name: structure for structure in _TABLE}
"""Every structure by its name: "E" and "V" for one column, fourteen for two or more."""

SCIKIT_LEARN_NAMES = {"spherical": "VII", "diag": "VVI", "tied": "EEE", "full": "VVV"}
"""What scikit-learn calls four of them."""


def canonical_name(name: str, dims: int) -> str:
    """The name in ``STRUCTURES`` of a structure given by mclust's or scikit-learn's name.

    Where there is one column only the volume is left: every structure is then "E" or "V".

    Args:
        name: one of mclust's names (any case), or "spherical", "diag", "tied", "full".
        dims: the number of columns D.

    Raises:
        ValueError: an unknown name, or "E" or "V" for more than one column.
    """
    known = SCIKIT_LEARN_NAMES.get(name.lower(), name.upper())
    if known not in STRUCTURES:
        choices = ", ".join([*STRUCTURES, *SCIKIT_LEARN_NAMES])
        raise ValueError(f"covariance structure {name!r} is unknown; choose one of {choices}")
    if dims == 1:
        return STRUCTURES[known].volume
    if known in ("E", "V"):
        raise ValueError(
            f"covariance structure {name!r} is for one column, and there are {dims}; "
            f"{known}II has the same meaning for several"
        )
    return known


def n_covariance_parameters(structure: str, n_components: int, dims: int) -> int:
    """The number of free parameters of the K covariances: volumes, shapes and angles.

    Args:
        structure: a name in ``STRUCTURES``.
        n_components: K.
        dims: D.
    """
    parts = STRUCTURES[structure]
    copies = {"I": 0, "E": 1, "V": n_components}
    volumes, shapes = copies[parts.volume], copies[parts.shape] * (dims - 1)
    return volumes + shapes + copies[parts.orientation] * (dims * (dims - 1) // 2)
