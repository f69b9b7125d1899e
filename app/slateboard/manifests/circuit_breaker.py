"""The kind CircuitBreaker: when the breaker of an agent opens, and what becomes of its work; also the guide's form.

With `agents` it speaks of these; without, as the bare form does, of all that have no rules of their own. A manifest
says all of itself: an agent of which it says nothing more falls back to the board's default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests.declarations import Declarations, DeclaredBreaker
from slateboard.manifests.fields import A_NAME, Fields, check
from slateboard.manifests.places import wrong
from slateboard.protocol.errors import Invalid
from slateboard.store.arrays import names
from slateboard.work import breakers

if TYPE_CHECKING:
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node
    from slateboard.transaction import Statement, Transaction

SPEC_KEYS = frozenset(("circuit_breaker", "agents"))
BARE_KEYS = frozenset(("circuit_breaker",))
KEYS = frozenset(("failure_threshold", "recovery_timeout", "fallback", "substitute"))
RULES = "{failure_threshold, recovery_timeout, fallback}"
BARE_NAME = "default"
"""The name of the manifest that the bare form is: the board's default."""
DEFAULT = ""
"""The agent of the board's default: all that have no rules of their own."""
COMPARED = ("failure_threshold", "recovery_seconds", "fallback", "substitute")

THERE = """
SELECT s.agent AS number, coalesce(g.name, '') AS agent, s.failure_threshold, s.recovery_seconds, s.fallback,
       u.name AS substitute, s.source
FROM breaker_settings s
LEFT JOIN agents g ON g.board = s.board AND g.id = s.agent
LEFT JOIN agents u ON u.board = s.board AND u.id = s.substitute
WHERE s.board = $1 AND (s.source = ANY ($2::text::text[]) OR coalesce(g.name, '') = ANY ($3::text::text[]))
ORDER BY s.agent
"""


def declare(found: Declarations, document: Document, spec: Node, own: str | None) -> None:
    """The rules of the manifest, for each agent of which it speaks; the bare form has no name of its own."""
    known = BARE_KEYS if own is None else SPEC_KEYS
    fields = Fields(document, spec, known, "the spec of a CircuitBreaker: circuit_breaker, agents")
    rules = fields.require("circuit_breaker", RULES)
    source = f"CircuitBreaker/{own or BARE_NAME}"
    found.breaker_sources.add(source)
    named = fields.texts("agents")
    if "agents" in fields.values and not named:
        raise wrong(document.at(fields.values["agents"]), "found no agent", "agents, or leave the key out for all")
    for agent, node in [(check(document, node, node.value), node) for node in named] or [(DEFAULT, rules)]:
        if agent:
            found.add_agent(agent, document, node)
        add_rules(found, document, node, rules, agent, source)


def add_rules(found: Declarations, document: Document, node: Node, rules: Node, agent: str, source: str) -> None:
    """Take the rules of one breaker in, the agent's or the board's; `node` is where it is named."""
    one = Fields(document, rules, KEYS, RULES)
    given: dict[str, Any] = {
        "failure_threshold": one.number("failure_threshold", 1, breakers.MAX_THRESHOLD),
        "recovery_seconds": one.length("recovery_timeout"),
        "fallback": one.word("fallback", list(breakers.Fallback)),
        "substitute": one.name("substitute"),
    }
    given = breakers.BUILT_IN | {key: value for key, value in given.items() if value is not None}
    found.add_agent(given["substitute"], document, one.node_of("substitute"))
    try:
        breakers.check(**given, agent=agent)
    except Invalid as error:
        place = document.at(one.node_of("substitute" if given["substitute"] else "fallback"))
        raise wrong(place, error.message, A_NAME, remedy=error.remedy) from error
    found.add_breaker(DeclaredBreaker(document=document, node=node, agent=agent, rules=given, source=source))


@dataclass(slots=True)
class Breakers:
    """What an apply does to the rules of breakers, and what it answers."""

    new: list[DeclaredBreaker] = field(default_factory=list)
    changes: list[DeclaredBreaker] = field(default_factory=list)
    removals: list[tuple[str, int]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0

    @property
    def created(self) -> list[dict[str, str]]:
        """The agents, or the board, whose breaker had no rules before."""
        return [{"kind": "circuit breaker", "reference": one.agent or BARE_NAME} for one in self.new]

    @property
    def removed(self) -> list[dict[str, str]]:
        """The agents whose breaker has the rules of the board again."""
        return [{"kind": "circuit breaker", "reference": agent or BARE_NAME} for agent, _ in self.removals]


async def compare(tx: Statement, declared: Declarations) -> Breakers:
    """What is to be done. An agent of which another manifest speaks is refused."""
    found = Breakers()
    if not declared.breaker_sources:
        return found
    wanted = declared.breakers
    # The default stands under no agent's name.
    rows = await tx.fetch(THERE, tx.board, names(declared.breaker_sources), names(wanted))
    there = {row["agent"]: row for row in rows}
    for one in wanted.values():
        row = there.get(one.agent)
        if row is None:
            found.new.append(one)
            continue
        if row["source"] != one.source:
            whose = one.agent or "the board"
            message = f"the breaker of {whose} has rules already, said by {row['source'] or 'somebody'}"
            raise wrong(one.place, message, "each agent once", remedy="say it in that manifest, or take it out there")
        different = [key for key in COMPARED if one.rules[key] != row[key]]
        found.changed += [
            {"kind": "circuit breaker", "reference": one.agent or BARE_NAME, "field": key, "from": row[key],
             "to": one.rules[key]}
            for key in different
        ]  # fmt: skip
        if different:
            found.changes.append(one)
        else:
            found.unchanged += 1
    found.removals = [(agent, row["number"]) for agent, row in there.items() if agent not in wanted]
    return found


async def execute(tx: Transaction, todo: Breakers) -> None:
    """Make the rules of breakers what is declared."""
    for _, number in todo.removals:
        await breakers.unset_rules(tx, agent=number)
    for one in (*todo.changes, *todo.new):
        await breakers.set_rules(tx, agent=one.agent or None, source=one.source, **one.rules)
