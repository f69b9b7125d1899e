"""The statements of the queue, each named. The hot ones call the SQL functions that stand beside this file."""

from __future__ import annotations

# The times are those of all, and stand in the first row only: the driver takes longer for a time than for a text.
CLAIM = """
SELECT item, fence, attempt, kind, reference, title, due, correlation,
       CASE ordinality WHEN 1 THEN claimed_at END AS claimed_at,
       CASE ordinality WHEN 1 THEN expires_at END AS expires_at
FROM claim_items($1, $2, $3, $4, $5, $6, $7, $8) WITH ORDINALITY
"""

# Columns in Postgres's own notation for arrays: see `store.arrays`. The woken inboxes stand in the first row only.
FINISH = """
SELECT item, version, CASE ordinality WHEN 1 THEN woken END AS woken
FROM finish_items($1, $2, $3, $4, $5::text::bigint[], $6::text::bigint[], $7::text::text[], $8::text::text[],
                  $9::text::text[], $10::text::text[], $11::text::bigint[], $12::text::text[], $13::text::text[],
                  $14::text::text[], $15::text::bytea[], $16) WITH ORDINALITY
"""

GIVE_BACK = "SELECT * FROM give_back_items($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"

# The claim under which a change is made, held so that it does not end meanwhile; heartbeats go on.
HOLD_CLAIM = """
SELECT w.correlation, w.depth, w.kind, l.cause
FROM leases l JOIN work_items w ON w.board = l.board AND w.id = l.item
WHERE l.board = $1 AND l.item = $2 AND l.fence = $3 AND ($4::bigint IS NULL OR l.agent = $4)
FOR KEY SHARE OF l
"""

# The trace of the event that a delivery delivers: what is made of it goes on with it.
TRACE_OF_DELIVERY = """
SELECT e.traceparent FROM deliveries d JOIN events e ON e.board = d.board AND e.position = d.position
WHERE d.board = $1 AND d.item = $2
"""

# Renew many leases, held in item order as finish holds them. An absent row means that the right is gone. Only what
# differs from what was reported before is progress. Whether the board may be written is asked before anything is read:
# further down, a plan that begins with the leases never asks where there are none. No indexed
# column changes, so every update is HOT.
RENEW = """
WITH held AS MATERIALIZED (
    SELECT h.item, h.fence, b.percent, b.progress
    FROM unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::text[]) AS b (item, fence, percent, progress),
    LATERAL (SELECT l.item, l.fence FROM leases l
             WHERE l.board = $1 AND l.item = b.item AND l.fence = b.fence AND ($7::bigint IS NULL OR l.agent = $7)
             FOR NO KEY UPDATE) AS h
)
UPDATE leases l
SET expires_at = clock_timestamp() + make_interval(secs => coalesce($6, l.lease_seconds)),
    lease_seconds = coalesce($6, l.lease_seconds),
    percent = coalesce(b.percent, l.percent), progress = coalesce(b.progress, l.progress),
    progressed_at = CASE WHEN b.percent <> coalesce(l.percent, -1) OR b.progress IS DISTINCT FROM l.progress
                              AND b.progress IS NOT NULL
                         THEN clock_timestamp() ELSE l.progressed_at END
FROM held b
WHERE l.board = $1 AND l.item = b.item AND l.fence = b.fence AND (SELECT outbox_lane($1)) IS NOT NULL
RETURNING l.item, l.fence, l.expires_at
"""

# Whether a claim would find anything: neither paused nor behind an open breaker, and something in one of the agent's
# inboxes, or in one that it reads as a substitute. Asked in the index's own
# order, since a mere EXISTS may read the whole queue for an inbox that is empty.
HAS_WORK = """
SELECT NOT EXISTS (SELECT FROM pauses p WHERE (p.board, p.agent) IN ((0, 0), ($1, 0), ($1, $2)))
   AND NOT EXISTS (SELECT FROM budgets b
                   WHERE (b.board, b.agent, b.task) IN (($1, 0, 0), ($1, $2, 0)) AND b.exhausted_at IS NOT NULL)
   AND NOT EXISTS (
       SELECT FROM circuit_breakers c
       WHERE c.board = $1 AND c.agent = $2 AND c.fallback <> 'proceed_with_warning'
         AND (c.until > clock_timestamp()
              OR EXISTS (SELECT FROM leases l
                         WHERE l.board = $1 AND l.item = c.probe_item AND l.fence = c.probe_fence)))
   AND ((SELECT r.item FROM ready r WHERE r.board = $1 AND r.inbox = $2 ORDER BY r.rank, r.item LIMIT 1) IS NOT NULL
        OR EXISTS (
            SELECT FROM circuit_breakers c
            WHERE c.board = $1 AND c.substitute = $2
              AND (SELECT r.item FROM ready r WHERE r.board = $1 AND r.inbox = c.agent ORDER BY r.rank, r.item LIMIT 1)
                  IS NOT NULL)
        OR EXISTS (
            SELECT FROM open_inboxes o
            WHERE o.board = $1
              AND (o.capability = '' OR o.capability = ANY (
                  ARRAY(SELECT unnest(a.capabilities) FROM agents a WHERE a.board = $1 AND a.id = $2)))
              AND (SELECT r.item FROM ready r WHERE r.board = $1 AND r.inbox = o.id ORDER BY r.rank, r.item LIMIT 1)
                  IS NOT NULL))
"""

# Where one item stands, with its lease if it has one.
STANDING = """
SELECT w.id AS item, w.reference, w.outcome, w.artifact, w.revision, w.inbox, w.attempts, p.place,
       l.worker, l.fence, l.agent, l.expires_at
FROM work_items w
JOIN item_places p ON p.board = w.board AND p.item = w.id
LEFT JOIN leases l ON l.board = w.board AND l.item = w.id
WHERE w.board = $1 AND w.id = $2
"""

# With the kind of the item, which says whose hook a finish that was passed over is for.
LOSSES = """
SELECT l.*, (SELECT w.kind FROM work_items w WHERE w.board = $1 AND w.id = l.item) AS kind
FROM lost_claims($1, $2, $3) AS l
"""

ARTIFACTS_OF_ITEMS = """
SELECT DISTINCT w.artifact FROM work_items w
WHERE w.board = $1 AND w.id = ANY ($2::bigint[]) AND w.artifact IS NOT NULL
"""

# What an agent holds, with the checkpoint and note that it left.
MINE = """
SELECT l.item, l.fence, l.attempt, l.worker, l.claimed_at, l.expires_at, l.percent, l.progress,
       w.kind, w.reference, w.due, c.data AS checkpoint, c.note
FROM leases l
JOIN work_items w ON w.board = l.board AND w.id = l.item
LEFT JOIN checkpoints c ON c.board = l.board AND c.item = l.item
WHERE l.board = $1 AND l.agent = $2
ORDER BY l.claimed_at, l.item
LIMIT 1000
"""

# Keep a checkpoint or note for the attempt that follows; only under a held claim, which it renews.
CHECKPOINT = """
WITH held AS (
    UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => lease_seconds),
                      progressed_at = clock_timestamp()
    WHERE board = $1 AND item = $2 AND fence = $3 AND ($4::bigint IS NULL OR agent = $4)
      AND (SELECT outbox_lane($1)) IS NOT NULL
    RETURNING item
)
INSERT INTO checkpoints (board, item, fence, data, note, kept_at)
SELECT $1, item, $3, $5, $6, clock_timestamp() FROM held
ON CONFLICT (board, item) DO UPDATE
SET fence = excluded.fence, data = coalesce(excluded.data, checkpoints.data),
    note = coalesce(excluded.note, checkpoints.note), kept_at = excluded.kept_at
RETURNING item
"""

EXPIRE = "SELECT * FROM expire_leases($1, $2)"

# Move what time alone held into `ready`; bounded, and never in the way of a cancel.
PROMOTE = """
WITH due AS (
    DELETE FROM scheduled WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM scheduled s
        WHERE s.run_at <= coalesce($2, clock_timestamp())
          AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = s.board)
        ORDER BY s.run_at LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING board, item, unblocked
)
SELECT board, unblocked, array_agg(item ORDER BY item) AS items FROM due GROUP BY board, unblocked ORDER BY board
"""

# Both take their columns in Postgres's own notation for arrays, the events apart: see `store.arrays`.
LOOK_UP = """
SELECT * FROM look_up_names($1, $2, $3::text::text[], $4::text::text[], $5::text::text[], $6::text::text[],
                            $7::text::text[])
"""
ENTER = """
SELECT enter_items($1, $2, $3, $4, $5, $6::text::bigint[], $7::text::bigint[], $8::text::text[], $9::text::text[],
                   $10::text::text[], $11::text::bigint[], $12::text::text[], $13::text::text[], $14::text::text[],
                   $15::text::bigint[], $16::text::int[], $17::text::timestamptz[], $18::text::timestamptz[],
                   $19::text::smallint[], $20::text::boolean[], $21::text::text[], $22::text::bigint[],
                   $23::text::bigint[], $24::text::bigint[], $25, $26, $27, $28, $29, $30)
"""

PLACE = "SELECT place_items($1, $2, $3, $4)"
UNLOCK = "SELECT unlock_dependents($1, $2, $3, $4, $5, $6)"
OPEN = "SELECT open_items($1, $2, $3, $4, $5)"

# Take the next rest of a wide fan-out.
NEXT_UNLOCK = """
DELETE FROM unlocks WHERE (board, blocker) IN (
    SELECT u.board, u.blocker FROM unlocks u WHERE (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = u.board)
    ORDER BY u.board, u.blocker LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING board, blocker, after_item
"""

# Ratings that time has changed: take the marks, and rate what is still ready again (delete and insert).
RERATE = """
WITH changed AS (
    DELETE FROM rating_changes WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM rating_changes c
        WHERE c.changes_at <= coalesce($2, clock_timestamp())
          AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = c.board)
        ORDER BY c.changes_at LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING board, item, unblocked
),
taken AS (
    DELETE FROM ready r USING (SELECT DISTINCT ON (board, item) * FROM changed ORDER BY board, item) AS c
    WHERE r.board = c.board AND r.item = c.item
    RETURNING r.board, r.inbox, r.item, c.unblocked
)
INSERT INTO ready (board, inbox, rank, item)
SELECT t.board, t.inbox,
       -rating_of(w.base_rating, w.pinned_rating, w.created_at, w.due, t.unblocked,
                  (SELECT count(*) FROM dependencies d WHERE d.board = t.board AND d.blocker = t.item),
                  coalesce($2, clock_timestamp())),
       t.item
FROM taken t JOIN work_items w ON w.board = t.board AND w.id = t.item
RETURNING board, item
"""

# Gates that are shut without cause: no unfinished blocker is left, and no rest of a fan-out is on its way to them.
SHUT_WITHOUT_CAUSE = """
SELECT g.board, array_agg(g.item ORDER BY g.item) AS items
FROM (SELECT * FROM gates WHERE (board, item) > ($1, $2) ORDER BY board, item LIMIT $3) AS g
WHERE (SELECT o.archived_at IS NULL FROM boards o WHERE o.id = g.board) AND NOT EXISTS (
    SELECT FROM dependencies d JOIN work_items b ON b.board = d.board AND b.id = d.blocker
    WHERE d.board = g.board AND d.item = g.item AND d.counted
      AND (b.outcome IS DISTINCT FROM 'done'
           OR EXISTS (SELECT FROM unlocks u WHERE u.board = d.board AND u.blocker = d.blocker)))
  AND NOT EXISTS (SELECT FROM event_waits w WHERE w.board = g.board AND w.item = g.item AND w.ended_at IS NULL)
  AND NOT EXISTS (SELECT FROM holds h WHERE h.board = g.board AND h.item = g.item)
GROUP BY g.board
"""

# The last gate of a full page.
GATE_PAGE_END = """
SELECT board, item FROM gates WHERE (board, item) > ($1, $2) ORDER BY board, item OFFSET $3 - 1 LIMIT 1
"""

# Of a version `v`: nobody had to verify it, or somebody approved it. Others are not what the artifact is.
STANDS = """
NOT EXISTS (SELECT FROM verifications n WHERE n.board = v.board AND n.artifact = v.artifact AND n.version = v.version
            AND n.verdict IS DISTINCT FROM 'approved')
"""

# A revision: more work on an artifact that is complete, for whoever had it last.
INSERT_REVISION = """
INSERT INTO work_items (board, id, kind, artifact, revision, reference, inbox, base_rating, max_attempts, guarded,
                        hooked, correlation, depth, created_at)
SELECT w.board, $3, w.kind, w.artifact, w.revision + 1, w.reference, w.inbox, w.base_rating, w.max_attempts, w.guarded,
       w.hooked, $4, $6, $5
FROM work_items w WHERE w.board = $1 AND w.id = $2
"""

INSERT_GATES = """
INSERT INTO gates (board, item, remaining) SELECT $1, g.item, g.remaining
FROM unnest($2::bigint[], $3::int[]) AS g (item, remaining)
"""

# The gates of these items, held in ascending order.
LOCK_GATES = "SELECT FROM gates WHERE board = $1 AND item = ANY ($2::bigint[]) ORDER BY item FOR UPDATE"

RAISE_GATE = "UPDATE gates SET remaining = remaining + $3 WHERE board = $1 AND item = $2 RETURNING item"

# Take an item that has not started out of `ready` or `scheduled`; or, with nothing new to wait for, hold it there.
LEAVE_READY = """
WITH r AS (DELETE FROM ready WHERE board = $1 AND item = $2 RETURNING item),
     s AS (DELETE FROM scheduled WHERE board = $1 AND item = $2 RETURNING item)
SELECT item FROM r UNION ALL SELECT item FROM s
"""
LOCK_READY = """
WITH r AS (SELECT item FROM ready WHERE board = $1 AND item = $2 FOR UPDATE),
     s AS (SELECT item FROM scheduled WHERE board = $1 AND item = $2 FOR UPDATE)
SELECT item FROM r UNION ALL SELECT item FROM s
"""

# Blockers that are ready now and got a dependent: the leader rates them again. One that came through its gate and was
# not tried since keeps what it got for that.
MARK_RERATED = """
INSERT INTO rating_changes (board, item, changes_at, unblocked)
SELECT r.board, r.item, $3,
       w.attempts = 0 AND EXISTS (SELECT FROM dependencies d WHERE d.board = r.board AND d.item = r.item AND d.counted)
FROM ready r JOIN work_items w ON w.board = r.board AND w.id = r.item
WHERE r.board = $1 AND r.item = ANY ($2::bigint[])
ON CONFLICT DO NOTHING
"""

# The items are held in ascending order until the commit, so that none of them finishes meanwhile.
LOCK_ITEMS = """
SELECT w.id, w.kind, w.outcome, w.reference, w.correlation FROM work_items w
WHERE w.board = $1 AND w.id = ANY ($2::bigint[]) ORDER BY w.id FOR NO KEY UPDATE
"""

REFERENCES = "SELECT id, reference FROM work_items WHERE board = $1 AND id = ANY ($2::bigint[])"

# The leases of these items, held in ascending order.
LOCK_LEASES = """
SELECT l.* FROM leases l WHERE l.board = $1 AND l.item = ANY ($2::bigint[]) ORDER BY l.item FOR UPDATE
"""

# Everything unfinished that waits for the given items, however far, and is counted by them.
DOWNSTREAM = """
WITH RECURSIVE downstream (item) AS (
    SELECT d.item FROM dependencies d WHERE d.board = $1 AND d.blocker = ANY ($2::bigint[]) AND d.counted
    UNION
    SELECT d.item FROM downstream u JOIN dependencies d ON d.board = $1 AND d.blocker = u.item AND d.counted
)
SELECT w.id, w.reference FROM downstream u JOIN work_items w ON w.board = $1 AND w.id = u.item
WHERE w.outcome IS NULL ORDER BY w.id
"""

# What somebody is to do so that these items can go on, and what is to be done before that can.
DUTIES = """
WITH RECURSIVE asked (id) AS (
    SELECT n.on_item FROM waiting n WHERE n.board = $1 AND n.item = ANY ($2::bigint[])
    UNION
    SELECT n.on_item FROM asked a JOIN waiting n ON n.board = $1 AND n.item = a.id
)
SELECT a.id FROM asked a ORDER BY a.id
"""

# What waited for these duties waits for nobody any more.
END_WAIT = "DELETE FROM waiting WHERE board = $1 AND on_item = ANY ($2::bigint[])"

# What was asked by duties that end unanswered is withdrawn.
WITHDRAW = """
UPDATE escalations SET answered_by = 'withdrawn', answered_at = $3
WHERE board = $1 AND item = ANY ($2::bigint[]) AND answered_at IS NULL
"""

# End the claims of these items, whoever holds them.
LEAVE_LEASES = "DELETE FROM leases WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING *"

# Take items out of every other place they can be in.
LEAVE_PLACES = """
WITH r AS (DELETE FROM ready WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     s AS (DELETE FROM scheduled WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     g AS (DELETE FROM gates WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     m AS (DELETE FROM rating_changes WHERE board = $1 AND item = ANY ($2::bigint[])),
     c AS (DELETE FROM checkpoints WHERE board = $1 AND item = ANY ($2::bigint[])),
     n AS (DELETE FROM waiting WHERE board = $1 AND item = ANY ($2::bigint[])),
     h AS (DELETE FROM holds WHERE board = $1 AND item = ANY ($2::bigint[])),
     d AS (DELETE FROM dead_letters WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item)
SELECT item FROM r UNION ALL SELECT item FROM s UNION ALL SELECT item FROM g UNION ALL SELECT item FROM d
"""

# Take items that nobody works on out of the place where they wait.
LEAVE_WAITING = """
WITH r AS (DELETE FROM ready WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     s AS (DELETE FROM scheduled WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     g AS (DELETE FROM gates WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     m AS (DELETE FROM rating_changes WHERE board = $1 AND item = ANY ($2::bigint[]))
SELECT item FROM r UNION ALL SELECT item FROM s UNION ALL SELECT item FROM g
"""

# Take ready and scheduled items out of their places, to be placed again; and whether a blocker opened each.
LEAVE_PLACES_TO_MOVE = """
WITH r AS (DELETE FROM ready WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     s AS (DELETE FROM scheduled WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item),
     m AS (DELETE FROM rating_changes WHERE board = $1 AND item = ANY ($2::bigint[])),
     moved AS (SELECT item FROM r UNION ALL SELECT item FROM s)
SELECT m.item, (SELECT w.attempts FROM work_items w WHERE w.board = $1 AND w.id = m.item) = 0
               AND EXISTS (SELECT FROM dependencies d WHERE d.board = $1 AND d.item = m.item AND d.counted) AS unblocked
FROM moved m
"""

# The board comes from the rows that are joined: compared with a constant, it alone became the index condition.
CHANGE_ITEMS = """
WITH g AS MATERIALIZED (
    SELECT $1::bigint AS board, *
    FROM unnest($2::text::bigint[], $3::text::bigint[], $4::text::int[], $5::text::timestamptz[],
                $6::text::timestamptz[], $7::text::smallint[]) AS g (id, inbox, base_rating, due, run_at, max_attempts)
)
UPDATE work_items w SET inbox = g.inbox, base_rating = g.base_rating, due = g.due, run_at = g.run_at,
                        max_attempts = g.max_attempts
FROM g WHERE w.board = g.board AND w.id = g.id AND w.outcome IS NULL
"""

# Arm what is told of `due` anew.
MARK_DUE_AGAIN = "SELECT mark_due_again($1, $2)"

MARK_DONE = "UPDATE work_items SET outcome = 'done', finished_at = $3 WHERE board = $1 AND id = ANY ($2::bigint[])"

INSERT_ATTEMPTS = """
INSERT INTO attempts (board, item, fence, attempt, agent, worker, outcome, error, note, started_at, ended_at)
SELECT $1, g.item, g.fence, g.attempt, g.agent, g.worker, $2, $3, $4, g.started_at, $5
FROM unnest($6::bigint[], $7::bigint[], $8::int[], $9::bigint[], $10::text[], $11::timestamptz[])
     AS g (item, fence, attempt, agent, worker, started_at)
"""

# The sum of a rating, part by part.
RATING = """
SELECT w.reference, w.base_rating, w.pinned_rating, w.due, w.created_at, p.place, -r.rank AS rating, g.remaining,
       w.run_at, (SELECT count(*) FROM dependencies d WHERE d.board = w.board AND d.blocker = w.id) AS dependents,
       (SELECT count(*) FROM ready o
        WHERE o.board = r.board AND o.inbox = r.inbox AND (o.rank, o.item) < (r.rank, r.item))
           AS ahead,
       now() AS now
FROM work_items w
JOIN item_places p ON p.board = w.board AND p.item = w.id
LEFT JOIN ready r ON r.board = w.board AND r.item = w.id
LEFT JOIN gates g ON g.board = w.board AND g.item = w.id
WHERE w.board = $1 AND w.id = $2
"""

# What an item is blocked by, and where each of these is.
BLOCKERS = """
SELECT b.id AS item, b.reference, p.place FROM dependencies d
JOIN work_items b ON b.board = d.board AND b.id = d.blocker
JOIN item_places p ON p.board = b.board AND p.item = b.id
WHERE d.board = $1 AND d.item = $2 AND d.counted AND b.outcome IS DISTINCT FROM 'done'
ORDER BY b.id LIMIT 100
"""
