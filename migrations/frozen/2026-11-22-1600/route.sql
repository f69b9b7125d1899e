-- The text of a payload as JSON; null where Postgres cannot read it (a NUL, half of a surrogate pair) or it was erased.
CREATE OR REPLACE FUNCTION payload_json(p_payload text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN coalesce(p_payload::jsonb, 'null');
EXCEPTION WHEN data_exception THEN
    RETURN 'null';
END
$$;

-- What a filter and a key are a path over.
CREATE OR REPLACE FUNCTION event_json(p_subject text, p_actor text, p_correlation text, p_payload text)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object('subject', p_subject, 'actor', p_actor, 'correlation', p_correlation,
                          'payload', payload_json(p_payload));

-- Whether an event meets a filter: a JSON path over {subject, actor, correlation, payload}. A path that answers with a
-- boolean says so itself; any other is met by whatever it finds.
CREATE OR REPLACE FUNCTION event_fits(p_filter jsonpath, p_event jsonb) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN p_filter IS NULL
    OR coalesce(jsonb_path_query_first(p_event, p_filter, '{}', true) NOT IN ('false', 'null'), false);

-- Which of these deliveries may be made: each is counted to its correlation's chain. The first of a chain that is too
-- deep (32) or too long (10,000) for a subscription comes to life dead, and nothing more of that chain is delivered to
-- that subscription. One row for each that is made, in the order given; `error` says why it is dead.
-- Writes: chains. No nested loops: what is joined are the rows of this call, whose number the planner does not know.
CREATE OR REPLACE FUNCTION judge_deliveries(
    p_board bigint, p_subscription bigint, p_positions bigint[], p_correlations text[], p_depths smallint[],
    p_now timestamptz
) RETURNS TABLE (number bigint, error text) LANGUAGE plpgsql
SET enable_nestloop = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(p_positions, p_correlations, p_depths)
                      WITH ORDINALITY AS g (position, correlation, depth, number)
    ),
    counted AS MATERIALIZED (
        INSERT INTO chains AS c (board, correlation, deliveries, delivered_at)
        SELECT p_board, g.correlation, count(*), p_now FROM given g GROUP BY g.correlation ORDER BY g.correlation
        ON CONFLICT (board, correlation) DO UPDATE
        SET deliveries = c.deliveries + excluded.deliveries, delivered_at = p_now
        RETURNING c.correlation, c.deliveries, p_subscription = ANY (c.stopped) AS stopped
    ),
    numbered AS (
        SELECT g.number, g.correlation, g.depth,
               k.deliveries - count(*) OVER (PARTITION BY g.correlation)
               + row_number() OVER (PARTITION BY g.correlation ORDER BY g.number) AS length
        FROM given g JOIN counted k ON k.correlation = g.correlation
        WHERE NOT k.stopped
    ),
    bounded AS (
        SELECT n.number, n.correlation,
               CASE WHEN n.depth >= 32 THEN 'the chain ' || n.correlation || ' is 32 deliveries deep'
                    WHEN n.length > 10000 THEN 'the chain ' || n.correlation || ' has 10,000 deliveries' END AS error
        FROM numbered n
    ),
    judged AS (
        SELECT b.number, b.correlation, b.error,
               count(b.error) OVER (PARTITION BY b.correlation ORDER BY b.number) AS errors
        FROM bounded b
    )
    SELECT j.number, j.error FROM judged j
    WHERE j.errors = 0 OR j.errors = 1 AND j.error IS NOT NULL
    ORDER BY j.number;
END
$$;

-- Route: events of a board's log become deliveries in the inbox of a subscription's agent, in one transaction with the
-- subscription's cursor: nothing is routed twice or passed over, whatever crashes. Made only where the cursor still is
-- where the caller saw it; another router at the same moment is left to it. `delivered` is null then.
-- A key puts a delivery behind the unfinished one before it. `p_gathered` holds the positions of an `all_of`, as an
-- array's text. Writes: subscriptions (its cursor), chains, deliveries (patterns), work_items, dead_letters, gates and
-- what `place_items` writes (work), dependencies (board), event_outbox (log).
CREATE OR REPLACE FUNCTION deliver_events(
    p_board bigint, p_subscription bigint, p_cursor bigint, p_to bigint, p_positions bigint[], p_events bigint[],
    p_correlations text[], p_depths smallint[], p_keys text[], p_gathered text[], p_rating int, p_now timestamptz
) RETURNS TABLE (delivered int, woken bigint[]) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_subscription subscriptions;
    v_reference text;
    v_numbers bigint[];
    v_errors text[];
    v_items bigint[];
    v_gated bigint[] := '{}';
    v_edges text;
    v_same text;
BEGIN
    UPDATE subscriptions s SET cursor = p_to
    WHERE s.board = p_board AND s.id = (
        SELECT h.id FROM subscriptions h
        WHERE h.board = p_board AND h.id = p_subscription AND h.cursor = p_cursor AND h.paused_at IS NULL
        FOR UPDATE SKIP LOCKED)
    RETURNING * INTO v_subscription;
    IF v_subscription.id IS NULL THEN
        RETURN;
    END IF;
    v_reference := v_subscription.name || '/' || v_subscription.action;

    SELECT array_agg(j.number ORDER BY j.number), array_agg(j.error ORDER BY j.number),
           array_agg(nextval('ids') ORDER BY j.number)
    INTO v_numbers, v_errors, v_items
    FROM judge_deliveries(p_board, p_subscription, p_positions, p_correlations, p_depths, p_now) AS j;
    IF v_numbers IS NULL THEN
        RETURN QUERY SELECT 0, '{}'::bigint[];
        RETURN;
    END IF;

    INSERT INTO work_items (board, id, kind, reference, inbox, base_rating, outcome, finished_at, last_error,
                            correlation, depth, created_at)
    SELECT p_board, g.item, 'handle', v_reference, v_subscription.agent, p_rating,
           CASE WHEN g.error IS NOT NULL THEN 'dead' END, CASE WHEN g.error IS NOT NULL THEN p_now END, g.error,
           p_correlations[g.number], p_depths[g.number] + 1, p_now
    FROM unnest(v_numbers, v_items, v_errors) AS g (number, item, error);

    -- Before the new ones are there: the newest delivery of each key, which the first new one of that key waits for.
    IF p_keys IS NOT NULL THEN
        WITH new AS MATERIALIZED (
            SELECT g.item, p_keys[g.number] AS key FROM unnest(v_numbers, v_items, v_errors) AS g (number, item, error)
            WHERE g.error IS NULL AND p_keys[g.number] IS NOT NULL
        ),
        chained AS MATERIALIZED (
            SELECT n.item, n.key, lag(n.item) OVER (PARTITION BY n.key ORDER BY n.item) AS before FROM new n
        ),
        edges AS MATERIALIZED (
            SELECT c.item, coalesce(c.before, o.item) AS blocker, c.before IS NULL AS older
            FROM chained c LEFT JOIN LATERAL (
                SELECT d.item FROM deliveries d
                WHERE c.before IS NULL AND d.board = p_board AND d.subscription = p_subscription AND d.key = c.key
                ORDER BY d.item DESC LIMIT 1) AS o ON true
        )
        SELECT json_agg(json_build_array(e.item, e.blocker, e.older) ORDER BY e.blocker)::text INTO v_edges
        FROM edges e WHERE e.blocker IS NOT NULL;
        IF v_edges IS NOT NULL THEN
            -- Held until the commit, so that none of them finishes between being counted and that.
            PERFORM held.id
            FROM json_array_elements(v_edges::json) AS e,
            LATERAL (SELECT w.id FROM work_items w
                     WHERE w.board = p_board AND w.id = (e ->> 1)::bigint FOR NO KEY UPDATE) AS held
            WHERE (e ->> 2)::boolean;
            WITH counted AS (
                INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
                SELECT p_board, (e ->> 1)::bigint, (e ->> 0)::bigint, true, 'system', p_now
                FROM json_array_elements(v_edges::json) AS e,
                LATERAL (SELECT w.outcome FROM work_items w
                         WHERE w.board = p_board AND w.id = (e ->> 1)::bigint OFFSET 0) AS w
                WHERE w.outcome IS NULL OR w.outcome = 'dead'
                RETURNING item
            ),
            shut AS (
                INSERT INTO gates (board, item, remaining) SELECT p_board, c.item, 1 FROM counted c RETURNING item
            )
            SELECT coalesce(array_agg(s.item), '{}') INTO v_gated FROM shut s;
        END IF;
    END IF;

    INSERT INTO deliveries (board, item, subscription, round, position, positions, correlation, key)
    SELECT p_board, g.item, p_subscription, v_subscription.round, p_positions[g.number],
           coalesce(p_gathered[g.number]::bigint[], ARRAY[p_positions[g.number]]), p_correlations[g.number],
           CASE WHEN g.error IS NULL THEN p_keys[g.number] END
    FROM unnest(v_numbers, v_items, v_errors) AS g (number, item, error);

    UPDATE chains c SET stopped = c.stopped || p_subscription
    WHERE c.board = p_board AND c.correlation = ANY (ARRAY(
        SELECT p_correlations[g.number] FROM unnest(v_numbers, v_errors) AS g (number, error)
        WHERE g.error IS NOT NULL));
    INSERT INTO dead_letters (board, item, agent, class, error, died_at)
    SELECT p_board, g.item, v_subscription.agent, 'runaway', g.error, p_now
    FROM unnest(v_items, v_errors) AS g (item, error) WHERE g.error IS NOT NULL;

    delivered := cardinality(v_items);
    woken := place_items(p_board, ARRAY(
        SELECT g.item FROM unnest(v_items, v_errors) AS g (item, error)
        WHERE g.error IS NULL AND (v_gated = '{}' OR g.item <> ALL (v_gated))), false, p_now);

    SELECT CASE WHEN min(p_correlations[n]) = max(p_correlations[n]) THEN min(p_correlations[n]) END INTO v_same
    FROM unnest(v_numbers) AS n;
    INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, cause, correlation, happened_at)
    SELECT (SELECT outbox_lane(p_board)), p_board, 'board.delivery.made',
           concat('{"subscription":', to_json(v_subscription.name), ',"agent":', v_subscription.agent,
                  ',"reference":', to_json(v_reference), ',"base_rating":', p_rating, ',"items":[',
                  string_agg(concat('[', g.item, ',', p_positions[g.number], ']'), ',' ORDER BY g.number),
                  '],"depths":', to_json(array_agg(p_depths[g.number] + 1 ORDER BY g.number)),
                  ',"correlations":' || CASE WHEN v_same IS NULL THEN
                      to_json(array_agg(p_correlations[g.number] ORDER BY g.number))::text END,
                  ',"gated":', to_json(v_gated), ',"edges":' || v_edges, '}'),
           'system', 'system', CASE WHEN count(*) = 1 THEN min(p_events[g.number]) END, v_same, p_now
    FROM unnest(v_numbers, v_items) AS g (number, item);
    INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, cause, correlation, depth,
                              happened_at)
    SELECT (SELECT outbox_lane(p_board)), p_board, said.subject,
           json_build_object('reference', v_reference, 'item', g.item, 'agent', v_subscription.agent,
                             'class', 'runaway', 'error', g.error)::text,
           'system', 'system', p_events[g.number], p_correlations[g.number], p_depths[g.number] + 1, p_now
    FROM unnest(v_numbers, v_items, v_errors) AS g (number, item, error),
    LATERAL (VALUES ('board.delivery.died'), (dead_letter_subject(p_board, v_subscription.agent))) AS said (subject)
    WHERE g.error IS NOT NULL;
    RETURN NEXT;
END
$$;

-- End waits of items: each by the event at a position, or (null) because its time ran out or its filter cannot be used.
-- What nothing else holds is opened. Writes: event_waits (patterns), gates and what `open_items` writes (work).
CREATE OR REPLACE FUNCTION end_waits(
    p_board bigint, p_items bigint[], p_positions bigint[], p_errors text[], p_now timestamptz
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_ended bigint[];
    v_opened bigint[];
BEGIN
    WITH held AS MATERIALIZED (
        SELECT h.place, g.position, g.error
        FROM unnest(p_items, p_positions, p_errors) AS g (item, position, error),
        LATERAL (SELECT w.ctid AS place FROM event_waits w
                 WHERE w.board = p_board AND w.item = g.item AND w.ended_at IS NULL FOR UPDATE) AS h
    ),
    ended AS (
        UPDATE event_waits w SET position = h.position, error = h.error, ended_at = p_now
        FROM held h WHERE w.ctid = h.place RETURNING w.item
    )
    SELECT array_agg(e.item ORDER BY e.item) INTO v_ended FROM ended e;
    IF v_ended IS NULL THEN
        RETURN '{}';
    END IF;
    -- A cancelled item has no gate any more.
    SELECT array_agg(held.item) INTO v_opened
    FROM unnest(v_ended) AS e (item),
    LATERAL (SELECT g.item, g.remaining FROM gates g
             WHERE g.board = p_board AND g.item = e.item FOR UPDATE) AS held
    WHERE held.remaining <= 1;
    UPDATE gates g SET remaining = g.remaining - 1
    FROM unnest(v_ended) AS e (item),
    LATERAL (SELECT h.ctid AS place FROM gates h WHERE h.board = p_board AND h.item = e.item OFFSET 0) AS at
    WHERE g.ctid = at.place AND g.remaining > 1;
    IF v_opened IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN open_items(p_board, v_opened, 'system', 'system', p_now);
END
$$;
