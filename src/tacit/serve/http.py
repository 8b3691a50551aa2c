"""The service as an ASGI application: addresses, tokens, limits."""

import asyncio
import dataclasses
import hmac
import ipaddress
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tacit.serve.asked import OPTIONS
from tacit.serve.bodies import ARROW, JSON
from tacit.serve.counting import ServedCounts
from tacit.serve.describing import about_run, openapi
from tacit.serve.errors import HttpFault, fault_of
from tacit.serve.held import HeldRun, Shelf
from tacit.serve.work import Call, answered

MOST_BODIES = 8
"""Largest bodies that are held in memory at once, or as many bytes of smaller ones."""


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """What one request may take.

    Attributes:
        body: bytes.
        rows: sent or asked for.
        seconds: from its first byte to the answer.
        threads: that work at once.
        waiting: requests that may wait for a thread.
    """

    body: int = 16 * 1024 * 1024
    rows: int = 100_000
    seconds: float = 30.0
    threads: int = 4
    waiting: int = 64


def is_loopback(host: str) -> bool:
    """Whether an address or a name is of the own machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content, allow_nan=False, default=str), status, media_type=JSON)


def _refused(fault: HttpFault) -> Response:
    found = _json({"status": fault.status, "error": fault.reason}, fault.status)
    if fault.status == 401:
        found.headers["WWW-Authenticate"] = "Bearer"
    if fault.status == 503:
        found.headers["Retry-After"] = "1"
    return found


class Service:
    """Answers requests from the runs of a shelf.

    Args:
        shelf: the runs.
        limits: of every request.
        token: that is asked for; None asks for none.
        local: whether only the own machine is to be served, by its own names.
    """

    def __init__(self, shelf: Shelf, limits: RequestLimits, token: str | None = None, *, local: bool = True) -> None:
        self.shelf, self.limits, self.counts = shelf, limits, ServedCounts()
        self._token = None if token is None else token.encode()
        self._local = local and token is None
        self._pool = ThreadPoolExecutor(limits.threads, "tacit-serve")
        self._work: set[Future[tuple[bytes, int]]] = set()
        self._held = 0

    def application(self) -> Starlette:
        """What uvicorn runs."""
        routes = [
            Route("/healthz", self._guarded("healthz", self._health), methods=["GET"]),
            Route("/", self._guarded("", self._list), methods=["GET"]),
            Route("/metrics", self._guarded("metrics", self._metrics), methods=["GET"]),
            Route("/openapi.json", self._guarded("openapi.json", self._openapi), methods=["GET"]),
            Route("/{run}", self._guarded("schema", self._about), methods=["GET"]),
            Route("/{run}/{what}", self._guarded("ask", self._ask), methods=["POST"]),
        ]
        found = Starlette(routes=routes, exception_handlers={HTTPException: self._other})
        found.router.redirect_slashes = False  # to where the header Host says
        return found

    @property
    def working(self) -> bool:
        """Whether something is still being computed, also for nobody any more."""
        return bool(self._work)

    def close(self) -> None:
        """Take no more work; what is being done goes on to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _guarded(
        self, path: str, answer: Callable[[Request], Awaitable[tuple[Response, int]]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            begun, rows = time.perf_counter(), 0
            run, asked = str(request.path_params.get("run", "")), str(request.path_params.get("what", path))
            try:
                if path != "healthz":
                    self._check_caller(request)
                response, rows = await answer(request)
            except ClientDisconnect:
                response = _refused(HttpFault(400, "the body ended early."))
            except Exception as error:
                response = _refused(fault_of(error))
            known = run if run in self.shelf else ""
            told = asked if path != "ask" or (known and asked in OPTIONS) else "unknown"
            self.counts.add(known, told, response.status_code, time.perf_counter() - begun, rows)
            return response

        return endpoint

    async def _other(self, request: Request, error: Exception) -> Response:
        """Of Starlette: no such address, or another method."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        self.counts.add("", "unknown", status, 0.0, 0)
        words = {404: "there is no such address; / lists the runs.", 405: "this address takes another method."}
        found = _refused(HttpFault(status, words.get(status, "the request was not understood.")))
        if isinstance(error, HTTPException) and error.headers:
            found.headers.update(error.headers)
        return found

    def _check_caller(self, request: Request) -> None:
        if self._local:
            host = request.headers.get("host", "")
            name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
            if name and not is_loopback(name):
                raise HttpFault(403, "this server answers to its own machine; give it a token to serve others.")
        if self._token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        if scheme.lower() != "bearer" or not known:
            raise HttpFault(401, "the token is missing or wrong: Authorization: Bearer TOKEN.")

    async def _health(self, request: Request) -> tuple[Response, int]:
        return _json({"status": "ok", "runs": len(self.shelf.names)}), 0

    async def _list(self, request: Request) -> tuple[Response, int]:
        runs = [self.shelf[name] for name in self.shelf.names]
        told = [{"name": each.name, "model": each.opened.model, "can": list(each.can)} for each in runs]
        return _json({"runs": told}), 0

    async def _metrics(self, request: Request) -> tuple[Response, int]:
        text = self.counts.text(self.shelf.reloads)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4"), 0

    async def _openapi(self, request: Request) -> tuple[Response, int]:
        runs = [self.shelf[name] for name in self.shelf.names]
        return _json(openapi(runs, token=self._token is not None)), 0

    async def _about(self, request: Request) -> tuple[Response, int]:
        return _json(about_run(self._run(request))), 0

    def _run(self, request: Request) -> HeldRun:
        name = request.path_params["run"]
        if name not in self.shelf:
            raise HttpFault(404, "there is no such run; / lists them.")
        return self.shelf[name]

    async def _ask(self, request: Request) -> tuple[Response, int]:
        held, what = self._run(request), request.path_params["what"]
        if what not in held.can:
            raise HttpFault(404, f"{held.name} cannot be asked for {what[:40]!r}; it can {', '.join(held.can)}.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpFault(415, "send the body as it is, without a content encoding.")
        answer = _wanted(request.headers.get("accept", ""), kind)
        try:
            async with asyncio.timeout(self.limits.seconds):
                content = await self._body(request)
                call = Call(what, content, kind, dict(request.query_params), answer, self.limits.rows)
                body, rows = await self._worked(held.name, call)
        except TimeoutError:
            raise HttpFault(408, f"it took longer than {self.limits.seconds:g} seconds: send fewer rows.") from None
        return Response(body, media_type=answer), rows

    async def _body(self, request: Request) -> bytes:
        said = request.headers.get("content-length", "")
        too_large = HttpFault(413, f"the body is larger than {self.limits.body} bytes: send the rows in parts.")
        if said.isdigit() and (len(said) > 15 or int(said) > self.limits.body):
            raise too_large
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                self._held += len(part)
                if size > self.limits.body:
                    raise too_large
                if self._held > MOST_BODIES * self.limits.body:
                    raise HttpFault(503, "too much is being sent at once: try again.")
                parts.append(part)
            return b"".join(parts)
        except BaseException:
            self._held -= size
            raise

    async def _worked(self, name: str, call: Call) -> tuple[bytes, int]:
        """Work in a thread; who waits too long is answered, and the thread is free again when its work is done."""

        def work() -> tuple[bytes, int]:
            self.shelf.refresh(name)
            return answered(self.shelf[name], call)

        try:
            if len(self._work) >= self.limits.threads + self.limits.waiting:
                raise HttpFault(503, "too much is being asked at once: try again.")
            future = self._pool.submit(work)
            self._work.add(future)
            future.add_done_callback(self._work.discard)
            return await asyncio.wrap_future(future)
        finally:
            self._held -= len(call.content)


def _wanted(accept: str, kind: str) -> str:
    """The media type of the answer: as it is asked for, else that of the request."""
    accepted = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    if ARROW in accepted:
        return ARROW
    if JSON in accepted:
        return JSON
    return ARROW if kind == ARROW else JSON
