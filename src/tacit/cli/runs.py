"""``tacit show`` and ``tacit report``: what a run found, told again."""

from pathlib import Path

from tacit import workflow
from tacit.cli import console
from tacit.cli.observing import TOLD
from tacit.cli.show_data import LINES, in_words, show_rows
from tacit.cli.show_fit import show_choice, show_groups
from tacit.data.errors import counted
from tacit.data.images import holds_images, sized
from tacit.data.levels import show_level
from tacit.data.long import CountTable
from tacit.data.places import files_of
from tacit.data.reading import ReadingOptions
from tacit.data.schema import Schema
from tacit.data.table import Table
from tacit.report.sentences import percent
from tacit.storage.description import MODEL, describe
from tacit.workflow.sources import DataSource
from tacit.workflow.texts import wanted


def is_table(what: list[str]) -> bool:
    """Whether what is to be shown is a table (or images, or texts) and no run."""
    if len(what) != 1 or what[0] == "-" or ".npz:" in what[0]:
        return True
    place = Path(what[0]).expanduser()
    if not place.is_dir():
        return place.exists() or files_of(what[0]) is not None
    inside = {each.suffix.lower() for each in place.iterdir()}
    return not workflow.folders.is_run(place) and (
        bool(inside & {".txt"}) or holds_images(what[0]) or files_of(what[0]) is not None
    )


def show_table(source: DataSource) -> None:
    """Print how a table is read: columns and their kinds, what is left out, what was found out."""
    rows = source.load(corpus=wanted(source.path, source.text_options, None))
    show_rows(rows)
    read_as = rows.table.read_as if isinstance(rows.table, Table | CountTable) else None
    if read_as is not None:
        console.say("")
        console.say(f"Read as {in_words(read_as)}.", indent=1)


def show_network(path: Path) -> None:
    """Print the nodes of a network in a file, and what an exact answer costs."""
    network = workflow.network_files.described(path)
    console.heading(f"Network {path}")
    console.say(f"{counted(len(network.nodes), 'node')} and {counted(network.arrows, 'arrow')}.", indent=1)
    console.say("")
    console.table(["node", "levels", "depends on"], [each.cells() for each in network.nodes[:LINES]])
    if len(network.nodes) > LINES:
        console.say(f"and {len(network.nodes) - LINES} more.", indent=1)
    console.say("")
    console.say(f"An exact answer about one case takes {network.price}.", indent=1)
    for remark in network.remarks:
        console.bullet(remark)


def show(path: Path) -> None:
    """Print what a run found, from its files alone."""
    run = workflow.folders.open_run(path)
    told, written = run.metrics(), describe(run.path / MODEL)
    console.heading(f"Run {run.path}")
    version, image = written.versions.get("tacit", "?"), told.get("image")
    if image is not None:
        what = f"{counted(told['fitted_rows'], 'image')} of {sized(tuple(image))}"
    elif told.get("topics"):
        what = f"{counted(told['fitted_rows'], 'document')} and {counted(told['columns'], 'word')}"
    else:
        what = f"{counted(told['fitted_rows'], 'row')} and {counted(told['columns'], 'column')}"
    console.say(f"Fitted to {what} of {told['source']} by tacit {version}.", indent=1)
    if image is None and not told.get("topics"):
        _columns(run.schema())
    show_choice(told)
    show_groups(told)
    if told["interrupted"]:
        console.bullet("The fit was stopped by Ctrl-C: this is the best until then (go on with --resume).", "!")
    console.say("")
    console.fact("Files", ", ".join(run.files()))
    if run.config().command:
        console.fact("Made by", " ".join(run.config().command))


def _columns(schema: Schema) -> None:
    rows = []
    for column in schema.columns[:LINES]:
        levels = "" if column.levels is None else ", ".join(show_level(level) for level in column.levels[:8])
        more = "" if column.levels is None or len(column.levels) <= 8 else f" and {len(column.levels) - 8} more"
        rows.append((column.name, column.word, levels + more))
    console.say("")
    console.table(["column", "kind", "levels"], rows)
    if len(schema) > LINES:
        console.say(f"and {counted(len(schema) - LINES, 'column')} more", "dim", indent=1)


def rename(path: Path, pairs: list[str]) -> None:
    """Name groups, and list what they are called."""
    names = workflow.naming.rename(path, pairs, TOLD)
    told = workflow.folders.open_run(path).metrics()["groups"]
    rows = [(place + 1, name or "–", percent(told[place]["share"])) for place, name in enumerate(names)]
    console.table(["group", "name", "share"], rows, right=[0, 2])


def report(path: Path, data: str | None, out: str | None, reading: ReadingOptions) -> None:
    """Write the report of a run again; its table is read from where it was, or from where the user says."""
    console.fact("Report", workflow.runs.rewrite_report(path, data, out, reading))


def figures(path: Path, data: str | None, folder: Path, form: str, reading: ReadingOptions) -> None:
    """Write the figures of a run's report, a file each."""
    written = workflow.runs.write_figures(path, folder, form, data, reading)
    console.fact("Figures", f"{counted(len(written), 'figure')} in {folder}, and the report they are from")
