"""The statements of the board that many share, each named: names to ids, and bulk inserts by array."""

from __future__ import annotations

AGENTS_BY_NAME = "SELECT name, id FROM agents WHERE board = $1 AND name = ANY ($2::text[]) AND removed_at IS NULL"
# Until the commit nobody of them is removed; who was removed while this waited is not found.
HOLD_AGENTS_BY_NAME = f"{AGENTS_BY_NAME} ORDER BY id FOR KEY SHARE"
AGENT_NAMES = "SELECT name FROM agents WHERE board = $1 AND removed_at IS NULL ORDER BY name LIMIT 1000"
REMOVED_AGENT = "SELECT removed_at FROM agents WHERE board = $1 AND name = $2 AND removed_at IS NOT NULL"

# Artifacts by (task, name), each with the item that now produces it. One probe for each: where the planner knows little
# of a board, a join reads all of its artifacts.
ARTIFACTS_BY_REFERENCE = """
SELECT g.task || '/' || g.artifact AS reference, a.id, a.newest_item, a.task
FROM unnest($2::text[], $3::text[]) AS g (task, artifact),
LATERAL (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.name = g.task OFFSET 0) AS t,
LATERAL (SELECT a.id, a.newest_item, a.task FROM artifacts a
         WHERE a.board = $1 AND a.task = t.id AND a.name = g.artifact OFFSET 0) AS a
"""

# The bulk inserts take their columns in Postgres's own notation for arrays: see `store.arrays`.
# Their agents and delegators are held until the commit; returns those who were removed meanwhile.
INSERT_TASKS = """
WITH g AS MATERIALIZED (
    SELECT * FROM unnest(
        $4::text::bigint[], $5::text::text[], $6::text::bigint[], $7::text::text[], $8::text::text[],
        $9::text::bigint[], $10::text::bigint[], $11::text::text[], $12::text::timestamptz[], $13::text::text[],
        $14::text::text[])
    AS g (id, name, parent, title, brief, agent, delegator, priority, due, source, on_no_ack)
), delegated AS (
    INSERT INTO delegations (board, task, delegator, agent, on_no_ack, delegated_at)
    SELECT $1, g.id, g.delegator, g.agent, g.on_no_ack, $3 FROM g WHERE g.delegator <> g.agent
), posted AS (
    INSERT INTO tasks (board, id, name, parent, title, brief, agent, delegator, priority, due, source, created_by,
                       created_at)
    SELECT $1, g.id, g.name, g.parent, g.title, g.brief, g.agent, g.delegator, g.priority, g.due, g.source, $2, $3
    FROM g
), held AS MATERIALIZED (
    SELECT a.id, a.removed_at FROM agents a
    WHERE a.board = $1 AND a.id = ANY (ARRAY(SELECT agent FROM g UNION SELECT delegator FROM g))
    ORDER BY a.id FOR KEY SHARE
)
SELECT id FROM held WHERE removed_at IS NOT NULL
"""

INSERT_DEPENDENCIES = """
INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
SELECT $1, g.blocker, g.item, g.counted, $2, $3
FROM unnest($4::bigint[], $5::bigint[], $6::boolean[]) AS g (blocker, item, counted)
ON CONFLICT DO NOTHING
RETURNING blocker, item, counted
"""

# Edges into existing items of one board are added one transaction at a time: two at once could close a circle that
# neither of them sees.
LOCK_EDGES = "SELECT pg_advisory_xact_lock(hashtextextended('slateboard.edges', $1::bigint))"

# Every item that the given one waits for, however far; it holds the item itself if there is a circle.
WAITS_FOR_ITSELF = """
WITH RECURSIVE upstream (item) AS (
    SELECT d.blocker FROM dependencies d WHERE d.board = $1 AND d.item = $2
    UNION
    SELECT d.blocker FROM upstream u
    JOIN dependencies d ON d.board = $1 AND d.item = u.item
)
SELECT EXISTS (SELECT FROM upstream WHERE item = $2)
"""

# All edges among what the given items wait for, however far.
UPSTREAM_EDGES = """
WITH RECURSIVE upstream (item) AS (
    SELECT unnest($2::bigint[])
    UNION
    SELECT d.blocker FROM upstream u
    JOIN dependencies d ON d.board = $1 AND d.item = u.item
)
SELECT d.item, d.blocker FROM upstream u JOIN dependencies d ON d.board = $1 AND d.item = u.item
"""

# Changes take the board from the rows that they join: compared with a constant, it alone became the index condition.
CHANGE_TASKS = """
WITH g AS MATERIALIZED (
    SELECT $1::bigint AS board, *
    FROM unnest($2::text::bigint[], $3::text::text[], $4::text::text[], $5::text::bigint[], $6::text::text[],
                $7::text::timestamptz[]) AS g (id, title, brief, agent, priority, due)
)
UPDATE tasks t SET title = g.title, brief = g.brief, agent = g.agent, priority = g.priority, due = g.due
FROM g WHERE t.board = g.board AND t.id = g.id
"""

CHANGE_ARTIFACTS = """
WITH g AS MATERIALIZED (
    SELECT $1::bigint AS board, *
    FROM unnest($2::text::bigint[], $3::text::text[], $4::text::text[], $5::text::text[], $6::text::bigint[],
                $7::text::text[]) AS g (id, title, brief, path, owner, capability)
)
UPDATE artifacts a SET title = g.title, brief = g.brief, path = g.path, owner = g.owner, capability = g.capability
FROM g WHERE a.board = g.board AND a.id = g.id
"""

# What a delegation of these tasks to somebody else is checked by; they are held.
GIVEN_TASKS = """
SELECT t.id, t.name, t.parent, t.agent, t.delegator FROM tasks t
WHERE t.board = $1 AND t.id = ANY ($2::text::bigint[]) ORDER BY t.id FOR NO KEY UPDATE
"""

# The first of these tasks, and of these artifacts, that is neither the agent's own nor delegated by it.
FOREIGN_TASK = """
SELECT t.name FROM tasks t
WHERE t.board = $1 AND t.id = ANY ($2::text::bigint[]) AND ($3::bigint IN (t.agent, t.delegator)) IS NOT TRUE
ORDER BY t.id LIMIT 1
"""
FOREIGN_ARTIFACT = """
SELECT t.name || '/' || a.name FROM artifacts a JOIN tasks t ON t.board = a.board AND t.id = a.task
WHERE a.board = $1 AND a.id = ANY ($2::text::bigint[])
  AND ($3::bigint IN (a.owner, t.agent, t.delegator)) IS NOT TRUE
ORDER BY a.id LIMIT 1
"""

# What it is checked by that artifacts are given to owners.
GIVEN_PARTS = """
SELECT t.name || '/' || a.name AS reference, g.owner, o.name, o.accepts_from AS accepts, t.agent AS does
FROM unnest($2::text::bigint[], $3::text::bigint[]) AS g (artifact, owner),
LATERAL (SELECT a.name, a.task FROM artifacts a WHERE a.board = $1 AND a.id = g.artifact OFFSET 0) AS a,
LATERAL (SELECT t.name, t.agent FROM tasks t WHERE t.board = $1 AND t.id = a.task OFFSET 0) AS t,
LATERAL (SELECT o.name, o.accepts_from FROM agents o WHERE o.board = $1 AND o.id = g.owner OFFSET 0) AS o
"""

# Agents by their names alone, where they are missing; somebody else's at the same moment is as good.
ENSURE_AGENTS = """
INSERT INTO agents (board, name) SELECT $1, g.name FROM unnest($2::text[]) AS g (name) ORDER BY g.name
ON CONFLICT DO NOTHING RETURNING *
"""

INSERT_VERSIONS = """
INSERT INTO artifact_versions (board, artifact, version, author, path, uri, content, hash, size, summary, created_at)
SELECT $1, g.artifact, 1, $2, g.path, g.uri, g.content, g.hash, g.size, g.summary, $3
FROM unnest($4::text::bigint[], $5::text::text[], $6::text::text[], $7::text::text[], $8::text::text[],
            $9::text::bigint[], $10::text::text[])
     AS g (artifact, path, uri, content, hash, size, summary)
"""

# Whom a resume concerns: an agent, all of a board (agent 0), or all of all boards (board 0).
RESUMED_AGENTS = """
SELECT board, id FROM agents WHERE $1::bigint IN (0, board) AND $2::bigint IN (0, id) ORDER BY board, id LIMIT $3
"""

BOARD_END = """
SELECT b.name, b.archived_at, (SELECT count(*) FROM leases l WHERE l.board = b.id) AS claimed
FROM boards b WHERE b.id = $1
"""
SET_ARCHIVED = """
UPDATE boards SET archived_at = $2 WHERE id = $1 AND (archived_at IS NULL) <> ($2::timestamptz IS NULL) RETURNING *
"""
DELETED = """
name, board, position, hash, actor, authenticated_by, deleted_at, emptied_at,
(extract(epoch FROM created_at) * 1000000)::bigint AS created_us"""
DELETE_BOARD = f"SELECT {DELETED} FROM delete_board($1, $2, $3, $4)"
DELETED_BOARDS = f"SELECT {DELETED} FROM deleted_boards ORDER BY deleted_at DESC, board DESC LIMIT $1"
