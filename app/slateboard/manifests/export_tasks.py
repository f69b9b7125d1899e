"""The tasks of a board as manifests: a TaskTree where agents delegated to each other, else a TaskBoard for each task.

A task stands as a node of a tree where applying the tree elsewhere would delegate it as it was delegated here; one that
was not stands in a manifest of its own, with its `parent`. What was cancelled is left out. A result is taken over as
it is; everything else is work to do.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.board.delegations import MOST_DEEP
from slateboard.manifests.artifacts import MAX_BLOCKERS
from slateboard.manifests.export_page import Manifest, Notes, length, moment
from slateboard.manifests.fields import MAX_TEXT
from slateboard.manifests.plan import WORD_OF_RATING
from slateboard.manifests.task_tree import shortened
from slateboard.protocol.names import RESULT
from slateboard.protocol.states import DecisionStatus, Place, Priority
from slateboard.protocol.work import DEFAULT_ATTEMPTS, DEFAULT_ON_NO_ACK
from slateboard.store.arrays import numbers
from slateboard.work.queries import STANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from slateboard.transaction import Statement

MAX_INLINE_BYTES = 65_536
"""Of the content of a result; a larger one is exported as its hash."""
MAX_EDGES = 200_000
"""Dependencies of one page."""
MOST_LEVELS = 40
"""Of one tree; deeper tasks have manifests of their own."""
HASH = re.compile(r"sha256:[0-9a-f]{64}")
RULES = ("verify", "criteria", "verdict_within", "evidence", "touches", "keys", "time_limit", "max_idle_attempts")
DECISION_TEXTS = ("rationale", "context", "consequences", "confirmation")

BELOW = """
WITH RECURSIVE below (root, id) AS (
    SELECT g.id, g.id FROM unnest($2::text::bigint[]) AS g (id)
    UNION ALL
    SELECT b.root, c.id FROM below b,
    LATERAL (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.parent = b.id OFFSET 0) AS c
)
"""

TASKS = f"""{BELOW}
SELECT b.root, t.id, t.name, t.parent, t.title, t.brief, t.priority, t.due, a.name AS agent, g.name AS delegator,
       d.on_no_ack
FROM below b,
LATERAL (SELECT t.* FROM tasks t WHERE t.board = $1 AND t.id = b.id OFFSET 0) AS t
LEFT JOIN LATERAL (SELECT a.name FROM agents a WHERE a.board = $1 AND a.id = t.agent OFFSET 0) AS a ON true
LEFT JOIN LATERAL (SELECT g.name FROM agents g WHERE g.board = $1 AND g.id = t.delegator OFFSET 0) AS g ON true
LEFT JOIN LATERAL (SELECT d.on_no_ack FROM delegations d WHERE d.board = $1 AND d.task = t.id OFFSET 0) AS d ON true
ORDER BY t.id
"""

ARTIFACTS = f"""
SELECT a.id, a.task, a.name, a.title, a.brief, o.name AS owner, a.capability, a.path, a.rules::text AS rules,
       w.outcome, w.revision, w.base_rating, w.due, w.run_at, w.attempts, w.max_attempts, v.*
FROM unnest($2::text::bigint[]) AS g (task),
LATERAL (SELECT a.* FROM artifacts a WHERE a.board = $1 AND a.task = g.task OFFSET 0) AS a,
LATERAL (SELECT w.* FROM work_items w WHERE w.board = $1 AND w.id = a.newest_item OFFSET 0) AS w
LEFT JOIN LATERAL (SELECT o.name FROM agents o WHERE o.board = $1 AND o.id = a.owner OFFSET 0) AS o ON true
LEFT JOIN LATERAL (
    SELECT v.path AS made_path, v.uri, coalesce(octet_length(v.content), 0) > {MAX_INLINE_BYTES} AS large,
           CASE WHEN octet_length(v.content) <= {MAX_INLINE_BYTES} THEN v.content END AS content,
           CASE WHEN v.hash IS NULL AND octet_length(v.content) > {MAX_INLINE_BYTES}
                THEN 'sha256:' || encode(sha256(convert_to(v.content, 'UTF8')), 'hex') ELSE v.hash END AS hash
    FROM artifact_versions v WHERE v.board = $1 AND v.artifact = a.id AND w.outcome = 'done' AND {STANDS}
    ORDER BY v.version DESC LIMIT 1
) AS v ON true
ORDER BY a.id
"""

EDGES = f"""
SELECT d.item, t.name AS task, t.parent, a.name, n.outcome
FROM unnest($2::text::bigint[]) AS g (item),
LATERAL (SELECT d.item, d.blocker FROM dependencies d WHERE d.board = $1 AND d.item = g.item OFFSET 0) AS d,
LATERAL (SELECT w.artifact FROM work_items w
         WHERE w.board = $1 AND w.id = d.blocker AND w.kind = 'produce' OFFSET 0) AS w,
LATERAL (SELECT a.name, a.task, a.newest_item FROM artifacts a WHERE a.board = $1 AND a.id = w.artifact OFFSET 0) AS a,
LATERAL (SELECT t.name, t.parent FROM tasks t WHERE t.board = $1 AND t.id = a.task OFFSET 0) AS t,
LATERAL (SELECT n.outcome FROM work_items n WHERE n.board = $1 AND n.id = a.newest_item OFFSET 0) AS n
LIMIT {MAX_EDGES}
"""

# The one that holds of each subject, else the last that was not superseded.
DECISIONS = """
SELECT DISTINCT ON (d.subject) d.id, d.task, d.subject, d.status, d.decision, d.rationale, d.context, d.drivers,
       d.options::text AS options, d.consequences, d.confirmation, a.name AS agent
FROM decisions d LEFT JOIN agents a ON a.board = d.board AND a.name = d.agent
WHERE d.board = $1 AND d.status <> 'superseded' ORDER BY d.subject, d.status <> 'accepted', d.id DESC
"""

ACCEPTING = """
SELECT a.name, ARRAY(SELECT f.name FROM agents f WHERE f.board = $1 AND f.id = ANY (a.accepts_from)) AS accepts
FROM agents a WHERE a.board = $1 AND a.accepts_from IS NOT NULL
"""

LOST_DELEGATION = "delegated, which applying elsewhere would not repeat (it stands in a manifest of its own)"
CANCELLED = "cancelled, and left out"
LARGE = f"with a result larger than {MAX_INLINE_BYTES // 1024} KiB, of which the hash alone is exported"
OPEN = "open to anybody in a task that is an agent's, so the agent of the task is left out"
UNDUE = "due at no time in a task that is, so the time of the task is left out and said of each of its others"


@dataclass(slots=True)
class Found:
    """The rows of some roots with all below them, and how they stand in trees."""

    tasks: dict[int, Any]
    children: dict[int, list[Any]]
    artifacts: dict[int, list[Any]]
    blockers: dict[int, list[Any]]
    decisions: dict[int, list[Any]]
    accepting: dict[str, set[str]]
    notes: Notes
    left_out: set[int] = field(default_factory=set[int])
    # What was cancelled, by the root above it.
    gone: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    # Of each task, as it will stand elsewhere: the agents above it, itself included, and how many delegations deep.
    chains: dict[int, tuple[frozenset[str], int]] = field(default_factory=dict[int, "tuple[frozenset[str], int]"])


async def load(tx: Statement, roots: Sequence[int], notes: Notes) -> Found:
    """Everything of these roots and below them."""
    tasks = {row["id"]: row for row in await tx.fetch(TASKS, tx.board, numbers(roots))}
    artifacts = await tx.fetch(ARTIFACTS, tx.board, numbers(tasks))
    edges = await tx.fetch(EDGES, tx.board, numbers(row["id"] for row in artifacts))
    if len(edges) == MAX_EDGES:
        notes.add(f"there are more than {MAX_EDGES:,} dependencies here, and some are left out")
    accepting = {row["name"]: set(row["accepts"]) for row in await tx.fetch(ACCEPTING, tx.board)}
    decisions = [row for row in await tx.fetch(DECISIONS, tx.board) if row["task"] in tasks]
    found = Found(
        tasks,
        _grouped(tasks.values(), "parent"),
        _grouped(artifacts, "task"),
        _grouped(edges, "item"),
        _grouped(sorted(decisions, key=lambda row: row["id"]), "task"),
        accepting,
        notes,
    )
    _leave_out(found)
    return found


def _grouped(rows: Any, key: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _leave_out(found: Found) -> None:
    """Leave out the tasks of which nothing is left but what was cancelled; those below stand after those above."""
    for number, task in sorted(found.tasks.items(), reverse=True):
        own = found.artifacts.get(number, [])
        below = found.children.get(number, [])
        gone = [one for one in own if one["outcome"] == Place.CANCELLED]
        found.gone.setdefault(task["root"], []).extend(f"{task['name']}/{one['name']}" for one in gone)
        if own and len(gone) == len(own) and all(one["id"] in found.left_out for one in below):
            found.left_out.add(number)


def manifests(found: Found, root: int) -> Iterator[Manifest]:
    """The manifests of one root and all below it, each after the one that it stands below."""
    if found.gone.get(root):
        found.notes.add(CANCELLED, *sorted(found.gone[root]))
    waiting = [found.tasks[root]]
    while waiting:
        task = waiting.pop()
        if task["id"] in found.left_out:
            continue
        parent = found.tasks.get(task["parent"])
        standing, deep = found.chains[parent["id"]] if parent else (frozenset[str](), 0)
        found.chains[task["id"]] = (standing | {task["agent"]}, deep)
        if task["delegator"] not in {None, task["agent"]} and task["agent"]:
            found.notes.add(LOST_DELEGATION, task["name"])
        nodes = [one for one in _below(found, task) if _is_node(found, one)] if _fits(found, task) else []
        above = {"parent": parent["name"]} if parent else {}
        if nodes:
            tree = _Tree(found)
            node = tree.node(task, task["name"], 1)
            yield Manifest("TaskTree", task["name"], str(root), {**above, "root": node}, tree.things)
            apart = tree.apart
        else:
            spec, things = _task(found, task, above)
            yield Manifest("TaskBoard", task["name"], str(root), spec, things)
            apart = _below(found, task)
        waiting += reversed(apart)


def _below(found: Found, task: Any) -> list[Any]:
    return [one for one in found.children.get(task["id"], []) if one["id"] not in found.left_out]


@dataclass(slots=True)
class _Tree:
    """One TaskTree while it is written; `apart` are the tasks below it that have manifests of their own."""

    found: Found
    things: int = 0
    apart: list[Any] = field(default_factory=list["Any"])

    def node(self, task: Any, derived: str, level: int) -> dict[str, Any]:
        """A task with its children; `derived` is the name that it has without saying one."""
        head = {"name": None if task["name"] == derived else task["name"]}
        spec, things = _task(self.found, task, head, node=True)
        self.things += things
        counts: dict[str, int] = {}
        children: list[dict[str, Any]] = []
        for one in _below(self.found, task):
            if level >= MOST_LEVELS or not _is_node(self.found, one):
                self.apart.append(one)
                continue
            standing, deep = self.found.chains[task["id"]]
            self.found.chains[one["id"]] = (standing | {one["agent"]}, deep + 1)
            count = counts.get(one["agent"], 0) + 1
            name = f"{task['name']}-{one['agent']}"
            name = shortened(name if count == 1 else f"{name}-{count}")
            counts[one["agent"]] = count if one["name"] == name else count - 1
            children.append(self.node(one, name, level + 1))
        return {**spec, "children": children or None}


def _is_node(found: Found, task: Any) -> bool:
    """Whether a tree would delegate the task as it was delegated, and would be let."""
    parent = found.tasks[task["parent"]]
    if not _fits(found, task) or parent["agent"] is None or task["delegator"] != parent["agent"]:
        return False
    agent = task["agent"]
    standing, deep = found.chains[parent["id"]]
    allowed = found.accepting.get(agent)
    return agent not in standing and deep < MOST_DEEP and (allowed is None or parent["agent"] in allowed)


def _fits(found: Found, task: Any) -> bool:
    """Whether it has what a node of a tree must have."""
    return _agent(found, task) is not None and len(task["title"]) <= MAX_TEXT


def _agent(found: Found, task: Any) -> str | None:
    """The agent that a manifest gives the task: none where one of its artifacts is open to anybody."""
    own = found.artifacts.get(task["id"], [])
    if any(one["owner"] is None and one["capability"] is None and _unfinished(one) for one in own):
        return None
    return task["agent"]


def _unfinished(artifact: Any) -> bool:
    return artifact["outcome"] in {None, Place.DEAD}


def _task(found: Found, task: Any, head: Mapping[str, Any], *, node: bool = False) -> tuple[dict[str, Any], int]:
    """What every manifest says of a task, and how many things it is; `head` are the keys before these."""
    name, notes = task["name"], found.notes
    own = [one for one in found.artifacts.get(task["id"], []) if one["outcome"] != Place.CANCELLED]
    agent, due = _agent(found, task), task["due"]
    if agent != task["agent"]:
        notes.add(OPEN, name)
    if due is not None and any(one["due"] is None and _unfinished(one) for one in own):
        notes.add(UNDUE, name)
        due = None
    title = task["title"] if node else notes.text(task["title"], name) if task["title"] != name else None
    spec: dict[str, Any] = {
        **head,
        **({"agent": agent, "task": title} if node else {"title": title, "agent": agent}),
        "brief": notes.text(task["brief"], name),
        "priority": None if task["priority"] == Priority.MEDIUM else task["priority"],
        "due": moment(due),
        "on_no_ack": task["on_no_ack"] if node and task["on_no_ack"] != DEFAULT_ON_NO_ACK else None,
    }
    said = {"agent": agent, "due": due, "priority": task["priority"], "name": name, "title": title or RESULT}
    below = bool(_below(found, task))
    bare = below or len(own) == 1
    shown = {one["name"]: _artifact(found, one, said) for one in own if not (bare and _is_plain(found, one, said))}
    made = [one for row in found.decisions.get(task["id"], []) if (one := _decision(found, row)) is not None]
    things = 1 + len(shown) + len(made) + (RESULT not in shown and (below or not shown))
    return {**spec, "artifacts": shown or None, "decisions": made or None}, things


def _is_plain(found: Found, one: Any, task: Mapping[str, Any]) -> bool:
    """Whether it is the `result` that a task has without a word."""
    if one["name"] != RESULT or not _unfinished(one) or _blocked_by(found, one, task["name"]):
        return False
    said = (one["title"], one["owner"], one["due"], WORD_OF_RATING.get(one["base_rating"]), one["max_attempts"])
    other = (one["brief"], one["path"], one["capability"], one["rules"], one["run_at"] and not one["attempts"])
    return not any(other) and said == (
        task["title"], task["agent"], task["due"], task["priority"], DEFAULT_ATTEMPTS,
    )  # fmt: skip


def _artifact(found: Found, one: Any, task: Mapping[str, Any]) -> dict[str, Any]:
    where = f"{task['name']}/{one['name']}"
    done = one["outcome"] == Place.DONE
    priority = WORD_OF_RATING.get(one["base_rating"])
    first = not one["attempts"] and one["outcome"] is None and not one["revision"]
    said: dict[str, Any] = {
        "title": found.notes.text(one["title"], where) if one["title"] != one["name"] else None,
        "owner": one["owner"] if one["owner"] != task["agent"] else None,
        "capability": one["capability"],
        "brief": found.notes.text(one["brief"], where),
        "path": found.notes.text(one["made_path"] or one["path"] or "", where),
        "blocked_by": _blocked_by(found, one, task["name"]) or None,
        "priority": priority if priority != task["priority"] else None,
        "due": moment(one["due"]) if one["due"] != task["due"] else None,
        "run_at": moment(one["run_at"]) if first else None,
        "max_attempts": one["max_attempts"] if one["max_attempts"] != DEFAULT_ATTEMPTS else None,
    }
    said |= _rules(json.loads(one["rules"] or "{}"), one["owner"])
    said["criteria"] = found.notes.text(said["criteria"] or "", where)
    if done:
        said |= {"status": "complete", **_result(found, one, where)}
    return {key: value for key, value in said.items() if value is not None}


def _blocked_by(found: Found, one: Any, task: str) -> list[str]:
    """What the artifact waits for by a word of somebody; a parent's `result` waits for what is below it anyway."""
    own: list[str] = []
    other: list[str] = []
    for edge in found.blockers.get(one["id"], []):
        if edge["outcome"] == Place.CANCELLED or (one["name"] == RESULT and edge["parent"] == one["task"]):
            continue
        if edge["task"] == task:
            own.append(edge["name"])
        else:
            other.append(f"{edge['task']}/{edge['name']}")
    blockers = [*sorted(own), *sorted(other)]
    if len(blockers) > MAX_BLOCKERS:
        found.notes.add(
            f"blocked by more than {MAX_BLOCKERS:,}, of which so many are exported", f"{task}/{one['name']}"
        )
    return blockers[:MAX_BLOCKERS]


def _rules(rules: Mapping[str, Any], owner: str | None) -> dict[str, Any]:
    said = {key: rules.get(key) for key in RULES}
    for key in ("time_limit", "verdict_within"):
        said[key] = length(rules.get(f"{key}_seconds"))
    if said["verify"] == owner and owner is not None:
        said["verify"] = True
    return said


def _result(found: Found, one: Any, where: str) -> dict[str, Any]:
    content, made = one["content"], one["hash"]
    if one["large"]:
        found.notes.add(LARGE, where)
    if content is not None and made == f"sha256:{hashlib.sha256(content.encode()).hexdigest()}":
        made = None
    return {
        "uri": found.notes.text(one["uri"] or "", where),
        "content": content,
        "hash": made if made and HASH.fullmatch(made) else None,
    }


def _decision(found: Found, one: Any) -> dict[str, Any] | None:
    if found.notes.text(one["decision"], one["subject"]) is None:
        return None
    options = [option for option in json.loads(one["options"]) if isinstance(option, str)]
    if len(options) < len(json.loads(one["options"])):
        found.notes.add("decided over options that are no texts, which are left out", one["subject"])
    said: dict[str, Any] = {"subject": one["subject"], "decision": one["decision"], "agent": one["agent"]}
    said["status"] = None if one["status"] == DecisionStatus.ACCEPTED else one["status"]
    said |= {key: found.notes.text(one[key], one["subject"]) for key in DECISION_TEXTS}
    return {**said, "drivers": list(one["drivers"]) or None, "options": options or None}
