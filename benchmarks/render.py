"""The figures of the last run as a page of Markdown."""

from typing import Any

from benchmarks.frame import Row, figures, ratio, verdict

HEAD = """# Benchmarks: the figures of the last run

Written by `make bench` (`python -m benchmarks --write`); do not edit. Ours and the peer's figures of a row come from
the same run, in turns (ours, peer, ours, peer …): median (smallest–largest). The ratio is the median of the rounds'
ratios, peer ÷ ours, cut and not rounded, so above 1 ours is faster or smaller. The load is that of the last minute
before a part began: on a machine that does nothing else it is near 0, or near 1 or 2 from the part before it. A part
that was not run again keeps its figures and its date; the versions stand above it, and tacit may have changed since.
"""


def render(parts: dict[str, dict[str, Any]]) -> str:
    """The whole page; parts measured on other machines or versions say so by themselves."""
    pages, shown = [HEAD], ""
    for name, entry in parts.items():
        setting = "; ".join(f"{k} {v}" for k, v in (entry["machine"] | entry["versions"]).items())
        if setting != shown:
            pages.append(f"Measured with: {setting}.\n")
            shown = setting
        pages.append(_page(name, entry))
    return "\n".join(pages)


def _page(name: str, entry: dict[str, Any]) -> str:
    lines = [f"## {entry['title']}", "", entry["note"], ""]
    lines += ["| what | unit | ours | peer | ratio | asked |", "|---|---|---|---|---|---|"]
    rows = [Row(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}) for row in entry["rows"]]
    for row in rows:
        peer = f"{row.peer_name}: {figures(row.peer)}" if row.peer else ""
        cells = (row.what.strip(), row.unit, figures(row.ours), peer, ratio(row), verdict(row))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    notes = [f"- {row.what.strip()}: {row.note}" for row in rows if row.note]
    lines += ["", *notes, ""] if notes else [""]
    if entry["error"]:
        lines += [f"**This part did not come to its end:** {entry['error']}", ""]
    lines += [f"`{name}`, {entry['date']}, {entry['seconds']} s, load before {entry['load']}.", ""]
    return "\n".join(lines)
