"""`slate consult`, `request`, `notify` and `peers`: questions to other agents, and what they must hear of."""

from __future__ import annotations

from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.parameters import DURATION
from slateboard.cli.publish import data_of
from slateboard.protocol.states import Priority

COLUMNS = (
    tables.field("AGENT", "agent"), tables.field("KIND", "kind"), tables.field("PEER", "other"),
    tables.field("FOR / WHEN", "label", flexible=True), tables.field("ON", "subject"),
    tables.field("SOURCE", "source"),
)  # fmt: skip


def asking(command: Any) -> Any:
    """What all questions to peers take."""
    for option in (
        click.option("--note", metavar="TEXT", help="A sentence for the attempt that follows."),
        click.option("--severity", type=parameters.one_of(Priority), help="How much it matters [medium]."),
        click.option("--deadline", "deadline_seconds", type=DURATION, metavar="TIME",
                     help="How long there is to answer [4h]."),
        click.option("--topic", metavar="TEXT", help="What its thread is about; else what the route says."),
        click.option("--no-wait", is_flag=True, help="Keep the claim; the answer comes as a message on the thread."),
        click.option("--fence", type=int, envvar="SLATE_FENCE", metavar="F", help="The fence of its claim."),
        click.option("--item", type=int, envvar="SLATE_ITEM", metavar="ITEM",
                     help="The work that waits for the answer (with --fence)."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@click.argument("to", metavar="AGENT", shell_complete=completion.agents)
@click.argument("question")
@asking
@click.option("--thread", type=int, metavar="ID", help="Ask on this thread, instead of a new one.")
@click.option("--option", "options", multiple=True, metavar="TEXT", help="A possible answer; repeatable.")
@click.option("--default", metavar="TEXT", help="The answer if nobody gives one.")
@pass_invocation
def consult(invocation: Invocation, to: str, options: tuple[str, ...], **said: Any) -> None:
    """Ask a peer along a route. Under a claim, that is given back until the answer has come.

    Example: slate consult cso "Is the new endpoint safe?" --as backend
    """
    if options:
        said["options"] = list(options)
    answer = _ask(invocation, "consult", {"to": to, **said})
    until = tables.moment(answer["deadline"])
    invocation.answer(answer, f"asked {to} ({answer['consult']}) on thread {answer['thread']}, until {until}")


@click.command()
@click.argument("capability")
@click.argument("question")
@asking
@click.option("--answers", type=int, metavar="N", help="How many answers count [1].")
@pass_invocation
def request(invocation: Invocation, capability: str, **said: Any) -> None:
    """Ask whoever has a capability; the first answers count.

    Example: slate request sql "Which index?" --answers 2 --as backend
    """
    answer = _ask(invocation, "request", {"capability": capability, **said})
    wanted = "answer" if answer["answers"] == 1 else "answers"
    told = f"{answer['answers']} {wanted} wanted until {tables.moment(answer['deadline'])}"
    invocation.answer(answer, f"request {answer['request']} on thread {answer['thread']}: {told}")


@click.command()
@click.argument("label")
@click.argument("text", required=False)
@click.option("--data", metavar="JSON|@FILE|-", help="What is said of it, at most 1 MiB; `-` reads standard input.")
@pass_invocation
def notify(invocation: Invocation, label: str, text: str | None, data: str | None) -> None:
    """Tell all whom the routes name for a label, the `when` of a RoutingTable.

    Example: slate notify "API contract changes" "orders has a discount" --as backend
    """
    answer = parameters.call(invocation, "notify", label=label, text=text, data=data_of(data))
    invocation.answer(answer, f"told {', '.join(answer['told'])} on thread {answer['thread']}")


@click.command()
@click.option("--agent", metavar="AGENT", shell_complete=completion.agents, help="Only whom this agent may ask, tell.")
@pass_invocation
def peers(invocation: Invocation, agent: str | None) -> None:
    """Whom agents may consult for what, and whom they tell when.

    Example: slate peers --agent backend
    """
    rows = parameters.call(invocation, "list_routes", agent=agent)
    invocation.answer(rows, tables.table(COLUMNS, rows) if rows else "there is no route")


def _ask(invocation: Invocation, operation: str, said: dict[str, Any]) -> Any:
    """Ask under the claim that is named, if one is: it waits for the answer, unless it is told not to."""
    item, fence = said.pop("item"), said.pop("fence")
    under = (item, fence) if said.pop("no_wait") and item is not None and fence is not None else None
    claim = {} if under else {"item": item, "fence": fence}

    async def act() -> Any:
        async with invocation.client() as client:
            return await client.transport.call(operation, parameters.given({**said, **claim}), under=under)

    return invocation.run(act())
