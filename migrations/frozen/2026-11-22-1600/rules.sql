-- What the database itself refuses, the partitions of the first days, and the rights of the application's role.

CREATE TABLE event_outbox_0 PARTITION OF event_outbox FOR VALUES IN (0)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500000);
CREATE TABLE event_outbox_1 PARTITION OF event_outbox FOR VALUES IN (1)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500000);
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;

INSERT INTO event_lane (lane) VALUES (0);
INSERT INTO schema_protocol (version, oldest_client) VALUES (1, 1);

-- Where an item is, read from the tables that hold it; `nowhere` is never true, and the invariant check says so.
CREATE VIEW item_places AS
SELECT w.board, w.id AS item,
       CASE WHEN w.outcome IS NOT NULL THEN w.outcome
            WHEN EXISTS (SELECT FROM leases l WHERE l.board = w.board AND l.item = w.id) THEN 'claimed'
            WHEN EXISTS (SELECT FROM ready r WHERE r.board = w.board AND r.item = w.id) THEN 'ready'
            WHEN EXISTS (SELECT FROM scheduled s WHERE s.board = w.board AND s.item = w.id) THEN 'scheduled'
            WHEN EXISTS (SELECT FROM gates g WHERE g.board = w.board AND g.item = w.id) THEN 'gated'
            ELSE 'nowhere'
       END AS place
FROM work_items w;

-- Make the partitions of the coming days (events) and months (attempts); returns how many were made.
CREATE FUNCTION ensure_partitions(p_days int) RETURNS int LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    v_start date;
    v_name text;
    v_made int := 0;
BEGIN
    FOR v_start IN SELECT generate_series(current_date, current_date + p_days, interval '1 day')::date LOOP
        v_name := 'events_' || to_char(v_start, 'YYYYMMDD');
        IF to_regclass(v_name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
                           v_name, v_start, v_start + 1);
            v_made := v_made + 1;
        END IF;
    END LOOP;
    FOR v_start IN SELECT generate_series(date_trunc('month', current_date), current_date + p_days + 31,
                                          interval '1 month')::date LOOP
        v_name := 'attempts_' || to_char(v_start, 'YYYYMM');
        IF to_regclass(v_name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF attempts FOR VALUES FROM (%L) TO (%L)',
                           v_name, v_start::timestamptz, (v_start + interval '1 month')::timestamptz);
            v_made := v_made + 1;
        END IF;
    END LOOP;
    RETURN v_made;
END
$$;
SELECT ensure_partitions(7);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       AND EXISTS (SELECT FROM deleted_boards d WHERE d.board = OLD.board AND d.emptied_at IS NULL) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'SB002';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change_of_log();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON artifact_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON attempts FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The application works as a role that owns nothing. A schema owner that may not create roles is told what to run.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'slateboard_app') THEN
        BEGIN
            CREATE ROLE slateboard_app NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'the role slateboard_app is missing and % may not create it', current_user
                    USING ERRCODE = 'SB003';
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'slateboard_app', 'MEMBER') THEN
        EXECUTE format('GRANT slateboard_app TO %I', current_user);
    END IF;
END
$$;
GRANT USAGE ON SCHEMA public TO slateboard_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO slateboard_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO slateboard_app;
GRANT TRUNCATE ON event_outbox_0, event_outbox_1 TO slateboard_app;
REVOKE UPDATE, DELETE ON events, artifact_versions, attempts FROM slateboard_app;
REVOKE INSERT, UPDATE, DELETE ON schema_protocol FROM slateboard_app;
REVOKE DELETE ON boards FROM slateboard_app;
REVOKE INSERT, UPDATE, DELETE ON deleted_boards FROM slateboard_app;
REVOKE EXECUTE ON FUNCTION erase_payload, delete_board, purge_boards FROM public;
GRANT EXECUTE ON FUNCTION erase_payload, delete_board, purge_boards TO slateboard_app;
