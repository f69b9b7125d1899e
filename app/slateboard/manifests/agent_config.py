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
from slateboard.manifests.declarations import Declarations, DeclaredAgent, DeclaredSubscription, argued
from slateboard.manifests.event_pipeline import named_after
from slateboard.manifests.fields import Fields, Key, Table, Texts
from slateboard.manifests.places import located, wrong
from slateboard.manifests.values import Amount, Length, Name, Number, Pattern, Text, Word, check
from slateboard.patterns import spending
from slateboard.protocol.errors import SlateError
from slateboard.protocol.rights import Right
from slateboard.protocol.states import AgentKind, Availability, Priority
from slateboard.protocol.usage import MOST_COST
from slateboard.store.arrays import texts
from slateboard.work import limits

if TYPE_CHECKING:
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node
    from slateboard.transaction import Statement, Transaction

SUFFIX = "-agent"
ACTION = "handle"
MOST_TOKENS = 10**15

CHANNEL = re.compile(r"[a-z0-9][a-z0-9_-]*\.agents\.([a-z0-9][a-z0-9_-]{0,62})\.inbox")
A_CHANNEL = "another agent's inbox: <prefix>.agents.<agent>.inbox"

LIMITS = Table(
    "limits",
    "{concurrency}, {rate, per}",
    {
        "concurrency": Key(Number(1, limits.MOST), "Items at once."),
        "rate": Key(Number(1, limits.MOST), "Items that may begin in each `per`."),
        "per": Key(Length(), "The time in which `rate` counts, like 1m."),
    },
    filled=True,
)
ALLOWED = Table(
    "budget",
    "{tokens, cost}: a whole number, and a number above 0",
    {
        "tokens": Key(Number(1, MOST_TOKENS), "Tokens, of input and output together."),
        "cost": Key(Amount(MOST_COST), "Cost, in the board's currency."),
    },
    filled=True,
)
SPEC = Table(
    "spec",
    "the spec of an AgentConfig",
    {
        "agent": Key(Name(), "The agent; else the metadata's name without a trailing `-agent`."),
        "role": Key(Text(), "What it is for."),
        "kind": Key(Word([one.value for one in AgentKind]), "What it is."),
        "capabilities": Key(Texts(Name()), "What it can do: it may claim what asks for one of them."),
        "manager": Key(Name(), "To whom escalations go."),
        "right": Key(Word([one.word for one in Right]), "What it may do."),
        "accepts_delegation_from": Key(
            Texts(Name(), "a list of agents, empty for nobody", alone=False), "Left out: anybody; `[]`: nobody."
        ),
        "event_subscriptions": Key(
            Texts(Pattern(), "a list of subjects", alone=False), "Of which events it hears: subjects, or patterns."
        ),
        "peer_channels": Key(
            Texts(Text(A_CHANNEL, pattern=CHANNEL.pattern), "a list of inboxes", alone=False), "To whom it may write."
        ),
        "meeting_availability": Key(
            Word([one.value for one in Availability]), "Whether it is invited to meetings; else `always`."
        ),
        "limits": Key(LIMITS, "How much it may do at once, or in a time."),
        "budget": Key(ALLOWED, "How much it may use."),
        "circuit_breaker": Key(circuit_breaker.RULES, "When its circuit breaker opens."),
    },
)

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


def declare(found: Declarations, fields: Fields, own: str | None) -> None:
    """The agent of the manifest, with its subscriptions and its breaker."""
    agent = fields.get("agent") or (own or "").removesuffix(SUFFIX)
    check(fields.document, fields.node_of("agent"), agent)
    source = f"AgentConfig/{agent}"
    found.add_agent(agent, fields.document, fields.node_of("agent"))
    found.add_agent(fields.get("manager"), fields.document, fields.node_of("manager"))
    found.add_profile(
        DeclaredAgent(
            document=fields.document, node=fields.node, name=agent, source=source, given=_given(found, fields, agent),
            limit=_limit(fields), budget=_budget(fields),
        )
    )  # fmt: skip
    routing_table.add_channels(found, fields.document, agent, source, _channels(found, fields, agent))
    found.pipelines.add(source)
    for node in fields.nodes("event_subscriptions"):
        found.add_subscription(_subscription(fields.document, node, agent, source))
    found.breaker_sources.add(source)
    if "circuit_breaker" in fields:
        rules = fields.get("circuit_breaker")
        circuit_breaker.add_rules(found, rules.node, rules, agent, source)


def _given(found: Declarations, fields: Fields, own: str) -> dict[str, Any]:
    """The arguments of `profiles.change_agent` that the manifest gives."""
    accepts = {node.value: node for node in fields.nodes("accepts_delegation_from")}
    for name, node in accepts.items():
        if name == own:
            raise wrong(fields.document.at(node), f"found {own}, the agent itself", "names of other agents")
        found.add_agent(name, fields.document, node)
    given = {key: fields.get(key) for key in ("role", "kind", "manager", "right") if key in fields}
    if "capabilities" in fields:
        given["capabilities"] = sorted({node.value for node in fields.nodes("capabilities")})
    given["accepts_from"] = sorted(accepts) if "accepts_delegation_from" in fields else None
    given["availability"] = fields.get("meeting_availability") or Availability.ALWAYS.value
    return given


def _channels(found: Declarations, fields: Fields, own: str) -> list[tuple[str, Node]]:
    channels: dict[str, Node] = {}
    for node in fields.nodes("peer_channels"):
        other = node.value.split(".")[2]
        if other == own:
            raise wrong(fields.document.at(node), f"found {node.value[:80]!r}, its own", A_CHANNEL)
        found.add_agent(other, fields.document, node)
        channels.setdefault(other, node)
    return list(channels.items())


def _subscription(document: Document, node: Node, agent: str, source: str) -> DeclaredSubscription:
    patterns = [node.value]
    return DeclaredSubscription(
        document=document, node=node, name=named_after(agent, patterns, ACTION), source=source, patterns=patterns,
        all_of=False, agent=agent, action=ACTION, filter=None, ordered_by=None, priority=Priority.MEDIUM.value,
        start="now",
    )  # fmt: skip


def _limit(fields: Fields) -> dict[str, Any] | None:
    one = fields.get("limits")
    if one is None:
        return None
    if ("rate" in one) != ("per" in one):
        raise fields.wrong("limits", "found a rate without its length, or a length without its rate", LIMITS.expected)
    return {"concurrency": one.get("concurrency"), "rate": one.get("rate"), "per_seconds": one.get("per")}


def _budget(fields: Fields) -> dict[str, Any] | None:
    one = fields.get("budget")
    return None if one is None else {"tokens": one.get("tokens"), "cost": one.get("cost")}


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
    there = {row["name"]: row for row in await tx.fetch(THERE, tx.board, texts(declared.profiles))}
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
    """Make the agents what is declared; what an action refuses is shown at its key, else at its agent."""
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
            raise located(error, argued(one, error)) from error
