"""The bounds of one request: how large its body may be, and how long it may take to arrive.

A body is read whole before a route sees it, and only after the credential was found good, so a stranger can neither
fill the memory nor hold a connection by sending slowly.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from slateboard.interfaces.http.problems import problem
from slateboard.protocol.errors import Invalid, SlateError, TooLarge

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 8 << 20
"""Larger than any call needs: content is at most 1 MiB, and what is posted can be sent in parts."""
BODY_SECONDS = 30.0


class BodyLimit:
    """The layer that reads the body."""

    def __init__(self, app: ASGIApp, limit_bytes: int = MAX_BODY_BYTES, seconds: float = BODY_SECONDS) -> None:
        self.app = app
        self.limit_bytes = limit_bytes
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
        except SlateError as error:
            await problem(error, scope["path"])(scope, receive, send)
            return
        if body is None:
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The body; None if the client went away. Raises `TooLarge`, and `Invalid` if it does not arrive in time."""
        said = headers.get("content-length", "0")
        if not said.isascii() or not said.isdigit():
            raise Invalid("the request's Content-Length is no number", remedy="leave it to an HTTP library")
        self._check(int(said))
        parts = bytearray()
        try:
            async with asyncio.timeout(self.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts += message.get("body", b"")
                    self._check(len(parts))
                    if not message.get("more_body", False):
                        return bytes(parts)
        except TimeoutError as error:
            late = f"the request's body did not arrive within {self.seconds:.0f} s"
            raise Invalid(late, remedy="send it again") from error

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self.limit_bytes:
            raise TooLarge(
                f"the request's body is larger than {self.limit_bytes:,} bytes",
                remedy="send it in parts, and large content as a file with its path",
                limit_bytes=self.limit_bytes,
            )
