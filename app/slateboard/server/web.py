"""The address that the server listens on, and Uvicorn behind it.

The socket is bound by us, before anything else is started, so that a port in use costs nothing and port 0 is known.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import uvicorn

from slateboard.protocol.errors import ServerProblem
from slateboard.server.sockets import MAX_MESSAGE_BYTES, LiveSocket

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_SECONDS = 10
"""How long requests in progress may take to end when the server stops."""
KEEP_ALIVE_SECONDS = 30
BACKLOG = 512
MAX_CONNECTIONS = 1_000


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address; `ServerProblem` if it is in use, not ours, or not to be found."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        message = f"SLATE_HOST={host} cannot be used: {error.strerror or error}"
        raise ServerProblem(message, remedy="give an address of this machine") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        message = f"{host}:{port} cannot be bound: {error.strerror or error}"
        raise ServerProblem(message, remedy="choose another SLATE_PORT (0 takes a free one) or SLATE_HOST") from error
    return listening


def address(listening: socket.socket) -> str:
    """The URL at which this machine reaches a bound socket."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if listening.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


class Web(uvicorn.Server):
    """Uvicorn, with our signals instead of its own: its own would end the process before Postgres is stopped."""

    def __init__(self, application: FastAPI, answering: Callable[[], None], *, debug: bool) -> None:
        logging.getLogger("uvicorn").setLevel(logging.DEBUG if debug else logging.WARNING)
        config = uvicorn.Config(
            application,
            loop="none",
            http="h11",
            ws=LiveSocket,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=debug,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._answering = answering

    def stop(self) -> None:
        """Stop after the requests in progress; asked a second time, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._answering()
