-- The lane of the outbox into which the writers of a board write. Every statement that writes an event asks for it, so
-- nothing is changed on a board that is archived (SB005) or deleted (SB006). It looks after it holds the outbox as a
-- writer does, and who archives holds it against all writers: none slips through between the look and the commit.
-- What looks after an archived board itself may still be written. The hot statements look by themselves, for a call
-- takes longer than the look, and ask this only where the board is not open.
CREATE OR REPLACE FUNCTION outbox_lane(p_board bigint, p_looks_after boolean DEFAULT false) RETURNS smallint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_lane smallint;
    v_name text;
    v_archived_at timestamptz;
BEGIN
    SELECT l.lane, b.name, b.archived_at INTO v_lane, v_name, v_archived_at
    FROM event_lane l LEFT JOIN boards b ON b.id = p_board;
    IF v_name IS NULL THEN
        RAISE EXCEPTION 'there is no board %: it was deleted', p_board USING ERRCODE = 'SB006';
    ELSIF v_archived_at IS NOT NULL AND NOT p_looks_after THEN
        RAISE EXCEPTION 'the board % is archived: it can be read, and not changed', v_name USING ERRCODE = 'SB005';
    END IF;
    RETURN v_lane;
END
$$;

-- Append events of one change to the outbox, in the order of the arrays. Called last, when all locks of the change are
-- held, so that of two changes to the same thing the second has the higher ids.
CREATE OR REPLACE FUNCTION append_events(
    p_board bigint, p_actor text, p_authenticated_by text, p_now timestamptz, p_cause bigint, p_depth smallint,
    p_traceparent text, p_subjects text[], p_payloads text[], p_correlations text[]
) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, cause, correlation, depth,
                              traceparent, happened_at)
    SELECT coalesce((SELECT l.lane FROM event_lane l, boards b WHERE b.id = p_board AND b.archived_at IS NULL),
               outbox_lane(p_board, p_subjects <@ ARRAY[
                   'board.board.archived', 'board.board.unarchived', 'board.log.archived', 'board.event.erased',
                   'board.key.changed', 'board.token.revoked'])),
           p_board, g.subject, g.payload, p_actor, p_authenticated_by, p_cause,
           g.correlation, p_depth, p_traceparent, p_now
    FROM unnest(p_subjects, p_payloads, p_correlations) AS g (subject, payload, correlation);
END
$$;
