"""`slate up`: start everything with one command, in the foreground or (`--detach`) in the background.

In the background the same command runs in a session of its own. Its answer, one JSON envelope, comes back over a
pipe, so that the caller sees the same answer, the same error and the same exit code as in the foreground.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slateboard.cli import health
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.interfaces.errors import KINDS
from slateboard.protocol.errors import ServerProblem, SlateError

if TYPE_CHECKING:
    from slateboard.server.serving import Serving

HEALTHY_SECONDS = 15.0
"""How long a detached server may take to be healthy; a leader that was killed is followed within 4 s."""
TAIL_BYTES = 4_000
_POLL_SECONDS = 0.05

PROGRAM = "from slateboard.cli import main; main(prog_name='slate')"


@click.command
@click.option("--host", metavar="ADDRESS", help="Address to bind to (SLATE_HOST, else 127.0.0.1).")
@click.option("--port", metavar="PORT", help="Port to bind to; 0 takes a free one (SLATE_PORT, else 8765).")
@click.option("--detach", "-d", is_flag=True, help="Run in the background; return when it is healthy.")
@click.option("--keep-postgres", is_flag=True, help="Leave the embedded Postgres running when the server stops.")
@pass_invocation
def up(invocation: Invocation, host: str | None, port: str | None, detach: bool, keep_postgres: bool) -> None:
    """Start everything: Postgres, the schema, the server.

    Without SLATE_DATABASE_URL an embedded Postgres is started in SLATE_HOME. Stop with Ctrl-C or `slate down`.
    """
    given = {"SLATE_HOST": host, "SLATE_PORT": port}
    environment = invocation.environment() | {name: value for name, value in given.items() if value is not None}
    if detach:
        _detach(invocation, environment, keep_postgres)
        return
    from slateboard import settings
    from slateboard.server import serving

    def ready(told: Serving) -> None:
        data = {name: getattr(told, name) for name in told.__dataclass_fields__}
        invocation.answer(data, lambda: _show(invocation, data))
        sys.stdout.flush()

    serving.serve(settings.load(environment), progress=invocation.say, ready=ready, keep_postgres=keep_postgres)


def _show(invocation: Invocation, data: dict[str, Any], *, background: bool = False) -> None:
    stop = "slate down" if invocation.home is None else f"slate down --home {invocation.home}"
    click.echo(f"Slateboard runs at {data['url']} (process {data['pid']}, {data['database']} Postgres)")
    click.echo(f"  GraphQL      {data['graphql_url']}")
    click.echo(f"  admin token  {data['token_file']}")
    click.echo(f"  board        {data['board']}")
    click.echo(f"  stop it      {stop}" if background else f"  stop it      Ctrl-C, or {stop}")


def _detach(invocation: Invocation, environment: dict[str, str], keep_postgres: bool) -> None:
    """Run the same command in the background, and give its answer once it is healthy."""
    from slateboard import settings
    from slateboard.server import home

    wanted = settings.load(environment)
    home.make(wanted.home)
    home.refuse_second(wanted.home)
    log = wanted.home / home.LOG_FILE
    command = [sys.executable, "-P", "-c", PROGRAM, "--json", "up", *(["--keep-postgres"] if keep_postgres else [])]
    with log.open("ab") as sink:
        log.chmod(0o600)
        begin = sink.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            env=environment | {"SLATE_HOME": str(wanted.home)},  # which may have been relative to this folder
            cwd=wanted.home,
            start_new_session=True,
        )
    try:
        answer = _answer_of(process, log, begin, invocation)
        _wait_until_healthy(answer["url"], process, invocation)
    except (SlateError, KeyboardInterrupt):  # not where only what we say finds no reader any more
        process.send_signal(signal.SIGTERM)
        raise
    answer["log"] = str(log)
    invocation.answer(answer, lambda: _show(invocation, answer, background=True))


def _answer_of(process: subprocess.Popen[bytes], log: Path, begin: int, invocation: Invocation) -> dict[str, Any]:
    """What the process in the background answers; meanwhile its log is shown, however long a recovery takes."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    said = b""
    while not said.endswith(b"\n"):
        ended = process.poll() is not None
        said += process.stdout.read() or b""
        begin = _show_more(log, begin, invocation)
        if ended:
            break  # what it said before its end has been read above
        time.sleep(_POLL_SECONDS)
    process.stdout.close()
    try:
        envelope: dict[str, Any] = json.loads(said)
    except ValueError:
        message = f"the server ended at once (exit code {process.returncode})"
        raise ServerProblem(message, remedy=f"see {log}") from None
    if not envelope["ok"]:
        raise _as_told(envelope["error"])
    return envelope["data"]


def _show_more(log: Path, begin: int, invocation: Invocation) -> int:
    with log.open("rb") as file:
        file.seek(begin)
        new = file.read()
    whole = new[: new.rfind(b"\n") + 1]
    for line in whole.decode(errors="replace").splitlines():
        invocation.say(line)
    return begin + len(whole)


def _as_told(error: dict[str, Any]) -> SlateError:
    """An error of another process, as if it had been raised here."""
    assert error["kind"] in KINDS
    raised = SlateError(error["message"], remedy=error["remedy"], **error["details"])
    raised.code, raised.kind = error["code"], error["kind"]  # type: ignore[misc]  instance over class, on purpose
    return raised


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], invocation: Invocation) -> None:
    """Wait until `/health` is ok; a server that stays degraded is left running, with a warning that says why."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    reasons: dict[str, str] = {}
    while time.monotonic() < deadline:
        reasons = health.of(url).get("reasons", {})
        if not reasons:
            return
        if process.poll() is not None:
            raise ServerProblem(f"the server ended (exit code {process.returncode})", remedy="see its log")
        time.sleep(_POLL_SECONDS)
    for name, reason in reasons.items():
        invocation.say(f"warning: {name}: {reason}")
