"""The briefing of a work item: all that its worker needs to know, in one statement.

The titles and briefs of every task above, the inputs with their versions, the decisions in force, the peers that its
agent may consult or tells, the attempts before this one with their errors and notes, and the checkpoint that was left.
Peer text is data, with its author on it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import UnknownName
from slateboard.protocol.rights import Right
from slateboard.work import queries
from slateboard.work.meeting_briefing import MEETING

if TYPE_CHECKING:
    from slateboard.transaction import Statement

MOST_BRIEF_BYTES = 65_536
"""Of the briefs of all tasks above an item, together."""

MOST_PEERS = 200

BRIEFING = f"""
WITH RECURSIVE item AS (
    SELECT w.*, a.task, a.name AS artifact_name, a.title, a.brief, a.path, a.rules
    FROM work_items w LEFT JOIN artifacts a ON a.board = w.board AND a.id = w.artifact
    WHERE w.board = $1 AND w.id = $2
),
chain (id, name, title, brief, parent, agent, hops) AS (
    SELECT t.id, t.name, t.title, t.brief, t.parent, t.agent, 0
    FROM item i JOIN tasks t ON t.board = $1 AND t.id = i.task
    UNION ALL
    SELECT t.id, t.name, t.title, t.brief, t.parent, t.agent, c.hops + 1
    FROM chain c JOIN tasks t ON t.board = $1 AND t.id = c.parent WHERE c.hops < 32
)
SELECT json_build_object(
    'item', i.id, 'kind', i.kind, 'reference', i.reference, 'artifact', i.artifact_name, 'title', i.title,
    'brief', i.brief, 'path', i.path, 'due', i.due, 'revision', i.revision, 'attempt', i.attempts + 1,
    'last_error', i.last_error,
    'chain', (SELECT coalesce(json_agg(json_build_object(
                  'task', c.name, 'title', c.title, 'brief', c.brief,
                  'agent', (SELECT g.name FROM agents g WHERE g.board = $1 AND g.id = c.agent)) ORDER BY c.hops), '[]')
              FROM chain c),
    'inputs', (SELECT coalesce(json_agg(json_build_object(
                   'reference', b.reference, 'version', v.version, 'author', v.author, 'path', v.path, 'uri', v.uri,
                   'content', v.content, 'hash', v.hash, 'summary', v.summary) ORDER BY b.reference), '[]')
               FROM (SELECT d.blocker FROM dependencies d WHERE d.board = $1 AND d.item IN (i.id, i.artifact)
                     ORDER BY d.blocker LIMIT 200) AS d
               JOIN work_items b ON b.board = $1 AND b.id = d.blocker AND b.artifact IS NOT NULL
               LEFT JOIN LATERAL (SELECT * FROM artifact_versions v WHERE v.board = $1 AND v.artifact = b.artifact
                                    AND {queries.STANDS}
                                  ORDER BY v.version DESC LIMIT 1) AS v ON true),
    'decisions', (SELECT coalesce(json_agg(json_build_object(
                      'subject', d.subject, 'decision', d.decision, 'rationale', d.rationale, 'agent', d.agent)
                      ORDER BY d.id), '[]')
                  FROM (SELECT * FROM decisions d WHERE d.board = $1 AND d.status = 'accepted'
                        AND (d.task IS NULL OR d.task IN (SELECT id FROM chain)) ORDER BY d.id DESC LIMIT 100) AS d),
    'attempts', (SELECT coalesce(json_agg(json_build_object(
                     'attempt', t.attempt, 'worker', t.worker, 'outcome', t.outcome, 'class', t.class,
                     'error', t.error, 'note', t.note, 'started_at', t.started_at, 'ended_at', t.ended_at)
                     ORDER BY t.attempt), '[]')
                 FROM (SELECT * FROM attempts t WHERE t.board = $1 AND t.item = i.id
                       ORDER BY t.fence DESC LIMIT 20) AS t),
    'events', (SELECT json_agg(e.event ORDER BY e.position) FROM deliveries d,
               LATERAL unnest(d.positions) AS p (position),
               LATERAL (SELECT e.position, json_build_object(
                            'position', e.position, 'subject', e.subject, 'payload', e.payload::json,
                            'actor', e.actor, 'correlation', e.correlation, 'happened_at', e.happened_at) AS event
                        FROM events e WHERE e.board = $1 AND e.position = p.position OFFSET 0) AS e
               WHERE d.board = $1 AND d.item = i.id),
    'awaited', (SELECT CASE WHEN n.error IS NOT NULL THEN json_build_object('error', n.error)
                            WHEN n.position IS NULL THEN json_build_object('timed_out', true)
                            ELSE (SELECT json_build_object(
                                      'position', e.position, 'subject', e.subject, 'payload', e.payload::json,
                                      'actor', e.actor, 'correlation', e.correlation, 'happened_at', e.happened_at)
                                  FROM events e WHERE e.board = $1 AND e.position = n.position) END
                FROM event_waits n WHERE n.board = $1 AND n.item = i.id AND n.ended_at IS NOT NULL),
    'question', (SELECT json_build_object(
                     'question', q.question, 'kind', q.kind, 'options', q.options, 'default', q.default_answer,
                     'severity', q.severity, 'asked_by', q.asked_by, 'deadline', q.deadline, 'about', q.about,
                     'thread', (SELECT c.thread FROM consults c WHERE c.board = $1 AND c.item = q.item))
                 FROM escalations q WHERE q.board = $1 AND q.item = i.id),
    'answers', (SELECT coalesce(json_agg(json_build_object(
                    'question', q.question, 'answer', q.answer, 'answered_by', q.answered_by,
                    'answered_at', q.answered_at,
                    'thread', (SELECT c.thread FROM consults c WHERE c.board = $1 AND c.item = q.item))
                    ORDER BY q.item), '[]')
                FROM escalations q WHERE q.board = $1 AND q.about = i.id AND q.answered_at IS NOT NULL),
    'verification', (SELECT json_build_object(
                         'version', n.version, 'hash', n.hash, 'proven', n.hash IS NOT NULL, 'criteria', n.criteria,
                         'author', v.author, 'path', v.path, 'uri', v.uri, 'content', v.content,
                         'summary', v.summary, 'evidence', coalesce(v.evidence, '[]'), 'deadline', n.deadline)
                     FROM verifications n JOIN artifact_versions v
                       ON v.board = n.board AND v.artifact = n.artifact AND v.version = n.version
                     WHERE n.board = $1 AND n.item = i.id),
    'reviews', (SELECT coalesce(json_agg(json_build_object(
                    'version', n.version, 'verdict', n.verdict, 'reason', n.reason, 'judged_by', n.judged_by,
                    'judged_at', n.judged_at) ORDER BY n.item), '[]')
                FROM (SELECT * FROM verifications n WHERE n.board = $1 AND n.about = i.id AND n.verdict IS NOT NULL
                      ORDER BY n.item DESC LIMIT 20) AS n),
    'compensation', (SELECT json_build_object(
                         'step', c.reference, 'version', c.version, 'action', c.action, 'because', c.because,
                         'idempotency_key', concat(o.name, '/', c.reference, '@', c.version, '/undo'),
                         'author', v.author, 'path', v.path, 'uri', v.uri, 'content', v.content, 'hash', v.hash,
                         'summary', v.summary)
                     FROM compensations c JOIN boards o ON o.id = c.board JOIN artifact_versions v
                       ON v.board = c.board AND v.artifact = c.artifact AND v.version = c.version
                     WHERE c.board = $1 AND c.item = i.id),
    'meeting', {MEETING},
    'peers', (SELECT coalesce(json_agg(json_build_object('agent', r.name, 'kind', r.kind, 'topic', r.label)
                                       ORDER BY r.kind, r.name, r.label), '[]')
              FROM (SELECT o.name, r.kind, r.label FROM routes r
                    JOIN agents o ON o.board = r.board AND o.id = r.other AND o.removed_at IS NULL
                    WHERE r.board = $1 AND r.agent = coalesce(
                        (SELECT l.agent FROM leases l WHERE l.board = $1 AND l.item = i.id), i.inbox)
                    ORDER BY r.other, r.kind, r.label LIMIT {MOST_PEERS}) AS r),
    'criteria', i.rules ->> 'criteria', 'evidence', i.rules -> 'evidence',
    'checkpoint', (SELECT c.data::json FROM checkpoints c WHERE c.board = $1 AND c.item = i.id),
    'note', (SELECT c.note FROM checkpoints c WHERE c.board = $1 AND c.item = i.id)
) FROM item i
"""


async def briefing(tx: Statement, *, item: int) -> dict[str, Any]:
    """The briefing of one item, as plain JSON values. Raises `UnknownName`.

    `awaited` is what ended its last wait: the event, `{"timed_out": true}`, or the `error` of its filter. That of a
    delivery has the `event` to handle, and of an `all_of` every one of its `events`, in the log's order.
    """
    tx.require(Right.READER)
    text = await tx.fetchval(BRIEFING, tx.board, item)
    if text is None:
        raise UnknownName(f"there is no work item {item}", remedy="see `slate work list`", item=item)
    found: dict[str, Any] = json.loads(text)
    _shorten(found["chain"])
    events = found.pop("events")
    if events:
        found |= {"event": events[-1], "events": events if len(events) > 1 else []}
    return found


def _shorten(chain: list[dict[str, Any]]) -> None:
    """Cut the briefs of the hops to `MOST_BRIEF_BYTES` in all, the most specific first; what was cut says so."""
    room = MOST_BRIEF_BYTES
    for hop in chain:
        brief = hop["brief"].encode()
        hop["cut"] = len(brief) > room
        if hop["cut"]:
            hop["brief"] = brief[:room].decode(errors="ignore")
        room -= min(room, len(brief))
