"""The kind Meeting: scheduled once, however often it is applied; what cannot be is shown at its line."""

from __future__ import annotations

import json

import pytest

from slateboard.protocol.errors import BadManifest, Invalid, SlateError
from tests.support.boards import BoardUnderTest
from tests.support.manifests import do

MEETING = """
apiVersion: agent.ceo/v1
kind: Meeting
metadata: {name: review}
spec:
  title: Architecture Review
  participants: [cto, backend, frontend]
  agenda:
    - REST or GraphQL?
    - Who writes it?
  decision_required: true
  max_duration_minutes: 15
"""


async def test_meeting_is_scheduled_once(board: BoardUnderTest) -> None:
    told = await do(board, MEETING)
    assert told["created"] == [{"kind": "meeting", "reference": "review"}]
    (row,) = await board.perform("list_meetings")
    assert (row["title"], row["state"], row["items"]) == ("Architecture Review", "waiting", 2)
    again = await do(board, MEETING)
    assert (again["created"], again["changed"], again["unchanged"], again["notes"]) == ([], [], 1, [])
    other = await do(board, MEETING.replace("15", "30"))
    assert "scheduled with another max_duration_minutes" in other["notes"][0]
    assert len(await board.perform("list_meetings")) == 1


async def test_meeting_is_for_later_with_all_that_it_can_have(board: BoardUnderTest) -> None:
    more = """  starts_at: 2d
  optional: [devops]
  chair: cto
  quorum: 4
  decision_model: majority_with_veto
  veto_roles: [cto]
  turn_seconds: 30
  vote_seconds: 60
"""
    told = await do(board, MEETING + more)
    assert told["agents_created"] == ["devops"]
    (row,) = await board.fetch("SELECT * FROM meetings WHERE board = $1")
    assert (row["state"], row["quorum"], row["turn_seconds"], row["veto_roles"]) == ("scheduled", 4, 30.0, ["cto"])
    assert (row["starts_at"] - row["scheduled_at"]).days == 2
    assert (await do(board, MEETING + more))["notes"] == []


@pytest.mark.parametrize("title", ['the "big" one', "a\\b", "{a, b}", "null"])
async def test_title_may_have_any_sign(board: BoardUnderTest, title: str) -> None:
    manifest = MEETING.replace("Architecture Review", json.dumps(title))
    await do(board, manifest)
    assert [row["title"] for row in await board.perform("list_meetings")] == [title]
    assert (await do(board, manifest))["unchanged"] == 1


async def test_dry_run_schedules_nothing(board: BoardUnderTest) -> None:
    told = await do(board, MEETING, dry_run=True)
    assert told["created"] == [{"kind": "meeting", "reference": "review"}]
    assert await board.perform("list_meetings") == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("participants: [cto, backend, frontend]", "participants: [cto]", 7, "found one participant"),
        ("participants: [cto, backend, frontend]", "participants: [cto, cto]", 7, "twice"),
        ("    - REST or GraphQL?\n    - Who writes it?\n", "    []\n", 9, "found no items"),
        ("- Who writes it?", "- '  '", 10, "0 characters"),
        ("max_duration_minutes: 15", "max_duration_minutes: 0", 12, "1 to 480"),
        ("max_duration_minutes: 15", "max_duration_minutes: 1000", 12, "1 to 480"),
        ("max_duration_minutes: 15", "quorum: 4", 12, "1 to 3"),
        ("max_duration_minutes: 15", "decision_model: lottery", 12, "lottery"),
        ("max_duration_minutes: 15", "decision_model: majority_with_veto", 12, "veto_roles"),
        ("max_duration_minutes: 15", "veto_roles: [cto]", 12, "without their model"),
        ("max_duration_minutes: 15", "chair: devops", 12, "devops"),
        ("max_duration_minutes: 15", "max_minutes: 15", 12, "max_minutes"),
        ("decision_required: true", "decision_required: perhaps", 11, "true or false"),
    ],
)
async def test_what_is_wrong_is_shown_at_its_line(
    board: BoardUnderTest, old: str, new: str, line: int, message: str
) -> None:
    with pytest.raises(BadManifest, match=message) as raised:
        await do(board, MEETING.replace(old, new))
    assert raised.value.details["line"] == line
    assert await board.perform("list_meetings") == []


async def test_what_the_board_refuses_is_shown_at_its_key(board: BoardUnderTest) -> None:
    more = "  decision_model: majority_with_veto\n  veto_roles: [security]\n"
    with pytest.raises(SlateError, match="security") as raised:
        await do(board, MEETING + more)
    assert raised.value.details["line"] == 14
    await board.perform("change_agent", name="backend", availability="never")
    with pytest.raises(Invalid, match="no meetings"):
        await do(board, MEETING)
