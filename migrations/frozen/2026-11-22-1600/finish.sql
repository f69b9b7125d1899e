-- Finish: the accepted results of many claims in one round trip.
-- Writes across the packages on purpose, in one commit: leases and work_items, attempts (work), artifact_versions
-- and the stale marks of artifacts (board), gates, ready, scheduled, unlocks of what waited (work), event_outbox (log).
-- The callers' arrays are sorted by item, each item once. A row that does not come back with a version was stale.
-- Two statements, each with its own snapshot: the first ends the claims and completes the items, the second
-- (`unlock_dependents`) reads the dependents only after the items' rows are held.
CREATE OR REPLACE FUNCTION finish_items(
    p_board bigint, p_agent bigint, p_actor text, p_authenticated_by text,
    p_items bigint[], p_fences bigint[], p_paths text[], p_uris text[], p_contents text[], p_hashes text[],
    p_sizes bigint[], p_summaries text[], p_notes text[], p_usages text[], p_digests bytea[],
    p_now timestamptz DEFAULT NULL
) RETURNS TABLE (item bigint, version int, revised boolean, woken bigint[]) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_ended bigint;
    v_items bigint[];
    v_versions int[];
    v_revised boolean[];
    v_woken bigint[];
BEGIN
    -- Each row is found by one probe, in item order, and then taken by its position: a join made while a table is small
    -- would read all of it for each.
    WITH ended AS (
        DELETE FROM leases l
        USING unnest(p_items, p_fences, p_paths, p_uris, p_contents, p_hashes, p_sizes, p_summaries, p_notes, p_usages,
                     p_digests)
              AS g (item, fence, path, uri, content, hash, size, summary, note, usage, digest),
             LATERAL (SELECT h.ctid AS place FROM leases h
                      WHERE h.board = p_board AND h.item = g.item AND h.fence = g.fence
                        AND (p_agent IS NULL OR h.agent = p_agent) OFFSET 0) AS at
        WHERE l.ctid = at.place
        RETURNING l.item, l.fence, l.agent, l.worker, l.attempt, l.claimed_at, l.cause,
                  g.path, g.uri, g.content, g.hash, g.size, g.summary, g.note, g.usage, g.digest
    ),
    done AS (
        UPDATE work_items w SET outcome = 'done', finished_at = v_now, attempts = h.attempt
        FROM (SELECT * FROM ended ORDER BY item) AS h,  -- sorted: all leases are taken before the first item
             LATERAL (SELECT i.ctid AS place FROM work_items i WHERE i.board = p_board AND i.id = h.item OFFSET 0) AS at
        WHERE w.ctid = at.place
        RETURNING w.artifact, w.reference, w.correlation, w.depth, w.revision > 0 AS revised,
                  CASE WHEN w.artifact IS NULL THEN NULL WHEN w.revision = 0 THEN 1
                       ELSE 1 + (SELECT max(v.version) FROM artifact_versions v
                                 WHERE v.board = p_board AND v.artifact = w.artifact) END AS version,
                  h.item, h.fence, h.agent, h.attempt, h.claimed_at, h.cause, h.worker, h.path, h.uri, h.content,
                  h.hash, h.size, h.summary, h.note, h.usage, h.digest
    ),
    versions AS (
        INSERT INTO artifact_versions
            (board, artifact, version, item, fence, author, path, uri, content, hash, size, summary, created_at)
        SELECT p_board, artifact, version, item, fence, p_actor, path, uri, content, hash, size, summary, v_now
        FROM done WHERE artifact IS NOT NULL
    ),
    kept AS (
        INSERT INTO attempts (board, item, fence, attempt, agent, worker, outcome, note, usage, digest, started_at,
                              ended_at)
        SELECT p_board, item, fence, attempt, agent, worker, 'completed', note, usage::jsonb, digest, claimed_at, v_now
        FROM done
    ),
    told AS (
        INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, cause, correlation,
                                  depth, happened_at)
        SELECT coalesce((SELECT l.lane FROM event_lane l, boards b WHERE b.id = p_board AND b.archived_at IS NULL),
               outbox_lane(p_board)), p_board,
               CASE WHEN artifact IS NULL THEN 'board.delivery.completed' ELSE 'board.artifact.completed' END,
               -- Names need no escape; what is absent is left out. Who worked, and since when, is in the claim's event.
               concat('{"reference":"', reference, '"', ',"artifact":' || artifact, ',"version":' || version, ',"item":', item,
                      ',"fence":', fence, ',"attempt":', attempt,
                      ',"path":' || to_json(path)::text, ',"uri":' || to_json(uri)::text,
                      ',"hash":' || to_json(hash)::text, ',"size":' || size,
                      ',"summary":' || to_json(summary)::text, ',"note":' || to_json(note)::text,
                      ',"usage":' || usage, '}'),
               p_actor, p_authenticated_by, cause, correlation, depth, v_now
        FROM done
    )
    SELECT array_agg(d.item), array_agg(d.version), array_agg(d.revised), (SELECT count(*) FROM ended)
    INTO v_items, v_versions, v_revised, v_ended
    FROM done AS d;

    IF v_ended > coalesce(cardinality(v_items), 0) OR v_ended < cardinality(p_items) AND EXISTS (
        SELECT FROM unnest(p_items, p_fences) AS g (item, fence),
        LATERAL (SELECT FROM leases h
                 WHERE h.board = p_board AND h.item = g.item AND h.fence = g.fence
                   AND (p_agent IS NULL OR h.agent = p_agent) OFFSET 0) AS still)
    THEN
        -- A heartbeat moved a lease, or a pin an item, since the snapshot; the door asks again.
        RAISE EXCEPTION 'a claim was changed meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    IF v_ended = 0 THEN
        RETURN;
    END IF;

    IF true = ANY (v_revised) THEN
        PERFORM mark_stale(
            p_board,
            ARRAY(SELECT w.artifact FROM unnest(v_items) AS g (item),
                  LATERAL (SELECT i.artifact, i.revision FROM work_items i
                           WHERE i.board = p_board AND i.id = g.item OFFSET 0) AS w
                  WHERE w.revision > 0),
            p_actor, p_authenticated_by, v_now);
    END IF;
    DELETE FROM checkpoints c WHERE c.board = p_board AND c.item = ANY (v_items);
    v_woken := unlock_dependents(p_board, v_items, 0, p_actor, p_authenticated_by, v_now);
    RETURN QUERY SELECT r.item, r.version, r.revised, v_woken
                 FROM unnest(v_items, v_versions, v_revised) AS r (item, version, revised);
END
$$;
