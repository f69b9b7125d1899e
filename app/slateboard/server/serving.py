"""One server from its first moment to its last: bind, prepare the database, serve, stop, in that order.

The address is bound before anything is started, so that a port in use costs nothing. Whatever happens after the
embedded Postgres was started, it is stopped or, if it ran before, left as it was found. A server that is killed
leaves it running, and the next one adopts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.interfaces import operations
from slateboard.protocol.errors import Conflict, DuplicateName, NotAuthenticated, ServerProblem, UnknownName
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM, Right
from slateboard.server import app, home, leader, schema, supervision
from slateboard.server.composition import Server, composed
from slateboard.server.web import Web, address, bind, is_loopback
from slateboard.store import place
from slateboard.store.embedded import Embedded, read_run_file
from slateboard.transaction import board_named

if TYPE_CHECKING:
    from slateboard.settings import Settings

log = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 5.0
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What is told when the server answers; `database` is `embedded` or `external`."""

    url: str
    graphql_url: str
    token_file: str
    board: str
    pid: int
    database: str


Ready = Callable[[Serving], None]


def serve(
    settings: Settings,
    *,
    progress: Callable[[str], None],
    ready: Ready,
    keep_postgres: bool = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; `ready` is called once it answers. Blocks.

    Raises `Conflict` if a server runs in this home, `ServerProblem` if the address cannot be bound, and what the
    embedded Postgres, the migrations and the database raise.
    """
    logging.basicConfig(level=settings.log_level.upper(), format=LOG_FORMAT)
    if settings.log_level != "debug":
        logging.getLogger("alembic").setLevel(logging.WARNING)
    home.make(settings.home)
    home.refuse_second(settings.home)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the server has handlers of its own
    with contextlib.closing(bind(settings.host, settings.port)) as listening:
        if not is_loopback(listening):
            progress(f"warning: {settings.host} is reachable from the network; put TLS in front of it")
        if settings.database_url is not None:
            _serve_on_external(settings, settings.database_url, listening, progress, ready)
        else:
            _serve_on_embedded(settings, listening, progress, ready, keep_postgres=keep_postgres)


def _serve_on_external(
    settings: Settings,
    url: str,
    listening: socket.socket,
    progress: Callable[[str], None],
    ready: Ready,
) -> None:
    lock = place.HomeLock(settings.home)
    with _explained(settings):
        lock.acquire(wait_seconds=LOCK_WAIT_SECONDS)
    try:
        schema.prepare(url, progress)
        _Program(settings, app_url=url, owner_url=url, listening=listening, ready=ready).run()
    finally:
        home.remove(settings.home)
        lock.release()


def _serve_on_embedded(
    settings: Settings,
    listening: socket.socket,
    progress: Callable[[str], None],
    ready: Ready,
    *,
    keep_postgres: bool,
) -> None:
    embedded = Embedded(settings.home)
    ran_before = read_run_file(settings.home) is not None
    with _explained(settings):
        run = embedded.start(progress, wait_seconds=LOCK_WAIT_SECONDS)
    program = _Program(
        settings,
        app_url=run.app_url,
        owner_url=run.owner_url,
        listening=listening,
        ready=ready,
        supervise=lambda: supervision.keep_running(run, lambda: embedded.start(progress)),
    )
    try:
        schema.prepare(run.owner_url, progress)
        program.run()
    finally:
        if keep_postgres or (ran_before and not program.served):
            embedded.detach()
        else:
            progress("stopping Postgres")
            embedded.stop()
        home.remove(settings.home)


@contextlib.contextmanager
def _explained(settings: Settings) -> Generator[None]:
    """Say which server it is that holds the home, if one does."""
    try:
        yield
    except ServerProblem as error:
        if "pid" not in error.details:
            raise
        home.refuse_second(settings.home)
        raise Conflict(error.message, remedy=error.remedy, **error.details) from error


class _Program:
    """What runs in the event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        app_url: str,
        owner_url: str,
        listening: socket.socket,
        ready: Ready,
        supervise: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.served = False
        self._settings = settings
        self._app_url = app_url
        self._owner_url = owner_url
        self._listening = listening
        self._ready = ready
        self._supervise = supervise

    def run(self) -> None:
        """Serve until a signal asks to stop."""
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        settings = self._settings
        async with composed(settings, app_url=self._app_url, owner_url=self._owner_url) as server:
            await make_board(server)
            await keep_token(server)
            await bury(server)
            web = Web(app.build(server), lambda: self._answering(server), debug=settings.log_level == "debug")
            loop = asyncio.get_running_loop()
            for signal_number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(signal_number, web.stop)
            supervised = asyncio.create_task(self._supervise(), name="supervision") if self._supervise else None
            try:
                await web.serve(sockets=[self._listening])
            finally:
                if supervised is not None:
                    supervised.cancel()
                    await asyncio.wait([supervised])

    def _answering(self, server: Server) -> None:
        settings = self._settings
        url = address(self._listening)
        embedded = settings.database_url is None
        file = home.write(
            settings.home,
            url=url,
            version=version("slateboard"),
            holder=server.leadership.holder,
            embedded=embedded,
        )
        self.served = True
        self._ready(
            Serving(
                url=url,
                graphql_url=f"{url}/graphql",
                token_file=str(settings.home / home.TOKEN_FILE),
                board=settings.board,
                pid=file.pid,
                database="embedded" if embedded else "external",
            )
        )


async def make_board(server: Server) -> None:
    """Make the board that is meant where none is named, if it is missing."""
    name = server.settings.board
    async with server.database.acquire() as connection:
        try:
            await board_named(connection, name)
        except UnknownName:
            pass
        else:
            return
    with contextlib.suppress(DuplicateName):  # another server was faster
        await operations.perform(server.database, SYSTEM, BoardId(0), "create_board", {"name": name}, wake=server.wake)


async def keep_token(server: Server) -> None:
    """See that the home holds a good token of the administrator's: the one that is there, else a new one."""
    kept = home.read_token(server.settings.home)
    async with server.database.acquire() as connection:
        if kept is not None:
            try:
                if (await agents.authenticate(connection, kept)).right is Right.ADMIN:
                    return
            except NotAuthenticated:
                log.info("the administrator's token in %s is no longer good; it is replaced", home.TOKEN_FILE)
        home.write_token(server.settings.home, await agents.administrator_token(connection))


async def bury(server: Server) -> None:
    """End the lease of this home's last server if it was killed, so that nobody waits 3 s for a dead leader."""
    dead = home.read_dead(server.settings.home)
    if dead is not None:
        async with server.database.acquire() as connection:
            await leader.resign(connection, holder=dead.holder)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
