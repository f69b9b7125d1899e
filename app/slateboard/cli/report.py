"""`slate report`: what happened, who decided, why, and the proof; as a page, a document, data or a table."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FORMATS = ("html", "md", "json", "csv")
SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".json": "json", ".csv": "csv"}
WRITTEN_AT_ONCE = 2**20
"""Signs."""
TELL_AFTER_SECONDS = 1.0
"""A report that takes longer says that it is at work, and again as often."""


class Past(click.ParamType[dt.datetime]):
    """A time: ISO 8601 (on this machine's clock where it names no zone), or how long ago: `4h`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        if isinstance(value, dt.datetime):
            return value
        try:
            return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
        except ValueError:
            pass
        try:
            return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=durations.parse(value))
        except (Invalid, OverflowError):
            self.fail(f"{value[:40]!r} is no time; write it like 2026-12-24T18:00 or, before now, 4h", param, ctx)


PAST = Past()


AGENT_COLUMNS = (
    tables.field("AGENT"),
    tables.field("ITEMS"),
    tables.field("COMPLETED"),
    tables.field("FAILED"),
    tables.Column("FAILURE RATE", lambda row: _percent(row["failure_rate"])),
    tables.field("PER HOUR"),
    tables.Column("AT WORK", lambda row: durations.shown(row["busy_seconds"]) or None),
    tables.Column("TIME OF ITS ITEMS", lambda row: _spent(row["seconds"]), flexible=True),
)


@click.group()
def report() -> None:
    """What happened, who decided, why, and the proof.

    Example: slate report audit -o report.html
    """


@report.command()
@click.option("--task", metavar="TASK", shell_complete=completion.tasks, help="Only this task and all below it.")
@click.option("--agent", "of_agent", metavar="AGENT", help="Only what this agent owned or tried.")
@click.option("--since", type=PAST, help="From this time on.")
@click.option("--until", type=PAST, help="Up to, but without, this time.")
@click.option("--correlation", metavar="ID", help="Only what belongs together by this correlation.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="How it is written (as FILE ends, else html).")
@click.option("--output", "-o", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it to FILE.")
@pass_invocation
def audit(
    invocation: Invocation,
    task: str | None,
    of_agent: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    correlation: str | None,
    form: str | None,
    file: Path | None,
) -> None:
    """The audit trail: who asked whom, every version, attempt and decision, what went wrong, and the proof.

    The same log gives the same bytes. HTML is one file that needs nothing else, also on paper; md is for a repository,
    json has everything, csv is a row for each attempt.

    Example: slate report audit --since 2026-11-01 -o report.html
    """
    form = form or (SUFFIXES.get(file.suffix.lower(), "html") if file else "html")
    asked = {"task": task, "agent": of_agent, "since": since, "until": until, "correlation": correlation}
    if file is None and invocation.as_json:
        invocation.answer(invocation.run(_ask(invocation, "report_audit", parameters.given(asked))))
        return
    found = invocation.run(_ask(invocation, "report_audit", {**parameters.given(asked), "format": form}))
    if file is None:
        sys.stdout.write(found["text"])
        return
    write(file, found["text"])
    proof = found["proof"]
    told = {"file": str(file), "format": form, "events": found["events"], "proof": proof}
    verified = "verified" if proof["verified"] else f"NOT VERIFIED: {proof['problem']}"
    invocation.answer(told, f"wrote {file} ({found['events']:,} events, {verified})")


@report.command()
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder, made if it is not there.",
)
@pass_invocation
def decisions(invocation: Invocation, folder: Path) -> None:
    """Every decision as a Markdown file (MADR), numbered, with links to what it replaced and what replaced it.

    Files of the same names are written over; others in the folder are left alone.

    Example: slate report decisions -o docs/decisions
    """
    found = invocation.run(_ask(invocation, "report_decisions", {}))
    folder.mkdir(parents=True, exist_ok=True)
    for one in found:
        write(folder / one["file"], one["text"])
    files = [one["file"] for one in found]
    noun = "decision" if len(files) == 1 else "decisions"
    invocation.answer({"folder": str(folder), "files": files}, f"wrote {len(files):,} {noun} to {folder}")


@report.command()
@click.option("--since", type=PAST, help="From this time on.")
@click.option("--until", type=PAST, help="Up to, but without, this time.")
@pass_invocation
def agents(invocation: Invocation, since: dt.datetime | None, until: dt.datetime | None) -> None:
    """What each agent finished, how often it failed, and where the time of its work went.

    Example: slate report agents --since 7d
    """
    asked = parameters.given({"since": since, "until": until})
    found = invocation.run(_ask(invocation, "report_agents", asked))
    invocation.answer(found, lambda: _print_agents(invocation, found["agents"]))


def _print_agents(invocation: Invocation, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        invocation.say("no agents")
        return
    click.echo(tables.table(AGENT_COLUMNS, rows))


def _percent(rate: float | None) -> str | None:
    return None if rate is None else f"{rate * 100:.1f} %"


def _spent(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{place} {durations.shown(number)}" for place, number in seconds.items())


async def _ask(invocation: Invocation, operation: str, arguments: Mapping[str, Any]) -> Any:
    """Ask for a report, and say that it is being made if that takes long."""
    async with invocation.client() as client, _telling(invocation, client):
        return await client.call(operation, **arguments)


@asynccontextmanager
async def _telling(invocation: Invocation, client: Any) -> AsyncGenerator[None]:
    async def tell() -> None:
        await asyncio.sleep(TELL_AFTER_SECONDS)
        invocation.say(f"reading the log: {await client.call('log_head'):,} events")

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


def write(file: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as out:
            for begin in range(0, len(text), WRITTEN_AT_ONCE):
                out.write(text[begin : begin + WRITTEN_AT_ONCE])
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        message = f"cannot write {file}: {error.strerror or error}"
        raise Invalid(message, remedy="name a file in a folder that you may write to") from error
