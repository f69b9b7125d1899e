"""How boards end: archived, so that they can be read and not changed, or deleted for good."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt
from slateboard.protocol.names import BoardId

Ask = Info[Request, None]


@strawberry.type
class ArchivedBoard:
    """A board that can be read, and not changed."""

    name: str
    archived_at: datetime


@strawberry.type
class UnarchivedBoard:
    """A board that can be changed again."""

    name: str


@strawberry.type
class DeletedBoard:
    """What stays known of a deleted board: who deleted it, and the `position` and `hash` with which its log ended."""

    name: str
    board: BigInt
    log: str
    position: BigInt
    hash: str
    actor: str
    authenticated_by: str
    deleted_at: datetime
    emptied_at: datetime | None


@strawberry.type
class DeletedBoardsQuery:
    """Boards that are no more."""

    @strawberry.field
    async def deleted_boards(self, info: Ask) -> list[DeletedBoard] | None:
        """The boards that were deleted, the newest first, at most 1,000. For the server's administrator."""
        return await info.context.perform("list_deleted_boards", BoardId(0), {})


@strawberry.type
class BoardEndMutation:
    """How boards end."""

    @strawberry.mutation
    async def archive_board(
        self, info: Ask, now: bool = False, reason: str | None = None, board: str | None = None
    ) -> ArchivedBoard | None:
        """Let a board be read and no longer changed; not while work is claimed, unless `now`. For administrators."""
        return await info.context.perform("archive_board", board, {"now": now, "reason": reason})

    @strawberry.mutation
    async def unarchive_board(self, info: Ask, board: str | None = None) -> UnarchivedBoard | None:
        """Let an archived board be changed again. For administrators."""
        return await info.context.perform("unarchive_board", board, {})

    @strawberry.mutation
    async def delete_board(self, info: Ask, confirm: str, board: str | None = None) -> DeletedBoard | None:
        """Delete an archived board for good; `confirm` is its name. For the server's administrator."""
        return await info.context.perform("delete_board", board, {"confirm": confirm})
