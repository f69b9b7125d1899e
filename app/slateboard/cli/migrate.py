"""`slate migrate`: bring the schema to what this version speaks, or (`--check`) say whether it is."""

from __future__ import annotations

import click

from slateboard.cli.output import Invocation, pass_invocation


@click.command
@click.option("--check", is_flag=True, help="Change nothing; fail if migrations are missing.")
@pass_invocation
def migrate(invocation: Invocation, check: bool) -> None:
    """Bring the schema to what this version speaks.

    `slate up` does it by itself. By hand it is useful before servers of a new version start, with the URL of the
    schema's owner; servers of the previous version keep working. An embedded Postgres that does not run is started.
    """
    from slateboard import settings
    from slateboard.server import maintenance

    wanted = settings.load(invocation.environment())
    found = maintenance.migrate(wanted, check=check, progress=invocation.say)
    if found.ahead:
        said = f"the schema is newer than this version ({found.revision}), and can be worked with"
    elif found.current:
        said = f"the schema is at {found.head}; there was nothing to migrate"
    else:
        said = f"migrated the schema from {found.revision or 'nothing'} to {found.head}"
    invocation.answer(
        {"from": found.revision, "to": found.revision if found.ahead else found.head, "migrated": not found.settled},
        said,
    )
