"""`slate cancel`: ends work that is no longer wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from slateboard.cli import completion, parameters
from slateboard.cli.output import Invocation, pass_invocation

Command = TypeVar("Command", bound=Callable[..., Any])


def dependents_choice(command: Command) -> Command:
    """The options that say what becomes of those who wait for something that ends."""
    command = click.option("--waive", is_flag=True, help="What waits for it goes on without it.")(command)
    return click.option("--cascade", is_flag=True, help="What waits for it is ended too.")(command)


@click.command()
@click.argument("reference", metavar="TASK/ARTIFACT", shell_complete=completion.references)
@dependents_choice
@click.option("--reason", metavar="TEXT", help="Why it is no longer wanted.")
@pass_invocation
def cancel(invocation: Invocation, reference: str, cascade: bool, waive: bool, reason: str | None) -> None:
    """Cancel an unfinished artifact. Its claim ends at once; where others wait for it, choose what becomes of them.

    Example: slate cancel announcement/changelog --cascade --reason "not this month"
    """
    answer = parameters.call(invocation, "cancel", reference=reference, reason=reason, cascade=cascade, waive=waive)
    invocation.answer(answer, "cancelled " + ", ".join(answer["cancelled"]))
