"""`slate apply`: makes the board what files declare; all or nothing, and applying again changes nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
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
MAX_LIST = 500
"""Signs of what came into a list and left it."""
MAX_LINE = 110
"""Signs of one line of a changed text."""
AROUND = 20
"""Signs before the first that is otherwise, of a text that has one line."""
COLORS = {"+": "green", "-": "red", "~": "yellow", "@": "cyan"}


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
    """What was (or would be) done, by files: a line with a sign for each thing, its fields below; notes; the sum."""
    agents: Sequence[str] = answer["agents_created"]
    for name in agents[:MAX_SHOWN]:
        yield _sign("create") + f"agent {name}, which is named but nowhere defined"
    yield from _more(len(agents), "agents")
    yield from _things(answer["differences"])
    changed = len({(one["kind"], one["reference"]) for one in answer["changed"]})
    created, removed = len(answer["created"]), len(answer["removed"])
    for count, what in ((created, "to create"), (changed, "to change"), (removed, "to remove")):
        yield from _more(count, what)
    notes: Sequence[str] = answer["notes"]
    yield from (f"note: {tables.clean(note)}" for note in notes[:MAX_SHOWN])
    yield from _more(len(notes), "notes")
    done = "nothing was changed; it would be: " if answer["dry_run"] else ""
    gone = f"{removed} removed, " if removed else ""
    yield f"{done}{created + len(agents)} created, {changed} changed, {gone}{answer['unchanged']} unchanged"


def _more(count: int, what: str) -> Iterator[str]:
    if count > MAX_SHOWN:
        yield f"  … and {count - MAX_SHOWN:,} more {what}"


def _things(differences: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The things of each file under its name; of each action so many as are shown."""
    shown: Counter[str] = Counter()
    for file, things in groupby(differences, key=lambda one: one["file"]):
        named = False
        for one in things:
            shown[one["action"]] += 1
            if shown[one["action"]] > MAX_SHOWN:
                continue
            if not named:
                yield click.style(tables.clean(file) if file else "said no more", bold=True)
                named = True
            yield f"  {_sign(one['action'])}{one['kind']} {tables.clean(one['reference'])}"
            for field in one["fields"]:
                yield from _field(field)


def _field(one: Mapping[str, Any]) -> Iterator[str]:
    """A field of something new, or how it was and how it is: of a list and a long text what is otherwise in it."""
    old, new, start = one["from"], one["to"], f"      {one['field']}:"
    if one["added"] is not None:
        signed = [f"+ {tables.text_of(value)}" for value in one["added"]]
        signed += [f"- {tables.text_of(value)}" for value in one["removed"]]
        yield f"{start} {tables.cut(', '.join(signed) or 'in another order', MAX_LIST)}"
    elif one["lines"]:
        yield start
        for line in one["lines"]:
            yield "        " + click.style(tables.cut(line, MAX_LINE), fg=COLORS.get(line[:1]))
    elif old is None and new is not None:
        yield f"{start} {_value(new)}"
    elif isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > MAX_VALUE:
        same = max(next(_differing(old, new)) - AROUND, 0)
        yield start
        for sign, text in (("-", old), ("+", new)):
            said = f"{sign} {'…' if same else ''}{tables.clean(text[same:])}"
            yield "        " + click.style(tables.cut(said, MAX_LINE), fg=COLORS[sign])
    else:
        yield f"{start} {_value(old)} → {_value(new)}"


def _differing(old: str, new: str) -> Iterator[int]:
    """Where two texts differ; their end last."""
    yield from (number for number, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
    yield min(len(old), len(new))


def _sign(action: str) -> str:
    sign = {"create": "+", "change": "~", "remove": "-"}[action]
    return click.style(f"{sign} ", fg=COLORS[sign])


def _value(value: Any) -> str:
    return tables.cut(tables.text_of(value), MAX_VALUE)
