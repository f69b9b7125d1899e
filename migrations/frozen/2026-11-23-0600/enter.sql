-- What a post must know, in one round trip and without a lock; one row for each thing that is there:
-- `post` (the database's clock and fresh ids), `task` (with its parent's name, and the items of both their results),
-- `agent` (its ids are those from whom alone it accepts work), `artifact` (by `task/artifact`, with its newest item) and
-- `inbox` (by its capability).
CREATE OR REPLACE FUNCTION look_up_names(
    p_board bigint, p_ids int, p_tasks text[], p_agents text[], p_artifact_tasks text[], p_artifacts text[],
    p_capabilities text[]
) RETURNS TABLE (
    what text, name text, id bigint, agent bigint, priority text, due timestamptz, parent text, result bigint,
    parent_result bigint, looked_at timestamptz, ids bigint[]
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'post', NULL::text, NULL::bigint, NULL::bigint, NULL::text, NULL::timestamptz, NULL::text, NULL::bigint,
           NULL::bigint, clock_timestamp(), ARRAY(SELECT nextval('ids') FROM generate_series(1, p_ids))
    UNION ALL
    SELECT 'task', t.name, t.id, t.agent, t.priority, t.due,
           (SELECT p.name FROM tasks p WHERE p.board = p_board AND p.id = t.parent),
           (SELECT a.newest_item FROM artifacts a
            WHERE a.board = p_board AND a.task = t.id AND a.name = 'result'),
           (SELECT a.newest_item FROM artifacts a
            WHERE a.board = p_board AND a.task = t.parent AND a.name = 'result'),
           NULL, NULL
    FROM tasks t
    WHERE t.board = p_board AND t.name = ANY (p_tasks)
    UNION ALL
    SELECT 'agent', a.name, a.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, a.accepts_from
    FROM agents a
    WHERE a.board = p_board AND a.name = ANY (p_agents) AND a.removed_at IS NULL
    UNION ALL
    SELECT 'inbox', o.capability, o.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM open_inboxes o
    WHERE o.board = p_board AND o.capability = ANY (p_capabilities);

    IF cardinality(p_artifacts) > 0 THEN
        -- One probe for each: where the planner knows little of a board, a join reads all of its artifacts.
        RETURN QUERY
        SELECT 'artifact', g.task || '/' || g.artifact, a.newest_item, NULL::bigint, NULL, NULL::timestamptz, NULL,
               NULL::bigint, NULL::bigint, NULL::timestamptz, NULL::bigint[]
        FROM unnest(p_artifact_tasks, p_artifacts) AS g (task, artifact),
        LATERAL (SELECT t.id FROM tasks t WHERE t.board = p_board AND t.name = g.task OFFSET 0) AS t,
        LATERAL (SELECT a.newest_item FROM artifacts a
                 WHERE a.board = p_board AND a.task = t.id AND a.name = g.artifact OFFSET 0) AS a;
    END IF;
END
$$;

-- Enter new artifacts: their rows and items, the edges between them and from older items, a gate for each that waits,
-- a place for the others, and the events of the change, last. An artifact and its first item have one id.
-- Writes across the packages on purpose: artifacts and dependencies (board), work_items, gates and what `place_items`
-- writes (work), event_outbox (log). `p_older` are the blockers that were there before, ascending: they are held until
-- the commit, so that none of them completes between the statement that counts it and that.
-- Returns the inboxes that now hold claimable work.
CREATE OR REPLACE FUNCTION enter_items(
    p_board bigint, p_actor text, p_authenticated_by text, p_correlation text, p_now timestamptz,
    p_items bigint[], p_tasks bigint[], p_names text[], p_titles text[], p_briefs text[], p_owners bigint[],
    p_capabilities text[], p_paths text[], p_references text[], p_inboxes bigint[], p_ratings int[],
    p_dues timestamptz[], p_run_ats timestamptz[], p_max_attempts smallint[], p_imported boolean[],
    p_rules text[], p_older bigint[], p_blockers bigint[], p_blocked bigint[],
    p_cause bigint, p_depth smallint, p_traceparent text,
    p_subjects text[], p_payloads text[], p_correlations text[]
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_cancelled text;
    v_removed text;
    v_free bigint[];
    v_inboxes bigint[] := '{}';
    v_budgeted bigint[] := '{}';
BEGIN
    IF EXISTS (SELECT FROM budgets b WHERE b.board = p_board AND b.agent = 0 AND b.task > 0) THEN
        -- The tasks of this post that are below one with a budget, or have one.
        WITH RECURSIVE above (given, id) AS (
            SELECT DISTINCT g.task, g.task FROM unnest(p_tasks) AS g (task)
            UNION
            SELECT b.given, t.parent FROM above b, LATERAL (SELECT t.parent FROM tasks t
                                                            WHERE t.board = p_board AND t.id = b.id OFFSET 0) AS t
        )
        SELECT coalesce(array_agg(DISTINCT b.given), '{}') INTO v_budgeted
        FROM above b, LATERAL (SELECT FROM budgets g
                               WHERE g.board = p_board AND g.agent = 0 AND g.task = b.id OFFSET 0) AS g;
    END IF;
    -- Whose work it is to be: nobody of them is removed before the commit.
    SELECT h.name INTO v_removed FROM (
        SELECT a.name, a.removed_at FROM agents a
        WHERE a.board = p_board AND a.id = ANY (ARRAY(SELECT DISTINCT unnest(p_inboxes)))
        ORDER BY a.id FOR KEY SHARE) AS h
    WHERE h.removed_at IS NOT NULL LIMIT 1;
    IF v_removed IS NOT NULL THEN
        RAISE EXCEPTION 'the agent ''%'' was removed from this board', v_removed USING ERRCODE = 'SB008';
    END IF;
    IF cardinality(p_older) > 0 THEN
        PERFORM held.id
        FROM unnest(p_older) AS g (item),
        LATERAL (SELECT w.id FROM work_items w WHERE w.board = p_board AND w.id = g.item FOR NO KEY UPDATE) AS held;
        SELECT w.reference INTO v_cancelled
        FROM unnest(p_older) AS g (item),
        LATERAL (SELECT w.reference, w.outcome FROM work_items w
                 WHERE w.board = p_board AND w.id = g.item OFFSET 0) AS w
        WHERE w.outcome = 'cancelled' LIMIT 1;
        IF v_cancelled IS NOT NULL THEN
            RAISE EXCEPTION '% was cancelled, so nothing can wait for it', v_cancelled USING ERRCODE = 'SB004';
        END IF;
    END IF;

    INSERT INTO artifacts (board, id, task, name, title, brief, owner, capability, path, newest_item, rules,
                           created_by, created_at)
    SELECT p_board, g.id, g.task, g.name, g.title, g.brief, g.owner, g.capability, g.path, g.id, g.rules::jsonb,
           p_actor, p_now
    FROM unnest(p_items, p_tasks, p_names, p_titles, p_briefs, p_owners, p_capabilities, p_paths, p_rules)
         AS g (id, task, name, title, brief, owner, capability, path, rules);

    INSERT INTO work_items (board, id, kind, artifact, reference, inbox, base_rating, due, run_at, max_attempts,
                            outcome, finished_at, correlation, depth, guarded, hooked, created_at)
    SELECT p_board, g.id, 'produce', g.id, g.reference, g.inbox, g.rating, g.due, g.run_at, g.max_attempts,
           CASE WHEN g.imported THEN 'done' END, CASE WHEN g.imported THEN p_now END, p_correlation, p_depth,
           g.rules IS NOT NULL AND g.rules::jsonb ?| ARRAY['touches', 'keys'] OR g.task = ANY (v_budgeted),
           g.rules IS NOT NULL AND g.rules::jsonb ?| ARRAY['verify', 'criteria', 'evidence'], p_now
    FROM unnest(p_items, p_references, p_inboxes, p_ratings, p_dues, p_run_ats, p_max_attempts, p_imported, p_rules,
                p_tasks)
         AS g (id, reference, inbox, rating, due, run_at, max_attempts, imported, rules, task);

    v_free := CASE WHEN true = ANY (p_imported) THEN ARRAY(
        SELECT g.item FROM unnest(p_items, p_imported) AS g (item, imported) WHERE NOT g.imported) ELSE p_items END;
    IF cardinality(p_blockers) > 0 THEN
        INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
        SELECT p_board, g.blocker, g.item, w.outcome IS DISTINCT FROM 'done', p_actor, p_now
        FROM unnest(p_blockers, p_blocked) AS g (blocker, item),
        LATERAL (SELECT w.outcome FROM work_items w WHERE w.board = p_board AND w.id = g.blocker OFFSET 0) AS w;
        WITH held AS (
            INSERT INTO gates (board, item, remaining)
            SELECT p_board, g.item, d.remaining
            FROM unnest(v_free) AS g (item),
            LATERAL (SELECT count(*)::int AS remaining FROM dependencies d
                     WHERE d.board = p_board AND d.item = g.item AND d.counted) AS d
            WHERE d.remaining > 0
            RETURNING item
        )
        SELECT array_agg(g.item ORDER BY g.item) INTO v_free
        FROM unnest(v_free) AS g (item) WHERE g.item NOT IN (SELECT item FROM held);
    END IF;
    IF cardinality(v_free) > 0 THEN
        v_inboxes := place_items(p_board, v_free, false, p_now);
    END IF;

    -- Older blockers that are ready have one more dependent now: the leader rates them again. One that came through its
    -- gate and was not tried since keeps what it got for that.
    IF cardinality(p_older) > 0 THEN
        INSERT INTO rating_changes (board, item, changes_at, unblocked)
        SELECT p_board, r.item, p_now,
               w.attempts = 0
               -- No EXISTS: the planner might read all edges of the board for it, once.
               AND (SELECT d.counted FROM dependencies d
                    WHERE d.board = p_board AND d.item = r.item AND d.counted LIMIT 1) IS TRUE
        FROM unnest(p_older) AS g (item),
        LATERAL (SELECT r.item FROM ready r WHERE r.board = p_board AND r.item = g.item OFFSET 0) AS r,
        LATERAL (SELECT w.attempts FROM work_items w WHERE w.board = p_board AND w.id = r.item OFFSET 0) AS w
        ON CONFLICT DO NOTHING;
    END IF;

    PERFORM append_events(p_board, p_actor, p_authenticated_by, p_now, p_cause, p_depth, p_traceparent,
                          p_subjects, p_payloads, p_correlations);
    RETURN v_inboxes;
END
$$;
