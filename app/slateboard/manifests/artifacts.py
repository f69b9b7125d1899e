"""The artifacts and decisions of a manifest, as both TaskBoard and TaskTree write them."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from slateboard.board.decisions import subject_of
from slateboard.manifests.declarations import Declarations, DeclaredArtifact, DeclaredDecision
from slateboard.manifests.fields import Fields, check, text
from slateboard.manifests.places import wrong
from slateboard.protocol.errors import TooLarge
from slateboard.protocol.states import ArtifactStatus, DecisionStatus, Priority
from slateboard.protocol.work import MAX_CONTENT_BYTES, Result
from slateboard.work.rules import CHECKS, MOST_IDLE_ATTEMPTS

if TYPE_CHECKING:
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node

PRIORITIES = {word.value: word.value for word in Priority} | {"normal": Priority.MEDIUM.value}
STATUSES = frozenset(ArtifactStatus)
RESULT_KEYS = ("uri", "content", "hash")
"""What only a result that exists already has."""
WORK_KEYS = ("owner", "capability", "priority", "due", "run_at", "max_attempts", "blocked_by", "verify",
             "criteria", "verdict_within", "evidence", "touches", "keys", "time_limit",
             "max_idle_attempts")  # fmt: skip
ARTIFACT_KEYS = frozenset((*WORK_KEYS, *RESULT_KEYS, "title", "brief", "path", "status"))
EVIDENCE = frozenset(("link", "hash", "note"))
DECISION_TEXTS = ("rationale", "context", "consequences", "confirmation", "supersedes")
DECISION_LISTS = ("drivers", "options")
DECISION_KEYS = frozenset((*DECISION_TEXTS, *DECISION_LISTS, "agent", "decision", "subject", "status"))
MAX_BLOCKERS = 1_000
"""Blockers that one artifact names; a wider join goes through subtasks."""

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def declare_artifacts(found: Declarations, document: Document, node: Node, task: str) -> None:
    """The mapping of an artifact's name to what is wanted."""
    if node.kind != "a mapping":
        raise wrong(document.at(node), f"found {node.shown()}", "a mapping of artifacts by their names")
    for key, value in node.value.items():
        check(document, node, key, key)
        found.add_artifact(_artifact(found, Fields(document, value, ARTIFACT_KEYS, "an artifact"), task, key))


def _artifact(found: Declarations, fields: Fields, task: str, name: str) -> DeclaredArtifact:
    document = fields.document
    owner, capability, status = fields.name("owner"), fields.name("capability"), fields.word("status", STATUSES)
    if owner is not None and capability is not None:
        raise wrong(document.at(fields.node, "capability"), "found an owner and a capability", "one of them")
    found.add_agent(owner, document, fields.node_of("owner"))
    priority = fields.word("priority", PRIORITIES)
    return DeclaredArtifact(
        document=document,
        node=fields.node,
        task=task,
        name=name,
        title=fields.text("title"),
        brief=fields.text("brief"),
        owner=owner,
        capability=capability,
        path=fields.text("path"),
        priority=priority and PRIORITIES[priority],
        due=fields.moment("due"),
        run_at=fields.moment("run_at"),
        max_attempts=fields.number("max_attempts", 1, 100),
        status=status,
        imported=_imported(fields, status),
        blocked_by=_blockers(fields, task),
        rules=_rules(found, fields, owner),
    )


def _rules(found: Declarations, fields: Fields, owner: str | None) -> dict[str, Any]:
    """What the work must keep to (`work.rules`); the verifier is true or an agent's name, and not the owner."""
    document, rules = fields.document, dict[str, Any]()
    verify = fields.values.get("verify")
    if verify is not None and verify.kind == "true or false":
        if verify.value.lower() == "true":
            rules["verify"] = True
    elif verify is not None:
        rules["verify"] = fields.name("verify")
        found.add_agent(rules["verify"], document, verify)
        if rules["verify"] == owner:
            raise wrong(document.at(verify), f"found the owner {owner!r} as its own verifier", "another agent")
    criteria = fields.text("criteria")
    if criteria is not None:
        if not criteria.strip():
            raise wrong(document.at(fields.values["criteria"]), "found an empty text", "what the verifier judges by")
        rules["criteria"] = criteria
    demanded = fields.texts("evidence")
    for node in demanded:
        if node.value not in EVIDENCE:
            raise wrong(document.at(node), f"found {node.value[:40]!r}", "link, hash or note, or a list of them")
    if demanded:
        rules["evidence"] = sorted({node.value for node in demanded})
    for name, wanted in (("touches", "globs like src/api/**"), ("keys", "names of limits of keys")):
        nodes = fields.texts(name)
        values = sorted({node.value for node in nodes})
        if nodes and not CHECKS[name](values):
            raise wrong(document.at(nodes[0]), f"found {', '.join(values)[:80]!r}", wanted)
        if nodes:
            rules[name] = values
    for name in ("time_limit", "verdict_within"):
        if (limit := fields.length(name)) is not None:
            rules[f"{name}_seconds"] = limit
    if "verdict_within_seconds" in rules and not {"verify", "criteria"} & rules.keys():
        place = document.at(fields.values["verdict_within"])
        raise wrong(place, "found a time for a verdict that nobody gives", "verify or criteria beside it")
    if (idle := fields.number("max_idle_attempts", 1, MOST_IDLE_ATTEMPTS)) is not None:
        rules["max_idle_attempts"] = idle
    return rules


def _imported(fields: Fields, status: str | None) -> Result | None:
    """The result that a given `status: complete` takes over."""
    document = fields.document
    if status != ArtifactStatus.COMPLETE:
        for key in RESULT_KEYS:
            if key in fields.values:
                raise wrong(
                    document.at(fields.node, key),
                    f"found {key!r} of an artifact that is not complete",
                    "it only together with status: complete",
                    remedy="leave it out, or give the status",
                )
        return None
    content, content_hash = None, fields.text("hash")
    if "content" in fields.values:
        node = fields.values["content"]
        content = node.value if node.kind == "a text" else text(document, node)
        data = content.encode()
        if len(data) > MAX_CONTENT_BYTES:
            place = document.at(node)
            raise TooLarge(
                f"{place}: {place.path}: the content has {len(data):,} bytes; at most {MAX_CONTENT_BYTES:,} fit",
                remedy="write a file and give its path",
                **place.details(),
            )
        content_hash = content_hash or f"sha256:{hashlib.sha256(data).hexdigest()}"
    if content_hash is not None and not _HASH.fullmatch(content_hash):
        raise wrong(document.at(fields.values["hash"]), f"found {content_hash[:80]!r}", "sha256: and 64 hex digits")
    return Result(path=fields.text("path"), uri=fields.text("uri"), content=content, hash=content_hash)


def _blockers(fields: Fields, task: str) -> dict[str, Node]:
    document = fields.document
    blockers: dict[str, Node] = {}
    for node in fields.texts("blocked_by"):
        other, separator, name = node.value.rpartition("/")
        reference = f"{check(document, node, other) if separator else task}/{check(document, node, name)}"
        blockers.setdefault(reference, node)
    if len(blockers) > MAX_BLOCKERS:
        place = document.at(fields.values["blocked_by"])
        raise wrong(place, f"found {len(blockers):,} blockers", f"at most {MAX_BLOCKERS:,}; join them in subtasks")
    return blockers


def declare_decisions(found: Declarations, document: Document, nodes: list[Node], task: str) -> None:
    """The list of decisions; a decision's subject is given, or the slug of its text."""
    for node in nodes:
        fields = Fields(document, node, DECISION_KEYS, "a decision: {agent, decision, rationale}")
        decision = text(document, fields.require("decision", "what was decided"))
        if not decision.strip():
            raise wrong(document.at(fields.values["decision"]), "found an empty text", "what was decided")
        agent = fields.name("agent")
        found.add_agent(agent, document, fields.node_of("agent"))
        given: dict[str, Any] = {"decision": decision, "agent": agent, "task": task}
        given |= {key: fields.text(key) for key in DECISION_TEXTS if key in fields.values}
        given["status"] = fields.word("status", set(DecisionStatus) - {DecisionStatus.SUPERSEDED}) or "accepted"
        for key in DECISION_LISTS:
            given[key] = [one.value for one in fields.texts(key)]
        subject = subject_of(fields.text("subject") or decision)
        found.add_decision(DeclaredDecision(document=document, node=node, subject=subject, given=given))
