"""`slate why` and `slate stuck`: what holds an item, down to the root cause, and all that cannot move by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field

COLUMNS: list[Column] = [
    field("item"), field("reference"), field("place"), field("because", flexible=True),
    Column("until", lambda row: tables.moment(row["deadline"]) if row["deadline"] else None),
    field("release", flexible=True),
]  # fmt: skip


OVER = frozenset(("done", "cancelled"))
"""Places in which nothing is left to move."""


@click.command()
@click.argument("item", metavar="ITEM|REF", shell_complete=completion.references)
@pass_invocation
def why(invocation: Invocation, item: str) -> None:
    """Why an item or artifact does not move: the path of what holds it, down to the root cause.

    Example: slate why release/announcement
    """
    found: Mapping[str, Any] = parameters.call(invocation, "why", item=item)
    invocation.answer(found, lambda: click.echo("\n".join(_lines(found))))


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at most.")
@pass_invocation
def stuck(invocation: Invocation, limit: int) -> None:
    """All that cannot move by itself, each with what would release it; and agents that wait for each other.

    Example: slate stuck
    """
    found: Mapping[str, Any] = parameters.call(invocation, "stuck", limit=limit)
    invocation.answer(found, lambda: _print(found))


def _lines(found: Mapping[str, Any]) -> list[str]:
    path: Sequence[Mapping[str, Any]] = found["path"]
    lines = [
        f"{'  ' * min(depth, 20)}{tables.clean(step['reference'])} ({step['place']}) {tables.clean(step['because'])}"
        + (f" until {tables.moment(step['deadline'])}" if step["deadline"] else "")
        for depth, step in enumerate(path)
    ]
    if found["release"]:
        lines.append(f"to release it: {tables.clean(found['release'])}")
    elif found["moves"] and path[0]["place"] not in OVER:
        lines.append("it moves by itself")
    others = len(found["roots"]) - 1
    if others > 0:
        noun = "cause" if others == 1 and not found["more_roots"] else "causes"
        lines.append(f"beside this, {others}{' or more' if found['more_roots'] else ''} other {noun}: see --json")
    return lines


def _print(found: Mapping[str, Any]) -> None:
    rows: Sequence[Mapping[str, Any]] = found["items"]
    click.echo(tables.table(COLUMNS, rows) if rows else "nothing is stuck")
    if found["more"]:
        click.echo("… and more: see --limit")
    for agents in found["circles"]:
        click.echo(f"these wait for each other: {' → '.join(agents)}")
