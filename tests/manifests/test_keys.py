"""The tables of keys: the parser reads by no other, reads every key of them, and takes no more than the schema says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slateboard.manifests import kinds
from slateboard.manifests.fields import Fields, Named, Rows, Table
from slateboard.protocol.errors import SlateError
from tests.manifests.test_schema import VALIDATORS, is_taken, ways

ARTIFACT = {
    "owner": "backend", "title": "A", "brief": "B", "path": "a.md", "blocked_by": ["b", "other/c"],
    "priority": "normal", "due": "2d", "run_at": "2030-12-01T08:00:00Z", "max_attempts": 3, "verify": "cto",
    "criteria": "Sourced.",
    "verdict_within": "2h", "evidence": ["link", "hash"], "touches": "src/**", "keys": ["github-api"], "time_limit": 90,
    "max_idle_attempts": 5, "status": "pending",
}  # fmt: skip
DONE = {"capability": "k6", "status": "complete", "uri": "s3://a", "content": "x", "hash": "sha256:" + "0" * 64}
DECISION = {
    "decision": "As it is.", "agent": "cto", "subject": "it", "rationale": "r", "context": "c", "drivers": ["d"],
    "options": ["a", "b"], "consequences": "c", "confirmation": "c", "status": "accepted", "supersedes": "that",
}  # fmt: skip
TASK = {"artifacts": {"a": ARTIFACT, "b": DONE}, "decisions": [DECISION]}
BOARD = {
    "task_id": "work", "title": "T", "brief": "B", "agent": "ceo", "parent": "above", "priority": "high", "due": 3600,
    "status": "in_progress", **TASK,
}  # fmt: skip
NODE = {"name": "n", "agent": "cto", "task": "t", "brief": "b", "priority": "low", "due": "1h30m",
        "on_no_ack": "escalate", **TASK}  # fmt: skip
BREAKER = {"failure_threshold": 5, "recovery_timeout": "10m", "fallback": "reassign", "substitute": "devops"}
CONSUMER = {"agent": "devops", "action": "deploy", "filter": "$.a", "ordered_by": "$.b", "priority": "urgent",
            "start": "beginning", "name": "one"}  # fmt: skip
WHOLE: dict[str, Any] = {
    "TaskBoard": BOARD,
    "TaskTree": {"parent": "above", "root": {**NODE, "children": [{"agent": "backend", "task": "u"}]}},
    "EventPipeline": {
        "events": [
            {"subject": "a.events.b.*", "consumers": [CONSUMER]},
            {"all_of": ["a.events.c", "a.events.d"], "consumers": [{"agent": "cto"}]},
        ]
    },
    "Compensation": {"compensation": [{"step": "a", "compensate": "b", "agent": "cto", "irreversible": True}]},
    "CircuitBreaker": {"agents": ["backend"], "circuit_breaker": BREAKER},
    "AgentConfig": {
        "agent": "backend", "role": "r", "kind": "agent", "capabilities": ["sql"], "manager": "cto", "right": "agent",
        "accepts_delegation_from": ["cto"], "event_subscriptions": ["a.events.>"],
        "peer_channels": ["a.agents.cto.inbox"], "meeting_availability": "never",
        "limits": {"concurrency": 2, "rate": 100, "per": "1h"}, "budget": {"tokens": 5, "cost": 0.5},
        "circuit_breaker": BREAKER,
    },
    "RoutingTable": {
        "agents": {
            "backend": {
                "consults": [{"agent": "cso", "for": "security"}],
                "notifies": [{"agent": "frontend", "when": "it changes", "on": "a.events.b"}],
            }
        }
    },
    "Meeting": {
        "title": "T", "participants": ["cto", "backend"], "optional": ["cso"], "agenda": ["a"],
        "decision_required": True, "max_duration_minutes": 15, "quorum": 2, "decision_model": "majority_with_veto",
        "veto_roles": ["cto"], "chair": "cto", "starts_at": "2d", "turn_seconds": 30, "vote_seconds": 60,
    },
}  # fmt: skip
"""The spec of each kind with every key that it may have."""
MANIFESTS = {
    kind: {"apiVersion": kinds.API_VERSION, "kind": kind, "metadata": {"name": "work"}, "spec": spec}
    for kind, spec in WHOLE.items()
}
BARE = {
    kind: {"circuit_breaker": BREAKER} if kind == "CircuitBreaker" else WHOLE[kind] for kind in WHOLE
    if kinds.KINDS[kind].bare_form is not None
}  # fmt: skip


def inside(table: Table, seen: set[Table]) -> None:
    """Note a table and all that stand inside of it."""
    if table in seen:
        return
    seen.add(table)
    for key in table.keys.values():
        value = key.value.table if isinstance(key.value, Rows | Named) else key.value
        if isinstance(value, Table):
            inside(value, seen)


def names(tables: Iterator[Table] | set[Table]) -> set[tuple[str, ...]]:
    """Tables by what they are: the form of a kind is made anew each time."""
    return {(table.name, *table.keys) for table in tables}


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_key_of_every_table_is_read_and_stands_in_the_schema(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[Table] = set()
    read: set[tuple[Table, str]] = set()
    make, take = Fields.__init__, Fields.get

    def making(self: Fields, document: Any, node: Any, table: Table) -> None:
        made.add(table)
        make(self, document, node, table)

    def taking(self: Fields, key: str) -> Any:
        read.add((self.table, key))
        return take(self, key)

    monkeypatch.setattr(Fields, "__init__", making)
    monkeypatch.setattr(Fields, "get", taking)
    manifests = [MANIFESTS[kind], BARE[kind]] if kind in BARE else [MANIFESTS[kind]]
    for manifest in manifests:
        kinds.declared([{"source": "a.json", "text": json.dumps(manifest)}])
        assert list(VALIDATORS[kind].iter_errors(manifest)) == []
    known: set[Table] = set()
    for form in (kinds.FORMS[kind], kinds.KINDS[kind].bare_form):
        if form is not None:
            inside(form, known)
    assert names(made) == names(known), "the parser reads by these tables, and the schema is made of those"
    assert {(table.name, key) for table, key in read} == {(table.name, key) for table in known for key in table.keys}
    parts = VALIDATORS[kind].schema["$defs"]
    for table in known:
        assert set(parts[table.name]["properties"]) == set(table.keys)
        assert all(one["description"] for one in parts[table.name]["properties"].values())


SHAPES: dict[type, Any] = {
    bool: ["true", 1], int: ["a", 0, -1, 2**40, 1.5, True], float: ["a", 0, -1.0, 1e13],
    str: [7, True, 1.5, [], {}, "", " ", "A b", "x" * 70_000], list: [{}, 1, True, [1], [{}], [[]], ["A b"] * 3],
    dict: [[], 1, "a", True, {"A b": {}}, {"unknown": 1}, {}],
}  # fmt: skip
"""For a value of each shape, what may not be in its place."""


@settings(max_examples=500)
@given(data=st.data())
def test_what_the_schema_of_a_kind_refuses_the_parser_refuses(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(MANIFESTS)))
    changed = copy.deepcopy(data.draw(st.sampled_from([MANIFESTS[kind], *([BARE[kind]] if kind in BARE else [])])))
    way = data.draw(st.sampled_from(ways(changed)))
    holder = changed
    for key in way[:-1]:
        holder = holder[key]
    old = holder[way[-1]]
    how = data.draw(st.sampled_from(["take", "name", "shape", "nothing"]))
    if how == "take" or (how == "name" and not isinstance(holder, dict)):
        del holder[way[-1]]
    elif how == "name":
        holder[data.draw(st.sampled_from([f"{way[-1]}s", "x", "Owner", "status"]))] = holder.pop(way[-1])
    else:
        holder[way[-1]] = None if how == "nothing" else data.draw(st.sampled_from(SHAPES[type(old)]))
    if not VALIDATORS[kind].is_valid(changed):
        assert not is_taken(changed), changed


def test_a_kind_of_the_parser_is_one_of_the_tests() -> None:
    assert set(WHOLE) == set(kinds.KINDS)


@pytest.mark.parametrize("cost", [".inf", "-.inf", ".nan", "0x1f", "0", "-1", "'5'"])
def test_a_cost_that_is_no_amount_is_refused_at_its_place(cost: str) -> None:
    text = f"apiVersion: agent.ceo/v1\nkind: AgentConfig\nmetadata: {{name: a}}\nspec:\n  budget: {{cost: {cost}}}\n"
    with pytest.raises(SlateError, match=r"a.yaml:5:18: spec.budget.cost: .*above 0"):
        kinds.declared([{"source": "a.yaml", "text": text}])
