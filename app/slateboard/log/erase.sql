-- What the log refuses, and the exceptions. A sealed event is deleted with its whole board only (board/delete.sql), and
-- of its columns only the payload may be taken away, by `erase_payload`: its hash stays, so the chain stays whole.
CREATE OR REPLACE FUNCTION refuse_change_of_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('slateboard.erasing', true) = OLD.board || '/' || OLD.position THEN
        OLD.payload := NULL;
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    IF TG_OP = 'DELETE'
       AND EXISTS (SELECT FROM deleted_boards d WHERE d.board = OLD.board AND d.emptied_at IS NULL) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'events is append-only' USING ERRCODE = 'SB002';
END
$$;

-- Take the payload of one sealed event away. Runs as the owner, for the application's role has no right to do it.
-- Answers with the event's subject and whether there was a payload; no row if there is no such event.
CREATE OR REPLACE FUNCTION erase_payload(p_board bigint, p_position bigint)
RETURNS TABLE (subject text, erased boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_subject text;
    v_kept boolean;
BEGIN
    SELECT e.subject, e.payload IS NOT NULL INTO v_subject, v_kept
    FROM events e WHERE e.board = p_board AND e.position = p_position;
    IF v_subject IS NULL THEN
        RETURN;
    END IF;
    IF v_kept THEN
        PERFORM set_config('slateboard.erasing', p_board || '/' || p_position, true);
        UPDATE events e SET payload = NULL WHERE e.board = p_board AND e.position = p_position;
        PERFORM set_config('slateboard.erasing', '', true);
    END IF;
    RETURN QUERY SELECT v_subject, v_kept;
END
$$;
