-- Say something on a thread, last of all that a change does, and write the events of the whole change with it. The thread
-- is held, so that the ids of its messages grow in the order in which readers see them; where none is named it is that of
-- the consult. Those of `p_joins` who are not on it join it. An answer, and that one is overdue, is told to who asked, on
-- its inbox; a question to nobody, for whom it is put to has it as work; anything else to all on the thread but its author.
-- Writes: messages, thread_members, event_outbox. Returns the message's id; null if there is no such thread.
CREATE OR REPLACE FUNCTION say_on_thread(
    p_board bigint, p_thread bigint, p_consult bigint, p_kind text, p_author bigint, p_said_by text, p_text text,
    p_data text, p_joins bigint[], p_actor text, p_authenticated_by text, p_now timestamptz,
    p_cause bigint, p_depth smallint, p_traceparent text, p_subjects text[], p_payloads text[], p_correlations text[]
) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_thread bigint;
    v_topic text;
    v_correlation text;
    v_message bigint;
    v_image jsonb;
    v_joined bigint[];
    v_subjects text[];
    v_payloads text[];
BEGIN
    SELECT t.id, t.topic, t.correlation INTO v_thread, v_topic, v_correlation FROM threads t
    WHERE t.board = p_board
      AND t.id = coalesce(p_thread, (SELECT c.thread FROM consults c WHERE c.board = p_board AND c.item = p_consult))
    FOR UPDATE;
    IF v_thread IS NULL THEN
        RETURN NULL;
    END IF;
    IF cardinality(p_joins) > 0 THEN
        WITH joined AS (
            INSERT INTO thread_members (board, thread, agent, joined_at)
            SELECT p_board, v_thread, j.agent, p_now FROM unnest(p_joins) AS j (agent)
            ON CONFLICT DO NOTHING RETURNING agent
        )
        SELECT array_agg(j.agent ORDER BY j.agent) INTO v_joined FROM joined j;
    END IF;
    INSERT INTO messages (board, thread, kind, author, said_by, text, data, consult, said_at)
    VALUES (p_board, v_thread, p_kind, p_author, p_said_by, p_text, p_data, p_consult, p_now)
    RETURNING id, to_jsonb(messages) - 'board' INTO v_message, v_image;

    SELECT array_agg(s.subject ORDER BY s.place), array_agg(s.payload ORDER BY s.place) INTO v_subjects, v_payloads
    FROM (SELECT -1 AS place, 'board.thread.joined' AS subject,
                 json_build_object('thread', v_thread, 'members', v_joined)::text AS payload
          WHERE v_joined IS NOT NULL
          UNION ALL
          SELECT 0, 'board.message.said', json_build_object('message', v_image)::text
          UNION ALL
          (SELECT m.agent, b.prefix || '.agents.' || a.name || '.inbox',
                  json_build_object('kind', p_kind, 'thread', v_thread, 'topic', v_topic,
                                    'message', v_message, 'from', p_said_by, 'text', p_text,
                                    'data', p_data::json, 'consult', p_consult)::text
           FROM thread_members m
           JOIN agents a ON a.board = m.board AND a.id = m.agent AND a.removed_at IS NULL
           JOIN boards b ON b.id = m.board
           WHERE m.board = p_board AND m.thread = v_thread AND m.agent IS DISTINCT FROM p_author
             AND CASE WHEN p_kind = 'question' THEN false
                      WHEN p_kind IN ('answer', 'overdue') THEN
                          m.agent = (SELECT c.asker FROM consults c WHERE c.board = p_board AND c.item = p_consult)
                      ELSE true END
           ORDER BY m.agent LIMIT 1000)) AS s (place, subject, payload);
    PERFORM append_events(
        p_board, p_actor, p_authenticated_by, p_now, p_cause, p_depth, p_traceparent, p_subjects || v_subjects,
        p_payloads || v_payloads,
        p_correlations || array_fill(v_correlation, ARRAY[cardinality(v_subjects)]));
    RETURN v_message;
END
$$;

-- Whom an agent consults by this name, and what for: empty for a channel, null without a route. Where whom it asks would
-- have to wait for the asker, `path` names them, from the one asked to the asker: from the one asked along the open
-- questions of the correlation, each to whoever must answer it now, 32 at most. Until the transaction ends nobody else
-- asks on this correlation, so that two consults which close a circle together do not miss each other.
CREATE OR REPLACE FUNCTION find_peer(p_board bigint, p_asker bigint, p_to text, p_correlation text)
RETURNS TABLE (other bigint, label text, path text[]) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_other bigint;
    v_label text;
    v_path text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('slateboard.consults.' || p_correlation, p_board));
    SELECT a.id, (SELECT r.label FROM routes r
                  WHERE r.board = p_board AND r.agent = p_asker AND r.other = a.id AND r.kind <> 'notify'
                  ORDER BY char_length(r.label) DESC, r.label LIMIT 1)
    INTO v_other, v_label FROM agents a WHERE a.board = p_board AND a.name = p_to AND a.removed_at IS NULL;
    IF v_label IS NOT NULL THEN
        WITH RECURSIVE way (agent, path) AS (
            SELECT v_other, ARRAY[v_other]
            UNION ALL
            SELECT n.agent, w.path || n.agent
            FROM way w, LATERAL (
                SELECT coalesce((SELECT l.agent FROM leases l WHERE l.board = p_board AND l.item = c.item),
                                e.owner) AS agent
                FROM consults c, LATERAL (SELECT e.owner FROM escalations e
                                          WHERE e.board = p_board AND e.item = c.item AND e.answered_at IS NULL
                                          OFFSET 0) AS e
                WHERE c.board = p_board AND c.correlation = p_correlation AND c.asker = w.agent
                  AND (SELECT i.outcome IS NULL OR i.outcome = 'dead' FROM work_items i
                       WHERE i.board = p_board AND i.id = c.item)
                OFFSET 0) AS n
            WHERE w.agent <> p_asker AND n.agent <> ALL (w.path) AND cardinality(w.path) < 32
        )
        SELECT (SELECT array_agg(a.name ORDER BY p.place) FROM unnest(w.path) WITH ORDINALITY AS p (agent, place)
                JOIN agents a ON a.board = p_board AND a.id = p.agent)
        INTO v_path FROM way w WHERE w.agent = p_asker LIMIT 1;
    END IF;
    RETURN QUERY SELECT v_other, v_label, v_path;
END
$$;
