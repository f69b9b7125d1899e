"""`slate dead-letters`: what is not tried again until somebody redrives or discards it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from slateboard.cli import get, searches
from slateboard.cli.cancel import dependents_choice
from slateboard.cli.output import Invocation, nothing_to_do, pass_invocation
from slateboard.protocol.errors import Invalid

if TYPE_CHECKING:
    from slateboard import Client

Command = TypeVar("Command", bound=Callable[..., Any])

ROUNDS = 11
"""Batches of one command: a board keeps 10,000 dead letters, and what dies meanwhile is not gone round for."""
NAMED = 20
"""References that are shown; the rest is only counted."""


@click.group("dead-letters")
def dead_letters() -> None:
    """List, redrive or discard what is not tried again.

    Example: slate dead-letters redrive --all --class infrastructure
    """


dead_letters.add_command(get.dead_letters, "list")


def chosen(command: Command) -> Command:
    """Which dead letters: their items, or all that fit."""
    command = click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")(command)
    command = searches.dead_letter_search(command)
    command = click.option("--all", "everything", is_flag=True, help="All that fit, 1,000 in a transaction.")(command)
    return click.argument("item", nargs=-1, type=int)(command)


@dead_letters.command()
@chosen
@pass_invocation
def redrive(invocation: Invocation, item: tuple[int, ...], everything: bool, dry_run: bool, **search: Any) -> None:
    """Bring dead letters back: ready again, with a fresh count of failures; their history stays.

    Example: slate dead-letters redrive --all --class infrastructure --older-than 1h --dry-run
    """
    _act(invocation, "redrive", "redriven", item, search, everything=everything, dry_run=dry_run)


@dead_letters.command()
@chosen
@click.option("--reason", required=True, metavar="TEXT", help="Why it will not be done.")
@dependents_choice
@pass_invocation
def discard(
    invocation: Invocation, item: tuple[int, ...], everything: bool, dry_run: bool, reason: str, cascade: bool,
    waive: bool, **search: Any,
) -> None:  # fmt: skip
    """Take dead letters off the table for good, with a reason; they count as cancelled.

    Example: slate dead-letters discard 4711 --reason "superseded by the new API" --waive
    """
    more = {"reason": reason, "cascade": cascade, "waive": waive}
    _act(invocation, "discard", "discarded", item, search, everything=everything, dry_run=dry_run, **more)


def _act(
    invocation: Invocation, operation: str, done: str, item: tuple[int, ...], search: dict[str, Any], *,
    everything: bool, dry_run: bool, **more: Any,
) -> None:  # fmt: skip
    """One call for dead letters that are named, batch by batch for all that fit."""
    wanted = searches.arguments(search)
    if everything == bool(item) or (wanted and not everything):
        raise Invalid("which dead letters?", remedy="give their items, or --all (with --agent, --class, --search …)")
    which = {**wanted, "everything": not wanted} if everything else {"items": list(item)}

    async def act() -> dict[str, Any]:
        async with invocation.client() as client:
            return await _batches(client, operation, done, {**which, **more, "dry_run": dry_run})

    answer = invocation.run(act())
    references, refused = answer[done], answer.get("refused", 0)
    worn = f"; {refused:,} were tried too often to be redriven" if refused else ""
    and_more = f" and {len(references) - NAMED:,} more" if len(references) > NAMED else ""
    would = "would be " if dry_run else ""
    text = f"{would}{done} {', '.join(references[:NAMED])}{and_more}" if references else "no dead letters"
    invocation.answer(answer, text + worn)
    if not references:
        nothing_to_do()


async def _batches(client: Client, operation: str, done: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Until nothing more fits; a preview shows the first batch."""
    answer = await client.call(operation, **arguments)
    references: list[str] = list(answer[done])
    rounds = 1
    while answer["more"] and not arguments["dry_run"] and rounds < ROUNDS:
        answer = await client.call(operation, **arguments)
        references += answer[done]
        rounds += 1
    return {**answer, done: references}
