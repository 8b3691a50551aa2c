"""``tacit models`` on the terminal."""

import pyarrow as pa

from tacit import workflow
from tacit.cli import console, results
from tacit.workflow.answers import TableAnswer


def models(out: str | None, form: str | None) -> None:
    """Give the models: name, what each is, what it can do, what can be set."""
    results.check(out, form)
    lines = workflow.listing.models()
    if not results.is_drawn(out, form):
        rows = [
            {
                "model": line.name,
                "class": line.class_name,
                "about": line.about,
                "can": ", ".join(line.can),
                "settings": ", ".join(line.settings),
            }
            for line in lines
        ]
        results.give(TableAnswer(pa.Table.from_pylist(rows), "model"), out, form)
        return
    for line in lines:
        console.heading(line.name)
        console.say(line.about, indent=1)
        console.say(f"Can: {', '.join(line.can)}.", "dim", indent=1)
        console.say(f"Settings: {', '.join(line.settings)}.", "dim", indent=1)
    console.say("")
    console.say("Use one with --model NAME, and its settings with --set KEY=VALUE.")
