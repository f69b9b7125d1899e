"""The fold: a board's state worked out from its events' after-images, without a database.

`COLUMNS` names the tables and columns that the log tells of. For these the fold of a board's whole log is exactly the
live tables; a test proves it. Heartbeats, progress, ratings, counters and inline content have no events and are left
out. A `completed` event does not repeat what its claim's event said, so the fold keeps the leases and makes an attempt
from both. Events must come in the order of their positions.
"""

from __future__ import annotations

import gc
import json
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

Row = dict[str, Any]

COLUMNS: dict[str, tuple[str, ...]] = {
    "boards": ("id", "name", "prefix", "created_at", "archived_at"),
    "agents": ("id", "name", "kind", "role", "capabilities", "manager", "grant", "accepts_from",
               "availability", "created_at", "removed_at"),
    "pauses": ("agent", "reason", "actor", "paused_at"),
    "tasks": ("id", "name", "parent", "title", "brief", "agent", "delegator", "priority", "due", "source",
              "created_by", "created_at"),
    "delegations": ("task", "delegator", "agent", "state", "on_no_ack", "delegated_at", "settled_at", "reason"),
    "artifacts": ("id", "task", "name", "title", "brief", "owner", "capability", "path", "newest_item", "rules",
                  "stale_at", "stale_because", "created_by", "created_at"),
    "artifact_versions": ("artifact", "version", "item", "fence", "author", "path", "uri", "hash", "size", "summary",
                          "evidence", "undo", "created_at"),
    "dependencies": ("blocker", "item", "counted", "created_by", "created_at"),
    "decisions": ("id", "subject", "status", "decision", "rationale", "context", "drivers", "options", "consequences",
                  "confirmation", "agent", "task", "supersedes", "decided_at", "created_by"),
    "work_items": ("id", "kind", "artifact", "revision", "reference", "inbox", "base_rating", "pinned_rating", "due",
                   "run_at", "attempts", "failures", "interruptions", "max_attempts", "outcome", "finished_at",
                   "correlation", "depth", "last_error", "created_at"),
    "places": ("item", "place"),
    "leases": ("item", "fence", "agent", "worker", "attempt", "claimed_at", "cause", "stalled_at"),
    "attempts": ("item", "fence", "attempt", "agent", "worker", "outcome", "class", "error", "note", "usage",
                 "started_at", "ended_at"),
    "dead_letters": ("item", "agent", "class", "error", "died_at"),
    "waiting": ("item", "owner", "deadline", "on_item", "reason", "since"),
    "escalations": ("item", "kind", "about", "reference", "severity", "owner", "level", "deadline", "seconds",
                    "question", "options", "default_answer", "asked_by", "asked_at", "answer", "answered_by",
                    "answered_at"),
    "verifications": ("item", "about", "artifact", "version", "hash", "reference", "author", "verifier", "level",
                      "criteria", "deadline", "asked_at", "verdict", "reason", "judged_by", "judged_at"),
    "circuit_breakers": ("agent", "state", "failed", "reason", "fallback", "substitute", "recovery_seconds", "since",
                         "until", "probe_item", "probe_fence", "escalation"),
    "breaker_settings": ("agent", "failure_threshold", "recovery_seconds", "fallback", "substitute", "source"),
    "compensation_rules": ("step", "action", "agent", "irreversible", "source", "created_by", "created_at"),
    "compensations": ("item", "artifact", "step_item", "task", "version", "reference", "action", "inbox", "question",
                      "because", "outcome", "posted_at", "ended_at"),
    "usage_ledger": ("fence", "number", "item", "agent", "task", "input_tokens", "cached_tokens", "output_tokens",
                     "cost", "model", "reported_at"),
    "meetings": ("id", "title", "state", "scheduled_by", "organiser", "chair", "decision_required", "max_seconds",
                 "quorum", "decision_model", "veto_roles", "turn_seconds", "vote_seconds", "source", "starts_at",
                 "waits_until", "moves", "escalation", "opened_at", "ends_at", "adjourned_at", "ended_because",
                 "scheduled_at"),
    "meeting_seats": ("meeting", "agent", "position", "required", "seated", "present", "may_veto", "joined_at"),
    "agenda_items": ("meeting", "number", "title", "stage", "round", "motion", "outcome", "reason", "decision",
                     "opened_at", "closed_at"),
    "meeting_turns": ("item", "meeting", "number", "round", "agent", "kind", "deadline", "outcome", "ended_at"),
    "statements": ("id", "meeting", "number", "round", "agent", "kind", "text", "said_at", "settled", "settled_by",
                   "settled_because", "settled_at"),
    "motions": ("id", "meeting", "number", "agent", "text", "rationale", "subject", "proposed_at"),
    "action_items": ("id", "meeting", "motion", "position", "title", "brief", "owner", "due_seconds", "task"),
    "votes": ("meeting", "number", "agent", "seated", "choice", "rationale", "changes", "voted_at"),
    "vote_changes": ("meeting", "number", "agent", "change", "choice", "rationale", "voted_at"),
    "routes": ("id", "agent", "other", "kind", "label", "subject", "source", "created_by", "created_at"),
    "threads": ("id", "topic", "correlation", "opened_by", "opened_at"),
    "thread_members": ("thread", "agent", "read_to", "joined_at"),
    "messages": ("id", "thread", "kind", "author", "said_by", "text", "data", "consult", "said_at"),
    "consults": ("item", "asker", "other", "thread", "request", "correlation"),
    "requests": ("id", "capability", "asker", "thread", "answers", "deadline", "asked_at", "closed_at"),
    "limits": ("scope", "name", "concurrency", "rate", "per_seconds", "set_by", "set_at"),
    "holds": ("item", "reason", "name", "since"),
    "budgets": ("agent", "task", "tokens", "cost", "warned_at", "exhausted_at", "set_by", "set_at"),
}  # fmt: skip
"""By table, the columns that are folded; `places` is the view of where each item is."""

KEYS: dict[str, tuple[str, ...]] = {
    "pauses": ("agent",),
    "delegations": ("task",),
    "artifact_versions": ("artifact", "version"),
    "dependencies": ("blocker", "item"),
    "places": ("item",),
    "leases": ("item",),
    "attempts": ("item", "fence"),
    "dead_letters": ("item",),
    "waiting": ("item",),
    "escalations": ("item",),
    "verifications": ("item",),
    "circuit_breakers": ("agent",),
    "breaker_settings": ("agent",),
    "compensation_rules": ("step",),
    "compensations": ("item",),
    "usage_ledger": ("fence", "number"),
    "budgets": ("agent", "task"),
    "meeting_seats": ("meeting", "agent"),
    "agenda_items": ("meeting", "number"),
    "meeting_turns": ("item",),
    "votes": ("meeting", "number", "agent"),
    "vote_changes": ("meeting", "number", "agent", "change"),
    "thread_members": ("thread", "agent"),
    "consults": ("item",),
    "limits": ("scope", "name"),
    "holds": ("item",),
}
"""The key of each table within its board, where it is not `id`."""

TIMES = frozenset((
    "created_at", "archived_at", "paused_at", "due", "stale_at", "decided_at", "run_at", "finished_at", "claimed_at",
    "started_at", "ended_at", "died_at", "deadline", "since", "asked_at", "answered_at", "judged_at", "posted_at",
    "until", "stalled_at", "removed_at", "delegated_at", "settled_at",
    "reported_at", "warned_at", "exhausted_at", "set_at",
    "starts_at", "waits_until", "opened_at", "ends_at", "adjourned_at", "scheduled_at", "joined_at", "closed_at",
    "said_at", "proposed_at", "voted_at",
))  # fmt: skip

TIMES_OF = {table: tuple(name for name in columns if name in TIMES) for table, columns in COLUMNS.items()}

FORMAT = 1
"""Of a snapshot; one of another number is refused."""

BATCH = 1_000
"""Events whose payloads are decoded together."""


class Entry(NamedTuple):
    """What the fold reads of an event; `payload` is JSON text, None where it was erased."""

    position: int
    id: int
    subject: str
    payload: str | None
    actor: str
    correlation: str | None
    depth: int
    happened_at: datetime


class State:
    """The tables of one board, each by its key; `position` is the last event that is in them.

    `erased` are the positions whose payload is gone: what they said is missing from the tables.
    """

    def __init__(self, board: int) -> None:
        self.board = board
        self.position = 0
        self.happened_at: datetime | None = None
        self.tables: dict[str, dict[Any, Row]] = {name: {} for name in COLUMNS}
        self.waived: set[int] = set()
        self.waiting: set[int] = set()
        self.erased: list[int] = []
        self.task_ids: dict[str, int] = {}
        self.blockers: dict[int, list[int]] = {}
        self.dependents: dict[int, list[int]] = {}

    def put(self, table: str, row: Row) -> None:
        """Keep the folded columns of a row under its key."""
        kept = {name: row.get(name) for name in COLUMNS[table]}
        for name in TIMES_OF[table]:
            kept[name] = moment(kept[name])
        self.tables[table][key_of(table, kept)] = kept

    def remaining(self, item: int) -> int:
        """How many blockers the item's gate counts."""
        items, edges = self.tables["work_items"], self.tables["dependencies"]
        return (item in self.waiting) + sum(
            edges[blocker, item]["counted"]
            and blocker not in self.waived
            and (blocker not in items or items[blocker]["outcome"] != "done")
            for blocker in self.blockers.get(item, ())
        )

    def add_edge(self, blocker: int, item: int, *, by: str, at: datetime) -> bool:
        """Add an edge, unless it is there; whether it counts. A blocker that is still to be told of counts."""
        edges, known = self.tables["dependencies"], self.tables["work_items"].get(blocker)
        if (blocker, item) in edges:
            return False
        counted = known is None or known["outcome"] != "done"
        edges[blocker, item] = {
            "blocker": blocker, "item": item, "counted": counted, "created_by": by, "created_at": at,
        }  # fmt: skip
        self._index(blocker, item)
        return counted

    def _index(self, blocker: int, item: int) -> None:
        self.blockers.setdefault(item, []).append(blocker)
        self.dependents.setdefault(blocker, []).append(item)

    def dump(self) -> bytes:
        """The state as JSON; the same events give the same bytes."""
        tables = {name: [list(row.values()) for row in rows.values()] for name, rows in self.tables.items()}
        whole = {
            "format": FORMAT,
            "board": self.board,
            "position": self.position,
            "happened_at": self.happened_at,
            "waived": sorted(self.waived),
            "waiting": sorted(self.waiting),
            "erased": self.erased,
            "columns": COLUMNS,
            "tables": tables,
        }
        return json.dumps(whole, default=datetime.isoformat, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> State:
        """The state that was dumped; `ValueError` if it is none, or of another format."""
        found: Any = json.loads(data)
        whole = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if whole.get("format") != FORMAT:
            message = f"not a snapshot of format {FORMAT}"
            raise ValueError(message)
        state = cls(whole["board"])
        state.position, state.happened_at = whole["position"], moment(whole["happened_at"])
        state.waived, state.waiting = set(whole["waived"]), set(whole["waiting"])
        state.erased = whole["erased"]
        for name, rows in whole["tables"].items():
            columns = whole["columns"][name]
            for values in rows:
                state.put(name, dict(zip(columns, values, strict=True)))
        state.task_ids = {row["name"]: number for number, row in state.tables["tasks"].items()}
        for blocker, item in state.tables["dependencies"]:
            state._index(blocker, item)
        return state


def key_of(table: str, row: Row) -> Any:
    """The key of a row within its table: one value, or a tuple of them."""
    names = KEYS.get(table)
    if names is None:
        return row["id"]
    return row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)


def moment(value: Any) -> datetime | None:
    """A time from a payload: ISO 8601 as Postgres and Python write it."""
    return value if value is None or isinstance(value, datetime) else datetime.fromisoformat(value)


def fold(state: State, entries: Iterable[tuple[Any, ...]]) -> State:
    """Take events, each with the fields of `Entry`, into the state. Subjects that change no folded table are passed by.

    Raises KeyError for an event about something that no event told of, unless a payload was erased.
    """
    from slateboard.reports.past.fold_board import BOARD_HANDLERS
    from slateboard.reports.past.fold_breakers import BREAKER_HANDLERS
    from slateboard.reports.past.fold_compensations import COMPENSATION_HANDLERS
    from slateboard.reports.past.fold_duties import DUTY_HANDLERS
    from slateboard.reports.past.fold_meetings import MEETING_HANDLERS
    from slateboard.reports.past.fold_moves import MOVE_HANDLERS
    from slateboard.reports.past.fold_peers import PEER_HANDLERS
    from slateboard.reports.past.fold_queue import QUEUE_HANDLERS
    from slateboard.reports.past.fold_usage import USAGE_HANDLERS
    from slateboard.reports.past.fold_verdicts import VERDICT_HANDLERS

    handlers = {
        **BREAKER_HANDLERS,
        **BOARD_HANDLERS,
        **QUEUE_HANDLERS,
        **MOVE_HANDLERS,
        **DUTY_HANDLERS,
        **MEETING_HANDLERS,
        **PEER_HANDLERS,
        **VERDICT_HANDLERS,
        **COMPENSATION_HANDLERS,
        **USAGE_HANDLERS,
    }
    rest = iter(entries)
    with _collecting_nothing():
        while page := [Entry(*values) for values in islice(rest, BATCH)]:
            told = [entry for entry in page if entry.subject in handlers]
            # One text of many payloads: the decoder makes each name in them once.
            payloads = json.loads(f"[{','.join([entry.payload or 'null' for entry in told])}]")
            for entry, payload in zip(told, payloads, strict=True):
                if payload is None:
                    state.erased.append(entry.position)
                    continue
                try:
                    handlers[entry.subject](state, payload, entry)
                except KeyError:
                    if not state.erased:
                        raise
            state.position, state.happened_at = page[-1].position, page[-1].happened_at
    return state


@contextmanager
def _collecting_nothing() -> Generator[None]:
    """A fold makes many objects and no garbage, through which the collector would search again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
