"""The SDK's transport straight to Postgres: trusted, fast, without a server between.

A database URL is an administrator's credential: the actor is the administrator, or the named agent with the right of
one. The four hot calls go to their actions; everything else goes through the catalogue, as at every door. Loads neither
SQLAlchemy nor Pydantic, so that a worker starts fast and stays small. The chores (taking back leases, the log) are the
server's: without one it says so in the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from slateboard.board import agents
from slateboard.interfaces import operations, plain
from slateboard.protocol.errors import DatabaseUnreachable, Invalid, ServerProblem, UnknownName
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import ADMINISTRATOR, Actor, Right
from slateboard.protocol.work import Beat, Claim, Finish, Finished, GiveBack, GivenBack, Renewed
from slateboard.store import database as databases
from slateboard.store.notifications import LOG_CHANNEL, WORK_CHANNEL, Notifier, Watch, listener_of
from slateboard.store.run_file import read_run_file
from slateboard.transaction import Statement, board_named, hot
from slateboard.work import claims, finish, leases

log = logging.getLogger(__name__)

CONNECTIONS = 6
"""At most: one that claims, three that finish, and two for all else."""
HOT_SECONDS = 60.0
"""How long a hot call waits for its answer; the database itself ends a statement after 30 s."""
REFRESH_SECONDS = 60.0
"""How often the agent's open inboxes and the leader are looked up again."""
DEFAULT_HOME = "~/.slateboard"

OF_OWN_AGENT = frozenset({"claim", "claim_one", "has_work", "mine"})
"""Operations whose `agent` is an id; without one it is the agent that is connected."""

WITHOUT_BOARD = frozenset({"create_board", "list_boards", "list_deleted_boards", "doctor"})
"""What an administrator can do before the board is there."""
NO_BOARD = BoardId(0)

INBOXES = """
SELECT o.id FROM open_inboxes o WHERE o.board = $1 AND (o.capability = '' OR o.capability = ANY (
    ARRAY(SELECT unnest(a.capabilities) FROM agents a WHERE a.board = $1 AND a.id = $2)))
"""

LEADS = "SELECT EXISTS (SELECT FROM leaders WHERE name = 'leader' AND expires_at > now())"

Answer = TypeVar("Answer")


async def connect(*, url: str | None, board: str, agent: str | None) -> DirectTransport:
    """Connect to a board; without a URL to the one of `SLATE_DATABASE_URL` or of the running `slate up`.

    Raises `Unavailable` (no server, no database, another schema) and `UnknownName` (the board, the agent).
    """
    database = await databases.connect(url or locate(), size=CONNECTIONS, home=home_folder())
    try:
        async with database.acquire() as connection:
            board_id = await _board(connection, board, required=agent is not None)
            actor = ADMINISTRATOR
            if agent is not None:
                number = (await agents.ids(Statement(connection, actor, board_id), [agent]))[agent]
                actor = Actor(name=agent, right=Right.ADMIN, agent=number, board=board_id)
    except BaseException:
        await database.close()
        raise
    return DirectTransport(database, actor, board=board, board_id=board_id, agent=agent)


async def _board(connection: Any, name: str, *, required: bool) -> BoardId:
    """The board's id; where it is not required, an administrator may still make it."""
    try:
        return await board_named(connection, name)
    except UnknownName:
        if required:
            raise
        return NO_BOARD


def locate(environment: Mapping[str, str] | None = None) -> str:
    """The URL of the default database; `ServerProblem` if there is none."""
    environment = os.environ if environment is None else environment
    if url := environment.get("SLATE_DATABASE_URL"):
        return url
    home = home_folder(environment)
    run = read_run_file(home)
    if run is None:
        message = f"no server is running in {home}, and SLATE_DATABASE_URL is not set"
        raise ServerProblem(message, remedy="start one with `slate up`, or set SLATE_DATABASE_URL", home=str(home))
    return run.app_url


def home_folder(environment: Mapping[str, str] | None = None) -> Path:
    """The server's home as the environment has it."""
    environment = os.environ if environment is None else environment
    return Path(environment.get("SLATE_HOME") or DEFAULT_HOME).expanduser().absolute()


class DirectTransport:
    """A board on Postgres. See `slateboard.sdk.transport.Transport`."""

    def __init__(
        self, database: databases.Database, actor: Actor, *, board: str, board_id: BoardId, agent: str | None
    ) -> None:
        self._database = database
        self._actor = actor
        self._board = board
        self._board_id = board_id
        self._agent = agent
        self._notifier = Notifier(database.url)
        self._inboxes: frozenset[int] = frozenset()
        self._refreshed_at = 0.0
        self._led = True
        self._work_watches: list[Watch] = []
        self._log_watches: list[Watch] = []

    def use_home(self, home: Path) -> None:
        """Look for what is in files, such as archived events, in this home."""
        self._database.home = home

    @property
    def board(self) -> str:
        """The board's name."""
        return self._board

    @property
    def agent(self) -> str | None:
        """The name of the agent that acts, if one does."""
        return self._agent

    async def claim(self, *, worker: str, limit: int, lease_seconds: float) -> list[Claim]:
        """Claim up to `limit` items for the agent."""
        agent = self._own_agent()
        if self._work_watches and time.monotonic() - self._refreshed_at > REFRESH_SECONDS:
            await self.refresh()
        return await self._hot(
            lambda tx: claims.claim(tx, agent=agent, worker=worker, limit=limit, lease_seconds=lease_seconds)
        )

    async def heartbeat(self, beats: Sequence[Beat], *, lease_seconds: float | None = None) -> list[Renewed]:
        """Renew claims."""
        return await self._hot(lambda tx: leases.renew(tx, beats=beats, lease_seconds=lease_seconds))

    async def finish(self, finishes: Sequence[Finish]) -> list[Finished]:
        """Hand in results; wakes whose work they opened."""
        answers, woken = await self._hot(lambda tx: finish.finish(tx, finishes=finishes))
        if woken:
            self._wake(self._board_id, woken)
        return answers

    async def give_back(self, returns: Sequence[GiveBack]) -> list[GivenBack]:
        """End claims without a result; wakes who may take them."""
        answers, woken = await self._hot(lambda tx: finish.give_back(tx, returns=returns))
        if woken:
            self._wake(self._board_id, woken)
        return answers

    async def call(self, operation: str, arguments: Mapping[str, Any], *, under: tuple[int, int] | None = None) -> Any:
        """Any operation of the catalogue; `under` is the claim that a change belongs to."""
        if self._board_id == NO_BOARD and operation not in WITHOUT_BOARD:
            async with self._database.acquire() as connection:
                self._board_id = await board_named(connection, self._board)
        if operation in OF_OWN_AGENT and "agent" not in arguments:
            arguments = {**arguments, "agent": self._own_agent()}
        answer = await operations.perform(
            self._database,
            self._actor,
            self._board_id,
            operation,
            plain.typed(operation, arguments),
            wake=self._wake,
            under=under,
        )
        return plain.plain(answer)

    async def watch_work(self, *, listen: bool = True) -> Watch:
        """Hints of new work for the agent."""
        await self.refresh()
        if listen:
            listener = listener_of(self._database.url, WORK_CHANNEL)
            watch = listener.watch(self._board_id, self._inboxes, ignoring=self._notifier.sender)
        else:
            watch = Watch(None, set(), None)
        self._work_watches.append(watch)
        return watch

    async def watch_log(self) -> Watch:
        """Hints that the board's log has grown."""
        watch = listener_of(self._database.url, LOG_CHANNEL).watch(self._board_id)
        self._log_watches.append(watch)
        return watch

    async def close(self) -> None:
        """Let go of everything."""
        for watch in (*self._work_watches, *self._log_watches):
            await watch.close()
        await self._notifier.close()
        await self._database.close()

    async def refresh(self) -> None:
        """Look up which inboxes the agent may take from, and whether a server runs the chores."""
        async with self._database.acquire() as connection:
            led: bool = await connection.fetchval(LEADS)
            if self._actor.agent is not None:
                rows = await connection.fetch(INBOXES, self._board_id, self._actor.agent)
                self._inboxes = frozenset({self._actor.agent, *(row["id"] for row in rows)})
        self._refreshed_at = time.monotonic()
        for watch in self._work_watches:
            watch.watch(self._board_id, self._inboxes)
        if self._led and not led:
            log.warning(
                "no server is running on this database: leases are not taken back, delayed work does not start and the"
                " log does not grow; start one with `slate up`"
            )
        self._led = led

    def _own_agent(self) -> int:
        if self._actor.agent is None:
            raise Invalid("only an agent can do this", remedy="connect with the name of an agent: agent=…")
        return self._actor.agent

    def _wake(self, board: BoardId, inboxes: Iterable[int]) -> None:
        """After a commit: tell the others, and ourselves without a detour."""
        inboxes = frozenset(inboxes)
        self._notifier.wake(board, inboxes)
        if board == self._board_id and not self._inboxes.isdisjoint(inboxes):
            for watch in self._work_watches:
                watch.set()

    async def _hot(self, action: Callable[[Statement], Awaitable[Answer]]) -> Answer:
        """Run a hot action, repeated where it lost a race."""

        async def once() -> Answer:
            async with hot(self._database, self._actor, self._board_id) as tx:
                return await action(tx)

        try:
            async with asyncio.timeout(HOT_SECONDS):
                return await operations.repeated("a call", once)
        except TimeoutError as error:
            message = f"the database did not answer within {HOT_SECONDS:.0f} s"
            raise DatabaseUnreachable(message, remedy="it is asked again") from error
