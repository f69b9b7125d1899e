"""Time travel: the board as it was at a position of its log, or at a time, folded from the log when it is asked for.

A time is the last position at or before it. The fold begins with the newest base snapshot that is not after the
position, so that what is archived need not be read again. What lies before the first event that is still there, or
after the newest, is refused.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Archived, Invalid, ServerProblem, TooLarge, UnknownName
from slateboard.protocol.pages import DEFAULT_PAGE
from slateboard.protocol.rights import Right
from slateboard.reports import as_of_rows
from slateboard.reports.fold import State, fold
from slateboard.reports.paging import check_first, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import Statement

PAGE = 2_000
"""Events of one step of the fold; others are served between two."""
MAX_EVENTS = 2_000_000
"""After the base snapshot; a longer log is archived first."""

RANGE = """
SELECT coalesce((SELECT position FROM event_heads WHERE board = $1), 0) AS head,
       coalesce((SELECT max(last_position) FROM archives WHERE board = $1), 0) AS archived
"""

# The newest first: as a rule the time asked for is not long ago.
POSITION_AT = """
SELECT position FROM events WHERE board = $1 AND happened_at <= $2 ORDER BY position DESC LIMIT 1
"""
ARCHIVED_AT = "SELECT max(last_position) FROM archives WHERE board = $1 AND last_happened_at <= $2"

BASE = """
SELECT last_position, base, base_hash FROM archives WHERE board = $1 AND last_position <= $2
ORDER BY last_position DESC LIMIT 1
"""

EVENTS = """
SELECT position, id, subject, payload, actor, correlation, depth, happened_at
FROM events WHERE board = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
"""


async def as_of(
    tx: Statement,
    *,
    position: int | None = None,
    time: datetime | str | None = None,
    of: Sequence[str] = tuple(as_of_rows.KINDS),
    where: Mapping[str, Any] | None = None,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
) -> dict[str, Any]:
    """The board after the event at `position`, or at `time`: `position`, `happened_at` and a page of rows of each kind.

    `of` names the kinds: agents, tasks, artifacts, items, decisions, dead_letters. `where` keeps the rows with these
    values; `after` goes on with one kind. `erased` are the positions whose payload is gone, so that what they told is
    missing here. Raises `UnknownName` for a position or time that the log does not reach, and `Archived`.
    """
    tx.require(Right.READER)
    check_first(first)
    kinds = _kinds(of)
    if after is not None and len(kinds) != 1:
        raise Invalid("a cursor goes on with one kind", remedy="name that kind alone")
    begin: int = 0 if after is None else decode(after, parts=1)[0]
    state = await state_at(tx, position=await find(tx, position=position, time=time), most=MAX_EVENTS)
    answer: dict[str, Any] = {
        "position": state.position,
        "happened_at": state.happened_at,
        "erased": state.erased[:first],
    }
    for kind in kinds:
        end = begin + first
        rows, total = as_of_rows.page(state, kind, dict(where or {}), begin, end)
        answer[kind] = {"rows": rows, "next": encode([end]) if total > end else None, "total": total}
    return answer


async def find(tx: Statement, *, position: int | None = None, time: datetime | str | None = None) -> int:
    """The position that is meant. Raises `UnknownName` where the log has none, `Archived` where it is not here."""
    if (position is None) == (time is None):
        raise Invalid("either a position or a time", remedy="give one of the two")
    known = await tx.fetchrow(RANGE, tx.board)
    if position is None:
        at = _moment(time)
        position = await tx.fetchval(POSITION_AT, tx.board, at)
        if position is None and known["archived"]:
            position = await tx.fetchval(ARCHIVED_AT, tx.board, at)
            if position is None:
                message = f"{at.isoformat()} lies in the archives, which end at position {known['archived']}"
                raise Archived(message, remedy=f"ask for a time after that, or position {known['archived']}")
        if position is None:
            raise UnknownName(f"the log has no event at or before {at.isoformat()}", remedy="ask for a later time")
    elif not 1 <= position <= known["head"]:
        message = f"the log has positions 1 to {known['head']}, and none {position}"
        raise UnknownName(message, remedy="ask for one that is there", position=position, head=known["head"])
    return position


async def state_at(tx: Statement, *, position: int, most: int | None = None) -> State:
    """The state of the board right after a position of its log, folded from at most so many events."""
    state = await _base(tx, position)
    if most is not None and position - state.position > most:
        message = f"position {position} is {position - state.position:,} events after the last base snapshot"
        raise TooLarge(message, remedy=f"archive first (`slate log archive`): at most {most:,} are folded")
    while state.position < position:
        before = state.position
        rows = await tx.fetch(EVENTS, tx.board, before, position, PAGE)
        if not rows or rows[0]["position"] != before + 1:
            message = f"the events after position {before} are in archives"
            raise Archived(message, remedy="ask for a position that is in the database, or for an archive's last one")
        fold(state, rows)
    return state


async def _base(tx: Statement, position: int) -> State:
    row = await tx.fetchrow(BASE, tx.board, position)
    if row is None:
        return State(tx.board)
    data = gzip.decompress(row["base"])
    if sha256(data).digest() != row["base_hash"]:
        message = f"the base snapshot at position {row['last_position']} was changed"
        raise ServerProblem(message, remedy="compare it with the file of the archive, and run `slate log verify`")
    return State.load(data)


def _kinds(of: Sequence[str]) -> list[str]:
    for kind in of:
        if kind not in as_of_rows.KINDS:
            raise Invalid(f"{kind!r} cannot be shown as of a position", remedy=f"one of: {', '.join(as_of_rows.KINDS)}")
    return list(dict.fromkeys(of))


def _moment(time: datetime | str | None) -> datetime:
    try:
        at = time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
    except ValueError as error:
        message = f"{str(time)[:40]!r} is no time"
        raise Invalid(message, remedy="write it like 2026-12-24T18:00:00Z") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
