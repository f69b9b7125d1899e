"""`slate health`: what runs without progress, what is late or stale, and which agents are degraded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from slateboard.cli import parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since

STALLED: list[Column] = [
    field("item"), field("reference"), field("agent"), field("worker", flexible=True), since("for", "since"),
]  # fmt: skip
LATE: list[Column] = [field("item"), field("reference"), field("place"), field("owner"), field("due")]
STALE: list[Column] = [field("reference"), field("owner"), since("for", "since"), field("because", flexible=True)]
DEGRADED: list[Column] = [
    field("agent"),
    Column("because", lambda row: "; ".join(one["because"] for one in row["reasons"]), flexible=True),
]
PARTS: dict[str, tuple[str, list[Column]]] = {
    "stalled": ("no progress", STALLED),
    "overdue": ("overdue", LATE),
    "due_soon": ("due soon", LATE),
    "stale": ("stale", STALE),
    "degraded": ("degraded agents", DEGRADED),
}


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Rows of each list.")
@pass_invocation
def health(invocation: Invocation, limit: int) -> None:
    """What is not as it should be: claims without progress, what is late or stale, and degraded agents.

    Example: slate health
    """
    found: Mapping[str, Any] = parameters.call(invocation, "health", limit=limit)
    invocation.answer(found, lambda: _print(found))


def _print(found: Mapping[str, Any]) -> None:
    shown = [name for name in PARTS if found[name]]
    if not shown:
        click.echo("all is well")
    for name in shown:
        title, columns = PARTS[name]
        more = ", and more: see --limit" if name in found["more"] else ""
        click.echo(f"{title} ({len(found[name])}{more})")
        click.echo(tables.table(columns, found[name]))
