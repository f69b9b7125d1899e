"""The kind AgentConfig: an agent, from whom it takes work, what it hears of, whom it may write to; as the guide has it.

It speaks of `spec.agent`, else of its metadata's name without a trailing `-agent`, and says all of its subscriptions,
who may delegate, and its breaker: what it says no more is taken away. The agent's role, kind, capabilities, manager,
right, limits and budget stay as they are where it says nothing of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.board import profiles
from slateboard.manifests import circuit_breaker, routing_table
from slateboard.manifests.declarations import Declarations, DeclaredAgent, DeclaredSubscription
from slateboard.manifests.event_pipeline import named_after, pattern_of
from slateboard.manifests.fields import A_NAME, Fields, check, text
from slateboard.manifests.places import located, wrong
from slateboard.patterns import spending
from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid, SlateError
from slateboard.protocol.rights import Right
from slateboard.protocol.states import AgentKind, Availability, Priority
from slateboard.store.arrays import names
from slateboard.work import limits

if TYPE_CHECKING:
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node
    from slateboard.transaction import Statement, Transaction

SPEC_KEYS = frozenset((
    "agent", "role", "kind", "capabilities", "manager", "right", "accepts_delegation_from", "event_subscriptions",
    "peer_channels", "meeting_availability", "limits", "budget", "circuit_breaker",
))  # fmt: skip
LIMIT_KEYS = frozenset(("concurrency", "rate", "per"))
BUDGET_KEYS = frozenset(("tokens", "cost"))
SUFFIX = "-agent"
ACTION = "handle"
A_CHANNEL = "another agent's inbox: <prefix>.agents.<agent>.inbox"
A_BUDGET = "{tokens, cost}: a whole number, and a number above 0"
MOST = 2**31 - 1
MOST_TOKENS = 10**15

CHANNEL = re.compile(r"[a-z0-9][a-z0-9_-]*\.agents\.([^.]+)\.inbox")

THERE = """
SELECT a.name, a.kind, a.role, a.capabilities, coalesce(m.name, '') AS manager, a.grant AS "right", a.availability,
       CASE WHEN a.accepts_from IS NULL THEN NULL ELSE ARRAY(
           SELECT f.name FROM agents f WHERE f.board = $1 AND f.id = ANY (a.accepts_from) ORDER BY f.name) END
           AS accepts_from,
       l.concurrency, l.rate, l.per_seconds, b.tokens, b.cost
FROM agents a
LEFT JOIN agents m ON m.board = a.board AND m.id = a.manager
LEFT JOIN limits l ON l.board = a.board AND l.scope = 'agent' AND l.name = a.name
LEFT JOIN budgets b ON b.board = a.board AND b.agent = a.id AND b.task = 0
WHERE a.board = $1 AND a.name = ANY ($2::text::text[]) AND a.removed_at IS NULL
"""
LIMIT = ("concurrency", "rate", "per_seconds")
BUDGET = ("tokens", "cost")


def declare(found: Declarations, document: Document, spec: Node, own: str) -> None:
    """The agent of the manifest, with its subscriptions and its breaker."""
    fields = Fields(document, spec, SPEC_KEYS, f"the spec of an AgentConfig: {', '.join(sorted(SPEC_KEYS))}")
    agent = fields.name("agent") or own.removesuffix(SUFFIX)
    check(document, fields.node_of("agent"), agent)
    source = f"AgentConfig/{agent}"
    found.add_agent(agent, document, fields.node_of("agent"))
    accepts = _agents(found, fields, "accepts_delegation_from")
    given: dict[str, Any] = {
        "role": fields.text("role"),
        "kind": fields.word("kind", [one.value for one in AgentKind]),
        "manager": fields.name("manager"),
        "right": fields.word("right", [one.word for one in Right]),
        "accepts_from": accepts,
        "availability": fields.word("meeting_availability", [one.value for one in Availability])
        or Availability.ALWAYS.value,
    }
    if given["manager"] is not None:
        found.add_agent(given["manager"], document, fields.values["manager"])
    if "capabilities" in fields.values:
        given["capabilities"] = sorted({check(document, one, one.value) for one in fields.texts("capabilities")})
    found.add_profile(
        DeclaredAgent(
            document=document,
            node=fields.node,
            name=agent,
            source=source,
            given={key: value for key, value in given.items() if value is not None or key == "accepts_from"},
            limit=_limit(fields),
            budget=_budget(fields),
        )
    )
    routing_table.add_channels(found, document, agent, source, _channels(found, fields, agent))
    found.pipelines.add(source)
    for node in fields.items("event_subscriptions", "a list of subjects"):
        found.add_subscription(_subscription(document, node, agent, source))
    found.breaker_sources.add(source)
    if "circuit_breaker" in fields.values:
        rules = fields.values["circuit_breaker"]
        circuit_breaker.add_rules(found, document, rules, rules, agent, source)


def _agents(found: Declarations, fields: Fields, key: str) -> list[str] | None:
    """The agents that a list names; None where it is not there."""
    if key not in fields.values:
        return None
    named: list[str] = []
    for node in fields.items(key, "a list of agents, empty for nobody"):
        one = check(fields.document, node, text(fields.document, node, A_NAME))
        found.add_agent(one, fields.document, node)
        named.append(one)
    return sorted(set(named))


def _channels(found: Declarations, fields: Fields, own: str) -> list[tuple[str, Node]]:
    channels: dict[str, Node] = {}
    for node in fields.items("peer_channels", "a list of inboxes"):
        match = CHANNEL.fullmatch(text(fields.document, node, A_CHANNEL))
        if match is None or match[1] == own:
            raise wrong(fields.document.at(node), f"found {node.value[:80]!r}", A_CHANNEL)
        other = check(fields.document, node, match[1])
        found.add_agent(other, fields.document, node)
        channels.setdefault(other, node)
    return list(channels.items())


def _subscription(document: Document, node: Node, agent: str, source: str) -> DeclaredSubscription:
    patterns = [pattern_of(document, node)]
    return DeclaredSubscription(
        document=document, node=node, name=named_after(agent, patterns, ACTION), source=source, patterns=patterns,
        all_of=False, agent=agent, action=ACTION, filter=None, ordered_by=None, priority=Priority.MEDIUM.value,
        start="now",
    )  # fmt: skip


def _limit(fields: Fields) -> dict[str, Any] | None:
    if "limits" not in fields.values:
        return None
    document, node = fields.document, fields.values["limits"]
    one = Fields(document, node, LIMIT_KEYS, "{concurrency, rate, per}")
    given = {"concurrency": one.number("concurrency", 1, MOST), "rate": one.number("rate", 1, MOST)}
    per = one.values.get("per")
    if (per is None) != (given["rate"] is None) or not one.values:
        raise wrong(document.at(node), "found a rate without its length, or no limit", "{concurrency}, {rate, per}")
    try:
        return {**given, "per_seconds": None if per is None else durations.parse(str(per.value))}
    except Invalid as error:
        raise wrong(document.at(one.node_of("per")), error.message, "a length of time, like 1m") from error


def _budget(fields: Fields) -> dict[str, Any] | None:
    if "budget" not in fields.values:
        return None
    one = Fields(fields.document, fields.values["budget"], BUDGET_KEYS, A_BUDGET)
    cost = one.values.get("cost")
    if cost is not None and cost.kind not in {"a whole number", "a number"}:
        raise wrong(fields.document.at(cost), f"found {cost.shown()}", A_BUDGET)
    if not one.values:
        raise wrong(fields.document.at(one.node), "found no budget", A_BUDGET)
    return {"tokens": one.number("tokens", 1, MOST_TOKENS), "cost": None if cost is None else float(cost.value)}


@dataclass(slots=True)
class Profiles:
    """What an apply does to agents, and what it answers."""

    new: list[DeclaredAgent] = field(default_factory=list)
    todo: list[tuple[DeclaredAgent, set[str]]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0

    @property
    def created(self) -> list[dict[str, str]]:
        """The agents that are new."""
        return [{"kind": "agent", "reference": one.name} for one in self.new]


async def compare(tx: Statement, declared: Declarations) -> Profiles:
    """What is to be done; a new agent is made by its name alone before that."""
    found = Profiles()
    if not declared.profiles:
        return found
    there = {row["name"]: row for row in await tx.fetch(THERE, tx.board, names(declared.profiles))}
    for one in declared.profiles.values():
        row = there.get(one.name)
        if row is None:
            found.new.append(one)
            found.todo.append((one, {"profile", "limit", "budget"}))
            continue
        differing = _differing(one, row)
        found.changed += [
            {"kind": "agent", "reference": one.name, "field": key, "from": row[key], "to": value}
            for _, key, value in differing
        ]
        if differing:
            found.todo.append((one, {part for part, _, _ in differing}))
        else:
            found.unchanged += 1
    return found


def _differing(one: DeclaredAgent, row: Any) -> list[tuple[str, str, Any]]:
    """What is wanted otherwise than it is: (part, column, value)."""
    wanted = [("profile", key, value) for key, value in one.given.items()]
    for part, given in (("limit", one.limit), ("budget", one.budget)):
        wanted += [(part, key, value) for key, value in (given or {}).items()]
    return [(part, key, value) for part, key, value in wanted if row[key] != value]


async def execute(tx: Transaction, todo: Profiles) -> None:
    """Make the agents what is declared; what an action refuses is shown at its agent."""
    for one, parts in todo.todo:
        try:
            if "profile" in parts:
                anyone = one.given["accepts_from"] is None
                await profiles.change_agent(tx, name=one.name, accepts_anyone=anyone, **one.given)
            if "limit" in parts and one.limit is not None:
                await limits.set_limit(tx, scope="agent", name=one.name, **one.limit)
            if "budget" in parts and one.budget is not None:
                await spending.set_budget(tx, agent=one.name, **one.budget)
        except SlateError as error:
            raise located(error, one.place) from error
