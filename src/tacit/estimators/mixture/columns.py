"""Tables whose columns are of different kinds, before a mixture."""

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

from tacit.data.dataset import ColumnMoments
from tacit.data.schema import Schema
from tacit.estimators.mixture import layout
from tacit.estimators.mixture.answers import MixtureAnswers
from tacit.estimators.settings import settings
from tacit.estimators.table_reading import KindReading
from tacit.families import FAMILIES, registered


@settings
class FamilyColumns(KindReading):
    """Reads tables by the families of their columns, each a family of components."""

    _: KW_ONLY
    families: str | type | Mapping[Any, Any] = "auto"
    """"auto" (from the kinds of the columns), one family for all columns, or a mapping of columns (names or places, or
    tuples of them for one multinomial) to families; others are chosen as "auto". A family is a name, or a class of your
    own (`tacit.families.SimpleFamily`)."""

    def automatic(self, schema: Schema, values: ColumnMoments) -> list[str]:
        """The families that suit the kinds of the columns, and their moments."""
        return layout.automatic(schema, values)

    def _kind_of(self, family: str) -> str:
        return FAMILIES[family].column_kind

    def _family(self, asked: Any) -> str:
        """A family by its name; one of the user's own is known by its name from then on."""
        name = registered(asked) if isinstance(asked, type) else asked
        if name not in FAMILIES:
            raise ValueError(
                f"family {name!r} is unknown; choose one of {', '.join(FAMILIES)}, or give a class of your own "
                "(tacit.families.SimpleFamily)"
            )
        return name


@settings
class TableColumns(FamilyColumns, MixtureAnswers):
    """Reads tables by the families of their columns, which the estimator's ``families`` names."""
