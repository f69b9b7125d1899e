-- The tables, columns and indexes of this migration, printed from the tables' definitions.

CREATE TABLE breaker_settings (
    board BIGINT NOT NULL,
    agent BIGINT NOT NULL,
    failure_threshold INTEGER NOT NULL,
    recovery_seconds DOUBLE PRECISION NOT NULL,
    fallback TEXT NOT NULL,
    substitute BIGINT,
    source TEXT,
    CONSTRAINT breaker_settings_pkey PRIMARY KEY (board, agent),
    CONSTRAINT breaker_settings_recovery_seconds_check CHECK (recovery_seconds > 0 AND recovery_seconds <= 2592000),
    CONSTRAINT breaker_settings_failure_threshold_check CHECK (failure_threshold BETWEEN 1 AND 1000),
    CONSTRAINT breaker_settings_fallback_check CHECK (fallback IN ('escalate_to_human', 'queue_for_retry', 'proceed_with_warning', 'reassign')),
    CONSTRAINT breaker_settings_not_itself_check CHECK (substitute <> agent),
    CONSTRAINT breaker_settings_substitute_check CHECK ((fallback = 'reassign') = (substitute IS NOT NULL))
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
    CONSTRAINT budgets_positive_check CHECK (tokens > 0 AND cost > 0),
    CONSTRAINT budgets_of_one_check CHECK (agent = 0 OR task = 0),
    CONSTRAINT budgets_limited_check CHECK (tokens IS NOT NULL OR cost IS NOT NULL)
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
    CONSTRAINT circuit_breakers_probe_check CHECK ((state = 'half_open') = (probe_fence IS NOT NULL)),
    CONSTRAINT circuit_breakers_state_check CHECK (state IN ('open', 'half_open'))
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

CREATE TABLE failure_runs (
    board BIGINT NOT NULL,
    agent BIGINT NOT NULL,
    failed INTEGER NOT NULL,
    CONSTRAINT failure_runs_pkey PRIMARY KEY (board, agent)
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
    CONSTRAINT limits_positive_check CHECK (concurrency > 0 AND rate > 0 AND per_seconds > 0),
    CONSTRAINT limits_rate_check CHECK ((rate IS NULL) = (per_seconds IS NULL))
);

CREATE TABLE touched (
    board BIGINT NOT NULL,
    item BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    prefix TEXT NOT NULL,
    whole BOOLEAN NOT NULL,
    CONSTRAINT touched_pkey PRIMARY KEY (board, item, fence, prefix, whole)
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
    CONSTRAINT verifications_version_key UNIQUE (board, artifact, version),
    CONSTRAINT verifications_judged_check CHECK ((judged_at IS NULL) = (verdict IS NULL)),
    CONSTRAINT verifications_reason_check CHECK (verdict <> 'rejected' OR reason IS NOT NULL),
    CONSTRAINT verifications_not_by_the_author_check CHECK (verifier <> author),
    CONSTRAINT verifications_level_check CHECK (level BETWEEN 0 AND 2)
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

ALTER TABLE artifact_versions
    ADD COLUMN evidence JSONB,
    ADD COLUMN undo TEXT;

ALTER TABLE artifacts ADD COLUMN rules JSONB;

CREATE INDEX artifacts_stale_idx ON artifacts (board, id) WHERE stale_at IS NOT NULL;

CREATE INDEX dead_letters_agent_idx ON dead_letters (board, agent, died_at);

ALTER TABLE leases
    ADD COLUMN progressed_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN stalled_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN hooked BOOLEAN DEFAULT 'false' NOT NULL;

ALTER TABLE work_items
    ADD COLUMN guarded BOOLEAN DEFAULT 'false' NOT NULL,
    ADD COLUMN hooked BOOLEAN DEFAULT 'false' NOT NULL;
