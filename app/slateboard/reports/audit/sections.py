"""What an audit lists, section by section, once for every form: in the order in which it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from slateboard.reports.audit import sections_together as together
from slateboard.reports.audit import words
from slateboard.reports.audit.section import Kind, Section, fields, length
from slateboard.reports.decision_records import option_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from slateboard.reports.audit.section import Report, Rows


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
        told = (one["rationale"], options, words.paragraph(one["consequences"]))
        yield one["decision"], one["status"], *who, *told, words.replaced(one)


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


def _escalations(report: Report) -> Rows:
    for one in report["escalations"]:
        if one["kind"] not in words.PEERS:
            asked = (one["reference"], one["question"], one["asked_by"], one["owner"], one["happened_at"])
            yield *asked, one["deadline"], one["answer"], one["answered_by"], one["answered_at"]


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


def _total(name: str) -> Callable[[Report], int]:
    return lambda report: report["summary"][name]


TEXT, LONG, WORD, NUMBER, TIME, LENGTH, HASH = Kind

SECTIONS = (
    Section(
        name="tasks", title="Who asked whom for what", noun="task", count=length("tasks"), rows=_tasks,
        note="Each task, and the chain of those who answer for it, from the top.",
        columns={"task": TEXT, "title": LONG, "asked by": TEXT, "done by": TEXT, "asked at": TIME, "accountable": LONG},
    ),
    *together.DELEGATED,
    Section(
        name="decisions", title="Every decision", noun="decision", count=length("decisions"), rows=_decisions,
        note="What was decided, by whom, why, over which options, with which dissent, and what replaced it.",
        columns={"decision": LONG, "status": WORD, "who": TEXT, "when": TIME, "why": LONG, "options": LONG,
                 "consequences": LONG, "replaced": LONG},
    ),
    *together.MET,
    Section(
        name="incidents", title="What went wrong, and what was done about it", noun="incident",
        count=length("incidents"), rows=_incidents,
        note="Failures, lost claims, dead letters and early ends.",
        columns={"artifact": TEXT, "what": WORD, "when": TIME, "by": TEXT, "class": TEXT, "error": LONG, "then": LONG},
    ),
    *together.CONTROLLED,
    Section(
        name="dead-letters", title="Dead letters, and what became of them", noun="dead letter",
        count=length("dead_letters"),
        rows=fields("dead_letters", "reference", "happened_at", "class", "error", "then", "ended_by", "ended_at",
                     "reason"),
        note="What would not be tried again by itself, until somebody redrove or discarded it.",
        columns={"artifact": TEXT, "died": TIME, "class": TEXT, "error": LONG, "then": WORD, "by": TEXT, "when": TIME,
                 "reason": LONG},
    ),
    Section(
        name="escalations", title="Who was asked, and who answered", noun="question", rows=_escalations,
        count=lambda report: sum(one["kind"] not in words.PEERS for one in report["escalations"]),
        note="Each question but those between peers: what it was about, by when it was due, and what was answered.",
        columns={"about": TEXT, "question": LONG, "asked by": TEXT, "asked": TEXT, "at": TIME, "due": TIME,
                 "answer": LONG, "answered by": TEXT, "when": TIME},
    ),
    *together.TALKED,
    Section(
        name="verifications", title="Verdicts", noun="verdict", count=length("verifications"),
        rows=fields("verifications", "reference", "version", "hash", "author", "verifier", "verdict", "reason",
                     "judged_by", "judged_at"),
        note="Each version that had to be judged, by its hash; one without a hash is unproven.",
        columns={"artifact": TEXT, "version": NUMBER, "hash": HASH, "author": TEXT, "verifier": TEXT, "verdict": WORD,
                 "reason": LONG, "judged by": TEXT, "when": TIME},
    ),
    Section(
        name="compensations", title="What was undone", noun="step", count=length("compensations"),
        rows=fields("compensations", "reference", "version", "action", "agent", "outcome", "happened_at", "ended_at",
                     "because", "summary"),
        note="Each completed step of a task that failed, and each whose effect is unknown.",
        columns={"step": TEXT, "version": NUMBER, "undone by": TEXT, "agent": TEXT, "outcome": WORD, "posted": TIME,
                 "ended": TIME, "because": LONG, "said": LONG},
    ),
    Section(
        name="breakers", title="Circuit breakers", noun="change", count=length("breakers"),
        rows=fields("breakers", "agent", "change", "happened_at", "by", "reason", "until", "probe", "fallback"),
        note="Each opening, its probes, and how it closed.",
        columns={"agent": TEXT, "change": WORD, "when": TIME, "by": TEXT, "reason": LONG, "until": TIME,
                 "probe": TEXT, "fallback": TEXT},
    ),
    Section(
        name="budgets", title="Budgets", noun="change", count=length("budgets"), rows=_budgets,
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
        count=length("hand_overs"), first=words.MOST_HAND_OVERS, last=0,
        note="From when the last of what it waited for was done until somebody took it; of a task that was delegated, "
        "until its agent acknowledged that.",
        columns={"artifact": TEXT, "taken by": TEXT, "after": LONG, "done by": TEXT, "when": TIME, "delay": LENGTH},
    ),
    Section(
        name="agents", title="Agents", noun="agent", count=length("agents"), rows=_agents,
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
        name="published", title="Published events", noun="event", count=length("published"),
        rows=fields("published", "subject", "position", "happened_at", "actor", "correlation"),
        note="What was announced on the board, oldest first.",
        columns={"subject": TEXT, "position": NUMBER, "when": TIME, "by": TEXT, "correlation": TEXT},
    ),
    Section(
        name="erasures", title="Erased payloads", noun="erasure", count=length("erasures"),
        rows=fields("erasures", "subject", "position", "happened_at", "by", "reason"),
        note="What was taken out of the log for good; the entry and its hash stay, and the chain holds over them.",
        columns={"subject": TEXT, "position": NUMBER, "when": TIME, "by": TEXT, "reason": LONG},
    ),
)  # fmt: skip
"""In the order in which they are read: what was wanted and decided, what went wrong, then everything."""
