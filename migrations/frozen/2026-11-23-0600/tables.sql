-- The tables, columns and indexes of this migration, printed from the tables' definitions.

CREATE TABLE action_items (
    board BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    meeting BIGINT NOT NULL,
    motion BIGINT NOT NULL,
    position SMALLINT NOT NULL,
    title TEXT NOT NULL,
    brief TEXT NOT NULL,
    owner BIGINT NOT NULL,
    due_seconds DOUBLE PRECISION,
    task TEXT,
    CONSTRAINT action_items_pkey PRIMARY KEY (board, id),
    CONSTRAINT action_items_position_key UNIQUE (board, motion, position)
);

CREATE INDEX action_items_meeting_idx ON action_items (board, meeting, id);

CREATE TABLE agenda_items (
    board BIGINT NOT NULL,
    meeting BIGINT NOT NULL,
    number SMALLINT NOT NULL,
    title TEXT NOT NULL,
    stage TEXT DEFAULT 'pending' NOT NULL,
    round SMALLINT DEFAULT '0' NOT NULL,
    motion BIGINT,
    outcome TEXT,
    reason TEXT,
    decision BIGINT,
    opened_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT agenda_items_pkey PRIMARY KEY (board, meeting, number),
    CONSTRAINT agenda_items_closed_check CHECK ((stage = 'closed') = (outcome IS NOT NULL AND closed_at IS NOT NULL)),
    CONSTRAINT agenda_items_round_check CHECK (round BETWEEN 0 AND 3),
    CONSTRAINT agenda_items_motion_check CHECK (outcome = 'deferred' OR outcome IS NULL OR motion IS NOT NULL),
    CONSTRAINT agenda_items_outcome_check CHECK (outcome IN ('approved', 'rejected', 'vetoed', 'deferred')),
    CONSTRAINT agenda_items_stage_check CHECK (stage IN ('pending', 'discussing', 'voting', 'closed')),
    CONSTRAINT agenda_items_decision_check CHECK (decision IS NULL OR outcome = 'approved')
);

CREATE TABLE consults (
    board BIGINT NOT NULL,
    item BIGINT NOT NULL,
    asker BIGINT NOT NULL,
    other BIGINT,
    thread BIGINT NOT NULL,
    request BIGINT,
    correlation TEXT NOT NULL,
    CONSTRAINT consults_pkey PRIMARY KEY (board, item),
    CONSTRAINT consults_not_of_itself_check CHECK (asker <> other)
);

CREATE INDEX consults_correlation_idx ON consults (board, correlation, asker);

CREATE INDEX consults_request_idx ON consults (board, request, item);

CREATE TABLE delegations (
    board BIGINT NOT NULL,
    task BIGINT NOT NULL,
    delegator BIGINT NOT NULL,
    agent BIGINT NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    on_no_ack TEXT DEFAULT 'reassign_or_escalate' NOT NULL,
    delegated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    reason TEXT,
    CONSTRAINT delegations_pkey PRIMARY KEY (board, task),
    CONSTRAINT delegations_on_no_ack_check CHECK (on_no_ack IN ('reassign_or_escalate', 'escalate')),
    CONSTRAINT delegations_state_check CHECK (state IN ('pending', 'acknowledged', 'declined', 'unanswered'))
);

CREATE INDEX delegations_pending_idx ON delegations (delegated_at) WHERE state = 'pending';

CREATE TABLE meeting_seats (
    board BIGINT NOT NULL,
    meeting BIGINT NOT NULL,
    agent BIGINT NOT NULL,
    position SMALLINT NOT NULL,
    required BOOLEAN NOT NULL,
    seated BOOLEAN DEFAULT 'false' NOT NULL,
    present BOOLEAN DEFAULT 'false' NOT NULL,
    may_veto BOOLEAN DEFAULT 'false' NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT meeting_seats_pkey PRIMARY KEY (board, meeting, agent),
    CONSTRAINT meeting_seats_seated_key UNIQUE (board, meeting, agent, seated)
);

CREATE TABLE meeting_turns (
    board BIGINT NOT NULL,
    item BIGINT NOT NULL,
    meeting BIGINT NOT NULL,
    number SMALLINT,
    round SMALLINT,
    agent BIGINT NOT NULL,
    kind TEXT NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE,
    outcome TEXT,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT meeting_turns_pkey PRIMARY KEY (board, item),
    CONSTRAINT meeting_turns_kind_check CHECK (kind IN ('join', 'turn', 'motion', 'concerns', 'vote')),
    CONSTRAINT meeting_turns_outcome_check CHECK (outcome IN ('joined', 'spoke', 'passed', 'voted', 'absent', 'withdrawn')),
    CONSTRAINT meeting_turns_ended_check CHECK ((outcome IS NULL) = (ended_at IS NULL))
);

CREATE INDEX meeting_turns_deadline_idx ON meeting_turns (deadline) WHERE ended_at IS NULL AND kind <> 'join';

CREATE INDEX meeting_turns_meeting_idx ON meeting_turns (board, meeting, item);

CREATE TABLE meetings (
    board BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    scheduled_by TEXT NOT NULL,
    organiser BIGINT,
    chair BIGINT,
    decision_required BOOLEAN NOT NULL,
    max_seconds DOUBLE PRECISION NOT NULL,
    quorum SMALLINT NOT NULL,
    decision_model TEXT NOT NULL,
    veto_roles TEXT[] DEFAULT '{}' NOT NULL,
    turn_seconds DOUBLE PRECISION NOT NULL,
    vote_seconds DOUBLE PRECISION NOT NULL,
    source TEXT,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    waits_until TIMESTAMP WITH TIME ZONE,
    moves SMALLINT DEFAULT '0' NOT NULL,
    escalation BIGINT,
    opened_at TIMESTAMP WITH TIME ZONE,
    ends_at TIMESTAMP WITH TIME ZONE,
    adjourned_at TIMESTAMP WITH TIME ZONE,
    ended_because TEXT,
    scheduled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT meetings_pkey PRIMARY KEY (board, id),
    CONSTRAINT meetings_opened_check CHECK ((opened_at IS NULL) = (ends_at IS NULL)),
    CONSTRAINT meetings_positive_check CHECK (max_seconds > 0 AND turn_seconds > 0 AND vote_seconds > 0 AND quorum > 0),
    CONSTRAINT meetings_adjourned_check CHECK ((state IN ('adjourned', 'cancelled')) = (adjourned_at IS NOT NULL)),
    CONSTRAINT meetings_state_check CHECK (state IN ('scheduled', 'waiting', 'escalated', 'open', 'adjourned', 'cancelled')),
    CONSTRAINT meetings_moves_check CHECK (moves BETWEEN 0 AND 1),
    CONSTRAINT meetings_decision_model_check CHECK (decision_model IN ('majority', 'unanimous', 'majority_with_veto'))
);

CREATE INDEX meetings_ends_at_idx ON meetings (ends_at) WHERE state = 'open';

CREATE UNIQUE INDEX meetings_source_key ON meetings (board, source) WHERE source IS NOT NULL;

CREATE INDEX meetings_starts_at_idx ON meetings (starts_at) WHERE state = 'scheduled';

CREATE INDEX meetings_waits_until_idx ON meetings (waits_until) WHERE state = 'waiting';

CREATE TABLE messages (
    board BIGINT NOT NULL,
    thread BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    kind TEXT NOT NULL,
    author BIGINT,
    said_by TEXT NOT NULL,
    text TEXT NOT NULL,
    data TEXT,
    consult BIGINT,
    said_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT messages_pkey PRIMARY KEY (board, thread, id),
    CONSTRAINT messages_kind_check CHECK (kind IN ('question', 'answer', 'notice', 'overdue', 'reply'))
);

CREATE TABLE motions (
    board BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    meeting BIGINT NOT NULL,
    number SMALLINT NOT NULL,
    agent BIGINT NOT NULL,
    text TEXT NOT NULL,
    rationale TEXT NOT NULL,
    subject TEXT,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT motions_pkey PRIMARY KEY (board, id)
);

CREATE INDEX motions_meeting_idx ON motions (board, meeting, number, id);

CREATE TABLE presence (
    board BIGINT NOT NULL,
    agent BIGINT NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    worker_seen_at TIMESTAMP WITH TIME ZONE,
    worker TEXT,
    CONSTRAINT presence_pkey PRIMARY KEY (board, agent)
);

CREATE TABLE requests (
    board BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    capability TEXT NOT NULL,
    asker BIGINT NOT NULL,
    thread BIGINT NOT NULL,
    answers SMALLINT NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT requests_pkey PRIMARY KEY (board, id),
    CONSTRAINT requests_answers_check CHECK (answers BETWEEN 1 AND 100)
);

CREATE TABLE routes (
    board BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    agent BIGINT NOT NULL,
    other BIGINT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT DEFAULT '' NOT NULL,
    subject TEXT,
    source TEXT,
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT routes_pkey PRIMARY KEY (board, id),
    CONSTRAINT routes_subject_check CHECK (subject IS NULL OR kind = 'notify'),
    CONSTRAINT routes_not_to_itself_check CHECK (agent <> other),
    CONSTRAINT routes_kind_check CHECK (kind IN ('consult', 'notify', 'channel')),
    CONSTRAINT routes_once_key UNIQUE (board, agent, other, kind, label)
);

CREATE TABLE statements (
    board BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    meeting BIGINT NOT NULL,
    number SMALLINT NOT NULL,
    round SMALLINT NOT NULL,
    agent BIGINT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    said_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settled TEXT,
    settled_by TEXT,
    settled_because TEXT,
    settled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT statements_pkey PRIMARY KEY (board, id),
    CONSTRAINT statements_concern_check CHECK (settled IS NULL OR kind = 'concern' AND settled_by IS NOT NULL),
    CONSTRAINT statements_settled_check CHECK (settled IN ('resolved', 'overruled')),
    CONSTRAINT statements_kind_check CHECK (kind IN ('said', 'concern'))
);

CREATE INDEX statements_meeting_idx ON statements (board, meeting, number, id);

CREATE TABLE thread_members (
    board BIGINT NOT NULL,
    thread BIGINT NOT NULL,
    agent BIGINT NOT NULL,
    read_to BIGINT DEFAULT '0' NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT thread_members_pkey PRIMARY KEY (board, thread, agent)
);

CREATE INDEX thread_members_agent_idx ON thread_members (board, agent, thread);

CREATE TABLE threads (
    board BIGINT NOT NULL,
    id BIGINT DEFAULT nextval('ids') NOT NULL,
    topic TEXT NOT NULL,
    correlation TEXT NOT NULL,
    opened_by TEXT NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT threads_pkey PRIMARY KEY (board, id)
);

CREATE TABLE vote_changes (
    board BIGINT NOT NULL,
    meeting BIGINT NOT NULL,
    number SMALLINT NOT NULL,
    agent BIGINT NOT NULL,
    change SMALLINT NOT NULL,
    choice TEXT NOT NULL,
    rationale TEXT NOT NULL,
    voted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT vote_changes_pkey PRIMARY KEY (board, meeting, number, agent, change)
);

CREATE TABLE votes (
    board BIGINT NOT NULL,
    meeting BIGINT NOT NULL,
    number SMALLINT NOT NULL,
    agent BIGINT NOT NULL,
    seated BOOLEAN DEFAULT 'true' NOT NULL,
    choice TEXT NOT NULL,
    rationale TEXT NOT NULL,
    changes SMALLINT DEFAULT '0' NOT NULL,
    voted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT votes_pkey PRIMARY KEY (board, meeting, number, agent),
    CONSTRAINT votes_seated_check CHECK (seated),
    CONSTRAINT votes_choice_check CHECK (choice IN ('approve', 'reject', 'abstain', 'veto')),
    CONSTRAINT votes_seat_fkey FOREIGN KEY(board, meeting, agent, seated) REFERENCES meeting_seats (board, meeting, agent, seated) ON DELETE CASCADE
);

ALTER TABLE agents ADD COLUMN accepts_from BIGINT[];

ALTER TABLE agents ADD COLUMN availability TEXT DEFAULT 'always' NOT NULL;

ALTER TABLE agents ADD CONSTRAINT agents_availability_check CHECK (availability IN ('always', 'never'));

ALTER TABLE agents ADD COLUMN removed_at TIMESTAMP WITH TIME ZONE;
