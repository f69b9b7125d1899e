"""The statements of meetings, each named."""

from __future__ import annotations

HOLD = "SELECT * FROM meetings WHERE board = $1 AND id = $2 FOR UPDATE"

SEATS = """
SELECT s.*, g.name, g.role, g.removed_at IS NOT NULL AS removed
FROM meeting_seats s JOIN agents g ON g.board = s.board AND g.id = s.agent
WHERE s.board = $1 AND s.meeting = $2 ORDER BY s.position
"""

AGENDA = "SELECT * FROM agenda_items WHERE board = $1 AND meeting = $2 ORDER BY number"

# What is asked and not ended, and all that was asked about one item of the agenda.
TURNS = """
SELECT * FROM meeting_turns WHERE board = $1 AND meeting = $2 AND (ended_at IS NULL OR number = $3) ORDER BY item
"""

CONCERNS = """
SELECT * FROM statements
WHERE board = $1 AND meeting = $2 AND number = $3 AND kind = 'concern' AND settled IS NULL ORDER BY id
"""

VOTES = "SELECT * FROM votes WHERE board = $1 AND meeting = $2 AND number = $3 ORDER BY agent"

MEETING_OF_TURN = "SELECT meeting FROM meeting_turns WHERE board = $1 AND item = $2"
MEETING_OF_STATEMENT = "SELECT meeting FROM statements WHERE board = $1 AND id = $2"
MEETING_OF_ESCALATION = "SELECT id FROM meetings WHERE board = $1 AND escalation = $2"

INSERT = """
INSERT INTO meetings (board, title, state, scheduled_by, organiser, chair, decision_required, max_seconds, quorum,
                      decision_model, veto_roles, turn_seconds, vote_seconds, source, starts_at, scheduled_at)
VALUES ($1, $2, 'scheduled', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING *
"""

INSERT_SEATS = """
INSERT INTO meeting_seats (board, meeting, agent, position, required)
SELECT $1, $2, g.agent, g.position, g.required
FROM unnest($3::bigint[], $4::smallint[], $5::boolean[]) AS g (agent, position, required) RETURNING *
"""

INSERT_AGENDA = """
INSERT INTO agenda_items (board, meeting, number, title)
SELECT $1, $2, g.number, g.title FROM unnest($3::text[]) WITH ORDINALITY AS g (title, number) RETURNING *
"""

INSERT_TURN = """
INSERT INTO meeting_turns (board, item, meeting, number, round, agent, kind, deadline)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
"""

END_TURNS = """
UPDATE meeting_turns SET outcome = $3, ended_at = $4 WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING *
"""

SET_DEADLINE = "UPDATE meeting_turns SET deadline = $3 WHERE board = $1 AND item = $2 RETURNING *"

SEAT = """
UPDATE meeting_seats SET seated = $4, present = $5, may_veto = $6, joined_at = $7
WHERE board = $1 AND meeting = $2 AND agent = $3 RETURNING *
"""

STATE = """
UPDATE meetings
SET state = $3, chair = $4, starts_at = $5, waits_until = $6, moves = $7, escalation = $8, opened_at = $9,
    ends_at = $10, adjourned_at = $11, ended_because = $12
WHERE board = $1 AND id = $2 RETURNING *
"""

ITEM = """
UPDATE agenda_items
SET stage = $4, round = $5, motion = $6, outcome = $7, reason = $8, decision = $9, opened_at = $10, closed_at = $11
WHERE board = $1 AND meeting = $2 AND number = $3 RETURNING *
"""

INSERT_STATEMENT = """
INSERT INTO statements (board, meeting, number, round, agent, kind, text, said_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
"""

SAID_IN_ROUND = """
SELECT count(*) FROM statements WHERE board = $1 AND meeting = $2 AND number = $3 AND round = $4 AND agent = $5
"""

SETTLE = """
UPDATE statements SET settled = $3, settled_by = $4, settled_because = $5, settled_at = $6
WHERE board = $1 AND id = $2 RETURNING *
"""

INSERT_MOTION = """
INSERT INTO motions (board, meeting, number, agent, text, rationale, subject, proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
"""

MOTION = "SELECT * FROM motions WHERE board = $1 AND id = $2"

INSERT_ACTION = """
INSERT INTO action_items (board, meeting, motion, position, title, brief, owner, due_seconds)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
"""

# The action items of a motion, each with its owner, unless that was removed meanwhile.
ACTIONS = """
SELECT a.*, g.name AS owner_name
FROM action_items a LEFT JOIN agents g ON g.board = a.board AND g.id = a.owner AND g.removed_at IS NULL
WHERE a.board = $1 AND a.motion = $2 ORDER BY a.position
"""

BECOME_TASK = "UPDATE action_items SET task = $3 WHERE board = $1 AND id = $2 RETURNING *"

VOTE = """
INSERT INTO votes (board, meeting, number, agent, choice, rationale, voted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (board, meeting, number, agent) DO UPDATE
SET choice = excluded.choice, rationale = excluded.rationale, voted_at = excluded.voted_at, changes = votes.changes + 1
RETURNING *
"""

KEEP_VOTE = """
INSERT INTO vote_changes (board, meeting, number, agent, change, choice, rationale, voted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
"""

# Whom to ask about a meeting: who scheduled it, else the manager of the chair or of somebody invited, else a person,
# else the first of those invited.
WHOM = """
SELECT coalesce(
    (SELECT g.id FROM agents g WHERE g.board = $1 AND g.id = $3 AND g.removed_at IS NULL),
    (SELECT m.id FROM meeting_seats s
     JOIN agents g ON g.board = s.board AND g.id = s.agent
     JOIN agents m ON m.board = s.board AND m.id = g.manager AND m.removed_at IS NULL
     WHERE s.board = $1 AND s.meeting = $2 ORDER BY s.agent = $4 DESC, s.position LIMIT 1),
    (SELECT min(g.id) FROM agents g WHERE g.board = $1 AND g.kind = 'human' AND g.removed_at IS NULL),
    (SELECT s.agent FROM meeting_seats s WHERE s.board = $1 AND s.meeting = $2 ORDER BY s.position LIMIT 1))
"""

ACCEPTED = "SELECT id FROM decisions WHERE board = $1 AND subject = $2 AND status = 'accepted'"

# What is past its time, whatever the board: meetings that are to begin, that waited long enough, whose limit is over,
# and those in which a turn is.
DUE = """
WITH due AS (
    (SELECT board, id, starts_at AS at FROM meetings WHERE state = 'scheduled' AND starts_at <= $1 ORDER BY 3 LIMIT $2)
    UNION ALL
    (SELECT board, id, waits_until FROM meetings WHERE state = 'waiting' AND waits_until <= $1 ORDER BY 3 LIMIT $2)
    UNION ALL
    (SELECT board, id, ends_at FROM meetings WHERE state = 'open' AND ends_at <= $1 ORDER BY 3 LIMIT $2)
    UNION ALL
    (SELECT board, meeting, deadline FROM meeting_turns
     WHERE deadline <= $1 AND ended_at IS NULL AND kind <> 'join' ORDER BY 3 LIMIT $2)
)
SELECT d.board, d.id, min(d.at) AS at FROM due d
WHERE (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = d.board)
GROUP BY d.board, d.id ORDER BY 3 LIMIT $2
"""
