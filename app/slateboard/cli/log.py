"""`slate log`: reads and follows the board's events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from slateboard.cli import archive, chains, events, get, output, proof, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol.errors import Archived

if TYPE_CHECKING:
    from slateboard import Client
    from slateboard.protocol.errors import Unavailable

SHOWN = 20


@click.group()
def log() -> None:
    """Read and follow the board's events.

    Example: slate log tail --follow --subject 'board.artifact.*'
    """


log.add_command(get.events, "list")
for command in (proof.verify, proof.export, proof.erase, proof.rotate_key, chains.show, chains.chain, archive.archive):
    log.add_command(command)


@log.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until ctrl-C.")
@click.option("--after", type=click.IntRange(0), metavar="POSITION", help="Begin after this position.")
@click.option("--lines", "-n", type=click.IntRange(0, 10_000), default=SHOWN, help="How many of the newest come first.")
@click.option("--subject", metavar="PATTERN", help="Only subjects like this: `board.item.*`, `board.>`.")
@pass_invocation
def tail(invocation: Invocation, follow: bool, after: int | None, lines: int, subject: str | None) -> None:
    """The newest events of the board's log, the oldest of them first; with --follow all that come, too.

    A --subject is looked for among the newest 10,000; `slate log list` looks through all of it.

    With --json and --follow each event is a line of its own: one JSON object, without the envelope.

    Example: slate log tail --follow --subject 'board.artifact.*'
    """
    if follow:
        invocation.run(_follow(invocation, after, lines, subject))
        return

    async def ask() -> list[dict[str, Any]]:
        async with invocation.client() as client:
            found = await _newest(client, after, lines, subject)
            if not found:
                await _say_if_it_stands_still(invocation, client)
            return found

    rows = invocation.run(ask())
    invocation.answer(rows, lambda: _print(invocation, rows))


async def _follow(invocation: Invocation, after: int | None, lines: int, subject: str | None) -> None:
    """Print what is there, then each event as it is logged; ends only by being interrupted."""
    async with invocation.client() as client:
        await _say_if_it_stands_still(invocation, client)
        position = after
        if position is None:
            position = await client.call("log_head")
            for event in await _newest(client, None, lines, subject):
                _print_one(invocation, event)
                position = max(position, event["position"])
        feed = client.follow(after=position, subject=subject, lost=partial(_say_lost, invocation))
        async with aclosing(feed):
            async for event in feed:
                _print_one(invocation, event)


def _say_lost(invocation: Invocation, error: Unavailable) -> None:
    invocation.say(f"{error}; it goes on where it was as soon as the database is back")


async def _say_if_it_stands_still(invocation: Invocation, client: Client) -> None:
    """An empty log is no answer while events wait for a server to put them there."""
    status = await client.call("status")
    if status["log"]["outbox"] and not any(leader["alive"] for leader in status["leader"]):
        invocation.say(f"{status['log']['outbox']} events wait for a server to log them: start one with `slate up`")


async def _newest(client: Client, after: int | None, lines: int, subject: str | None) -> list[dict[str, Any]]:
    """The last `lines` events after a position. With a pattern, those among the last 10,000 that match."""
    if lines == 0:
        return []
    if after is not None:
        return await client.read_log(after=after, limit=lines, subject=subject)
    head: int = await client.call("log_head")
    reach = lines if subject is None else get.MAX_EVENTS
    ask = partial(client.read_log, limit=get.MAX_EVENTS, subject=subject)
    try:
        found = await ask(after=max(0, head - reach))
    except Archived:
        found = await ask(after=0)  # the first that are still in the database: fewer than the reach
    return found[-lines:]


def _print(invocation: Invocation, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        invocation.say("no events")
    for event in rows:
        _print_one(invocation, event)


def _print_one(invocation: Invocation, event: Mapping[str, Any]) -> None:
    if invocation.as_json:
        click.echo(json.dumps(event, default=output.plain, ensure_ascii=False))
        return
    width = tables.terminal_width()
    line = events.line(event)
    click.echo(line if width is None else tables.cut(line, width))
