-- Circuit breakers: an agent whose items fail one after the other gets no more of them for a while.
-- A row of `circuit_breakers` is a breaker that is not closed; without one an agent's claims cost one look at an index.
-- `failure_runs` counts the items in a row that an agent has failed; a breaker that is not closed always has a row there,
-- so that a finish on a board without failures costs one look, too. Rows are taken in this order: leases, items,
-- failure_runs, circuit_breakers, gates. Queued rows are never written here.

-- What a claim of this agent has to mind on a board with a breaker: whether it would be the probe, and whose inboxes it
-- reads, too, as their substitute. Raises SB007, with its details as JSON, where the breaker lets nothing through.
CREATE OR REPLACE FUNCTION mind_breakers(p_board bigint, p_agent bigint, p_now timestamptz)
RETURNS TABLE (probe boolean, inboxes bigint[]) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_own circuit_breakers;
    v_probed boolean;
BEGIN
    SELECT b.* INTO v_own FROM circuit_breakers b WHERE b.board = p_board AND b.agent = p_agent;
    v_probed := v_own.probe_fence IS NOT NULL AND EXISTS (
        SELECT FROM leases l WHERE l.board = p_board AND l.item = v_own.probe_item AND l.fence = v_own.probe_fence);
    IF v_own.fallback <> 'proceed_with_warning' AND (v_probed OR v_own.until > p_now) THEN
        PERFORM refuse_claim(v_own);
    END IF;
    RETURN QUERY
    SELECT v_own.agent IS NOT NULL AND NOT v_probed AND v_own.until <= p_now,
           ARRAY(SELECT b.agent FROM circuit_breakers b WHERE b.board = p_board AND b.substitute = p_agent);
END
$$;

-- Say why a breaker lets nothing through.
CREATE OR REPLACE FUNCTION refuse_claim(p_breaker circuit_breakers) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_name text := (SELECT a.name FROM agents a WHERE a.board = p_breaker.board AND a.id = p_breaker.agent);
BEGIN
    RAISE EXCEPTION 'the circuit breaker of % is open: %', v_name, p_breaker.reason
        USING ERRCODE = 'SB007', DETAIL = json_build_object(
            'agent', v_name, 'since', p_breaker.since, 'until', p_breaker.until, 'reason', p_breaker.reason,
            'fallback', p_breaker.fallback, 'probe', p_breaker.probe_item)::text;
END
$$;

-- The one item that a half-open breaker lets through: no row where nothing is ready, an empty one where claims go on
-- while somebody else has the probe.
-- The breaker is taken only once an item was picked, and only as it was seen before any lock: whoever comes second sees
-- the fence of the first, or passes over its lock, and is refused.
CREATE OR REPLACE FUNCTION pick_probe(
    p_board bigint, p_agent bigint, p_inboxes bigint[], p_first_rank int, p_first_item bigint, p_last_rank int,
    p_last_item bigint, p_now timestamptz
) RETURNS TABLE (rank int, item bigint) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_seen circuit_breakers;
    v_rank int;
    v_item bigint;
BEGIN
    SELECT b.* INTO v_seen FROM circuit_breakers b WHERE b.board = p_board AND b.agent = p_agent;
    SELECT found.rank, found.item INTO v_rank, v_item
    FROM unnest(p_inboxes) AS box (inbox),
    LATERAL (
        SELECT r.rank, r.item FROM ready r
        WHERE r.board = p_board AND r.inbox = box.inbox
          AND (r.rank, r.item) >= (p_first_rank, p_first_item) AND (r.rank, r.item) <= (p_last_rank, p_last_item)
        ORDER BY r.rank, r.item LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS found
    ORDER BY found.rank, found.item LIMIT 1;
    IF v_item IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM circuit_breakers b
    WHERE b.board = p_board AND b.agent = p_agent AND b.until = v_seen.until AND b.until <= p_now
      AND b.probe_fence IS NOT DISTINCT FROM v_seen.probe_fence
      AND (b.probe_fence IS NULL OR NOT EXISTS (
          SELECT FROM leases l WHERE l.board = p_board AND l.item = v_seen.probe_item AND l.fence = v_seen.probe_fence))
    FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN
        RETURN QUERY SELECT v_rank, v_item;
    ELSIF v_seen.fallback <> 'proceed_with_warning' THEN
        PERFORM refuse_claim(v_seen);
    ELSE
        RETURN QUERY SELECT NULL::int, NULL::bigint;
    END IF;
END
$$;

-- The claim of the picked item is the probe: its fence decides from here on. The caller holds the breaker. No probe where
-- the item went behind its gate instead.
CREATE OR REPLACE FUNCTION begin_probe(
    p_board bigint, p_agent bigint, p_item bigint, p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_fence bigint := (SELECT l.fence FROM leases l WHERE l.board = p_board AND l.item = p_item);
    v_breaker circuit_breakers;
BEGIN
    IF v_fence IS NULL THEN
        RETURN;
    END IF;
    UPDATE circuit_breakers b SET state = 'half_open', probe_item = p_item, probe_fence = v_fence
    WHERE b.board = p_board AND b.agent = p_agent
    RETURNING * INTO v_breaker;
    PERFORM tell_breaker('probed', v_breaker, p_actor, p_authenticated_by, p_now);
END
$$;

-- One event of a breaker, with its after-image; all of one agent's share a correlation, by which they are found.
CREATE OR REPLACE FUNCTION tell_breaker(
    p_verb text, p_breaker circuit_breakers, p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
BEGIN
    INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, correlation, happened_at)
    SELECT outbox_lane(p_breaker.board), p_breaker.board, 'board.breaker.' || p_verb,
           json_build_object(
               'name', (SELECT a.name FROM agents a WHERE a.board = p_breaker.board AND a.id = p_breaker.agent),
               'breaker', (to_jsonb(p_breaker) - 'board'))::text,
           p_actor, p_authenticated_by, 'breaker-' || p_breaker.agent, p_now;
END
$$;

-- The rules of an agent's breaker: its own, else the board's, else 3 items, 300 s, a person is asked.
CREATE OR REPLACE FUNCTION breaker_rules(p_board bigint, p_agent bigint) RETURNS breaker_settings
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_rules breaker_settings;
BEGIN
    SELECT s.* INTO v_rules FROM breaker_settings s WHERE s.board = p_board AND s.agent IN (0, p_agent)
    ORDER BY s.agent DESC LIMIT 1;
    v_rules.failure_threshold := coalesce(v_rules.failure_threshold, 3);
    v_rules.recovery_seconds := coalesce(v_rules.recovery_seconds, 300);
    v_rules.fallback := coalesce(v_rules.fallback, 'escalate_to_human');
    IF v_rules.substitute = p_agent THEN  -- the board's substitute has none for itself
        v_rules.substitute := NULL;
        v_rules.fallback := 'queue_for_retry';
    END IF;
    RETURN v_rules;
END
$$;

-- Open the breaker of an agent. The caller holds its row in `failure_runs`.
CREATE OR REPLACE FUNCTION open_breaker(
    p_board bigint, p_agent bigint, p_failed int, p_reason text, p_seconds double precision, p_actor text,
    p_authenticated_by text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_rules breaker_settings := breaker_rules(p_board, p_agent);
    v_breaker circuit_breakers;
BEGIN
    INSERT INTO circuit_breakers (board, agent, state, failed, reason, fallback, substitute, recovery_seconds, since,
                                  until)
    VALUES (p_board, p_agent, 'open', p_failed, p_reason, v_rules.fallback, v_rules.substitute,
            v_rules.recovery_seconds, p_now,
            p_now + make_interval(secs => coalesce(p_seconds, v_rules.recovery_seconds)))
    ON CONFLICT DO NOTHING RETURNING * INTO v_breaker;
    IF FOUND THEN
        PERFORM tell_breaker('opened', v_breaker, p_actor, p_authenticated_by, p_now);
    END IF;
END
$$;

-- What ended claims mean for the breakers of their agents. A verdict for each: `good` (completed), `bad` (the first
-- failure of an item, that counts), `failed` (another one, or of validation), `none` (released, interrupted, …).
-- Writes: failure_runs, circuit_breakers, one event for each change. The caller holds the leases and items.
-- Returns whom to wake: the agents whose breakers closed, and who stands in for those whose breakers opened.
CREATE OR REPLACE FUNCTION settle_breakers(
    p_board bigint, p_items bigint[], p_fences bigint[], p_agents bigint[], p_verdicts text[], p_errors text[],
    p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_one record;
    v_breaker circuit_breakers;
    v_probe text;
    v_failed int;
    v_rules breaker_settings;
    v_woken bigint[] := '{}';
BEGIN
    FOR v_one IN
        SELECT g.agent, count(*) FILTER (WHERE g.verdict = 'bad')::int AS bad, bool_or(g.verdict = 'good') AS good,
               (array_agg(left(g.error, 500) ORDER BY g.item DESC) FILTER (WHERE g.error IS NOT NULL))[1] AS error
        FROM unnest(p_items, p_agents, p_verdicts, p_errors) AS g (item, agent, verdict, error)
        WHERE g.agent IS NOT NULL
        GROUP BY g.agent ORDER BY g.agent
    LOOP
        SELECT b.* INTO v_breaker FROM circuit_breakers b WHERE b.board = p_board AND b.agent = v_one.agent;
        IF FOUND THEN
            SELECT g.verdict INTO v_probe FROM unnest(p_items, p_fences, p_verdicts) AS g (item, fence, verdict)
            WHERE g.item = v_breaker.probe_item AND g.fence = v_breaker.probe_fence;
            CONTINUE WHEN NOT FOUND;
            PERFORM FROM failure_runs f WHERE f.board = p_board AND f.agent = v_one.agent FOR UPDATE;
            PERFORM FROM circuit_breakers b
            WHERE b.board = p_board AND b.agent = v_one.agent AND b.probe_fence = v_breaker.probe_fence FOR UPDATE;
            CONTINUE WHEN NOT FOUND;  -- somebody closed it
            IF v_probe = 'good' THEN
                DELETE FROM circuit_breakers b WHERE b.board = p_board AND b.agent = v_one.agent
                RETURNING * INTO v_breaker;
                DELETE FROM failure_runs f WHERE f.board = p_board AND f.agent = v_one.agent;
                v_woken := v_woken || v_one.agent;
                PERFORM tell_breaker('closed', v_breaker, p_actor, p_authenticated_by, p_now);
            ELSIF v_probe = 'none' THEN
                UPDATE circuit_breakers b SET state = 'open', probe_item = NULL, probe_fence = NULL
                WHERE b.board = p_board AND b.agent = v_one.agent RETURNING * INTO v_breaker;
                PERFORM tell_breaker('returned', v_breaker, p_actor, p_authenticated_by, p_now);
            ELSE
                v_rules := breaker_rules(p_board, v_one.agent);
                UPDATE circuit_breakers b
                SET state = 'open', probe_item = NULL, probe_fence = NULL, fallback = v_rules.fallback,
                    substitute = v_rules.substitute, recovery_seconds = v_rules.recovery_seconds,
                    reason = 'the probe failed' || coalesce(': ' || v_one.error, ''),
                    -- Somebody who has answered is asked again.
                    escalation = CASE WHEN (SELECT w.outcome FROM work_items w
                                            WHERE w.board = p_board AND w.id = b.escalation) IS NULL
                                      THEN b.escalation END,
                    until = p_now + make_interval(secs => v_rules.recovery_seconds)
                WHERE b.board = p_board AND b.agent = v_one.agent RETURNING * INTO v_breaker;
                PERFORM tell_breaker('reopened', v_breaker, p_actor, p_authenticated_by, p_now);
                v_woken := v_woken || array_remove(ARRAY[v_breaker.substitute], NULL);
            END IF;
        ELSIF v_one.bad > 0 THEN
            INSERT INTO failure_runs AS f (board, agent, failed) VALUES (p_board, v_one.agent, v_one.bad)
            ON CONFLICT (board, agent) DO UPDATE SET failed = f.failed + excluded.failed
            RETURNING f.failed INTO v_failed;
            v_rules := breaker_rules(p_board, v_one.agent);
            IF v_failed >= v_rules.failure_threshold THEN
                PERFORM open_breaker(
                    p_board, v_one.agent, v_failed,
                    v_failed || ' items failed in a row' || coalesce(', the last: ' || v_one.error, ''), NULL,
                    p_actor, p_authenticated_by, p_now);
                v_woken := v_woken || array_remove(ARRAY[v_rules.substitute], NULL);
            END IF;
        ELSIF v_one.good THEN
            -- Held first, and asked again after it: a breaker that opened meanwhile keeps its row.
            PERFORM FROM failure_runs f WHERE f.board = p_board AND f.agent = v_one.agent FOR UPDATE;
            IF FOUND THEN
                DELETE FROM failure_runs f
                WHERE f.board = p_board AND f.agent = v_one.agent
                  AND NOT EXISTS (SELECT FROM circuit_breakers b WHERE b.board = p_board AND b.agent = v_one.agent);
            END IF;
        END IF;
    END LOOP;
    RETURN v_woken;
END
$$;
