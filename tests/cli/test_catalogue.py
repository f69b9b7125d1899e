"""Whatever the board can do, the command can ask for."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path

import click
import pytest

from slateboard import cli
from slateboard.interfaces.operations import OPERATIONS
from tests.cli import reference
from tests.house.source import PACKAGE, text

# What each operation is reached by. A change of the catalogue shows here.
REACHED_BY = {
    "claim": "work claim",
    "claim_one": "work claim",
    "has_work": "has-work",
    "heartbeat": "work heartbeat",
    "checkpoint": "work checkpoint",
    "mine": "mine",
    "finish": "work finish",
    "give_back": "work fail",
    "briefing": "work claim",
    "explain": "work explain",
    "post": "post",
    "depend": "depend",
    "block_on": "work block",
    "ask": "work ask",
    "answer": "answer",
    "list_escalations": "inbox",
    "consult": "consult",
    "request": "request",
    "notify": "notify",
    "reply": "thread reply",
    "acknowledge": "thread read",
    "list_threads": "thread list",
    "show_thread": "thread show",
    "list_routes": "peers",
    "schedule_meeting": "meeting schedule",
    "join_meeting": "meeting join",
    "say": "meeting say",
    "concern": "meeting concern",
    "settle_concern": "meeting settle",
    "propose": "meeting propose",
    "vote": "meeting vote",
    "pass_turn": "meeting pass",
    "adjourn_meeting": "meeting adjourn",
    "list_meetings": "meeting list",
    "minutes": "meeting show",
    "judge": "work approve",
    "list_verifications": "work verifications",
    "report_usage": "work usage",
    "usage": "usage",
    "set_budget": "budget set",
    "remove_budget": "budget remove",
    "list_budgets": "budget list",
    "set_limit": "limit set",
    "remove_limit": "limit remove",
    "list_limits": "limit list",
    "revise": "revise",
    "cancel": "cancel",
    "redrive": "dead-letters redrive",
    "discard": "dead-letters discard",
    "pin": "work pin",
    "create_board": "board add",
    "archive_board": "board archive",
    "unarchive_board": "board unarchive",
    "delete_board": "board delete",
    "list_deleted_boards": "board deleted",
    "pause": "pause",
    "resume": "resume",
    "add_agent": "agent add",
    "delegate": "task delegate",
    "decline": "task decline",
    "reassign": "task reassign",
    "cancel_task": "task cancel",
    "accountability": "task chain",
    "list_delegations": "task delegations",
    "list_minutes": "meeting show",
    "remove_agent": "agent remove",
    "agenda": "agent agenda",
    "override": "work override",
    "change_agent": "agent change",
    "find_agents": "agent find",
    "attend": "worker run",
    "issue_token": "token issue",
    "rotate_token": "token rotate",
    "revoke_token": "token revoke",
    "list_breakers": "breaker list",
    "show_breaker": "breaker show",
    "open_breaker": "breaker open",
    "close_breaker": "breaker close",
    "reset_breaker": "breaker reset",
    "compensate": "compensate",
    "list_compensations": "show",
    "why": "why",
    "stuck": "stuck",
    "health": "health",
    "doctor": "doctor",
    "decide": "decide",
    "read_log": "log tail",
    "log_head": "log tail",
    "as_of": "get artifacts",
    "list_boards": "get boards",
    "list_agents": "get agents",
    "list_tokens": "get tokens",
    "list_tasks": "get tasks",
    "list_artifacts": "get artifacts",
    "list_items": "get items",
    "list_decisions": "get decisions",
    "list_dead_letters": "get dead-letters",
    "list_attempts": "show",
    "list_versions": "show",
    "list_dependencies": "show",
    "show": "show",
    "tree": "tree",
    "status": "status",
    "report_audit": "report audit",
    "report_decisions": "report decisions",
    "report_agents": "report agents",
    "publish": "publish",
    "wait_for": "work wait",
    "subscribe": "subscription add",
    "change_subscription": "subscription change",
    "unsubscribe": "subscription remove",
    "pause_subscription": "subscription pause",
    "resume_subscription": "subscription resume",
    "rewind_subscription": "subscription rewind",
    "list_subscriptions": "subscription list",
    "schedule": "schedule add",
    "unschedule": "schedule remove",
    "list_schedules": "schedule list",
    "show_event": "log show",
    "chain": "log chain",
    "verify_log": "log verify",
    "export_log": "log export",
    "erase_event": "log erase",
    "record_key": "log rotate-key",
    "apply": "apply",
    "export": "export",
    "manifest_schema": "schema",
}

LISTED = {"total", "ids", "names", "now"}
"""What programs say to listings and to the clock; no command has it."""
SAID_OTHERWISE: dict[str, dict[str, str]] = {
    # the queue: one item for each call, of a worker that has no name
    "claim": {"worker": "", "limit": ""},
    "claim_one": {"worker": ""},
    "heartbeat": {"beats": "item"},
    "finish": {"finishes": "item"},
    "give_back": {"returns": "item"},
    "post": {"tasks": "what", "artifacts": "what"},
    "depend": {"on": "blockers"},
    "block_on": {"on": "blockers"},
    "redrive": {"items": "item", "limit": ""},
    "discard": {"items": "item", "limit": ""},
    "delegate": {"artifacts": "file"},
    "answer": {"answer": "text"},
    # the name of the command says it, or the command finds it out
    "judge": {"verdict": "", "hash": ""},
    "list_minutes": {"meetings": "meeting"},
    "list_threads": {"agents": "agent"},
    "settle_concern": {"how": "overrule"},
    "attend": {"worker": ""},
    "delete_board": {"confirm": "yes"},
    "record_key": {"key": "", "public": "", "at": "", "previous": "", "signature": ""},
    "open_breaker": {"recovery_seconds": "seconds"},
    "publish": {"id": "key", "cause": "item"},
    # the manifest that says so
    "schedule_meeting": {"source": ""},
    "schedule": {"source": ""},
    "subscribe": {"filter": "path", "source": ""},
    "change_subscription": {"filter": "path", "source": ""},
    "wait_for": {"filter": "path"},
    "apply": {"documents": "names"},
    # pages, forms and points of what is shown
    "list_verifications": {"limit": ""},
    "list_compensations": {"task": "what", "limit": ""},
    "usage": {"limit": ""},
    "read_log": {"limit": "lines"},
    "as_of": dict.fromkeys(("position", "time"), "as_of") | dict.fromkeys(("of", "where", "show", "tree"), ""),
    "list_tasks": {"roll_up": ""},
    "list_artifacts": {"references": "reference", "tasks": ""},
    "list_items": {"finished": "unfinished"},
    "list_attempts": dict.fromkeys(("references", "artifacts"), "what") | {"last": ""},
    "list_versions": dict.fromkeys(("references", "artifacts"), "what") | dict.fromkeys(("last", "content"), ""),
    "list_dependencies": dict.fromkeys(("references", "artifacts"), "what")
    | dict.fromkeys(("dependents", "first", "after"), ""),
    "show": {"name": "what"},
    "report_audit": {"format": "form"},
    "verify_log": dict.fromkeys(("after", "hash", "limit"), "export_file") | {"checkpoints": "checkpoint_files"},
    "export_log": {"after": "first", "limit": "last"},
    "export": {"after": ""},
}
"""Arguments that the command of an operation says in another way: as what, or ('') not at all. All others have their
name there, but for lengths of time, which are written with their unit, and pages (`limit`)."""


def command(path: str) -> click.Command:
    """The command of that path."""
    found: click.Command = cli.main
    for name in path.split():
        assert isinstance(found, click.Group), path
        below = found.get_command(click.Context(found), name)
        assert below is not None, path
        found = below
    return found


def test_every_operation_is_reached_by_a_command() -> None:
    assert set(REACHED_BY) == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_argument_has_the_same_name_in_the_command(operation: str) -> None:
    names = list(signature(OPERATIONS[operation].load()).parameters)[1:]
    there = {one.name for one in command(REACHED_BY[operation]).params}
    otherwise = SAID_OTHERWISE.get(operation, {})
    assert set(otherwise) <= set(names), "the table names an argument that is gone"
    assert {one for one in otherwise.values() if one} <= there, "the table names an option that is gone"
    assert not set(otherwise) & there, "the command says it in the same word by now"
    missing = [
        one
        for one in names
        if one not in LISTED and one not in otherwise and not {one, one.removesuffix("_seconds")} & there
        and not (one == "first" and "limit" in there)
    ]  # fmt: skip
    assert not missing, f"`slate {REACHED_BY[operation]}` cannot say {missing}"


@pytest.mark.parametrize("path", sorted(set(REACHED_BY.values())))
def test_a_command_that_reaches_an_operation_is_there(path: str) -> None:
    assert not isinstance(command(path), click.Group)


def test_every_command_explains_itself_with_an_example() -> None:
    for path, one in reference.every(cli.main).items():
        explained = one.help or ""
        assert len(explained) > 20, path
        of_the_server = cli.COMMANDS[path.split()[0]].heading == "Server"
        # A listing has two names, and shows the example of one of them.
        names = f"{path}|get ({path.removesuffix(' list')}s?|items|events)" if path.endswith(" list") else path
        assert of_the_server or re.search(rf"slate ({names})\b", explained), f"the help of {path} has no example"


def test_reference_says_how_every_command_ends() -> None:
    assert set(reference.ENDS) == set(reference.every(cli.main))


def test_reference_in_the_docs_is_up_to_date() -> None:
    written = text(reference.PAGE).partition(reference.BEGIN)[2].strip()
    assert written == reference.markdown().strip(), "write it with `python -m tests.cli.reference`"


def test_no_command_touches_the_database_itself() -> None:
    """They ask through the client; only the verbs of the server look behind it."""
    ours = ["apply", "get", "show", "tree", "mine", "work", "endings", "has_work", "decide", "post", "depend", "revise",
            "cancel", "dead_letters", "pause", "log", "report", "agent", "board", "token", "publish",
            "subscription", "schedule", "peers", "thread"]  # fmt: skip
    for name in ours:
        path: Path = PACKAGE / f"cli/{name}.py"
        assert not re.search(r"slateboard\.(store|board|work|log|transaction|reports)\b", text(path)), name
