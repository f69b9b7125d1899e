"""The kind CircuitBreaker: when the breaker of an agent opens, and what becomes of its work; also the guide's form.

With `agents` it speaks of these; without, as the bare form does, of all that have no rules of their own. A manifest
says all of itself: an agent of which it says nothing more falls back to the board's default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests.declarations import Declarations, DeclaredBreaker
from slateboard.manifests.fields import Fields, Key, Table, Texts
from slateboard.manifests.places import wrong
from slateboard.manifests.sources import EFFECTIVE
from slateboard.manifests.values import A_NAME, Length, Name, Number, Word
from slateboard.protocol.errors import Invalid
from slateboard.store.arrays import texts
from slateboard.work import breakers

if TYPE_CHECKING:
    from slateboard.manifests.places import Node
    from slateboard.transaction import Statement, Transaction

RULES = Table(
    "circuit_breaker",
    "{failure_threshold, recovery_timeout, fallback}",
    {
        "failure_threshold": Key(
            Number(1, breakers.MAX_THRESHOLD), "Failed items in a row that open it; 3 where it is not given."
        ),
        "recovery_timeout": Key(Length(), "How long until one item tries it; 300s where it is not given."),
        "fallback": Key(
            Word([one.value for one in breakers.Fallback]),
            "What becomes of the work meanwhile; `escalate_to_human` where it is not given.",
        ),
        "substitute": Key(Name(), "With `reassign`: the agent that gets the work."),
    },
)
RULES_KEY = Key(RULES, "When the breaker opens, and what becomes of the work then.", required=True)
BARE = Table("bare", "a CircuitBreaker: circuit_breaker", {"circuit_breaker": RULES_KEY})
SPEC = Table(
    "spec",
    "the spec of a CircuitBreaker: circuit_breaker, agents",
    {
        "circuit_breaker": RULES_KEY,
        "agents": Key(
            Texts(Name(), "agents, or leave the key out for all", least=1),
            "Left out: all that have no rules of their own.",
        ),
    },
)
BARE_NAME = "default"
"""The name of the manifest that the bare form is: the board's default."""
DEFAULT = ""
"""The agent of the board's default: all that have no rules of their own."""
COMPARED = ("failure_threshold", "recovery_seconds", "fallback", "substitute")

THERE = f"""
SELECT s.agent AS number, coalesce(g.name, '') AS agent, s.failure_threshold, s.recovery_seconds, s.fallback,
       u.name AS substitute, {EFFECTIVE.format(row="s")} AS source
FROM breaker_settings s
LEFT JOIN agents g ON g.board = s.board AND g.id = s.agent
LEFT JOIN agents u ON u.board = s.board AND u.id = s.substitute
WHERE s.board = $1 AND (s.source = ANY ($2::text::text[]) OR coalesce(g.name, '') = ANY ($3::text::text[]))
ORDER BY s.agent
"""


def declare(found: Declarations, spec: Fields, own: str | None) -> None:
    """The rules of the manifest, for each agent of which it speaks; the bare form has no name of its own."""
    rules = spec.get("circuit_breaker")
    source = f"CircuitBreaker/{own or BARE_NAME}"
    found.breaker_sources.add(source)
    named = spec.nodes("agents") if own is not None else []
    for node in named:
        found.add_agent(node.value, spec.document, node)
        add_rules(found, node, rules, node.value, source)
    if not named:
        add_rules(found, rules.node, rules, DEFAULT, source)


def add_rules(found: Declarations, node: Node, rules: Fields, agent: str, source: str) -> None:
    """Take the rules of one breaker in, the agent's or the board's; `node` is where it is named."""
    given: dict[str, Any] = {
        "failure_threshold": rules.get("failure_threshold"),
        "recovery_seconds": rules.get("recovery_timeout"),
        "fallback": rules.get("fallback"),
        "substitute": rules.get("substitute"),
    }
    given = breakers.BUILT_IN | {key: value for key, value in given.items() if value is not None}
    found.add_agent(given["substitute"], rules.document, rules.node_of("substitute"))
    try:
        breakers.check(**given, agent=agent)
    except Invalid as error:
        key = "substitute" if given["substitute"] else "fallback"
        raise rules.wrong(key, error.message, A_NAME, remedy=error.remedy) from error
    found.add_breaker(DeclaredBreaker(document=rules.document, node=node, agent=agent, rules=given, source=source))


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
    rows = await tx.fetch(THERE, tx.board, texts(declared.breaker_sources), texts(wanted))
    there = {row["agent"]: row for row in rows}
    for one in wanted.values():
        row = there.get(one.agent)
        if row is None:
            found.new.append(one)
            continue
        different = [key for key in COMPARED if one.rules[key] != row[key]]
        if row["source"] is None and not different:
            found.unchanged += 1
            continue
        if row["source"] != one.source:
            whose = one.agent or "the board"
            message = f"the breaker of {whose} has rules already, said by {row['source'] or 'somebody'}"
            raise wrong(one.place, message, "each agent once", remedy="say it in that manifest, or take it out there")
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
