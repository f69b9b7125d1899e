-- Put items into the place where time alone, or nothing, holds them: `scheduled` while their `run_at` is to come,
-- else `ready` under their rating. The one way into `ready`.
-- Writes: ready, scheduled, rating_changes. The caller holds the items' rows and has taken them out of their old place.
-- Returns the inboxes that now hold claimable work, for the wake-up after the commit.
CREATE OR REPLACE FUNCTION place_items(p_board bigint, p_items bigint[], p_unblocked boolean, p_now timestamptz)
RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan  -- made once: to plan for each call takes longer than to place an item
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_inboxes bigint[];
BEGIN
    WITH wanted AS MATERIALIZED (
        SELECT w.*
        FROM unnest(p_items) AS given (item),
        LATERAL (SELECT w.id, w.inbox, w.run_at, w.due, w.base_rating, w.pinned_rating, w.created_at
                 FROM work_items w WHERE w.board = p_board AND w.id = given.item OFFSET 0) AS w
    ),
    later AS (
        INSERT INTO scheduled (board, item, run_at, unblocked)
        SELECT p_board, w.id, w.run_at, p_unblocked FROM wanted w WHERE w.run_at > p_now
    ),
    placed AS (
        INSERT INTO ready (board, inbox, rank, item)
        SELECT p_board, w.inbox,
               -rating_of(w.base_rating, w.pinned_rating, w.created_at, w.due, p_unblocked,
                          -- Ten dependents already give the most that dependents can give.
                          (SELECT count(*) FROM (SELECT FROM dependencies d
                                                 WHERE d.board = p_board AND d.blocker = w.id LIMIT 10) AS waiting),
                          p_now),
               w.id
        FROM wanted w WHERE w.run_at IS NULL OR w.run_at <= p_now
    ),
    changing AS (
        INSERT INTO rating_changes (board, item, changes_at, unblocked)
        SELECT p_board, w.id, w.created_at + (m.share * (w.due - w.created_at)), p_unblocked
        FROM wanted w CROSS JOIN (VALUES (0.5), (0.8)) AS m (share)
        WHERE w.due IS NOT NULL AND w.pinned_rating IS NULL
          AND w.created_at + (m.share * (w.due - w.created_at)) > p_now
        ON CONFLICT DO NOTHING
    )
    SELECT array_agg(DISTINCT w.inbox) INTO v_inboxes FROM wanted w WHERE w.run_at IS NULL OR w.run_at <= p_now;

    RETURN coalesce(v_inboxes, '{}');
END
$$;

-- Open gated items whose blockers are all finished; the caller holds their gates. Writes: gates, then everything that
-- `place_items` writes, one event.
CREATE OR REPLACE FUNCTION open_items(
    p_board bigint, p_items bigint[], p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    v_inboxes bigint[];
BEGIN
    DELETE FROM gates WHERE ctid = ANY (ARRAY(
        SELECT at.place
        FROM unnest(p_items) AS w (item),
        LATERAL (SELECT g.ctid AS place FROM gates g WHERE g.board = p_board AND g.item = w.item OFFSET 0) AS at));
    v_inboxes := place_items(p_board, p_items, true, p_now);
    INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, happened_at)
    VALUES (coalesce((SELECT l.lane FROM event_lane l, boards b WHERE b.id = p_board AND b.archived_at IS NULL),
                     outbox_lane(p_board)), p_board, 'board.item.opened',
            json_build_object('items', p_items)::text, p_actor, p_authenticated_by, p_now);
    RETURN v_inboxes;
END
$$;

-- Take the blockers off the gates of what waits for them, in item order, and open what nothing holds any more.
-- At most 1,000 dependents in one call; the rest is noted in `unlocks` and taken up by the leader.
-- Must run as its own statement after the blockers' rows were locked: an edge that was added while a blocker was
-- completing is committed after the snapshot of the statement that completed it.
CREATE OR REPLACE FUNCTION unlock_dependents(
    p_board bigint, p_blockers bigint[], p_after bigint, p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_items bigint[];
    v_counts int[];
    v_places tid[];
    v_opened bigint[];
BEGIN
    SELECT array_agg(waiting.item), array_agg(waiting.blockers) INTO v_items, v_counts
    FROM (
        SELECT d.item, count(*)::int AS blockers
        FROM dependencies d
        WHERE d.board = p_board AND d.blocker = ANY (p_blockers) AND d.item > p_after AND d.counted
        GROUP BY d.item ORDER BY d.item LIMIT 1000
    ) AS waiting;
    IF v_items IS NULL THEN
        RETURN '{}';
    END IF;

    IF cardinality(v_items) = 1000 THEN
        INSERT INTO unlocks (board, blocker, after_item)
        SELECT p_board, b, v_items[1000]
        FROM unnest(p_blockers) AS b
        WHERE EXISTS (SELECT FROM dependencies d
                      WHERE d.board = p_board AND d.blocker = b AND d.item > v_items[1000] AND d.counted)
        ON CONFLICT (board, blocker) DO UPDATE SET after_item = excluded.after_item;
    END IF;

    -- One probe for each gate, in item order, which gives what the gate counts once it is held; then by position, in a
    -- snapshot of its own, since a held gate stays where it is. A join made while few gates are there would read all of
    -- them for each.
    SELECT array_agg(held.place), array_agg(w.blockers),
           array_agg(held.item) FILTER (WHERE held.remaining <= w.blockers)
    INTO v_places, v_counts, v_opened
    FROM unnest(v_items, v_counts) AS w (item, blockers),
    LATERAL (SELECT g.ctid AS place, g.item, g.remaining FROM gates g
             WHERE g.board = p_board AND g.item = w.item FOR UPDATE) AS held;
    IF cardinality(v_opened) IS DISTINCT FROM cardinality(v_places) THEN
        UPDATE gates g SET remaining = g.remaining - w.blockers
        FROM unnest(v_places, v_counts) AS w (place, blockers)
        WHERE g.ctid = w.place AND g.remaining > w.blockers;
    END IF;
    IF v_opened IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN open_items(p_board, v_opened, p_actor, p_authenticated_by, p_now);
END
$$;
