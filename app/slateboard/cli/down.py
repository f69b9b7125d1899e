"""`slate down`: stop the server of a home, then its embedded Postgres. What does not run is not an error."""

from __future__ import annotations

from typing import Any

import click

from slateboard.cli.output import Invocation, pass_invocation


@click.command
@pass_invocation
def down(invocation: Invocation) -> None:
    """Stop the server, then its Postgres.

    Workers lose their connection and try again until the next `slate up`; nothing is lost.
    """
    from slateboard.server import home
    from slateboard.store.embedded import Embedded

    folder = invocation.home_folder()
    embedded = Embedded(folder)
    run = embedded.status().run if folder.is_dir() else None
    server = home.stop(folder, invocation.say)
    if run is not None and embedded.status().run == run:
        invocation.say(f"stopping Postgres (process {run.pid})")
    embedded.stop()
    stopped: dict[str, Any] = {
        "server": None if server is None else {"url": server.url, "pid": server.pid},
        "postgres": None if run is None else {"pid": run.pid},
    }
    if server is not None:
        said = f"stopped the server at {server.url}" + (" and its Postgres" if server.embedded else "")
    elif run is not None:
        said = "stopped Postgres"
    else:
        said = f"nothing was running in {folder}"
    invocation.answer(stopped, said)
