"""`slate agent find`, `change`, `agenda`, `remove`, and `slate work override`: who is free, what each is and gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since
from slateboard.protocol.rights import Right
from slateboard.protocol.states import AgentKind, Availability

SHOWN = 10
"""Names of a kind that a person is told of what an agent leaves."""

COLUMNS: list[Column] = [
    field("agent", "name"), field("available"), field("ready"), field("claimed"), field("breaker"), field("manager"),
    since("seen", "seen_at"), field("role", flexible=True),
]  # fmt: skip


AGENDA: list[Column] = [
    field("order"), field("item"), field("work", "reference"), field("rating"), field("why"),
    field("open to", "capability"), field("instead of", "instead_of"), field("due"), field("held", flexible=True),
]  # fmt: skip


@click.command()
@click.option("--capability", metavar="NAME", help="Only who can do this.")
@click.option("--available", is_flag=True, help="Only who has a live worker, is not paused, and has no open breaker.")
@click.option("--limit", type=int, default=100, show_default=True, metavar="N", help="At most so many.")
@pass_invocation
def find(invocation: Invocation, **asked: Any) -> None:
    """Agents, those who can begin at once first, the least laden first.

    Example: slate agent find --capability python --available
    """
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "find_agents", **asked)
    invocation.answer(rows, tables.table(COLUMNS, rows) if rows else "there is no such agent")


@click.command()
@click.argument("name", metavar="AGENT", shell_complete=completion.agents)
@click.option("--kind", type=parameters.one_of(AgentKind), help="What it is.")
@click.option("--role", metavar="TEXT", help="What it is there for.")
@click.option(
    "--capability", "capabilities", multiple=True, metavar="NAME", help="All that it can do; may be repeated."
)
@click.option("--manager", metavar="AGENT", shell_complete=completion.agents, help="Its manager; '' for none.")
@click.option("--right", type=click.Choice([right.word for right in Right]), help="What it may do.")
@click.option(
    "--accepts-from", multiple=True, metavar="AGENT", shell_complete=completion.agents,
    help="Who alone may delegate to it; may be repeated.",
)  # fmt: skip
@click.option("--accepts-nobody", is_flag=True, help="Nobody may delegate to it.")
@click.option("--accepts-anyone", is_flag=True, help="Anybody may delegate to it.")
@click.option("--availability", type=parameters.one_of(Availability), help="Whether it is invited to meetings.")
@pass_invocation
def change(
    invocation: Invocation,
    *,
    name: str,
    capabilities: tuple[str, ...],
    accepts_from: tuple[str, ...],
    accepts_nobody: bool,
    **more: Any,
) -> None:
    """Change what is given of an agent; the rest stays.

    Example: slate agent change backend --manager cto --accepts-from cto --accepts-from ceo
    """
    given = {key: value for key, value in more.items() if value is not None}
    if capabilities:
        given["capabilities"] = list(capabilities)
    if accepts_from or accepts_nobody:
        given["accepts_from"] = list(accepts_from)
    answer: Mapping[str, Any] = parameters.call(invocation, "change_agent", name=name, **given)
    changed = ", ".join(answer["changed"])
    invocation.answer(answer, f"changed of {name}: {changed}" if changed else f"{name} was so already")


@click.command()
@click.argument("name", metavar="AGENT", shell_complete=completion.agents)
@click.option("--to", metavar="AGENT", shell_complete=completion.agents, help="Who gets what it leaves.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept in the log.")
@click.option("--dry-run", is_flag=True, help="Only show what would be left.")
@pass_invocation
def remove(invocation: Invocation, *, name: str, to: str | None, reason: str, dry_run: bool) -> None:
    """Remove an agent: its unfinished work goes to another, its row stays for history.

    Example: slate agent remove backend --to frontend --dry-run
    """
    answer: Mapping[str, Any] = parameters.call(
        invocation, "remove_agent", name=name, to=to, reason=reason, dry_run=dry_run
    )
    invocation.answer(answer, lambda: click.echo("\n".join(_left(answer))))


@click.command()
@click.argument("agent", metavar="AGENT", shell_complete=completion.agents)
@click.option("--limit", type=int, default=50, show_default=True, metavar="N", help="At most so many.")
@pass_invocation
def agenda(invocation: Invocation, agent: str, limit: int) -> None:
    """What an agent would get next, in that order, each with its rating and why; and what it cannot get now.

    Example: slate agent agenda backend
    """
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "agenda", agent=agent, limit=limit)
    shown = [{**row, "why": " + ".join(f"{name} {part}" for name, part in row["parts"].items())} for row in rows]
    invocation.answer(rows, tables.table(AGENDA, shown) if rows else f"nothing is ready for {agent}")


@click.command()
@click.argument("item", type=int)
@click.option("--agent", metavar="AGENT", shell_complete=completion.agents, help="Who is to do it.")
@click.option("--rating", type=int, metavar="N", help="Pin its rating.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the log.")
@pass_invocation
def override(invocation: Invocation, item: int, agent: str | None, rating: int | None, reason: str) -> None:
    """Overrule who does an unclaimed item, or how soon it comes.

    Example: slate work override 1042 --agent frontend --reason "backend is on holiday"
    """
    answer = parameters.call(invocation, "override", item=item, agent=agent, rating=rating, reason=reason)
    said = [f"goes to {agent}"] if agent else []
    said += [f"is pinned at {rating}"] if rating is not None else []
    invocation.answer(answer, f"{answer['reference']} {' and '.join(said)}")


def _left(left: Mapping[str, Any]) -> list[str]:
    """What an agent leaves, and to whom it goes."""
    places = ", ".join(f"{number} {place}" for place, number in sorted(left["places"].items()))
    verb = "would leave" if left["dry_run"] else "left"
    lines = [f"{left['agent']} {verb} {f'items: {places}' if places else 'no unfinished item'}"]
    parts = ("tasks", "delegated", "subscriptions", "routes", "seats", "managed")
    lines += [f"{key}: {_few(left[key])}" for key in parts if left[key]]
    return [*lines, f"to: {left['to'] or 'nobody'}"]


def _few(names: Sequence[str]) -> str:
    """The first of these names, and how many there are beside them."""
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN:,} more (`--json` has all)" if len(names) > SHOWN else shown
