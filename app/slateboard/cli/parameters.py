"""What commands take on their line: lengths of time, times, items; and the calls that most of them make."""

from __future__ import annotations

import datetime as dt
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

import click

from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid

if TYPE_CHECKING:
    from slateboard import Client
    from slateboard.cli.output import Invocation


class Duration(click.ParamType[float]):
    """A length of time, in seconds: `90s`, `15m`, `1h30m`, `2d`, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        try:
            return durations.parse(value)
        except Invalid as error:
            self.fail(f"{error.message}; {error.remedy}", param, ctx)


class Moment(click.ParamType[dt.datetime]):
    """A time: ISO 8601 (on this machine's clock where it names no zone), or how far ahead: `4h`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        if isinstance(value, dt.datetime):
            return value
        try:
            return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
        except ValueError:
            pass
        try:
            return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=durations.parse(value))
        except (Invalid, OverflowError):
            self.fail(f"{value[:40]!r} is no time; write it like 2026-12-24T18:00 or, from now on, 4h", param, ctx)


class PastPoint(click.ParamType[dict[str, Any]]):
    """A point in the log: a position (also as `board@position`), or a time in ISO 8601 (on this machine's clock)."""

    name = "position|time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        if value.rpartition("@")[2].isdecimal():
            return {"position": value}
        try:
            return {"time": dt.datetime.fromisoformat(value).astimezone(dt.UTC)}
        except ValueError:
            self.fail(f"{value[:40]!r} is neither a position nor a time like 2026-12-24T18:00", param, ctx)


DURATION = Duration()
PAST_POINT = PastPoint()
MOMENT = Moment()


def one_of(states: type[StrEnum]) -> click.Choice[str]:
    """One of the words of a closed set, as they are written."""
    return click.Choice([state.value for state in states])


def call(invocation: Invocation, operation: str, **arguments: Any) -> Any:
    """Connect, do one operation of the catalogue, and return its answer; arguments that are None are left out."""

    async def ask() -> Any:
        async with invocation.client() as client:
            return await client.call(operation, **given(arguments))

    return invocation.run(ask())


def given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that were given."""
    return {name: value for name, value in arguments.items() if value is not None}


def acting(invocation: Invocation) -> str:
    """The agent that acts; `Invalid` if none was named."""
    agent = invocation.agent or os.environ.get("SLATE_AGENT")
    if not agent:
        raise Invalid("which agent acts?", remedy="give --as AGENT, or set SLATE_AGENT")
    return agent


async def item_of(client: Client, what: str) -> int:
    """The id of a work item: the number itself, or the item that now produces the artifact of that reference."""
    if what.isdecimal():
        return int(what)
    page = await client.call("list_artifacts", references=[what])
    return page["rows"][0]["item"]
