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
        "differences": [{**one, "action": "create", "file": "a.yaml", "line": 1, "fields": []} for one in created],
    }
    printed = list(apply.lines(answer))
    assert len(printed) == apply.MAX_SHOWN + 3
    assert printed[-2:] == ["  … and 5 more to create", f"{apply.MAX_SHOWN + 5} created, 0 changed, 0 unchanged"]


BEFORE = """\
apiVersion: agent.ceo/v1
kind: TaskBoard
metadata: {name: feature}
spec:
  title: The dashboard
  artifacts:
    a: {owner: backend}
    b: {owner: backend}
    review:
      blocked_by: [a]
      brief: |
        Look at the code.
        Look at the tests.
        Say yes or no.
      title: A title that is so long that it does not fit into the half of a line, and ends with one
"""
AFTER = (
    BEFORE.replace("[a]", "[a, b]").replace("the tests", "every test").replace("with one", "with two")
    + "    late: {capability: k6, priority: high, blocked_by: [review], brief: New}\n"
)


async def test_dry_run_reads_like_a_diff(slate: Slate, tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    declare(first, BEFORE)
    declare(second, BEFORE.replace("feature", "other"))
    await slate.ok("apply", "-f", tmp_path)
    declare(first, AFTER)
    declare(second, BEFORE.replace("feature", "other").replace("dashboard", "board"))
    shown = (await slate("apply", "-f", tmp_path, "--dry-run")).out
    assert shown.splitlines() == [
        str(first),
        "  ~ artifact feature/review",
        "      blocked_by: + feature/b",
        "      title:",
        "        - …line, and ends with one",
        "        + …line, and ends with two",
        "      brief:",
        "        @@ -1,3 +1,3 @@",
        "         Look at the code.",
        "        -Look at the tests.",
        "        +Look at every test.",
        "         Say yes or no.",
        "  + artifact feature/late",
        "      capability: k6",
        "      priority: high",
        "      brief: New",
        "      blocked_by: feature/review",
        str(second),
        "  ~ task other",
        "      title: The dashboard → The board",
        "nothing was changed; it would be: 1 created, 2 changed, 6 unchanged",
    ]
    assert (await slate("apply", "-f", tmp_path)).out.splitlines()[:-1] == shown.splitlines()[:-1]


async def test_differences_are_the_same_as_data(slate: Slate, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    declare(file, BEFORE)
    await slate.ok("apply", "-f", file)
    declare(file, AFTER)
    review, late = (await slate.ok("apply", "-f", file, "--dry-run"))["differences"]
    assert (review["action"], review["kind"], review["reference"], review["file"], review["line"]) == (
        "change", "artifact", "feature/review", str(file), 10,
    )  # fmt: skip
    assert review["fields"][0] == {
        "field": "blocked_by", "from": ["feature/a"], "to": ["feature/a", "feature/b"],
        "added": ["feature/b"], "removed": [], "lines": None,
    }  # fmt: skip
    assert review["fields"][2]["lines"][2:4] == ["-Look at the tests.", "+Look at every test."]
    assert (late["action"], late["line"]) == ("create", 16)
    assert {one["field"]: one["to"] for one in late["fields"]} == {
        "capability": "k6", "priority": "high", "brief": "New", "blocked_by": ["feature/review"],
    }  # fmt: skip


PIPELINE = """\
events:
  - subject: genbrain.events.a
    consumers:
      - {agent: backend, action: deploy}
      - {agent: cto, action: handle}
"""


async def test_what_a_manifest_says_no_more_is_shown_as_removed(slate: Slate, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    declare(file, PIPELINE)
    shown = (await slate("apply", "-f", file)).out
    assert "      patterns: genbrain.events.a" in shown
    declare(file, "".join(PIPELINE.splitlines(keepends=True)[:-1]))
    shown = (await slate("apply", "-f", file, "--dry-run")).out
    assert shown.splitlines()[:2] == ["said no more", "  - subscription events-a-cto-handle"]


async def test_agent_that_was_removed_is_named_at_its_line_and_no_file_is_applied(
    slate: Slate, board: BoardUnderTest, tmp_path: Path
) -> None:
    await board.add_agent("old")
    await board.perform("remove_agent", name="old", to="backend")
    declare(tmp_path / "1.yaml", BOARD)
    declare(tmp_path / "2.yaml", BOARD.replace("feature", "other").replace("security", "old"))
    refused = await slate("apply", "-f", tmp_path)
    assert refused.code == 4, refused
    assert "2.yaml:7:21: spec.artifacts.review.owner: the agent 'old' was removed from this board at " in refused.err
    assert "name another agent instead of old" in refused.err
    assert (await slate.ok("get", "artifacts"))["rows"] == []
