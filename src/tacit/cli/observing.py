"""Events of the workflow, as they are told on the terminal."""

from tacit import cli
from tacit.cli import console
from tacit.data.errors import counted
from tacit.workflow.events import DataRead, Event, Noted, Observer, RowsSplit, TargetSelected


def show(event: Event) -> None:
    """Print what was read and what is worth knowing; fits that run are shown by `tacit.cli.progress`."""
    match event:
        case DataRead(rows):
            cli.show_data.show_rows(rows)
        case TargetSelected(rows):
            cli.show_data.show_target(rows)
        case RowsSplit(fitted, kept, what):
            text = f"{counted(fitted, what)} to learn from, {kept:,} kept aside to test the model on."
            console.say(text, indent=1)
        case Noted(text):
            console.remark(text)


TOLD = Observer(show)
"""Everything is told; nothing is stopped."""
