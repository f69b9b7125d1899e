"""What holds on a board as manifests: agents, breakers, routes, subscriptions, and what undoes steps.

Each thing stands in the manifest that said it. What no manifest said (a subscription by hand) stands in one named
`by-hand`; there it is left alone when it is applied again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests import agent_config, circuit_breaker, event_pipeline, routing_table
from slateboard.manifests.event_pipeline import named_after
from slateboard.manifests.export_page import BY_HAND, Manifest, Notes, length, number
from slateboard.manifests.sources import EFFECTIVE
from slateboard.patterns.peers.routes import MAX_ROUTES
from slateboard.patterns.subscriptions import MAX_SUBSCRIPTIONS
from slateboard.protocol.states import AgentKind, Availability, Priority

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from slateboard.transaction import Statement

MAX_RULES = 10_000
"""Breakers of agents, and steps that something undoes, that are exported."""
AT_ONCE = 500
"""Agents that are read at a time."""

AGENTS = f"""
SELECT a.name, a.kind, a.role, a.capabilities, m.name AS manager, a.grant AS "right", a.availability,
       a.accepts_from IS NOT NULL AS picky,
       ARRAY(SELECT f.name FROM agents f WHERE f.board = $1 AND f.id = ANY (a.accepts_from) ORDER BY f.name) AS accepts,
       l.concurrency, l.rate, l.per_seconds, b.tokens, b.cost
FROM agents a
LEFT JOIN agents m ON m.board = a.board AND m.id = a.manager
LEFT JOIN limits l ON l.board = a.board AND l.scope = 'agent' AND l.name = a.name
LEFT JOIN budgets b ON b.board = a.board AND b.agent = a.id AND b.task = 0
WHERE a.board = $1 AND a.removed_at IS NULL AND ($2::text IS NULL OR a.name > $2) AND ($3::text IS NULL OR a.name = $3)
ORDER BY a.name LIMIT {AT_ONCE}
"""

SUBSCRIPTIONS = f"""
SELECT s.name, s.patterns, s.all_of, s.filter, a.name AS agent, s.action, s.ordered_by, s.priority,
       {EFFECTIVE.format(row="s")} AS source, s.paused_at
FROM subscriptions s LEFT JOIN agents a ON a.board = s.board AND a.id = s.agent
WHERE s.board = $1 ORDER BY s.name LIMIT {MAX_SUBSCRIPTIONS}
"""

ROUTES = f"""
SELECT a.name AS agent, o.name AS other, r.kind, r.label, r.subject, {EFFECTIVE.format(row="r")} AS source
FROM routes r
JOIN agents a ON a.board = r.board AND a.id = r.agent
JOIN agents o ON o.board = r.board AND o.id = r.other
WHERE r.board = $1 ORDER BY a.name, r.kind, o.name, r.label LIMIT {MAX_ROUTES}
"""

BREAKERS = f"""
SELECT coalesce(g.name, '') AS agent, s.failure_threshold, s.recovery_seconds, s.fallback, u.name AS substitute,
       {EFFECTIVE.format(row="s")} AS source
FROM breaker_settings s
LEFT JOIN agents g ON g.board = s.board AND g.id = s.agent
LEFT JOIN agents u ON u.board = s.board AND u.id = s.substitute
WHERE s.board = $1 AND (s.agent = 0 OR g.name IS NOT NULL) ORDER BY 1 LIMIT {MAX_RULES}
"""

COMPENSATIONS = f"""
SELECT r.step, r.action, a.name AS agent, r.irreversible, {EFFECTIVE.format(row="r")} AS source
FROM compensation_rules r LEFT JOIN agents a ON a.board = r.board AND a.id = r.agent
WHERE r.board = $1 ORDER BY r.step LIMIT {MAX_RULES}
"""

PREFIX = "SELECT prefix FROM boards WHERE id = $1"

UNFIT = (
    "subscribed in a way that no manifest can say (several subjects without all_of, or another's name), and left out"
)
PAUSED = "paused, which no manifest says: elsewhere they run"
UNHEARD = "told by an event, of which the subscription was changed by hand: applying its table makes it anew"


@dataclass(slots=True)
class Rules:
    """All of it but the agents themselves, by the source that said it."""

    prefix: str
    breakers: dict[str, list[Any]]
    compensations: dict[str, list[Any]]
    routes: dict[str, list[Any]]
    subscriptions: dict[str, list[Any]]
    named: dict[str, Any] = field(default_factory=dict[str, Any])


async def load(tx: Statement) -> Rules:
    """Read it; a board has at most 1,000 subscriptions and 10,000 routes."""
    subscriptions = await tx.fetch(SUBSCRIPTIONS, tx.board)
    rules = Rules(
        await tx.fetchval(PREFIX, tx.board),
        _by_source(await tx.fetch(BREAKERS, tx.board), "CircuitBreaker"),
        _by_source(await tx.fetch(COMPENSATIONS, tx.board), "Compensation"),
        _by_source(await tx.fetch(ROUTES, tx.board), "RoutingTable"),
        _by_source(subscriptions, "EventPipeline"),
    )
    rules.named = {row["name"]: row for row in subscriptions}
    return rules


def _by_source(rows: Iterable[Any], kind: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row["source"] or f"{kind}/{BY_HAND}", []).append(row)
    return found


def _of_kind(found: dict[str, list[Any]], kind: str) -> Iterator[tuple[str, list[Any]]]:
    """What manifests of a kind said, by their names."""
    for source in sorted(found):
        if source.startswith(f"{kind}/"):
            yield source.partition("/")[2], found[source]


async def agents(
    tx: Statement, rules: Rules, notes: Notes, after: str | None, name: str | None
) -> AsyncGenerator[Manifest]:
    """An AgentConfig for each agent after that name that was not removed."""
    while rows := await tx.fetch(AGENTS, tx.board, after, name):
        for row in rows:
            yield _agent(row, rules, notes)
        after = rows[-1]["name"]


def _agent(row: Any, rules: Rules, notes: Notes) -> Manifest:
    name = row["name"]
    source = f"AgentConfig/{name}"
    heard = [one for one in rules.subscriptions.get(source, []) if _is_plain(one, name)]
    channels = [one for one in rules.routes.get(source, []) if one["kind"] == "channel"]
    breaker = next((one for one in rules.breakers.get(source, []) if one["agent"] == name), None)
    others = [one["name"] for one in rules.subscriptions.get(source, []) if one not in heard]
    if others:
        notes.add(UNFIT, *others)
    limits = {"concurrency": row["concurrency"], "rate": row["rate"], "per": length(row["per_seconds"])}
    budget = {"tokens": row["tokens"], "cost": number(row["cost"])}
    if (row["tokens"] or 0) > agent_config.MOST_TOKENS:
        notes.add(f"with a budget of more than {agent_config.MOST_TOKENS:,} tokens, which is left out", name)
        budget["tokens"] = None
    spec: dict[str, Any] = {
        "agent": name if name.endswith(agent_config.SUFFIX) else None,
        "kind": None if row["kind"] == AgentKind.AGENT else row["kind"],
        "role": notes.text(row["role"], name),
        "capabilities": list(row["capabilities"]) or None,
        "manager": row["manager"],
        "right": None if row["right"] == "agent" else row["right"],
        "accepts_delegation_from": list(row["accepts"]) if row["picky"] else None,
        "event_subscriptions": sorted(one["patterns"][0] for one in heard) or None,
        "peer_channels": [f"{rules.prefix}.agents.{one['other']}.inbox" for one in channels] or None,
        "meeting_availability": None if row["availability"] == Availability.ALWAYS else row["availability"],
        "limits": limits if any(limits.values()) else None,
        "budget": budget if any(budget.values()) else None,
        "circuit_breaker": _breaker(breaker) if breaker else None,
    }
    things = 1 + len(heard) + len(channels) + (breaker is not None)
    return Manifest("AgentConfig", name, name, spec, things)


def _is_plain(one: Any, agent: str) -> bool:
    """Whether an AgentConfig's list of subjects says all of a subscription."""
    return one["agent"] == agent and _is_so(one, named_after(agent, one["patterns"], agent_config.ACTION), "handle")


def _is_so(one: Any, name: str, action: str) -> bool:
    said = (one["name"], one["action"], one["filter"], one["ordered_by"], one["priority"], len(one["patterns"]))
    return said == (name, action, None, None, Priority.MEDIUM, 1) and not one["all_of"]


def _breaker(row: Any) -> dict[str, Any]:
    return {
        "failure_threshold": row["failure_threshold"],
        "recovery_timeout": length(row["recovery_seconds"]),
        "fallback": row["fallback"],
        "substitute": row["substitute"],
    }


def breakers(rules: Rules) -> Iterator[Manifest]:
    """A CircuitBreaker for each name, and one more where it has other rules for others."""
    for name, rows in _of_kind(rules.breakers, "CircuitBreaker"):
        written: list[Manifest] = []
        alike: dict[tuple[Any, ...], list[str]] = {}
        for row in rows:
            rule = (row["agent"] == circuit_breaker.DEFAULT, *_breaker(row).items())
            alike.setdefault(rule, []).append(row["agent"])
        for (board, *rule), named in alike.items():
            agents_ = {} if board else {"agents": named}
            spec = {**agents_, "circuit_breaker": dict(rule)}
            written.append(Manifest("CircuitBreaker", name, f"{name}/{min(named)}", spec, len(named)))
        yield from sorted(written, key=lambda one: one.key)


def compensations(rules: Rules) -> Iterator[Manifest]:
    """A Compensation for each name."""
    for name, rows in _of_kind(rules.compensations, "Compensation"):
        steps = [
            {"step": row["step"], "compensate": row["action"], "agent": row["agent"],
             "irreversible": row["irreversible"] or None}
            for row in rows
        ]  # fmt: skip
        yield Manifest("Compensation", name, name, {"compensation": steps}, len(steps))


def tables(rules: Rules, notes: Notes) -> Iterator[Manifest]:
    """A RoutingTable for each name."""
    for name, rows in _of_kind(rules.routes, "RoutingTable"):
        agents_: dict[str, dict[str, list[dict[str, Any]]]] = {}
        things = 0
        for row in rows:
            peers = agents_.setdefault(row["agent"], {})
            if row["kind"] == "consult":
                peers.setdefault("consults", []).append({"agent": row["other"], "for": row["label"] or None})
            else:
                notice = {"agent": row["other"], "when": row["label"], "on": row["subject"]}
                peers.setdefault("notifies", []).append(notice)
                if row["subject"] is not None and not _told(rules, row):
                    notes.add(UNHEARD, f"{row['other']} by {row['agent']} when {row['label']!r}")
            things += 1 + (row["subject"] is not None)
        yield Manifest("RoutingTable", name, name, {"agents": agents_}, things)


def _told(rules: Rules, row: Any) -> bool:
    """Whether a subscription tells the other of the event, as its table wants it."""
    name = named_after(row["agent"], [row["subject"]], row["other"], routing_table.ACTION)
    one = rules.named.get(name)
    if one is None or one["source"] != row["source"] or one["agent"] != row["other"]:
        return False
    return list(one["patterns"]) == [row["subject"]] and _is_so(one, name, routing_table.ACTION)


def pipelines(rules: Rules, notes: Notes) -> Iterator[Manifest]:
    """An EventPipeline for each name, its entries and their consumers in the order of the subscriptions' names."""
    for name, rows in _of_kind(rules.subscriptions, "EventPipeline"):
        entries: dict[tuple[bool, tuple[str, ...]], list[dict[str, Any]]] = {}
        for row in rows:
            if not (_is_join(row["patterns"]) if row["all_of"] else len(row["patterns"]) == 1):
                notes.add(UNFIT, row["name"])
                continue
            if row["paused_at"] is not None:
                notes.add(PAUSED, row["name"])
            entries.setdefault((row["all_of"], tuple(row["patterns"])), []).append(_consumer(row, name))
        events = [
            {**({"all_of": list(patterns)} if join else {"subject": patterns[0]}), "consumers": consumers}
            for (join, patterns), consumers in entries.items()
        ]
        if events:
            yield Manifest("EventPipeline", name, name, {"events": events}, sum(map(len, entries.values())))


def _is_join(patterns: list[str]) -> bool:
    return 2 <= len(set(patterns)) == len(patterns) <= event_pipeline.MAX_SUBJECTS


def _consumer(row: Any, pipeline: str) -> dict[str, Any]:
    derived = named_after(pipeline, row["patterns"], row["agent"], row["action"])
    return {
        "name": None if row["name"] == derived else row["name"],
        "agent": row["agent"],
        "action": None if row["action"] == event_pipeline.ACTION else row["action"],
        "filter": row["filter"],
        "ordered_by": row["ordered_by"],
        "priority": None if row["priority"] == Priority.MEDIUM else row["priority"],
    }
