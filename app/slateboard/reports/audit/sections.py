"""What an audit lists, section by section: title, note, columns and rows, once for every form.

A row is made when it is asked for; its cells are plain values, and what a value is (`Kind`) stands with its column, so
that each form writes a time, a length or a hash in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from slateboard.reports.audit import words
from slateboard.reports.decision_records import option_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Report = Mapping[str, Any]
    Rows = Iterable[tuple[Any, ...]]


FIRST_ROWS = 500
LAST_ROWS = 500
"""Of a table for people, so that a page can be opened however long the log is; the data has all rows."""


class Kind(StrEnum):
    """What the values of a column are; `word` is one of few, `long` a text of several words."""

    TEXT = "text"
    LONG = "long"
    WORD = "word"
    NUMBER = "number"
    TIME = "time"
    LENGTH = "length"
    HASH = "hash"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of the report; `count` is how many rows there are, so many `noun`s, of
    which people are shown the `first` and the `last`. The first column names the row.
    """

    name: str
    title: str
    note: str
    noun: str
    columns: dict[str, Kind]
    count: Callable[[Report], int]
    rows: Callable[[Report], Rows]
    first: int = FIRST_ROWS
    last: int = LAST_ROWS

    def left_out(self, report: Report) -> int:
        """How many rows in the middle people are not shown."""
        return max(self.count(report) - self.first - self.last, 0)

    def caption(self, report: Report) -> str:
        """How many rows there are, and which of them are left out."""
        said = words.count(self.count(report), self.noun)
        if not self.left_out(report):
            return said
        ends = f"the first {self.first:,}" + (f" and the last {self.last:,}" if self.last else "")
        return f"{said}; {ends} are here, {self.left_out(report):,} are left out: --format json has all"

    def bounded(self, report: Report) -> Iterator[tuple[Any, ...] | None]:
        """The rows for people; None stands once for those that are left out."""
        left_out = self.left_out(report)
        for number, row in enumerate(self.rows(report)):
            if number == self.first and left_out:
                yield None
            if not self.first <= number < self.first + left_out:
                yield row


def shown(kind: Kind, value: Any) -> str:
    """A value for people; nothing for None."""
    if value is None:
        return ""
    if kind is Kind.TIME:
        return words.moment(value)
    if kind is Kind.LENGTH:
        return words.length(value)
    if kind is Kind.NUMBER and isinstance(value, int):
        return f"{value:,}"
    return str(value)


def _tasks(report: Report) -> Rows:
    for one in report["tasks"]:
        asked_by = one["delegator"] or one["created_by"]
        yield one["name"], one["title"], asked_by, one["agent"], one["created_at"], words.chain(one["chain"])


def _artifacts(report: Report) -> Rows:
    for one in report["artifacts"]:
        owner = one.owner or one.newest.capability or "open"
        asked = (one.first.posted_by, one.first.posted_at)
        blockers, spent = words.some(one.blocked_by), words.spent(one.seconds)
        yield one.label, one.newest.place, owner, *asked, words.accountable(one.chain), blockers, spent


def _decisions(report: Report) -> Rows:
    for one in report["decisions"]:
        options = "; ".join(option_name(option) for option in one["options"])
        who = (one["agent"], one["decided_at"])
        yield one["decision"], one["status"], *who, one["rationale"], options, words.replaced(one)


def _incidents(report: Report) -> Rows:
    for one in report["incidents"]:
        said = one["error"] or one["note"]
        yield one["label"], one["what"], one["happened_at"], one["by"], one["class"], said, one["then"]


def _versions(report: Report) -> Rows:
    for one in report["artifacts"]:
        for version in one.versions:
            where = version.path or version.uri or "kept on the board"
            digest = version.hash or ("taken over, unproven" if version.imported else None)
            made = (version.version, version.author, version.created_at)
            yield one.label, *made, where, digest, version.size, version.fence, version.summary


def _attempts(report: Report) -> Rows:
    for one in report["artifacts"]:
        for attempt in one.attempts:
            who = (attempt.attempt, attempt.agent, attempt.worker)
            times = (attempt.started_at, attempt.ended_at, attempt.seconds)
            said = (attempt.failure_class, attempt.error or attempt.note, _usage(attempt.usage))
            yield one.label, *who, *times, attempt.outcome, *said


def _budgets(report: Report) -> Rows:
    for one in report["budgets"]:
        told = (one["scope"], one["change"], one["happened_at"], one["by"])
        yield *told, words.allowed(one), words.used(one)


def _usage(usage: Any) -> str | None:
    if not isinstance(usage, dict):
        return None if usage is None else str(usage)
    return ", ".join(f"{name} {value}" for name, value in sorted(cast("dict[str, Any]", usage).items()))


def _path(report: Report) -> Rows:
    for one in report["critical_path"]["steps"]:
        spent = words.spent(one["seconds"]) or "no time"
        yield one["label"], one["agent"] or "taken over", one["claimed_at"], one["finished_at"], spent


def _hand_overs(report: Report) -> Rows:
    for one in report["hand_overs"]:
        yield one["to_label"], one["to_agent"], one["from_label"], one["from_agent"], one["done_at"], one["seconds"]


def _agents(report: Report) -> Rows:
    for one in report["agents"]:
        done = [one[name] for name in ("agent", "items", "attempts", "completed", "failed", "interrupted")]
        yield *done, words.share(one["failure_rate"]), one["busy_seconds"], words.spent(one["seconds"])


def _fields(part: str, *names: str) -> Callable[[Report], Iterator[tuple[Any, ...]]]:
    """Rows of a part of the report, cell by cell under their names there."""
    return lambda report: (tuple(row[name] for name in names) for row in report[part])


def _length(part: str) -> Callable[[Report], int]:
    return lambda report: len(report[part])


def _total(name: str) -> Callable[[Report], int]:
    return lambda report: report["summary"][name]


TEXT, LONG, WORD, NUMBER, TIME, LENGTH, HASH = Kind

SECTIONS = (
    Section(
        name="tasks", title="Who asked whom for what", noun="task", count=_length("tasks"), rows=_tasks,
        note="Each task, and the chain of those who answer for it, from the top.",
        columns={"task": TEXT, "title": LONG, "asked by": TEXT, "done by": TEXT, "asked at": TIME, "accountable": LONG},
    ),
    Section(
        name="decisions", title="Every decision", noun="decision", count=_length("decisions"), rows=_decisions,
        note="What was decided, by whom, why, over which options, and what replaced it.",
        columns={"decision": LONG, "status": WORD, "who": TEXT, "when": TIME, "why": LONG, "options": LONG,
                 "replaced": LONG},
    ),
    Section(
        name="incidents", title="What went wrong, and what was done about it", noun="incident",
        count=_length("incidents"), rows=_incidents,
        note="Failures, lost claims, dead letters and early ends.",
        columns={"artifact": TEXT, "what": WORD, "when": TIME, "by": TEXT, "class": TEXT, "error": LONG, "then": LONG},
    ),
    Section(
        name="dead-letters", title="Dead letters, and what became of them", noun="dead letter",
        count=_length("dead_letters"),
        rows=_fields("dead_letters", "reference", "happened_at", "class", "error", "then", "ended_by", "ended_at",
                     "reason"),
        note="What would not be tried again by itself, until somebody redrove or discarded it.",
        columns={"artifact": TEXT, "died": TIME, "class": TEXT, "error": LONG, "then": WORD, "by": TEXT, "when": TIME,
                 "reason": LONG},
    ),
    Section(
        name="escalations", title="Who was asked, and who answered", noun="question", count=_length("escalations"),
        rows=_fields("escalations", "reference", "question", "asked_by", "owner", "happened_at", "deadline", "answer",
                     "answered_by", "answered_at"),
        note="Each question: what it was about, by when it was due, and what was answered.",
        columns={"about": TEXT, "question": LONG, "asked by": TEXT, "asked": TEXT, "at": TIME, "due": TIME,
                 "answer": LONG, "answered by": TEXT, "when": TIME},
    ),
    Section(
        name="verifications", title="Verdicts", noun="verdict", count=_length("verifications"),
        rows=_fields("verifications", "reference", "version", "hash", "author", "verifier", "verdict", "reason",
                     "judged_by", "judged_at"),
        note="Each version that had to be judged, by its hash; one without a hash is unproven.",
        columns={"artifact": TEXT, "version": NUMBER, "hash": HASH, "author": TEXT, "verifier": TEXT, "verdict": WORD,
                 "reason": LONG, "judged by": TEXT, "when": TIME},
    ),
    Section(
        name="compensations", title="What was undone", noun="step", count=_length("compensations"),
        rows=_fields("compensations", "reference", "version", "action", "agent", "outcome", "happened_at", "ended_at",
                     "because", "summary"),
        note="Each completed step of a task that failed, and each whose effect is unknown.",
        columns={"step": TEXT, "version": NUMBER, "undone by": TEXT, "agent": TEXT, "outcome": WORD, "posted": TIME,
                 "ended": TIME, "because": LONG, "said": LONG},
    ),
    Section(
        name="breakers", title="Circuit breakers", noun="change", count=_length("breakers"),
        rows=_fields("breakers", "agent", "change", "happened_at", "by", "reason", "until", "probe", "fallback"),
        note="Each opening, its probes, and how it closed.",
        columns={"agent": TEXT, "change": WORD, "when": TIME, "by": TEXT, "reason": LONG, "until": TIME,
                 "probe": TEXT, "fallback": TEXT},
    ),
    Section(
        name="budgets", title="Budgets", noun="change", count=_length("budgets"), rows=_budgets,
        note="Each budget as it was set, nearly used, used up and raised.",
        columns={"budget": TEXT, "change": WORD, "when": TIME, "by": TEXT, "allows": LONG, "used": LONG},
    ),
    Section(
        name="path", title="Critical path", noun="step", rows=_path,
        count=lambda report: len(report["critical_path"]["steps"]),
        note="The chain that took longest from its first post to its last finish: each waited for the one before.",
        columns={"artifact": TEXT, "agent": TEXT, "claimed": TIME, "finished": TIME, "time spent": LONG},
    ),
    Section(
        name="hand-overs", title="Slowest hand-overs", noun="hand-over", rows=_hand_overs,
        count=_length("hand_overs"), first=words.MOST_HAND_OVERS, last=0,
        note="From when the last of what it waited for was done until somebody took it.",
        columns={"artifact": TEXT, "taken by": TEXT, "after": LONG, "done by": TEXT, "when": TIME, "delay": LENGTH},
    ),
    Section(
        name="agents", title="Agents", noun="agent", count=_length("agents"), rows=_agents,
        note="What each finished and failed, and where the time of its work went.",
        columns={"agent": TEXT, "items": NUMBER, "attempts": NUMBER, "completed": NUMBER, "failed": NUMBER,
                 "interrupted": NUMBER, "failure rate": NUMBER, "at work": LENGTH, "time of its items": LONG},
    ),
    Section(
        name="artifacts", title="Every artifact", noun="artifact", rows=_artifacts,
        count=lambda report: len(report["artifacts"]),
        note="What had to be produced or handled, by whom, after what, and where its time went.",
        columns={"artifact": TEXT, "now": WORD, "owner": TEXT, "asked by": TEXT, "asked at": TIME, "accountable": LONG,
                 "after": LONG, "time spent": LONG},
    ),
    Section(
        name="versions", title="Every version", noun="version", count=_total("versions"), rows=_versions,
        note="Each accepted result, its author, and the hash of what was handed in.",
        columns={"artifact": TEXT, "version": NUMBER, "author": TEXT, "when": TIME, "where": LONG, "hash": HASH,
                 "bytes": NUMBER, "fence": NUMBER, "summary": LONG},
    ),
    Section(
        name="attempts", title="Every attempt", noun="attempt", count=_total("attempts"), rows=_attempts,
        note="Each claim from start to end.",
        columns={"artifact": TEXT, "attempt": NUMBER, "agent": TEXT, "worker": LONG, "started": TIME, "ended": TIME,
                 "took": LENGTH, "outcome": WORD, "class": TEXT, "error or note": LONG, "usage": TEXT},
    ),
    Section(
        name="published", title="Published events", noun="event", count=_length("published"),
        rows=_fields("published", "subject", "position", "happened_at", "actor", "correlation"),
        note="What was announced on the board, oldest first.",
        columns={"subject": TEXT, "position": NUMBER, "when": TIME, "by": TEXT, "correlation": TEXT},
    ),
    Section(
        name="erasures", title="Erased payloads", noun="erasure", count=_length("erasures"),
        rows=_fields("erasures", "subject", "position", "happened_at", "by", "reason"),
        note="What was taken out of the log for good; the entry and its hash stay, and the chain holds over them.",
        columns={"subject": TEXT, "position": NUMBER, "when": TIME, "by": TEXT, "reason": LONG},
    ),
)  # fmt: skip
"""In the order in which they are read: what was wanted and decided, what went wrong, then everything."""
