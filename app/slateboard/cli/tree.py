"""`slate tree`: the tasks as a tree, with status and progress rolled up, and their artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from slateboard.cli import completion, get, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol import durations

MAX_DEPTH = 32


@click.command()
@click.argument("task", required=False, shell_complete=completion.tasks)
@click.option("--depth", type=click.IntRange(1, MAX_DEPTH), default=MAX_DEPTH, help="How many levels below are shown.")
@click.option("--artifacts/--no-artifacts", default=True, help="Whether artifacts are shown.")
@get.dated
@pass_invocation
def tree(invocation: Invocation, task: str | None, depth: int, artifacts: bool) -> None:
    """The tasks as a tree (all of the board, or below TASK), with status and progress of everything below each.

    Example: slate tree release-analytics --depth 2
    """
    asked = parameters.given({"task": task, "depth": depth, "artifacts": artifacts})
    if point := get.past():
        found = get.as_of(invocation, point, of=[], tree=asked)["tree"]
    else:
        found = parameters.call(invocation, "tree", **asked)
    invocation.answer(found, lambda: _print(invocation, found))


def _print(invocation: Invocation, found: Mapping[str, Any]) -> None:
    if not found["tasks"]:
        invocation.say("no tasks")
    for line in lines(found["tasks"], tables.terminal_width()):
        click.echo(line)
    if found["capped"]:
        invocation.say("not everything is shown: ask for a part of it, `slate tree TASK`")


def lines(roots: Sequence[Mapping[str, Any]], width: int | None = None) -> Iterator[str]:
    """The tree as lines, cut to `width` columns if one is given."""
    for root in roots:
        yield _cut("", _task(root), width)
        yield from _below(root, "", width)


def _below(node: Mapping[str, Any], indent: str, width: int | None) -> Iterator[str]:
    branch, last_branch, line = ("├─ ", "└─ ", "│  ") if tables.unicode() else ("+- ", "`- ", "|  ")
    artifacts: Sequence[Mapping[str, Any]] = node["artifacts"]
    tasks: Sequence[Mapping[str, Any]] = node["tasks"]
    last = len(artifacts) + len(tasks) - 1
    for index, artifact in enumerate(artifacts):
        yield _cut(indent + (last_branch if index == last else branch), _artifact(artifact), width)
    for index, task in enumerate(tasks, len(artifacts)):
        yield _cut(indent + (last_branch if index == last else branch), _task(task), width)
        yield from _below(task, indent + ("   " if index == last else line), width)


def _task(node: Mapping[str, Any]) -> tuple[str, str]:
    """The part of a task's line that is always shown, in color, and the part that may be cut."""
    progress = node["progress"]
    bar = f"{tables.bar(progress['done'], progress['total'])} {progress['done']}/{progress['total']}"
    head = f"{click.style(node['name'], bold=True)} {bar} {tables.colored(node['status'])}"
    used = f"{durations.shown(node['seconds'])} of work" if node["seconds"] else None
    cost = f"cost {node['cost']:g}" if node["cost"] else None
    return head, " · ".join(str(part) for part in (node["agent"], node["title"], used, cost) if part)


def _artifact(one: Mapping[str, Any]) -> tuple[str, str]:
    head = f"{tables.mark(one['status'])} {one['name']}"
    by = one["claimed_by"] or one["owner"] or "open"
    percent = None if one["percent"] is None else f"{one['percent']} %"
    parts = (by, None if one["status"] == "complete" else one["status"], percent, "stale" if one["stale"] else None)
    return head, " · ".join(part for part in parts if part)


def _cut(indent: str, parts: tuple[str, str], width: int | None) -> str:
    head, rest = parts[0], tables.clean(parts[1])
    if width is not None:
        rest = tables.cut(rest, max(0, width - tables.width_of(indent + click.unstyle(head)) - 2))
    return f"{indent}{head}  {rest}".rstrip()
