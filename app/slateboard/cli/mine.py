"""`slate mine`: what an agent holds now, with the fences it needs and the notes it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from slateboard.cli import parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since


def _progress(row: Mapping[str, Any]) -> str:
    percent = None if row["percent"] is None else f"{row['percent']} %"
    return " ".join(part for part in (percent, row["progress"]) if part)


COLUMNS: list[Column] = [
    field("item"), field("fence"), field("reference"), field("attempt"), since("held", "claimed_at"),
    Column("lease", lambda row: tables.until(row["expires_at"])),
    Column("progress", _progress, flexible=True),
    Column("left for the next", lambda row: row["note"] or row["checkpoint"], flexible=True),
]  # fmt: skip


@click.command()
@pass_invocation
def mine(invocation: Invocation) -> None:
    """What the agent (--as) holds now, the oldest first, with the fences, notes and checkpoints.

    Example: slate mine --as backend
    """
    parameters.acting(invocation)
    held: Sequence[Mapping[str, Any]] = parameters.call(invocation, "mine")
    invocation.answer(held, lambda: _print(invocation, held))


def _print(invocation: Invocation, held: Sequence[Mapping[str, Any]]) -> None:
    if held:
        click.echo(tables.table(COLUMNS, held))
    else:
        invocation.say("nothing is held")
