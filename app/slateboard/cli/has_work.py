"""`slate has-work`: the cheap question before something expensive, such as a model, is started."""

from __future__ import annotations

import click

from slateboard.cli import completion, parameters
from slateboard.cli.output import Invocation, nothing_to_do, pass_invocation


@click.command()
@click.option(
    "--agent", "name", metavar="AGENT", shell_complete=completion.agents, help="Whose inboxes to look into (else --as)."
)
@pass_invocation
def has_work(invocation: Invocation, name: str | None) -> None:
    """Whether a claim would find anything now: exit code 0 and `yes`, or 3 and `no`. It takes nothing.

    Example: slate has-work --agent backend && ./start-my-model
    """
    invocation.agent = name or parameters.acting(invocation)
    found: bool = parameters.call(invocation, "has_work")
    invocation.answer(found, "yes" if found else "no")
    if not found:
        nothing_to_do()
