"""`slate work`: the queue by hand, for people and for agents with a shell.

A claim prints its fence, and every later call must carry it (`--fence`, or `SLATE_FENCE`), so that a claim which was
lost meanwhile can change nothing. The item may be left out where `SLATE_ITEM` names it, as it does for the commands of
`slate worker run --exec`.
"""

from __future__ import annotations

import getpass
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from slateboard.cli import (
    briefings,
    completion,
    directory,
    endings,
    get,
    parameters,
    questions,
    tables,
    usage,
    verdicts,
)
from slateboard.cli.output import Invocation, nothing_to_do, pass_invocation
from slateboard.cli.parameters import DURATION
from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid
from slateboard.protocol.work import SHELL_LEASE_SECONDS, Beat

if TYPE_CHECKING:
    from slateboard import Client
    from slateboard.protocol.work import Claim

POLL_SECONDS = 1.0
"""Between two looks of a claim that waits, if no hint comes."""
MAX_WAIT_SECONDS = 3_600.0


@click.group()
def work() -> None:
    """Claim work, keep the claim, and end it: with a result, or without one.

    Example: slate work claim --as backend --wait 30s
    """


work.add_command(get.items, "list")
work.add_command(directory.override)
for ending in (endings.finish, endings.release, endings.fail, endings.block, endings.wait):
    work.add_command(ending)
for command in (questions.ask, verdicts.approve, verdicts.reject, verdicts.verifications, usage.report):
    work.add_command(command)


@work.command()
@click.option(
    "--item", metavar="ITEM|REF", shell_complete=completion.references, help="This very item; else the highest rated."
)
@click.option("--lease", type=DURATION, default=SHELL_LEASE_SECONDS, metavar="TIME", help="How long it is kept [15m].")
@click.option("--wait", type=DURATION, default=0.0, metavar="TIME", help="How long to wait for work, at most 1h.")
@pass_invocation
def claim(invocation: Invocation, item: str | None, lease: float, wait: float) -> None:
    """Claim an item for the agent (--as) and print its briefing. Exit code 3 if nothing is ready.

    The claim ends by itself when its lease runs out; any call under it renews it.

    Example: slate work claim --as backend --lease 15m --wait 30s
    """
    parameters.acting(invocation)
    if wait > MAX_WAIT_SECONDS:
        raise Invalid(f"a claim waits at most {durations.shown(MAX_WAIT_SECONDS)}", remedy="ask again afterwards")
    found = invocation.run(_claim(invocation, item, lease, wait))
    if found is None:
        invocation.answer(None)
        invocation.say("nothing is ready")
        nothing_to_do()
    else:
        invocation.answer(found, lambda: click.echo(briefings.text(found["claim"], found["briefing"])))


async def _claim(invocation: Invocation, item: str | None, lease: float, wait: float) -> dict[str, Any] | None:
    """One claim with its briefing; None if none came in time."""
    worker = f"{getpass.getuser()}@{socket.gethostname()} shell {secrets.token_hex(3)}"
    async with invocation.client() as client:
        if item is not None:
            number = await parameters.item_of(client, item)
            made = await client.call("claim_one", item=number, worker=worker, lease_seconds=lease)
        else:
            claimed = await _wait_for_claim(client, worker, lease, wait)
            if claimed is None:
                return None
            made = claimed.as_dict()
        return {"claim": made, "briefing": await client.call("briefing", item=made["item"])}


async def _wait_for_claim(client: Client, worker: str, lease: float, wait: float) -> Claim | None:
    """The highest rated item; without one, asked again at each hint and every second until the time is over."""
    deadline = time.monotonic() + wait
    found = await client.claim(worker=worker, lease_seconds=lease)
    if found or not wait:
        return found[0] if found else None
    if sys.stderr.isatty():
        click.echo(f"nothing is ready; waiting up to {durations.shown(wait)}", err=True)
    watch = await client.transport.watch_work()
    try:
        while (left := deadline - time.monotonic()) > 0:
            found = await client.claim(worker=worker, lease_seconds=lease)
            if found:
                return found[0]
            await watch.wait(min(left, POLL_SECONDS))
    finally:
        await watch.close()
    return None


@work.command()
@endings.under_claim
@click.option("--percent", type=click.IntRange(0, 100), metavar="N", help="How far it is.")
@click.option("--progress", metavar="TEXT", help="What is being done.")
@click.option("--lease", type=DURATION, metavar="TIME", help="A new length of the lease.")
@pass_invocation
def heartbeat(
    invocation: Invocation, item: str, fence: int, percent: int | None, progress: str | None, lease: float | None
) -> None:
    """Renew the lease, and say how far it is.

    Example: slate work heartbeat 4711 --fence 99 --percent 50 --progress "3 of 6 endpoints"
    """

    async def act() -> Mapping[str, Any]:
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            beat = Beat(item=number, fence=fence, percent=percent, progress=progress)
            (renewed,) = await client.heartbeat([beat], lease_seconds=lease)
            if renewed.error:
                raise renewed.error
            return {"item": number, "expires_at": renewed.expires_at}

    answer = invocation.run(act())
    invocation.answer(answer, f"item {answer['item']} is kept until {tables.moment(answer['expires_at'])}")


@work.command()
@endings.under_claim
@click.option("--data", metavar="JSON", help="What the attempt that follows can go on from; `-` reads it.")
@click.option("--note", metavar="TEXT", help="A sentence for the attempt that follows.")
@pass_invocation
def checkpoint(invocation: Invocation, item: str, fence: int, data: str | None, note: str | None) -> None:
    """Keep data or a note for the attempt that follows, should this one not come to its end; renews the lease.

    Example: slate work checkpoint 4711 --fence 99 --data '{"drawn": 3}' --note "charts 4 to 6 are missing"
    """
    if data is None and note is None:
        raise Invalid("nothing to keep", remedy="give --data, --note or both")
    values = {} if data is None else {"data": endings.json_of(sys.stdin.read() if data == "-" else data, "--data")}

    async def act() -> int:
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            await client.call("checkpoint", item=number, fence=fence, note=note, **values)
            return number

    number = invocation.run(act())
    invocation.answer({"item": number}, f"kept for the next attempt at item {number}")


@work.command()
@click.argument("item", envvar="SLATE_ITEM", metavar="ITEM|REF", shell_complete=completion.references)
@pass_invocation
def explain(invocation: Invocation, item: str) -> None:
    """Why an item stands where it stands: what it waits for, its rating as a sum, how many come before it.

    Example: slate work explain dashboard/dashboard
    """

    async def ask() -> Mapping[str, Any]:
        async with invocation.client() as client:
            return await client.call("explain", item=await parameters.item_of(client, item))

    answer = invocation.run(ask())
    invocation.answer(answer, lambda: click.echo(briefings.explanation(answer)))


@work.command()
@click.argument("item", metavar="ITEM|REF", shell_complete=completion.references)
@click.option("--rating", type=int, metavar="N", help="Higher comes first.")
@click.option("--clear", is_flag=True, help="Let the rating be worked out again.")
@pass_invocation
def pin(invocation: Invocation, item: str, rating: int | None, clear: bool) -> None:
    """Fix the rating of an unfinished item, or let it be worked out again.

    Example: slate work pin 4711 --rating 5000
    """
    if (rating is None) != clear:
        raise Invalid("which rating?", remedy="give --rating N or --clear")

    async def act() -> Mapping[str, Any]:
        async with invocation.client() as client:
            return await client.call("pin", item=await parameters.item_of(client, item), rating=rating)

    answer = invocation.run(act())
    now = "is rated by its parts again" if clear else f"is pinned at {rating}"
    invocation.answer(answer, f"{answer['reference']} (item {answer['item']}) {now}")
