"""The proof of the log: that no entry was changed, taken out, put in, moved or cut off.

`verify` works the chain out anew from the stored bytes, page by page and in little memory, and compares it with the
head and with what was signed. It begins at the beginning, after what is archived, or after an entry whose hash the
caller knows; one call is bounded, and the next goes on from its answer. `export` hands out the same pages as lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.chain import Chain, Fault, FaultKind
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.export import Header, entry_line, header_line
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import ReadTransaction

MAX_EVENTS = 1_000_000
"""Of one call."""
PAGE = 5_000
PAGE_BYTES = 4 * 2**20
"""Payloads of one page; one that is larger than that is a page of its own."""
MAX_CHECKPOINTS = 10_000

# Positions, not a number of rows: of two rows with one position neither is overlooked. Columns as in `chain.Entry`.
ENTRIES = """
SELECT position, id, subject, payload, payload_hash, actor, authenticated_by, cause, correlation, depth, traceparent,
       (extract(epoch FROM happened_at) * 1000000)::bigint, hash
FROM (SELECT *, sum(coalesce(octet_length(payload), 0))
                OVER (ORDER BY position RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
      FROM (SELECT * FROM events WHERE board = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4) AS e
) AS page
WHERE coalesce(bytes_before, 0) < $5 ORDER BY position, id
"""

STATE = """
SELECT b.name, (extract(epoch FROM b.created_at) * 1000000)::bigint AS created_at,
       coalesce(h.position, 0) AS position, h.hash,
       coalesce(a.last_position, 0) AS archived, coalesce(a.hash, '') AS archived_hash,
       (SELECT min(e.position) FROM events e WHERE e.board = b.id) AS first,
       (SELECT max(e.position) FROM events e WHERE e.board = b.id) AS last
FROM boards b LEFT JOIN event_heads h ON h.board = b.id
LEFT JOIN LATERAL (SELECT last_position, hash FROM archives WHERE board = b.id
                   ORDER BY last_position DESC LIMIT 1) AS a ON true
WHERE b.id = $1
"""

BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
"""A page is found by the primary key, however old the statistics are."""

HASH_AT = "SELECT hash FROM events WHERE board = $1 AND position = $2"


def log_id(board: int, created_at_microseconds: int) -> str:
    """The identity of a board's log: the same board of another database has another."""
    from hashlib import sha256

    return sha256(f"{board}\n{created_at_microseconds}".encode()).hexdigest()[:32]


async def verify(
    tx: ReadTransaction,
    *,
    after: int = 0,
    hash: str | None = None,  # noqa: A002  its name everywhere
    limit: int = MAX_EVENTS,
    checkpoints: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Check up to `limit` events after a position, whose hash (hexadecimal) is known; 0 is the beginning.

    `checkpoints` are signed `position` and `hash` (hexadecimal) pairs to compare with. Answers with `board`, `name`,
    `log` (its identity), `after`, `position` and `hash` (the last that was checked), `count`, `head` (the log's
    newest position), `archived` (the last position that is in archives), `whole` (whether the end was reached) and
    `fault` (`position`, `kind`, `reason` of the first that does not fit, else None).
    """
    tx.require(Right.READER)
    _check(limit, MAX_EVENTS)
    signed = _checkpoints(checkpoints)
    state = await _state(tx)
    chain = await _start(tx, state, after, hash, signed)
    began = chain.position
    last = min(state["position"], began + limit)
    fault = _outside(state, began, last)
    for position in sorted(one for one in signed if one > state["position"]):
        reason = f"a checkpoint was signed at position {position}, and the log's head is at {state['position']}"
        fault = fault or Fault(position=state["position"] + 1, kind=FaultKind.CUT_OFF, reason=reason)
    while chain.fault is None and chain.position < last:
        rows = await _page(tx, chain.position, last)
        if not rows:
            chain.end(state["position"], None)
            break
        chain.extend(rows)
    whole = chain.position >= state["position"]
    if chain.fault is None and whole:
        chain.end(state["position"], state["hash"] if state["position"] else None)
    fault = chain.fault or fault
    return {
        "board": tx.board,
        "name": state["name"],
        "log": log_id(tx.board, state["created_at"]),
        "after": began,
        "position": chain.position,
        "hash": chain.hash.hex(),
        "count": chain.count,
        "head": state["position"],
        "archived": state["archived"],
        "whole": whole,
        "fault": fault and {"position": fault.position, "kind": fault.kind.value, "reason": fault.reason},
    }


async def export(tx: ReadTransaction, *, after: int = 0, limit: int = PAGE) -> dict[str, Any]:
    """A page of the log as lines of an export: `header` (the line that begins one here), `lines` and `head`.

    `position` and `hash` are those of the last line; the next page begins after it. A page holds up to `limit` events
    and 4 MiB, at least one event, and none at the log's end.
    """
    tx.require(Right.READER)
    _check(limit, PAGE)
    state = await _state(tx)
    chain = await _start(tx, state, after, None, {})
    header = Header(
        board=tx.board,
        name=state["name"],
        log=log_id(tx.board, state["created_at"]),
        after=chain.position,
        hash=chain.hash,
    )
    rows = await _page(tx, chain.position, min(state["position"], chain.position + limit))
    return {
        "header": header_line(header),
        "lines": [entry_line(row) for row in rows],
        "after": chain.position,
        "position": rows[-1]["position"] if rows else chain.position,
        "hash": (rows[-1]["hash"] if rows else chain.hash).hex(),
        "head": state["position"],
    }


async def _state(tx: ReadTransaction) -> Any:
    await tx.fetch(BY_INDEX)
    state = await tx.fetchrow(STATE, tx.board)
    if state is None:
        raise UnknownName("there is no such board", remedy="see `slate get boards`")
    return state


async def _page(tx: ReadTransaction, after: int, last: int) -> list[Any]:
    """The rows of the next positions: 5,000, or as many as hold 4 MiB; more only where a position occurs twice."""
    return await tx.fetch(ENTRIES, tx.board, after, min(last, after + PAGE), 2 * PAGE, PAGE_BYTES)


async def _start(tx: ReadTransaction, state: Any, after: int, digest: str | None, signed: Mapping[int, bytes]) -> Chain:
    """The chain after that position; what is archived is not here to be checked."""
    if digest is not None and after > state["position"]:
        chain = Chain(tx.board, position=state["position"], hash=state["hash"] or b"")
        reason = f"position {after} was there, and the log's head is at {state['position']}"
        chain.fault = Fault(position=state["position"] + 1, kind=FaultKind.CUT_OFF, reason=reason)
        return chain
    if not 0 <= after <= state["position"]:
        message = f"the log has positions up to {state['position']}, and none {after}"
        raise UnknownName(
            message, remedy="ask for a position that the log has: `slate log tail` shows the newest", position=after
        )
    if after <= state["archived"]:
        if after and digest is not None and after < state["archived"]:
            message = f"the positions up to {state['archived']} are in archives"
            raise Invalid(message, remedy="begin after them", archived=state["archived"])
        after, known = state["archived"], state["archived_hash"]
    elif digest is None:
        known = await tx.fetchval(HASH_AT, tx.board, after) or b""
    else:
        known = _bytes(digest)
    return Chain(tx.board, position=after, hash=known, signed=signed)


def _outside(state: Any, began: int, last: int) -> Fault | None:
    """Rows where no row can be: before the first position, or after the head's."""
    if began == state["archived"] and state["first"] is not None and state["first"] < 1:
        reason = "positions begin with 1"
        return Fault(position=state["first"], kind=FaultKind.INSERTED, reason=reason)
    if last == state["position"] and state["last"] is not None and state["last"] > last:
        reason = f"there are entries up to position {state['last']}, and the head is at {last}"
        return Fault(position=last + 1, kind=FaultKind.INSERTED, reason=reason)
    return None


def _checkpoints(given: Sequence[Mapping[str, Any]]) -> dict[int, bytes]:
    if len(given) > MAX_CHECKPOINTS:
        message = f"one call compares up to {MAX_CHECKPOINTS:,} checkpoints, not {len(given):,}"
        raise Invalid(message, remedy="give them in parts, each with its range of positions")
    try:
        return {int(one["position"]): _bytes(one["hash"]) for one in given}
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("a checkpoint is a position and a hash", remedy="see docs/proof.md") from error


def _bytes(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except (TypeError, ValueError) as error:
        raise Invalid("a hash is written in hexadecimal digits", remedy="see docs/proof.md") from error


def _check(limit: int, most: int) -> None:
    if not 1 <= limit <= most:
        raise Invalid(f"one call takes 1 to {most:,} events, not {limit}", remedy="ask for fewer, and go on from there")
