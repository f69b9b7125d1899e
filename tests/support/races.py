"""Races made on purpose: one change stands open with all its locks while another runs into it, then both end.

Nothing sleeps: `waits_for_lock` asks Postgres until the second change waits for a lock or has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asyncpg import DeadlockDetectedError, SerializationError

from slateboard.protocol.errors import SlateError
from slateboard.transaction import REPEATS, Transaction
from tests.support.boards import BoardUnderTest

MAX_QUESTIONS = 5_000

Action = Callable[[Transaction], Awaitable[Any]]

WAITING = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
               WHERE NOT l.granted AND a.datname = current_database())
"""


async def waits_for_lock(board: BoardUnderTest, task: asyncio.Task[Any]) -> bool:
    """Whether the task waits for a lock; returns once it does, or False once it has ended."""
    async with board.database.acquire() as connection:
        for _ in range(MAX_QUESTIONS):
            if task.done():
                return False
            if await connection.fetchval(WAITING):
                return True
    message = "the second change neither ended nor waited for a lock"
    raise AssertionError(message)


async def attempt(board: BoardUnderTest, action: Action) -> Any:
    """Run one change as a door does: a lost race is repeated, a refusal is its answer, anything else is a fault."""
    for left in reversed(range(REPEATS)):
        try:
            async with board.writing() as tx:
                return await action(tx)
        except SlateError as error:
            return error
        except (DeadlockDetectedError, SerializationError):
            if not left:
                raise
    raise AssertionError


async def collide(board: BoardUnderTest, first: Action, second: Action, *, commit: bool = True) -> tuple[Any, Any]:
    """Let `second` run into the open transaction of `first`; then commit (or roll back) that one. Both answers."""
    answer: Any = None
    task: asyncio.Task[Any] | None = None
    try:
        async with board.writing() as tx:
            answer = await first(tx)
            await tx.flush()
            task = asyncio.create_task(attempt(board, second))
            await waits_for_lock(board, task)
            if not commit:
                raise RolledBack
    except RolledBack:
        pass
    except SlateError as error:
        answer = error
        if task is None:
            return answer, await attempt(board, second)
    assert task is not None
    return answer, await asyncio.wait_for(task, 20)


class RolledBack(Exception):
    """Ends the first transaction without its changes."""
