"""`slate breaker`: which agents get no work for now, why and until when; and opening and closing by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since
from slateboard.protocol import durations

COLUMNS: list[Column] = [
    field("agent"), field("state"), field("failed"), since("since", "since"), field("until"), field("fallback"),
    field("probe"), field("reason", flexible=True),
]  # fmt: skip
HISTORY: list[Column] = [
    field("position"), field("change", "subject"), field("by", "actor"), since("since", "happened_at"),
    field("reason", flexible=True),
]  # fmt: skip


@click.group()
def breaker() -> None:
    """List, show, open, close and reset the circuit breakers of agents.

    Example: slate breaker list
    """


@breaker.command("list")
@click.option("--limit", type=int, default=100, show_default=True, metavar="N", help="At most so many.")
@pass_invocation
def list_(invocation: Invocation, limit: int) -> None:
    """The breakers that are not closed, the oldest first, and then the agents that failed something just now.

    Example: slate breaker list
    """
    rows: Sequence[Mapping[str, Any]] = parameters.call(invocation, "list_breakers", limit=limit)
    invocation.answer(rows, tables.table(COLUMNS, rows) if rows else "every breaker is closed")


@breaker.command()
@click.argument("agent", metavar="AGENT", shell_complete=completion.agents)
@pass_invocation
def show(invocation: Invocation, agent: str) -> None:
    """The breaker of one agent: its state, its rules, and its last changes, the newest first.

    Example: slate breaker show backend
    """
    found: Mapping[str, Any] = parameters.call(invocation, "show_breaker", agent=agent)
    invocation.answer(found, lambda: click.echo("\n".join(_lines(found))))


@breaker.command("open")
@click.argument("agent", metavar="AGENT", shell_complete=completion.agents)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is shown to all.")
@click.option("--for", "seconds", type=parameters.DURATION, metavar="LENGTH", help="Until a probe may go through.")
@pass_invocation
def open_(invocation: Invocation, agent: str, reason: str, seconds: float | None) -> None:
    """Open an agent's breaker: no more work for it, until a probe closes it.

    Example: slate breaker open backend --reason "it deletes what it should keep" --for 1h
    """
    found = parameters.call(invocation, "open_breaker", agent=agent, reason=reason, recovery_seconds=seconds)
    invocation.answer(found, f"the breaker of {agent} is open; `slate breaker close {agent}` takes it back")


@breaker.command()
@click.argument("agent", metavar="AGENT", shell_complete=completion.agents)
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the log.")
@pass_invocation
def close(invocation: Invocation, agent: str, reason: str | None) -> None:
    """Close an open breaker without a probe: claims go on, and failures are counted anew.

    Example: slate breaker close backend --reason "the registry is back"
    """
    answer = parameters.call(invocation, "close_breaker", agent=agent, reason=reason)
    invocation.answer(answer, f"the breaker of {agent} is closed")


@breaker.command()
@click.argument("agent", metavar="AGENT", shell_complete=completion.agents)
@pass_invocation
def reset(invocation: Invocation, agent: str) -> None:
    """As if the agent had not failed: its breaker is closed, if it is open, and failures are counted anew.

    Example: slate breaker reset backend
    """
    answer = parameters.call(invocation, "reset_breaker", agent=agent)
    invocation.answer(answer, f"the breaker of {agent} is closed, and its count starts anew")


def _lines(found: Mapping[str, Any]) -> list[str]:
    rules = f"after {found['failure_threshold']} failed items, for {durations.shown(found['recovery_seconds'])}"
    lines = [f"{found['agent']}: {found['state']}, {found['failed']} failed in a row", f"opens {rules}"]
    substitute = f" to {found['substitute']}" if found["substitute"] else ""
    lines.append(f"fallback: {found['fallback']}{substitute}")
    if found["reason"]:
        lines += [f"since {found['since']}, until {found['until']}: {tables.clean(found['reason'])}"]
    if found["probe"]:
        lines.append(f"its probe is item {found['probe']}")
    if found["history"]:
        lines.append(tables.table(HISTORY, found["history"]))
    return lines
