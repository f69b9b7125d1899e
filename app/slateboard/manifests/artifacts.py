"""The artifacts and decisions of a manifest, as both TaskBoard and TaskTree write them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from slateboard.board.decisions import subject_of
from slateboard.manifests.declarations import Declarations, DeclaredArtifact, DeclaredDecision
from slateboard.manifests.fields import Fields, Key, Named, Rows, Table, Texts
from slateboard.manifests.places import wrong
from slateboard.manifests.values import (
    A_MOMENT,
    Checked,
    Content,
    Length,
    Name,
    Number,
    Reference,
    Text,
    Time,
    TruthOr,
    Word,
)
from slateboard.protocol.states import ArtifactStatus, DecisionStatus, Priority
from slateboard.protocol.work import DEFAULT_ATTEMPTS, Result
from slateboard.work import resources
from slateboard.work.rules import MOST_IDLE_ATTEMPTS, MOST_KEYS, MOST_TOUCHES

if TYPE_CHECKING:
    from slateboard.manifests.places import Node

PRIORITIES = {word.value: word.value for word in Priority} | {"normal": Priority.MEDIUM.value}
STATUSES = tuple(one.value for one in ArtifactStatus)
RESULT_KEYS = ("uri", "content", "hash")
"""What only a result that exists already has."""
DECISION_TEXTS = ("rationale", "context", "consequences", "confirmation", "supersedes")
DECISION_LISTS = ("drivers", "options")
MAX_BLOCKERS = 1_000
"""Blockers that one artifact names; a wider join goes through subtasks."""
MAX_ATTEMPTS = 100

A_GLOB = Checked("globs like src/api/**", resources.is_glob, r"^[^/\\]", resources.MAX_GLOB_CHARACTERS)

TITLE = Key(Text(), "What it is, in a line.")
BRIEF = Key(Text(), "What is wanted, at length.")
PRIORITY = Key(Word(PRIORITIES), "How urgent it is; `normal` is `medium`.")
DUE = Key(Time(), f"When it should be done: {A_MOMENT}.")
STATUS = Key(Word(STATUSES), "`complete` takes over a result that exists; any other status is worked out by the board.")

ARTIFACT = Table(
    "artifact",
    "an artifact",
    {
        "owner": Key(Name(), "The agent who makes it; else the task's agent."),
        "capability": Key(Name(), "Instead of an owner: any agent that has it may claim."),
        "title": TITLE,
        "brief": BRIEF,
        "path": Key(Text(), "Where it is expected, or where the result is."),
        "blocked_by": Key(
            Texts(Reference(), f"a text, or a list of texts, {MAX_BLOCKERS:,} at most", most=MAX_BLOCKERS),
            "What must be complete first: `api_spec` of the same task, or `other-task/artifact`.",
        ),
        "priority": PRIORITY,
        "due": DUE,
        "run_at": Key(Time(), f"Not before: {A_MOMENT}."),
        "max_attempts": Key(Number(1, MAX_ATTEMPTS), f"Attempts in all; {DEFAULT_ATTEMPTS} where it is not given."),
        "verify": Key(TruthOr(Name()), "`true`, or the agent who judges the result."),
        "criteria": Key(Text("what the verifier judges by", blank=False), "What the verifier judges by."),
        "verdict_within": Key(Length(), "How long a verifier has until it goes one level up; else 4 hours."),
        "evidence": Key(Texts(Word(("link", "hash", "note"))), "What the finish must name."),
        "touches": Key(
            Texts(A_GLOB, f"a glob like src/api/**, or {MOST_TOUCHES} at most", most=MOST_TOUCHES),
            "Globs over paths that nobody else may work on meanwhile.",
        ),
        "keys": Key(
            Texts(Name(), f"a name, or {MOST_KEYS} at most", most=MOST_KEYS), "Names that limits of keys count."
        ),
        "time_limit": Key(Length(), "How long an attempt may take; else 30 minutes."),
        "max_idle_attempts": Key(
            Number(1, MOST_IDLE_ATTEMPTS), "How many attempts in a row may end without a result; else 20."
        ),
        "status": STATUS,
        "uri": Key(Text(), "Of a result that exists: where it is. Only with `status: complete`."),
        "content": Key(Content(), "Of a result that exists: the result itself. Only with `status: complete`."),
        "hash": Key(
            Text("sha256: and 64 hex digits", pattern="sha256:[0-9a-f]{64}"),
            "Of a result that exists. Only with `status: complete`.",
        ),
    },
)
ARTIFACTS = Key(Named(ARTIFACT, "a mapping of artifacts by their names"), "The artifacts, by their names.")
DECISION = Table(
    "decision",
    "a decision: {agent, decision, rationale}",
    {
        "decision": Key(Text("what was decided", blank=False), "What was decided.", required=True),
        "agent": Key(Name(), "Who decided; else who applies."),
        "subject": Key(Text(), "What it is about; else it is named after its text."),
        "rationale": Key(Text(), "Why."),
        "context": Key(Text(), "What made it necessary."),
        "drivers": Key(Texts(Text()), "What mattered."),
        "options": Key(Texts(Text()), "What was considered."),
        "consequences": Key(Text(), "What follows from it."),
        "confirmation": Key(Text(), "How one will see that it is kept."),
        "status": Key(
            Word([one.value for one in DecisionStatus if one is not DecisionStatus.SUPERSEDED]),
            "`accepted` where it is not given.",
        ),
        "supersedes": Key(Text(), "The decision that it takes the place of."),
    },
)
DECISIONS = Key(Rows(DECISION, "a list of decisions"), "What was decided, and why.")


def declare_artifacts(found: Declarations, fields: Fields, task: str) -> None:
    """The artifacts of a task, where it has any, by their names."""
    artifacts: dict[str, Fields] = fields.get("artifacts") or {}
    for name, one in artifacts.items():
        found.add_artifact(_artifact(found, one, task, name))


def _artifact(found: Declarations, fields: Fields, task: str, name: str) -> DeclaredArtifact:
    document = fields.document
    owner, capability, status = fields.get("owner"), fields.get("capability"), fields.get("status")
    if owner is not None and capability is not None:
        raise wrong(document.at(fields.node, "capability"), "found an owner and a capability", "one of them")
    found.add_agent(owner, document, fields.node_of("owner"))
    return DeclaredArtifact(
        document=document,
        node=fields.node,
        task=task,
        name=name,
        title=fields.get("title"),
        brief=fields.get("brief"),
        owner=owner,
        capability=capability,
        path=fields.get("path"),
        priority=fields.get("priority"),
        due=fields.get("due"),
        run_at=fields.get("run_at"),
        max_attempts=fields.get("max_attempts"),
        status=status,
        imported=_imported(fields, status),
        blocked_by=_blockers(fields, task),
        rules=_rules(found, fields, owner),
    )


def _rules(found: Declarations, fields: Fields, owner: str | None) -> dict[str, Any]:
    """What the work must keep to (`work.rules`); the verifier is true or an agent's name, and not the owner."""
    verify = fields.get("verify")
    rules: dict[str, Any] = {
        "verify": verify or None,
        "criteria": fields.get("criteria"),
        **{key: sorted({node.value for node in fields.nodes(key)}) or None for key in ("evidence", "touches", "keys")},
        **{f"{key}_seconds": fields.get(key) for key in ("time_limit", "verdict_within")},
        "max_idle_attempts": fields.get("max_idle_attempts"),
    }
    if isinstance(verify, str):
        found.add_agent(verify, fields.document, fields.node_of("verify"))
        if verify == owner:
            raise fields.wrong("verify", f"found the owner {owner!r} as its own verifier", "another agent")
    if rules["verdict_within_seconds"] and not (rules["verify"] or rules["criteria"]):
        message = "found a time for a verdict that nobody gives"
        raise fields.wrong("verdict_within", message, "verify or criteria beside it")
    return {key: value for key, value in rules.items() if value is not None}


def _imported(fields: Fields, status: str | None) -> Result | None:
    """The result that a given `status: complete` takes over."""
    if status != ArtifactStatus.COMPLETE:
        for key in RESULT_KEYS:
            if key in fields:
                raise wrong(
                    fields.document.at(fields.node, key),
                    f"found {key!r} of an artifact that is not complete",
                    "it only together with status: complete",
                    remedy="leave it out, or give the status",
                )
        return None
    content, content_hash = fields.get("content"), fields.get("hash")
    if content is not None and content_hash is None:
        content_hash = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    return Result(path=fields.get("path"), uri=fields.get("uri"), content=content, hash=content_hash)


def _blockers(fields: Fields, task: str) -> dict[str, Node]:
    blockers: dict[str, Node] = {}
    for node in fields.nodes("blocked_by"):
        blockers.setdefault(node.value if "/" in node.value else f"{task}/{node.value}", node)
    return blockers


def declare_decisions(found: Declarations, fields: Fields, task: str) -> None:
    """The decisions of a task, where it has any; a decision's subject is given, or the slug of its text."""
    decisions: list[Fields] = fields.get("decisions") or []
    for one in decisions:
        decision, agent = one.get("decision"), one.get("agent")
        found.add_agent(agent, one.document, one.node_of("agent"))
        given: dict[str, Any] = {"decision": decision, "agent": agent, "task": task}
        given |= {key: one.get(key) for key in DECISION_TEXTS if key in one}
        given["status"] = one.get("status") or "accepted"
        for key in DECISION_LISTS:
            given[key] = [node.value for node in one.nodes(key)]
        subject = subject_of(one.get("subject") or decision)
        found.add_decision(DeclaredDecision(document=one.document, node=one.node, subject=subject, given=given))
