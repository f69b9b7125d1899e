"""Filters and keys: Postgres JSON paths over `{subject, actor, correlation, payload}` of an event.

A path that answers with a boolean says so itself; any other is met by whatever it finds. What does not parse is
refused before it is kept; what fails or takes too long later is told by `trial`, which leaves the change as it was.
A filter may take half a second over a few events; over many, whose payloads may be large, it is tried with fewer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MAX_PATH_CHARACTERS = 4_096
MOST_SECONDS = 0.5
FEW_EVENTS = 10
"""How long a filter may take over so many events, and over however many are tried at once."""
FEWER = 10
"""By what the number is divided when it took longer."""


class TooSlow(str):
    """Why a filter cannot be used, where fewer events might have been filtered in time."""

    __slots__ = ()


PARTS = ("subject", "actor", "correlation", "payload")
"""Of an event, as a path sees it."""
ROOT = re.compile(r"""\$\s*\.\s*"?(\w+)"?\s*(?![\w(\s])""")
QUOTED = re.compile(r'(?<!\.)(?<!\. )"(?:[^"\\]|\\.)*"')

TRY = "SELECT event_fits($1::text::jsonpath, event_json('a.b', 'a', 'c', '{}'))"
LIMIT = "SELECT set_config('statement_timeout', $1, true)"


async def check(tx: Transaction, path: str | None, what: str) -> str | None:
    """Return a JSON path that Postgres can use; `Invalid` names it and says what is wrong."""
    if path is None:
        return None
    from asyncpg import PostgresError

    if len(path) > MAX_PATH_CHARACTERS:
        raise Invalid(f"a {what} has at most {MAX_PATH_CHARACTERS:,} characters", remedy="filter in the handler")
    try:
        await tx.fetchval(TRY, path)
    except (PostgresError, UnicodeError) as error:
        message = f"the {what} {path!r} is no JSON path: {error}"
        raise Invalid(message, remedy='e.g. $.payload.branch == "main"', path=path) from error
    unknown = sorted(set(ROOT.findall(QUOTED.sub('""', path))) - set(PARTS))
    if unknown:
        message = f"the {what} {path!r} asks for {unknown[0]!r}, and an event has only {', '.join(PARTS)}"
        raise Invalid(message, remedy=f"what was published is below the payload: $.payload.{unknown[0]}", path=path)
    return path


async def trial(tx: Transaction, sql: str, *arguments: Any) -> list[Any] | str:
    """The rows of a statement that evaluates a path; or, in words, why it cannot be used."""
    import asyncpg

    usual = await tx.fetchval("SELECT current_setting('statement_timeout')")
    try:
        async with tx.connection.transaction():
            await tx.fetchval(LIMIT, f"{MOST_SECONDS * 1000:.0f}ms")
            rows = await tx.fetch(sql, *arguments)
            await tx.fetchval(LIMIT, usual)
    except asyncpg.QueryCanceledError:
        return TooSlow(f"the filter takes longer than {MOST_SECONDS} s over at most {FEW_EVENTS} events")
    except (asyncpg.DataError, asyncpg.UndefinedObjectError, asyncpg.StatementTooComplexError) as error:
        return f"the filter fails: {error}"
    return rows


def fewer(found: list[Any] | str, number: int) -> int:
    """With how many events to try again what was too slow over `number` of them; 0 if there is nothing to try."""
    return max(FEW_EVENTS, number // FEWER) if isinstance(found, TooSlow) and number > FEW_EVENTS else 0
