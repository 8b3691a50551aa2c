"""A server from its settings to its end: the port that was asked for, and no other."""

import dataclasses
import socket
from collections.abc import Callable, Sequence

import uvicorn

from tacit.serve.connections import EndingServer, WatchedConnection
from tacit.serve.held import Shelf, named
from tacit.serve.http import RequestLimits, Service, is_loopback
from tacit.workflow.errors import RequestError

QUIET_SECONDS = 10
"""How long a connection may stay open with no request made, and with nothing read of an answer."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How runs are served.

    Attributes:
        host, port: where; port 0 takes a free one.
        token: that callers show; None asks for none.
        no_token: whether others than the own machine are served without one.
        limits: of every request.
        grace: seconds that requests have to end when the server is stopped.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    no_token: bool = False
    limits: RequestLimits = dataclasses.field(default_factory=RequestLimits)
    grace: float = 10.0


def check(settings: Settings) -> None:
    """Refuse what is not safe, or goes not together."""
    if settings.token is not None and (len(settings.token) < 8 or not settings.token.isascii()):
        raise RequestError("a token has at least 8 signs of ASCII; openssl rand -hex 24 makes a good one.")
    if settings.token is not None and settings.no_token:
        raise RequestError("--token and --no-token: say one of them.")
    if settings.token is None and not settings.no_token and not is_loopback(settings.host):
        raise RequestError(
            f"{settings.host} can be reached from other machines: give a token (--token, or TACIT_TOKEN in the "
            "environment), or say --no-token."
        )


class Server:
    """Runs that are loaded, and a port that is bound; `run` serves until it is stopped.

    Raises:
        RequestError: the settings are not safe, or the port cannot be had.
        ModelFileError: a run cannot be served.
    """

    def __init__(self, places: Sequence[str], settings: Settings) -> None:
        check(settings)
        self._settings = settings
        local = is_loopback(settings.host) and not settings.no_token
        self.service = Service(Shelf(named(places)), settings.limits, settings.token, local=local)
        self._socket = _bound(settings.host, settings.port)
        config = uvicorn.Config(
            self.service.application(),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            loop="asyncio",
            http=WatchedConnection,
            timeout_keep_alive=QUIET_SECONDS,
            timeout_graceful_shutdown=max(1, round(settings.grace)),
        )
        self._server = EndingServer(config)

    @property
    def address(self) -> str:
        """Where it answers."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def port(self) -> int:
        """That is bound."""
        return int(self._socket.getsockname()[1])

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until Ctrl-C, SIGTERM or `stop`; requests that are being answered have some seconds to end."""
        if ready is not None:
            ready()
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:
            pass
        finally:
            self._socket.close()
            self.service.close()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._server.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    host = host.strip("[]")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.create_server((host, port), family=family, backlog=256)
        # head and body of an answer are two packets: the second must not wait until the first was acknowledged
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found
    except (OSError, OverflowError, UnicodeError) as error:
        raise RequestError(f"cannot listen on {host} port {port}: {error}. Another --port may be free.") from None
