"""What dead letters are searched by, at every command that lists, redrives or discards them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from slateboard.cli import completion, parameters
from slateboard.cli.parameters import DURATION

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--agent", "by", metavar="AGENT", shell_complete=completion.agents, help="Only those of this agent."),
    click.option(
        "--class", "failure_class", metavar="CLASS", help="Only failures of this class: logic, poison, unanswered …"
    ),
    click.option("--subject", metavar="PATTERN", help="Only deliveries of events whose subject fits, as in NATS."),
    click.option("--search", metavar="TEXT", help="Only those with this in their error or reference."),
    click.option("--older-than", type=DURATION, metavar="TIME", help="Only those that died at least so long ago."),
    click.option("--newer-than", type=DURATION, metavar="TIME", help="Only those that died within this time."),
)


def dead_letter_search(command: Command) -> Command:
    """The options of a search."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the operation for the options that were given."""
    names = {"by": "agent", "older_than": "older_than_seconds", "newer_than": "newer_than_seconds"}
    return {names.get(name, name): value for name, value in parameters.given(given).items()}
