"""`slate pause` and `slate resume`: one switch for an agent, a board or everything; what runs, runs on."""

from __future__ import annotations

import click

from slateboard.cli import completion, parameters
from slateboard.cli.output import Invocation, pass_invocation


@click.command()
@click.option("--agent", "name", metavar="AGENT", shell_complete=completion.agents, help="Only this agent.")
@click.option("--everything", is_flag=True, help="All boards.")
@click.option("--reason", metavar="TEXT", help="Why; those who are refused a claim read it.")
@pass_invocation
def pause(invocation: Invocation, name: str | None, everything: bool, reason: str | None) -> None:
    """Stop claims that begin after this: of the board, of one agent, or of everything. What runs, runs on.

    Example: slate pause --agent backend --reason "the API key is used up"
    """
    answer = parameters.call(invocation, "pause", agent=name, everything=everything, reason=reason)
    invocation.answer(answer, f"{answer['paused']} is paused; `slate resume` takes it back")


@click.command()
@click.option("--agent", "name", metavar="AGENT", shell_complete=completion.agents, help="Only this agent.")
@click.option("--everything", is_flag=True, help="All boards.")
@pass_invocation
def resume(invocation: Invocation, name: str | None, everything: bool) -> None:
    """Take a pause back; each of the three (agent, board, everything) is a switch of its own.

    Example: slate resume --agent backend
    """
    answer = parameters.call(invocation, "resume", agent=name, everything=everything)
    invocation.answer(answer, f"{answer['resumed']} is resumed")
