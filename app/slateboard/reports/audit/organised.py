"""How the organisation worked, as data: the rows of `Organisation` with names instead of numbers, as far as they
concern what the report is about.

A delegation belongs to its task; a thread to those on it and to the items that its questions are about; a meeting to
those invited and to the tasks that came of it; what somebody took hold of, and what was late, to its items and agents.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import context, minutes
from slateboard.reports.audit.artifacts import task_of
from slateboard.reports.audit.minutes import agent_name, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from slateboard.reports.audit.life import Item
    from slateboard.reports.audit.report import Scope
    from slateboard.transaction import Statement

    Row = dict[str, Any]

NAMES = ("delegations", "managers", "threads", "consults", "requests", "refusals", "meetings", "control", "late")
"""The parts of the report, in the order in which they are read."""
ASKED = frozenset(("answer", "verify"))
"""Kinds of duties for which somebody else's work waits."""


async def organised(
    tx: Statement, scope: Scope, below: set[str], agent: str | None, correlation: str | None
) -> dict[str, list[Row]]:
    """Each part by its name: of the tasks `below` (all where it is empty), of an agent, of a correlation."""
    told = scope.read.fold.organisation
    tasks = await context.delegated(tx, told.delegations.tasks())
    names = told.delegations.names | {number: row["name"] for number, row in tasks.items()}
    given = [_delegation(scope, one, names, tasks) for one in told.delegations.rows]
    consults = {one["item"]: _consult(scope, one) for one in told.conversations.consults}
    threads = [_thread(scope, one) for _, one in sorted(told.conversations.threads.items())]
    about = {one["thread"] for one in consults.values() if one["consult"] in scope.items or one["gated"]}
    requests = [_request(scope, one) for _, one in sorted(told.conversations.requests.items())]
    control = [_control(scope, one) for one in told.control]
    meetings = [one for _, one in sorted(told.meetings.known.items())]
    by_task = minutes.items_by_task(scope)

    def of_agent(*named: str | None) -> bool:
        return agent is None or agent in named

    def correlated(one: Mapping[str, Any]) -> bool:
        return correlation in {None, one["correlation"]}

    kept = {one["thread"] for one in threads if correlated(one) and of_agent(one["opened_by"], *one["members"])}
    kept = kept & about if below else kept
    delegations = [
        one for one in given
        if one["delegator"] and (not below or one["task"] in below)
        and of_agent(one["delegator"], one["agent"], one["to"]) and correlated(one)
    ]  # fmt: skip
    return {
        "delegations": await _depths(tx, scope, delegations),
        "managers": managers(scope, delegations, agent),
        "threads": [one for one in threads if one["thread"] in kept],
        "consults": [one for one in consults.values() if one["thread"] in kept],
        "requests": [one for one in requests if one["thread"] in kept],
        "refusals": [
            _refusal(scope, one) for one in told.conversations.refusals
            if not below and correlated(one) and of_agent(one["by"], scope.agent(one["agent"]), one["to"])
        ],
        "meetings": [
            minutes.of(scope, one, by_task) for one in meetings
            if minutes.concerns(scope, one, below, agent) and correlation in {None, *one.correlations}
        ],
        "control": [
            one for one in control
            if (not below or one["task"] in below or _within(scope, one))
            and (of_agent(one["by"], one["agent"], one["to"]) or _within(scope, one)) and correlated(one)
        ],
        "late": [_late(scope, one) for one in told.late if one["item"] in scope.items],
    }  # fmt: skip


def _delegation(scope: Scope, one: Row, names: Mapping[int, str], tasks: Mapping[int, Row]) -> Row:
    """With how long it took to be acknowledged, declined or given up on."""
    number = one["task"]
    task = names.get(number) or f"task {number}"
    known = one["delegator"] is not None
    return {
        **one,
        "task": task,
        "delegator": scope.agent(one["delegator"]) if known else tasks.get(number, {}).get("delegator"),
        "agent": scope.agent(one["agent"]),
        "to": scope.agent(one["to"]),
        "seconds": seconds(one["delegated_at"], one["settled_at"]),
    }


async def _depths(tx: Statement, scope: Scope, delegations: list[Row]) -> list[Row]:
    """With how deep each stands: the delegations above it in the tree as that is now, and it."""
    missing = {one["task"] for one in delegations} - scope.tasks.keys()
    known = scope.tasks | (await context.tasks(tx, missing) if missing else {})
    depths: dict[str, int] = {}
    for one in delegations:
        name = one["task"]
        if name not in depths:
            above = context.chain_of(known[name]["parent"], known) if name in known else []
            depths[name] = 1 + sum(
                None not in (at["agent"], at["delegator"]) and at["agent"] != at["delegator"] for at in above
            )
        one["depth"] = depths[name]
    return delegations


def hand_overs(delegations: Iterable[Mapping[str, Any]]) -> list[Row]:
    """From when a task was given to an agent until it acknowledged that: the hand-overs between hops."""
    return [
        {
            "kind": "delegation", "from": one["delegator"], "to": one["task"], "from_label": "delegated",
            "to_label": one["task"], "from_agent": one["delegator"], "to_agent": one["agent"],
            "done_at": one["delegated_at"], "claimed_at": one["settled_at"], "seconds": one["seconds"],
        }
        for one in delegations
        if one["state"] == "acknowledged" and one["seconds"] is not None
    ]  # fmt: skip


def managers(scope: Scope, delegations: Iterable[Mapping[str, Any]], agent: str | None) -> list[Row]:
    """For each agent that manages others or delegated to them: how long work waited for its own steps, which are its
    items that others waited for, and the questions and verdicts that it owed. The longest wait first.
    """
    managed = Counter(row["manager"] for row in scope.agents.values() if row["manager"])
    gave = Counter(one["delegator"] for one in delegations)
    awaited = {number for item in scope.read.fold.items.values() for number in item.blockers}
    steps: dict[int, list[Item]] = defaultdict(list)
    for item in scope.items.values():
        if item.owner is not None and (item.number in awaited or item.kind in ASKED):
            steps[item.owner].append(item)
    rows: list[Row] = []
    for number, known in scope.agents.items():
        name = known["name"]
        if agent not in {None, name} or not (managed[name] or gave[name]):
            continue
        own = sorted(steps[number], key=_waited, reverse=True)
        rows.append({
            "agent": name, "manages": managed[name], "delegated": gave[name], "steps": len(own),
            "open": sum(item.place in {"ready", "claimed"} for item in own),
            "ready_seconds": round(sum(item.seconds.get("ready", 0.0) for item in own), 3),
            "claimed_seconds": round(sum(item.seconds.get("claimed", 0.0) for item in own), 3),
            "waited_seconds": round(sum(_waited(item) for item in own), 3),
            "longest": scope.name(own[0]) if own else None,
            "longest_seconds": round(_waited(own[0]), 3) if own else None,
        })  # fmt: skip
    return sorted(rows, key=lambda row: (-row["waited_seconds"], row["agent"]))


def _waited(item: Item) -> float:
    """How long nothing but its owner was needed."""
    return item.seconds.get("ready", 0.0) + item.seconds.get("claimed", 0.0)


def _thread(scope: Scope, one: Row) -> Row:
    members = {agent_name(scope, number): read_to for number, read_to in sorted(one["members"].items())}
    return {**one, "members": members}


def _consult(scope: Scope, one: Row) -> Row:
    """With its question and answer; what it gated waited from the question to the answer."""
    asked = scope.read.fold.troubles.asked(one["item"]) or {}
    return {
        "position": one["position"], "correlation": one["correlation"], "consult": one["item"],
        "thread": one["thread"], "request": one["request"], "asker": scope.agent(one["asker"]),
        "other": scope.agent(one["other"]), "question": asked.get("question"), "asked_at": one["asked_at"],
        "deadline": asked.get("deadline"), "level": asked.get("level", 0), "answer": asked.get("answer"),
        "answered_by": asked.get("answered_by"), "answered_at": asked.get("answered_at"),
        "seconds": seconds(one["asked_at"], asked.get("answered_at")),
        "gated": scope.reference(asked["about"]) if asked.get("about") in scope.items else None,
    }  # fmt: skip


def _request(scope: Scope, one: Row) -> Row:
    row = {name: value for name, value in one.items() if name not in {"id", "board"}}
    return {
        **row,
        "request": one["id"],
        "asker": scope.agent(one["asker"]),
        "seconds": seconds(one["asked_at"], one["closed_at"]),
    }


def _refusal(scope: Scope, one: Row) -> Row:
    return {**one, "agent": scope.agent(one["agent"])}


def _control(scope: Scope, one: Row) -> Row:
    items = one["items"]
    return {
        **one,
        "items": list(items),
        "references": [scope.reference(number) for number in items],
        "agent": scope.agent(one["agent"]),
        "to": scope.agent(one["to"]),
    }


def _within(scope: Scope, one: Row) -> bool:
    return any(number in scope.items for number in one["items"])


def _late(scope: Scope, one: Row) -> Row:
    """With when the item was finished after all."""
    item = scope.items[one["item"]]
    after = seconds(one["since"], item.finished_at)
    named = {"reference": scope.name(item), "agent": scope.agent(one["agent"]), "task": task_of(item)}
    return {**one, **named, "place": item.place, "finished_at": item.finished_at, "seconds": after}
