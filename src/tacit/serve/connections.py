"""Connections that nobody waits for without end: of clients that say nothing, speak slowly, or do not read.

uvicorn waits for the head of a request, and for an answer to be read, as long as the connection stands: a client could
hold a connection and a whole answer for ever, and the server would not end before it.
"""

import asyncio
import math
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol


class WatchedConnection(H11Protocol):
    """A connection that is looked at every ``timeout_keep_alive`` seconds, and cut where nothing has gone on.

    Bodies and work have limits of their own, so a connection whose request is being answered is left alone.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first look comes when a request should have been made."""
        super().connection_made(transport)
        self._last: tuple[object, bool] = (None, False)
        self._unread = math.inf
        self._timer = self.loop.call_later(self.timeout_keep_alive, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to be looked at."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Cut it if no request was made, or nothing was read, since the last look."""
        now = (self.cycle, self.cycle is not None and not self.cycle.response_complete)
        unread = self.transport.get_write_buffer_size()
        if unread >= self._unread or (not unread and now == self._last and not now[1]):
            self.transport.abort()
            return
        self._last, self._unread = now, unread or math.inf
        self._timer = self.loop.call_later(self.timeout_keep_alive, self._look)


class EndingServer(uvicorn.Server):
    """A server whose end waits for the grace that requests have, and no longer."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut the connections that are left after it: tasks that were given up would wait for them to be read."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
