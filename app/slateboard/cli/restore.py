"""`slate restore FILE`: load a backup, all of it or nothing, while no server runs."""

from __future__ import annotations

from pathlib import Path

import click

from slateboard.cli.output import Invocation, pass_invocation


@click.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in the place of what the database holds now.")
@pass_invocation
def restore(invocation: Invocation, file: Path, replace: bool) -> None:
    """Load FILE, which `slate backup` wrote, and bring its schema to what this version speaks.

    Refused while a server runs, and into a database that holds anything unless --replace is given. Tokens come back
    with the backup; the administrator's is renewed by the next `slate up`.
    """
    from slateboard import settings
    from slateboard.server import maintenance

    wanted = settings.load(invocation.environment())
    maintenance.restore(wanted, file.absolute(), replace=replace, progress=invocation.say)
    invocation.answer({"file": str(file), "replaced": replace}, f"restored {file}; start with `slate up`")
