"""The reference of all commands as it stands in `docs/cli.md`, made of their own help.

`python -m tests.cli.reference` writes it there; a test compares.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from slateboard import cli
from slateboard.cli import output
from tests.house.source import ROOT

PAGE = ROOT / "docs/cli.md"
BEGIN = "<!-- The rest is made of the commands' own help: python -m tests.cli.reference -->\n"

ALWAYS = "0, 2, 7"
"""The exit codes of every command that asks the board: done, a wrong command line, no answer."""
ENDS: dict[str, dict[int, str]] = {
    "up": {5: "a server runs in this home already"},
    "down": {},
    "status": {},
    "doctor": {5: "a check fails"},
    "backup": {},
    "restore": {5: "a server runs, or there is data already"},
    "log archive": {4: "no such position", 5: "events are being archived already"},
    "migrate": {},
    "apply": {4: "a name that is nowhere", 5: "a circle, or a change that the board's state forbids", 6: "not allowed"},
    "get boards": {},
    "get agents": {},
    "get tasks": {4: "no such task or agent"},
    "get artifacts": {4: "no such task, agent or artifact"},
    "get items": {4: "no such agent"},
    "get decisions": {4: "no such task"},
    "get dead-letters": {4: "no such agent"},
    "get tokens": {4: "no such agent", 6: "only for administrators"},
    "get events": {},
    "show": {4: "no such thing"},
    "why": {4: "no such item or artifact"},
    "stuck": {},
    "health": {},
    "tree": {4: "no such task"},
    "post": {4: "no such task, agent or blocker", 5: "the name is taken, or a circle", 6: "not allowed"},
    "depend": {4: "no such artifact", 5: "a circle, or it has started", 6: "not allowed"},
    "revise": {4: "no such artifact", 5: "not complete, or at another version", 6: "not allowed"},
    "cancel": {4: "no such artifact", 5: "finished already, or others wait for it", 6: "neither owner nor delegator"},
    "compensate": {4: "no such task", 6: "only for operators"},
    "meeting list": {},
    "meeting show": {4: "no such meeting"},
    "meeting schedule": {4: "no such agent"},
    "meeting join": {4: "no such meeting", 5: "it has not begun, or is over", 6: "not invited"},
    "meeting say": {4: "no such meeting", 5: "it is somebody else's turn", 6: "not invited"},
    "meeting concern": {4: "no such meeting", 5: "it is somebody else's turn", 6: "not invited"},
    "meeting settle": {4: "no such concern", 5: "settled already, or closed", 6: "neither who raised it nor the chair"},
    "meeting propose": {4: "no such meeting or owner", 5: "it is somebody else's turn", 6: "not invited"},
    "meeting vote": {4: "no such meeting", 5: "nothing is voted on, or it is over", 6: "no seat, or no veto"},
    "meeting pass": {4: "no such meeting", 5: "it is somebody else's turn", 6: "not invited"},
    "meeting adjourn": {4: "no such meeting", 5: "it is over already", 6: "neither chair nor operator"},
    "decide": {4: "no such task or earlier decision", 5: "the subject is decided", 6: "not allowed"},
    "inbox": {4: "no such agent"},
    "answer": {4: "no such escalation", 5: "it was answered already", 6: "somebody else was asked"},
    "consult": {4: "no such agent or thread", 5: "the claim is gone, or a circle", 6: "no route leads there"},
    "request": {5: "the claim is gone"},
    "notify": {6: "nobody is told of that"},
    "peers": {4: "no such agent"},
    "thread list": {4: "no such agent"},
    "thread show": {4: "no such thread"},
    "thread reply": {4: "no such thread", 6: "not on it"},
    "thread read": {4: "no such thread", 6: "not on it"},
    "mine": {4: "no such agent"},
    "has-work": {3: "there is no work", 4: "no such agent"},
    "work list": {4: "no such agent"},
    "work claim": {
        3: "nothing is ready",
        4: "no such item",
        5: "paused, a breaker is open, or it is held",
        6: "not yours",
    },
    "work heartbeat": {4: "no such item", 5: "the claim is gone", 6: "not yours"},
    "work checkpoint": {4: "no such item", 5: "the claim is gone", 6: "not yours"},
    "work finish": {4: "no such item", 5: "the claim is gone, or finished with other content", 6: "not yours"},
    "work release": {4: "no such item", 5: "the claim is gone", 6: "not yours"},
    "work fail": {4: "no such item", 5: "the claim is gone", 6: "not yours"},
    "work block": {4: "no such item or blocker", 5: "the claim is gone, or a circle", 6: "not yours"},
    "work wait": {4: "no such item", 5: "the claim is gone", 6: "not yours"},
    "work ask": {4: "no such item or agent", 5: "the claim is gone", 6: "not yours"},
    "work approve": {4: "nothing of it waits for a verdict", 5: "judged already, or another version", 6: "not asked"},
    "work reject": {4: "nothing of it waits for a verdict", 5: "judged already, or another version", 6: "not asked"},
    "work verifications": {4: "no such agent"},
    "work usage": {4: "no such item", 5: "the claim is gone", 6: "not yours"},
    "work explain": {4: "no such item"},
    "work pin": {4: "no such unfinished item", 6: "only for operators"},
    "worker run": {4: "no such board or agent", 6: "not allowed"},
    "dead-letters list": {4: "no such agent"},
    "dead-letters redrive": {
        3: "--all found none",
        5: "alive, or tried too often",
        6: "only for operators",
    },
    "dead-letters discard": {
        3: "--all found none",
        5: "alive, or others wait for it",
        6: "only for operators",
    },
    "breaker list": {},
    "breaker show": {4: "no such agent"},
    "breaker open": {4: "no such agent", 5: "it is open already", 6: "only for operators"},
    "breaker close": {4: "no such agent", 5: "it is not open", 6: "only for operators"},
    "breaker reset": {4: "no such agent", 6: "only for operators"},
    "pause": {4: "no such agent", 6: "only for operators"},
    "resume": {4: "it is not paused", 6: "only for operators"},
    "usage": {4: "no such agent or task"},
    "budget set": {4: "no such agent or task", 6: "only for operators"},
    "budget list": {},
    "budget remove": {4: "no such agent, task or budget", 6: "only for operators"},
    "limit set": {4: "no such agent", 6: "only for operators"},
    "limit list": {},
    "limit remove": {4: "no such limit", 6: "only for operators"},
    "report audit": {4: "no such task, agent or correlation"},
    "report decisions": {},
    "report agents": {},
    "publish": {5: "the claim is gone (--item, --fence)", 6: "the subject is not yours to publish"},
    "subscription add": {4: "no such agent", 5: "the name is taken", 6: "not yours"},
    "subscription change": {4: "no such subscription or agent", 6: "not yours"},
    "subscription list": {},
    "subscription remove": {4: "no such subscription", 6: "not yours"},
    "subscription pause": {4: "no such subscription", 5: "it is paused already", 6: "not yours"},
    "subscription resume": {4: "no such subscription", 5: "it is not paused", 6: "not yours"},
    "subscription rewind": {4: "no such subscription", 6: "not yours"},
    "schedule add": {5: "the name is taken", 6: "only for operators"},
    "schedule list": {},
    "schedule remove": {4: "no such schedule", 6: "only for operators"},
    "log list": {},
    "log show": {4: "no such position"},
    "log chain": {4: "no such chain"},
    "log tail": {130: "--follow, interrupted"},
    "log verify": {4: "no such checkpoint", 5: "the log is broken, or a checkpoint is of another log"},
    "log export": {},
    "log erase": {4: "no such position", 5: "it is erased already", 6: "only for administrators"},
    "log rotate-key": {5: "the keys of the home do not fit", 6: "only for administrators"},
    "board list": {},
    "board add": {5: "the name is taken", 6: "only for administrators"},
    "board archive": {4: "no such board", 5: "work is claimed", 6: "only for administrators"},
    "board unarchive": {4: "no such board", 5: "it is not archived", 6: "only for administrators"},
    "board delete": {4: "no such board", 5: "it is not archived", 6: "only for the server's administrator"},
    "board deleted": {6: "only for the server's administrator"},
    "agent list": {},
    "task delegate": {4: "no such item or agent", 5: "a loop, too deep, or the claim is gone", 6: "not accepted"},
    "task decline": {4: "no such task", 5: "nobody delegated it", 6: "somebody else's"},
    "task reassign": {4: "no such task or agent", 5: "a loop, or it is that agent's", 6: "not accepted, or not yours"},
    "task cancel": {4: "no such task", 5: "others wait for it", 6: "neither its agent nor its delegator"},
    "task chain": {4: "no such task or artifact"},
    "agent remove": {4: "no such agent", 5: "it has work, and nobody is named for it", 6: "only for administrators"},
    "agent agenda": {4: "no such agent"},
    "work override": {4: "no such item or agent", 5: "claimed or finished", 6: "only for operators"},
    "agent find": {},
    "agent change": {4: "no such agent", 5: "a circle of managers", 6: "only for administrators"},
    "agent add": {4: "no such manager", 5: "the name is taken", 6: "only for administrators"},
    "token list": {4: "no such agent", 6: "only for administrators"},
    "token issue": {4: "no such agent", 6: "only for administrators"},
    "token rotate": {4: "no such live token", 6: "only for administrators"},
    "token revoke": {4: "no such live token", 6: "only for administrators"},
}
"""What else each command may end with, and what it means there."""


def every(group: click.Group, path: str = "") -> dict[str, click.Command]:
    """All commands below a group, by path, in the order of the help."""
    found: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        one = group.get_command(click.Context(group), name)
        assert one is not None, name
        full = f"{path} {name}".strip()
        found |= every(one, full) if isinstance(one, click.Group) else {full: one}
    return found


def markdown() -> str:
    """The reference of all commands."""
    parts = [one for path, command in every(cli.main).items() for one in _command(path, command)]
    return "\n".join(parts).rstrip() + "\n"


def _command(path: str, command: click.Command) -> Iterator[str]:
    shared = {option.name for option in output._shared_options()}
    context = click.Context(command, info_name=f"slate {path}")
    yield f"### `slate {path}`\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        example = paragraph.removeprefix("Example: ")
        yield f"{paragraph}\n" if example == paragraph else f"```sh\n{example}\n```\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"Usage: `slate {path} {usage}`\n"
    options = [
        option for option in command.params
        if isinstance(option, click.Option) and not (option.name in shared and not option.expose_value)
    ]  # fmt: skip
    if options:
        yield "| option | |\n|---|---|"
        for option in options:
            record = option.get_help_record(context)
            if record is not None:
                yield f"| `{_cell(record[0])}` | {_cell(record[1])} |"
        yield ""
    ends = [f"{code} ({what})" for code, what in sorted(ENDS[path].items())]
    yield f"Exit codes: {', '.join([ALWAYS, *ends])}.\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    head = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    PAGE.write_text(head + BEGIN + "\n" + markdown(), encoding="utf-8")
