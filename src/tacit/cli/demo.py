"""``tacit demo``: an embedded table from end to end, and a look at what nobody had told the model."""

from pathlib import Path

import numpy as np

from tacit import datasets
from tacit.cli import talk
from tacit.cli.feeding import feed
from tacit.cli.fitting import Request, fit
from tacit.cli.sources import Source
from tacit.data.errors import counted
from tacit.data.read import read
from tacit.report.words import listed, percent
from tacit.storage.run import REPORT

TRIED = "components=1-8"
ASIDE = "species"
"""What the model is not told."""


def demo(out: Path) -> None:
    """Fit the penguins without their species, then set the groups beside the species."""
    path = str(datasets.path("penguins"))
    talk.say("The table: 344 penguins of Palmer Station, Antarctica. Their species is left out, to see what is found.")
    done = fit(
        Request(
            source=Source(path, (f"{ASIDE}=drop", "year=drop")),
            settings=(TRIED,),
            out=out,
            overwrite=True,
            command=("tacit", "demo", "--out", str(out)),
        )
    )
    species = np.asarray(read(path).table.column(ASIDE).to_pylist())
    group = done.estimator.predict(feed(done.estimator, done.rows.values, done.rows.schema))
    talk.heading("What nobody had told it")
    for number in range(int(group.max()) + 1):
        inside = species[group == number]
        names, counts = np.unique(inside, return_counts=True)
        order = np.argsort(-counts)
        said = listed([f"{counts[i]} {names[i]}" for i in order])
        talk.bullet(f"Group {number + 1}, {counted(len(inside), 'penguin')}: {said}")
    agreed = sum(np.unique(species[group == k], return_counts=True)[1].max() for k in np.unique(group))
    talk.say(f"{percent(agreed / len(species))} of the penguins are of their group's main species.", indent=1)
    talk.say("")
    talk.fact("Report", done.run.path / REPORT)
