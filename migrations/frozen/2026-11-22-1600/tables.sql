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
    stale_at TIMESTAMP WITH TIME ZONE, 
    stale_because TEXT, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT artifacts_pkey PRIMARY KEY (board, id), 
    CONSTRAINT artifacts_board_task_name_key UNIQUE (board, task, name), 
    CONSTRAINT artifacts_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]*$' AND length(name) <= 63)
);

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

CREATE TABLE dead_letters (
    board BIGINT NOT NULL, 
    item BIGINT NOT NULL, 
    agent BIGINT, 
    class TEXT NOT NULL, 
    error TEXT, 
    died_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT dead_letters_pkey PRIMARY KEY (board, item)
);

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
    worker TEXT NOT NULL, 
    progress TEXT, 
    CONSTRAINT leases_pkey PRIMARY KEY (board, item), 
    CONSTRAINT leases_lease_seconds_check CHECK (lease_seconds > 0 AND lease_seconds <= 86400), 
    CONSTRAINT leases_percent_check CHECK (percent BETWEEN 0 AND 100)
)
 WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 10000);

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

CREATE TABLE unlocks (
    board BIGINT NOT NULL, 
    blocker BIGINT NOT NULL, 
    after_item BIGINT NOT NULL, 
    CONSTRAINT unlocks_pkey PRIMARY KEY (board, blocker)
);

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
