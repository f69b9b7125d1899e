"""The guide's files as they stand, each as its README says; and with one thing wrong, of which nothing is applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slateboard import schedule_agent_meeting
from slateboard.manifests import files
from slateboard.protocol.errors import SlateError
from slateboard.protocol.work import NewArtifact, NewTask
from tests.manifests.exporting import state
from tests.manifests.wrong import AS_A_MANIFEST, GUIDE, MEETING, TABLE, Wrong, text_of
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

SHARED = Path(__file__).parents[2].parent / "shared/examples"
AGENTS = ("ceo", "cto", "backend", "frontend", "devops", "cso", "marketing", "old")
"""All whom the guide's files name, and one more."""
MANIFESTS = {
    "agent-config.yaml": ("agent", "subscription", "route"),
    "circuit-breaker.yaml": ("circuit breaker",),
    "compensation.yaml": ("compensation",),
    "event-pipeline.yaml": ("subscription",),
    "routing-table.yaml": ("route",),
    "task-board.json": ("task", "artifact", "decision"),
    "task-tree.yaml": ("task", "artifact"),
}
"""The files that are applied, and the kinds of things that each makes or changes."""


@pytest.fixture(params=[GUIDE, SHARED], ids=["ours", "shared"])
def guide(request: pytest.FixtureRequest) -> Path:
    """The folder of the guide's files: ours, and those beside the repository where they are there."""
    if not request.param.is_dir():
        pytest.skip(f"there is no folder {request.param.parent.name}/{request.param.name} beside the repository")
    return request.param


async def peopled(board: BoardUnderTest) -> None:
    """Add those who are not there, and what the guide's compensation undoes; cto stands under backend."""
    there = {row["name"] for row in await board.fetch("SELECT name FROM agents WHERE board = $1")}
    for name in AGENTS:
        if name not in there:
            await board.add_agent(name)
    await board.perform("change_agent", name="cto", manager="backend")
    steps = [NewArtifact(task="t", name=name) for name in ("deploy_to_production", "update_database_schema")]
    await board.post(*steps, tasks=[NewTask(name="t", title="t")])


@pytest.mark.parametrize("file", MANIFESTS)
async def test_a_file_is_applied_as_it_stands_and_again_changes_nothing(
    board: BoardUnderTest, guide: Path, file: str
) -> None:
    documents = files.read([str(guide / file)])
    foretold = await board.perform("apply", documents=documents, dry_run=True)
    answer = await board.perform("apply", documents=documents)
    assert foretold == {**answer, "dry_run": True}
    assert {one["kind"] for one in [*answer["created"], *answer["changed"]]} == set(MANIFESTS[file])
    before = len(await board.log()), await state(board)
    for strict in (False, file != "compensation.yaml"):
        again = await board.perform("apply", documents=documents, strict=strict)
        assert [again[key] for key in ("created", "changed", "removed", "agents_created")] == [[], [], [], []]
    assert (len(await board.log()), await state(board)) == before
    await check_fold(board)


async def test_all_files_are_applied_together(board: BoardUnderTest, guide: Path) -> None:
    documents = files.read([str(guide / file) for file in MANIFESTS])
    answer = await board.perform("apply", documents=documents)
    assert {one["kind"] for one in answer["created"]} == {kind for kinds in MANIFESTS.values() for kind in kinds} - {
        "agent"  # backend is there, and only changed
    }
    again = await board.perform("apply", documents=documents)
    assert [again[key] for key in ("created", "changed", "removed")] == [[], [], []]
    await check_fold(board)


async def test_the_payload_is_published_and_read_back_by_its_subject(board: BoardUnderTest, guide: Path) -> None:
    payload = json.loads((guide / "api-contract-changed.json").read_text())
    subject = "genbrain.events.api.contract-changed"
    await board.perform("publish", subject=subject, data=payload, by="backend")
    await board.perform("publish", subject="genbrain.events.api.other", data={}, by="backend")
    (found,) = await board.log(subject=subject)
    assert (found.subject, found.payload) == (subject, payload)


async def test_the_meeting_runs_with_one_line_of_import(
    board: BoardUnderTest, app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not SHARED.is_dir():
        pytest.skip("there is no folder shared/examples beside the repository")
    await peopled(board)
    monkeypatch.setenv("SLATE_DATABASE_URL", app_url)
    monkeypatch.setenv("SLATE_BOARD", board.name)
    names: dict[str, Any] = {}
    exec("from slateboard import schedule_agent_meeting\n" + (SHARED / "meeting.py").read_text(), names)
    (row,) = await board.perform("list_meetings")
    assert (names["meeting"]["meeting"], row["items"]) == (row["meeting"], 3)
    assert row["title"] == "Analytics Dashboard Architecture Review"
    again = await board.perform("apply", documents=[{"source": MEETING, "text": AS_A_MANIFEST}])
    assert (again["created"], again["unchanged"]) == ([], 1), "the manifest of the same words is the same meeting"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"agenda": []}, "1 to 50 items"),
        ({"participants": ["cto"]}, "2 to"),
        ({"participants": ["cto", "backnd"]}, "backnd"),
        ({"max_duration_minutes": 0}, "480"),
        ({"max_duration_minutes": 1000}, "480"),
        ({"quorum": 6}, "quorum"),
        ({"veto_roles": ["cto"]}, "veto"),
        ({"decision_model": "majority_with_veto", "veto_roles": ["legal"]}, "'legal'"),
    ],
)
async def test_the_meeting_with_one_thing_wrong_is_not_scheduled(
    board: BoardUnderTest, app_url: str, wrong: dict[str, Any], said: str
) -> None:
    await peopled(board)
    right: dict[str, Any] = {"title": "m", "participants": ["cto", "backend", "cso"], "agenda": ["a"],
                             "decision_required": True, "max_duration_minutes": 15}  # fmt: skip
    before = len(await board.log()), await state(board)
    with pytest.raises(SlateError) as raised:
        schedule_agent_meeting(**{**right, **wrong}, url=app_url, board=board.name)
    assert said in f"{raised.value} {raised.value.remedy}"
    assert (len(await board.log()), await state(board)) == before


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
async def test_one_thing_wrong_is_shown_and_nothing_is_applied(board: BoardUnderTest, case: Wrong) -> None:
    await peopled(board)
    if case.removed:
        await board.perform("remove_agent", name=case.removed, to="ceo")
    before = len(await board.log()), await state(board)
    with pytest.raises(SlateError) as raised:
        await board.perform("apply", documents=[{"source": case.file, "text": case.text}], strict=case.strict)
    error = raised.value
    line, column = case.place
    assert error.message.startswith(f"{case.file}:{line}:{column}: "), error
    assert (error.details["file"], error.details["line"], error.details["column"]) == (case.file, line, column)
    assert case.found in error.message
    assert case.expected in f"{error.message} {error.remedy}"
    assert (len(await board.log()), await state(board)) == before


@pytest.mark.parametrize("file", sorted({one.file for one in TABLE.values()}))
async def test_one_wrong_file_among_all_of_them_leaves_all_out(board: BoardUnderTest, file: str) -> None:
    await peopled(board)
    wrong = [one for one in TABLE.values() if one.file == file and not one.removed][-1]
    right = [*MANIFESTS, MEETING]
    documents = [{"source": one, "text": wrong.text if one == file else text_of(one)} for one in right]
    before = len(await board.log()), await state(board)
    with pytest.raises(SlateError) as raised:
        await board.perform("apply", documents=documents, strict=wrong.strict)
    line, column = wrong.place
    assert raised.value.message.startswith(f"{file}:{line}:{column}: ")
    assert (len(await board.log()), await state(board)) == before


async def test_what_a_removed_agent_did_stays_in_its_manifest(board: BoardUnderTest) -> None:
    """A file that was applied before its agent left is not wrong by that, and cannot give it anything new."""
    text = text_of("task-board.json")
    documents = [{"source": "task-board.json", "text": text.replace('"backend"', '"old"')}]
    await board.perform("apply", documents=documents)
    await board.perform("remove_agent", name="old", to="backend")
    again = await board.perform("apply", documents=documents)
    assert (again["created"], again["changed"], again["agents_created"]) == ([], [], [])
