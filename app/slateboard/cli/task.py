"""`slate task`: giving tasks on out of work in hand, back, and to others; cancelling subtrees; who answers for what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

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
    "--give", "tasks", multiple=True, metavar="'NAME AGENT TITLE'",
    help="A task below the one in hand, its agent, and what it is about; may be repeated.",
)  # fmt: skip
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="The same as JSON: {tasks: [...], artifacts: [...]}, with briefs, and what is blocked by what.",
)  # fmt: skip
@click.option("--note", metavar="TEXT", help="For the attempt that goes on with it.")
@pass_invocation
def delegate(
    invocation: Invocation, item: int, fence: int, tasks: tuple[str, ...], file: Path | None, note: str | None
) -> None:
    """Give tasks to others and the claim back until they are complete: all of it, or nothing.

    Example: slate task delegate 4711 --fence 99 --give "api backend Build the API" --give "page frontend Build it"
    """
    more = {} if file is None else _read(file)
    given = {"tasks": [*map(_given, tasks), *more.get("tasks", [])], "artifacts": more.get("artifacts", [])}
    answer: Mapping[str, Any] = parameters.call(invocation, "delegate", item=item, fence=fence, note=note, **given)
    invocation.answer(answer, f"item {item} waits for {answer['remaining']} artifacts of {', '.join(answer['tasks'])}")


@task.command()
@click.argument("task", metavar="TASK", shell_complete=completion.tasks)
@click.option("--reason", required=True, metavar="TEXT", help="Why; who delegated it is told.")
@pass_invocation
def decline(invocation: Invocation, task: str, reason: str) -> None:
    """Give a delegated task back to who delegated it.

    Example: slate task decline release-api --reason "I know no SQL"
    """
    answer = parameters.call(invocation, "decline", task=task, reason=reason)
    invocation.answer(answer, f"{task} is back with {answer['to']}, who is told by escalation {answer['escalation']}")


@task.command()
@click.argument("task", metavar="TASK", shell_complete=completion.tasks)
@click.argument("agent", metavar="AGENT", shell_complete=completion.agents)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the log.")
@pass_invocation
def reassign(invocation: Invocation, task: str, agent: str, reason: str) -> None:
    """Give a task to another agent; what is claimed of it goes on.

    Example: slate task reassign release-api frontend --reason "backend is on holiday"
    """
    answer = parameters.call(invocation, "reassign", task=task, agent=agent, reason=reason)
    invocation.answer(answer, f"{task} is {agent}'s, and was {answer['before'] or 'nobody'}'s")


@task.command()
@click.argument("task", metavar="TASK", shell_complete=completion.tasks)
@dependents_choice
@click.option("--reason", required=True, metavar="TEXT", help="Why it is no longer wanted.")
@pass_invocation
def cancel(invocation: Invocation, task: str, cascade: bool, waive: bool, reason: str) -> None:
    """Cancel a task with all below it, the leaves first; what was completed of them is undone as is declared.

    Example: slate task cancel release-api --waive --reason "not this year"
    """
    answer: Mapping[str, Any] = parameters.call(
        invocation, "cancel_task", task=task, reason=reason, cascade=cascade, waive=waive
    )
    lines = [f"{key}: {', '.join(answer[key])}" for key in ("cancelled", "undone", "unknown") if answer[key]]
    invocation.answer(answer, "\n".join(lines) or f"nothing was left of {task}")


@task.command()
@click.argument("reference", metavar="TASK[/ARTIFACT]", shell_complete=completion.references)
@pass_invocation
def chain(invocation: Invocation, reference: str) -> None:
    """Who gave what to whom on the way from the root, when, and what the other said to it.

    Example: slate task chain release-api/benchmark
    """
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "accountability", reference=reference)
    invocation.answer(rows, tables.table(HOPS, rows))


@task.command()
@click.option("--agent", "agents", multiple=True, metavar="AGENT", shell_complete=completion.agents,
              help="Given to this agent; may be repeated.")  # fmt: skip
@click.option("--delegator", "delegators", multiple=True, metavar="AGENT", shell_complete=completion.agents,
              help="Given by this agent; may be repeated.")  # fmt: skip
@click.option("--state", metavar="STATE", help="Only those that are pending, acknowledged, declined or unanswered.")
@click.option("--task", "tasks", multiple=True, metavar="TASK", shell_complete=completion.tasks,
              help="Of this task; may be repeated.")  # fmt: skip
@click.option("--above", is_flag=True, help="Of the tasks above --task, too.")
@click.option("--limit", "first", type=int, default=100, show_default=True, metavar="N", help="At most so many.")
@pass_invocation
def delegations(
    invocation: Invocation, agents: tuple[str, ...], delegators: tuple[str, ...], tasks: tuple[str, ...], **asked: Any
) -> None:
    """What was given to whom by whom, the newest first, and what became of it.

    Example: slate task delegations --agent backend --state pending
    """
    named = {"agents": agents, "delegators": delegators, "tasks": tasks}
    given = {name: list(value) for name, value in named.items() if value}
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "list_delegations", **given, **asked)
    invocation.answer(rows, tables.table(HOPS, rows) if rows else "nothing was delegated")


def _given(text: str) -> dict[str, Any]:
    name, _, rest = text.partition(" ")
    agent, _, title = rest.strip().partition(" ")
    if not agent or not title.strip():
        raise Invalid(f"{text[:80]!r} is not a task to give", remedy="write --give 'NAME AGENT TITLE'")
    return {"name": name, "agent": agent, "title": title.strip()}


def _read(file: Path) -> dict[str, list[Any]]:
    remedy = "write {tasks: [{name, title, agent, brief, …}], artifacts: [{task, name, blocked_by, …}]}"
    try:
        found: Any = json.loads(file.read_text())
    except ValueError as error:
        raise Invalid(f"{file} is no JSON: {error}", remedy=remedy) from error
    if not isinstance(found, dict) or not set(cast("dict[str, Any]", found)) <= {"tasks", "artifacts"}:
        raise Invalid(f"{file} does not say what to give to whom", remedy=remedy)
    parts = cast("dict[str, Any]", found)
    if not all(isinstance(part, list) for part in parts.values()):
        raise Invalid(f"{file} does not say what to give to whom", remedy=remedy)
    return parts
