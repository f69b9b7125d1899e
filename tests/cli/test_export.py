"""The board as files: what is written, what is said, and that it applies back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.test_apply import BOARD

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_a_board_is_printed_and_applies_back(slate: Slate, tmp_path: Path, board: BoardUnderTest) -> None:
    (tmp_path / "board.yaml").write_text(BOARD)
    await slate.ok("apply", "-f", tmp_path / "board.yaml")
    await slate.ok("schedule", "add", "nightly", "30 2 * * *", "--subject", "genbrain.events.night")
    done = await slate("export")
    assert done.code == 0, done
    assert "note: no manifest holds schedules: nightly" in done.err
    assert "review: {owner: security, blocked_by: [spec], priority: high}" in done.out
    (tmp_path / "export.yaml").write_text(done.out)
    again = await slate.ok("apply", "-f", tmp_path / "export.yaml", "--strict")
    assert (again["created"], again["changed"], again["removed"]) == ([], [], [])


async def test_a_folder_gets_a_file_for_each_manifest(slate: Slate, tmp_path: Path, board: BoardUnderTest) -> None:
    (tmp_path / "board.yaml").write_text(BOARD)
    await slate.ok("apply", "-f", tmp_path / "board.yaml")
    folder = tmp_path / "all"
    said = await slate("export", "-o", f"{folder}/")
    names = {f"AgentConfig-{agent}" for agent in (*board.agents, "security")} | {"TaskBoard-feature"}
    assert {one.stem for one in folder.iterdir()} == names
    assert said.out == f"{len(names)} files are written into {folder}\n"
    again = await slate.ok("apply", "-f", folder)
    assert (again["created"], again["changed"], again["removed"]) == ([], [], [])
    (folder / "old.yaml").write_text(BOARD)
    answer = await slate.ok("export", "-o", folder)
    assert answer["notes"] == [f"{folder} holds manifests that this export did not write: old.yaml"]


async def test_kinds_and_names_choose(slate: Slate, tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(BOARD)
    await slate.ok("apply", "-f", tmp_path / "board.yaml")
    answer = await slate.ok("export", "--kind", "TaskBoard")
    assert [(one["kind"], one["name"]) for one in answer["manifests"]] == [("TaskBoard", "feature")]
    answer = await slate.ok("export", "--name", "security")
    assert [(one["kind"], one["name"]) for one in answer["manifests"]] == [("AgentConfig", "security")]
    refused = await slate("export", "--kind", "TaskBord", "--json")
    assert (refused.code, refused.error["remedy"]) == (2, "did you mean 'TaskBoard'?")
    assert (await slate("export", "--name", "nothing", "--json")).error["code"] == "unknown_name"


async def test_more_than_one_apply_takes_goes_into_parts(
    slate: Slate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "board.yaml").write_text(f"{BOARD}---\n{BOARD.replace('feature', 'other')}")
    await slate.ok("apply", "-f", tmp_path / "board.yaml")
    monkeypatch.setattr("slateboard.manifests.export.MAX_POST", 7)
    refused = await slate("export", "--json")
    assert (refused.error["code"], refused.error["remedy"]) == ("too_large", "write it into a folder: -o FOLDER/")
    folder = tmp_path / "parts"
    answer = await slate.ok("export", "-o", f"{folder}/")
    parts = {one.relative_to(folder).parent.name for one in folder.rglob("*.yaml")}
    assert parts == {"part-1", "part-2"}
    for part in sorted(parts):
        again = await slate.ok("apply", "-f", folder / part)
        assert (again["created"], again["changed"], again["removed"]) == ([], [], [])
    assert len(answer["files"]) == 6


async def test_what_cannot_be_written_is_said(slate: Slate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = await slate("export", "-o", tmp_path / "file" / "below.yaml", "--json")
    assert (refused.code, refused.error["code"]) == (2, "invalid")
