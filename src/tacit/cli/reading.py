"""The options about how a table is written: the same for every command that reads one."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from tacit.data.reading import ReadingOptions
from tacit.workflow.errors import RequestError

PANEL = "How the table is written (else found out, or as at the fit)"

Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="SIGN",
        help="What stands between cells: a character, or tab, comma, semicolon, bar, blank.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(metavar="SIGN", help="Before decimals: . or ,", rich_help_panel=PANEL, show_default=False),
]
Thousands = Annotated[
    str | None,
    typer.Option(
        metavar="SIGN",
        help="Between thousands: , or . or blank, apostrophe, none.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Of the text, such as latin-1 or utf-16.", rich_help_panel=PANEL, show_default=False
    ),
]
Header = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="The line of the file that names the columns, from 1.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help="No line names the columns: the first is a row.", rich_help_panel=PANEL)
]
SkipRows = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Lines at the top of the file to be passed over.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="Cells that count as missing, beside the usual ones, such as 999. Again for more.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Of a workbook: the sheet, by name or number.", rich_help_panel=PANEL, show_default=False
    ),
]
KeepTotals = Annotated[
    bool | None,
    typer.Option(
        "--keep-totals/--no-keep-totals",
        help="Keep a row of totals below the table, or leave it out.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Dates = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="What dates become: parts (days gone by, month, weekday, part of the day; as if nothing is said), days "
        "or drop. A run keeps it.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Returns = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="Of a purchase log, quantities below 0: drop the lines (as if nothing is said), or net (take them off "
        "what was bought).",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


def _options(
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    header: Header = None,
    no_header: NoHeader = False,
    skip_rows: SkipRows = 0,
    missing: Missing = None,
    sheet: Sheet = None,
    keep_totals: KeepTotals = None,
    dates: Dates = None,
    returns: Returns = None,
) -> ReadingOptions:
    """What the options say; raises `DataError` for what cannot be meant."""
    if no_header and header is not None:
        raise RequestError("--header names a line and --no-header says that there is none; say one of them.")
    return ReadingOptions.of(
        missing,
        delimiter=delimiter,
        decimal=decimal,
        thousands=thousands,
        encoding=encoding,
        header=0 if no_header else header,
        skip_rows=skip_rows,
        sheet=sheet,
        keep_totals=keep_totals,
        dates=dates,
        returns=returns,
    )


def reads_a_table(command: Callable[..., None]) -> Callable[..., None]:
    """A command with a parameter ``reading``, in whose place it gets the options of this module.

    ``--returns`` is offered where the command takes purchase logs.
    """
    return _with(command, first=True)


def reads_new_rows(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that reads rows for a run, which has settled what dates become."""
    return _with(command, first=False)


def _with(command: Callable[..., None], *, first: bool) -> Callable[..., None]:
    signature = inspect.signature(command)
    own = [each for each in signature.parameters.values() if each.name != "reading"]
    unfit = {"returns"} - {"returns" for each in own if each.name == "long"} | (set() if first else {"dates"})
    added = [each for each in inspect.signature(_options).parameters.values() if each.name not in unfit]
    names = {each.name for each in added}

    @functools.wraps(command)
    def with_options(*args: Any, **given: Any) -> None:
        said = {name: given.pop(name) for name in list(given) if name in names}
        command(*args, **given, reading=_options(**said))

    with_options.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return with_options
