"""How every command is called, answers and ends.

An answer is data: with `--json` it is printed as `{"ok": true, "data": …}`, else a command prints it for people. An
error is one line on standard error with what to do next, or `{"ok": false, "error": {code, kind, message, remedy,
details}}` on standard output. The exit code follows from the error's kind (`interfaces/errors.py`), so that a script
never has to read a text. A reader that goes away (`| head`) ends the command quietly.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from slateboard.interfaces import errors
from slateboard.protocol.errors import Invalid, SlateError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence

    from slateboard import Client

Answer = TypeVar("Answer")


@dataclass(kw_only=True, slots=True)
class Invocation:
    """The options that all commands share; a command gets it by `@pass_invocation`."""

    board: str | None = None
    as_json: bool = False
    database_url: str | None = None
    home: str | None = None
    agent: str | None = None

    def environment(self) -> dict[str, str]:
        """The environment with the options laid over it: what `settings.load` reads."""
        given = {"SLATE_BOARD": self.board, "SLATE_DATABASE_URL": self.database_url, "SLATE_HOME": self.home}
        laid = os.environ | {name: value for name, value in given.items() if value is not None}
        if self.home is not None and self.database_url is None:
            # A home named on the command line means the Postgres in it, whatever the environment points at.
            laid.pop("SLATE_DATABASE_URL", None)
        return laid

    def home_folder(self) -> Path:
        """The home that is meant, without loading the settings' validation."""
        return Path(self.environment().get("SLATE_HOME") or "~/.slateboard").expanduser().absolute()

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a command's coroutine to its end, in an event loop of its own."""
        import asyncio

        return asyncio.run(coroutine)

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        """A client on the board that is meant, acting for `--as AGENT` if it was given."""
        from slateboard import connect

        async with connect(self.url(), board=self.board, agent=self.agent) as client:
            use_home = getattr(client.transport, "use_home", None)
            if self.home is not None and use_home is not None:
                use_home(self.home_folder())
            yield client

    def url(self) -> str | None:
        """The database that the options name; None leaves it to the environment."""
        if self.database_url is not None or self.home is None:
            return self.database_url
        from slateboard.protocol.errors import ServerProblem
        from slateboard.store.run_file import read_run_file

        run = read_run_file(self.home_folder())
        if run is None:
            message = f"no server is running in {self.home_folder()}"
            raise ServerProblem(message, remedy=f"start one with `slate up --home {self.home}`")
        return run.app_url

    def answer(self, data: Any, show: Callable[[], None] | str | None = None) -> None:
        """Print the answer: the envelope with `--json`, else the text, or what `show` prints."""
        if self.as_json:
            print_json({"ok": True, "data": data})
        elif callable(show):
            show()
        elif show is not None:
            click.echo(show)

    def say(self, line: str) -> None:
        """Progress for people, on standard error, so that an answer can be piped."""
        click.echo(line, err=True)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def nothing_to_do() -> None:
    """End with the exit code that says: there is no work, and nothing is wrong."""
    raise click.exceptions.Exit(errors.NOTHING_TO_DO)


def plain(value: Any) -> Any:
    """A value as JSON takes it: dataclasses as objects, times in ISO 8601, sets sorted, everything else as text."""
    if isinstance(value, SlateError):
        return value.as_dict()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(cast("set[Any]", value))
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)


def print_json(value: Any) -> None:
    """One JSON value: indented on a terminal, one line otherwise."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(value, default=plain, ensure_ascii=False, indent=indent))


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` was given, also where the rest of the line is wrong; what follows `--` is not ours."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own


def ending(act: Callable[[], Any], *, as_json: bool) -> int:
    """Do it; print what went wrong, if anything; return the exit code."""
    try:
        value = act()
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError):
        return errors.INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at its end; there is nobody left to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return errors.BROKEN_PIPE
    except click.exceptions.NoArgsIsHelpError as wrong:
        wrong.show()
        return errors.KINDS["invalid"].exit_code
    except click.ClickException as wrong:
        return report(_of_click(wrong), as_json=as_json)
    except Exception as error:  # noqa: BLE001  the outermost: it reports them all
        if not isinstance(error, SlateError) and os.environ.get("SLATE_LOG_LEVEL") == "debug":
            import traceback

            traceback.print_exc()
        return report(errors.known(error), as_json=as_json)
    return value if type(value) is int else 0


def report(error: SlateError, *, as_json: bool) -> int:
    """Print an error and return its exit code."""
    if as_json:
        print_json({"ok": False, "error": error.as_dict()})
    else:
        from slateboard.cli import tables

        # A message may quote what a peer wrote.
        click.echo(f"error: {tables.block(error.message)}", err=True)
        if error.remedy:
            click.echo(f"  try: {tables.block(error.remedy)}", err=True)
    return errors.exit_code(error)


def _of_click(wrong: click.ClickException) -> SlateError:
    """A wrong command line, as one of our errors."""
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    remedy = f"{context.command_path} --help" if context is not None else "slate --help"
    message = wrong.format_message()
    return Invalid(message[:1].lower() + message[1:].rstrip("."), remedy=remedy)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        invocation = context.ensure_object(Invocation)
        source = context.get_parameter_source(name)
        # The environment is asked again at each level, and must not hide what the command line said before.
        said = source is ParameterSource.COMMANDLINE
        if said or (source is ParameterSource.ENVIRONMENT and getattr(invocation, name) is None):
            setattr(invocation, name, value)
        return value

    return keep


def _shared_options() -> list[click.Option]:
    return [
        click.Option(["--board", "-b"], metavar="NAME", help="The board that is meant (SLATE_BOARD, else `default`)."),
        click.Option(["--as", "agent"], metavar="AGENT", envvar="SLATE_AGENT", help="Act for this agent."),
        click.Option(["--json", "as_json"], is_flag=True, help="Answer with one JSON envelope."),
        click.Option(["--url", "database_url"], metavar="URL", help="The database (SLATE_DATABASE_URL)."),
        click.Option(["--home"], metavar="FOLDER", help="The home of an embedded Postgres (SLATE_HOME)."),
    ]


def with_shared_options(command: click.Command) -> click.Command:
    """Let a command, and every command below it, take the shared options too, unless it has its own of that name."""
    own = {option for parameter in command.params for option in parameter.opts}
    names = {parameter.name for parameter in command.params}
    for option in _shared_options():
        if not own & set(option.opts) and option.name not in names:
            option.expose_value = False
            option.callback = _keep(option.name or "")
            command.params.append(option)
    if isinstance(command, click.Group) and command.commands:
        for below in command.commands.values():
            with_shared_options(below)
    return command
