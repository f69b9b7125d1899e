"""`slate schedule`: events that the board publishes by itself, at the times that a cron expression says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.publish import data_of
from slateboard.cli.subscription import show_rows
from slateboard.cli.tables import Column, field


def _next(row: Mapping[str, Any]) -> str:
    """The next time, by the clock of the schedule's own zone."""
    return row["next_at"].astimezone(ZoneInfo(row["timezone"])).strftime("%Y-%m-%d %H:%M:%S")


COLUMNS: list[Column] = [
    field("name"), field("cron"), field("timezone"), field("subject", flexible=True), Column("next", _next),
]  # fmt: skip


@click.group()
def schedule() -> None:
    """Add, list and remove the board's schedules.

    Example: slate schedule add standup '0 9 * * MON-FRI' --timezone Europe/Berlin --subject genbrain.events.standup
    """


@schedule.command()
@click.argument("name", metavar="NAME")
@click.argument("cron", metavar="CRON")
@click.option("--subject", required=True, metavar="SUBJECT", help="What is published.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Whose clock: Europe/Berlin.")
@click.option("--data", metavar="JSON|@FILE|-", help="What is said of it; `-` reads standard input.")
@pass_invocation
def add(invocation: Invocation, name: str, cron: str, subject: str, timezone: str, data: str | None) -> None:
    """Publish an event at each time that fits: minute, hour, day, month, weekday. Each is published once.

    Example: slate schedule add nightly '30 2 * * *' --timezone Europe/Berlin --subject genbrain.events.night
    """
    made = parameters.call(
        invocation, "schedule", name=name, cron=cron, timezone=timezone, subject=subject, data=data_of(data)
    )
    invocation.answer(made, f"{name} publishes {subject} next at {tables.moment(made['next_at'])}")


@schedule.command("list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """The schedules of the board, with the next time of each.

    Example: slate schedule list
    """
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "list_schedules")
    show_rows(invocation, rows, COLUMNS, "no schedules")


@schedule.command()
@click.argument("name", metavar="NAME", shell_complete=completion.schedules)
@pass_invocation
def remove(invocation: Invocation, name: str) -> None:
    """Take a schedule away.

    Example: slate schedule remove nightly
    """
    invocation.answer(parameters.call(invocation, "unschedule", name=name), f"{name} is removed")
