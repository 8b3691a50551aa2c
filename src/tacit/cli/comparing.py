"""``tacit compare`` on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from tacit import cli, workflow
from tacit.cli import console, results
from tacit.cli.observing import TOLD
from tacit.data.errors import counted
from tacit.plots.style import alike, short_number
from tacit.workflow.answers import TableAnswer
from tacit.workflow.comparing import CompareRequest, Contest
from tacit.workflow.events import SILENT

PLAIN_BEST = ("best", "stacked-density")
"""What a sum of densities is called: it is recommended where it wins by more than its error."""


def compare(request: CompareRequest, out: str | None, form: str | None) -> None:
    """Cross-validate models on one table, and give how each did."""
    results.check(out, form)
    drawn = results.is_drawn(out, form)
    contest = workflow.comparing.prepare(request, TOLD if drawn else SILENT)
    with cli.progress.watched("Comparing") as observer:
        found = workflow.comparing.run(contest, observer)
    if drawn:
        _draw(found.table.to_pylist(), request.folds, len(contest.rows), contest.rows.what)
        _more(contest, found.best, str(request.source.path))
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


def _more(contest: Contest, best: str, path: str) -> None:
    """What was left out, for it takes long; and how to fit the best."""
    if contest.left_out:
        names = ",".join((best, *contest.left_out))
        console.say(
            f"Left out unless they are asked for, since each fold takes a minute or more: "
            f"{', '.join(contest.left_out)}. To put them beside the best of these: "
            f"tacit compare {path} --models {names}",
            indent=1,
        )
        if PLAIN_BEST[1] in contest.left_out:
            console.say(
                f"{PLAIN_BEST[1]} adds a flow to a mixture, and of measurements is often better than either: "
                f"tacit fit {path} --model best fits it without a comparison.",
                indent=1,
            )
    elif best in PLAIN_BEST:
        console.say(f"To fit it: tacit fit {path} --model best", indent=1)


def _verdict(lines: Sequence[Mapping[str, Any]]) -> str:
    best, second = lines[0], lines[1]
    gap, error = -second["difference"], second["difference_error"]
    if error < gap <= 2 * error and best["model"] in PLAIN_BEST:
        return f"{best['model']} is ahead by more than its error, and is the one to take: it holds the others' best."
    if gap <= 2 * error:
        pair = f"{best['model']} and {second['model']}"
        return f"{pair} are not clearly apart: they differ by at most two standard errors."
    return f"{best['model']} is clearly ahead, by more than two standard errors."
