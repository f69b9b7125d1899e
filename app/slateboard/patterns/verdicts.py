"""Verdicts: a verifier approves or rejects the version that it was asked to judge, and what waited for it goes on.

A verdict is on one version with its hash: on another it is refused, and so is one by the author. Approved, the item is
done. Rejected, which is no failure, it is ready again with the reason in its briefing; the third rejection asks a
person what is to become of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.patterns import escalations
from slateboard.protocol.errors import Invalid, NotYours, UnknownName, VersionConflict
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.protocol.work import Finished
from slateboard.work import duties, endings, gates, leases, queries

if TYPE_CHECKING:
    from slateboard.protocol.work import Finish
    from slateboard.transaction import Transaction

REJECTIONS = 3
"""After so many a person is asked; unanswered, it is tried again once, and the next time it is a dead letter."""
MAX_REASON_CHARACTERS = 65_536
RETRY, ACCEPT, CANCEL = "retry", "accept", "cancel"
VERDICTS = {"approve": "approved", "reject": "rejected"}

ONE = """
SELECT n.*, (SELECT max(v.version) FROM artifact_versions v WHERE v.board = $1 AND v.artifact = n.artifact) AS newest,
       (SELECT l.agent FROM leases l WHERE l.board = $1 AND l.item = $2) AS holder,
       (SELECT (a.rules ->> 'verdict_within_seconds')::float8 FROM artifacts a
        WHERE a.board = $1 AND a.id = n.artifact) AS seconds
FROM verifications n WHERE n.board = $1 AND n.item = $2
"""

JUDGE = """
UPDATE verifications SET verdict = $3, reason = $4, judged_by = $5, judged_at = $6 WHERE board = $1 AND item = $2
"""

REJECTED = "SELECT count(*) FROM verifications WHERE board = $1 AND about = $2 AND verdict = 'rejected'"

LAST = "SELECT max(item) FROM verifications WHERE board = $1 AND about = $2"

# Whom to ask about work that was rejected again and again: who delegated it, else the author's manager, else a person,
# else the verifier.
WHOM = """
SELECT coalesce(
    (SELECT t.delegator FROM artifacts a JOIN tasks t ON t.board = a.board AND t.id = a.task
     WHERE a.board = $1 AND a.id = $2),
    (SELECT g.manager FROM agents g WHERE g.board = $1 AND g.id = $3),
    (SELECT min(g.id) FROM agents g WHERE g.board = $1 AND g.kind = 'human' AND g.removed_at IS NULL), $4)
"""

# What a completed event says of a version and its item.
COMPLETED = """
SELECT w.reference, v.artifact, v.version, w.id AS item, v.fence, w.attempts AS attempt, v.path, v.uri, v.hash, v.size,
       v.summary, w.revision, w.correlation, w.depth
FROM work_items w JOIN artifact_versions v ON v.board = w.board AND v.artifact = w.artifact AND v.version = $3
WHERE w.board = $1 AND w.id = $2
"""


async def judge(
    tx: Transaction,
    *,
    item: int,
    verdict: str,
    version: int,
    hash: str | None = None,  # noqa: A002  its name at every door
    reason: str | None = None,
) -> dict[str, Any]:
    """Judge the version (with its hash, where it has one) that a verification is about: `approve`, or `reject`.

    Its verifier does, or an operator; never the author. Returns `{verification, verdict, reference, version, item}`.
    Raises `UnknownName`, `WrongState` (it was judged), `VersionConflict` (another version or hash), `NotYours`.
    """
    tx.require(Right.AGENT)
    if verdict not in VERDICTS:
        raise Invalid(f"{verdict[:40]!r} is no verdict", remedy="approve or reject")
    reason = None if reason is None or not reason.strip() else reason
    if verdict == "reject" and reason is None:
        raise Invalid("a rejection needs a reason", remedy="say what is to be done better: it stands in the briefing")
    if reason is not None and len(reason) > MAX_REASON_CHARACTERS:
        raise Invalid(f"a reason has at most {MAX_REASON_CHARACTERS:,} characters", remedy="shorten it")
    about = (await one(tx, item))["about"]
    await duties.hold(tx, item, about)
    row = await one(tx, item)
    if tx.actor.agent is not None and tx.actor.agent == row["author"]:
        message = f"{tx.actor.name} made version {row['version']} of {row['reference']}, so it cannot judge it"
        raise NotYours(message, remedy="leave it to its verifier", item=item)
    if tx.actor.right < Right.OPERATOR and tx.actor.agent not in {row["verifier"], row["holder"]}:
        message = f"{tx.actor.name} was not asked to verify {row['reference']}"
        raise NotYours(message, remedy="its verifier judges, or an operator", item=item)
    if (version, hash) != (row["version"], row["hash"]) or row["version"] != row["newest"]:
        asked = f"version {row['version']} with {row['hash'] or 'no hash'}"
        message = f"the verification {item} is of {asked}, and the newest is version {row['newest']}"
        message += f"; this judges version {version} with {(hash or 'no hash')[:80]}"
        remedy = "read the briefing again, and judge what it names"
        raise VersionConflict(message, remedy=remedy, item=item, version=row["version"], hash=row["hash"])
    await settle(tx, row, VERDICTS[verdict], reason, tx.actor.name)
    return {"verification": item, "verdict": VERDICTS[verdict], "reference": row["reference"], "version": version,
            "item": about}  # fmt: skip


async def judged(tx: Transaction, given: Finish) -> Finished:
    """The hook of a verification that is finished with its verdict as content: JSON, the arguments of `judge`."""
    await leases.own(tx, item=given.item, fence=given.fence)
    await tx.takes_place_now()
    try:
        said: Any = json.loads(given.result.content or "")
        known = {name: str(said[name]) for name in ("hash", "reason") if said.get(name) is not None}
        verdict, version = str(said["verdict"]), int(said["version"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = "a verification ends with a verdict"
        raise Invalid(message, remedy="approve or reject it, or hand in {verdict, version, hash, reason}") from error
    await judge(tx, item=given.item, verdict=verdict, version=version, **known)
    return Finished(item=given.item)


async def settle(tx: Transaction, row: dict[str, Any], verdict: str, reason: str | None, by: str) -> None:
    """Both items are held: the verification is done, and what waited for it is done too, or starts again."""
    about = row["about"]
    await record(tx, row, verdict, reason, by)
    if verdict == "approved":
        await endings.leave_places(tx, [about])
        await tx.fetch(queries.MARK_DONE, tx.board, [about], tx.now)
        await duties.end(tx, row["item"])
        await completed(tx, about, row["version"], verification=row["item"])
        return
    rejections = await tx.fetchval(REJECTED, tx.board, about)
    if rejections % REJECTIONS:
        await duties.end(tx, row["item"])
        return
    await endings.leave_places(tx, [about])
    await duties.end(tx, row["item"])
    owner = await tx.fetchval(WHOM, tx.board, row["artifact"], row["author"], row["verifier"])
    await escalations.raise_(
        tx, kind="rejected", about=about, reference=row["reference"], owner=owner, severity="high",
        question=f"{row['reference']} was rejected {rejections} times, the last time because: {reason}",
        options=(RETRY, ACCEPT, CANCEL), default=RETRY if rejections == REJECTIONS else None,
    )  # fmt: skip


async def answered(tx: Transaction, row: dict[str, Any], text: str, by: str) -> None:
    """What was answered about work that was rejected again and again: it is ready again, accepted, or cancelled."""
    if text == CANCEL:
        await endings.call_off(tx, item=row["about"], reason=f"rejected {REJECTIONS} times or more; {by} gave it up")
    if text != ACCEPT:
        return
    item = await tx.fetchval(LAST, tx.board, row["about"])
    last = await one(tx, item)
    await endings.leave_places(tx, [row["about"]])
    await tx.fetch(queries.MARK_DONE, tx.board, [row["about"]], tx.now)
    await record(tx, last, "approved", f"accepted after it was rejected: {last['reason']}", by)
    await completed(tx, row["about"], last["version"], verification=item)


async def record(tx: Transaction, row: dict[str, Any], verdict: str, reason: str | None, by: str) -> None:
    """Keep and tell a verdict on a verification that is held; its duty and what waits for it are the caller's."""
    await tx.fetch(JUDGE, tx.board, row["item"], verdict, reason, by, tx.now)
    told = {name: row[name] for name in ("item", "about", "reference", "artifact", "version", "hash")}
    subject = Subject.VERIFICATION_APPROVED if verdict == "approved" else Subject.VERIFICATION_REJECTED
    tx.record(subject, {**told, "proven": row["hash"] is not None, "reason": reason, "by": by})


async def completed(tx: Transaction, item: int, version: int, **more: Any) -> None:
    """Tell that a held item is done with this version, and let go on what waited for it."""
    row = dict(await tx.fetchrow(COMPLETED, tx.board, item, version))
    revision, correlation, tx.depth = row.pop("revision"), row.pop("correlation"), row.pop("depth")
    told = {name: value for name, value in {**row, **more}.items() if value is not None}
    tx.record(Subject.ARTIFACT_COMPLETED, told, correlation=correlation)
    await tx.flush()  # what opens now is told after what opened it
    if revision:
        who = (tx.actor.name, tx.actor.authenticated_by, tx.now)
        await tx.fetch("SELECT mark_stale($1, $2, $3, $4, $5)", tx.board, [row["artifact"]], *who)
    await gates.release_dependents(tx, [item])


async def one(tx: Transaction, item: int) -> dict[str, Any]:
    """A verification, with the `newest` version of its artifact and the `holder` of its claim. Raises `UnknownName`."""
    row = await tx.fetchrow(ONE, tx.board, item)
    if row is None:
        message = f"there is no verification {item} on this board"
        raise UnknownName(message, remedy="see `slate work verifications`", item=item)
    return dict(row)
