"""The proof of the log: as queries that check it and hand it out, and as the mutations that touch what it proves."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt, plain_json

Ask = Info[Request, None]

VERIFY_EVENTS = 100_000
EXPORT_EVENTS = 1_000


@strawberry.type
class LogFault:
    """The first position that does not fit: `changed`, `missing`, `inserted`, `swapped`, `cut_off` or `rewritten`."""

    position: BigInt
    kind: str
    reason: str


@strawberry.type
class LogProof:
    """What was checked: `count` entries after `after` up to `position`, whose hash is `hash`.

    `whole` says that the log's end was reached; `archived` is the last position that is no longer in the database.
    """

    board: BigInt
    name: str
    log: str
    after: BigInt
    position: BigInt
    hash: str
    count: BigInt
    head: BigInt
    archived: BigInt
    whole: bool
    fault: LogFault | None


@strawberry.type
class LogLines:
    """A page of an export: its lines, the header that begins one here, and where it ends."""

    header: str
    lines: list[str]
    after: BigInt
    position: BigInt
    hash: str
    head: BigInt


@strawberry.type
class ErasedEvent:
    """An event whose payload was taken away."""

    position: BigInt
    subject: str
    reason: str


@strawberry.input
class CheckpointInput:
    """What was signed: a position, and the hash there in hexadecimal digits."""

    position: BigInt
    hash: str


@strawberry.type
class ProofQuery:
    """The proof of the log."""

    @strawberry.field
    async def verify_log(
        self,
        info: Ask,
        after: BigInt = 0,  # pyright: ignore[reportArgumentType]  an integer, with the name of the scalar
        hash: str | None = None,  # noqa: A002  its name in the schema
        events: int = VERIFY_EVENTS,
        checkpoints: list[CheckpointInput] | None = None,
        board: str | None = None,
    ) -> LogProof | None:
        """Prove up to so many `events` after a position; to go on, give the `position` and `hash` of the answer."""
        signed = [{"position": one.position, "hash": one.hash} for one in checkpoints or ()]
        arguments = {"after": after, "hash": hash, "limit": events, "checkpoints": signed}
        return await info.context.perform("verify_log", board, arguments)

    @strawberry.field
    async def export_log(
        self,
        info: Ask,
        after: BigInt = 0,  # pyright: ignore[reportArgumentType]  see verify_log
        limit: int = EXPORT_EVENTS,
        board: str | None = None,
    ) -> LogLines | None:
        """A page of the log as the lines of an export, with everything that the chain needs."""
        return await info.context.perform("export_log", board, {"after": after, "limit": limit})


@strawberry.type
class ProofMutation:
    """What touches the proof of the log."""

    @strawberry.mutation
    async def erase_event(
        self, info: Ask, position: BigInt, reason: str, board: str | None = None
    ) -> ErasedEvent | None:
        """Take the payload of one event away, for good; its hash stays. For administrators."""
        return await info.context.perform("erase_event", board, {"position": position, "reason": reason})

    @strawberry.mutation
    async def record_key(
        self, info: Ask, key: str, public: str, at: BigInt, previous: str, signature: str, board: str | None = None
    ) -> JSON | None:
        """Tell in the log that another key signs its checkpoints; `slate log rotate-key` does. For administrators."""
        arguments = {"key": key, "public": public, "at": at, "previous": previous, "signature": signature}
        return plain_json(await info.context.perform("record_key", board, arguments))
