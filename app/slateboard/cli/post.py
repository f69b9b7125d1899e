"""`slate post`: puts a task, or an artifact of a task, on the board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from slateboard.cli import completion, parameters
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.parameters import DURATION, MOMENT
from slateboard.protocol.errors import Invalid
from slateboard.protocol.names import RESULT
from slateboard.protocol.states import Priority
from slateboard.protocol.work import ON_NO_ACK

OF_TASKS = ("parent", "agent", "delegator", "source", "on_no_ack")
OF_ARTIFACTS = ("owner", "capability", "path", "run_at", "max_attempts", "rules")
LENGTHS = {"time_limit": "time_limit_seconds", "verdict_within": "verdict_within_seconds"}
OF_RULES = ("verify", "criteria", "evidence", "touches", "keys", "max_idle_attempts", *LENGTHS)
ANYBODY = "*"
"""What `--verify` gives without a name; no agent is called so."""


@click.command()
@click.argument("what", metavar="TASK[/ARTIFACT]", shell_complete=completion.tasks)
@click.option("--title", metavar="TEXT", help="What it is, in a few words.")
@click.option("--brief", metavar="TEXT", help="What is asked for, and how to tell that it is good.")
@click.option(
    "--owner", metavar="AGENT", shell_complete=completion.agents, help="Who produces it; of a new task, its agent."
)
@click.option("--capability", metavar="NAME", help="Anybody with this capability may produce it.")
@click.option(
    "--blocked-by",
    "blocked_by",
    multiple=True,
    metavar="REF",
    shell_complete=completion.references,
    help="What it waits for; may be repeated.",
)
@click.option("--priority", type=parameters.one_of(Priority), help="How urgent it is.")
@click.option("--due", type=MOMENT, metavar="TIME", help="When it is wanted: 4h, or 2026-12-24T18:00.")
@click.option("--not-before", "run_at", type=MOMENT, metavar="TIME", help="When it may be started.")
@click.option("--path", metavar="PATH", help="Where the result is wanted.")
@click.option("--max-attempts", type=click.IntRange(1, 100), help="Failed attempts until it is a dead letter.")
@click.option(
    "--verify", is_flag=False, flag_value=ANYBODY, metavar="[AGENT]", shell_complete=completion.agents,
    help="It is complete when AGENT has approved it; without a name the board chooses, never the owner.",
)  # fmt: skip
@click.option("--criteria", metavar="TEXT", help="What a verifier judges by; asks for a verdict too.")
@click.option("--verdict-within", type=DURATION, metavar="TIME", help="Until it goes one level up [4h].")
@click.option(
    "--evidence", multiple=True, type=click.Choice(["link", "hash", "note"]),
    help="What a finish must name; may be repeated.",
)  # fmt: skip
@click.option("--touches", multiple=True, metavar="GLOB", help="Paths that nobody else may touch; may be repeated.")
@click.option("--key", "keys", multiple=True, metavar="NAME", help="A key that limits count; may be repeated.")
@click.option("--time-limit", type=DURATION, metavar="TIME", help="How long an attempt may take [30m].")
@click.option(
    "--max-idle-attempts", type=click.IntRange(1), metavar="N",
    help="Attempts in a row without a result until it is a dead letter [20].",
)  # fmt: skip
@click.option("--parent", metavar="TASK", help="Of a new task: the task above it.")
@click.option("--delegator", metavar="AGENT", help="Of a new task: who delegates it; else who posts it.")
@click.option("--source", metavar="TEXT", help="Of a new task: where it comes from.")
@click.option(
    "--on-no-ack", type=click.Choice(ON_NO_ACK), help="Of a new task: what becomes of it if its agent is not heard of."
)
@pass_invocation
def post(invocation: Invocation, what: str, blocked_by: tuple[str, ...], **more: Any) -> None:
    """Post a task (with its `result` as its artifact), or one artifact into a task that is there.

    Example: slate post changelog --title "Write the changelog" --owner marketing

    Example: slate post release-api/benchmark --owner backend --blocked-by api --due 4h

    Example: slate post release-api/report --owner backend --verify cto --evidence link --touches "docs/**"
    """
    task, slash, name = what.partition("/")
    rules = _rules({name: more.pop(name) for name in OF_RULES})
    wanted = parameters.given({**more, "rules": rules})
    if slash:
        _refuse(wanted, OF_TASKS, "an artifact")
        arguments = {"artifacts": [{"task": task, "name": name, "blocked_by": list(blocked_by), **wanted}]}
    else:
        arguments = _task(task, blocked_by, wanted)
    posted: Mapping[str, Any] = parameters.call(invocation, "post", **arguments)
    lines = [f"posted {reference} as item {item}" for reference, item in posted["items"].items()]
    invocation.answer(posted, "\n".join(lines))


def _rules(said: dict[str, Any]) -> dict[str, Any] | None:
    """The rules of the artifact, in the words that every door takes; None where nothing is said."""
    rules = {LENGTHS.get(name, name): value for name, value in parameters.given(said).items() if value != ()}
    if rules.get("verify") == ANYBODY:
        rules["verify"] = True
    return rules or None


def _task(name: str, blocked_by: tuple[str, ...], wanted: dict[str, Any]) -> dict[str, Any]:
    """A new task; its `result` is spelled out only where something is said of it."""
    own: dict[str, Any] = {key: wanted[key] for key in OF_ARTIFACTS if key in wanted}
    task = {key: value for key, value in wanted.items() if key not in OF_ARTIFACTS}
    if "owner" in own:
        task["agent"] = own.pop("owner")
    arguments: dict[str, Any] = {"tasks": [{"name": name, "title": name, **task}]}
    if own or blocked_by:
        arguments["artifacts"] = [{"task": name, "name": RESULT, "blocked_by": list(blocked_by), **own}]
    return arguments


def _refuse(wanted: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    for name in names:
        if name in wanted:
            raise Invalid(f"--{name} says nothing of {what}", remedy="leave it out, or post a task")
