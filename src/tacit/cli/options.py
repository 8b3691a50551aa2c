"""The arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.guarding import Guarding

DATA_HELP = (
    "CSV (.gz too), Parquet, Arrow, JSON lines, .xlsx, .xls, .ods, .npy, .npz (file.npz:name for one array), or - for "
    "standard input; several files, a folder or a pattern ('sales-*.csv') are one table; images: an .npz or .npy of "
    "them, or a folder of PNG or JPEG files; documents: a column of texts, a folder of .txt files, or a bag of words "
    "(LDA-C, UCI, MatrixMarket, sparse .npz)."
)

Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)]
ManyData = Annotated[list[str], typer.Argument(metavar="DATA…", help=DATA_HELP, show_default=False)]
MaybeData = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DATA…]", help=f"The table again, if it moved: {DATA_HELP}", show_default=False),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `tacit fit` made.", show_default=False)]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COL=KIND",
        help="What a column is: continuous, positive, count, binary, categorical, ordinal (of texts with "
        "their order: 'size=ordinal:small<large'); or drop, identifier, date to leave it out. Again for more.",
        show_default=False,
    ),
]
Long = Annotated[
    str | None,
    typer.Option(
        metavar="COLS",
        help="DATA is a purchase log, to be added up into counts; name its columns: customer,item,quantity. With "
        "customer,item,quantity,date,price: how lately, how often and for how much each customer bought.",
        show_default=False,
    ),
]
IdColumn = Annotated[
    str | None, typer.Option("--id", metavar="COL", help="The column that names the rows.", show_default=False)
]
Errors = Annotated[
    list[str] | None,
    typer.Option(
        "--error",
        metavar="COL=ERR",
        help="Column ERR holds the standard deviation of the measurement error of each value of COL. Again for more.",
        show_default=False,
    ),
]
Sequence = Annotated[
    str | None,
    typer.Option(
        "--sequence",
        metavar="ID,TIME",
        help="Rows follow one another: the columns that say of which sequence a row is, and when it was seen. ID alone "
        "where rows stand in order; ,TIME where all are one sequence.",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COL",
        help="The column to be predicted from the others: classes or a number.",
        show_default=False,
    ),
]
Text = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="COL",
        help="The column of texts, to find topics in.",
        rich_help_panel="Texts",
        show_default=False,
    ),
]
VocabularyFile = Annotated[
    str | None,
    typer.Option(
        "--vocabulary",
        metavar="FILE",
        help="The words of a bag of words, one a line; else a file beside DATA.",
        rich_help_panel="Texts",
        show_default=False,
    ),
]
StopWords = Annotated[
    str | None,
    typer.Option(
        "--stop-words",
        metavar="WORDS",
        help="Words that do not count: english (as if nothing is said), none, or a file with one a line.",
        rich_help_panel="Texts",
        show_default=False,
    ),
]
MinDocuments = Annotated[
    int | None,
    typer.Option(
        "--min-documents",
        metavar="N",
        help="Leave out words in fewer documents; 2 if nothing is said.",
        rich_help_panel="Texts",
        show_default=False,
    ),
]
MaxShare = Annotated[
    float | None,
    typer.Option(
        "--max-share",
        metavar="SHARE",
        help="Leave out words in more than this share of the documents; 0.5 if nothing is said.",
        rich_help_panel="Texts",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting of the model, such as components=3, components=2-6 or covariance=VVE. Again for more.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="What everything random depends on.")]
Unseen = Annotated[
    bool,
    typer.Option("--unseen-as-missing", help="Take levels that the model has never met for missing values."),
]
Guard = Annotated[
    bool | None,
    typer.Option(
        "--guard/--no-guard",
        callback=Guarding.choose,
        help="In CSV, put ' before texts that a spreadsheet would run as formulas (=, +, -, @); on where a person sits "
        "at a terminal, off in pipes and scripts.",
        show_default=False,
    ),
]
Exact = Annotated[
    bool,
    typer.Option(
        "--exact",
        help="Give numbers as the model has them, not with the decimals and within the range of the table.",
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Write all rows here: .csv, .csv.gz, .parquet, .arrow or .json.", show_default=False
    ),
]
OutOrImages = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Write all rows here: .csv, .csv.gz, .parquet, .arrow or .json; images as a .png picture, .npz or .npy.",
        show_default=False,
    ),
]
OutImages = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The picture, .png; or the numbers, .npz or .npy.", show_default=False),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORM",
        help="table, csv, json (an object a line), parquet or arrow; else a table on a terminal, CSV in a pipe.",
        show_default=False,
    ),
]


def places(data: list[str]) -> str:
    """What is typed for DATA as one source: several places stand one a line."""
    return "\n".join(data)
