-- Claim: up to `p_limit` ready items of an agent's inboxes, the highest rating first, each with a lease under a new fence.
-- Writes: ready, leases, and one event for the whole call, but one for each delivery, so that what is made of one event
-- is told from what is made of another. Never waits for another claim: rows that somebody else is taking are skipped.
-- What holds an agent or board back is one look-up; what holds an item back kept it out of `ready`.
CREATE OR REPLACE FUNCTION claim_items(
    p_board bigint, p_agent bigint, p_worker text, p_limit int, p_lease_seconds double precision,
    p_actor text, p_authenticated_by text, p_item bigint DEFAULT NULL, p_now timestamptz DEFAULT NULL
) RETURNS TABLE (
    item bigint, fence bigint, attempt int, kind text, reference text, title text, due timestamptz,
    claimed_at timestamptz, expires_at timestamptz, correlation text
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_until timestamptz := v_now + make_interval(secs => p_lease_seconds);
    v_inboxes bigint[];
    v_paused text;
    -- All of the queue, or the one place in it where the wanted item stands.
    v_first_rank int := -2147483648;
    v_first_item bigint := 0;
    v_last_rank int := 2147483647;
    v_last_item bigint := 9223372036854775807;
BEGIN
    SELECT CASE WHEN p.board = 0 THEN 'everything' WHEN p.agent = 0 THEN 'the board' ELSE 'the agent' END
           || ' is paused' || coalesce(': ' || p.reason, '')
    INTO v_paused
    FROM pauses p
    WHERE (p.board, p.agent) IN ((0, 0), (p_board, 0), (p_board, p_agent))
    LIMIT 1;
    IF v_paused IS NOT NULL THEN
        RAISE EXCEPTION '%', v_paused USING ERRCODE = 'SB001';
    END IF;

    SELECT p_agent || array_agg(o.id) INTO v_inboxes
    FROM open_inboxes o
    WHERE o.board = p_board
      AND (o.capability = '' OR o.capability = ANY (
          ARRAY(SELECT unnest(a.capabilities) FROM agents a WHERE a.board = p_board AND a.id = p_agent)));

    IF p_item IS NOT NULL THEN
        SELECT r.rank, r.item, r.rank, r.item INTO v_first_rank, v_first_item, v_last_rank, v_last_item
        FROM ready r WHERE r.board = p_board AND r.item = p_item;
        IF NOT FOUND THEN
            PERFORM outbox_lane(p_board);
            RETURN;
        END IF;
    END IF;

    RETURN QUERY
    WITH picked AS MATERIALIZED (
        SELECT box_row.place AS place, box_row.item
        FROM unnest(v_inboxes) AS box (inbox),
        LATERAL (
            SELECT r.ctid AS place, r.item, r.rank
            FROM ready r
            WHERE r.board = p_board AND r.inbox = box.inbox
              AND (r.rank, r.item) >= (v_first_rank, v_first_item) AND (r.rank, r.item) <= (v_last_rank, v_last_item)
            ORDER BY r.rank, r.item
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ) AS box_row
        ORDER BY box_row.rank, box_row.item
        LIMIT p_limit
    ),
    event AS MATERIALIZED (
        -- Taken after the rows are held, so that the log has this claim after whatever made the items ready.
        SELECT nextval('event_ids') AS id FROM picked HAVING count(*) > 0
    ),
    given AS MATERIALIZED (
        SELECT p.item, nextval('fences') AS fence, 1 + w.attempts AS attempt, w.kind, w.reference, w.artifact, w.due,
               w.correlation, CASE WHEN w.kind = 'handle' THEN nextval('event_ids') END AS own_event
        FROM picked p,
        LATERAL (SELECT * FROM work_items w WHERE w.board = p_board AND w.id = p.item OFFSET 0) AS w
    ),
    taken AS (
        DELETE FROM ready WHERE ctid = ANY (ARRAY(SELECT place FROM picked))
    ),
    leased AS (
        INSERT INTO leases (board, item, fence, agent, worker, attempt, claimed_at, expires_at, lease_seconds, cause)
        SELECT p_board, g.item, g.fence, p_agent, p_worker, g.attempt, v_now, v_until, p_lease_seconds,
               coalesce(g.own_event, (SELECT id FROM event))
        FROM given g
    ),
    told AS (
        INSERT INTO event_outbox (id, lane, board, subject, payload, actor, authenticated_by, correlation, happened_at)
        SELECT coalesce(g.own_event, (SELECT id FROM event)),
               coalesce((SELECT l.lane FROM event_lane l, boards b WHERE b.id = p_board AND b.archived_at IS NULL),
               outbox_lane(p_board)), p_board, 'board.item.claimed',
               concat('{"worker":', to_json(p_worker), ',"agent":', p_agent, ',"expires_at":', to_json(v_until),
                      ',"items":[',
                      string_agg(concat('[', g.item, ',', g.fence, ',', g.attempt, ']'), ','), ']}'),
               p_actor, p_authenticated_by,
               CASE WHEN min(g.correlation) = max(g.correlation) THEN min(g.correlation) END, v_now
        FROM given g GROUP BY g.own_event
    )
    SELECT g.item, g.fence, g.attempt, g.kind, g.reference,
           -- A range, in order: only the primary key serves that; of equals, a plan made while the table is empty may
           -- take another index and read the whole board.
           (SELECT a.title FROM artifacts a
            WHERE a.board = p_board AND a.id BETWEEN g.artifact AND g.artifact ORDER BY a.id LIMIT 1),
           g.due, v_now, v_until, g.correlation
    FROM given g;
    IF NOT FOUND THEN
        -- Who finds nothing to claim is told, too.
        PERFORM outbox_lane(p_board);
    END IF;
END
$$;
