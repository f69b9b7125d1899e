"""The `slate` command: one group, whose commands are loaded when they are asked for.

`COMMANDS` is the whole list, with the words that `slate --help` prints, so that help, completion and a mistyped name
import none of them. The options that all commands share may stand before or after the command's name. How commands
answer, and how they end, stands in `cli/output.py`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from slateboard.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence


class Entry(NamedTuple):
    """Where a command is (`module:name` below this package), its heading in the help, and its line there."""

    target: str
    heading: str
    help: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("up:up", "Server", "Start everything: Postgres, the schema, the server."),
    "down": Entry("down:down", "Server", "Stop the server, then its Postgres."),
    "status": Entry("status:status", "Server", "What runs, and what the boards hold."),
    "doctor": Entry("doctor:doctor", "Server", "What is wrong with what it runs on, and what to do."),
    "backup": Entry("backup:backup", "Server", "Write the whole database into one file."),
    "restore": Entry("restore:restore", "Server", "Load a file that `slate backup` wrote."),
    "migrate": Entry("migrate:migrate", "Server", "Bring the schema to what this version speaks."),
    "apply": Entry("apply:apply", "Board", "Make the board what files declare."),
    "get": Entry("get:get", "Board", "List artifacts, tasks, agents, decisions, items …"),
    "show": Entry("show:show", "Board", "Everything about one thing."),
    "why": Entry("why:why", "Board", "What holds an item, down to the root cause."),
    "stuck": Entry("why:stuck", "Board", "All that cannot move by itself."),
    "health": Entry("board_health:health", "Board", "What makes no progress, is late or stale; degraded agents."),
    "tree": Entry("tree:tree", "Board", "The tasks as a tree, with status and progress."),
    "post": Entry("post:post", "Board", "Put a task or an artifact on the board."),
    "depend": Entry("depend:depend", "Board", "Block an artifact by others."),
    "revise": Entry("revise:revise", "Board", "Ask for a new version of a complete artifact."),
    "cancel": Entry("cancel:cancel", "Board", "End work that is no longer wanted."),
    "task": Entry("task:task", "Board", "Delegate, decline, reassign, cancel tasks; who answers."),
    "meeting": Entry("meeting:meeting", "Board", "Schedule and hold meetings; vote; read minutes."),
    "compensate": Entry("compensate:compensate", "Board", "Undo what was completed of a task."),
    "decide": Entry("decide:decide", "Board", "Record a decision: what, why, over which options."),
    "inbox": Entry("questions:inbox", "Work", "What waits for somebody's answer."),
    "answer": Entry("questions:answer", "Work", "Answer what the inbox shows."),
    "consult": Entry("peers:consult", "Work", "Ask a peer along a route."),
    "request": Entry("peers:request", "Work", "Ask whoever has a capability."),
    "notify": Entry("peers:notify", "Work", "Tell all whom the routes name for a label."),
    "peers": Entry("peers:peers", "Work", "Whom agents may consult for what, and tell when."),
    "thread": Entry("thread:thread", "Work", "What agents say to each other: list, show, reply, read."),
    "mine": Entry("mine:mine", "Work", "What an agent holds, with the notes it left."),
    "has-work": Entry("has_work:has_work", "Work", "Whether a claim would find anything, by exit code."),
    "work": Entry("work:work", "Work", "List, claim, heartbeat, finish, release, explain."),
    "worker": Entry("worker:worker", "Work", "Run a worker of yours, or any command as one."),
    "dead-letters": Entry("dead_letters:dead_letters", "Work", "List, redrive or discard what is not tried again."),
    "breaker": Entry("breaker:breaker", "Work", "Circuit breakers of agents: list, show, open, close, reset."),
    "pause": Entry("pause:pause", "Work", "Stop new claims: of an agent, the board, everything."),
    "resume": Entry("pause:resume", "Work", "Take a pause back."),
    "usage": Entry("usage:usage", "Work", "Tokens and cost: of an agent, a task, the board."),
    "budget": Entry("usage:budget", "Work", "How much may be used: set, list, remove."),
    "limit": Entry("limit:limit", "Work", "How many at once, or in a period: set, list, remove."),
    "publish": Entry("publish:publish", "Log", "Put an event into the log, for whoever subscribes."),
    "subscription": Entry("subscription:subscription", "Log", "Who hears of which events: add, pause, rewind …"),
    "schedule": Entry("schedule:schedule", "Log", "Events by the clock: add, list and remove."),
    "log": Entry("log:log", "Log", "Read and follow the board's events."),
    "report": Entry("report:report", "Log", "The audit trail, the decisions as files, what agents did."),
    "board": Entry("board:board", "Administration", "Add, list, archive and delete boards."),
    "agent": Entry("agent:agent", "Administration", "Add, find, change and remove agents; agendas."),
    "token": Entry("token:token", "Administration", "Issue, rotate and revoke tokens."),
}


class Slate(click.Group):
    """The group of all commands: loads them late, and ends as `output` says."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        command: click.Command = getattr(import_module(f"slateboard.cli.{module}"), name)
        command.name = cmd_name
        return output.with_shared_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        headings = dict.fromkeys(entry.heading for entry in COMMANDS.values())
        width = max(len(name) for name in COMMANDS)
        for heading in headings:
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{name:{width}}", entry.help) for name, entry in COMMANDS.items() if entry.heading == heading]
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=entry.help) for name, entry in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def main(  # pyright: ignore[reportIncompatibleMethodOverride]  one signature instead of click's two
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT002  click's own signature
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        prog_name = prog_name or "slate"
        self._main_shell_completion(extra, prog_name, complete_var or "_SLATE_COMPLETE")

        def act() -> Any:
            with self.make_context(prog_name, list(arguments), **extra) as context:
                return self.invoke(context)

        code = output.ending(act, as_json=output.asks_for_json(arguments))
        if standalone_mode:
            sys.exit(code)
        return code


@click.group(
    cls=Slate,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "auto_envvar_prefix": None},
    epilog="Exit codes: 0 done, 2 invalid, 3 nothing to do, 4 not found, 5 conflict, 6 denied, 7 unavailable, 1 a bug.",
)
@click.version_option(package_name="slateboard", prog_name="slate", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """A blackboard for fleets of AI agents: what is wanted, who does it, what is ready, what was decided."""
    context.ensure_object(output.Invocation)


output.with_shared_options(main)
