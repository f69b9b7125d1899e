"""Meetings from the shell: scheduled, held, voted, and their minutes read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_meeting_is_held_from_the_shell(slate: Slate, board: BoardUnderTest, tmp_path: Path) -> None:
    made = await slate.ok(
        "meeting", "schedule", "API review", "--with", "cto", "--with", "backend", "--item", "REST or GraphQL?",
        "--item", "Who writes it?", "--minutes", "15", "--model", "majority_with_veto", "--veto", "cto",
        "--as", "cto",
    )  # fmt: skip
    number = made["meeting"]
    for name in ("cto", "backend"):
        said = await slate.ok("meeting", "join", number, "--as", name)
    assert (said["state"], said["present"]) == ("open", ["cto", "backend"])
    await slate.ok("meeting", "say", number, "I like REST", "--as", "cto")
    assert (await slate.wrong(5, "meeting", "say", number, "me too", "--as", "backend"))["code"] == "wrong_state"
    more = tmp_path / "actions.json"
    more.write_text('[{"title": "Tell everybody", "owner": "cto", "due": "1d"}]')
    propose = ("meeting", "propose", number, "Take REST", "--rationale", "simple", "--as", "cto")
    assert (await slate.wrong(2, *propose, "--action", "Write it"))["code"] == "invalid"
    await slate.ok(*propose, "--action", "backend:Write it", "--actions", str(more))
    await slate.ok("meeting", "pass", number, "--as", "cto")
    raised = await slate.ok("meeting", "concern", number, "is it fast?", "--as", "backend")
    await slate.ok("meeting", "settle", raised["concern"], "--reason", "fast enough", "--as", "backend")
    await slate.ok("meeting", "pass", number, "--as", "backend")
    assert (await slate.wrong(6, "meeting", "vote", number, "veto", "--as", "backend"))["code"] == "denied"
    await slate.ok("meeting", "vote", number, "approve", "--rationale", "so be it", "--as", "backend")
    await slate.ok("meeting", "vote", number, "approve", "--as", "cto")
    (row,) = await slate.ok("meeting", "list", "--state", "open")
    assert (row["closed"], row["items"], row["chair"]) == (1, 2, "cto")
    await slate.ok("meeting", "adjourn", number, "--reason", "enough", "--as", "cto")
    found = await slate.ok("meeting", "show", number)
    assert [one["outcome"] for one in found["agenda"]] == ["approved", "deferred"]
    shown = (await slate("meeting", "show", number)).out
    assert "# API review" in shown
    assert "- backend: approve: so be it" in shown
    assert "- backend: is it fast? (resolved by backend: fast enough)" in shown
    assert {row["title"] for row in await board.fetch("SELECT title FROM tasks WHERE board = $1")} == {
        "Write it", "Tell everybody",
    }  # fmt: skip
    assert (await slate.wrong(4, "meeting", "show", 1))["code"] == "unknown_name"
    empty = ("meeting", "schedule", "nothing", "--with", "cto", "--with", "backend")
    assert (await slate.wrong(2, *empty))["code"] == "invalid"
