-- What the end of an attempt says that it used, beside what it said while it ran: number 0 of its fence in the ledger.
-- A trigger, so that whatever ends an attempt cannot leave it out; it runs only where there is something to book.
-- Tokens and cost that are no numbers, or below zero, count as none: attempts of before the ledger say what they like.
CREATE OR REPLACE FUNCTION book_usage() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO usage_ledger (board, fence, number, item, agent, task, input_tokens, cached_tokens, output_tokens, cost,
                              model, reported_at)
    SELECT NEW.board, NEW.fence, 0, NEW.item, NEW.agent, task_of_item(NEW.board, NEW.item),
           usage_number(NEW.usage, 'input_tokens'), usage_number(NEW.usage, 'cached_tokens'),
           usage_number(NEW.usage, 'output_tokens'), usage_number(NEW.usage, 'cost'), NEW.usage ->> 'model',
           NEW.ended_at;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION usage_number(p_usage jsonb, p_name text) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(p_usage -> p_name) = 'number'
            THEN least(greatest((p_usage ->> p_name)::numeric, 0), 1e15)::double precision ELSE 0 END;

-- The task whose artifact an item works on; null for a duty and for a delivery.
CREATE OR REPLACE FUNCTION task_of_item(p_board bigint, p_item bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT a.task FROM work_items w, artifacts a
        WHERE w.board = p_board AND w.id = p_item AND a.board = p_board AND a.id = w.artifact);

-- What a budget has to pay for: of an agent, of a task with all below it, or (both 0) of the board.
CREATE OR REPLACE FUNCTION used_of(p_board bigint, p_agent bigint, p_task bigint, OUT tokens bigint, OUT cost numeric)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF p_task > 0 THEN
        WITH RECURSIVE below (id) AS (
            SELECT p_task
            UNION
            SELECT t.id FROM below b, LATERAL (SELECT t.id FROM tasks t
                                               WHERE t.board = p_board AND t.parent = b.id OFFSET 0) AS t
        )
        SELECT sum(u.tokens)::bigint, sum(u.cost) INTO tokens, cost
        FROM below b,
        LATERAL (SELECT sum(l.input_tokens + l.output_tokens) AS tokens, sum(l.cost::numeric) AS cost
                 FROM usage_ledger l WHERE l.board = p_board AND l.task = b.id OFFSET 0) AS u;
    ELSIF p_agent > 0 THEN
        SELECT sum(l.input_tokens + l.output_tokens)::bigint, sum(l.cost::numeric) INTO tokens, cost
        FROM usage_ledger l WHERE l.board = p_board AND l.agent = p_agent;
    ELSE
        SELECT sum(l.input_tokens + l.output_tokens)::bigint, sum(l.cost::numeric) INTO tokens, cost
        FROM usage_ledger l WHERE l.board = p_board;
    END IF;
    tokens := coalesce(tokens, 0);
    cost := coalesce(cost, 0);
END
$$;
