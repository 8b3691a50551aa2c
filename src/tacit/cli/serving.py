"""Serving of runs: what is said while a server runs."""

import os
import sys
from collections.abc import Sequence

from tacit import serve as service
from tacit.cli import console
from tacit.workflow.errors import RequestError

NEEDED = ("starlette", "uvicorn", "anyio", "h11")


def serve(
    runs: Sequence[str],
    host: str,
    port: int,
    token: str | None,
    no_token: bool,
    max_body: int,
    max_rows: int,
    timeout: float,
    threads: int | None,
) -> None:
    """Serve runs until the program is stopped."""
    try:
        running, http = service.running, service.http
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in NEEDED:
            raise
        raise RequestError("tacit serve needs Starlette and uvicorn: pip install 'tacit[serve]'.") from None
    limits = http.RequestLimits(max_body * 1024 * 1024, max_rows, timeout, threads or max(2, os.cpu_count() or 1))
    settings = running.Settings(host, port, token, no_token, limits)
    server = running.Server(runs, settings)

    def ready() -> None:
        console.remark(f"Serving {', '.join(server.service.shelf.names)} at {server.address} (Ctrl-C stops).")

    server.run(ready)
    console.remark("Stopped.")
    if server.service.working:  # for nobody any more: the end of the interpreter would wait for it, however long it is
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
