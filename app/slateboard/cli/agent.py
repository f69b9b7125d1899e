"""`slate agent`: adds, lists, finds, changes and removes agents, and shows their agendas."""

from __future__ import annotations

import click

from slateboard.cli import completion, directory, get, parameters
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol.rights import Right
from slateboard.protocol.states import AgentKind


@click.group()
def agent() -> None:
    """Add, list, find, change and remove agents.

    Example: slate agent add backend --role "Builds the API" --capability python
    """


agent.add_command(get.agents, "list")
agent.add_command(directory.find)
agent.add_command(directory.change)
agent.add_command(directory.remove)
agent.add_command(directory.agenda)


@agent.command()
@click.argument("name")
@click.option("--kind", type=parameters.one_of(AgentKind), default=AgentKind.AGENT.value, show_default=True)
@click.option("--role", metavar="TEXT", help="What it is there for.")
@click.option("--capability", "capabilities", multiple=True, metavar="NAME", help="What it can do; may be repeated.")
@click.option(
    "--manager", metavar="AGENT", shell_complete=completion.agents, help="Whom its questions and failures go to first."
)
@click.option(
    "--right", type=click.Choice([right.word for right in Right]), default=Right.AGENT.word, show_default=True,
    help="What it may do.",
)  # fmt: skip
@pass_invocation
def add(invocation: Invocation, name: str, kind: str, capabilities: tuple[str, ...], **more: str | None) -> None:
    """Add an agent to the board.

    Example: slate agent add cso --role "Reviews what others build" --capability review --manager ceo
    """
    made = parameters.call(invocation, "add_agent", name=name, kind=kind, capabilities=list(capabilities), **more)
    invocation.answer({"id": made, "name": name}, f"agent {name} is there; `slate token issue {name}` gives it a token")
