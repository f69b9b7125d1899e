"""Time travel: the board as it was at a position of its log, or at a time, folded from the log when it is asked for.

A time is the last position at or before it. The fold begins with the newest base snapshot that is not after the
position; for one in the midst of an archive it goes on with that archive's file. A position that the log has not is
refused. The memory that it takes is that of the folded board, whatever the number of events.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from slateboard.log import archives, feed
from slateboard.protocol.errors import Invalid, ServerProblem, TooLarge, UnknownName
from slateboard.protocol.pages import DEFAULT_PAGE
from slateboard.protocol.rights import Right
from slateboard.reports.paging import check_first, decode, encode
from slateboard.reports.past import details, listing
from slateboard.reports.past.fold import State, fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from slateboard.protocol.chain import Entry as LogEntry
    from slateboard.transaction import ReadTransaction, Statement

PAGE = 2_000
"""Events of one step of the fold; others are served between two."""
MAX_EVENTS = 2_000_000
"""After the base snapshot; a longer log is archived first."""

# The newest first: as a rule the time asked for is not long ago.
POSITION_AT = """
SELECT position FROM events WHERE board = $1 AND happened_at <= $2 ORDER BY position DESC LIMIT 1
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

BASE = """
SELECT last_position, base, base_hash FROM archives WHERE board = $1 AND last_position <= $2
ORDER BY last_position DESC LIMIT 1
"""

# A page is a range of positions: with old statistics, a limit alone would sort all that is left, for each page.
EVENTS = """
SELECT position, id, subject, payload, actor, correlation, depth, happened_at
FROM events WHERE board = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
"""


async def as_of(
    tx: ReadTransaction,
    *,
    position: int | str | None = None,
    time: datetime | str | None = None,
    of: Sequence[str] = tuple(listing.KINDS),
    where: Mapping[str, Any] | None = None,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    show: str | None = None,
    tree: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The board after the event at `position`, or at `time`: `position`, `happened_at` and a page of rows of each kind.

    `of` names the kinds: agents, tasks, artifacts, items, decisions, dead_letters. `where` keeps the rows with these
    values; `after` goes on with one kind. `show` names one thing and `tree` has the arguments of a tree: the answer has
    them under these names, in the shapes of these operations. `erased` are the positions whose payload is gone, so that
    what they told is missing here. Raises `UnknownName` for a position or time that the log does not reach, and for a
    name that was not there; `Archived` for a position of an archive whose file is not here.
    """
    tx.require(Right.READER)
    check_first(first)
    kinds = _kinds(of)
    if after is not None and len(kinds) != 1:
        raise Invalid("a cursor goes on with one kind", remedy="name that kind alone")
    begin: int = 0 if after is None else decode(after, parts=1)[0]
    found = await find(tx, position=position, time=time)
    state = await state_at(tx, position=found, most=MAX_EVENTS, home=tx.home)
    answer: dict[str, Any] = {
        "position": state.position,
        "happened_at": state.happened_at,
        "erased": state.erased[:first],
    }
    for kind in kinds:
        end = begin + first
        rows, total = listing.page(state, kind, dict(where or {}), begin, end)
        answer[kind] = {"rows": rows, "next": encode([end]) if total > end else None, "total": total}
    if show is not None:
        answer["show"] = details.show(state, str(show))
    if tree is not None:
        answer["tree"] = details.tree(state, tree)
    return answer


async def find(tx: ReadTransaction, *, position: int | str | None = None, time: datetime | str | None = None) -> int:
    """The position that is meant. Raises `UnknownName` where the log has none, `Archived` where a file is not here."""
    if (position is None) == (time is None):
        raise Invalid("either a position or a time", remedy="give one of the two")
    if position is None:
        return await _position_at(tx, _moment(time))
    head = await feed.head(tx)
    number = await _position(tx, position)
    if head == 0:
        raise UnknownName("the log of this board has no event yet", remedy="ask again when something has happened")
    if not 1 <= number <= head:
        message = f"the log has positions 1 to {head}, and none {number}"
        raise UnknownName(
            message,
            remedy="ask for a position that the log has: `slate log tail` shows the newest",
            position=number,
            head=head,
        )
    return number


async def _position(tx: ReadTransaction, position: int | str) -> int:
    """A position as a number; it may be written as a cursor: board@position."""
    board, at, number = str(position).rpartition("@")
    if at and board != (name := await tx.fetchval("SELECT name FROM boards WHERE id = $1", tx.board)):
        message = f"{position!r} is a position of the board {board!r}, not of {name!r}"
        raise Invalid(message, remedy=f"ask for one of this board, or name the board {board!r}")
    try:
        return int(number)
    except ValueError as error:
        raise Invalid(f"{str(position)[:40]!r} is no position", remedy="write it as a whole number") from error


async def _position_at(tx: ReadTransaction, at: datetime) -> int:
    """The last position at or before a time."""
    position: int | None = await tx.fetchval(POSITION_AT, tx.board, at)
    if position is None:
        archive = await tx.fetchrow(archives.AT_TIME, tx.board, at)
        if archive is not None:
            position = await archives.position_at(tx, (at - EPOCH) // MICROSECOND, archive, tx.home)
        else:
            position = await tx.fetchval("SELECT max(last_position) FROM archives WHERE board = $1", tx.board)
    if not position:
        raise UnknownName(f"the log has no event at or before {at.isoformat()}", remedy="ask for a later time")
    return position


async def state_at(tx: Statement, *, position: int, most: int | None = None, home: Path | None = None) -> State:
    """The state of the board right after a position of its log, folded from at most so many events.

    What was archived after the last base snapshot before it is read from its file in `home`.
    """
    state = await _base(tx, position)
    if most is not None and position - state.position > most:
        message = f"position {position} is {position - state.position:,} events after the last base snapshot"
        raise TooLarge(message, remedy=f"archive first (`slate log archive`): at most {most:,} are folded")
    archive = await archives.holding(tx, position) if state.position < position else None
    if archive is not None:
        await archives.read(tx, archive, home, lambda page: _fold_archived(state, page, position))
    while state.position < position:
        before = state.position
        rows = await tx.fetch(EVENTS, tx.board, before, min(position, before + PAGE), PAGE)
        if not rows or rows[0]["position"] != before + 1:
            message = f"the event at position {before + 1} is neither in the database nor in an archive"
            raise ServerProblem(message, remedy="run `slate log verify`")
        fold(state, rows)
    return state


def _fold_archived(state: State, page: Sequence[LogEntry], position: int) -> bool:
    """Fold a page of an archive up to a position; whether there is more to fold."""
    fold(state, [
        (one.position, one.id, one.subject, one.payload, one.actor, one.correlation, one.depth,
         EPOCH + one.happened_at * MICROSECOND)
        for one in page if one.position <= position
    ])  # fmt: skip
    return state.position < position


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
        if kind not in listing.KINDS:
            raise Invalid(f"{kind!r} cannot be shown as of a position", remedy=f"one of: {', '.join(listing.KINDS)}")
    return list(dict.fromkeys(of))


def _moment(time: datetime | str | None) -> datetime:
    try:
        at = time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
    except ValueError as error:
        message = f"{str(time)[:40]!r} is no time"
        raise Invalid(message, remedy="write it like 2026-12-24T18:00:00Z") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
