"""`slate doctor`: what is wrong with what the board runs on, and what to do. It answers also where nothing runs."""

from __future__ import annotations

import shutil
from typing import Any

import click

from slateboard.cli import health, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.interfaces import errors
from slateboard.protocol.errors import SlateError, Unavailable

BOARDS = 20
"""Boards whose invariants are checked where none is named."""
OF_A_BOARD = ("sequencer", "places", "gates", "waiting")
MARKS = {"ok": "green", "warn": "yellow", "fail": "red"}
LEAST_BYTES = 200 * 2**20
ORDER = ("fail", "warn", "ok")


@click.command
@pass_invocation
def doctor(invocation: Invocation) -> None:
    """What is wrong with what the board runs on, and what to do about it.

    Checks the server of this home, the database and its connections, the schema, the sequencer, the leader, leases,
    partitions, what always holds of a board's work (of `--board`, else of the first 20), and the disk. Reads only.
    Ends with 5 if a check fails, with 7 if the database cannot be asked; warnings end with 0.
    """
    checks = [_server(invocation)]
    reached = True
    try:
        checks += invocation.run(_ask(invocation))
    except Exception as raised:  # noqa: BLE001  whatever keeps the database from answering is the finding
        error = errors.known(raised)
        reached = False
        checks += [_check("database", "fail", f"it cannot be asked: {error.message}", error.remedy), _disk(invocation)]
    state = next(state for state in ORDER if any(one["state"] == state for one in checks))
    invocation.answer({"state": state, "checks": checks}, lambda: _show(checks))
    if not reached:
        raise click.exceptions.Exit(errors.exit_code(Unavailable("")))
    if state == "fail":
        raise click.exceptions.Exit(errors.KINDS["conflict"].exit_code)


async def _ask(invocation: Invocation) -> list[dict[str, Any]]:
    """The checks of the database and of the boards that are meant; a board's are named after it."""
    from slateboard import connect

    async with invocation.client() as client:
        checks: list[dict[str, Any]] = (await client.call("doctor"))["checks"]
        own = client.board
        names: list[str] = []
        if invocation.board is None and all(one["state"] != "fail" for one in checks if one["name"] == "schema"):
            names = [row["name"] for row in (await client.call("list_boards", first=BOARDS))["rows"]]
    for one in checks:
        one["board"] = own if one["name"] in OF_A_BOARD else None
    for name in names:
        if name == own:
            continue
        async with connect(invocation.url(), board=name) as client:
            found = (await client.call("doctor"))["checks"]
        checks += [{**one, "board": name} for one in found if one["name"] in OF_A_BOARD]
    return checks


def _server(invocation: Invocation) -> dict[str, Any]:
    """The server of this home: whether it runs, and what it says of itself."""
    from slateboard.server import home

    try:
        server = home.read(invocation.home_folder())
    except SlateError as error:
        return _check("server", "warn", error.message, error.remedy)
    if server is None:
        seen = f"none runs in {invocation.home_folder()}"
        return _check("server", "warn", seen, "start one with `slate up`, unless one runs elsewhere: see the leader")
    said = health.of(server.url)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in said["reasons"].items())
    if reasons:
        log = invocation.home_folder() / home.LOG_FILE
        return _check("server", "warn", f"{server.url} is {said['status']}: {reasons}", f"see {log}")
    return _check("server", "ok", f"{said['status']} at {server.url} (process {server.pid}, version {server.version})")


def _disk(invocation: Invocation) -> dict[str, Any]:
    """The home's disk, where the database cannot be asked: a full one is a reason for that."""
    folder = invocation.home_folder()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    seen = f"{free / 2**30:,.1f} GiB are free under {invocation.home_folder()}"
    full = free < LEAST_BYTES
    return _check("disk", "fail" if full else "ok", seen, "make room, then start the server again" if full else None)


def _check(name: str, state: str, seen: str, remedy: str | None = None) -> dict[str, Any]:
    return {"name": name, "state": state, "seen": seen, "remedy": remedy, "board": None}


def _show(checks: list[dict[str, Any]]) -> None:
    for one in checks:
        name = f"{one['name']} of {one['board']}" if one["board"] else one["name"]
        mark = click.style(f"{one['state']:4}", fg=MARKS[one["state"]])
        click.echo(f"{mark}  {name}: {tables.block(one['seen'])}")
        if one["remedy"] and one["state"] != "ok":
            click.echo(f"      do: {tables.block(one['remedy'])}")
