"""`slate thread`: what agents say to each other, and what of it was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.publish import data_of

COLUMNS = (
    tables.field("THREAD", "thread"), tables.field("UNREAD", "unread"), tables.field("OPENED BY", "opened_by"),
    tables.since("AGE", "opened_at"), tables.field("TOPIC", "topic", flexible=True),
)  # fmt: skip
FIRST = 50
MAX_FIRST = 1_000
THREAD = click.argument("thread", metavar="ID", type=int)
PAGE = click.option("--first", type=click.IntRange(1, MAX_FIRST), default=FIRST, metavar="N",
                    help=f"How many [{FIRST}].")  # fmt: skip


@click.group()
def thread() -> None:
    """What agents say to each other, each topic on a thread of its own.

    Example: slate thread list --unread --agent backend
    """


@thread.command("list")
@click.option("--agent", metavar="AGENT", shell_complete=completion.agents, help="Those that this agent is on.")
@click.option("--unread", is_flag=True, help="Only those with messages that it has not read.")
@PAGE
@click.option("--after", type=int, metavar="ID", help="Go on after this thread.")
@pass_invocation
def list_(invocation: Invocation, agent: str | None, unread: bool, first: int, after: int | None) -> None:
    """List threads, the newest first, with how many messages the agent has not read.

    Example: slate thread list --agent backend --unread
    """
    rows = parameters.call(invocation, "list_threads", agent=agent, unread=unread, first=first, after=after)
    invocation.answer(rows, tables.table(COLUMNS, rows) if rows else "there is no thread")


@thread.command()
@THREAD
@PAGE
@click.option("--after", type=int, metavar="ID", help="Go on after this message.")
@pass_invocation
def show(invocation: Invocation, thread: int, first: int, after: int | None) -> None:
    """Show what was said on a thread, the oldest first.

    Example: slate thread show 4711
    """
    found = parameters.call(invocation, "show_thread", thread=thread, first=first, after=after)
    invocation.answer(found, lambda: _show(found))


@thread.command()
@THREAD
@click.argument("text")
@click.option("--data", metavar="JSON|@FILE|-", help="What is said of it, at most 1 MiB; `-` reads standard input.")
@pass_invocation
def reply(invocation: Invocation, thread: int, text: str, data: str | None) -> None:
    """Say something on a thread; `slate answer` answers a question.

    Example: slate thread reply 4711 "I shall look tonight" --as cso
    """
    said = parameters.call(invocation, "reply", thread=thread, text=text, data=data_of(data))
    invocation.answer(said, f"said it (message {said['message']})")


@thread.command()
@THREAD
@click.option("--message", type=int, metavar="ID", help="Only up to this message.")
@pass_invocation
def read(invocation: Invocation, thread: int, message: int | None) -> None:
    """Say that a thread was read.

    Example: slate thread read 4711 --as backend
    """
    said = parameters.call(invocation, "acknowledge", thread=thread, message=message)
    invocation.answer(said, "nothing of it was new" if said["read_to"] is None else f"read up to {said['read_to']}")


def _show(found: Mapping[str, Any]) -> None:
    """The topic with who is on it, then each message with its author."""
    unread = [f"{one['agent']} ({one['unread']} unread)" if one["unread"] else one["agent"] for one in found["members"]]
    click.echo(f"{click.style(tables.text_of(found['topic']), bold=True)}  {', '.join(unread)}")
    for one in found["messages"]:
        click.echo(f"{one['message']}  {tables.moment(one['said_at'])}  {one['said_by']} ({one['kind']})")
        click.echo(f"    {tables.text_of(one['text'])}")
        if one["data"] is not None:
            click.echo(f"    {tables.text_of(one['data'])}")
