-- The sequencer: move committed events from the outbox to the log, in the order of their ids, with dense positions for
-- each board and the hash chain. One caller at a time (transaction lock), so nothing on the hot path is serialised.
-- Ids are taken while the locks of the change are held; of two changes to the same thing the second therefore has the
-- higher id and becomes visible later, and the log has them in the order in which they took effect.
--
-- chain: hash = sha256(previous hash || payload_hash || head), where head is the UTF-8 text of
--   board, position, id, subject, actor, authenticated_by, cause, correlation, depth, traceparent,
--   happened_at (µs since 1970)
-- joined by line feeds, an absent one empty, and payload_hash = sha256(payload's UTF-8 bytes). The first previous hash
-- is empty.
CREATE OR REPLACE FUNCTION chain_step(p_state bytea, p_first bytea, p_link bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN sha256(coalesce(p_state, p_first) || p_link);
END
$$;

CREATE OR REPLACE AGGREGATE chain_hash(bytea, bytea) (sfunc = chain_step, stype = bytea);

CREATE OR REPLACE FUNCTION seal_events(p_limit int) RETURNS TABLE (board bigint, head bigint, sealed bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET work_mem = '64MB' SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_bound bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('slateboard.seal', 0));
    SELECT max(id) INTO v_bound FROM (SELECT o.id FROM event_outbox o ORDER BY o.id LIMIT p_limit) AS first;
    IF v_bound IS NULL THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH moved AS MATERIALIZED (
        DELETE FROM event_outbox o WHERE o.id <= v_bound RETURNING o.*
    ),
    placed AS (
        SELECT m.*, coalesce(h.position, 0) + row_number() OVER (PARTITION BY m.board ORDER BY m.id) AS position,
               coalesce(h.hash, '') AS first, sha256(convert_to(m.payload, 'UTF8')) AS payload_hash
        FROM moved m LEFT JOIN event_heads h ON h.board = m.board
    ),
    chained AS MATERIALIZED (
        SELECT p.*,
               chain_hash(p.first, p.payload_hash || convert_to(concat(
                   p.board, E'\n', p.position, E'\n', p.id, E'\n', p.subject, E'\n', p.actor, E'\n',
                   p.authenticated_by, E'\n', p.cause, E'\n', p.correlation, E'\n',
                   p.depth, E'\n', p.traceparent, E'\n',
                   (extract(epoch FROM p.happened_at) * 1000000)::bigint), 'UTF8'))
                   OVER (PARTITION BY p.board ORDER BY p.id ROWS UNBOUNDED PRECEDING) AS hash
        FROM placed p
    ),
    written AS (
        INSERT INTO events (board, position, sealed_on, id, subject, payload, payload_hash, actor, authenticated_by,
                            cause, correlation, depth, traceparent, happened_at, hash)
        SELECT c.board, c.position, current_date, c.id, c.subject, c.payload, c.payload_hash, c.actor,
               c.authenticated_by, c.cause, c.correlation, c.depth, c.traceparent, c.happened_at, c.hash
        FROM chained c
    ),
    grown AS (
        SELECT c.board, max(c.position) AS position, count(*) AS sealed FROM chained c GROUP BY c.board
    ),
    last AS MATERIALIZED (
        SELECT g.board, g.position, c.hash, g.sealed FROM grown g JOIN chained c USING (board, position)
    ),
    moved_on AS (
        INSERT INTO event_heads AS h (board, position, hash)
        SELECT l.board, l.position, l.hash FROM last l
        ON CONFLICT (board) DO UPDATE SET position = excluded.position, hash = excluded.hash
    )
    SELECT l.board, l.position, l.sealed FROM last l;
END
$$;

-- Rotate the outbox: dead rows are dropped with their table, so that a snapshot held open elsewhere cannot make each
-- batch slower than the one before. Writers go to one lane; the other is emptied when nothing is left in it.
-- Returns whether a lane was emptied; a lane still in use is left for the next call.
CREATE OR REPLACE FUNCTION rotate_outbox() RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '50ms' AS $$
DECLARE
    v_lane smallint;
    v_left boolean;
BEGIN
    SELECT lane INTO v_lane FROM event_lane FOR UPDATE;
    BEGIN
        IF v_lane = 0 THEN
            LOCK TABLE event_outbox_1 IN ACCESS EXCLUSIVE MODE;
            SELECT EXISTS (SELECT FROM event_outbox_1) INTO v_left;
            IF NOT v_left THEN TRUNCATE event_outbox_1; END IF;
        ELSE
            LOCK TABLE event_outbox_0 IN ACCESS EXCLUSIVE MODE;
            SELECT EXISTS (SELECT FROM event_outbox_0) INTO v_left;
            IF NOT v_left THEN TRUNCATE event_outbox_0; END IF;
        END IF;
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    IF v_left THEN
        RETURN false;
    END IF;
    UPDATE event_lane SET lane = 1 - v_lane;
    RETURN true;
END
$$;
