"""`slate log show` and `slate log chain`: who has handled an event and who not yet, and what followed from what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from slateboard.cli import events, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field
from slateboard.protocol import durations

MAX_LEVELS = 64
"""Of a chain, that are shown; deliveries lead to each other 32 times at most."""


def _state(row: Mapping[str, Any]) -> str:
    if row["state"] == "delivered":
        return _place(row)
    if row["state"] == "gathering":
        return f"gathering: lacks {', '.join(row['lacks'])}"
    return f"{row['state']}: paused, {row['paused_because']}" if row.get("paused_because") else row["state"]


def _place(row: Mapping[str, Any]) -> str:
    """Where a delivery is, and what it waits for there."""
    if row["place"] == "scheduled" and row["run_at"]:
        return f"scheduled: tried again at {tables.moment(row['run_at'])}"
    if row["place"] == "gated" and row["deadline"]:
        return f"waits for {row['waits_for'] or 'the time'} until {tables.moment(row['deadline'])}"
    return row["place"]


COLUMNS: list[Column] = [
    field("subscription", "name"), field("agent"), Column("state", _state, flexible=True), field("item"),
    field("attempts"), field("delivered", "delivered_at"), field("finished", "finished_at"),
    field("last error", flexible=True),
]  # fmt: skip


@click.command()
@click.argument("position", type=click.IntRange(1))
@pass_invocation
def show(invocation: Invocation, position: int) -> None:
    """One event of the log, with who has handled it and who has not yet.

    Example: slate log show 4711
    """
    found = parameters.call(invocation, "show_event", position=position)
    invocation.answer(found, lambda: click.echo("\n".join(_shown(found))))


def _shown(found: Mapping[str, Any]) -> Iterator[str]:
    names = ("position", "subject", "happened_at", "actor", "correlation", "cause", "traceparent", "payload")
    yield tables.facts({name: found[name] for name in names} | ({"payload": events.ERASED} if found["erased"] else {}))
    if found["handled"]:
        yield ""
        yield tables.table(COLUMNS, found["handled"])
    else:
        yield "no subscription wants it"
    for row in found["ended_waits"]:
        yield f"item {row['item']} ({tables.clean(row['reference'])}) had waited for it"


@click.command()
@click.argument("correlation", required=False, metavar="[ID]")
@click.option("--position", type=click.IntRange(1), metavar="POSITION", help="The chain of the event there.")
@pass_invocation
def chain(invocation: Invocation, correlation: str | None, position: int | None) -> None:
    """What followed from what: a chain's events and deliveries as a tree, with the time since its beginning.

    ID is the correlation that `slate publish` and `slate log show` say.

    Example: slate log chain 177b5707e064ed10
    """
    found = parameters.call(invocation, "chain", correlation=correlation, position=position)
    invocation.answer(found, lambda: click.echo("\n".join(lines(found))))


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The chain as lines of text: a head, then its tree."""
    roots: Sequence[Mapping[str, Any]] = found["roots"]
    yield f"chain {tables.clean(found['correlation'])}"
    if roots:
        yield from _below(roots, "", min(root["happened_at"] for root in roots), MAX_LEVELS)
    for row in found["gatherings"]:
        yield tables.clean(f"{row['name']} ({row['agent']}) still lacks {', '.join(row['lacks'])}")
    if found["truncated"]:
        yield "… and more: only the first 1,000 events and deliveries are shown"


def _below(nodes: Sequence[Mapping[str, Any]], indent: str, began: dt.datetime, levels: int) -> Iterator[str]:
    for number, node in enumerate(nodes, 1):
        last = number == len(nodes)
        yield f"{indent}{'└─' if last else '├─'} {_line(node, began)}"
        if node["children"] and levels > 1:
            yield from _below(node["children"], indent + ("   " if last else "│  "), began, levels - 1)


def _line(node: Mapping[str, Any], began: dt.datetime) -> str:
    if node["kind"] == "event":
        what = ": ".join(
            filter(None, (f"{node['position']} {node['subject']} by {node['actor']}", events.summary(node)))
        )
        return f"{_after(node['happened_at'], began)} {tables.clean(what)}"
    said = f"{node['agent']} {node['reference'].rpartition('/')[2]} (item {node['item']}): {_place(node)}"
    if node["finished_at"]:
        taken = (node["finished_at"] - node["delivered_at"]).total_seconds()
        said += f" after {durations.shown(taken)}"
    error = f": {node['last_error']}" if node["last_error"] and node["place"] != "done" else ""
    return f"{_after(node['delivered_at'], began)} {tables.clean(said + error)}"


def _after(moment: dt.datetime, began: dt.datetime) -> str:
    return f"+{max(0.0, (moment - began).total_seconds()):.3f}s"
