"""Whatever the board can do, the command can ask for."""

from __future__ import annotations

import re
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
}


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
