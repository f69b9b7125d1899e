-- Mark what used an older version of these artifacts as stale, and the artifacts themselves as fresh again; one event
-- names them with their owners. Writes: artifacts, event_outbox. Called in the commit that makes the new version.
CREATE OR REPLACE FUNCTION mark_stale(
    p_board bigint, p_artifacts bigint[], p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS void LANGUAGE sql AS $$
    UPDATE artifacts SET stale_at = NULL, stale_because = NULL
    WHERE board = p_board AND id = ANY (p_artifacts) AND stale_at IS NOT NULL;

    WITH used AS (
        -- An edge names the item that blocked: the artifact's first, or the one that made any later version.
        SELECT DISTINCT w.artifact, source.reference
        FROM artifacts a
        CROSS JOIN LATERAL (
            SELECT a.id AS item UNION SELECT v.item FROM artifact_versions v WHERE v.board = a.board AND v.artifact = a.id
        ) AS made
        JOIN work_items source ON source.board = a.board AND source.id = made.item
        JOIN dependencies d ON d.board = source.board AND d.blocker = source.id
        JOIN work_items w ON w.board = d.board AND w.id = d.item
        WHERE a.board = p_board AND a.id = ANY (p_artifacts) AND w.artifact <> a.id
          AND EXISTS (SELECT FROM artifact_versions v WHERE v.board = p_board AND v.artifact = w.artifact)
    ),
    marked AS (
        UPDATE artifacts a SET stale_at = p_now, stale_because = 'a newer version of ' || u.reference
        FROM (SELECT artifact, min(reference) AS reference FROM used GROUP BY artifact ORDER BY artifact) AS u
        WHERE a.board = p_board AND a.id = u.artifact
        RETURNING a.id, a.owner, a.stale_because
    )
    INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, happened_at)
    SELECT (SELECT outbox_lane(p_board)), p_board, 'board.artifact.staled',
           json_build_object('artifacts', json_agg(json_build_object(
               'artifact', id, 'owner', owner, 'because', stale_because)))::text,
           p_actor, p_authenticated_by, p_now
    FROM marked HAVING count(*) > 0;
$$;
