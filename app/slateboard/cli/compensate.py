"""`slate compensate`: undo what was completed of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import field, since

COLUMNS: list[tables.Column] = [
    field("step", "reference"), field("version"), field("action"), field("agent"), field("state"),
    since("since", "posted_at"), field("item"), field("error", flexible=True),
]  # fmt: skip


@click.command()
@click.argument("task", metavar="TASK", shell_complete=completion.references)
@click.option("--reason", required=True, metavar="TEXT", help="Why it is to be undone.")
@pass_invocation
def compensate(invocation: Invocation, task: str, reason: str) -> None:
    """Undo what was completed of a task, the last step first, and cancel what is left of it.

    The board does so by itself when a task fails. What became of each step is shown by `slate show TASK`.

    Example: slate compensate release-7 --reason "the new version loses orders"
    """
    done: Mapping[str, Any] = parameters.call(invocation, "compensate", task=task, reason=reason)
    invocation.answer(done, lambda: click.echo("\n".join(_lines(done))))


def _lines(done: Mapping[str, Any]) -> list[str]:
    words = {"posted": "to be undone", "unknown": "effect unknown", "cancelled": "cancelled"}
    lines = [f"{word}: {tables.clean(one)}" for name, word in words.items() for one in done[name]]
    return lines or [f"{tables.clean(done['task'])} has nothing to undo"]
