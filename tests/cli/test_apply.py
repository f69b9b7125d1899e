"""Declared boards from the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from slateboard.cli import apply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest

BOARD = """\
apiVersion: agent.ceo/v1
kind: TaskBoard
metadata: {name: feature}
spec:
  artifacts:
    spec: {owner: backend}
    review: {owner: security, blocked_by: spec, priority: high}
"""


def declare(file: Path, text: str) -> None:
    """Write a manifest."""
    file.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "board.yaml"
    path.write_text(BOARD)
    return path


async def test_board_is_made_as_declared_and_applying_again_changes_nothing(slate: Slate, file: Path) -> None:
    done = await slate("apply", "-f", file)
    assert done.code == 0, done
    assert "+ artifact feature/review" in done.out
    assert "agent security, which is named but nowhere defined" in done.out
    rows = (await slate.ok("get", "artifacts", "--task", "feature"))["rows"]
    assert {row["name"]: (row["owner"], row["status"]) for row in rows} == {
        "spec": ("backend", "not_started"), "review": ("security", "pending"),
    }  # fmt: skip
    again = await slate.ok("apply", "-f", file)
    assert (again["created"], again["changed"], again["agents_created"]) == ([], [], [])


async def test_change_is_shown_field_by_field(slate: Slate, file: Path) -> None:
    await slate.ok("apply", "-f", file)
    declare(file, BOARD.replace("priority: high", "priority: urgent"))
    shown = (await slate("apply", "-f", file, "--dry-run")).out
    assert "~ artifact feature/review" in shown
    assert "priority: high → urgent" in shown
    assert shown.splitlines()[-1].startswith("nothing was changed; it would be: 0 created, 1 changed")
    assert "0 created, 1 changed" in (await slate("apply", "-f", file)).out


async def test_dry_run_changes_nothing(slate: Slate, board: BoardUnderTest, file: Path) -> None:
    before = await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1")
    assert (await slate.ok("apply", "-f", file, "--dry-run"))["dry_run"] is True
    assert (await slate.ok("get", "tasks"))["rows"] == []
    assert await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1") == before


async def test_standard_input_and_folders_are_read(slate: Slate, file: Path) -> None:
    await slate.ok("apply", "-f", "-", given=BOARD.replace("feature", "piped"))
    await slate.ok("apply", "-f", file.parent)
    assert {row["name"] for row in (await slate.ok("get", "tasks"))["rows"]} == {"feature", "piped"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 2),
        ("a: b: c", 2),
        (BOARD.replace("    spec:", "    spec: {owner: backend}\n    spec:"), 2),
        (BOARD.replace("blocked_by: spec", "blocked_by: review"), 5),
        (BOARD.replace("owner: backend", "ownr: backend"), 2),
        ("x" * 10_000_001, 2),
    ],
    ids=["empty", "no YAML", "duplicate key", "circle", "unknown key", "10 MB"],
)
async def test_mistake_is_named_and_nothing_is_applied(
    slate: Slate, board: BoardUnderTest, file: Path, text: str, code: int
) -> None:
    declare(file, text)
    before = await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1")
    error = await slate.wrong(code, "apply", "-f", file)
    assert "board.yaml" in error["message"]
    assert error["remedy"]
    assert await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1") == before


async def test_strict_refuses_agents_that_are_nowhere_defined(slate: Slate, file: Path) -> None:
    error = await slate.wrong(4, "apply", "-f", file, "--strict")
    assert (error["code"], "security" in error["message"]) == ("unknown_name", True)


async def test_file_that_is_not_there_is_named(slate: Slate, tmp_path: Path) -> None:
    assert "none.yaml" in (await slate.wrong(2, "apply", "-f", tmp_path / "none.yaml"))["message"]
    await slate.wrong(2, "apply")


def test_long_answers_are_cut_and_counted() -> None:
    created = [{"kind": "artifact", "reference": f"t/a{number}"} for number in range(apply.MAX_SHOWN + 5)]
    answer = {
        "created": created,
        "changed": [],
        "removed": [],
        "unchanged": 0,
        "agents_created": [],
        "notes": [],
        "dry_run": False,
    }
    printed = list(apply.lines(answer))
    assert len(printed) == apply.MAX_SHOWN + 2
    assert printed[-2:] == ["  … and 5 more", f"{apply.MAX_SHOWN + 5} created, 0 changed, 0 unchanged"]
