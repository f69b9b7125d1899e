"""What must hold at the end on the board of the organisation, read from its log and beside it from its tables.

Every task is accounted for, every meeting is over within its limit with outcomes that its votes earned, every consult
was answered once or its asker told, no thread is lost; and the fold of the whole log is exactly the tables.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from scripts.implementation.chaos import endings, organisation
from slateboard.patterns.meetings.rules import tally
from slateboard.protocol.meetings import DecisionModel
from slateboard.reports.past.fold import COLUMNS, Entry, State, fold, key_of

if TYPE_CHECKING:
    from pathlib import Path

    import asyncpg

    from scripts.implementation.chaos.endings import Log
    from scripts.implementation.place import Place

    Connection = asyncpg.Connection[Any]

LATE_SECONDS = 15.0
"""How long after its limit a meeting may be ended: the server or Postgres may be down just then."""
SOURCES = {"boards": "boards WHERE id = $1", "places": "item_places WHERE board = $1"}
JSON_COLUMNS = {"evidence", "options", "rules", "usage"}

WRONG: dict[str, str] = {
    "a task was posted and is not there": """
SELECT p.name FROM (SELECT t ->> 'name' AS name FROM events e, jsonb_array_elements(e.payload::jsonb -> 'tasks') AS t
                    WHERE e.board = $1 AND e.subject = 'board.task.posted') AS p
WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.board = $1 AND t.name = p.name)""",
    "a task has no delegation": """
SELECT t.name FROM tasks t LEFT JOIN delegations d ON d.board = t.board AND d.task = t.id
WHERE t.board = $1 AND t.delegator IS NOT NULL
  AND (d.task IS NULL AND t.agent <> t.delegator OR d.agent <> t.agent AND d.state <> 'declined')""",
    "a delegation is pending": """
SELECT t.name FROM delegations d JOIN tasks t ON t.board = d.board AND t.id = d.task
WHERE d.board = $1 AND d.state = 'pending'""",
    "a chain is too deep, or names an agent twice": """
WITH RECURSIVE way (task, agents) AS (
    SELECT id, ARRAY[delegator, agent] FROM tasks
    WHERE board = $1 AND parent IS NULL AND delegator IS NOT NULL AND agent <> delegator
    UNION ALL
    SELECT t.id, w.agents || t.agent FROM way w JOIN tasks t ON t.board = $1 AND t.parent = w.task
    WHERE t.agent <> t.delegator)
SELECT (SELECT name FROM tasks WHERE board = $1 AND id = task) FROM way
WHERE cardinality(agents) > 6
   OR cardinality(agents) <> (SELECT count(DISTINCT one) FROM unnest(agents) AS a (one))""",
    "who accepts nothing has work": """
SELECT t.name FROM tasks t JOIN agents a ON a.board = t.board AND a.id = t.agent
WHERE t.board = $1 AND a.accepts_from = '{}' AND t.delegator IS NOT NULL""",
    "a consult is open, or was answered twice": """
SELECT 'consult ' || c.item FROM consults c LEFT JOIN escalations e ON e.board = c.board AND e.item = c.item
LEFT JOIN work_items w ON w.board = c.board AND w.id = c.item
WHERE c.board = $1 AND (e.item IS NULL OR e.answered_at IS NULL AND w.outcome IS DISTINCT FROM 'cancelled'
   OR (SELECT count(*) FROM events v WHERE v.board = $1 AND v.subject = 'board.escalation.answered'
         AND (v.payload::jsonb ->> 'item')::bigint = c.item) > 1)""",
    "an answer of a consult stands not once on its thread": """
SELECT 'consult ' || c.item FROM consults c JOIN escalations e ON e.board = c.board AND e.item = c.item
WHERE c.board = $1 AND (e.answer IS NOT NULL)::int <> (
    SELECT count(*) FROM messages m WHERE m.board = $1 AND m.thread = c.thread AND m.consult = c.item
      AND m.kind = 'answer' AND m.text = e.answer)""",
    "nobody told who asked that a consult was not answered": """
SELECT 'consult ' || c.item || ' ended by ' || e.answered_by || ' about ' || coalesce(e.about::text, 'nothing')
FROM consults c JOIN escalations e ON e.board = c.board AND e.item = c.item
WHERE c.board = $1 AND e.answered_at IS NOT NULL AND e.answer IS NULL AND c.request IS NULL
  AND e.answered_by <> 'withdrawn' AND NOT EXISTS (
    SELECT FROM messages m WHERE m.board = $1 AND m.thread = c.thread AND m.consult = c.item AND m.kind = 'overdue')""",
    "a request is open, or has more answers than count": """
SELECT 'request ' || r.id FROM requests r WHERE r.board = $1 AND (r.closed_at IS NULL OR r.answers < (
    SELECT count(*) FROM consults c JOIN escalations e ON e.board = c.board AND e.item = c.item
    WHERE c.board = $1 AND c.request = r.id AND e.answer IS NOT NULL))""",
    "a request was closed without its answers, and nobody was told": """
SELECT 'request ' || r.id FROM requests r
WHERE r.board = $1 AND r.answers > (SELECT count(*) FROM messages m WHERE m.board = $1 AND m.thread = r.thread
                                    AND m.kind = 'answer')
  AND NOT EXISTS (SELECT FROM messages m WHERE m.board = $1 AND m.thread = r.thread AND m.kind = 'overdue')""",
    "a thread is lost": """
SELECT 'thread ' || t.id FROM threads t WHERE t.board = $1
  AND (NOT EXISTS (SELECT FROM messages m WHERE m.board = $1 AND m.thread = t.id)
       OR NOT EXISTS (SELECT FROM thread_members m WHERE m.board = $1 AND m.thread = t.id))
UNION ALL
SELECT 'consult ' || c.item FROM consults c WHERE c.board = $1
  AND NOT EXISTS (SELECT FROM threads t WHERE t.board = $1 AND t.id = c.thread)""",
    "a meeting is neither over nor waits for somebody who was asked": """
SELECT 'meeting ' || m.id || ' ' || m.state FROM meetings m
WHERE m.board = $1 AND m.state NOT IN ('adjourned', 'cancelled') AND NOT (m.state = 'escalated' AND EXISTS (
    SELECT FROM escalations e WHERE e.board = $1 AND e.item = m.escalation AND e.answered_at IS NULL))""",
    "a meeting still asks something": """
SELECT 'meeting ' || m.id FROM meetings m JOIN meeting_turns t ON t.board = m.board AND t.meeting = m.id
WHERE m.board = $1 AND m.state IN ('adjourned', 'cancelled') AND t.ended_at IS NULL""",
    "a meeting went on past its limit": f"""
SELECT 'meeting ' || m.id FROM meetings m WHERE m.board = $1
  AND (m.adjourned_at > m.ends_at + interval '{LATE_SECONDS} s' OR EXISTS (
    SELECT FROM statements s WHERE s.board = $1 AND s.meeting = m.id AND s.said_at >= m.ends_at UNION ALL
    SELECT FROM vote_changes v WHERE v.board = $1 AND v.meeting = m.id AND v.voted_at >= m.ends_at UNION ALL
    SELECT FROM motions o WHERE o.board = $1 AND o.meeting = m.id AND o.proposed_at >= m.ends_at UNION ALL
    SELECT FROM agenda_items i WHERE i.board = $1 AND i.meeting = m.id AND i.closed_at >= m.ends_at
      AND i.outcome <> 'deferred'))""",
    "a vote came from no seat, or is a veto of a seat without one": """
SELECT 'meeting ' || v.meeting FROM votes v LEFT JOIN meeting_seats s
  ON s.board = v.board AND s.meeting = v.meeting AND s.agent = v.agent AND s.seated
WHERE v.board = $1 AND (s.agent IS NULL OR v.choice = 'veto' AND NOT s.may_veto)""",
    "a seat has more than one vote in the log": """
SELECT 'meeting ' || meeting FROM (
    SELECT r ->> 'meeting' AS meeting, r ->> 'number' AS number, r ->> 'agent' AS agent, r ->> 'changes' AS change
    FROM events e, jsonb_array_elements(e.payload::jsonb -> 'rows' -> 'votes') AS r
    WHERE e.board = $1 AND e.subject = 'board.vote.cast') AS v
GROUP BY meeting, number, agent, change HAVING count(*) > 1""",
    "an action item of a motion that failed is a task, or one of a motion that was carried is none": """
SELECT 'action item ' || a.id FROM action_items a
WHERE a.board = $1 AND (EXISTS (SELECT FROM tasks t WHERE t.board = $1 AND t.name = a.task)) <> EXISTS (
    SELECT FROM agenda_items i WHERE i.board = $1 AND i.meeting = a.meeting AND i.motion = a.motion
      AND i.outcome = 'approved')
UNION ALL
SELECT t.name FROM tasks t WHERE t.board = $1 AND t.source LIKE 'meeting:%'
  AND NOT EXISTS (SELECT FROM action_items a WHERE a.board = $1 AND a.task = t.name)""",
}

CLOSED = """
SELECT i.meeting, i.number, i.outcome, i.decision, m.quorum, m.decision_model,
       (SELECT count(*) FROM meeting_seats s WHERE s.board = m.board AND s.meeting = m.id AND s.seated) AS seats,
       (SELECT count(*) FROM statements s WHERE s.board = m.board AND s.meeting = m.id AND s.number = i.number
          AND s.kind = 'concern' AND s.settled IS NULL) AS concerns,
       ARRAY(SELECT v.choice FROM votes v WHERE v.board = m.board AND v.meeting = m.id AND v.number = i.number) AS votes
FROM agenda_items i JOIN meetings m ON m.board = i.board AND m.id = i.meeting
WHERE i.board = $1 AND i.stage = 'closed'
"""

BELOW = """
WITH RECURSIVE below (id) AS (
    SELECT id FROM tasks WHERE board = $1 AND name = $2
    UNION ALL SELECT t.id FROM below b JOIN tasks t ON t.board = $1 AND t.parent = b.id)
SELECT w.reference FROM below b JOIN artifacts a ON a.board = $1 AND a.task = b.id
JOIN work_items w ON w.board = $1 AND w.id = a.newest_item WHERE w.outcome IS NULL OR w.outcome = 'dead'
"""

LOG = """
SELECT position, id, subject, payload, actor, correlation, depth, happened_at
FROM events WHERE board = $1 ORDER BY position
"""


async def faults(owner: Connection, board: int, place: Place, folder: Path, cancelled: list[str]) -> list[str]:
    """All that is wrong with the board, at most a few of each kind."""
    log = await endings.read(owner, board)
    found = [
        await endings.ended(owner, board, log),
        await endings.left(owner, board, place, organisation.BOARD),
        await endings.told_of_deaths(owner, board),
        await endings.accepted_once(owner, board, log),
        *[[f"{what}: {row[0]}" for row in await owner.fetch(sql, board)] for what, sql in WRONG.items()],
        await _earned(owner, board),
        await _nothing_left_below(owner, board, cancelled),
        await _folded(owner, board),
        _happened(log),
        endings.believed(folder, "organisation-"),
    ]
    return [f"{organisation.BOARD}: {one}" for several in found for one in several[: endings.MOST_TOLD]]


async def _earned(owner: Connection, board: int) -> list[str]:
    """What was closed with an outcome other than deferred, its votes made of it; and what is approved is a decision."""
    wrong: list[str] = []
    for row in await owner.fetch(CLOSED, board):
        model = DecisionModel(row["decision_model"])
        made = tally(row["votes"], seats=row["seats"], quorum=row["quorum"], model=model)
        approved = row["outcome"] == "approved"
        if row["outcome"] not in {"deferred", made} or approved != (row["decision"] is not None):
            wrong.append(f"item {row['number']} of meeting {row['meeting']} is {row['outcome']} by {row['votes']}")
        if approved and row["concerns"]:
            wrong.append(f"item {row['number']} of meeting {row['meeting']} is approved with an open concern")
    return wrong


async def _nothing_left_below(owner: Connection, board: int, cancelled: list[str]) -> list[str]:
    """Of a task that was cancelled nothing is left to be done, nor below it."""
    return [
        f"{row['reference']} is open, and {task} was cancelled"
        for task in cancelled
        for row in await owner.fetch(BELOW, board, task)
    ]


async def _folded(owner: Connection, board: int) -> list[str]:
    """The fold of the whole log is the tables, as of one moment."""
    wrong: list[str] = []
    async with owner.transaction(isolation="repeatable_read", readonly=True):
        if await owner.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1", board):
            return ["there are changes that nobody has sealed"]
        state = fold(State(board), [Entry(*row.values()) for row in await owner.fetch(LOG, board)])
        for table, columns in COLUMNS.items():
            names = ", ".join(f'"{name}"' for name in columns)
            rows = await owner.fetch(f"SELECT {names} FROM {SOURCES.get(table, f'{table} WHERE board = $1')}", board)
            live = {key_of(table, row): row for row in (_plain(dict(row)) for row in rows)}
            told = state.tables[table]
            differ = [key for key in live.keys() | told.keys() if live.get(key) != told.get(key)]
            wrong += [f"{table} {key}: {live.get(key)} is there, and {told.get(key)} was told" for key in differ[:2]]
    return wrong


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
        for name, value in row.items()
    }


def _happened(log: Log) -> list[str]:
    """What never happened is not proven."""
    seen = Counter(subject for subject, _ in log.events)
    wanted = (
        "task.acknowledged", "task.declined", "task.reassigned", "task.unanswered", "item.cancelled", "consult.asked",
        "request.closed", "meeting.opened", "meeting.adjourned", "turn.missed", "vote.cast",
    )  # fmt: skip
    return [f"nothing was {one}" for one in wanted if not seen[f"board.{one}"]]


async def counts(owner: Connection, board: int) -> str:
    """What happened, in one line: nothing is proven by a run in which it did not."""
    rows = await owner.fetch(
        "SELECT subject, count(*) FROM events WHERE board = $1 AND subject ~ $2 GROUP BY 1 ORDER BY 1",
        board,
        r"^board\.(task|consult|request|meeting|vote|turn|agenda|thread)\.|^board\.item\.(cancelled|died|moved|pinned)",
    )
    return ", ".join(f"{row['count']} {row['subject'].removeprefix('board.')}" for row in rows)
