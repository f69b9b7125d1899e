"""`slate export`: the board as manifests, on standard output, in a file, or one file each in a folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click

from slateboard.cli import parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.manifests.files import SUFFIXES
from slateboard.protocol.errors import Invalid, TooLarge

MAX_PAGES = 10_000
"""Parts of one export."""
BETWEEN = "---\n"


@click.command()
@click.option("--kind", "-k", "kinds", multiple=True, metavar="KIND", help="Only these kinds. May be repeated.")
@click.option("--name", metavar="NAME", help="Only the manifests of this name.")
@click.option("--output", "-o", metavar="FILE|FOLDER/", help="Where to write them; else standard output.")
@pass_invocation
def export(invocation: Invocation, kinds: tuple[str, ...], name: str | None, output: str | None) -> None:
    """Write what the board holds as manifests: applied again they change nothing, and make an empty board alike.

    A folder (one that is there, or whose name ends with `/`) gets a file for each manifest. What is more than one apply
    takes goes into folders part-1, part-2 …, which are applied in their order. Notes go to standard error.

    Example: slate export -o organisation.yaml

    Example: slate export --kind AgentConfig --kind RoutingTable -o manifests/
    """
    chosen = parameters.given({"kinds": list(kinds) or None, "name": name})
    if output is None:
        page, notes = invocation.run(_one_page(invocation, chosen))
        text = BETWEEN.join(one["text"] for one in page)
        invocation.answer({"manifests": page, "notes": notes}, lambda: click.echo(text, nl=False))
    elif output.endswith("/") or Path(output).is_dir():
        folder = Path(output)
        written, notes = invocation.run(_into_folder(invocation, chosen, folder))
        left = _others(folder, written)
        if left:
            notes.append(f"{folder} holds manifests that this export did not write: {tables.cut(', '.join(left), 500)}")
        answer = {"files": [str(one) for one in written], "notes": notes}
        invocation.answer(answer, f"{len(written)} files are written into {folder}")
    else:
        page, notes = invocation.run(_one_page(invocation, chosen))
        _write(Path(output), BETWEEN.join(one["text"] for one in page))
        invocation.answer({"files": [output], "notes": notes}, f"{len(page)} manifests are written to {output}")
    if not invocation.as_json:
        for note in notes:
            invocation.say(f"note: {tables.clean(note)}")


async def _pages(invocation: Invocation, chosen: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any]]:
    """The parts of the export, one after the other."""
    async with invocation.client() as client:
        after: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            page = await client.call("export", **chosen, **after)
            yield page
            if page["next"] is None:
                return
            after = {"after": page["next"]}
    raise TooLarge(f"the board is more than {MAX_PAGES:,} parts", remedy="export it by --kind")


async def _one_page(invocation: Invocation, chosen: Mapping[str, Any]) -> tuple[list[Mapping[str, str]], list[str]]:
    """The manifests and notes of an export that one apply takes; `TooLarge` where it is more."""
    async with aclosing(_pages(invocation, chosen)) as pages:
        async for page in pages:
            if page["next"] is not None:
                raise TooLarge("the board is more than one apply takes", remedy="write it into a folder: -o FOLDER/")
            return page["manifests"], page["notes"]
    raise AssertionError


async def _into_folder(invocation: Invocation, chosen: Mapping[str, Any], folder: Path) -> tuple[list[Path], list[str]]:
    """Write a file for each kind and name, several parts into folders of their own; what was written, and the notes."""
    written: list[Path] = []
    notes: dict[str, None] = {}
    async for page in _pages(invocation, chosen):
        parted = page["next"] is not None or bool(written)
        part = folder / f"part-{1 + len({one.parent for one in written})}" if parted else folder
        texts: dict[Path, list[str]] = {}
        for one in page["manifests"]:
            texts.setdefault(part / f"{one['kind']}-{one['name']}.yaml", []).append(one["text"])
        for path, some in texts.items():
            _write(path, BETWEEN.join(some))
        written += texts
        notes |= dict.fromkeys(page["notes"])
    return written, list(notes)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise Invalid(message, remedy="name a place where you may write", file=str(path)) from error


def _others(folder: Path, written: Sequence[Path]) -> list[str]:
    """Manifests in the folder that would be applied along with what was written."""
    folders = {folder, *(one.parent for one in written)}
    there = {one for place in folders if place.is_dir() for one in place.iterdir() if one.suffix in SUFFIXES}
    return sorted(str(one.relative_to(folder)) for one in there - set(written))
