"""The guide's files with one thing wrong: what is changed in them, and what must be said of it.

In the text that is put in, ¦ marks the place that the error must name: its line and column are counted, never written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parent / "guide"
MARK = "¦"
MEETING = "meeting.yaml"
# The guide has its meeting as a call; this is the same one as a manifest.
AS_A_MANIFEST = """\
apiVersion: agent.ceo/v1
kind: Meeting
metadata:
  name: architecture-review
spec:
  title: Analytics Dashboard Architecture Review
  participants: [cto, backend, frontend, devops, cso]
  agenda:
    - Review proposed API schema
    - Discuss data pipeline architecture
    - Agree on deployment strategy
  decision_required: true
  max_duration_minutes: 15
"""


AGENDA = AS_A_MANIFEST[AS_A_MANIFEST.index("agenda:") + 7 : AS_A_MANIFEST.index("\n  decision_required")]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong in one file: the text that stands there, what is there instead, and what is said of it."""

    file: str
    old: str
    new: str
    found: str
    """What the message says is wrong."""
    expected: str
    """What the message or the remedy says was expected, or the nearest name."""
    strict: bool = False
    removed: str = ""
    """An agent that is removed from the board before."""

    @property
    def text(self) -> str:
        """The wrong file."""
        return self._marked().replace(MARK, "")

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of the mark, from 1."""
        before = self._marked().partition(MARK)[0]
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

    def _marked(self) -> str:
        right = text_of(self.file)
        assert right.count(self.old) == 1, (self.file, self.old, right.count(self.old))
        marked = right.replace(self.old, self.new)
        assert marked.count(MARK) == 1, (self.file, self.new)
        return marked


def text_of(file: str) -> str:
    """A file of the guide as it is right."""
    return AS_A_MANIFEST if file == MEETING else (GUIDE / file).read_text()


def wrong(*given: str, **more: Any) -> Wrong:
    """One line of the table."""
    return Wrong(*given, **more)


BOARD, TREE, EVENTS, UNDO = "task-board.json", "task-tree.yaml", "event-pipeline.yaml", "compensation.yaml"
BREAKER, AGENT, ROUTES = "circuit-breaker.yaml", "agent-config.yaml", "routing-table.yaml"
NO_AGENT, NO_KEY, TWICE = "there is no agent", "there is no key", "twice"

TABLE: dict[str, Wrong] = {
    # The task board.
    "board: unknown agent": wrong(BOARD, '"owner": "cso"', '"owner": ¦"csoo"', NO_AGENT, "'cso'", strict=True),
    "board: unknown agent of a decision": wrong(
        BOARD, '"agent": "cto"', '"agent": ¦"ctoo"', NO_AGENT, "'cto'", strict=True
    ),
    "board: removed agent": wrong(
        BOARD, '"owner": "devops"', '"owner": ¦"devops"', "'devops' was removed", "another agent", removed="devops"
    ),
    "board: unknown key": wrong(BOARD, '"owner": "cso"', '¦"ownr": "cso"', NO_KEY, "'owner'"),
    "board: unknown key at the top": wrong(BOARD, '"decisions"', '¦"decision"', NO_KEY, "'decisions'"),
    "board: no kind": wrong(BOARD, '{\n  "task_id"', '¦{\n  "task"', "found no kind", "task_id"),
    "board: a reference to nothing": wrong(
        BOARD, '"blocked_by": "api_spec"', '"blocked_by": ¦"api_spek"', "there is no artifact", "'api_spec'"
    ),
    "board: a circle": wrong(
        BOARD, '"blocked_by": "api_spec"', '"blocked_by": ¦"security_review"', "form a circle", "remove one"
    ),
    "board: a length of time that is none": wrong(
        BOARD, '"owner": "cso"', '"due": ¦"soonish", "owner": "cso"', "'soonish'", "4h"
    ),
    "board: a key twice": wrong(BOARD, '"owner": "cso"', '"owner": "cso", ¦"owner": "cto"', TWICE, "once"),
    "board: an unknown status": wrong(BOARD, '"status": "pending"', '"status": ¦"pendin"', "'pendin'", "'pending'"),
    "board: two owners": wrong(BOARD, '"owner": "cso"', '"owner": ¦["cso", "cto"]', "a list", "name"),
    "board: a decision without its text": wrong(
        BOARD,
        '{"agent": "cto", "decision": "Use ClickHouse for analytics storage"',
        '¦{"agent": "cto", "subject": "storage"',
        "there is no 'decision'",
        "decision",
    ),
    # The task tree.
    "tree: unknown agent": wrong(TREE, "agent: cso", "agent: ¦cs0", NO_AGENT, "'cso'", strict=True),
    "tree: removed agent": wrong(
        TREE, "agent: devops", "agent: ¦devops", "'devops' was removed", "another agent", removed="devops"
    ),
    "tree: unknown key": wrong(
        TREE, 'task: "Create analytics API endpoints"', '¦tsk: "Create analytics API endpoints"', NO_KEY, "'task'"
    ),
    "tree: wrong kind": wrong(TREE, "kind: TaskTree", "kind: ¦TaskTre", "there is no kind", "'TaskTree'"),
    "tree: a delegation to oneself": wrong(TREE, "- agent: marketing", "- ¦agent: ceo", "ceo → ceo", "somebody else"),
    "tree: a loop of delegations": wrong(TREE, "- agent: backend", "- ¦agent: ceo", "ceo → cto → ceo", "somebody else"),
    "tree: no agent": wrong(TREE, "root:\n    agent: ceo\n    task", "root:\n    ¦task", "agent", "agent"),
    "tree: a key twice": wrong(TREE, "- agent: marketing", "- agent: marketing\n        ¦agent: cso", TWICE, "once"),
    "tree: a length of time that is none": wrong(
        TREE, "- agent: marketing", "- agent: marketing\n        due: ¦4 hours or so", "4 hours", "4h"
    ),
    "tree: a parent that is not there": wrong(
        TREE, "spec:\n  root:\n    ", "spec:\n  parent: shipping\n  root:\n    ¦", "there is no", "parent"
    ),
    # The pipeline.
    "pipeline: unknown agent": wrong(
        EVENTS, "- agent: marketing", "- agent: ¦marketeer", NO_AGENT, "'marketing'", strict=True
    ),
    "pipeline: removed agent": wrong(
        EVENTS,
        "- agent: marketing",
        "- agent: ¦marketing",
        "'marketing' was removed",
        "another agent",
        removed="marketing",
    ),
    "pipeline: unknown key": wrong(
        EVENTS, 'action: "trigger_deployment"', '¦actoin: "trigger_deployment"', NO_KEY, "'action'"
    ),
    "pipeline: no kind": wrong(
        EVENTS,
        "events:\n  - subject: genbrain.events.pr.merged",
        "¦event:\n  - subject: genbrain.events.pr.merged",
        "found no kind",
        "events",
    ),
    "pipeline: a subject that is none": wrong(
        EVENTS, "genbrain.events.pr.merged\n", "¦genbrain..pr.merged\n", "genbrain..pr.merged", "token"
    ),
    "pipeline: a key twice": wrong(
        EVENTS, "- agent: marketing", "- agent: marketing\n        ¦agent: cso", TWICE, "once"
    ),
    "pipeline: a consumer twice": wrong(
        EVENTS,
        '- agent: cso\n        action: "run_security_scan"',
        '- ¦agent: devops\n        action: "run_smoke_tests"',
        TWICE,
        "once",
    ),
    # What undoes steps.
    "undo: a step that no task has": wrong(
        UNDO,
        '- step: "update_database_schema"',
        '- ¦step: "update_database_scheme"',
        "no task has the step",
        "'update_database_schema'",
        strict=True,
    ),
    "undo: removed agent": wrong(
        UNDO,
        'compensate: "run_down_migration"',
        'compensate: "run_down_migration"\n    agent: ¦devops',
        "'devops' was removed",
        "another agent",
        removed="devops",
    ),
    "undo: unknown key": wrong(
        UNDO, 'compensate: "run_down_migration"', '¦compensat: "run_down_migration"', NO_KEY, "'compensate'"
    ),
    "undo: a step twice": wrong(UNDO, 'step: "update_database_schema"', '¦step: "deploy_to_production"', TWICE, "once"),
    "undo: a key twice": wrong(
        UNDO,
        'compensate: "run_down_migration"',
        'compensate: "run_down_migration"\n    ¦compensate: "other"',
        TWICE,
        "once",
    ),
    # The breaker.
    "breaker: no failures": wrong(BREAKER, "failure_threshold: 3", "failure_threshold: ¦0", "0", "1 to 1000"),
    "breaker: a length of time that is none": wrong(BREAKER, "300s", "¦300 seconds-ish", "300 seconds-ish", "300s"),
    "breaker: unknown fallback": wrong(
        BREAKER, '"escalate_to_human"', '¦"escalate_to_humans"', "'escalate_to_humans'", "'escalate_to_human'"
    ),
    "breaker: unknown key": wrong(BREAKER, "recovery_timeout", "¦recovery_timeot", NO_KEY, "'recovery_timeout'"),
    "breaker: no kind": wrong(BREAKER, "circuit_breaker:", "¦circuit_braker:", "found no kind", "circuit_breaker"),
    "breaker: a key twice": wrong(
        BREAKER, "recovery_timeout: 300s", "recovery_timeout: 300s\n  ¦failure_threshold: 4", TWICE, "once"
    ),
    "breaker: reassign to nobody": wrong(
        BREAKER, 'fallback: "escalate_to_human"', "fallback: ¦reassign", "substitute", "substitute"
    ),
    "breaker: reassign to an agent that was removed": wrong(
        BREAKER,
        'fallback: "escalate_to_human"',
        "fallback: reassign\n  substitute: ¦devops",
        "'devops' was removed",
        "another agent",
        removed="devops",
    ),
    # The agent.
    "agent: unknown agent": wrong(AGENT, "[cto]", "[¦ctoo]", NO_AGENT, "'cto'", strict=True),
    "agent: removed agent": wrong(
        AGENT, "spec:\n", "spec:\n  manager: ¦old\n", "'old' was removed", "another agent", removed="old"
    ),
    "agent: removed agent that delegates": wrong(
        AGENT, "[cto]", "[cto, ¦old]", "'old' was removed", "another agent", removed="old"
    ),
    "agent: removed itself": wrong(
        AGENT, "spec:\n", "spec:\n  agent: ¦old\n", "'old' was removed", "another agent", removed="old"
    ),
    "agent: unknown key": wrong(AGENT, "peer_channels:", "¦peer_channel:", NO_KEY, "'peer_channels'"),
    "agent: wrong kind": wrong(AGENT, "kind: AgentConfig", "kind: ¦AgentConfg", "there is no kind", "'AgentConfig'"),
    "agent: accepts work from itself": wrong(AGENT, "[cto]", "[cto, ¦backend]", "the agent itself", "other agents"),
    "agent: a manager circle": wrong(
        AGENT, "spec:\n", "spec:\n  manager: ¦cto\n", "backend → cto → backend", "name another one"
    ),
    "agent: its own manager": wrong(
        AGENT, "spec:\n", "spec:\n  manager: ¦backend\n", "backend → backend", "name another one"
    ),
    "agent: a channel that does not exist": wrong(
        AGENT, "- genbrain.agents.devops.inbox", "- ¦genbrain.agents.devops.outbox", "outbox", "genbrain.agents"
    ),
    "agent: a channel of another board": wrong(
        AGENT,
        "- genbrain.agents.devops.inbox",
        "- ¦acme.agents.devops.inbox",
        "there is no channel",
        "genbrain.agents.devops.inbox",
    ),
    "agent: a channel of nobody": wrong(
        AGENT, "- genbrain.agents.devops.inbox", "- ¦genbrain.agents.devop.inbox", NO_AGENT, "'devops'", strict=True
    ),
    "agent: a channel of an agent that was removed": wrong(
        AGENT,
        "- genbrain.agents.devops.inbox",
        "- ¦genbrain.agents.devops.inbox",
        "'devops' was removed",
        "another agent",
        removed="devops",
    ),
    "agent: a key twice": wrong(AGENT, "  # Meetings", "  ¦peer_channels: []\n  # Meetings", TWICE, "once"),
    "agent: an unknown availability": wrong(AGENT, '"always"', '¦"alway"', "'alway'", "'always'"),
    "agent: a length of time that is none": wrong(
        AGENT, "spec:\n", "spec:\n  limits: {rate: 3, per: ¦soon}\n", "soon", "a length of time"
    ),
    # The routing table.
    "routes: unknown agent": wrong(
        ROUTES, "- agent: marketing", "- agent: ¦marketng", NO_AGENT, "'marketing'", strict=True
    ),
    "routes: removed agent": wrong(
        ROUTES,
        "- agent: marketing",
        "- agent: ¦marketing",
        "'marketing' was removed",
        "another agent",
        removed="marketing",
    ),
    "routes: removed agent who asks": wrong(
        ROUTES,
        "  frontend:\n    consults",
        "  old:\n    ¦consults",
        "'old' was removed",
        "another agent",
        removed="old",
    ),
    "routes: unknown key": wrong(ROUTES, "notifies:", "¦notify:", NO_KEY, "'notifies'"),
    "routes: no kind": wrong(
        ROUTES, "# Agent routing table\nagents:", "# Agent routing table\n¦agent:", "found no kind", "agents"
    ),
    "routes: itself": wrong(ROUTES, "- agent: cso", "- agent: ¦backend", "itself", "another agent"),
    "routes: a key twice": wrong(ROUTES, "  frontend:\n", "  ¦backend:\n", TWICE, "once"),
    "routes: nothing told": wrong(
        ROUTES,
        '- agent: frontend\n        when: "API contract changes"\n',
        "- ¦agent: frontend\n",
        "there is no 'when'",
        "told",
    ),
    "routes: a subject that is none": wrong(
        ROUTES,
        'when: "API contract changes"',
        'when: "API contract changes"\n        on: ¦genbrain..api',
        "genbrain..api",
        "token",
    ),
    # The meeting.
    "meeting: unknown agent": wrong(MEETING, "devops, cso]", "devops, ¦cs0]", NO_AGENT, "'cso'", strict=True),
    "meeting: removed agent": wrong(
        MEETING, "devops, cso]", "¦devops, cso]", "'devops' was removed", "another agent", removed="devops"
    ),
    "meeting: unknown key": wrong(
        MEETING, "max_duration_minutes", "¦max_duration_minute", NO_KEY, "'max_duration_minutes'"
    ),
    "meeting: wrong kind": wrong(MEETING, "kind: Meeting", "kind: ¦Meting", "there is no kind", "'Meeting'"),
    "meeting: one participant": wrong(
        MEETING, "[cto, backend, frontend, devops, cso]", "¦[cto]", "one participant", "2 to"
    ),
    "meeting: nobody": wrong(MEETING, "[cto, backend, frontend, devops, cso]", "¦[]", "no participant", "2 to"),
    "meeting: an empty agenda": wrong(MEETING, AGENDA, " ¦[]", "no items", "1 to 50"),
    "meeting: a quorum above the seats": wrong(
        MEETING, "  decision_required", "  quorum: ¦6\n  decision_required", "6", "1 to 5"
    ),
    "meeting: no minutes": wrong(MEETING, "minutes: 15", "minutes: ¦0", "0", "1 to 480"),
    "meeting: a thousand minutes": wrong(MEETING, "minutes: 15", "minutes: ¦1000", "1000", "1 to 480"),
    "meeting: a veto that the model has not": wrong(
        MEETING,
        "  decision_required",
        "  veto_roles: ¦[cso]\n  decision_required",
        "without their model",
        "majority_with_veto",
    ),
    "meeting: a veto that nobody has": wrong(
        MEETING,
        "  title: Analytics",
        "  decision_model: majority_with_veto\n  veto_roles: ¦[legal]\n  title: Analytics",
        "legal",
        "role",
    ),
    "meeting: a model without its roles": wrong(
        MEETING,
        "  decision_required",
        "  decision_model: ¦majority_with_veto\n  decision_required",
        "no veto_roles",
        "veto_roles",
    ),
    "meeting: a chair without a seat": wrong(
        MEETING, "  decision_required", "  chair: ¦ceo\n  decision_required", "no participant 'ceo'", "cso"
    ),
    "meeting: a time that is none": wrong(
        MEETING, "  decision_required", "  starts_at: ¦tomorrow\n  decision_required", "tomorrow", "4h"
    ),
    "meeting: a key twice": wrong(
        MEETING, "  decision_required", "  ¦title: Other\n  decision_required", TWICE, "once"
    ),
}
"""What is wrong, by its name."""
