"""Verification: a result that somebody other than its author must judge before it is complete.

The finish makes a version that is `pending` and a duty of its verifier; the item waits for it, `in_review`. The verdict
is on that version and hash and on no other. Approved, the item is done and opens what waits; rejected, which is no
failure, it is ready again with the reason in its briefing. The third rejection asks a person what is to become of it.
A verdict that does not come in time is asked for one level up, twice at most; then the work becomes a dead letter.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.patterns import escalations, evidence, steps, verdicts
from slateboard.protocol.errors import Invalid, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId, check_name
from slateboard.protocol.rights import Right
from slateboard.protocol.states import ItemKind, Outcome
from slateboard.protocol.work import Finished
from slateboard.work import duties, finish, leases, queries

if TYPE_CHECKING:
    from slateboard.protocol.work import Finish
    from slateboard.transaction import ReadTransaction, Transaction

DEADLINE_SECONDS = 4 * 3_600.0
"""How long a verifier has, where the artifact's rule `verdict_within_seconds` does not say."""
LEVELS = 2
"""How often a verdict that does not come is asked for one level up."""
MAX_SHOWN = 1_000
# What a finished item must keep to, its next version, and who may judge it: whom the rule names, else who delegated
# the task, else the owner's manager, else a person; never the author.
WORK = """
SELECT w.reference, w.base_rating, a.id AS artifact, a.rules::text AS rules, a.rules ->> 'criteria' AS criteria,
       1 + coalesce((SELECT max(v.version) FROM artifact_versions v WHERE v.board = $1 AND v.artifact = a.id), 0)
           AS version,
       coalesce(
           (SELECT g.id FROM agents g WHERE g.board = $1 AND g.id <> $3
              AND jsonb_typeof(a.rules -> 'verify') = 'string' AND g.name = a.rules ->> 'verify'),
           CASE WHEN t.delegator <> $3 THEN t.delegator END,
           (SELECT g.manager FROM agents g
            WHERE g.board = $1 AND g.id = coalesce(a.owner, $3) AND g.manager <> $3),
           (SELECT min(g.id) FROM agents g WHERE g.board = $1 AND g.kind = 'human'
              AND g.removed_at IS NULL AND g.id <> $3)) AS verifier
FROM work_items w
JOIN artifacts a ON a.board = w.board AND a.id = w.artifact
JOIN tasks t ON t.board = a.board AND t.id = a.task
WHERE w.board = $1 AND w.id = $2
"""

INSERT_VERSION = """
INSERT INTO artifact_versions (board, artifact, version, item, fence, author, path, uri, content, hash, size, summary,
                               evidence, undo, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::text::jsonb, $14, $15)
"""

INSERT = """
INSERT INTO verifications (board, item, about, artifact, version, hash, reference, author, verifier, criteria, deadline,
                           asked_at)
SELECT $1, p.item, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25 FROM posted p RETURNING *
"""

OPEN = """
SELECT n.item, n.about, n.reference, n.version, n.hash, n.hash IS NOT NULL AS proven, n.criteria, n.level, n.deadline,
       n.asked_at, f.name AS author, o.name AS verifier, p.place, v.path, v.uri, v.summary, v.evidence::text AS evidence
FROM verifications n
JOIN agents o ON o.board = n.board AND o.id = n.verifier
JOIN agents f ON f.board = n.board AND f.id = n.author
JOIN item_places p ON p.board = n.board AND p.item = n.item
JOIN artifact_versions v ON v.board = n.board AND v.artifact = n.artifact AND v.version = n.version
WHERE n.board = $1 AND n.verdict IS NULL AND p.place NOT IN ('done', 'cancelled')
  AND ($2::bigint IS NULL OR n.verifier = $2)
ORDER BY n.deadline, n.item LIMIT $3
"""

OVERDUE = """
SELECT n.board, n.item, n.about FROM verifications n
WHERE n.verdict IS NULL AND n.deadline <= $1
  AND (SELECT w.outcome IS NULL OR w.outcome = 'dead' FROM work_items w WHERE w.board = n.board AND w.id = n.item)
  AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = n.board)
ORDER BY n.deadline LIMIT $2
"""

# One level up: the verifier's manager, else a person who was not asked yet; never the author.
ABOVE = """
SELECT coalesce(
    (SELECT g.manager FROM agents g WHERE g.board = $1 AND g.id = $2 AND g.manager <> $3),
    (SELECT min(h.id) FROM agents h WHERE h.board = $1 AND h.kind = 'human'
       AND h.removed_at IS NULL AND h.id NOT IN ($2, $3)
       AND (SELECT g.kind FROM agents g WHERE g.board = $1 AND g.id = $2) <> 'human'))
"""

MOVE = "UPDATE verifications SET verifier = $3, level = level + 1, deadline = $4 WHERE board = $1 AND item = $2"


async def finished(tx: Transaction, given: Finish) -> Finished:
    """The hook of work whose result needs a verdict, or has or needs evidence. Raises `EvidenceMissing`, `Invalid`."""
    lease = await leases.own(tx, item=given.item, fence=given.fence)
    result, (usage, digest) = given.result, finish.receipt(given.result)
    work = dict(await tx.fetchrow(WORK, tx.board, given.item, lease["agent"]))
    rules: dict[str, Any] = json.loads(work["rules"] or "{}")
    if result.undo is not None:
        check_name(result.undo, "undo")
    evidence.check(result, rules.get("evidence", ()), work["reference"])
    verify = "verify" in rules or "criteria" in rules
    if verify and work["verifier"] is None:
        message = f"there is nobody to verify {work['reference']}"
        raise Invalid(message, remedy="name a verifier, give the owner a manager, or add a person")
    await leases.give_up(
        tx, item=given.item, fence=given.fence, outcome=Outcome.COMPLETED, note=result.note, usage=usage, digest=digest
    )  # fmt: skip
    proof = None if result.evidence is None else json.dumps(result.evidence)
    await tx.fetch(
        INSERT_VERSION, tx.board, work["artifact"], work["version"], given.item, given.fence, tx.actor.name,
        result.path, result.uri, result.content, result.hash, result.size_bytes, result.summary, proof,
        result.undo, tx.now,
    )  # fmt: skip
    await tx.fetch("DELETE FROM checkpoints WHERE board = $1 AND item = $2", tx.board, given.item)
    if result.undo is not None:
        await steps.watch(tx)
    told = {"note": result.note, "usage": result.usage, "evidence": result.evidence, "undo": result.undo}
    if verify:
        work["seconds"] = rules.get("verdict_within_seconds", DEADLINE_SECONDS)
        await _ask(tx, given, lease["agent"], work, told)
    else:
        await tx.fetch(queries.MARK_DONE, tx.board, [given.item], tx.now)
        await verdicts.completed(tx, given.item, work["version"], **told)
    return Finished(item=given.item, version=work["version"])


async def _ask(tx: Transaction, given: Finish, author: int, work: dict[str, Any], told: dict[str, Any]) -> None:
    """Post the duty of the verifier; the item, which is in no place, waits for it."""
    deadline = tx.now + timedelta(seconds=work["seconds"])
    values = (given.item, work["artifact"], work["version"], given.result.hash, work["reference"], author)
    row = await duties.post(
        tx, kind=ItemKind.VERIFY, reference=work["reference"], inbox=work["verifier"], rating=work["base_rating"],
        due=deadline, hooked=True, holds=given.item, reason="review", insert=INSERT,
        values=(*values, work["verifier"], work["criteria"], deadline, tx.now),
    )  # fmt: skip
    version = {name: getattr(given.result, name) for name in ("path", "uri", "hash", "summary")}
    version |= {"fence": given.fence, "size": given.result.size_bytes}
    tx.record(Subject.VERIFICATION_ASKED, {"verification": row, "reference": work["reference"], **version, **told})


async def list_verifications(
    tx: ReadTransaction, *, agent: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """What waits for a verdict, the nearest deadline first: of one verifier, or of all. `proven`: it has a hash."""
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_SHOWN:
        raise Invalid(f"a list has 1 to {MAX_SHOWN:,} rows", remedy="choose a number in that range")
    verifier = (await agents.ids(tx, [agent]))[agent] if agent else None
    rows = await tx.fetch(OPEN, tx.board, verifier, limit)
    return [{**row, "evidence": json.loads(row["evidence"] or "[]")} for row in rows]


async def time_out(tx: Transaction, *, limit: int = 100) -> int:
    """Ask one level up for verdicts that did not come, or end their work, at most `limit`, whatever the board."""
    due = await tx.fetch(OVERDUE, tx.now, limit)
    for row in due:
        tx.board = BoardId(row["board"])
        with suppress(WrongState):  # judged meanwhile
            await duties.hold(tx, row["item"], row["about"])
            await _overdue(tx, await verdicts.one(tx, row["item"]))
            await tx.flush()
    return len(due)


async def _overdue(tx: Transaction, row: dict[str, Any]) -> None:
    item, about = row["item"], row["about"]
    above = await tx.fetchval(ABOVE, tx.board, row["verifier"], row["author"]) if row["level"] < LEVELS else None
    if above is None or above == row["verifier"]:
        reason = "nobody judged it in time"
        await duties.bury(tx, about, failure_class="unverified", error=f"{reason}: version {row['version']}")
        await verdicts.record(tx, row, "rejected", reason, "nobody")
        await duties.end(tx, item)
        return
    deadline = tx.now + timedelta(seconds=row["seconds"] or DEADLINE_SECONDS)
    await tx.fetch(MOVE, tx.board, item, above, deadline)
    await tx.fetch(escalations.MOVE_WAIT, tx.board, item, above, deadline)
    moved = {"item": item, "verifier": above, "level": row["level"] + 1, "deadline": deadline}
    tx.record(Subject.VERIFICATION_MOVED, {"reference": row["reference"], "about": about, **moved})
    await duties.hand_over(tx, item, to=above, due=deadline)
