"""What the shell offers when somebody presses tab: agents, tasks and references of the board.

Asks the board, at most for a page, and offers nothing where it does not answer: a completion never complains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from slateboard.cli import parameters
from slateboard.cli.output import Invocation
from slateboard.protocol.pages import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping


def agents(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The agents of the board."""
    return [
        CompletionItem(row["name"], help=row["role"])
        for row in _rows(context, "list_agents")
        if row["name"].startswith(incomplete)
    ]


def tasks(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tasks of the board."""
    return [
        CompletionItem(row["name"], help=row["title"])
        for row in _rows(context, "list_tasks", roll_up=False)
        if row["name"].startswith(incomplete)
    ]


def references(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tasks of the board; after the slash, the artifacts of that task."""
    task, slash, _ = incomplete.partition("/")
    if not slash:
        return tasks(context, parameter, incomplete)
    return [
        CompletionItem(row["reference"], help=row["status"])
        for row in _rows(context, "list_artifacts", task=task)
        if row["reference"].startswith(incomplete)
    ]


def subscriptions(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The subscriptions of the board."""
    return [
        CompletionItem(row["name"], help=", ".join(row["patterns"]))
        for row in _answer(context, "list_subscriptions") or ()
        if row["name"].startswith(incomplete)
    ]


def schedules(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The schedules of the board."""
    return [
        CompletionItem(row["name"], help=row["cron"])
        for row in _answer(context, "list_schedules") or ()
        if row["name"].startswith(incomplete)
    ]


def _rows(context: click.Context, operation: str, **filters: Any) -> list[Mapping[str, Any]]:
    found: dict[str, Any] = _answer(context, operation, first=MAX_PAGE, **filters) or {"rows": []}
    return found["rows"]


def _answer(context: click.Context, operation: str, **arguments: Any) -> Any:
    invocation = context.find_object(Invocation) or Invocation()
    try:
        return parameters.call(invocation, operation, **arguments)
    except Exception:  # noqa: BLE001  whatever is wrong, the next command will say it
        return None
