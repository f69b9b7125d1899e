"""`slate usage`, and `slate budget`: what was used, and how much may be."""

from __future__ import annotations

from typing import Any

import click

from slateboard.cli import completion, endings, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.subscription import show_rows
from slateboard.cli.tables import Column, field

USED: list[Column] = [
    field("name", flexible=True), field("input", "input_tokens"), field("cached", "cached_tokens"),
    field("output", "output_tokens"), field("cost"), field("reports"),
]  # fmt: skip
BUDGETS: list[Column] = [
    field("scope"), field("name", flexible=True), field("tokens", "used_tokens"), field("of", "tokens"),
    field("cost", "used_cost"), field("of", "cost"), field("since", "exhausted_at"),
]  # fmt: skip
LIMIT = 1_000


@click.command()
@click.option("--agent", metavar="AGENT", shell_complete=completion.agents, help="Only what this agent used.")
@click.option("--task", metavar="TASK", help="Only what was used for this task and all below it.")
@click.option(
    "--per", type=click.Choice(["agent", "task", "item", "model"]), default="agent", show_default=True,
    help="What a row stands for.",
)  # fmt: skip
@pass_invocation
def usage(invocation: Invocation, agent: str | None, task: str | None, per: str) -> None:
    """Tokens and cost that attempts reported, the dearest first, and their sum.

    Example: slate usage --task payments --per model
    """
    answer: dict[str, Any] = parameters.call(invocation, "usage", agent=agent, task=task, per=per, limit=LIMIT)
    rows = [*answer["rows"], {"name": "in all", **answer["total"]}]
    invocation.answer(answer, tables.table(USED, [{**row, "name": row["name"] or "(none)"} for row in rows]))


@click.command("usage")
@endings.under_claim
@click.option("--input-tokens", type=int, default=0, metavar="N", help="Read, those from a cache among them.")
@click.option("--cached-tokens", type=int, default=0, metavar="N", help="Of these, from a cache.")
@click.option("--output-tokens", type=int, default=0, metavar="N", help="Written.")
@click.option("--cost", type=float, default=0.0, metavar="AMOUNT", help="In the board's currency.")
@click.option("--model", metavar="NAME", help="Which model.")
@pass_invocation
def report(invocation: Invocation, item: str, fence: int, **used: Any) -> None:
    """Say what an attempt used since it last said so, while it runs.

    Example: slate work usage payments/report --fence 12 --input-tokens 1200 --output-tokens 300 --cost 0.02
    """

    async def act() -> dict[str, Any]:
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            return await client.call("report_usage", item=number, fence=fence, **parameters.given(used))

    answer = invocation.run(act())
    invocation.answer(answer, f"booked for item {answer['item']}")


@click.group()
def budget() -> None:
    """Set, list and remove what agents, tasks and the board may use; at the limit nothing more is claimed.

    Example: slate budget set --task payments --cost 20
    """


@budget.command("set")
@click.option("--agent", metavar="AGENT", shell_complete=completion.agents, help="Of this agent.")
@click.option("--task", metavar="TASK", help="Of this task and all below it.")
@click.option("--tokens", type=int, metavar="N", help="Input and output tokens together.")
@click.option("--cost", type=float, metavar="AMOUNT", help="In the currency that attempts report.")
@pass_invocation
def set_(invocation: Invocation, agent: str | None, task: str | None, tokens: int | None, cost: float | None) -> None:
    """Set a budget, or change it: of an agent, a task, or (without either) the board. What runs, runs on.

    Example: slate budget set --agent backend --tokens 2000000
    """
    answer = parameters.call(invocation, "set_budget", agent=agent, task=task, tokens=tokens, cost=cost)
    held = "; it is used up" if answer["exhausted_at"] else ""
    invocation.answer(answer, f"the budget of {answer['scope']} is set{held}")


@budget.command("list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """The budgets, what is used of each, and since when one stops claims.

    Example: slate budget list
    """
    show_rows(invocation, parameters.call(invocation, "list_budgets"), BUDGETS, "no budgets")


@budget.command()
@click.option("--agent", metavar="AGENT", shell_complete=completion.agents, help="Of this agent.")
@click.option("--task", metavar="TASK", help="Of this task.")
@pass_invocation
def remove(invocation: Invocation, agent: str | None, task: str | None) -> None:
    """Take a budget away: of an agent, a task, or (without either) the board.

    Example: slate budget remove --agent backend
    """
    answer = parameters.call(invocation, "remove_budget", agent=agent, task=task)
    invocation.answer(answer, f"{answer['removed']} has no budget now")
