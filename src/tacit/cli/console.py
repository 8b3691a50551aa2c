"""What a person reads on the terminal: words wrapped to its width, small tables, never a control character."""

import re
import sys
import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_THOUSANDS = re.compile(r"(?<=\d)\u202f(?=\d{3})")
"""The thin blank between thousands, at which a terminal would break the line."""


def out() -> Console:
    """The console of results."""
    return Console(highlight=False, soft_wrap=False)


def aside() -> Console:
    """The console of remarks, warnings, errors and progress: standard error."""
    return Console(stderr=True, highlight=False)


def on_terminal() -> bool:
    """Whether results go to a person rather than to a file or another program."""
    return sys.stdout.isatty()


def clean(value: object) -> str:
    """Any text made safe to print: control characters and the like are shown as escapes."""
    text = _THOUSANDS.sub(",", str(value))
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def say(text: object, style: str = "", *, indent: int = 0, console: Console | None = None) -> None:
    """Print words, wrapped between words only; nothing in them is taken for markup."""
    console = console or out()
    _print(console, clean(text), style, " " * indent, " " * indent)


def _print(console: Console, text: str, style: str, first: str, rest: str) -> None:
    """Print wrapped words; a word that is longer than the line, such as a path, stays whole."""
    wrapped = textwrap.fill(
        text,
        width=console.width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(Text(wrapped, style=style), soft_wrap=True)


def line(text: str, console: Console) -> None:
    """Print a line as it stands, never wrapped."""
    console.print(Text(f"  {clean(text)}"), soft_wrap=True)


def heading(text: str, console: Console | None = None) -> None:
    """A heading, with a blank line before it."""
    (console or out()).print(Text(f"\n{clean(text)}", style="bold"))


def remark(text: object) -> None:
    """A remark beside the result, on standard error."""
    say(text, "dim", console=aside())


def bullet(text: object, mark: str = "•", console: Console | None = None) -> None:
    """A line of a list, its further lines indented."""
    _print(console or out(), clean(text), "", f" {mark} ", "   ")


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[int] = (),
    strong: int | None = None,
    console: Console | None = None,
) -> None:
    """A small table.

    Args:
        heads: the headings.
        rows: its cells, made into text.
        right: the columns set flush right.
        strong: the number of a row to be set off.
        console: where to.
    """
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 1))
    for place, head in enumerate(heads):
        flush = place in right
        drawn.add_column(Text(clean(head)), justify="right" if flush else "left", overflow="fold", no_wrap=flush)
    for number, row in enumerate(rows):
        cells = [Text(clean(cell)) for cell in row]
        drawn.add_row(*cells, style="bold green" if number == strong else "")
    (console or out()).print(Padding(drawn, (0, 0, 0, 1), expand=False))


def fact(name: str, value: object, console: Console | None = None, width: int = 10) -> None:
    """A named line: ``Report     penguins-tacit/report.html``."""
    line = Text.assemble((f"{name:<{width}} ", "bold"), clean(value))
    (console or out()).print(line, soft_wrap=True)
