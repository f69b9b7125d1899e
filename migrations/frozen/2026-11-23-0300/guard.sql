-- What the claim of an item looks at beside its agent and its board: the budgets of the tasks above it, the paths that
-- running items touch, the limits of its agent, capability and keys. Only guarded items, and claims of an agent with a
-- limit, come here, one after the other for each board: the lock makes counting exact, so that no limit is passed and no
-- two items that overlap run at once. What an item took it has while its lease is there; nothing is ever given back.

-- From here on this transaction alone takes what is limited on the board; what ended leases held is free.
CREATE OR REPLACE FUNCTION enter_guard(p_board bigint) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('slateboard.guard', p_board));
    DELETE FROM touched t
    WHERE t.board = p_board
      AND (SELECT l.fence FROM leases l WHERE l.board = p_board AND l.item = t.item) IS DISTINCT FROM t.fence;
    DELETE FROM limit_slots s
    WHERE s.board = p_board
      AND (SELECT l.fence FROM leases l WHERE l.board = p_board AND l.item = s.item) IS DISTINCT FROM s.fence;
END
$$;

-- A glob as the part before its first wildcard: all paths that begin so, or that path alone where it has none.
CREATE OR REPLACE FUNCTION glob_prefix(p_glob text, OUT prefix text, OUT whole boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (substring(p_glob FROM '^[^*?[{]*'), p_glob !~ '[*?[{]');

-- What is in the bucket of a rate by now; null without a rate.
CREATE OR REPLACE FUNCTION in_bucket(p_limit limits, p_now timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN least(p_limit.rate, p_limit.tokens + greatest(extract(epoch FROM p_now - p_limit.filled_at), 0)
                           * p_limit.rate / p_limit.per_seconds);

-- How many starts a limit has left: free slots, and what is in the bucket by now.
CREATE OR REPLACE FUNCTION left_of(p_limit limits, p_now timestamptz) RETURNS int
LANGUAGE sql STABLE
RETURN least(
    p_limit.concurrency - (SELECT count(*) FROM limit_slots s
                           WHERE s.board = p_limit.board AND s.scope = p_limit.scope AND s.name = p_limit.name),
    floor(in_bucket(p_limit, p_now)))::int;

-- What an agent may claim now, at most: from each of its inboxes, and at the end in all. Null where nothing limits it.
CREATE OR REPLACE FUNCTION claim_allowances(
    p_board bigint, p_agent bigint, p_inboxes bigint[], p_limit int, p_now timestamptz
) RETURNS int[] LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM limits l WHERE l.board = p_board AND l.inbox = ANY (p_inboxes || p_agent)) THEN
        RETURN NULL;
    END IF;
    PERFORM enter_guard(p_board);
    RETURN ARRAY(
        SELECT greatest(least(p_limit, (SELECT min(left_of(l, p_now)) FROM limits l
                                        WHERE l.board = p_board AND l.inbox = box.inbox AND l.scope = box.scope)), 0)
        FROM (SELECT inbox, 'capability' AS scope, number FROM unnest(p_inboxes) WITH ORDINALITY AS i (inbox, number)
              UNION ALL SELECT p_agent, 'agent', 2147483647) AS box
        ORDER BY box.number);
END
$$;

-- The limits that starting an item counts towards.
CREATE OR REPLACE FUNCTION limits_of(p_board bigint, p_item bigint, p_agent bigint) RETURNS SETOF limits
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.* FROM limits l
    WHERE l.board = p_board
      AND CASE l.scope
          WHEN 'agent' THEN l.inbox = p_agent
          WHEN 'capability' THEN l.inbox = (SELECT w.inbox FROM work_items w WHERE w.board = p_board AND w.id = p_item)
          ELSE (SELECT a.rules -> 'keys' FROM work_items w, artifacts a
                WHERE w.board = p_board AND w.id = p_item AND a.board = p_board AND a.id = w.artifact) ? l.name END
    ORDER BY l.scope, l.name;
END;

-- Why an item may not be started now, null if it may. The caller is in the guard.
CREATE OR REPLACE FUNCTION what_holds(
    p_board bigint, p_item bigint, p_agent bigint, p_now timestamptz, OUT reason text, OUT name text
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_task bigint;
    v_touches jsonb;
BEGIN
    SELECT a.task, a.rules -> 'touches' INTO v_task, v_touches
    FROM work_items w, artifacts a
    WHERE w.board = p_board AND w.id = p_item AND a.board = p_board AND a.id = w.artifact;

    WITH RECURSIVE above (id) AS (
        SELECT v_task
        UNION
        SELECT t.parent FROM above b, LATERAL (SELECT t.parent FROM tasks t
                                               WHERE t.board = p_board AND t.id = b.id OFFSET 0) AS t
    )
    SELECT 'budget', t.name INTO reason, name
    FROM above b,
    LATERAL (SELECT g.task FROM budgets g
             WHERE g.board = p_board AND g.agent = 0 AND g.task = b.id AND g.task > 0 AND g.exhausted_at IS NOT NULL
             OFFSET 0) AS g,
    LATERAL (SELECT t.name FROM tasks t WHERE t.board = p_board AND t.id = g.task OFFSET 0) AS t
    LIMIT 1;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT 'resource', t.prefix || CASE WHEN t.whole THEN '' ELSE '*' END INTO reason, name
    FROM jsonb_array_elements_text(v_touches) AS wanted (glob),
    LATERAL glob_prefix(wanted.glob) AS g,
    LATERAL (SELECT t.prefix, t.whole FROM touched t
             WHERE t.board = p_board AND t.item <> p_item
               AND CASE WHEN t.whole AND g.whole THEN t.prefix = g.prefix
                        WHEN t.whole THEN starts_with(t.prefix, g.prefix)
                        WHEN g.whole THEN starts_with(g.prefix, t.prefix)
                        ELSE starts_with(t.prefix, g.prefix) OR starts_with(g.prefix, t.prefix) END
             LIMIT 1) AS t
    LIMIT 1;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT 'limit', l.scope || ' ' || l.name INTO reason, name
    FROM limits_of(p_board, p_item, p_agent) AS l WHERE left_of(l, p_now) < 1 LIMIT 1;
END
$$;

-- Take for an item under a fence what `what_holds` found free.
CREATE OR REPLACE FUNCTION take_guarded(p_board bigint, p_item bigint, p_fence bigint, p_agent bigint, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO touched (board, item, fence, prefix, whole)
    SELECT DISTINCT p_board, p_item, p_fence, g.prefix, g.whole
    FROM work_items w, artifacts a, jsonb_array_elements_text(a.rules -> 'touches') AS wanted (glob),
    LATERAL glob_prefix(wanted.glob) AS g
    WHERE w.board = p_board AND w.id = p_item AND a.board = p_board AND a.id = w.artifact;
    INSERT INTO limit_slots (board, scope, name, number, item, fence)
    SELECT p_board, l.scope, l.name, free.number, p_item, p_fence
    FROM limits_of(p_board, p_item, p_agent) AS l,
    LATERAL (SELECT n.number FROM generate_series(1, l.concurrency) AS n (number)
             WHERE NOT EXISTS (SELECT FROM limit_slots s WHERE s.board = p_board AND s.scope = l.scope
                               AND s.name = l.name AND s.number = n.number)
             ORDER BY n.number LIMIT 1) AS free;
    UPDATE limits m SET tokens = in_bucket(m, p_now) - 1, filled_at = greatest(p_now, m.filled_at)
    FROM limits_of(p_board, p_item, p_agent) AS l
    WHERE m.board = p_board AND m.scope = l.scope AND m.name = l.name AND m.rate IS NOT NULL;
END
$$;

-- Of the items that a claim picked: take what they need, and put behind their gates those that may not be taken now.
-- Returns these. The caller has taken all of them out of `ready`, and the others get their leases in its statement.
CREATE OR REPLACE FUNCTION guard_items(
    p_board bigint, p_agent bigint, p_items bigint[], p_fences bigint[], p_actor text, p_authenticated_by text,
    p_now timestamptz
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_held record;
    v_refused bigint[] := '{}';
    v_told json[] := '{}';
BEGIN
    PERFORM enter_guard(p_board);
    FOR i IN 1 .. cardinality(p_items) LOOP
        SELECT * INTO v_held FROM what_holds(p_board, p_items[i], p_agent, p_now);
        IF v_held.reason IS NULL THEN
            PERFORM take_guarded(p_board, p_items[i], p_fences[i], p_agent, p_now);
        ELSE
            v_refused := v_refused || p_items[i];
            v_told := v_told || json_build_array(p_items[i], v_held.reason, v_held.name);
            INSERT INTO gates (board, item, remaining) VALUES (p_board, p_items[i], 1);
            INSERT INTO holds (board, item, reason, name, since)
            VALUES (p_board, p_items[i], v_held.reason, v_held.name, p_now);
        END IF;
    END LOOP;
    IF v_refused <> '{}' THEN
        INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, happened_at)
        VALUES (outbox_lane(p_board), p_board, 'board.item.held', json_build_object('items', v_told)::text, p_actor,
                p_authenticated_by, p_now);
    END IF;
    RETURN v_refused;
END
$$;

-- Let items go on that nothing holds any more, of those given; what they will take is counted while the others are looked
-- at, and not taken. What something else holds by now is told again: a budget must be raised, a resource comes free.
-- Returns the inboxes to wake. Gates and holds that somebody else has are left to the next look.
CREATE OR REPLACE FUNCTION free_held(p_board bigint, p_items bigint[], p_now timestamptz) RETURNS bigint[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_item bigint;
    v_held record;
    v_free bigint[] := '{}';
    v_still bigint[] := '{}';
    v_reasons text[] := '{}';
    v_names text[] := '{}';
    v_told json;
    v_opened bigint[];
BEGIN
    PERFORM enter_guard(p_board);
    BEGIN
        FOREACH v_item IN ARRAY p_items LOOP
            SELECT * INTO v_held FROM what_holds(p_board, v_item, NULL, p_now);
            IF v_held.reason IS NULL THEN
                v_free := v_free || v_item;
                PERFORM take_guarded(p_board, v_item, 0, NULL, p_now);
            ELSE
                v_still := v_still || v_item;
                v_reasons := v_reasons || v_held.reason;
                v_names := v_names || v_held.name;
            END IF;
        END LOOP;
        RAISE EXCEPTION 'nothing was taken' USING ERRCODE = 'SB009';
    EXCEPTION WHEN SQLSTATE 'SB009' THEN
        NULL;
    END;
    WITH changed AS MATERIALIZED (
        SELECT h.place, s.item, s.reason, s.name
        FROM unnest(v_still, v_reasons, v_names) AS s (item, reason, name),
        LATERAL (SELECT h.ctid AS place FROM holds h
                 WHERE h.board = p_board AND h.item = s.item
                   AND (h.reason <> s.reason OR s.reason = 'budget' AND h.name <> s.name)
                 FOR UPDATE SKIP LOCKED) AS h
    ),
    kept AS (
        UPDATE holds h SET reason = c.reason, name = c.name, since = p_now FROM changed c WHERE h.ctid = c.place
        RETURNING h.item, h.reason, h.name
    )
    SELECT json_agg(json_build_array(k.item, k.reason, k.name) ORDER BY k.item) INTO v_told FROM kept k;
    IF v_told IS NOT NULL THEN
        INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, happened_at)
        VALUES (outbox_lane(p_board), p_board, 'board.item.held', json_build_object('items', v_told)::text, 'system',
                'system', p_now);
    END IF;

    SELECT array_agg(g.item ORDER BY g.item), array_agg(g.item ORDER BY g.item) FILTER (WHERE g.remaining <= 1)
    INTO v_free, v_opened
    FROM unnest(v_free) AS f (item),
    LATERAL (SELECT g.item, g.remaining FROM gates g
             WHERE g.board = p_board AND g.item = f.item FOR UPDATE SKIP LOCKED) AS g,
    LATERAL (SELECT FROM holds h WHERE h.board = p_board AND h.item = f.item OFFSET 0) AS h;
    IF v_free IS NULL THEN
        RETURN '{}';
    END IF;
    DELETE FROM holds h WHERE h.board = p_board AND h.item = ANY (v_free);
    UPDATE gates g SET remaining = g.remaining - 1
    WHERE g.board = p_board AND g.item = ANY (v_free) AND g.remaining > 1;
    INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, happened_at)
    VALUES (outbox_lane(p_board), p_board, 'board.item.freed', json_build_object('items', v_free)::text, 'system',
            'system', p_now);
    IF v_opened IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN open_items(p_board, v_opened, 'system', 'system', p_now);
END
$$;
