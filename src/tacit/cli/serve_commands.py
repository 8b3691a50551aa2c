"""The command that puts runs behind HTTP: ``serve``."""

import os
from typing import Annotated

import typer

from tacit import cli
from tacit.cli.failures import guarded


@guarded
def serve(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN…", help="Folders that `tacit fit` made; NAME=RUN gives one another name.", show_default=False
        ),
    ],
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others than the own machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 takes a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="That callers show (Authorization: Bearer TEXT); better in the environment, as TACIT_TOKEN.",
            show_default=False,
        ),
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Ask for none, also on other addresses.")] = False,
    max_body: Annotated[int, typer.Option(min=1, metavar="MIB", help="Largest body of a request.")] = 16,
    max_rows: Annotated[int, typer.Option(min=1, metavar="N", help="Most rows of a request.")] = 100_000,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Longest time of a request.")] = 30.0,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Requests answered at once.", show_default=False)
    ] = None,
) -> None:
    """Answer over HTTP: POST rows as JSON or Arrow to /RUN/score, assign, predict, impute, sample or query.

    GET / lists the runs, /RUN says what one takes, /openapi.json all of it; /healthz and /metrics are for machines. A
    run that is fitted again into its folder is loaded anew while the server runs. It needs `pip install tacit[serve]`.

    For example: tacit serve customers-tacit --port 8000
    """
    asked = os.environ.get("TACIT_TOKEN") or None if token is None and not no_token else token
    cli.serving.serve(runs, host, port, asked, no_token, max_body, max_rows, timeout, threads)
