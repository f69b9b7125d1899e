"""`slate dead-letters`: what is not tried again until somebody redrives or discards it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from slateboard.cli import get, parameters
from slateboard.cli.cancel import dependents_choice
from slateboard.cli.output import Invocation, nothing_to_do, pass_invocation
from slateboard.protocol.errors import Invalid
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import MAX_BATCH


@click.group("dead-letters")
def dead_letters() -> None:
    """List, redrive or discard what is not tried again.

    Example: slate dead-letters redrive --all --class infrastructure
    """


dead_letters.add_command(get.dead_letters, "list")


@dead_letters.command()
@click.argument("item", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help=f"All that match, at most {MAX_BATCH:,} at once.")
@click.option("--agent", "by", metavar="AGENT", help="With --all: only those of this agent.")
@click.option("--class", "failure_class", type=parameters.one_of(FailureClass), help="With --all: only this class.")
@click.option("--search", metavar="TEXT", help="With --all: only those with this in their error or reference.")
@pass_invocation
def redrive(invocation: Invocation, item: tuple[int, ...], everything: bool, **filters: str | None) -> None:
    """Bring dead letters back: ready again, with a fresh count of failures; their history stays.

    Example: slate dead-letters redrive 4711 4712
    """
    wanted = parameters.given(filters)
    if everything == bool(item) or (wanted and not everything):
        raise Invalid("which dead letters?", remedy="give their items, or --all (with --agent, --class, --search)")
    if "by" in wanted:
        wanted["agent"] = wanted.pop("by")

    async def act() -> Mapping[str, Any] | None:
        async with invocation.client() as client:
            items = list(item)
            if everything:
                page = await client.call("list_dead_letters", first=MAX_BATCH, **wanted)
                items = [row["id"] for row in page["rows"]]
            return await client.call("redrive", items=items) if items else None

    answer = invocation.run(act())
    if answer is None:
        invocation.answer({"redriven": []}, "no dead letters")
        nothing_to_do()
    else:
        invocation.answer(answer, "redriven " + ", ".join(answer["redriven"]))


@dead_letters.command()
@click.argument("item", nargs=-1, type=int, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why it will not be done.")
@dependents_choice
@pass_invocation
def discard(invocation: Invocation, item: tuple[int, ...], reason: str, cascade: bool, waive: bool) -> None:
    """Take dead letters off the table for good, with a reason; they count as cancelled.

    Example: slate dead-letters discard 4711 --reason "superseded by the new API" --waive
    """
    answer = parameters.call(invocation, "discard", items=list(item), reason=reason, cascade=cascade, waive=waive)
    invocation.answer(answer, "discarded " + ", ".join(answer["discarded"]))
