CREATE SEQUENCE event_ids;

CREATE SEQUENCE ids;

CREATE SEQUENCE fences;

CREATE TABLE archives (
    board BIGINT NOT NULL, 
    last_position BIGINT NOT NULL, 
    first_position BIGINT NOT NULL, 
    hash BYTEA NOT NULL, 
    last_happened_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    file TEXT NOT NULL, 
    base_file TEXT NOT NULL, 
    base BYTEA NOT NULL, 
    base_hash BYTEA NOT NULL, 
    archived_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT archives_pkey PRIMARY KEY (board, last_position)
);

CREATE TABLE artifact_versions (
    board BIGINT NOT NULL, 
    artifact BIGINT NOT NULL, 
    version INTEGER NOT NULL, 
    item BIGINT, 
    fence BIGINT, 
    author TEXT NOT NULL, 
    path TEXT, 
    uri TEXT, 
    content TEXT, 
    hash TEXT, 
    size BIGINT, 
    summary TEXT, 
    evidence JSONB, 
    undo TEXT, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT artifact_versions_pkey PRIMARY KEY (board, artifact, version), 
    CONSTRAINT artifact_versions_content_at_most_1_mib_check CHECK (octet_length(content) <= 1048576)
);

CREATE TABLE artifacts (
    board BIGINT NOT NULL, 
    id BIGINT NOT NULL, 
    task BIGINT NOT NULL, 
    name TEXT NOT NULL, 
    title TEXT NOT NULL, 
    brief TEXT DEFAULT '' NOT NULL, 
    owner BIGINT, 
    capability TEXT, 
    path TEXT, 
    newest_item BIGINT NOT NULL, 
    rules JSONB, 
    stale_at TIMESTAMP WITH TIME ZONE, 
    stale_because TEXT, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT artifacts_pkey PRIMARY KEY (board, id), 
    CONSTRAINT artifacts_board_task_name_key UNIQUE (board, task, name), 
    CONSTRAINT artifacts_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]*$' AND length(name) <= 63)
);

CREATE INDEX artifacts_stale_idx ON artifacts (board, id) WHERE stale_at IS NOT NULL;

CREATE TABLE attempts (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    fence BIGINT NOT NULL, 
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    attempt INTEGER NOT NULL, 
    agent BIGINT NOT NULL, 
    worker TEXT NOT NULL, 
    outcome TEXT NOT NULL, 
    class TEXT, 
    error TEXT, 
    note TEXT, 
    usage JSONB, 
    digest BYTEA, 
    started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT attempts_pkey PRIMARY KEY (board, item, fence, ended_at), 
    CONSTRAINT attempts_outcome_check CHECK (outcome IN ('completed', 'failed', 'released', 'blocked', 'interrupted', 'cancelled')), 
    CONSTRAINT attempts_class_check CHECK (class IN ('transient', 'infrastructure', 'validation', 'logic'))
)
 PARTITION BY RANGE (ended_at);

CREATE TABLE boards (
    id BIGINT DEFAULT nextval('ids') NOT NULL, 
    name TEXT NOT NULL, 
    prefix TEXT DEFAULT 'genbrain' NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    archived_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT boards_pkey PRIMARY KEY (id), 
    CONSTRAINT boards_name_key UNIQUE (name), 
    CONSTRAINT boards_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]*$' AND length(name) <= 63), 
    CONSTRAINT boards_prefix_check CHECK (prefix ~ '^[a-z0-9][a-z0-9_-]*$' AND length(prefix) <= 63)
);

CREATE TABLE breaker_settings (
    board BIGINT NOT NULL, 
    agent BIGINT NOT NULL, 
    failure_threshold INTEGER NOT NULL, 
    recovery_seconds DOUBLE PRECISION NOT NULL, 
    fallback TEXT NOT NULL, 
    substitute BIGINT, 
    source TEXT, 
    CONSTRAINT breaker_settings_pkey PRIMARY KEY (board, agent), 
    CONSTRAINT breaker_settings_failure_threshold_check CHECK (failure_threshold BETWEEN 1 AND 1000), 
    CONSTRAINT breaker_settings_recovery_seconds_check CHECK (recovery_seconds > 0 AND recovery_seconds <= 2592000), 
    CONSTRAINT breaker_settings_fallback_check CHECK (fallback IN ('escalate_to_human', 'queue_for_retry', 'proceed_with_warning', 'reassign')), 
    CONSTRAINT breaker_settings_substitute_check CHECK ((fallback = 'reassign') = (substitute IS NOT NULL)), 
    CONSTRAINT breaker_settings_not_itself_check CHECK (substitute <> agent)
);

CREATE TABLE budgets (
    board BIGINT NOT NULL, 
    agent BIGINT NOT NULL, 
    task BIGINT NOT NULL, 
    tokens BIGINT, 
    cost DOUBLE PRECISION, 
    warned_at TIMESTAMP WITH TIME ZONE, 
    exhausted_at TIMESTAMP WITH TIME ZONE, 
    set_by TEXT NOT NULL, 
    set_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT budgets_pkey PRIMARY KEY (board, agent, task), 
    CONSTRAINT budgets_limited_check CHECK (tokens IS NOT NULL OR cost IS NOT NULL), 
    CONSTRAINT budgets_positive_check CHECK (tokens > 0 AND cost > 0), 
    CONSTRAINT budgets_of_one_check CHECK (agent = 0 OR task = 0)
);

CREATE TABLE chains (
    board BIGINT NOT NULL, 
    correlation TEXT NOT NULL, 
    deliveries INTEGER NOT NULL, 
    stopped BIGINT[] DEFAULT '{}' NOT NULL, 
    delivered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT chains_pkey PRIMARY KEY (board, correlation)
);

CREATE TABLE checkpoints (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    fence BIGINT NOT NULL, 
    data TEXT, 
    note TEXT, 
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT checkpoints_pkey PRIMARY KEY (board, item)
);

CREATE TABLE circuit_breakers (
    board BIGINT NOT NULL, 
    agent BIGINT NOT NULL, 
    state TEXT NOT NULL, 
    failed INTEGER NOT NULL, 
    reason TEXT NOT NULL, 
    fallback TEXT NOT NULL, 
    substitute BIGINT, 
    recovery_seconds DOUBLE PRECISION NOT NULL, 
    since TIMESTAMP WITH TIME ZONE NOT NULL, 
    until TIMESTAMP WITH TIME ZONE NOT NULL, 
    probe_item BIGINT, 
    probe_fence BIGINT, 
    escalation BIGINT, 
    CONSTRAINT circuit_breakers_pkey PRIMARY KEY (board, agent), 
    CONSTRAINT circuit_breakers_state_check CHECK (state IN ('open', 'half_open')), 
    CONSTRAINT circuit_breakers_probe_check CHECK ((state = 'half_open') = (probe_fence IS NOT NULL))
);

CREATE INDEX circuit_breakers_substitute_idx ON circuit_breakers (board, substitute) WHERE substitute IS NOT NULL;

CREATE TABLE compensation_cursors (
    board BIGINT NOT NULL, 
    position BIGINT NOT NULL, 
    CONSTRAINT compensation_cursors_pkey PRIMARY KEY (board)
);

CREATE TABLE compensation_rules (
    board BIGINT NOT NULL, 
    step TEXT NOT NULL, 
    action TEXT NOT NULL, 
    agent BIGINT, 
    irreversible BOOLEAN DEFAULT 'false' NOT NULL, 
    source TEXT, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT compensation_rules_pkey PRIMARY KEY (board, step)
);

CREATE TABLE compensations (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    artifact BIGINT NOT NULL, 
    step_item BIGINT NOT NULL, 
    task BIGINT NOT NULL, 
    version INTEGER, 
    reference TEXT NOT NULL, 
    action TEXT NOT NULL, 
    inbox BIGINT NOT NULL, 
    question BIGINT, 
    because TEXT NOT NULL, 
    outcome TEXT, 
    posted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT compensations_pkey PRIMARY KEY (board, item), 
    CONSTRAINT compensations_outcome_check CHECK (outcome IN ('undone', 'left', 'unknown')), 
    CONSTRAINT compensations_version_key UNIQUE (board, artifact, version)
);

CREATE INDEX compensations_question_idx ON compensations (board, question) WHERE question IS NOT NULL;

CREATE INDEX compensations_task_idx ON compensations (board, task);

CREATE TABLE dead_letters (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    agent BIGINT, 
    class TEXT NOT NULL, 
    error TEXT, 
    died_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT dead_letters_pkey PRIMARY KEY (board, item)
);

CREATE INDEX dead_letters_agent_idx ON dead_letters (board, agent, died_at);

CREATE INDEX dead_letters_board_died_at_idx ON dead_letters (board, died_at);

CREATE TABLE decisions (
    board BIGINT NOT NULL, 
    id BIGINT DEFAULT nextval('ids') NOT NULL, 
    subject TEXT NOT NULL, 
    status TEXT NOT NULL, 
    decision TEXT NOT NULL, 
    rationale TEXT DEFAULT '' NOT NULL, 
    context TEXT DEFAULT '' NOT NULL, 
    drivers TEXT[] DEFAULT '{}' NOT NULL, 
    options JSONB DEFAULT '[]' NOT NULL, 
    consequences TEXT DEFAULT '' NOT NULL, 
    confirmation TEXT DEFAULT '' NOT NULL, 
    agent TEXT NOT NULL, 
    task BIGINT, 
    supersedes BIGINT, 
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    CONSTRAINT decisions_pkey PRIMARY KEY (board, id), 
    CONSTRAINT decisions_status_check CHECK (status IN ('proposed', 'accepted', 'rejected', 'superseded'))
);

CREATE UNIQUE INDEX decisions_one_accepted_key ON decisions (board, subject) WHERE status = 'accepted';

CREATE TABLE deleted_boards (
    board BIGINT NOT NULL, 
    name TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    position BIGINT NOT NULL, 
    hash BYTEA NOT NULL, 
    actor TEXT NOT NULL, 
    authenticated_by TEXT NOT NULL, 
    deleted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    emptied_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT deleted_boards_pkey PRIMARY KEY (board)
);

CREATE INDEX deleted_boards_name_idx ON deleted_boards (name);

CREATE TABLE deliveries (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    subscription BIGINT NOT NULL, 
    round INTEGER NOT NULL, 
    position BIGINT NOT NULL, 
    positions BIGINT[] NOT NULL, 
    correlation TEXT NOT NULL, 
    key TEXT, 
    CONSTRAINT deliveries_pkey PRIMARY KEY (board, item), 
    CONSTRAINT deliveries_once_key UNIQUE (board, subscription, round, position)
);

CREATE INDEX deliveries_board_correlation_idx ON deliveries (board, correlation);

CREATE INDEX deliveries_board_position_idx ON deliveries (board, position);

CREATE INDEX deliveries_board_subscription_key_idx ON deliveries (board, subscription, key, item) WHERE key IS NOT NULL;

CREATE TABLE dependencies (
    board BIGINT NOT NULL, 
    blocker BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    counted BOOLEAN NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT dependencies_pkey PRIMARY KEY (board, blocker, item), 
    CONSTRAINT dependencies_not_itself_check CHECK (blocker <> item)
);

CREATE INDEX dependencies_board_item_idx ON dependencies (board, item);

CREATE TABLE due_marks (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    mark TEXT NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT due_marks_pkey PRIMARY KEY (board, item, mark), 
    CONSTRAINT due_marks_mark_check CHECK (mark IN ('due_soon', 'overdue'))
);

CREATE INDEX due_marks_at_idx ON due_marks (at);

CREATE TABLE escalations (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    kind TEXT NOT NULL, 
    about BIGINT, 
    reference TEXT NOT NULL, 
    severity TEXT NOT NULL, 
    owner BIGINT NOT NULL, 
    level SMALLINT DEFAULT '0' NOT NULL, 
    deadline TIMESTAMP WITH TIME ZONE NOT NULL, 
    seconds DOUBLE PRECISION NOT NULL, 
    question TEXT NOT NULL, 
    options TEXT[] DEFAULT '{}' NOT NULL, 
    default_answer TEXT, 
    asked_by TEXT NOT NULL, 
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    answer TEXT, 
    answered_by TEXT, 
    answered_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT escalations_pkey PRIMARY KEY (board, item), 
    CONSTRAINT escalations_answered_check CHECK ((answered_at IS NULL) = (answered_by IS NULL)), 
    CONSTRAINT escalations_level_check CHECK (level BETWEEN 0 AND 2)
);

CREATE INDEX escalations_about_idx ON escalations (board, about);

CREATE INDEX escalations_deadline_idx ON escalations (deadline) WHERE answered_at IS NULL;

CREATE INDEX escalations_kind_idx ON escalations (board, kind, reference, asked_at);

CREATE INDEX escalations_open_idx ON escalations (board, deadline, item) WHERE answered_at IS NULL;

CREATE TABLE event_heads (
    board BIGINT NOT NULL, 
    position BIGINT NOT NULL, 
    hash BYTEA NOT NULL, 
    CONSTRAINT event_heads_pkey PRIMARY KEY (board)
)
 WITH (fillfactor = 50);

CREATE TABLE event_lane (
    lane SMALLINT DEFAULT '0' NOT NULL, 
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
);

CREATE TABLE event_outbox (
    id BIGINT DEFAULT nextval('event_ids') NOT NULL, 
    lane SMALLINT NOT NULL, 
    board BIGINT NOT NULL, 
    subject TEXT NOT NULL, 
    payload TEXT NOT NULL, 
    actor TEXT NOT NULL, 
    authenticated_by TEXT NOT NULL, 
    cause BIGINT, 
    correlation TEXT, 
    depth SMALLINT DEFAULT '0' NOT NULL, 
    traceparent TEXT, 
    happened_at TIMESTAMP WITH TIME ZONE NOT NULL
)
 PARTITION BY LIST (lane);

CREATE INDEX event_outbox_id_idx ON event_outbox (id);

CREATE TABLE event_waits (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    pattern TEXT, 
    filter TEXT, 
    after_position BIGINT NOT NULL, 
    deadline TIMESTAMP WITH TIME ZONE NOT NULL, 
    position BIGINT, 
    error TEXT, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT event_waits_pkey PRIMARY KEY (board, item)
);

CREATE INDEX event_waits_board_after_position_idx ON event_waits (board, after_position) WHERE ended_at IS NULL AND pattern IS NOT NULL;

CREATE INDEX event_waits_deadline_idx ON event_waits (deadline) WHERE ended_at IS NULL;

CREATE TABLE events (
    board BIGINT NOT NULL, 
    position BIGINT NOT NULL, 
    sealed_on DATE NOT NULL, 
    id BIGINT NOT NULL, 
    subject TEXT NOT NULL, 
    payload TEXT, 
    payload_hash BYTEA NOT NULL, 
    actor TEXT NOT NULL, 
    authenticated_by TEXT NOT NULL, 
    cause BIGINT, 
    correlation TEXT, 
    depth SMALLINT DEFAULT '0' NOT NULL, 
    traceparent TEXT, 
    happened_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    hash BYTEA NOT NULL, 
    CONSTRAINT events_pkey PRIMARY KEY (board, position, sealed_on)
)
 PARTITION BY RANGE (sealed_on);

CREATE INDEX events_board_correlation_idx ON events (board, correlation) WHERE correlation IS NOT NULL;

CREATE TABLE failure_runs (
    board BIGINT NOT NULL, 
    agent BIGINT NOT NULL, 
    failed INTEGER NOT NULL, 
    CONSTRAINT failure_runs_pkey PRIMARY KEY (board, agent)
);

CREATE TABLE gates (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    remaining INTEGER NOT NULL, 
    CONSTRAINT gates_pkey PRIMARY KEY (board, item)
)
 WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 10000);

CREATE TABLE gatherings (
    board BIGINT NOT NULL, 
    subscription BIGINT NOT NULL, 
    correlation TEXT NOT NULL, 
    positions BIGINT[] NOT NULL, 
    gathered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT gatherings_pkey PRIMARY KEY (board, subscription, correlation)
);

CREATE TABLE holds (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    reason TEXT NOT NULL, 
    name TEXT NOT NULL, 
    since TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT holds_pkey PRIMARY KEY (board, item), 
    CONSTRAINT holds_reason_check CHECK (reason IN ('budget', 'limit', 'resource'))
);

CREATE TABLE leaders (
    name TEXT NOT NULL, 
    holder TEXT NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT leaders_pkey PRIMARY KEY (name)
);

CREATE TABLE leases (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    fence BIGINT NOT NULL, 
    agent BIGINT NOT NULL, 
    attempt INTEGER NOT NULL, 
    lease_seconds DOUBLE PRECISION NOT NULL, 
    claimed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    cause BIGINT NOT NULL, 
    percent SMALLINT, 
    hooked BOOLEAN DEFAULT 'false' NOT NULL, 
    worker TEXT NOT NULL, 
    progress TEXT, 
    progressed_at TIMESTAMP WITH TIME ZONE, 
    stalled_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT leases_pkey PRIMARY KEY (board, item), 
    CONSTRAINT leases_lease_seconds_check CHECK (lease_seconds > 0 AND lease_seconds <= 86400), 
    CONSTRAINT leases_percent_check CHECK (percent BETWEEN 0 AND 100)
)
 WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 10000);

CREATE TABLE limit_slots (
    board BIGINT NOT NULL, 
    scope TEXT NOT NULL, 
    name TEXT NOT NULL, 
    number INTEGER NOT NULL, 
    item BIGINT NOT NULL, 
    fence BIGINT NOT NULL, 
    CONSTRAINT limit_slots_pkey PRIMARY KEY (board, scope, name, number)
);

CREATE TABLE limits (
    board BIGINT NOT NULL, 
    scope TEXT NOT NULL, 
    name TEXT NOT NULL, 
    inbox BIGINT NOT NULL, 
    concurrency INTEGER, 
    rate INTEGER, 
    per_seconds DOUBLE PRECISION, 
    tokens DOUBLE PRECISION NOT NULL, 
    filled_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    set_by TEXT NOT NULL, 
    set_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT limits_pkey PRIMARY KEY (board, scope, name), 
    CONSTRAINT limits_scope_check CHECK (scope IN ('agent', 'capability', 'key')), 
    CONSTRAINT limits_rate_check CHECK ((rate IS NULL) = (per_seconds IS NULL)), 
    CONSTRAINT limits_positive_check CHECK (concurrency > 0 AND rate > 0 AND per_seconds > 0)
);

CREATE TABLE open_inboxes (
    board BIGINT NOT NULL, 
    capability TEXT NOT NULL, 
    id BIGINT DEFAULT nextval('ids') NOT NULL, 
    CONSTRAINT open_inboxes_pkey PRIMARY KEY (board, capability)
);

CREATE TABLE pauses (
    board BIGINT NOT NULL, 
    agent BIGINT NOT NULL, 
    reason TEXT, 
    actor TEXT NOT NULL, 
    paused_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pauses_pkey PRIMARY KEY (board, agent)
);

CREATE TABLE published_ids (
    board BIGINT NOT NULL, 
    id TEXT NOT NULL, 
    event BIGINT NOT NULL, 
    correlation TEXT NOT NULL, 
    published_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT published_ids_pkey PRIMARY KEY (board, id)
);

CREATE INDEX published_ids_published_at_idx ON published_ids (published_at);

CREATE TABLE rating_changes (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    changes_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    unblocked BOOLEAN NOT NULL, 
    CONSTRAINT rating_changes_pkey PRIMARY KEY (board, item, changes_at)
);

CREATE INDEX rating_changes_changes_at_idx ON rating_changes (changes_at);

CREATE TABLE ready (
    board BIGINT NOT NULL, 
    inbox BIGINT NOT NULL, 
    rank INTEGER NOT NULL, 
    item BIGINT NOT NULL, 
    CONSTRAINT ready_pkey PRIMARY KEY (board, inbox, rank, item), 
    CONSTRAINT ready_board_item_key UNIQUE (board, item)
)
 WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 10000);

CREATE TABLE scheduled (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    run_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    unblocked BOOLEAN DEFAULT 'false' NOT NULL, 
    CONSTRAINT scheduled_pkey PRIMARY KEY (board, item)
)
 WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 10000);

CREATE INDEX scheduled_run_at_idx ON scheduled (run_at);

CREATE TABLE schedules (
    board BIGINT NOT NULL, 
    name TEXT NOT NULL, 
    cron TEXT NOT NULL, 
    timezone TEXT NOT NULL, 
    subject TEXT NOT NULL, 
    payload TEXT NOT NULL, 
    next_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    source TEXT, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT schedules_pkey PRIMARY KEY (board, name)
);

CREATE INDEX schedules_next_at_idx ON schedules (next_at);

CREATE TABLE schema_protocol (
    one SMALLINT DEFAULT '1' NOT NULL, 
    version INTEGER NOT NULL, 
    oldest_client INTEGER NOT NULL, 
    CONSTRAINT schema_protocol_pkey PRIMARY KEY (one), 
    CONSTRAINT schema_protocol_one_row_check CHECK (one = 1)
);

CREATE TABLE subscriptions (
    board BIGINT NOT NULL, 
    id BIGINT DEFAULT nextval('ids') NOT NULL, 
    name TEXT NOT NULL, 
    patterns TEXT[] NOT NULL, 
    all_of BOOLEAN DEFAULT 'false' NOT NULL, 
    filter TEXT, 
    agent BIGINT NOT NULL, 
    action TEXT NOT NULL, 
    ordered_by TEXT, 
    priority TEXT DEFAULT 'medium' NOT NULL, 
    cursor BIGINT NOT NULL, 
    round INTEGER DEFAULT '0' NOT NULL, 
    paused_because TEXT, 
    paused_at TIMESTAMP WITH TIME ZONE, 
    source TEXT, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT subscriptions_pkey PRIMARY KEY (board, id), 
    CONSTRAINT subscriptions_board_name_key UNIQUE (board, name), 
    CONSTRAINT subscriptions_patterns_check CHECK (cardinality(patterns) BETWEEN 1 AND 16), 
    CONSTRAINT subscriptions_paused_check CHECK ((paused_at IS NULL) = (paused_because IS NULL))
);

CREATE TABLE tasks (
    board BIGINT NOT NULL, 
    id BIGINT NOT NULL, 
    name TEXT NOT NULL, 
    parent BIGINT, 
    title TEXT NOT NULL, 
    brief TEXT DEFAULT '' NOT NULL, 
    agent BIGINT, 
    delegator BIGINT, 
    priority TEXT DEFAULT 'medium' NOT NULL, 
    due TIMESTAMP WITH TIME ZONE, 
    source TEXT, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT tasks_pkey PRIMARY KEY (board, id), 
    CONSTRAINT tasks_board_name_key UNIQUE (board, name), 
    CONSTRAINT tasks_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]*$' AND length(name) <= 63), 
    CONSTRAINT tasks_priority_check CHECK (priority IN ('urgent', 'high', 'medium', 'low'))
);

CREATE INDEX tasks_board_parent_idx ON tasks (board, parent);

CREATE TABLE tokens (
    id BIGINT DEFAULT nextval('ids') NOT NULL, 
    board BIGINT, 
    agent BIGINT, 
    hash BYTEA NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE, 
    revoked_at TIMESTAMP WITH TIME ZONE, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    CONSTRAINT tokens_pkey PRIMARY KEY (id), 
    CONSTRAINT tokens_hash_key UNIQUE (hash), 
    CONSTRAINT tokens_belongs_to_one_agent_check CHECK ((board IS NULL) = (agent IS NULL))
);

CREATE TABLE touched (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    fence BIGINT NOT NULL, 
    prefix TEXT NOT NULL, 
    whole BOOLEAN NOT NULL, 
    CONSTRAINT touched_pkey PRIMARY KEY (board, item, fence, prefix, whole)
);

CREATE TABLE unlocks (
    board BIGINT NOT NULL, 
    blocker BIGINT NOT NULL, 
    after_item BIGINT NOT NULL, 
    CONSTRAINT unlocks_pkey PRIMARY KEY (board, blocker)
);

CREATE TABLE usage_ledger (
    board BIGINT NOT NULL, 
    fence BIGINT NOT NULL, 
    number BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    agent BIGINT NOT NULL, 
    task BIGINT, 
    input_tokens BIGINT NOT NULL, 
    cached_tokens BIGINT NOT NULL, 
    output_tokens BIGINT NOT NULL, 
    cost DOUBLE PRECISION NOT NULL, 
    model TEXT, 
    reported_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT usage_ledger_pkey PRIMARY KEY (board, fence, number), 
    CONSTRAINT usage_ledger_not_negative_check CHECK (input_tokens >= 0 AND cached_tokens >= 0 AND output_tokens >= 0 AND cost >= 0)
);

CREATE INDEX usage_ledger_board_agent_idx ON usage_ledger (board, agent);

CREATE INDEX usage_ledger_board_task_idx ON usage_ledger (board, task);

CREATE TABLE verifications (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    about BIGINT NOT NULL, 
    artifact BIGINT NOT NULL, 
    version INTEGER NOT NULL, 
    hash TEXT, 
    reference TEXT NOT NULL, 
    author BIGINT NOT NULL, 
    verifier BIGINT NOT NULL, 
    level SMALLINT DEFAULT '0' NOT NULL, 
    criteria TEXT, 
    deadline TIMESTAMP WITH TIME ZONE NOT NULL, 
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    verdict TEXT, 
    reason TEXT, 
    judged_by TEXT, 
    judged_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT verifications_pkey PRIMARY KEY (board, item), 
    CONSTRAINT verifications_verdict_check CHECK (verdict IN ('approved', 'rejected')), 
    CONSTRAINT verifications_judged_check CHECK ((judged_at IS NULL) = (verdict IS NULL)), 
    CONSTRAINT verifications_not_by_the_author_check CHECK (verifier <> author), 
    CONSTRAINT verifications_reason_check CHECK (verdict <> 'rejected' OR reason IS NOT NULL), 
    CONSTRAINT verifications_level_check CHECK (level BETWEEN 0 AND 2), 
    CONSTRAINT verifications_version_key UNIQUE (board, artifact, version)
);

CREATE INDEX verifications_about_idx ON verifications (board, about);

CREATE INDEX verifications_deadline_idx ON verifications (deadline) WHERE verdict IS NULL;

CREATE TABLE waiting (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    owner BIGINT NOT NULL, 
    deadline TIMESTAMP WITH TIME ZONE NOT NULL, 
    on_item BIGINT NOT NULL, 
    reason TEXT NOT NULL, 
    since TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT waiting_pkey PRIMARY KEY (board, item), 
    CONSTRAINT waiting_reason_check CHECK (reason IN ('question', 'review'))
);

CREATE INDEX waiting_board_on_item_idx ON waiting (board, on_item);

CREATE TABLE work_items (
    board BIGINT NOT NULL, 
    id BIGINT NOT NULL, 
    kind TEXT NOT NULL, 
    artifact BIGINT, 
    revision SMALLINT DEFAULT '0' NOT NULL, 
    reference TEXT NOT NULL, 
    inbox BIGINT NOT NULL, 
    base_rating INTEGER NOT NULL, 
    pinned_rating INTEGER, 
    due TIMESTAMP WITH TIME ZONE, 
    run_at TIMESTAMP WITH TIME ZONE, 
    attempts INTEGER DEFAULT '0' NOT NULL, 
    failures SMALLINT DEFAULT '0' NOT NULL, 
    interruptions SMALLINT DEFAULT '0' NOT NULL, 
    max_attempts SMALLINT DEFAULT '4' NOT NULL, 
    outcome TEXT, 
    finished_at TIMESTAMP WITH TIME ZONE, 
    correlation TEXT, 
    depth SMALLINT DEFAULT '0' NOT NULL, 
    guarded BOOLEAN DEFAULT 'false' NOT NULL, 
    hooked BOOLEAN DEFAULT 'false' NOT NULL, 
    last_error TEXT, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT work_items_pkey PRIMARY KEY (board, id), 
    CONSTRAINT work_items_outcome_check CHECK (outcome IN ('done', 'dead', 'cancelled')), 
    CONSTRAINT work_items_finished_at_check CHECK ((outcome IS NULL) = (finished_at IS NULL)), 
    CONSTRAINT work_items_max_attempts_check CHECK (max_attempts BETWEEN 1 AND 100)
)
 WITH (fillfactor = 50);

CREATE TABLE agents (
    board BIGINT NOT NULL, 
    id BIGINT DEFAULT nextval('ids') NOT NULL, 
    name TEXT NOT NULL, 
    kind TEXT DEFAULT 'agent' NOT NULL, 
    role TEXT DEFAULT '' NOT NULL, 
    capabilities TEXT[] DEFAULT '{}' NOT NULL, 
    manager BIGINT, 
    "grant" TEXT DEFAULT 'agent' NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    CONSTRAINT agents_pkey PRIMARY KEY (board, id), 
    CONSTRAINT agents_board_name_key UNIQUE (board, name), 
    CONSTRAINT agents_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]*$' AND length(name) <= 63), 
    CONSTRAINT agents_kind_check CHECK (kind IN ('agent', 'human', 'service')), 
    CONSTRAINT agents_grant_check CHECK ("grant" IN ('reader', 'agent', 'operator', 'admin')), 
    CONSTRAINT agents_board_fkey FOREIGN KEY(board) REFERENCES boards (id)
);
