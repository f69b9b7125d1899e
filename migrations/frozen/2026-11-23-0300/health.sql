-- When a new item that is due some time is to be told of: at three quarters of its time, and when it is due.
-- A trigger, so that no way into the queue can leave it out; it runs only where something is due.
CREATE OR REPLACE FUNCTION mark_due() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    INSERT INTO due_marks (board, item, mark, at)
    SELECT NEW.board, NEW.id, m.mark, NEW.created_at + m.share * (NEW.due - NEW.created_at)
    FROM (VALUES ('due_soon', 0.75), ('overdue', 1.0)) AS m (mark, share)
    WHERE m.share = 1 OR NEW.due > NEW.created_at;
    RETURN NULL;
END
$$;

-- The same anew for items whose `due` was changed; what was told of another time is told again. The caller holds them.
CREATE OR REPLACE FUNCTION mark_due_again(p_board bigint, p_items bigint[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    DELETE FROM due_marks WHERE board = p_board AND item = ANY (p_items);
    INSERT INTO due_marks (board, item, mark, at)
    SELECT p_board, w.id, m.mark, w.created_at + m.share * (w.due - w.created_at)
    FROM unnest(p_items) AS g (item),
    LATERAL (SELECT w.id, w.due, w.created_at FROM work_items w
             WHERE w.board = p_board AND w.id = g.item AND w.due IS NOT NULL OFFSET 0) AS w,
    (VALUES ('due_soon', 0.75), ('overdue', 1.0)) AS m (mark, share)
    WHERE m.share = 1 OR w.due > w.created_at;
END
$$;

-- Claims that have taken longer than their artifact allows, or where it says nothing, than `p_seconds`: at most
-- `p_limit`, whatever the board. Reads only. What people hold has a deadline instead. One look at each running item that
-- is older than a second, so that what is done in less is passed by.
CREATE OR REPLACE FUNCTION overlong_claims(p_seconds double precision, p_limit int, p_now timestamptz)
RETURNS TABLE (board bigint, item bigint, fence bigint, seconds double precision) LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT l.board, l.item, l.fence, x.seconds
    FROM leases l
    CROSS JOIN LATERAL (SELECT w.artifact FROM work_items w WHERE w.board = l.board AND w.id = l.item OFFSET 0) AS w
    LEFT JOIN LATERAL (SELECT (a.rules ->> 'time_limit_seconds')::double precision AS seconds FROM artifacts a
                       WHERE a.board = l.board AND a.id = w.artifact OFFSET 0) AS r ON true
    CROSS JOIN LATERAL (SELECT coalesce(r.seconds, p_seconds) AS seconds) AS x
    WHERE l.claimed_at <= p_now - interval '1 second' AND l.claimed_at <= p_now - make_interval(secs => x.seconds)
      AND (SELECT a.kind FROM agents a WHERE a.board = l.board AND a.id = l.agent) IS DISTINCT FROM 'human'
      AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = l.board)
    ORDER BY l.board, l.item LIMIT p_limit;
END
$$;
