"""Cursors of the log: a board and a position, as an opaque text; a position in digits is taken as well."""

from __future__ import annotations

from slateboard.protocol.errors import BadCursor, Invalid
from slateboard.reports.paging import decode, encode

DIGITS = 18


def cursor_of(board: int, position: int) -> str:
    """The cursor that stands behind an event."""
    return encode([board, position])


def position_of(board: int, after: str) -> int:
    """The position that a cursor or a text of digits means; `BadCursor` for one of another board, or none at all."""
    if after.removeprefix("-").isdecimal() and len(after) <= DIGITS:
        return int(after)
    remedy = "give back the `cursor` of an event of this board as it came, or its `position`"
    try:
        whose, position = decode(after, parts=2)
    except Invalid as error:
        raise BadCursor(f"{after[:60]!r} is no cursor of the log", remedy=remedy) from error
    if whose != board:
        raise BadCursor("the cursor belongs to another board", remedy=remedy)
    return position
