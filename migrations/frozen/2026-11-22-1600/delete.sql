-- Delete an archived board for good: its name, its agents and its tokens at once, its rows by `purge_boards`, in batches.
-- What remains is its row in `deleted_boards`, which only this function writes: who, when, and where its log ended.
-- Both run as the owner, for the application's role may neither delete boards nor anything of the log. The caller holds
-- the outbox against all writers. No row if the board is not archived, or its last events are not sealed yet.
CREATE OR REPLACE FUNCTION delete_board(p_board bigint, p_actor text, p_authenticated_by text, p_now timestamptz)
RETURNS SETOF deleted_boards
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM FROM boards b WHERE b.id = p_board AND b.archived_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM event_outbox o WHERE o.board = p_board) THEN
        RETURN;
    END IF;
    RETURN QUERY
    INSERT INTO deleted_boards (board, name, created_at, position, hash, actor, authenticated_by, deleted_at)
    SELECT b.id, b.name, b.created_at, coalesce(h.position, 0), coalesce(h.hash, ''), p_actor, p_authenticated_by, p_now
    FROM boards b LEFT JOIN event_heads h ON h.board = b.id WHERE b.id = p_board
    RETURNING *;
    DELETE FROM tokens t WHERE t.board = p_board;
    DELETE FROM agents a WHERE a.board = p_board;
    DELETE FROM boards b WHERE b.id = p_board;
END
$$;

-- Delete up to `p_limit` rows of a deleted board, from whatever table has a column `board`; returns how many. 0 says that
-- nothing is left of any.
CREATE OR REPLACE FUNCTION purge_boards(p_limit int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    v_board bigint;
    v_table text;
    v_deleted bigint;
BEGIN
    FOR v_board IN SELECT d.board FROM deleted_boards d WHERE d.emptied_at IS NULL ORDER BY d.board LOOP
        FOR v_table IN
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'board'
              AND NOT a.attisdropped AND c.relname <> 'deleted_boards'
            ORDER BY c.relname
        LOOP
            EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE board = $1 LIMIT $2))',
                           v_table) USING v_board, p_limit;
            GET DIAGNOSTICS v_deleted = ROW_COUNT;
            IF v_deleted > 0 THEN
                RETURN v_deleted;
            END IF;
        END LOOP;
        UPDATE deleted_boards d SET emptied_at = clock_timestamp() WHERE d.board = v_board;
    END LOOP;
    RETURN 0;
END
$$;
