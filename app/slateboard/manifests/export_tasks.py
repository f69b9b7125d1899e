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
from typing import TYPE_CHECKING, Any, cast

from slateboard.board.delegations import MOST_DEEP
from slateboard.manifests.artifacts import MAX_BLOCKERS
from slateboard.manifests.export_found import MAX_INLINE_BYTES
from slateboard.manifests.export_page import Manifest, length, moment
from slateboard.manifests.plan import WORD_OF_RATING
from slateboard.manifests.task_tree import shortened
from slateboard.manifests.values import MAX_TEXT
from slateboard.protocol.names import RESULT
from slateboard.protocol.states import DecisionStatus, Place, Priority
from slateboard.protocol.work import DEFAULT_ATTEMPTS, DEFAULT_ON_NO_ACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from slateboard.manifests.export_found import Found

MOST_LEVELS = 40
"""Of one tree; deeper tasks have manifests of their own."""
HASH = re.compile(r"sha256:[0-9a-f]{64}")
RULES = ("verify", "criteria", "verdict_within", "evidence", "touches", "keys", "time_limit", "max_idle_attempts")
DECISION_TEXTS = ("rationale", "context", "consequences", "confirmation")

LOST_DELEGATION = "delegated, which applying elsewhere would not repeat (it stands in a manifest of its own)"
CANCELLED = "cancelled, and left out"
LARGE = f"with a result larger than {MAX_INLINE_BYTES // 1024} KiB, of which the hash alone is exported"
OPEN = "open to anybody in a task that is an agent's, so the agent of the task is left out"
UNDUE = "due at no time in a task that is, so the time of the task is left out and said of each of its others"


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
    said = {key: sorted(cast("list[str]", one)) if isinstance(one := rules.get(key), list) else one for key in RULES}
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
