-- What this migration added goes; the functions that it replaced are made again afterwards, as they were.
CREATE OR REPLACE VIEW item_places AS
SELECT w.board, w.id AS item,
       CASE WHEN w.outcome IS NOT NULL THEN w.outcome
            WHEN EXISTS (SELECT FROM leases l WHERE l.board = w.board AND l.item = w.id) THEN 'claimed'
            WHEN EXISTS (SELECT FROM ready r WHERE r.board = w.board AND r.item = w.id) THEN 'ready'
            WHEN EXISTS (SELECT FROM scheduled s WHERE s.board = w.board AND s.item = w.id) THEN 'scheduled'
            WHEN EXISTS (SELECT FROM gates g WHERE g.board = w.board AND g.item = w.id) THEN 'gated'
            ELSE 'nowhere'
       END AS place
FROM work_items w;

DROP TRIGGER usage ON attempts;
DROP TRIGGER due ON work_items;
DROP FUNCTION book_usage, mark_due, mark_due_again, overlong_claims;
DROP FUNCTION mind_breakers, refuse_claim, pick_probe, begin_probe, tell_breaker, breaker_rules, open_breaker,
    settle_breakers;
DROP FUNCTION no_progress, tell_of_deaths;
DROP FUNCTION usage_number, task_of_item, used_of, enter_guard, glob_prefix, left_of, in_bucket, claim_allowances,
    limits_of, what_holds, take_guarded, guard_items, free_held;
DROP FUNCTION enter_items;

ALTER TABLE work_items DROP COLUMN guarded, DROP COLUMN hooked;
ALTER TABLE leases DROP COLUMN progressed_at, DROP COLUMN stalled_at, DROP COLUMN hooked;
ALTER TABLE artifacts DROP COLUMN rules;
ALTER TABLE artifact_versions DROP COLUMN evidence, DROP COLUMN undo;
DROP INDEX dead_letters_agent_idx, artifacts_stale_idx;
DROP TABLE breaker_settings, budgets, circuit_breakers, compensation_cursors, compensation_rules, compensations, due_marks,
    escalations, failure_runs, holds, limit_slots, limits, touched, usage_ledger, verifications, waiting;

UPDATE schema_protocol SET version = 1, oldest_client = 1;
