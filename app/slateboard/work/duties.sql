-- Post duties of one kind, one into each of these inboxes. `p_after` is what the one duty waits for; `p_in_turn` each
-- waits for the one before it, and only the first is due. With `p_holds` that item, which is in no place and held by the
-- caller, waits for the one duty; `p_reason` says why.
-- Writes: work_items, dependencies, gates, waiting, and what `place_items` writes. Returns the items, in the order of the
-- inboxes, and the inboxes that now hold claimable work.
CREATE OR REPLACE FUNCTION post_duties(
    p_board bigint, p_kind text, p_reference text, p_inboxes bigint[], p_rating int, p_due timestamptz,
    p_after bigint[], p_in_turn boolean, p_hooked boolean, p_holds bigint, p_reason text, p_correlation text,
    p_depth smallint, p_actor text, p_now timestamptz
) RETURNS TABLE (items bigint[], woken bigint[]) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_items bigint[];
    v_free bigint[];
    v_blockers bigint[] := '{}';
    v_blocked bigint[] := '{}';
    v_woken bigint[] := '{}';
BEGIN
    WITH posted AS (
        INSERT INTO work_items (board, id, kind, reference, inbox, base_rating, due, correlation, depth, hooked,
                                created_at)
        SELECT p_board, nextval('ids'), p_kind, p_reference, g.inbox, p_rating,
               CASE WHEN g.place = 1 OR NOT p_in_turn THEN p_due END, p_correlation, p_depth, p_hooked, p_now
        FROM unnest(p_inboxes) WITH ORDINALITY AS g (inbox, place)
        RETURNING id
    )
    SELECT array_agg(p.id ORDER BY p.id) INTO v_items FROM posted p;

    v_free := v_items;
    IF p_in_turn THEN
        v_blockers := v_items[:cardinality(v_items) - 1];
        v_blocked := v_items[2:];
        v_free := v_items[:1];
    ELSIF cardinality(p_after) > 0 THEN
        v_blockers := p_after;
        v_blocked := array_fill(v_items[1], ARRAY[cardinality(p_after)]);
        v_free := '{}';
    END IF;
    IF cardinality(v_blockers) > 0 THEN
        INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
        SELECT p_board, g.blocker, g.item, true, p_actor, p_now
        FROM unnest(v_blockers, v_blocked) AS g (blocker, item);
        INSERT INTO gates (board, item, remaining)
        SELECT p_board, g.item, count(*)::int FROM unnest(v_blocked) AS g (item) GROUP BY g.item;
    END IF;
    IF cardinality(v_free) > 0 THEN
        v_woken := place_items(p_board, v_free, false, p_now);
    END IF;
    IF p_holds IS NOT NULL THEN
        INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
        VALUES (p_board, v_items[1], p_holds, true, p_actor, p_now);
        INSERT INTO gates (board, item, remaining) VALUES (p_board, p_holds, 1);
        INSERT INTO waiting (board, item, owner, deadline, on_item, reason, since)
        VALUES (p_board, p_holds, p_inboxes[1], p_due, v_items[1], p_reason, p_now);
    END IF;
    RETURN QUERY SELECT v_items, v_woken;
END
$$;

-- Duties, held and in no place, are done: what waited for them goes on. The events of the change are written before
-- those of what opens by it.
-- Writes: work_items, waiting, checkpoints, event_outbox, and what `unlock_dependents` writes. Returns the inboxes that
-- now hold claimable work.
CREATE OR REPLACE FUNCTION end_duties(
    p_board bigint, p_items bigint[], p_actor text, p_authenticated_by text, p_now timestamptz,
    p_cause bigint, p_depth smallint, p_traceparent text, p_subjects text[], p_payloads text[], p_correlations text[]
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    UPDATE work_items w SET outcome = 'done', finished_at = p_now WHERE w.board = p_board AND w.id = ANY (p_items);
    DELETE FROM waiting n WHERE n.board = p_board AND n.on_item = ANY (p_items);
    DELETE FROM checkpoints c WHERE c.board = p_board AND c.item = ANY (p_items);
    PERFORM append_events(p_board, p_actor, p_authenticated_by, p_now, p_cause, p_depth, p_traceparent,
                          p_subjects, p_payloads, p_correlations);
    RETURN unlock_dependents(p_board, p_items, 0, p_actor, p_authenticated_by, p_now);
END
$$;
