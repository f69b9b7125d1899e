"""`slate apply`: makes the board what files declare; all or nothing, and applying again changes nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

import click

from slateboard.cli import tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.manifests import files

Answer = TypeVar("Answer")

PROGRESS_SECONDS = 1.0
MAX_SHOWN = 200
"""New things, changed things and notes that are shown one by one, of each; the rest is counted."""
MAX_VALUE = 60
"""Signs of an old or new value that are shown."""


@click.command()
@click.option("--file", "-f", "names", multiple=True, required=True, metavar="FILE|FOLDER|-", help="May be repeated.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--strict", is_flag=True, help="An agent that is named but nowhere defined is an error.")
@pass_invocation
def apply(invocation: Invocation, names: tuple[str, ...], dry_run: bool, strict: bool) -> None:
    """Make the board what files declare, all or nothing: YAML or JSON; `-` reads standard input.

    Applying again changes nothing, and takes no status back. A mistake is shown with its file and line.

    Example: slate apply -f board.yaml --dry-run

    Example: slate apply -f boards/ -f agents.json
    """
    documents = files.read(names, lambda: sys.stdin.buffer.read(files.MAX_BYTES))

    async def act() -> Mapping[str, Any]:
        async with invocation.client() as client:
            return await client.call("apply", documents=documents, dry_run=dry_run, strict=strict)

    size = sum(len(one["text"]) for one in documents)
    answer = invocation.run(_with_progress(act(), f"applying {len(documents)} files ({size:,} signs)"))
    invocation.answer(answer, lambda: click.echo("\n".join(lines(answer))))


async def _with_progress(work: Awaitable[Answer], what: str) -> Answer:
    """Do the work; where it takes more than a second, say so, and on a terminal for how long."""
    task = asyncio.ensure_future(work)
    started = time.monotonic()
    terminal = sys.stderr.isatty()
    said = False
    try:
        while not (await asyncio.wait({task}, timeout=PROGRESS_SECONDS))[0]:
            if terminal or not said:
                click.echo(
                    f"\r{what}: {time.monotonic() - started:.0f} s" if terminal else f"{what} …",
                    err=True,
                    nl=not terminal,
                )
                said = True
    finally:
        if terminal and said:
            click.echo(err=True)
        if not task.done():
            task.cancel()
    return await task


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """What was (or would be) done: a line with a sign for each thing, its changes below it, notes, and the sum."""
    created: Sequence[Mapping[str, Any]] = answer["created"]
    agents: Sequence[str] = answer["agents_created"]
    for name in agents[:MAX_SHOWN]:
        yield _sign("+", "green") + f"agent {name}, which is named but nowhere defined"
    for one in created[:MAX_SHOWN]:
        yield _sign("+", "green") + f"{one['kind']} {tables.clean(one['reference'])}"
    if len(created) > MAX_SHOWN:
        yield f"  … and {len(created) - MAX_SHOWN} more"
    changed: Sequence[Mapping[str, Any]] = answer["changed"]
    things = [
        (kind, reference, list(fields))
        for (kind, reference), fields in groupby(changed, key=lambda one: (one["kind"], one["reference"]))
    ]
    for kind, reference, fields in things[:MAX_SHOWN]:
        yield _sign("~", "yellow") + f"{kind} {tables.clean(reference)}"
        yield from (f"    {one['field']}: {_value(one['from'])} → {_value(one['to'])}" for one in fields)
    if len(things) > MAX_SHOWN:
        yield f"  … and {len(things) - MAX_SHOWN} more"
    removed: Sequence[Mapping[str, Any]] = answer["removed"]
    for one in removed[:MAX_SHOWN]:
        yield _sign("-", "red") + f"{one['kind']} {tables.clean(one['reference'])}"
    if len(removed) > MAX_SHOWN:
        yield f"  … and {len(removed) - MAX_SHOWN} more"
    notes: Sequence[str] = answer["notes"]
    yield from (f"note: {tables.clean(note)}" for note in notes[:MAX_SHOWN])
    if len(notes) > MAX_SHOWN:
        yield f"  … and {len(notes) - MAX_SHOWN} more notes"
    new, other = len(created) + len(agents), len({(kind, reference) for kind, reference, _ in things})
    done = "nothing was changed; it would be: " if answer["dry_run"] else ""
    gone = f"{len(removed)} removed, " if removed else ""
    yield f"{done}{new} created, {other} changed, {gone}{answer['unchanged']} unchanged"


def _sign(sign: str, color: str) -> str:
    return click.style(f"{sign} ", fg=color)


def _value(value: Any) -> str:
    return tables.cut(tables.text_of(value), MAX_VALUE)
