"""``tacit demo``: an embedded table from end to end, and a look at what nobody had told the model."""

from pathlib import Path

import numpy as np

from tacit import datasets, workflow
from tacit.cli import console
from tacit.cli.fitting import fit
from tacit.data.errors import counted
from tacit.data.read import read
from tacit.report.sentences import listed, percent
from tacit.storage.run import REPORT
from tacit.workflow.requests import FitRequest
from tacit.workflow.sources import DataSource

TRIED = "components=1-8"
ASIDE = "species"
"""What the model is not told."""


def demo(out: Path) -> None:
    """Fit the penguins without their species, then set the groups beside the species."""
    path = str(datasets.path("penguins"))
    console.say(
        "The table: 344 penguins of Palmer Station, Antarctica. Their species is left out, to see what is found."
    )
    done = fit(
        FitRequest(
            source=DataSource(path, (f"{ASIDE}=drop", "year=drop")),
            settings=(TRIED,),
            out=out,
            overwrite=True,
            command=("tacit", "demo", "--out", str(out)),
        )
    )
    species = np.asarray(read(path).table.column(ASIDE).to_pylist())
    group = done.estimator.predict(workflow.feeding.feed(done.estimator, done.rows.data, done.rows.schema))
    console.heading("What nobody had told it")
    for number in range(int(group.max()) + 1):
        inside = species[group == number]
        names, counts = np.unique(inside, return_counts=True)
        order = np.argsort(-counts)
        said = listed([f"{counts[i]} {names[i]}" for i in order])
        console.bullet(f"Group {number + 1}, {counted(len(inside), 'penguin')}: {said}")
    agreed = sum(np.unique(species[group == k], return_counts=True)[1].max() for k in np.unique(group))
    console.say(f"{percent(agreed / len(species))} of the penguins are of their group's main species.", indent=1)
    console.say("")
    console.fact("Report", done.run.path / REPORT)
