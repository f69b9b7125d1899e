-- Finish: the accepted results of many claims in one round trip.
-- Writes across the packages on purpose, in one commit: leases and work_items, attempts (work), artifact_versions
-- and the stale marks of artifacts (board), gates, ready, scheduled, unlocks of what waited (work), event_outbox (log).
-- The callers' arrays are sorted by item, each item once. A row that does not come back with a version was stale.
-- Three statements, each with its own snapshot: the first holds the leases, the second ends the claims and completes the
-- items, the third (`unlock_dependents`) reads the dependents only after the items' rows are held.
CREATE OR REPLACE FUNCTION finish_items(
    p_board bigint, p_agent bigint, p_actor text, p_authenticated_by text,
    p_items bigint[], p_fences bigint[], p_paths text[], p_uris text[], p_contents text[], p_hashes text[],
    p_sizes bigint[], p_summaries text[], p_notes text[], p_usages text[], p_digests bytea[],
    p_now timestamptz DEFAULT NULL
) RETURNS TABLE (item bigint, version int, revised boolean, woken bigint[]) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_places tid[];
    v_held leases[];
    v_items bigint[];
    v_versions int[];
    v_revised boolean[];
    v_woken bigint[];
BEGIN
    -- One probe for each claim, in item order; a join would read all leases for each under a generic plan.
    v_places := ARRAY(
        SELECT held.place
        FROM unnest(p_items, p_fences) AS given (item, fence),
        LATERAL (SELECT l.ctid AS place FROM leases l
                 WHERE l.board = p_board AND l.item = given.item AND l.fence = given.fence
                   AND (p_agent IS NULL OR l.agent = p_agent)
                 FOR UPDATE) AS held);
    IF v_places = '{}' THEN
        RETURN;
    END IF;
    -- In a statement of its own: what a heartbeat wrote while the one above waited is not in the snapshot of that one.
    WITH ended AS (
        DELETE FROM leases l WHERE l.ctid = ANY (v_places) RETURNING l
    )
    SELECT array_agg(l ORDER BY (l).item) INTO v_held FROM ended;

    IF cardinality(v_held) < cardinality(p_items) THEN
        -- Some claims were stale: keep the rest, so that the arrays stand side by side again.
        SELECT array_agg(g.item ORDER BY g.item), array_agg(g.path ORDER BY g.item), array_agg(g.uri ORDER BY g.item),
               array_agg(g.content ORDER BY g.item), array_agg(g.hash ORDER BY g.item),
               array_agg(g.size ORDER BY g.item), array_agg(g.summary ORDER BY g.item),
               array_agg(g.note ORDER BY g.item), array_agg(g.usage ORDER BY g.item),
               array_agg(g.digest ORDER BY g.item)
        INTO p_items, p_paths, p_uris, p_contents, p_hashes, p_sizes, p_summaries, p_notes, p_usages, p_digests
        FROM unnest(p_items, p_fences, p_paths, p_uris, p_contents, p_hashes, p_sizes, p_summaries, p_notes, p_usages,
                    p_digests)
             AS g (item, fence, path, uri, content, hash, size, summary, note, usage, digest)
        WHERE EXISTS (SELECT FROM unnest(v_held) AS h WHERE h.item = g.item AND h.fence = g.fence);
    END IF;

    WITH done AS (
        UPDATE work_items w SET outcome = 'done', finished_at = v_now, attempts = h.attempt
        FROM ROWS FROM (unnest(v_held), unnest(p_paths), unnest(p_uris), unnest(p_contents), unnest(p_hashes),
                        unnest(p_sizes), unnest(p_summaries), unnest(p_notes), unnest(p_usages), unnest(p_digests))
             AS h (board, item, fence, agent, attempt, lease_seconds, claimed_at, expires_at, cause, percent, worker,
                   progress, path, uri, content, hash, size, summary, note, usage, digest),
             -- One probe for each, then by position: a join made while the table is small reads the board for each.
             LATERAL (SELECT i.ctid AS place FROM work_items i WHERE i.board = p_board AND i.id = h.item OFFSET 0) AS at
        WHERE w.ctid = at.place
        RETURNING w.artifact, w.reference, w.correlation, w.revision > 0 AS revised,
                  CASE WHEN w.revision = 0 THEN 1
                       ELSE 1 + (SELECT max(v.version) FROM artifact_versions v
                                 WHERE v.board = p_board AND v.artifact = w.artifact) END AS version,
                  h.item, h.fence, h.agent, h.attempt, h.claimed_at, h.cause, h.worker, h.path, h.uri, h.content,
                  h.hash, h.size, h.summary, h.note, h.usage, h.digest
    ),
    versions AS (
        INSERT INTO artifact_versions
            (board, artifact, version, item, fence, author, path, uri, content, hash, size, summary, created_at)
        SELECT p_board, artifact, version, item, fence, p_actor, path, uri, content, hash, size, summary, v_now
        FROM done
    ),
    kept AS (
        INSERT INTO attempts (board, item, fence, attempt, agent, worker, outcome, note, usage, digest, started_at,
                              ended_at)
        SELECT p_board, item, fence, attempt, agent, worker, 'completed', note, usage::jsonb, digest, claimed_at, v_now
        FROM done
    ),
    told AS (
        INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, cause, correlation,
                                  happened_at)
        SELECT (SELECT lane FROM event_lane), p_board, 'board.artifact.completed',
               json_build_object('reference', reference, 'artifact', artifact, 'version', version, 'item', item,
                                 'fence', fence, 'attempt', attempt, 'agent', agent, 'worker', worker,
                                 'path', path, 'uri', uri, 'hash', hash, 'size', size, 'summary', summary,
                                 'note', note, 'usage', usage::json, 'started_at', claimed_at)::text,
               p_actor, p_authenticated_by, cause, correlation, v_now
        FROM done
    )
    SELECT array_agg(d.item), array_agg(d.version), array_agg(d.revised) INTO v_items, v_versions, v_revised
    FROM done AS d;

    IF v_items IS NULL OR cardinality(v_items) < cardinality(v_held) THEN
        -- A pin changed one of the items since the snapshot; the door asks again.
        RAISE EXCEPTION 'an item was changed meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;

    IF true = ANY (v_revised) THEN
        PERFORM mark_stale(
            p_board,
            ARRAY(SELECT w.artifact FROM work_items w
                  WHERE w.board = p_board AND w.id = ANY (v_items) AND w.revision > 0),
            p_actor, p_authenticated_by, v_now);
    END IF;
    DELETE FROM checkpoints c WHERE c.board = p_board AND c.item = ANY (v_items);
    v_woken := unlock_dependents(p_board, v_items, 0, p_actor, p_authenticated_by, v_now);
    RETURN QUERY SELECT r.item, r.version, r.revised, v_woken
                 FROM unnest(v_items, v_versions, v_revised) AS r (item, version, revised);
END
$$;
