"""`slate log archive`: move old events out of the database into files, by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

import click

from slateboard.cli.output import Invocation, pass_invocation


class Before(click.ParamType[Any]):
    """A day in UTC (`2026-12-24`), or a position of the board's log."""

    name = "date|position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        if value.isdecimal():
            return int(value)
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value[:40]!r} is neither a day like 2026-12-24 nor a position", param, ctx)


@click.command
@click.option("--before", type=Before(), metavar="DATE|POSITION", required=True, help="The first day that stays here.")
@pass_invocation
def archive(invocation: Invocation, before: Any) -> None:
    """Move the events of whole days, of all boards, out of the database into SLATE_HOME/archive.

    Each board's events become a file as `slate log export` writes it, with a snapshot of the board at its end: proof
    and --as-of go on from there. A position means the day of that event. A day of which a subscription (a paused
    one, too), a wait or an unfinished delivery has still to read stays, with those after it; the answer says which.
    Runs where the server's home is, with the URL of the schema's owner. A server does the same by itself after
    SLATE_ARCHIVE_AFTER_DAYS.

    Example: slate log archive --before 2026-12-01
    """
    from slateboard import settings
    from slateboard.server import maintenance

    wanted = settings.load(invocation.environment())
    made = maintenance.archive(wanted, before=before, progress=invocation.say)
    said = [f"{one.board}: {one.first} to {one.last} are in {one.file}" for one in made.archives]
    said += [f"{one.board}: {one.position} and what follows stays: {one.reason}" for one in made.held]
    invocation.answer(asdict(made), "\n".join(said) if said else "nothing is older than that")
