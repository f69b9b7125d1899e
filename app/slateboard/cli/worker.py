"""`slate worker`: runs a worker written in Python, or any command as one."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import shutil
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slateboard.cli import completion, parameters
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.parameters import DURATION
from slateboard.protocol.errors import BadHandler, Invalid
from slateboard.protocol.work import DEFAULT_LEASE_SECONDS

if TYPE_CHECKING:
    from slateboard import Worker

TIMEOUT_SECONDS = 1_800.0


@click.group()
def worker() -> None:
    """Run a worker of yours, or any command as one.

    Example: slate worker run agents.backend:worker
    """


@worker.command()
@click.argument("target", required=False, metavar="[MODULE:WORKER]")
@click.option("--exec", "command", metavar="COMMAND", help="Run this for each item: briefing in, result out, as JSON.")
@click.option(
    "--agent",
    "name",
    metavar="AGENT",
    shell_complete=completion.agents,
    help="With --exec: for whom it works (else --as).",
)
@click.option("--timeout", type=DURATION, metavar="TIME", help="With --exec: how long one item may take [30m].")
@click.option("--lease", type=DURATION, metavar="TIME", help="How long a claim outlives a dead worker [60s].")
@click.option("--concurrency", type=click.IntRange(1, 1000), metavar="N", help="How many items at once.")
@click.option("--wake", type=click.Choice(["listen", "poll"]), help="How it hears of new work.")
@pass_invocation
def run(
    invocation: Invocation, target: str | None, command: str | None, name: str | None, timeout: float | None,
    **settings: Any,
) -> None:  # fmt: skip
    """Work until SIGTERM or ctrl-C, which finish or give back everything that is held.

    MODULE:WORKER is a `Worker` of yours; the current folder is on the path. With --exec, each item starts COMMAND anew:
    it reads the briefing as JSON on standard input and prints its result as JSON on standard output. See docs/cli.md
    for the fields and the exit codes.

    Example: slate worker run agents.backend:worker --concurrency 4

    Example: slate worker run --agent cso --exec "./review.sh --strict" --timeout 10m
    """
    if (target is None) == (command is None):
        raise Invalid("which worker?", remedy="give MODULE:WORKER, or --exec COMMAND with --agent AGENT")
    if target is not None:
        if name is not None or timeout is not None:
            raise Invalid("--agent and --timeout go with --exec", remedy="a Worker says itself for whom it works")
        yours = _configured(load(target), settings)
        elsewhere = yours.url is not None and invocation.database_url is None and invocation.home is None
        _run(yours.run(url=yours.url if elsewhere else _url(invocation), board=invocation.board))
        return
    agent = name or parameters.acting(invocation)
    _run(_runs(invocation, agent, str(command), TIMEOUT_SECONDS if timeout is None else timeout, settings))


def load(target: str) -> Worker:
    """The worker that `module:name` names; `BadHandler` if there is none."""
    from slateboard import Worker

    module, _, name = target.partition(":")
    if not name:
        raise BadHandler(f"{target!r} names no worker", remedy="write it like agents.backend:worker")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        missing = error.name or module
        where = f"looked in {here} and in what is installed"
        raise BadHandler(
            f"there is no module {missing!r}: {where}", remedy="run this in the worker's folder"
        ) from error
    except AttributeError as error:
        raise BadHandler(f"{module} has no {name!r}: {error}", remedy="name the variable of the Worker") from error
    if not isinstance(found, Worker):
        message = f"{target} is a {type(found).__name__}, not a Worker"
        raise BadHandler(message, remedy="name the variable of the Worker")
    return found


def _configured(yours: Worker, settings: dict[str, Any]) -> Worker:
    """The worker with what the command line says laid over it, checked as at its construction."""
    if settings["lease"] is not None:
        settings["lease_seconds"] = settings["lease"]
    from slateboard import Worker

    said = {key: value for key, value in settings.items() if key != "lease" and value is not None}
    checked = Worker(yours.agent, **said)
    for key in said:
        setattr(yours, key, getattr(checked, key))
    return yours


def _runs(
    invocation: Invocation, agent: str, command: str, timeout: float, settings: dict[str, Any]
) -> Coroutine[Any, Any, None]:
    """The work of a command, ready to be begun; what cannot be run is refused before anything is claimed."""
    from slateboard import Worker
    from slateboard.protocol.states import ItemKind
    from slateboard.sdk.executor import Executor

    if timeout <= 0:
        raise Invalid("a command needs more than 0 s", remedy="give it a longer --timeout")
    url, board = _url(invocation), invocation.environment().get("SLATE_BOARD") or "default"
    executor = Executor.of(
        command,
        board=board,
        agent=agent,
        timeout_seconds=timeout,
        environment={**os.environ, "SLATE_DATABASE_URL": url, "PATH": _path_with_slate()},
    )
    runner = _configured(Worker(agent, lease_seconds=DEFAULT_LEASE_SECONDS, url=url, board=board), settings)
    for kind in ItemKind:
        runner.handler(kind=kind)(executor)

    async def work() -> None:
        await executor.start()
        try:
            await runner.run()
        finally:
            await executor.stop()

    return work()


def _path_with_slate() -> str:
    """The PATH, with this very `slate` at its end where there is none on it."""
    path = os.environ.get("PATH", os.defpath)
    return path if shutil.which("slate") else f"{path}{os.pathsep}{Path(sys.executable).parent}"


def _url(invocation: Invocation) -> str:
    """The database that is meant."""
    from slateboard.interfaces.direct import locate

    return locate(invocation.environment())


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end, on the fast event loop where there is one."""
    _log_to_standard_error()
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)
    else:
        uvloop.run(coroutine)


def _log_to_standard_error() -> None:
    level = os.environ.get("SLATE_LOG_LEVEL", "info").upper()
    known = level if level in logging.getLevelNamesMapping() else "INFO"
    logging.basicConfig(level=known, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
