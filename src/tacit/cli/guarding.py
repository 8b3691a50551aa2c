"""Whether texts that a spreadsheet would run as formulas are guarded in the CSV that a command writes."""

import sys


class Guarding:
    """What the user said of it in this call of a command."""

    _said: bool | None = None

    @classmethod
    def choose(cls, value: bool | None) -> bool | None:
        """Keep what ``--guard`` or ``--no-guard`` says; None where neither stands."""
        cls._said = value
        return value

    @classmethod
    def on(cls) -> bool:
        """As the user says; else where a person sits at a terminal."""
        return sys.stdout.isatty() if cls._said is None else cls._said
