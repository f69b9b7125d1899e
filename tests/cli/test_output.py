"""How every command is called, answers and ends, tried on commands made for it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from types import ModuleType

import click
import pytest
from click.testing import CliRunner, Result

from slateboard import cli
from slateboard.cli import output
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.interfaces import errors
from slateboard.protocol.errors import (
    Conflict,
    DatabaseFull,
    Denied,
    Invalid,
    NotAuthenticated,
    SlateError,
    UnknownName,
)


@click.command
@click.argument("what", default="answer")
@pass_invocation
def probe(invocation: Invocation, what: str) -> None:
    """Do what the test asks for."""
    if what == "options":
        values = [invocation.board, invocation.agent, invocation.database_url, invocation.home]
        invocation.answer(values, " ".join(map(str, values)))
    elif what == "answer":
        invocation.answer({"at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "set": {2, 1}}, "for people")
    elif what == "nothing":
        output.nothing_to_do()
    elif what == "interrupt":
        raise KeyboardInterrupt
    elif what == "bug":
        raise ZeroDivisionError("by nought")
    else:
        raise KINDS[what]("it is wrong", remedy="do it right", which=what)


KINDS: dict[str, type[SlateError]] = {
    "invalid": Invalid, "conflict": Conflict, "denied": Denied, "unknown": UnknownName, "full": DatabaseFull,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _probe(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("slateboard.cli.probe")
    module.probe = probe  # pyright: ignore
    monkeypatch.setitem(sys.modules, "slateboard.cli.probe", module)
    monkeypatch.setitem(cli.COMMANDS, "probe", cli.Entry("probe:probe", "Board", "For the tests."))
    monkeypatch.delenv("SLATE_AGENT", raising=False)
    monkeypatch.delenv("SLATE_LOG_LEVEL", raising=False)


def slate(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments)


def test_help_names_every_command_and_imports_none() -> None:
    program = (
        "import sys; from slateboard.cli import main\n"
        "try: main(['--help'])\nfinally: print([m for m in sys.modules if m.startswith('slateboard.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['slateboard.cli.output']"
    for name in cli.COMMANDS:
        assert name == "probe" or f"  {name} " in done.stdout


def test_answer_is_for_people_or_one_envelope() -> None:
    assert slate("probe").stdout == "for people\n"
    envelope = json.loads(slate("probe", "--json").stdout)
    assert envelope == {"ok": True, "data": {"at": "2026-01-02T00:00:00+00:00", "set": [1, 2]}}


@pytest.mark.parametrize(
    ("what", "code"), [("invalid", 2), ("unknown", 4), ("conflict", 5), ("denied", 6), ("full", 7), ("bug", 1)]
)
def test_kind_of_error_decides_the_exit_code(what: str, code: int) -> None:
    told = slate("probe", what)
    assert told.exit_code == code
    assert told.stdout == ""
    assert told.stderr.startswith("error: ")
    assert "\n  try: " in told.stderr
    assert "Traceback" not in told.stderr
    enveloped = slate("--json", "probe", what)
    assert enveloped.exit_code == code
    error = json.loads(enveloped.stdout)["error"]
    assert error.keys() == {"code", "kind", "message", "remedy", "details"}
    assert errors.KINDS[error["kind"]].exit_code == code


def test_bug_shows_where_it_came_from_only_when_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLATE_LOG_LEVEL", "debug")
    assert "ZeroDivisionError" in slate("probe", "bug").stderr.partition("error:")[0]


def test_nothing_to_do_and_interruption_have_codes_of_their_own() -> None:
    assert slate("probe", "nothing").exit_code == 3
    assert slate("probe", "interrupt").exit_code == 130


@pytest.mark.parametrize("wrong", [["prob"], ["--nonsense"], ["probe", "--nonsense"], ["probe", "a", "b"]])
def test_wrong_command_line_is_invalid(wrong: list[str]) -> None:
    assert slate(*wrong).exit_code == 2
    error = json.loads(slate("--json", *wrong).stdout)["error"]
    assert (error["kind"], error["remedy"][-6:]) == ("invalid", "--help")


def test_mistyped_command_is_told_the_nearest() -> None:
    assert "did you mean 'has-work'" in slate("haswork").stderr


def test_shared_options_stand_before_or_after_the_command() -> None:
    given = ["--board", "b", "--as", "a", "--url", "postgresql://x", "--home", "/h"]
    assert (
        slate(*given, "probe", "options").stdout
        == slate("probe", "options", *given).stdout
        == "b a postgresql://x /h\n"
    )


def test_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLATE_AGENT", "from-environment")
    assert slate("probe", "options").stdout.split()[1] == "from-environment"
    assert slate("--as", "said", "probe", "options").stdout.split()[1] == "said"
    assert slate("--as", "first", "probe", "options", "--as", "second").stdout.split()[1] == "second"


def test_named_home_hides_the_environments_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLATE_DATABASE_URL", "postgresql://elsewhere")
    assert "SLATE_DATABASE_URL" in Invocation().environment()
    assert "SLATE_DATABASE_URL" not in Invocation(home="/h").environment()


def test_missing_credential_is_401_and_every_other_status_follows_from_the_kind() -> None:
    assert errors.http_status(NotAuthenticated("no")) == 401
    assert errors.http_status(Denied("no")) == 403
    assert errors.http_status(errors.known(KeyError("x"))) == 500


def test_reader_that_goes_away_ends_the_command_quietly() -> None:
    program = (
        "import os, sys, click\nfrom slateboard.cli import output\nos.close(0)\n"
        "sys.exit(output.ending(lambda: [click.echo('x' * 100) for _ in range(100_000)], as_json=False))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
