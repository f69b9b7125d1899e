"""`slate agent find` and `slate agent change`: who is there and free, and what an agent is and accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since
from slateboard.protocol.rights import Right
from slateboard.protocol.states import AgentKind, Availability

COLUMNS: list[Column] = [
    field("agent", "name"), field("available"), field("ready"), field("claimed"), field("breaker"), field("manager"),
    since("seen", "seen_at"), field("role", flexible=True),
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
