"""`slate work approve`, `reject` and `verifications`: what waits for a verdict, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol.errors import UnknownName

if TYPE_CHECKING:
    from slateboard import Client

COLUMNS = (
    tables.field("ITEM", "item"), tables.field("REFERENCE", "reference"), tables.field("VERSION", "version"),
    tables.field("AUTHOR", "author"), tables.field("VERIFIER", "verifier"), tables.field("UNTIL", "deadline"),
    tables.field("HASH", "hash", flexible=True), tables.field("CRITERIA", "criteria", flexible=True),
)  # fmt: skip
LIMIT = 1_000


@click.command()
@click.option("--of", "agent", metavar="AGENT", help="Only what this agent is to judge.")
@pass_invocation
def verifications(invocation: Invocation, agent: str | None) -> None:
    """List what waits for a verdict, the nearest deadline first. What has no hash is shown as unproven.

    Example: slate work verifications --of cto
    """

    async def act() -> list[dict[str, Any]]:
        async with invocation.client() as client:
            return await client.call("list_verifications", agent=agent, limit=LIMIT)

    rows = invocation.run(act())
    shown = [{**row, "hash": row["hash"] or "unproven"} for row in rows]
    invocation.answer(rows, tables.table(COLUMNS, shown) if rows else "nothing waits for a verdict")


@click.command()
@click.argument("item", envvar="SLATE_ITEM", metavar="ITEM|REF", shell_complete=completion.references)
@click.option("--version", type=int, metavar="N", help="Only this version; else the one that was handed in.")
@click.option("--reason", metavar="TEXT", help="Why.")
@pass_invocation
def approve(invocation: Invocation, item: str, version: int | None, reason: str | None) -> None:
    """Approve what was handed in, so that it is complete. ITEM is the verification; REF what is to be judged.

    What can be read here (the content, or the file at the path) is hashed again, and refused if it is not the same.

    Example: slate work approve payments/report --as cto
    """
    _judge(invocation, item, "approve", version, reason)


@click.command()
@click.argument("item", envvar="SLATE_ITEM", metavar="ITEM|REF", shell_complete=completion.references)
@click.option("--version", type=int, metavar="N", help="Only this version; else the one that was handed in.")
@click.option("--reason", required=True, metavar="TEXT", help="What is to be done better: the next attempt reads it.")
@pass_invocation
def reject(invocation: Invocation, item: str, version: int | None, reason: str) -> None:
    """Reject what was handed in: it is ready again, with the reason in its briefing.

    Example: slate work reject payments/report --reason "the totals of May are missing" --as cto
    """
    _judge(invocation, item, "reject", version, reason)


def _judge(invocation: Invocation, item: str, verdict: str, version: int | None, reason: str | None) -> None:
    from slateboard.sdk import verdicts

    async def act() -> dict[str, Any]:
        async with invocation.client() as client:
            number = await _verification(client, item)
            asked = verdicts.asked(await client.call("briefing", item=number))
            proven = await verdicts.check(asked) if verdict == "approve" else None
            given = {"version": version or asked["version"], "hash": asked["hash"], "reason": reason}
            judged = await client.call("judge", item=number, verdict=verdict, **given)
            return {**judged, "proven": asked["hash"] is not None, "hashed_again": proven}

    answer = invocation.run(act())
    unproven = "" if answer["proven"] else " (unproven: it has no hash)"
    invocation.answer(answer, f"version {answer['version']} of {answer['reference']} is {answer['verdict']}{unproven}")


async def _verification(client: Client, what: str) -> int:
    """The verification of that number, or the open one of what that reference names."""
    if what.isdecimal():
        return await parameters.item_of(client, what)
    for row in await client.call("list_verifications", limit=LIMIT):
        if row["reference"] == what:
            return row["item"]
    raise UnknownName(f"{what} waits for no verdict", remedy="see `slate work verifications`", reference=what)
