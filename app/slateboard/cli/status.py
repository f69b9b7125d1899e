"""`slate status`: what runs, and what the boards hold. What cannot be asked is said so, never shown as empty."""

from __future__ import annotations

from typing import Any

import click

from slateboard.cli import health, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol.errors import SlateError

BOARDS = 20
"""Boards whose counts are shown; the rest is only counted."""
PLACES = ("gated", "waiting", "scheduled", "ready", "claimed", "done", "dead", "cancelled")


@click.command
@pass_invocation
def status(invocation: Invocation) -> None:
    """What runs, and what the boards hold.

    Shows the server and the Postgres of this home, the schema, who leads, and the boards with their counts. `--board`
    limits the boards to one.
    """
    from slateboard.server import home
    from slateboard.store.embedded import Embedded

    folder = invocation.home_folder()
    server = home.read(folder)
    answer: dict[str, Any] = {"home": str(folder), "server": None, "postgres": None}
    if server is not None:
        said = health.of(server.url)
        answer["server"] = {"url": server.url, "pid": server.pid, "version": server.version, "health": said}
    run = Embedded(folder).status().run if folder.is_dir() else None
    if run is not None:
        answer["postgres"] = {"pid": run.pid, "version": run.version, "data": str(run.data)}
    answer |= _asked(invocation)
    invocation.answer(answer, lambda: _show(answer))


def _asked(invocation: Invocation) -> dict[str, Any]:
    """What the database says, or why it does not."""
    try:
        return invocation.run(_ask(invocation))
    except SlateError as error:
        return {"database": {"reachable": False, "error": error.as_dict()}}


async def _ask(invocation: Invocation) -> dict[str, Any]:
    from slateboard import connect

    found: dict[str, Any] = {"database": {"reachable": True}}
    url = invocation.url()
    async with connect(url, board=invocation.board, agent=invocation.agent) as client:
        page = await client.call("list_boards", first=BOARDS)
        names: list[str] = [row["name"] for row in page["rows"]] if invocation.board is None else [client.board]
        found["more_boards"] = invocation.board is None and bool(page["next"])
        found["boards"] = [await client.call("status")] if names == [client.board] else []
    for name in [] if found["boards"] else names:
        async with connect(url, board=name) as client:
            found["boards"].append(await client.call("status"))
    return found


def _show(answer: dict[str, Any]) -> None:
    server, postgres = answer["server"], answer["postgres"]
    click.echo(f"home      {answer['home']}")
    if server is None:
        click.echo("server    not running here")
    else:
        said = server["health"]
        leads = ", leads" if said.get("leads") else ""
        version = f", version {server['version']}"
        click.echo(f"server    {said['status']} at {server['url']} (process {server['pid']}{version}{leads})")
        for name, reason in said["reasons"].items():
            click.echo(f"          {name}: {reason}")
    if postgres is not None:
        click.echo(f"postgres  {postgres['version']} (process {postgres['pid']}) in {postgres['data']}")
    elif server is None:
        click.echo("postgres  not running here")
    if not answer["database"]["reachable"]:
        error = answer["database"]["error"]
        click.echo(f"database  {error['message']}\n          try: {error['remedy']}")
        return
    leaders = (
        [leader["holder"] for leader in answer["boards"][0]["leader"] if leader["alive"]] if answer["boards"] else []
    )
    click.echo(f"leader    {leaders[0] if leaders else 'none: leases are not taken back and the log does not grow'}")
    for board in answer["boards"]:
        _show_board(board)
    if answer["more_boards"]:
        click.echo("board     … and more: `slate get boards`")


def _show_board(board: dict[str, Any]) -> None:
    counts = [
        f"{number:,}{'+' if place in board['at_least'] else ''} {place}"
        for place in PLACES
        if (number := board["places"][place])
    ]
    state = " (paused)" if board["paused"] or board["everything_paused"] else ""
    state = " (archived)" if board["archived_at"] else state
    click.echo(f"board     {board['board']}{state}: {', '.join(counts) or 'no work items yet'}")
    for one in board["breakers"]:
        click.echo(f"          the breaker of {one['agent']} is {one['state'].replace('_', '-')}: {one['reason']}")
    for one in board["stalled"]:
        since = tables.age(one["since"])
        click.echo(f"          {one['reference']}, claimed by {one['agent']}, has made no progress for {since}")
    for one in board["paused_subscriptions"]:
        click.echo(f"          subscription {one['name']} is paused, {one['behind']:,} behind: {one['paused_because']}")
    if board["stuck"]["number"]:
        click.echo(f"          {board['stuck']['number']:,} stuck behind something dead or cancelled")
