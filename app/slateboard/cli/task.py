"""`slate task`: giving tasks on out of work in hand, back, and to others; cancelling subtrees; who answers for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.cancel import dependents_choice
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since
from slateboard.protocol.errors import Invalid

HOPS: list[Column] = [
    field("task"), field("by", "delegator"), field("to", "agent"), field("state"), since("since", "delegated_at"),
    field("reason"), field("title", flexible=True),
]  # fmt: skip


@click.group()
def task() -> None:
    """Delegate, decline, reassign and cancel tasks, and show who answers for them.

    Example: slate task chain release-api/benchmark
    """


@task.command()
@click.argument("item", type=int, envvar="SLATE_ITEM")
@click.option("--fence", type=int, required=True, envvar="SLATE_FENCE", metavar="F", help="The fence of the claim.")
@click.option(
    "--give", "gives", multiple=True, required=True, metavar="'NAME AGENT TITLE'",
    help="A task below the one in hand, its agent, and what it is about; may be repeated.",
)  # fmt: skip
@click.option("--note", metavar="TEXT", help="For the attempt that goes on with it.")
@pass_invocation
def delegate(invocation: Invocation, item: int, fence: int, gives: tuple[str, ...], note: str | None) -> None:
    """Give tasks to others and the claim back until they are complete: all of it, or nothing.

    Example: slate task delegate 4711 --fence 99 --give "api backend Build the API" --give "page frontend Build it"
    """
    tasks = [_given(one) for one in gives]
    answer: Mapping[str, Any] = parameters.call(invocation, "delegate", item=item, fence=fence, tasks=tasks, note=note)
    invocation.answer(answer, f"item {item} waits for {answer['remaining']} artifacts of {', '.join(answer['tasks'])}")


@task.command()
@click.argument("name", metavar="TASK", shell_complete=completion.tasks)
@click.option("--reason", required=True, metavar="TEXT", help="Why; who delegated it is told.")
@pass_invocation
def decline(invocation: Invocation, name: str, reason: str) -> None:
    """Give a delegated task back to who delegated it.

    Example: slate task decline release-api --reason "I know no SQL"
    """
    answer = parameters.call(invocation, "decline", task=name, reason=reason)
    invocation.answer(answer, f"{name} is back with {answer['to']}, who is told by escalation {answer['escalation']}")


@task.command()
@click.argument("name", metavar="TASK", shell_complete=completion.tasks)
@click.argument("agent", metavar="AGENT", shell_complete=completion.agents)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the log.")
@pass_invocation
def reassign(invocation: Invocation, name: str, agent: str, reason: str) -> None:
    """Give a task to another agent; what is claimed of it goes on.

    Example: slate task reassign release-api frontend --reason "backend is on holiday"
    """
    answer = parameters.call(invocation, "reassign", task=name, agent=agent, reason=reason)
    invocation.answer(answer, f"{name} is {agent}'s, and was {answer['before'] or 'nobody'}'s")


@task.command()
@click.argument("name", metavar="TASK", shell_complete=completion.tasks)
@dependents_choice
@click.option("--reason", required=True, metavar="TEXT", help="Why it is no longer wanted.")
@pass_invocation
def cancel(invocation: Invocation, name: str, cascade: bool, waive: bool, reason: str) -> None:
    """Cancel a task with all below it, the leaves first; what was completed of them is undone as is declared.

    Example: slate task cancel release-api --waive --reason "not this year"
    """
    answer: Mapping[str, Any] = parameters.call(
        invocation, "cancel_task", task=name, reason=reason, cascade=cascade, waive=waive
    )
    lines = [f"{key}: {', '.join(answer[key])}" for key in ("cancelled", "undone", "unknown") if answer[key]]
    invocation.answer(answer, "\n".join(lines) or f"nothing was left of {name}")


@task.command()
@click.argument("reference", metavar="TASK[/ARTIFACT]", shell_complete=completion.references)
@pass_invocation
def chain(invocation: Invocation, reference: str) -> None:
    """Who gave what to whom on the way from the root, when, and what the other said to it.

    Example: slate task chain release-api/benchmark
    """
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "accountability", reference=reference)
    invocation.answer(rows, tables.table(HOPS, rows))


def _given(text: str) -> dict[str, Any]:
    name, _, rest = text.partition(" ")
    agent, _, title = rest.strip().partition(" ")
    if not agent or not title.strip():
        raise Invalid(f"{text[:80]!r} is not a task to give", remedy="write --give 'NAME AGENT TITLE'")
    return {"name": name, "agent": agent, "title": title.strip()}
