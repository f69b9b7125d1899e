DROP VIEW item_places;
DROP FUNCTION ensure_partitions, refuse_change, refuse_change_of_log CASCADE;
DROP FUNCTION erase_payload, delete_board, purge_boards, outbox_lane;
DROP FUNCTION end_waits, deliver_events, judge_deliveries, event_fits, event_json, payload_json, append_events, seal_events, rotate_outbox, claim_items, finish_items, expire_leases, give_back_items, dead_letter_subject,
    unlock_dependents, lost_claims,
    enter_items, look_up_names, open_items, place_items, rating_of, mark_stale;
DROP AGGREGATE chain_hash(bytea, bytea);
DROP FUNCTION chain_step;
DROP TABLE agents, archives, artifact_versions, artifacts, attempts, boards, chains, checkpoints, dead_letters, decisions, deleted_boards, deliveries, dependencies,
    event_heads, event_lane, event_outbox, event_waits, events, gates, gatherings, leaders, leases, open_inboxes, pauses, published_ids, rating_changes, ready,
    scheduled, schedules, schema_protocol, subscriptions, tasks, tokens, unlocks, work_items;
DROP SEQUENCE ids, event_ids, fences;
