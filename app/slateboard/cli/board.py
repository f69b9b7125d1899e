"""`slate board`: adds, lists, archives and deletes boards."""

from __future__ import annotations

from typing import Any

import click

from slateboard.cli import get, parameters
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol.errors import Invalid


@click.group()
def board() -> None:
    """Add, list, archive and delete boards.

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
    made = _without_board(invocation, "create_board", name=name, prefix=prefix)
    invocation.answer(
        {"id": made, "name": name}, f"board {name} is there; use it with --board {name} or SLATE_BOARD={name}"
    )


@board.command()
@click.argument("name")
@click.option("--now", is_flag=True, help="Also while work is claimed: its results are refused from then on.")
@click.option("--reason", metavar="TEXT", help="Why; the log keeps it.")
@pass_invocation
def archive(invocation: Invocation, name: str, now: bool, reason: str | None) -> None:
    """Let a board be read, and no longer changed: no claim, result, post, event or schedule, until it is unarchived.

    Refused while work is claimed: `slate pause` the board and wait, or give --now.

    Example: slate board archive website --reason "the project is over"
    """
    invocation.board = name
    answer = parameters.call(invocation, "archive_board", now=now, reason=reason)
    said = f"board {name} is archived since {answer['archived_at']}; `slate board unarchive {name}` opens it again"
    invocation.answer(answer, said)


@board.command()
@click.argument("name")
@pass_invocation
def unarchive(invocation: Invocation, name: str) -> None:
    """Let an archived board be changed again; its work goes on where it stood.

    Example: slate board unarchive website
    """
    invocation.board = name
    invocation.answer(parameters.call(invocation, "unarchive_board"), f"board {name} can be changed again")


@board.command()
@click.argument("name")
@click.option("--yes", metavar="NAME", help="The board's name once more: nothing brings it back but a backup.")
@pass_invocation
def delete(invocation: Invocation, name: str, yes: str | None) -> None:
    """Delete an archived board for good, with its work, agents, tokens and log; its name can be used again.

    Who did it, when, and where its log ended stays known: see `slate board deleted`. Files in SLATE_HOME stay.

    Example: slate board delete website --yes website
    """
    if yes is None:
        raise Invalid(f"this deletes the board {name} for good", remedy=f"say so: --yes {name}")
    invocation.board = name
    answer = parameters.call(invocation, "delete_board", confirm=yes)
    said = f"board {name} is deleted; its log ended at position {answer['position']:,} with the hash {answer['hash']}"
    invocation.answer(answer, said)


@board.command()
@pass_invocation
def deleted(invocation: Invocation) -> None:
    """The boards that were deleted, the newest first: who did it, when, and where the log ended.

    Example: slate board deleted
    """
    rows: list[dict[str, Any]] = _without_board(invocation, "list_deleted_boards")
    lines = [
        f"{row['name']}  {row['deleted_at']}  by {row['actor']}  position {row['position']:,}  hash {row['hash']}"
        for row in rows
    ]
    invocation.answer(rows, "\n".join(lines) if lines else "no board was deleted")


def _without_board(invocation: Invocation, operation: str, **arguments: Any) -> Any:
    """Asked from the default board, since the one that is meant by --board need not be there."""
    invocation.board = "default"
    return parameters.call(invocation, operation, **arguments)
