"""`slate subscription`: who hears of which events, and what becomes of it: a delivery for each, work like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field
from slateboard.protocol.states import Priority


def _state(row: Mapping[str, Any]) -> str:
    return f"paused: {row['paused_because']}" if row["paused_at"] else "active"


def _patterns(row: Mapping[str, Any]) -> str:
    return (" and " if row["all_of"] else ", ").join(row["patterns"])


COLUMNS: list[Column] = [
    field("name"), Column("hears of", _patterns, flexible=True), field("filter", flexible=True), field("agent"),
    field("action"), field("behind"), Column("state", _state, flexible=True),
]  # fmt: skip
A_PLACE = "now, beginning, a position, or a time."


@click.group()
def subscription() -> None:
    """Add, list, pause, rewind and remove the board's subscriptions.

    Example: slate subscription add deploys 'genbrain.events.pr.*' --agent devops --action trigger_deployment
    """


@subscription.command()
@click.argument("name", metavar="NAME")
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@click.option("--agent", required=True, metavar="AGENT", shell_complete=completion.agents, help="Who handles them.")
@click.option("--action", default="handle", show_default=True, metavar="NAME", help="What is to be done.")
@click.option("--filter", "path", metavar="JSONPATH", help="Only events that this Postgres JSON path fits.")
@click.option("--all-of", is_flag=True, help="Deliver once every pattern was met by events of one correlation.")
@click.option("--ordered-by", metavar="JSONPATH", help="A key: deliveries of one key are claimed one after the other.")
@click.option("--start", default="now", show_default=True, metavar="PLACE", help=f"The first event: {A_PLACE}")
@click.option("--priority", type=parameters.one_of(Priority), default="medium", show_default=True)
@pass_invocation
def add(invocation: Invocation, name: str, patterns: tuple[str, ...], path: str | None, **wanted: Any) -> None:
    """Let each event that matches become a delivery for an agent. A pattern is as in NATS: `*` one token, `>` the rest.

    A filter is a path over the event's {subject, actor, correlation, payload}.

    Example: slate subscription add main-deploys 'genbrain.events.pr.merged' --agent devops --filter '$.payload.main'
    """
    made = parameters.call(invocation, "subscribe", name=name, patterns=list(patterns), filter=path, **wanted)
    invocation.answer(made, f"{made['name']} hears of {_patterns(made)}")


@subscription.command()
@click.argument("name", metavar="NAME", shell_complete=completion.subscriptions)
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@click.option("--agent", required=True, metavar="AGENT", shell_complete=completion.agents, help="Who handles them.")
@click.option("--action", default="handle", show_default=True, metavar="NAME", help="What is to be done.")
@click.option("--filter", "path", metavar="JSONPATH", help="Only events that this Postgres JSON path fits.")
@click.option("--all-of", is_flag=True, help="Deliver once every pattern was met by events of one correlation.")
@click.option("--ordered-by", metavar="JSONPATH", help="A key: deliveries of one key are claimed one after the other.")
@click.option("--priority", type=parameters.one_of(Priority), default="medium", show_default=True)
@pass_invocation
def change(invocation: Invocation, name: str, patterns: tuple[str, ...], path: str | None, **wanted: Any) -> None:
    """Say anew, and wholly, what a subscription hears of and who handles it. It goes on from its place in the log.

    Example: slate subscription change main-deploys 'genbrain.events.pr.*' --agent devops
    """
    made = parameters.call(invocation, "change_subscription", name=name, patterns=list(patterns), filter=path, **wanted)
    invocation.answer(made, f"{made['name']} hears of {_patterns(made)}")


@subscription.command("list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """The subscriptions of the board, with how many positions each is behind the log.

    Example: slate subscription list
    """
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "list_subscriptions")
    show_rows(invocation, rows, COLUMNS, "no subscriptions")


@subscription.command()
@click.argument("name", metavar="NAME", shell_complete=completion.subscriptions)
@pass_invocation
def remove(invocation: Invocation, name: str) -> None:
    """Take a subscription away. What it delivered stays.

    Example: slate subscription remove main-deploys
    """
    invocation.answer(parameters.call(invocation, "unsubscribe", name=name), f"{name} is removed")


@subscription.command()
@click.argument("name", metavar="NAME", shell_complete=completion.subscriptions)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is shown to all.")
@pass_invocation
def pause(invocation: Invocation, name: str, reason: str) -> None:
    """Deliver nothing more for now. What comes meanwhile is delivered when it is resumed.

    Example: slate subscription pause main-deploys --reason "the freeze of December"
    """
    answer = parameters.call(invocation, "pause_subscription", name=name, reason=reason)
    invocation.answer(answer, f"{name} is paused; `slate subscription resume {name}` takes it back")


@subscription.command()
@click.argument("name", metavar="NAME", shell_complete=completion.subscriptions)
@pass_invocation
def resume(invocation: Invocation, name: str) -> None:
    """Go on delivering, from where it stopped.

    Example: slate subscription resume main-deploys
    """
    invocation.answer(parameters.call(invocation, "resume_subscription", name=name), f"{name} is resumed")


@subscription.command()
@click.argument("name", metavar="NAME", shell_complete=completion.subscriptions)
@click.option("--to", required=True, metavar="PLACE", help=f"The event that is next: {A_PLACE}")
@pass_invocation
def rewind(invocation: Invocation, name: str, to: str) -> None:
    """Go on from another place of the log. What comes after it is delivered once more.

    Example: slate subscription rewind main-deploys --to 4711
    """
    answer = parameters.call(invocation, "rewind_subscription", name=name, to=to)
    invocation.answer(answer, f"{name} goes on after position {answer['cursor']}")


def show_rows(
    invocation: Invocation, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], nothing: str
) -> None:
    """A list that has no pages: a table, or a word that there is nothing."""

    def show() -> None:
        if rows:
            click.echo(tables.table(columns, rows))
        else:
            invocation.say(nothing)

    invocation.answer(rows, show)
