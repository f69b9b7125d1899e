"""`slate limit`: how many items run at once, or start in a period."""

from __future__ import annotations

import click

from slateboard.cli import parameters
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.subscription import show_rows
from slateboard.cli.tables import Column, field

COLUMNS: list[Column] = [
    field("scope"), field("name", flexible=True), field("running"), field("of", "concurrency"), field("rate"),
    field("seconds", "per_seconds"),
]  # fmt: skip
SCOPES = click.Choice(["agent", "capability", "key"])


@click.group()
def limit() -> None:
    """Set, list and remove limits of agents, capabilities, and keys of artifacts.

    Example: slate limit set key github-api --rate 60 --per 1m
    """


@limit.command("set")
@click.argument("scope", type=SCOPES)
@click.argument("name", metavar="NAME")
@click.option("--concurrency", type=int, metavar="N", help="Items at once.")
@click.option("--rate", type=int, metavar="N", help="Starts in the time that --per says.")
@click.option("--per", type=parameters.DURATION, metavar="DURATION", help="The time of --rate.")
@pass_invocation
def set_(
    invocation: Invocation, scope: str, name: str, concurrency: int | None, rate: int | None, per: float | None
) -> None:
    """Set a limit, or change it. What runs, runs on; what cannot start waits and goes on by itself.

    Example: slate limit set agent backend --concurrency 4
    """
    answer = parameters.call(
        invocation, "set_limit", scope=scope, name=name, concurrency=concurrency, rate=rate, per_seconds=per
    )
    invocation.answer(answer, f"the {scope} {name} is limited")


@limit.command("list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """The limits, and how many items each lets run now.

    Example: slate limit list
    """
    show_rows(invocation, parameters.call(invocation, "list_limits"), COLUMNS, "no limits")


@limit.command()
@click.argument("scope", type=SCOPES)
@click.argument("name", metavar="NAME")
@pass_invocation
def remove(invocation: Invocation, scope: str, name: str) -> None:
    """Take a limit away.

    Example: slate limit remove key github-api
    """
    invocation.answer(
        parameters.call(invocation, "remove_limit", scope=scope, name=name), f"the {scope} {name} has no limit now"
    )
