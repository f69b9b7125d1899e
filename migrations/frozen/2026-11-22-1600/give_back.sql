-- Under which subject a dead letter of an agent also appears in the log, after the event of its death.
CREATE OR REPLACE FUNCTION dead_letter_subject(p_board bigint, p_agent bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT b.prefix || '.dlq.' || a.name FROM boards b, agents a
        WHERE b.id = p_board AND a.board = b.id AND a.id = p_agent);

-- Give back: claims that end without a result. Each row names its outcome: failed (with a class), released,
-- interrupted (a dead worker, a shutdown), or returned (a prefetched item that was never started: no attempt).
-- Writes: leases, work_items, attempts, dead_letters, ready, scheduled, one event for each item, a second for the dead.
-- Failures count towards `max_attempts` and wait 30 s, 2 min, 5 min (± 20 %); `logic` is dead at once. Interruptions
-- are not failures: they come back at once, and the tenth is dead, as poison.
CREATE OR REPLACE FUNCTION give_back_items(
    p_board bigint, p_agent bigint, p_actor text, p_authenticated_by text,
    p_items bigint[], p_fences bigint[], p_outcomes text[], p_classes text[], p_errors text[], p_notes text[],
    p_usages text[], p_digests bytea[], p_delays_seconds double precision[], p_now timestamptz DEFAULT NULL
) RETURNS TABLE (item bigint, place text, run_at timestamptz, woken bigint[]) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_at tid[];
    v_held leases[];
    v_items bigint[];
    v_places text[];
    v_run_ats timestamptz[];
    v_woken bigint[];
BEGIN
    -- One probe for each claim, in item order; then deleted by position, in a snapshot that has what a heartbeat wrote.
    v_at := ARRAY(
        SELECT held.place
        FROM unnest(p_items, p_fences) AS given (item, fence),
        LATERAL (SELECT l.ctid AS place FROM leases l
                 WHERE l.board = p_board AND l.item = given.item AND l.fence = given.fence
                   AND (p_agent IS NULL OR l.agent = p_agent)
                 FOR UPDATE) AS held);
    IF v_at = '{}' THEN
        RETURN;
    END IF;
    WITH ended AS (
        DELETE FROM leases l WHERE l.ctid = ANY (v_at) RETURNING l
    )
    SELECT array_agg(l) INTO v_held FROM ended;

    WITH ended AS (
        SELECT l.item, l.fence, l.agent, l.worker, l.attempt, l.claimed_at, l.cause, g.outcome, g.class, g.error,
               g.note, g.usage, g.digest, g.delay
        FROM unnest(v_held) AS l
        JOIN unnest(p_items, p_fences, p_outcomes, p_classes, p_errors, p_notes, p_usages, p_digests, p_delays_seconds)
             AS g (item, fence, outcome, class, error, note, usage, digest, delay) ON l.item = g.item AND l.fence = g.fence
    ),
    moved AS (
        UPDATE work_items w
        SET attempts = CASE WHEN e.outcome = 'returned' THEN w.attempts ELSE e.attempt END,
            failures = w.failures + (e.outcome = 'failed')::int,
            interruptions = w.interruptions + (e.outcome = 'interrupted')::int,
            last_error = coalesce(e.error, w.last_error),
            outcome = CASE WHEN n.dead THEN 'dead' END,
            finished_at = CASE WHEN n.dead THEN v_now END,
            run_at = CASE WHEN n.dead THEN NULL
                          WHEN e.outcome = 'failed' THEN v_now + make_interval(secs =>
                              coalesce(e.delay, (ARRAY[30, 120, 300])[least(w.failures + 1, 3)] * (0.8 + 0.4 * random())))
                          WHEN e.delay > 0 THEN v_now + make_interval(secs => e.delay) END
        FROM ended e,
        LATERAL (SELECT i.ctid AS place,
                        e.outcome = 'failed' AND (e.class = 'logic' OR i.failures + 1 >= i.max_attempts)
                        OR e.outcome = 'interrupted' AND i.interruptions + 1 >= 10 AS dead
                 FROM work_items i WHERE i.board = p_board AND i.id = e.item OFFSET 0) AS n
        WHERE w.ctid = n.place
        RETURNING w.id, w.kind, w.reference, w.correlation, w.depth, w.run_at, w.failures, w.interruptions, n.dead, e.*
    ),
    kept AS (
        INSERT INTO attempts (board, item, fence, attempt, agent, worker, outcome, class, error, note, usage, digest,
                              started_at, ended_at)
        SELECT p_board, m.id, m.fence, m.attempt, m.agent, m.worker, m.outcome, m.class, m.error, m.note,
               m.usage::jsonb, m.digest, m.claimed_at, v_now
        FROM moved m WHERE m.outcome <> 'returned'
    ),
    buried AS (
        INSERT INTO dead_letters (board, item, agent, class, error, died_at)
        SELECT p_board, m.id, m.agent, CASE WHEN m.outcome = 'interrupted' THEN 'poison' ELSE m.class END, m.error, v_now
        FROM moved m WHERE m.dead
    ),
    told AS (
        INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, cause, correlation,
                                  depth, happened_at)
        SELECT (SELECT outbox_lane(p_board)), p_board, said.subject,
               json_build_object('reference', m.reference, 'item', m.id, 'fence', m.fence, 'attempt', m.attempt,
                                 'agent', m.agent, 'worker', m.worker, 'outcome', m.outcome, 'class', m.class,
                                 'error', m.error, 'note', m.note, 'usage', m.usage::json, 'run_at', m.run_at,
                                 'failures', m.failures, 'interruptions', m.interruptions,
                                 'started_at', m.claimed_at)::text,
               p_actor, p_authenticated_by, m.cause, m.correlation, m.depth, v_now
        FROM moved m,
        LATERAL (SELECT CASE WHEN m.kind = 'handle' THEN 'board.delivery.' ELSE 'board.item.' END
                        || CASE WHEN m.dead THEN 'died' ELSE m.outcome END AS subject
                 UNION ALL
                 SELECT dead_letter_subject(p_board, m.agent) WHERE m.dead) AS said
    )
    SELECT array_agg(m.id ORDER BY m.id),
           array_agg(CASE WHEN m.dead THEN 'dead' WHEN m.run_at > v_now THEN 'scheduled' ELSE 'ready' END ORDER BY m.id),
           array_agg(m.run_at ORDER BY m.id)
    INTO v_items, v_places, v_run_ats
    FROM moved m;
    IF v_items IS NULL OR cardinality(v_items) < cardinality(v_held) THEN
        -- A pin changed one of the items since the snapshot; the door asks again.
        RAISE EXCEPTION 'an item was changed meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;

    v_woken := place_items(
        p_board, ARRAY(SELECT r.item FROM unnest(v_items, v_places) AS r (item, place) WHERE r.place <> 'dead'),
        false, v_now);
    RETURN QUERY SELECT r.item, r.place, r.run_at, v_woken
                 FROM unnest(v_items, v_places, v_run_ats) AS r (item, place, run_at);
END
$$;

-- Take back the leases that ran out, at most `p_limit`, whatever the board. Skips what somebody is finishing right now.
CREATE OR REPLACE FUNCTION expire_leases(p_limit int, p_now timestamptz DEFAULT NULL)
RETURNS TABLE (board bigint, item bigint, place text, woken bigint[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_group record;
BEGIN
    FOR v_group IN
        WITH due AS MATERIALIZED (
            SELECT l.board, l.item, l.fence FROM leases l
            WHERE l.expires_at < v_now AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = l.board)
            ORDER BY l.board, l.item LIMIT p_limit FOR UPDATE SKIP LOCKED
        )
        SELECT due.board, array_agg(due.item ORDER BY due.item) AS items, array_agg(due.fence ORDER BY due.item) AS fences
        FROM due GROUP BY due.board ORDER BY due.board
    LOOP
        RETURN QUERY
        SELECT v_group.board, b.item, b.place, b.woken
        FROM give_back_items(
            v_group.board, NULL, 'system', 'system', v_group.items, v_group.fences,
            array_fill('interrupted'::text, ARRAY[cardinality(v_group.items)]), NULL,
            array_fill('the lease ran out'::text, ARRAY[cardinality(v_group.items)]), NULL, NULL, NULL, NULL, v_now) AS b;
    END LOOP;
END
$$;
