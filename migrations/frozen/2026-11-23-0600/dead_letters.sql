-- Tell of items that have just died, in the commit of their death. Who delegated a task hears of it once while nobody
-- has answered, however many of its items die (who manages that one, where it was declined and died with the delegator);
-- who manages an agent (else a person) hears of three deaths in an hour, once an hour. Each is an escalation that nothing
-- waits for. A question that died with whom it was put to is overdue at once, and goes one level up. Returns the inboxes that now hold a question.
-- Writes: work_items, escalations, ready, rating_changes, two events for each escalation.
CREATE OR REPLACE FUNCTION tell_of_deaths(
    p_board bigint, p_items bigint[], p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_duties bigint[];
BEGIN
    WITH died AS MATERIALIZED (
        SELECT given.item, d.agent, d.class, d.error, w.reference, w.correlation, w.depth, t.task, t.delegator
        FROM unnest(p_items) AS given (item),
        LATERAL (SELECT l.agent, l.class, left(l.error, 500) AS error FROM dead_letters l
                 WHERE l.board = p_board AND l.item = given.item OFFSET 0) AS d,
        LATERAL (SELECT i.reference, i.artifact, i.correlation, i.depth FROM work_items i
                 WHERE i.board = p_board AND i.id = given.item OFFSET 0) AS w
        LEFT JOIN LATERAL (
            SELECT k.name AS task, CASE WHEN k.delegator <> coalesce(d.agent, 0) THEN k.delegator
                WHEN (SELECT g.state FROM delegations g WHERE g.board = p_board AND g.task = k.id) = 'declined' THEN
                    (SELECT coalesce(a.manager, (SELECT min(h.id) FROM agents h WHERE h.board = p_board
                                                 AND h.kind = 'human' AND h.removed_at IS NULL AND h.id <> a.id))
                     FROM agents a WHERE a.board = p_board AND a.id = d.agent) END AS delegator
            FROM tasks k
            WHERE k.board = p_board AND k.name = split_part(w.reference, '/', 1) AND w.artifact IS NOT NULL OFFSET 0
        ) AS t ON true
    ),
    overdue AS (
        UPDATE escalations e SET deadline = least(e.deadline, p_now)
        WHERE e.ctid = ANY (ARRAY(
            SELECT o.ctid FROM died d, LATERAL (SELECT o.ctid, o.answered_at FROM escalations o
                                                WHERE o.board = p_board AND o.item = d.item LIMIT 1) AS o
            WHERE o.answered_at IS NULL))
    ),
    cases AS (
        (SELECT DISTINCT ON (d.task) 'failure' AS kind, d.task AS reference, d.delegator AS owner, d.correlation, d.depth,
                format('%s is a dead letter (%s): %s. Redrive the dead letters of this task?', d.reference, d.class,
                       coalesce(d.error, 'no error was told')) AS question,
                ARRAY['redrive', 'leave'] AS options, 'leave' AS default_answer
         FROM died d WHERE d.delegator IS NOT NULL
           AND (SELECT e.item FROM escalations e
                WHERE e.board = p_board AND e.kind = 'failure' AND e.reference = d.task AND e.answered_at IS NULL
                LIMIT 1) IS NULL
         ORDER BY d.task, d.item)
        UNION ALL
        (SELECT 'failures', g.name, g.owner, NULL, 0,
                format('%s has three dead letters or more within an hour. See `slate dead-letters list`.', g.name),
                '{}'::text[], NULL
         FROM (SELECT DISTINCT d.agent FROM died d WHERE d.agent IS NOT NULL) AS d,
         LATERAL (SELECT a.name,
                         coalesce(a.manager, (SELECT min(h.id) FROM agents h
                                              WHERE h.board = p_board AND h.kind = 'human' AND h.removed_at IS NULL AND h.id <> a.id)) AS owner
                  FROM agents a WHERE a.board = p_board AND a.id = d.agent OFFSET 0) AS g
         WHERE g.owner IS NOT NULL
           AND (SELECT count(*) FROM (SELECT FROM dead_letters l
                                      WHERE l.board = p_board AND l.agent = d.agent
                                        AND l.died_at > p_now - interval '1 hour' LIMIT 3) AS recent) = 3
           AND (SELECT e.item FROM escalations e
                WHERE e.board = p_board AND e.kind = 'failures' AND e.reference = g.name
                  AND e.asked_at > p_now - interval '1 hour' LIMIT 1) IS NULL)
    ),
    numbered AS MATERIALIZED (
        SELECT nextval('ids') AS item, c.* FROM cases c
    ),
    posted AS (
        INSERT INTO work_items (board, id, kind, reference, inbox, base_rating, due, correlation, depth, hooked, created_at)
        SELECT p_board, n.item, 'answer', n.reference, n.owner, 100, p_now + interval '4 hours', n.correlation, n.depth,
               true, p_now
        FROM numbered n
    ),
    raised AS (
        INSERT INTO escalations (board, item, kind, reference, severity, owner, deadline, seconds, question, options,
                                 default_answer, asked_by, asked_at)
        SELECT p_board, n.item, n.kind, n.reference, 'high', n.owner, p_now + interval '4 hours', 14400, n.question,
               n.options, n.default_answer, p_actor, p_now
        FROM numbered n
        RETURNING *
    ),
    told AS (
        INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, correlation, depth, happened_at)
        SELECT (SELECT outbox_lane(p_board)), p_board, said.subject, said.payload::text, p_actor, p_authenticated_by,
               n.correlation, n.depth, p_now
        FROM numbered n JOIN raised r ON r.item = n.item,
        LATERAL (VALUES
            (1, 'board.item.posted', jsonb_build_object(
                'item', r.item, 'kind', 'answer', 'reference', r.reference, 'inbox', r.owner, 'rating', 100,
                'due', r.deadline)),
            (2, 'board.escalation.raised', jsonb_build_object(
                'escalation', to_jsonb(r) - 'board', 'reference', r.reference))) AS said (place, subject, payload)
        ORDER BY n.item, said.place
    )
    SELECT array_agg(n.item ORDER BY n.item) INTO v_duties FROM numbered n;
    RETURN CASE WHEN v_duties IS NULL THEN '{}' ELSE place_items(p_board, v_duties, false, p_now) END;
END
$$;
