DROP VIEW item_places;
DROP FUNCTION ensure_partitions, refuse_change, refuse_change_of_log, book_usage, mark_due CASCADE;
DROP FUNCTION mark_due_again, overlong_claims;
DROP FUNCTION mind_breakers, refuse_claim, pick_probe, begin_probe, tell_breaker, breaker_rules, open_breaker,
    settle_breakers;
DROP FUNCTION erase_payload, delete_board, purge_boards, outbox_lane;
DROP FUNCTION end_waits, deliver_events, judge_deliveries, event_fits, event_json, payload_json, append_events, seal_events, rotate_outbox, claim_items, finish_items, expire_leases, give_back_items, no_progress, tell_of_deaths, dead_letter_subject,
    unlock_dependents, lost_claims,
    enter_items, usage_number, task_of_item, used_of, enter_guard, glob_prefix, left_of, in_bucket, claim_allowances, limits_of, what_holds,
    take_guarded, guard_items, free_held, look_up_names, open_items, place_items, rating_of, mark_stale;
DROP AGGREGATE chain_hash(bytea, bytea);
DROP FUNCTION chain_step;
DROP TABLE agents, archives, artifact_versions, artifacts, attempts, boards, breaker_settings, budgets, chains, checkpoints, circuit_breakers, compensation_cursors, compensation_rules, compensations, dead_letters, decisions, deleted_boards, deliveries, dependencies, due_marks, escalations,
    event_heads, event_lane, event_outbox, event_waits, events, failure_runs, gates, gatherings, holds, leaders, leases, limit_slots, limits, open_inboxes, pauses, published_ids, rating_changes, ready,
    scheduled, schedules, schema_protocol, subscriptions, tasks, tokens, touched, unlocks, usage_ledger, verifications, waiting, work_items;
DROP SEQUENCE ids, event_ids, fences;
