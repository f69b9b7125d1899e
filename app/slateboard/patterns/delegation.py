"""Delegation after the fact: declining, reassigning, cancelling a subtree, delegating out of work in hand, and silence.

What one agent gives to another is posted like any work; that it was given stands in `delegations`. Work that nobody
does any more goes back to who gave it, and whoever must know is told by an escalation in the same commit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slateboard.board import agents, delegations
from slateboard.board import queries as board_queries
from slateboard.board.presence import LIVE_SECONDS
from slateboard.patterns import compensation, escalations
from slateboard.protocol.errors import Invalid, NotYours, SlateError, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import Right
from slateboard.work import endings, gates, intake, leases, moves, queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.protocol.work import NewArtifact, NewTask
    from slateboard.transaction import Statement, Transaction

ACKNOWLEDGE_SECONDS = 60.0
"""How long an agent with a live worker may be silent about what was delegated to it."""
ACKNOWLEDGE_WITHOUT_WORKER_SECONDS = 4 * 3_600.0
"""The same without one."""
MOST_CHARACTERS = 1_000
"""Of a reason."""
MOST_IN_SUBTREE = 10_000
"""Tasks that are cancelled, or given to another with the one above them, at once."""
MOST_CANDIDATES = 20
"""Agents that are tried in the place of one that is silent."""

HOLD = """
SELECT t.id, t.name, t.parent, t.agent, t.delegator, g.name AS agent_name, d.name AS delegator_name
FROM tasks t
LEFT JOIN agents g ON g.board = t.board AND g.id = t.agent
LEFT JOIN agents d ON d.board = t.board AND d.id = t.delegator
WHERE t.board = $1 AND (t.name = $2 OR t.id = $3) FOR UPDATE OF t
"""

# What is not over of a task and belongs to its agent.
ITEMS = """
SELECT w.id FROM artifacts a JOIN work_items w ON w.board = a.board AND w.id = a.newest_item
WHERE a.board = $1 AND a.task = $2 AND (w.outcome IS NULL OR w.outcome = 'dead') AND w.inbox = $3 ORDER BY w.id
"""

GIVE = "UPDATE tasks SET agent = $3 WHERE board = $1 AND id = $2"

DECLINE = """
UPDATE delegations SET state = 'declined', settled_at = $3, reason = $4 WHERE board = $1 AND task = $2
"""

# A task and all below it, the leaves first.
SUBTREE = f"""
WITH RECURSIVE below (id, parent, name, agent, delegator, level) AS (
    SELECT $2::bigint, NULL::bigint, NULL::text, NULL::bigint, NULL::bigint, 0
    UNION ALL
    SELECT t.*, b.level + 1
    FROM below b, LATERAL (SELECT t.id, t.parent, t.name, t.agent, t.delegator
                           FROM tasks t WHERE t.board = $1 AND t.parent = b.id OFFSET 0) AS t
)
SELECT id, parent, name, agent, delegator FROM below ORDER BY level DESC, id DESC LIMIT {MOST_IN_SUBTREE} + 1
"""

# What of these tasks is unfinished, or dead.
OPEN = """
SELECT w.id, w.reference, w.outcome IS NOT NULL AS dead
FROM unnest($2::bigint[]) AS t (id),
LATERAL (SELECT a.newest_item FROM artifacts a WHERE a.board = $1 AND a.task = t.id OFFSET 0) AS a,
LATERAL (SELECT w.id, w.reference, w.outcome FROM work_items w
         WHERE w.board = $1 AND w.id = a.newest_item AND (w.outcome IS NULL OR w.outcome = 'dead') OFFSET 0) AS w
ORDER BY w.id
"""

# What somebody was asked about these tasks: what becomes of a dead letter, of a refusal, of a silence.
ASKED = """
SELECT e.item
FROM unnest($2::bigint[]) AS g (id), unnest(ARRAY['declined', 'failure', 'unanswered']) AS k (kind),
LATERAL (SELECT t.name FROM tasks t WHERE t.board = $1 AND t.id = g.id OFFSET 0) AS t,
LATERAL (SELECT e.item FROM escalations e
         WHERE e.board = $1 AND e.kind = k.kind AND e.reference = t.name AND e.answered_at IS NULL OFFSET 0) AS e
ORDER BY e.item
"""

SILENCE = """
CASE WHEN p.worker_seen_at >= d.delegated_at - make_interval(secs => $2)
     THEN d.delegated_at <= $1::timestamptz - make_interval(secs => $3)
     ELSE d.delegated_at <= $1::timestamptz - make_interval(secs => $4) END
"""

# Pending delegations of which something is to be said: the agent was heard of, or its time is over. A call is noted
# some seconds late, so that the work was begun is looked for while a delegation is new ($3) and when its time is over.
DUE = f"""
SELECT d.board, d.task, d.agent, d.delegator, d.on_no_ack,
       coalesce(p.seen_at >= d.delegated_at, false) OR b.begun IS NOT NULL AS heard
FROM delegations d
LEFT JOIN LATERAL (SELECT p.seen_at, p.worker_seen_at FROM presence p
                   WHERE p.board = d.board AND p.agent = d.agent OFFSET 0) AS p ON true
LEFT JOIN LATERAL (SELECT {SILENCE} AS silent OFFSET 0) AS s ON true
LEFT JOIN LATERAL (
    SELECT true AS begun
    FROM (SELECT a.newest_item AS item FROM artifacts a WHERE a.board = d.board AND a.task = d.task OFFSET 0) AS a,
    LATERAL (SELECT FROM leases l WHERE l.board = d.board AND l.item = a.item AND l.agent = d.agent
             UNION ALL
             SELECT FROM attempts t WHERE t.board = d.board AND t.item = a.item AND t.agent = d.agent
               AND t.started_at >= d.delegated_at AND t.ended_at >= d.delegated_at OFFSET 0) AS w
    WHERE s.silent OR d.delegated_at > $1::timestamptz - make_interval(secs => $3)
    LIMIT 1
) AS b ON true
WHERE d.state = 'pending' AND (p.seen_at >= d.delegated_at OR b.begun OR s.silent)
  AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = d.board)
ORDER BY d.board, d.agent, d.task LIMIT $5
"""

SETTLE = """
UPDATE delegations SET state = $3, settled_at = $4
WHERE board = $1 AND task = ANY ($2::bigint[]) AND state = 'pending' RETURNING task
"""

# Who could do it as well: of the same manager, with all that the silent one can, there and not paused.
CANDIDATES = f"""
SELECT c.id, c.name FROM agents a JOIN agents c ON c.board = a.board
JOIN presence p ON p.board = c.board AND p.agent = c.id
WHERE a.board = $1 AND a.id = $2 AND c.id <> a.id AND c.removed_at IS NULL
  AND c.manager IS NOT DISTINCT FROM a.manager AND c.capabilities @> a.capabilities
  AND p.worker_seen_at > $3::timestamptz - make_interval(secs => $4)
  AND NOT EXISTS (SELECT FROM pauses o WHERE o.board = c.board AND o.agent = c.id)
ORDER BY (SELECT count(*) FROM leases l WHERE l.board = c.board AND l.agent = c.id), c.id LIMIT {MOST_CANDIDATES}
"""

# Whether all that was to be done of a task is done or cancelled.
OVER = """
SELECT coalesce(bool_and(w.outcome IN ('done', 'cancelled') IS TRUE), false)
FROM artifacts a JOIN work_items w ON w.board = a.board AND w.id = a.newest_item WHERE a.board = $1 AND a.task = $2
"""


async def delegate(
    tx: Transaction,
    *,
    item: int,
    fence: int,
    tasks: Sequence[NewTask],
    artifacts: Sequence[NewArtifact] = (),
    note: str | None = None,
) -> dict[str, Any]:
    """Post tasks below the one in hand and give the claim back until they are complete: all of it, or nothing.

    A task without a parent stands below the item's task. Returns `{item, place, remaining, tasks, items}`. Raises what
    `post` raises, `LeaseLost`, `Invalid` (no task, an item of no task).
    """
    tx.require(Right.AGENT)
    if not tasks:
        raise Invalid("nothing is delegated", remedy="name at least one task")
    await tx.fetch(board_queries.LOCK_EDGES, tx.board)  # before the items, as everybody takes it
    lease = await leases.own(tx, item=item, fence=fence)
    row = await tx.fetchrow(
        "SELECT t.name AS task, g.name AS agent FROM work_items w"
        " JOIN artifacts a ON a.board = w.board AND a.id = w.artifact"
        " JOIN tasks t ON t.board = a.board AND t.id = a.task"
        " JOIN agents g ON g.board = w.board AND g.id = $3 WHERE w.board = $1 AND w.id = $2",
        tx.board,
        item,
        lease["agent"],
    )
    if row is None:
        raise Invalid("this work belongs to no task", remedy="post a task of its own for what is to be delegated")
    given = [replace(one, parent=one.parent or row["task"], delegator=one.delegator or row["agent"]) for one in tasks]
    posted = await intake.post_below(tx, given, artifacts, holding=item)
    below = {one.name for one in given}
    wanted = [one for one in posted.items if one.partition("/")[0] in below]
    answer = await gates.block_on(tx, item=item, fence=fence, on=wanted, note=note)
    return {**answer, "tasks": list(posted.tasks), "items": posted.items}


async def decline(tx: Transaction, *, task: str, reason: str) -> dict[str, Any]:
    """Give a delegated task back to who delegated it, who is told why; its agent does, or an operator.

    Claims of its work end. Returns `{task, agent, to, escalation}`. Raises `UnknownName`, `NotYours`, `WrongState`.
    """
    tx.require(Right.AGENT)
    row, why = await _hold(tx, task), _reason(reason)
    if tx.actor.right < Right.OPERATOR and tx.actor.agent != row["agent"]:
        raise NotYours(f"{task} was not delegated to {tx.actor.name}", remedy="its agent declines it", task=task)
    if row["agent"] is None or row["delegator"] in {None, row["agent"]}:
        raise WrongState(f"nobody delegated {task}", remedy="cancel it, or reassign it", task=task)
    await _require_unfinished(tx, row)
    items = [one["id"] for one in await tx.fetch(ITEMS, tx.board, row["id"], row["agent"])]
    await moves.move(tx, items, to=row["delegator"], reason=why, ending_claims=True)
    await tx.fetch(GIVE, tx.board, row["id"], row["delegator"])
    await tx.fetch(DECLINE, tx.board, row["id"], tx.now, why)
    told = {"task": row["id"], "reference": task, "agent": row["agent"], "to": row["delegator"], "reason": why}
    tx.record(Subject.TASK_DECLINED, told)
    asked = await escalations.raise_(
        tx, kind="declined", reference=task, owner=row["delegator"], severity="medium",
        question=f"{row['agent_name']} declines {task}: {why}. Its work is back with you.",
    )  # fmt: skip
    return {"task": task, "agent": row["agent_name"], "to": row["delegator_name"], "escalation": asked["item"]}


async def reassign(tx: Transaction, *, task: str, agent: str, reason: str) -> dict[str, Any]:
    """Give a task to another agent: who delegated it does, who does it now if nobody else did, or an operator.

    What is claimed goes on; what comes after it is the other's. Returns `{task, agent, before}`. Raises `UnknownName`,
    `NotYours`, `NotAccepted`, `DelegationLoop`, `TooDeep`, `WrongState` (it is that agent's already, or over).
    """
    tx.require(Right.AGENT)
    row, why = await _hold(tx, task), _reason(reason)
    if tx.actor.right < Right.OPERATOR and tx.actor.agent != (row["delegator"] or row["agent"]):
        raise NotYours(f"{tx.actor.name} did not delegate {task}", remedy="who delegated it reassigns it", task=task)
    to = (await agents.ids(tx, [agent]))[agent]
    await _require_unfinished(tx, row)
    await _give(tx, row, to, why)
    return {"task": task, "agent": agent, "before": row["agent_name"]}


async def cancel_task(
    tx: Transaction, *, task: str, reason: str, cascade: bool = False, waive: bool = False
) -> dict[str, Any]:
    """Cancel a task with all below it, the leaves first; what was completed of them is undone as is declared.

    Dead letters among them are discarded, and what somebody was asked about these tasks is answered by it.
    What waits for it from outside is named, and `cascade` or `waive` says what becomes of it. Returns `{task,
    cancelled, undone, unknown}`. Raises `UnknownName`, `NotYours`, `HasDependents`, `Invalid` (more than 10,000 tasks),
    `WrongState` (all of it is over, and nothing is to be undone).
    """
    tx.require(Right.AGENT)
    if cascade and waive:
        raise Invalid("either cascade or waive", remedy="leave one of them out")
    why = _reason(reason)
    await tx.fetch(board_queries.LOCK_EDGES, tx.board)  # nothing comes below it meanwhile
    row = await _hold(tx, task)
    if tx.actor.right < Right.OPERATOR and tx.actor.agent not in {row["agent"], row["delegator"]}:
        raise NotYours(f"{tx.actor.name} neither does nor delegated {task}", remedy="ask its delegator", task=task)
    subtree = [one["id"] for one in await _subtree(tx, row)]
    open_ = {one["id"]: one["reference"] for one in await tx.fetch(OPEN, tx.board, subtree)}
    outside = [one for one in await tx.fetch(queries.DOWNSTREAM, tx.board, sorted(open_)) if one["id"] not in open_]
    if outside and not cascade and not waive:
        raise gates.refuse_dependents(task, [dict(one) for one in outside])
    if cascade:
        await gates.require_say(tx, [one["id"] for one in outside])
    answer: dict[str, Any] = {"task": task, "cancelled": [], "undone": [], "unknown": []}
    for one in subtree:
        undone = await compensation.roll_back(tx, one, why)
        answer["cancelled"] += undone["cancelled"]
        answer["undone"] += undone["posted"]
        answer["unknown"] += undone["unknown"]
    rows = await tx.fetch(OPEN, tx.board, subtree)
    left = [one["id"] for one in rows if not one["dead"]] + ([one["id"] for one in outside] if cascade else [])
    dead = [one["id"] for one in rows if one["dead"]]
    for subject, numbers in ((Subject.ITEM_CANCELLED, left), (Subject.ITEM_DISCARDED, dead)):
        if numbers:
            ended = await endings.end(tx, subject, sorted(numbers), reason=why, leave=True)
            answer["cancelled"] += [one["reference"] for one in ended]
    for asked in await tx.fetch(ASKED, tx.board, subtree):
        await escalations.settle(tx, escalation=asked["item"], answer="cancelled")
    if waive and open_:
        numbers = sorted(open_)
        tx.record(Subject.ITEM_WAIVED, {"items": numbers})
        await tx.flush()  # what opens now is told after what opened it
        await tx.fetch(queries.END_WAIT, tx.board, numbers)
        await gates.release_dependents(tx, numbers)
    if not any(answer[key] for key in ("cancelled", "undone", "unknown")):
        raise _over(task)
    return answer


async def due(tx: Statement, *, now: datetime | None = None, limit: int = 100) -> list[tuple[BoardId, list[Any]]]:
    """Delegations to be settled, whatever the board: for each change its board, and what `settle` takes."""
    moment = now or await tx.fetchval("SELECT clock_timestamp()")
    given = (LIVE_SECONDS, ACKNOWLEDGE_SECONDS, ACKNOWLEDGE_WITHOUT_WORKER_SECONDS, limit)
    rows = await tx.fetch(DUE, moment, *given)
    heard: dict[tuple[int, int], list[Any]] = {}
    for row in rows:
        if row["heard"]:
            heard.setdefault((row["board"], row["agent"]), []).append(row)
    changes = [*heard.values(), *([row] for row in rows if not row["heard"])]
    return [(BoardId(change[0]["board"]), change) for change in changes]


async def settle(tx: Transaction, due: Sequence[Any]) -> None:
    """Acknowledge what one agent was heard of after, or find another for what it was silent about."""
    if not due[0]["heard"]:
        await _unanswered(tx, due[0])
        return
    tasks = [row["task"] for row in due]
    settled = [one["task"] for one in await tx.fetch(SETTLE, tx.board, tasks, "acknowledged", tx.now)]
    if settled:
        tx.record(Subject.TASK_ACKNOWLEDGED, {"tasks": sorted(settled), "agent": due[0]["agent"]})


async def _unanswered(tx: Transaction, due: Any) -> None:
    """Nobody was heard of: somebody else gets it, or who delegated it is asked."""
    row = await _hold(tx, due["task"])
    if not await tx.fetch(SETTLE, tx.board, [due["task"]], "unanswered", tx.now):
        return
    told = {"task": due["task"], "reference": row["name"], "agent": due["agent"], "delegator": due["delegator"]}
    tx.record(Subject.TASK_UNANSWERED, told)
    if await tx.fetchval(OVER, tx.board, row["id"]):
        return
    silent = f"{row['agent_name']} was not heard of after {row['name']} was delegated to it"
    if due["on_no_ack"] == "reassign_or_escalate":
        for one in await tx.fetch(CANDIDATES, tx.board, due["agent"], tx.now, LIVE_SECONDS):
            try:
                await _give(tx, row, one["id"], silent)
            except SlateError:  # that one does not accept it, or stands in the chain
                continue
            return
    await escalations.raise_(
        tx, kind="unanswered", reference=row["name"], owner=due["delegator"], severity="high",
        question=f"{silent}, and nobody else can take it. Reassign it, or cancel it.",
    )  # fmt: skip


async def _give(tx: Transaction, row: Any, to: int, reason: str) -> None:
    """A held task goes to another agent, if it may; its delegation begins anew."""
    if to == row["agent"]:
        raise WrongState(f"{row['name']} is {row['agent_name']}'s already", remedy="name another agent")
    await delegations.check(tx, delegations.given_to(row, to, below=reversed((await _subtree(tx, row))[:-1])))
    items: list[Any] = []
    if row["agent"] is not None:
        items = [one["id"] for one in await tx.fetch(ITEMS, tx.board, row["id"], row["agent"])]
    await moves.move(tx, items, to=to, reason=reason)
    await tx.fetch(GIVE, tx.board, row["id"], to)
    await delegations.renew(tx, [row["id"]])
    told = {"task": row["id"], "reference": row["name"], "agent": to, "before": row["agent"], "reason": reason}
    tx.record(Subject.TASK_REASSIGNED, told)


async def _hold(tx: Transaction, task: str | int) -> Any:
    """The task of this name or id, held."""
    row = await tx.fetchrow(HOLD, tx.board, *((task, None) if isinstance(task, str) else (None, task)))
    if row is None:
        raise UnknownName(f"there is no task {task!r} on this board", remedy="see `slate get tasks`", task=task)
    return row


async def _subtree(tx: Transaction, row: Any) -> list[Any]:
    """A held task, last, and all below it, with their parents, agents and delegators: children before their parents."""
    found = await tx.fetch(SUBTREE, tx.board, row["id"])
    if len(found) > MOST_IN_SUBTREE:
        raise Invalid(f"{row['name']} has more than {MOST_IN_SUBTREE:,} tasks", remedy="take parts of it first")
    return found


async def _require_unfinished(tx: Transaction, row: Any) -> None:
    if await tx.fetchval(OVER, tx.board, row["id"]):
        raise _over(row["name"])


def _over(task: str) -> WrongState:
    remedy = "ask for a new version with `slate revise`, or post new work"
    return WrongState(f"{task} is over: nothing of it is left to be done", remedy=remedy, task=task)


def _reason(reason: str) -> str:
    if not 1 <= len(reason.strip()) <= MOST_CHARACTERS:
        raise Invalid(f"a reason has 1 to {MOST_CHARACTERS:,} characters", remedy="say why; it is kept in the log")
    return reason.strip()
