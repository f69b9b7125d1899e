"""`slate get`: the listings, as tables that fit the terminal, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from slateboard.cli import completion, parameters, searches, tables
from slateboard.cli import events as event_lines
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since
from slateboard.protocol.errors import Invalid
from slateboard.protocol.names import split_reference
from slateboard.protocol.pages import DEFAULT_PAGE
from slateboard.protocol.states import AgentKind, ArtifactStatus, DecisionStatus, Place

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_EVENTS = 10_000
"""The most events of one page."""
AS_OF = "slateboard.as_of"
"""Where the commands keep the point in the log that was asked for."""
LIVE_ONLY = frozenset(("finished", "search", "subject", "older_than_seconds", "newer_than_seconds"))
PAST_FIELDS = {
    ("agents", "capability"): "capabilities",
    ("dead_letters", "failure_class"): "class",
}
"""By kind and filter, the field that it is about, where that is called otherwise."""
Row = dict[str, Any]
SINGULAR = {
    "board": "boards", "agent": "agents", "task": "tasks", "artifact": "artifacts", "item": "items",
    "decision": "decisions", "dead-letter": "dead-letters", "token": "tokens", "event": "events",
}  # fmt: skip


def _holder(row: Mapping[str, Any]) -> Any:
    return row.get("claimed_by") or row.get("owner") or row.get("agent") or _open(row)


def _open(row: Mapping[str, Any]) -> str:
    return f"open:{row['capability']}" if row.get("capability") else "open"


def _about(row: Mapping[str, Any]) -> Any:
    """The one thing worth saying of an artifact or item: progress, what it waits for, the last error, the summary."""
    if row.get("stalled_since"):
        return f"no progress for {tables.age(row['stalled_since'])}"
    if row.get("progress") or row.get("percent") is not None:
        return " ".join(str(one) for one in (_percent(row), row.get("progress")) if one)
    if row.get("stuck"):
        return "stuck: something that it waits for is dead or cancelled"
    if row.get("remaining"):
        names: list[str] = row.get("blocked_by") or []
        return f"waits for {', '.join(names)}" if names else f"waits for {row['remaining']}"
    if row.get("stale"):
        return f"stale: {row.get('because')}"
    over = row.get("status", row.get("place")) in {"complete", "done"}
    return row.get("summary") or (None if over else row.get("last_error"))


def _percent(row: Mapping[str, Any]) -> str:
    return "" if row.get("percent") is None else f"{row['percent']} %"


def _done(row: Mapping[str, Any]) -> str:
    progress = row.get("progress") or {"done": 0, "total": 0}
    return f"{tables.bar(progress['done'], progress['total'])} {progress['done']}/{progress['total']}"


COLUMNS: dict[str, list[Column]] = {
    "boards": [field("name"), field("prefix"), field("paused"), field("reason", "pause_reason", flexible=True),
               since("archived", "archived_at"), since("age", "created_at")],
    "agents": [field("name"), field("kind"), field("role", flexible=True), field("capabilities", flexible=True),
               field("manager"), field("right"), field("ready"), field("claimed"), field("paused")],
    "tasks": [field("name"), field("agent"), field("status"), Column("progress", _done),
              field("title", flexible=True), field("due")],
    "artifacts": [field("reference"), field("status"), Column("by", _holder), field("version"), field("item"),
                  Column("about", _about, flexible=True)],
    "items": [field("item", "id"), field("reference"), field("place"), Column("by", _holder), field("rating"),
              field("attempts"), Column("about", _about, flexible=True)],
    "decisions": [field("id"), field("subject", flexible=True), field("status"), field("by", "agent"), field("task"),
                  field("decision", flexible=True), since("age", "decided_at")],
    "dead-letters": [field("item", "id"), field("reference"), field("agent"), field("class"), field("attempts"),
                     since("age", "died_at"), field("event", "subject"), field("error", flexible=True)],
    "tokens": [field("id"), field("agent"), field("live"), since("age", "created_at"), field("expires", "expires_at"),
               field("revoked", "revoked_at")],
    "events": [field("position"), field("time", "happened_at"), field("actor"), field("subject"),
               Column("what", event_lines.summary, flexible=True)],
}  # fmt: skip
"""The columns of each listing."""


class Nouns(click.Group):
    """The nouns of `get`; their singular is understood too."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, SINGULAR.get(cmd_name, cmd_name))


@click.group(cls=Nouns)
def get() -> None:
    """List boards, agents, tasks, artifacts, items, decisions, dead-letters, tokens or events.

    A page holds --limit rows; the last line says how to go on. Example:

        slate get artifacts --status in_progress
    """


def paged(command: Command) -> Command:
    """The options of every listing."""
    command = click.option("--after", metavar="CURSOR", help="Go on after the page before.")(command)
    return click.option(
        "--limit", type=click.IntRange(1, 1000), default=DEFAULT_PAGE, show_default=True, help="Rows of a page."
    )(command)


def counted(command: Command) -> Command:
    """The option of listings that can count."""
    return click.option("--total", is_flag=True, help="Count all rows that match, too.")(command)


def dated(command: Command) -> Command:
    """The option of what can be shown as it was."""

    def keep(context: click.Context, _parameter: click.Parameter, value: dict[str, Any] | None) -> None:
        context.meta[AS_OF] = value

    return click.option(
        "--as-of", type=parameters.PAST_POINT, metavar="POSITION|TIME", help="As it was then, from the log.",
        expose_value=False, callback=keep,
    )(command)  # fmt: skip


def past() -> dict[str, Any] | None:
    """The point in the log that the running command was asked for; None for today."""
    return click.get_current_context().meta.get(AS_OF)


def as_of(invocation: Invocation, point: Mapping[str, Any], **asked: Any) -> Row:
    """The board as it was; says of which position."""
    found = parameters.call(invocation, "as_of", **point, **asked)
    invocation.say(f"as of position {found['position']}, {found['happened_at']}")
    if found["erased"]:
        invocation.say(f"incomplete: payloads were erased at {', '.join(map(str, found['erased']))}")
    return found


@get.command()
@paged
@pass_invocation
def boards(invocation: Invocation, limit: int, after: str | None) -> None:
    """The boards.

    Example: slate get boards
    """
    listing(invocation, "boards", limit, after)


@get.command()
@click.option("--kind", type=parameters.one_of(AgentKind), help="Only agents of this kind.")
@click.option("--capability", metavar="NAME", help="Only agents with this capability.")
@dated
@paged
@pass_invocation
def agents(invocation: Invocation, kind: str | None, capability: str | None, limit: int, after: str | None) -> None:
    """The agents of the board, with how much each has ready and claimed.

    Example: slate get agents --capability review
    """
    listing(invocation, "agents", limit, after, kind=kind, capability=capability)


@get.command()
@click.option("--parent", metavar="TASK", shell_complete=completion.tasks, help="Only the subtasks of this task.")
@click.option("--roots", is_flag=True, help="Only tasks without a parent.")
@click.option("--agent", "by", metavar="AGENT", shell_complete=completion.agents, help="Only tasks of this agent.")
@dated
@paged
@pass_invocation
def tasks(
    invocation: Invocation, parent: str | None, roots: bool, by: str | None, limit: int, after: str | None
) -> None:
    """The tasks, each with the status and progress of everything below it.

    Example: slate get tasks --roots
    """
    listing(invocation, "tasks", limit, after, parent=parent, roots=roots or None, agent=by)


@get.command()
@click.argument("reference", nargs=-1, shell_complete=completion.references)
@click.option("--task", metavar="TASK", shell_complete=completion.tasks, help="Only the artifacts of this task.")
@click.option("--owner", metavar="AGENT", shell_complete=completion.agents, help="Only those of this agent.")
@click.option("--capability", metavar="NAME", help="Only open ones that ask for this capability.")
@click.option("--status", type=parameters.one_of(ArtifactStatus), help="Only those in this status.")
@click.option("--stale", is_flag=True, help="Only those made from something older.")
@dated
@counted
@paged
@pass_invocation
def artifacts(
    invocation: Invocation, reference: tuple[str, ...], limit: int, after: str | None, total: bool, stale: bool,
    **filters: str | None,
) -> None:  # fmt: skip
    """The artifacts, with status, owner, version, and what to know of each.

    Example: slate get artifacts --owner backend --status pending
    """
    more = {"references": list(reference) or None, "stale": stale or None, "total": total or None}
    listing(invocation, "artifacts", limit, after, **filters, **more)


@get.command()
@click.option("--place", "--status", "place", type=parameters.one_of(Place), help="Only those in this place.")
@click.option(
    "--agent", "by", metavar="AGENT", shell_complete=completion.agents, help="Only those in this agent's inbox."
)
@click.option("--unfinished/--finished", "unfinished", default=None, help="Only those that are (not) done with.")
@dated
@counted
@paged
@pass_invocation
def items(
    invocation: Invocation, place: str | None, by: str | None, unfinished: bool | None, total: bool, limit: int,
    after: str | None,
) -> None:  # fmt: skip
    """The work items; the ready ones of one agent in the order in which it will get them.

    Example: slate get items --place ready --agent backend
    """
    finished = None if unfinished is None else not unfinished
    listing(invocation, "items", limit, after, place=place, agent=by, finished=finished, total=total or None)


@get.command()
@click.option("--subject", metavar="NAME", help="Only those on this subject.")
@click.option("--status", type=parameters.one_of(DecisionStatus), help="Only those in this status.")
@click.option("--task", metavar="TASK", shell_complete=completion.tasks, help="Only those of this task.")
@click.option("--agent", "by", metavar="AGENT", shell_complete=completion.agents, help="Only those made by this agent.")
@dated
@paged
@pass_invocation
def decisions(invocation: Invocation, by: str | None, limit: int, after: str | None, **filters: str | None) -> None:
    """The decisions, the newest first.

    Example: slate get decisions --status accepted
    """
    listing(invocation, "decisions", limit, after, agent=by, **filters)


@get.command("dead-letters")
@searches.dead_letter_search
@dated
@counted
@paged
@pass_invocation
def dead_letters(invocation: Invocation, total: bool, limit: int, after: str | None, **search: Any) -> None:
    """What will not be tried again until somebody redrives or discards it, the newest first.

    Example: slate get dead-letters --class transient
    """
    listing(invocation, "dead-letters", limit, after, total=total or None, **searches.arguments(search))


@get.command()
@click.option("--agent", "by", metavar="AGENT", shell_complete=completion.agents, help="Only those of this agent.")
@click.option("--live/--ended", "live", default=None, help="Only those that (no longer) work.")
@paged
@pass_invocation
def tokens(invocation: Invocation, by: str | None, live: bool | None, limit: int, after: str | None) -> None:
    """The tokens, never the secret itself.

    Example: slate get tokens --agent backend --live
    """
    listing(invocation, "tokens", limit, after, agent=by, live=live)


@get.command()
@click.option("--subject", metavar="PATTERN", help="Only subjects like this: `board.item.*`, `board.>`.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="POSITION", help="Go on after this position.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_EVENTS), default=DEFAULT_PAGE, show_default=True, help="Rows of a page."
)
@pass_invocation
def events(invocation: Invocation, subject: str | None, after: int, limit: int) -> None:
    """The events of the board's log, the oldest first. `slate log tail` shows the newest.

    Example: slate get events --subject 'board.decision.*'
    """

    async def ask() -> list[dict[str, Any]]:
        async with invocation.client() as client:
            return await client.read_log(after=after, limit=limit, subject=subject)

    rows = invocation.run(ask())
    cursor = str(rows[-1]["position"]) if len(rows) == limit else None
    page = {"rows": rows, "next": cursor, "total": None}
    invocation.answer(page, lambda: show_page(invocation, "events", page))


def listing(invocation: Invocation, noun: str, limit: int, after: str | None, **filters: Any) -> None:
    """Ask for a page of a listing, and print it."""
    if point := past():
        page = past_page(invocation, noun, point, first=limit, after=after, filters=parameters.given(filters))
    else:
        operation = "list_" + noun.replace("-", "_")
        page = parameters.call(invocation, operation, first=limit, after=after, **filters)
    invocation.answer(page, lambda: show_page(invocation, noun, page))


def past_page(
    invocation: Invocation, noun: str, point: Mapping[str, Any], *, first: int, after: str | None, filters: Row
) -> Row:
    """A page of a listing as it was."""
    kind = noun.replace("-", "_")
    where: Row = {}
    for name, value in filters.items():
        if name in LIVE_ONLY:
            option = name.removesuffix("_seconds").replace("_", "-")
            raise Invalid(f"--{option} cannot be combined with --as-of", remedy="leave one of them out")
        if name == "roots":
            where["parent"] = None
        elif name == "references":
            where["reference"] = ["/".join(split_reference(one)) for one in value]
        elif name != "total":
            where[PAST_FIELDS.get((kind, name), name)] = value
    page: Row = as_of(invocation, point, of=[kind], where=where, first=first, after=after)[kind]
    return page if filters.get("total") else {**page, "total": None}


def show_page(invocation: Invocation, noun: str, page: Mapping[str, Any]) -> None:
    """Print a page as a table; how many there are, and how to go on, on standard error."""
    rows: Sequence[Mapping[str, Any]] = page["rows"]
    if not rows:
        invocation.say(f"no {noun.replace('-', ' ')}")
        return
    click.echo(tables.table(COLUMNS[noun], rows))
    if page["total"] is not None:
        invocation.say(f"{page['total']} in all")
    if page["next"] is not None:
        invocation.say(f"there is more: --after {page['next']}")
