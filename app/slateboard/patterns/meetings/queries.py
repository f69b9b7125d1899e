"""The statements of meetings, each named."""

from __future__ import annotations

HOLD = "SELECT * FROM meetings WHERE board = $1 AND id = $2 FOR UPDATE"

HOLD_OF_TURN = """
SELECT * FROM meetings
WHERE board = $1 AND id = (SELECT t.meeting FROM meeting_turns t WHERE t.board = $1 AND t.item = $2) FOR UPDATE
"""

# The rows of a meeting as arrays of rows, in one statement: a seat's agent stands at its place in the three behind it.
# Of the turns those that are not ended, and all about the current item of the agenda; of that its open concerns and its
# votes.
PARTS = """
WITH seat AS MATERIALIZED (
    SELECT s AS own, s.position, g.name, g.role, g.removed_at IS NOT NULL AS removed
    FROM meeting_seats s JOIN agents g ON g.board = s.board AND g.id = s.agent
    WHERE s.board = $1 AND s.meeting = $2
), now AS MATERIALIZED (
    SELECT min(i.number) AS number FROM agenda_items i
    WHERE i.board = $1 AND i.meeting = $2 AND i.stage <> 'closed'
)
SELECT ARRAY(SELECT s.own FROM seat s ORDER BY s.position) AS seats,
       ARRAY(SELECT s.name FROM seat s ORDER BY s.position) AS names,
       ARRAY(SELECT s.role FROM seat s ORDER BY s.position) AS roles,
       ARRAY(SELECT s.removed FROM seat s ORDER BY s.position) AS removed,
       ARRAY(SELECT i FROM agenda_items i WHERE i.board = $1 AND i.meeting = $2 ORDER BY i.number) AS agenda,
       ARRAY(SELECT t FROM meeting_turns t
             WHERE t.board = $1 AND t.meeting = $2 AND (t.ended_at IS NULL OR t.number = (SELECT number FROM now))
             ORDER BY t.item) AS turns,
       ARRAY(SELECT s FROM statements s
             WHERE s.board = $1 AND s.meeting = $2 AND s.number = (SELECT number FROM now) AND s.kind = 'concern'
               AND s.settled IS NULL ORDER BY s.id) AS concerns,
       ARRAY(SELECT v FROM votes v
             WHERE v.board = $1 AND v.meeting = $2 AND v.number = (SELECT number FROM now) ORDER BY v.agent) AS votes
"""

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

INSERT_TURNS = """
INSERT INTO meeting_turns (board, item, meeting, number, round, agent, kind, deadline)
SELECT $1, g.item, $5, $6, $7, g.agent, $8, g.deadline
FROM unnest($2::bigint[], $3::bigint[], $4::timestamptz[]) AS g (item, agent, deadline) RETURNING *
"""

# These end, and the time of the next ($5) begins.
END_TURNS = """
UPDATE meeting_turns
SET outcome = CASE WHEN item = ANY ($2::bigint[]) THEN $3 END,
    ended_at = CASE WHEN item = ANY ($2::bigint[]) THEN $4::timestamptz END,
    deadline = CASE WHEN item = $5 THEN $6 ELSE deadline END
WHERE board = $1 AND item = ANY ($2::bigint[] || $5::bigint) RETURNING *
"""

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

# A vote, or its change, which is kept.
VOTE = """
WITH voted AS (
    INSERT INTO votes (board, meeting, number, agent, choice, rationale, voted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (board, meeting, number, agent) DO UPDATE
    SET choice = excluded.choice, rationale = excluded.rationale, voted_at = excluded.voted_at,
        changes = votes.changes + 1
    RETURNING *
), kept AS (
    INSERT INTO vote_changes (board, meeting, number, agent, change, choice, rationale, voted_at)
    SELECT board, meeting, number, agent, changes, choice, rationale, voted_at FROM voted
)
SELECT * FROM voted
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
