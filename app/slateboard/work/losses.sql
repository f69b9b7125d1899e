-- For claims that are not held any more: the item's place, who holds it now, and how the asked attempt ended.
-- Reads only. A function for its settings: as a statement of its own, with a plan made while the tables were small, it
-- read all attempts of a board for each claim.
CREATE OR REPLACE FUNCTION lost_claims(p_board bigint, p_items bigint[], p_fences bigint[]) RETURNS TABLE (
    item bigint, fence bigint, place text, holder text, holder_agent bigint, holder_fence bigint, until timestamptz,
    ended text, error text, digest bytea, version int
) LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT g.item, g.fence, w.place, l.worker, l.agent, l.fence, l.expires_at, a.outcome, a.error, a.digest, v.version
    FROM unnest(p_items, p_fences) AS g (item, fence)
    LEFT JOIN LATERAL (SELECT p.place FROM item_places p WHERE p.board = p_board AND p.item = g.item OFFSET 0) AS w
        ON true
    LEFT JOIN LATERAL (SELECT l.worker, l.agent, l.fence, l.expires_at FROM leases l
                       WHERE l.board = p_board AND l.item = g.item OFFSET 0) AS l ON true
    LEFT JOIN LATERAL (SELECT a.outcome, a.error, a.digest FROM attempts a
                       WHERE a.board = p_board AND a.item = g.item AND a.fence = g.fence
                         AND a.ended_at > now() - interval '7 days' OFFSET 0) AS a ON true
    LEFT JOIN LATERAL (SELECT i.artifact FROM work_items i WHERE i.board = p_board AND i.id = g.item OFFSET 0) AS i
        ON true
    LEFT JOIN LATERAL (SELECT v.version FROM artifact_versions v
                       WHERE v.board = p_board AND v.artifact = i.artifact AND v.item = g.item AND v.fence = g.fence
                       OFFSET 0) AS v ON true;
END
$$;
