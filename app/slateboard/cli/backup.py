"""`slate backup FILE`: one consistent snapshot of the whole database, while everything goes on."""

from __future__ import annotations

from pathlib import Path

import click

from slateboard.cli.output import Invocation, pass_invocation


@click.command
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_invocation
def backup(invocation: Invocation, file: Path) -> None:
    """Write the whole database into FILE, which appears whole or not at all.

    The board may be at work meanwhile. The file is readable by its owner only; `slate restore` reads it.
    """
    from slateboard import settings
    from slateboard.store import backups

    wanted = settings.load(invocation.environment())
    invocation.say(f"writing {file}")
    size_bytes = backups.backup(wanted.database_url or wanted.home, file.absolute())
    invocation.answer({"file": str(file), "size_bytes": size_bytes}, f"wrote {file} ({size_bytes:,} bytes)")
