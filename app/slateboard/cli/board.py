"""`slate board`: adds and lists boards."""

from __future__ import annotations

import click

from slateboard.cli import get
from slateboard.cli.output import Invocation, pass_invocation


@click.group()
def board() -> None:
    """Add and list boards.

    Example: slate board add website
    """


board.add_command(get.boards, "list")


@board.command()
@click.argument("name")
@click.option("--prefix", metavar="NAME", help="What the subjects of its agents' own events begin with.")
@pass_invocation
def add(invocation: Invocation, name: str, prefix: str | None) -> None:
    """Make a board.

    Example: slate board add website --prefix acme
    """

    async def act() -> int:
        # Asked from the default board, since the one that is meant by --board need not exist yet.
        invocation.board = "default"
        async with invocation.client() as client:
            return await client.call("create_board", name=name, **({} if prefix is None else {"prefix": prefix}))

    made = invocation.run(act())
    invocation.answer(
        {"id": made, "name": name}, f"board {name} is there; use it with --board {name} or SLATE_BOARD={name}"
    )
