"""``tacit compare`` on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from tacit import cli, workflow
from tacit.cli import console, results
from tacit.cli.observing import TOLD
from tacit.data.errors import counted
from tacit.plots.style import alike, short_number
from tacit.workflow.answers import TableAnswer
from tacit.workflow.comparing import CompareRequest
from tacit.workflow.events import SILENT


def compare(request: CompareRequest, out: str | None, form: str | None) -> None:
    """Cross-validate models on one table, and give how each did."""
    results.check(out, form)
    drawn = results.is_drawn(out, form)
    contest = workflow.comparing.prepare(request, TOLD if drawn else SILENT)
    with cli.progress.watched("Comparing") as observer:
        found = workflow.comparing.run(contest, observer)
    if drawn:
        _draw(found.table.to_pylist(), request.folds, len(contest.rows), contest.rows.what)
    else:
        results.give(TableAnswer(found.table, "model"), out, form)


def _draw(lines: Sequence[Mapping[str, Any]], folds: int, rows: int, what: str) -> None:
    """The comparison for a person: best first, differences to the best."""
    console.heading(f"Held-out nats per {what}, {counted(folds, 'fold')} of {counted(rows, what)}; higher is better")
    held = alike([line["held_out"] for line in lines], 5)
    cells = []
    for place, (line, text) in enumerate(zip(lines, held, strict=True)):
        score = f"{text} ± {short_number(line['standard_error'], 2)}"
        gap, error = short_number(line["difference"], 3), short_number(line["difference_error"], 2)
        behind = f"{gap} ± {error}" if place else ""
        cells.append((line["model"], score, behind, f"{short_number(line['seconds'], 2)} s"))
    console.table(["model", "held-out", "to the best", "took"], cells, right=[1, 2, 3], strong=0)
    if len(lines) > 1:
        console.say(_verdict(lines), indent=1)


def _verdict(lines: Sequence[Mapping[str, Any]]) -> str:
    best, second = lines[0], lines[1]
    gap, error = -second["difference"], second["difference_error"]
    if gap <= 2 * error:
        pair = f"{best['model']} and {second['model']}"
        return f"{pair} are not clearly apart: they differ by at most two standard errors."
    return f"{best['model']} is clearly ahead, by more than two standard errors."
