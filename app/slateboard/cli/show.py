"""`slate show`: everything about one task, artifact or work item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import click

from slateboard.cli import compensate, completion, get, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.tables import Column, field, since


def _overruling(row: Mapping[str, Any]) -> str:
    if not row["pinned"]:
        return f"given to {row['agent']}"
    return "no longer pinned" if row["rating"] is None else f"pinned at {row['rating']}"


ATTEMPTS: list[Column] = [
    field("attempt"), field("agent"), field("outcome"), field("class"), since("ended", "ended_at"),
    Column("about", lambda row: row.get("error") or row.get("note"), flexible=True), field("worker", flexible=True),
]  # fmt: skip
VERSIONS: list[Column] = [
    field("version"), field("author"), since("age", "created_at"),
    Column("where", lambda row: row.get("path") or row.get("uri") or ("inline" if row.get("has_content") else None)),
    field("size"), field("proven"), field("review"), field("summary", flexible=True),
]  # fmt: skip
OVERRULED: list[Column] = [
    field("by"), since("when", "at"), Column("what", _overruling), field("why", "reason", flexible=True),
]  # fmt: skip
NEIGHBOURS = [field("reference"), field("status"), field("owner"), field("stuck")]


@click.command()
@click.argument("what", metavar="TASK|TASK/ARTIFACT|ITEM", shell_complete=completion.references)
@get.dated
@pass_invocation
def show(invocation: Invocation, what: str) -> None:
    """Everything about one thing: a task, an artifact (task/artifact) or a work item (its number).

    An artifact comes with its versions, its attempts with their errors and notes, what it waits for and what waits for
    it. With --as-of, what the log does not tell is left out: ratings, progress, content, checkpoints.

    Example: slate show release-api/api_description
    """
    if point := get.past():
        found = get.as_of(invocation, point, of=[], show=what)["show"]
    else:
        found = parameters.call(invocation, "show", name=what)
    invocation.answer(found, lambda: _print(found))


def _print(found: Mapping[str, Any]) -> None:
    """The facts, then a table for each part that has any."""
    kind = found["type"]
    click.echo(
        tables.facts(_task(found) if kind == "task" else _artifact(found) if kind == "artifact" else _item(found))
    )
    for heading, columns, name in (
        ("Artifacts", get.COLUMNS["artifacts"], "artifacts"),
        ("Subtasks", get.COLUMNS["tasks"], "tasks"),
        ("Waits for", NEIGHBOURS, "blockers"),
        ("Needed by", NEIGHBOURS, "dependents"),
        ("Versions", VERSIONS, "versions"),
        ("Attempts", ATTEMPTS, "attempts_made"),
        ("Overruled", OVERRULED, "overruled"),
        ("Compensations", compensate.COLUMNS, "compensations"),
        ("Decisions", get.COLUMNS["decisions"], "decisions"),
    ):
        rows: Sequence[Mapping[str, Any]] = found.get(name) or []
        if rows:
            click.echo(f"\n{heading}\n" + tables.table(columns, rows))
        if found.get(f"more_{name}"):
            of_this = {"artifacts": "--task", "tasks": "--parent"}.get(name)
            where = f": slate get {name} {of_this} {found['name']}" if of_this else ", older or later ones"
            click.echo(f"… and more{where}")
    versions: Sequence[Mapping[str, Any]] = found.get("versions") or []
    if versions and versions[0].get("content"):
        click.echo(f"\nContent of version {versions[0]['version']}\n" + tables.block(versions[0]["content"]))


def _task(found: Mapping[str, Any]) -> dict[str, Any]:
    progress: Mapping[str, Any] = found.get("progress") or {"done": 0, "total": 0}
    return {
        "task": found["name"],
        "title": found["title"],
        "status": found.get("status"),
        "progress": f"{tables.bar(progress['done'], progress['total'])} {progress['done']}/{progress['total']}",
        "agent": found["agent"],
        "delegator": found["delegator"],
        "parent": found["parent"],
        "priority": found["priority"],
        "due": found["due"],
        "source": found["source"],
        "created": found["created_at"],
        "brief": found["brief"],
    }


def _artifact(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "artifact": found["reference"],
        "title": found["title"] if found["title"] != found["name"] else None,
        "status": found["status"],
        "owner": found["owner"] or f"open ({found['capability'] or 'anybody'})",
        "item": found["item"],
        "version": found["version"],
        "path": found["path"],
        "uri": found["uri"],
        "hash": found["hash"],
        "summary": found["summary"],
        "stale": found["because"] if found["stale"] else None,
        "stuck": found["stuck"] or None,
        "priority": found["priority"],
        **_life(found),
        **_rules(found.get("rules") or {}),
        "brief": found["brief"],
    }


def _rules(rules: Mapping[str, Any]) -> dict[str, str]:
    """What its work must keep to: each rule by its name, a list as its members, a time in seconds."""
    shown: dict[str, str] = {}
    for name, value in sorted(rules.items()):
        text = "yes" if value is True else str(value)
        if isinstance(value, list):
            text = ", ".join(map(str, cast("list[Any]", value)))
        shown[name.removesuffix("_seconds").replace("_", " ")] = f"{text} s" if name.endswith("_seconds") else text
    return shown


def _item(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "item": found["id"],
        "artifact": found["reference"],
        "kind": found["kind"],
        "place": found["place"],
        "inbox": found["agent"] or f"open ({found['capability'] or 'anybody'})",
        "fence": found["fence"],
        "pinned": found["pinned"],
        **_life(found),
        "failures": found["failures"] or None,
        "interruptions": found["interruptions"] or None,
    }


def _life(found: Mapping[str, Any]) -> dict[str, Any]:
    """What artifacts and items have in common: where it stands, who holds it, what was left for the next attempt."""
    held = None
    if found["claimed_by"]:
        held = f"{found['claimed_by']} ({found['worker']})"
        if found["expires_at"] is not None:
            held += f", lease until {tables.moment(found['expires_at'])}"
    percent = None if found["percent"] is None else f"{found['percent']} %"
    return {
        "rating": found["rating"],
        "held by": held,
        "progress": " ".join(part for part in (percent, found["progress"]) if part),
        "not before": found["run_at"],
        "due": found["due"],
        "attempts": found["attempts"],
        "last error": found["last_error"],
        "note": found["note"],
        "checkpoint": found["checkpoint"],
    }
