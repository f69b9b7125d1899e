"""The kind RoutingTable: who consults whom for what, and who notifies whom when; also the guide's bare form, `agents`.

A table says all of itself: what it said earlier and says no more is taken away. Two manifests cannot say one route.
With `on` a notice needs nobody to say it: an event of that subject becomes a delivery to the agent that is told. The
`peer_channels` of an AgentConfig are routes as well (`add_channels`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests.declarations import Declarations, DeclaredRoute, DeclaredSubscription
from slateboard.manifests.event_pipeline import named_after
from slateboard.manifests.fields import Fields, Key, Named, Rows, Table
from slateboard.manifests.places import located, wrong
from slateboard.manifests.sources import EFFECTIVE
from slateboard.manifests.values import Name, Pattern, Text
from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import MAX_LABEL_CHARACTERS, Route
from slateboard.protocol.errors import SlateError
from slateboard.protocol.states import Priority
from slateboard.store.arrays import texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node
    from slateboard.transaction import Statement, Transaction

A_LABEL = f"a text of 1 to {MAX_LABEL_CHARACTERS:,} characters"
LABEL = Text(A_LABEL, most=MAX_LABEL_CHARACTERS, blank=False)
TOLD = Text(f"what the other is told of: {A_LABEL}", most=MAX_LABEL_CHARACTERS, blank=False)
CONSULT = Table(
    "consult",
    "{agent, for}",
    {
        "agent": Key(Name(), "Whom it may ask.", required=True),
        "for": Key(LABEL, "For what."),
    },
)
NOTICE = Table(
    "notice",
    "{agent, when, on}",
    {
        "agent": Key(Name(), "Whom it tells.", required=True),
        "when": Key(TOLD, "What the other is told of.", required=True),
        "on": Key(Pattern(), "A subject: an event of it tells the other by itself."),
    },
)
PEERS = Table(
    "peers",
    "{consults, notifies}",
    {
        "consults": Key(Rows(CONSULT, f"a list of {CONSULT.expected}"), "Whom it may ask for what."),
        "notifies": Key(Rows(NOTICE, f"a list of {NOTICE.expected}"), "Whom it tells of what."),
    },
)
AGENTS = "agents, each with what it consults and notifies"
SPEC = Table(
    "spec",
    f"the spec of a RoutingTable: {AGENTS}",
    {"agents": Key(Named(PEERS, AGENTS), "The agents by their names.", required=True)},
)
BARE_NAME = "agents"
"""The name of the table that the bare form is."""
ACTION = "notified"
"""What a notice by a subject asks of the agent that is told."""

PREFIX = "SELECT prefix FROM boards WHERE id = $1"

THERE = f"""
SELECT r.id, a.name AS agent, o.name AS other, r.kind, r.label, r.subject, {EFFECTIVE.format(row="r")} AS source
FROM routes r
JOIN agents a ON a.board = r.board AND a.id = r.agent
JOIN agents o ON o.board = r.board AND o.id = r.other
WHERE r.board = $1 AND (r.source = ANY ($2::text::text[]) OR a.name = ANY ($3::text::text[])) ORDER BY r.id
"""


def declare(found: Declarations, spec: Fields, own: str | None) -> None:
    """All routes of the table; the bare form has no name of its own."""
    source = f"RoutingTable/{own or BARE_NAME}"
    found.route_sources.add(source)
    found.pipelines.add(source)
    for agent, peers in spec.get("agents").items():
        found.add_agent(agent, peers.document, peers.node)
        for entry in peers.nodes("consults"):
            _add(found, entry, Route(agent, _other(found, entry, agent), "consult", entry.get("for") or ""), source)
        for entry in peers.nodes("notifies"):
            other, subject = _other(found, entry, agent), entry.get("on")
            _add(found, entry, Route(agent, other, "notify", entry.get("when"), subject), source)
            if subject is not None:
                found.add_subscription(_subscription(entry, agent, other, subject, source))


def add_channels(
    found: Declarations, document: Document, agent: str, source: str, channels: Iterable[tuple[str, Node]]
) -> None:
    """The channels of one agent to others, each with the node that names it; those that `source` had else are gone."""
    found.route_sources.add(source)
    for other, node in channels:
        found.add_route(
            DeclaredRoute(document=document, node=node, route=Route(agent, other, "channel"), source=source)
        )


def _add(found: Declarations, entry: Fields, route: Route, source: str) -> None:
    found.add_route(DeclaredRoute(document=entry.document, node=entry.node, route=route, source=source))


def _other(found: Declarations, entry: Fields, agent: str) -> str:
    other = entry.get("agent")
    if other == agent:
        raise entry.wrong("agent", f"found {other!r}, the agent itself", "another agent")
    found.add_agent(other, entry.document, entry.node_of("agent"))
    return other


def _subscription(entry: Fields, agent: str, other: str, subject: str, source: str) -> DeclaredSubscription:
    return DeclaredSubscription(
        document=entry.document, node=entry.node, name=named_after(agent, [subject], other, ACTION), source=source,
        patterns=[subject], all_of=False, agent=other, action=ACTION, filter=None, ordered_by=None,
        priority=Priority.MEDIUM.value, start="now",
    )  # fmt: skip


@dataclass(slots=True)
class Routes:
    """What an apply does to routes, and what it answers."""

    new: list[DeclaredRoute] = field(default_factory=list)
    changes: list[tuple[int, DeclaredRoute]] = field(default_factory=list)
    removals: dict[int, str] = field(default_factory=dict)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0

    @property
    def created(self) -> list[dict[str, str]]:
        """The routes that are new."""
        return [{"kind": "route", "reference": one.reference} for one in self.new]

    @property
    def removed(self) -> list[dict[str, str]]:
        """The routes that are taken away."""
        return [{"kind": "route", "reference": reference} for reference in self.removals.values()]


async def compare(tx: Statement, declared: Declarations) -> Routes:
    """What is to be done. A route that another manifest says is refused."""
    found = Routes()
    if not declared.route_sources:
        return found
    await _check_channels(tx, declared)
    agents = {one.route.agent for one in declared.routes.values()}
    there: dict[tuple[str, str, str, str], Any] = {
        (row["agent"], row["other"], row["kind"], row["label"]): row
        for row in await tx.fetch(THERE, tx.board, texts(declared.route_sources), texts(agents))
    }
    for key, one in declared.routes.items():
        row = there.get(key)
        if row is None:
            found.new.append(one)
            continue
        if row["source"] is None and row["subject"] == one.route.subject:
            found.unchanged += 1
            continue
        if row["source"] != one.source:
            message = f"the route {one.reference} is on the board already, said by {row['source'] or 'somebody'}"
            raise wrong(one.place, message, "each route once", remedy="say it in that manifest, or take it out there")
        if row["subject"] == one.route.subject:
            found.unchanged += 1
            continue
        found.changes.append((row["id"], one))
        change = {"field": "on", "from": row["subject"], "to": one.route.subject}
        found.changed.append({"kind": "route", "reference": one.reference, **change})
    found.removals = {
        row["id"]: routes.shown(row["agent"], row["other"], row["kind"], row["label"])
        for key, row in there.items()
        if key not in declared.routes and row["source"] in declared.route_sources
    }
    return found


async def _check_channels(tx: Statement, declared: Declarations) -> None:
    """Refuse the inboxes of another board: no such channel exists here."""
    channels = [one for one in declared.routes.values() if one.route.kind == "channel"]
    prefix = await tx.fetchval(PREFIX, tx.board) if channels else ""
    for one in channels:
        if one.node.value.partition(".")[0] != prefix:
            wanted = f"{prefix}.agents.{one.route.other}.inbox"
            raise wrong(one.place, f"there is no channel {one.node.value!r} on this board", wanted)


async def execute(tx: Transaction, todo: Routes) -> None:
    """Make the routes what is declared; what an action refuses is shown at the first of them."""
    if todo.removals:
        await routes.remove(tx, routes=list(todo.removals))
    for number, one in todo.changes:
        await routes.change(tx, route=number, subject=one.route.subject)
    for source in {one.source: None for one in todo.new}:
        new = [one for one in todo.new if one.source == source]
        try:
            await routes.add(tx, routes=[one.route for one in new], source=source)
        except SlateError as error:
            raise located(error, new[0].place) from error
