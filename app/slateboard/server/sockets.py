# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""WebSocket connections: how many there may be, and what becomes of one whose other end does not read.

Uvicorn waits for ever until a connection can be written to. Here it can be given last words, which pass by all that
waits, and whoever does not take them within 30 s, or within 2 s when the server stops, is cut off.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from slateboard.interfaces.graphql.live import CUT

MAX_SOCKETS = 500
"""Of one server process; what is more is answered with HTTP 503."""
MAX_MESSAGE_BYTES = 2 << 20
LAST_WORDS_SECONDS = 30.0
STOP_SECONDS = 2.0


class LiveSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def handle_connect(self, event: Request) -> None:
        """Take the connection if there is room for it."""
        if sum(isinstance(one, LiveSocket) for one in self.connections) > MAX_SOCKETS:
            self._refuse()
            return
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            state: dict[str, Any] = self.scope.setdefault("state", {})
            state[CUT] = self.cut

    def cut(self, texts: list[str], code: int, reason: str) -> None:
        """Write these messages behind what was written before, and close, whether the other end reads or not."""
        if self.close_sent or self.transport.is_closing():
            return
        for text in texts:
            self.conn.send_text(text.encode())
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._end_within(LAST_WORDS_SECONDS)

    def keepalive_timeout(self) -> None:
        """Nobody answers."""
        super().keepalive_timeout()
        self._end_within(LAST_WORDS_SECONDS)

    def shutdown(self) -> None:
        """The server stops."""
        super().shutdown()
        self.loop.call_later(STOP_SECONDS, self.transport.abort)

    def _end_within(self, seconds: float) -> None:
        self.transport.close()
        self.loop.call_later(seconds, self.transport.abort)

    def _refuse(self) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.conn.send_response(self.conn.reject(503, f"this server has {MAX_SOCKETS} live connections; try later\n"))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
