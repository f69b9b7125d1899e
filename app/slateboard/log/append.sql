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
    SELECT (SELECT lane FROM event_lane), p_board, g.subject, g.payload, p_actor, p_authenticated_by, p_cause,
           g.correlation, p_depth, p_traceparent, p_now
    FROM unnest(p_subjects, p_payloads, p_correlations) AS g (subject, payload, correlation);
END
$$;
